"""The people of agencies, as staff look after them: added by phone, promoted, disabled, freed of limits."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor, ActorKind
from accounts.models import Action, Agency, Role, User
from accounts.services import agencies, limits, login_limits, proofs, sessions
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.errors import Clash, DomainError, Invalid, InvalidValue, NotAllowed
from lk_site.phones import normalize_phone
from lk_site.text import clean_line, clean_text

NAME_AT_MOST = 100
REASON_AT_MOST = 500


class PhoneTaken(Clash):
    """The phone belongs to an agent who cannot simply move."""

    code = "phone_taken"
    sentence = _("This phone belongs to an agent of another agency.")


class LastHead(DomainError):
    """An agency keeps at least one active head."""

    code = "last_head"
    sentence = _("This is the last head of the agency. Make another agent head first.")


@unit_of_work
def add_agent(agency_id: UUID, *, phone: str, name: str, role: str, actor: Actor) -> User:
    """Add an agent to an agency by phone; his first login will ask for his consent.

    An agent who is alone in an agency without deals and clients moves, and his empty agency is closed.
    Raises Agency.DoesNotExist for a closed agency, PhoneTaken, and Invalid for a wrong phone, name or role.
    """
    must_be_staff(actor)
    digits, name, role = cleaned_phone(phone), cleaned_name(name), cleaned_role(role)
    agency, agent = lock_for_adding(agency_id, digits)
    if agent is None:
        agent = User(agency=agency, name=name, role=role)
        agent.set_phone(digits)
        insert_agent(agent)
    else:
        move_agent(agent, agency, name=name, role=role, actor=actor)
    record(actor, Action.AGENT_ADDED, agent, role=role)
    return agent


def lock_for_adding(agency_id: UUID, phone: str) -> tuple[Agency, User | None]:
    """Lock the agency, and with it the agent who has this phone and his agency, in ascending order of ids."""
    User.objects.lock_phone(phone)
    known = User.objects.with_phone(phone).first()
    ids = {agency_id, known.agency_id or agency_id} if known else {agency_id}
    locked = {
        agency.pk: agency
        for agency in Agency.objects.open().filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    }
    if agency_id not in locked:
        raise Agency.DoesNotExist
    return locked[agency_id], known and User.objects.lock(known.pk)


def insert_agent(agent: User) -> None:
    """Insert a new agent. Raises PhoneTaken where another transaction has just given the phone to somebody."""
    try:
        with transaction.atomic():
            agent.save(force_insert=True)
    except IntegrityError as error:
        raise PhoneTaken from error


def move_agent(agent: User, agency: Agency, *, name: str, role: str, actor: Actor) -> None:
    """Move an agent out of his agency of one, and close it. Raises PhoneTaken where it is more than that."""
    if agent.agency_id == agency.pk:
        raise PhoneTaken(_("This agent already belongs to the agency."))
    left = agent.agency_id
    if left is None or has_colleagues(agent, left) or agencies.work.holds_work(agent.pk):
        raise PhoneTaken
    agent.agency, agent.name, agent.role, agent.is_active = agency, name, role, True
    agent.save_changes("agency", "name", "role", "is_active")
    agencies.close_agency(left, actor=actor)


def has_colleagues(agent: User, agency_id: UUID) -> bool:
    return User.objects.filter(agency_id=agency_id).exclude(pk=agent.pk).exists()


@unit_of_work
def set_role(user_id: UUID, role: str, *, actor: Actor) -> User:
    """Make an agent head of the agency, or an agent again. Raises LastHead, User.DoesNotExist, Invalid."""
    must_be_staff(actor)
    role = cleaned_role(role)
    agent = lock_person(user_id)
    if role == agent.role:
        return agent
    was = agent.role
    keep_a_head(agent)
    agent.role = role
    agent.save_changes("role")
    record(actor, Action.ROLE_CHANGED, agent, was=was, now=role)
    return agent


@unit_of_work
def rename_agent(user_id: UUID, name: str, *, actor: Actor) -> User:
    """Correct an agent's name. Raises User.DoesNotExist, Invalid."""
    must_be_staff(actor)
    name = cleaned_name(name)
    agent = lock_person(user_id)
    if name == agent.name:
        return agent
    agent.name = name
    agent.save_changes("name")
    record(actor, Action.AGENT_CHANGED, agent)
    return agent


@unit_of_work
def disable_agent(user_id: UUID, *, actor: Actor) -> User:
    """Shut an agent out: sessions end at once, and no code opens another. Raises LastHead, User.DoesNotExist.

    Keys of programs are the agency's and go on; who heads it is told of those that he made: `keys.makers_who_left`.
    """
    must_be_staff(actor)
    agent = lock_person(user_id)
    if not agent.is_active:
        return agent
    keep_a_head(agent)
    agent.is_active = False
    agent.save_changes("is_active")
    sessions.end_all(agent.pk, actor=actor)
    record(actor, Action.AGENT_DISABLED, agent)
    return agent


@unit_of_work
def enable_agent(user_id: UUID, *, actor: Actor) -> User:
    """Let a disabled agent log in again. Raises User.DoesNotExist."""
    must_be_staff(actor)
    agent = lock_person(user_id)
    if agent.is_active:
        return agent
    agent.is_active = True
    agent.save_changes("is_active")
    record(actor, Action.AGENT_ENABLED, agent)
    return agent


@unit_of_work
def end_sessions(user_id: UUID, *, actor: Actor) -> int:
    """End all sessions of an agent, and return how many there were. Raises User.DoesNotExist."""
    must_be_staff(actor)
    return sessions.end_all(lock_person(user_id).pk, actor=actor)


@unit_of_work
def clear_counters(user_id: UUID, *, actor: Actor) -> User:
    """Free an agent's phone of what strangers, or he himself, have counted against it. Raises User.DoesNotExist."""
    must_be_staff(actor)
    agent = User.objects.agents().get(pk=user_id)
    login_limits.clear_phone(agent.phone or "")
    proofs.forgive(agent.pk)
    record(actor, Action.LIMITS_CLEARED, agent)
    return agent


@unit_of_work
def lift_range(phone: str, *, actor: Actor) -> None:
    """Let codes go again to the numbers that differ from this one only in the last four digits. Raises Invalid."""
    must_be_staff(actor)
    login_limits.lift_range(cleaned_phone(phone))
    record(actor, Action.RANGE_LIFTED)


@unit_of_work
def find_agent(phone: str, *, actor: Actor) -> User | None:
    """Return the agent of a phone, if there is one; that staff asked is recorded. Raises Invalid."""
    must_be_staff(actor)
    found = User.objects.with_phone(cleaned_phone(phone)).first()
    record(actor, Action.ADMIN_ACTION, found, what="person.searched", found=found is not None)
    return found


def reveal_agent_phone(user_id: UUID, *, reason: str, actor: Actor) -> str:
    """Return an agent's number to staff, who say why; the evidence is written first.

    Raises User.DoesNotExist, Invalid without a reason, LimitReached above the reveals of an hour.
    """
    must_be_staff(actor)
    reason = cleaned_reason(reason)
    agent = User.objects.agents().get(pk=user_id)
    taken = limits.take("looks", actor.user_id or "system")
    if isinstance(taken, limits.Refused):
        raise taken.error()
    with unit_of_work():
        record(actor, Action.PERSON_REVEALED, agent, text=reason)
    return agent.phone or ""


def must_be_staff(actor: Actor) -> None:
    """Raise NotAllowed for anyone but staff and LK itself."""
    if actor.kind not in (ActorKind.STAFF, ActorKind.SYSTEM):
        raise NotAllowed


def lock_person(user_id: UUID) -> User:
    """Lock an agent together with his agency: its people change one after another, so that a head always stays."""
    agency_id = User.objects.agents().values_list("agency_id", flat=True).get(pk=user_id)
    Agency.objects.select_for_update(no_key=True).get(pk=agency_id)
    return User.objects.agents().select_related("agency").lock(user_id)


def keep_a_head(leaving: User) -> None:
    """Raise LastHead if the agency would be left without an active head. The agency is locked."""
    heads = User.objects.agents().active().filter(agency=leaving.agency, role=Role.HEAD)
    if leaving.is_head and leaving.is_active and not heads.exclude(pk=leaving.pk).exists():
        raise LastHead


def cleaned_phone(phone: str) -> str:
    try:
        return normalize_phone(phone, agent=True)
    except InvalidValue as error:
        raise Invalid(errors=[error.at("phone")]) from error


def cleaned_name(name: str) -> str:
    """Return a person's name as it is stored. Raises Invalid."""
    try:
        cleaned = clean_line(name, NAME_AT_MOST)
    except InvalidValue as error:
        raise Invalid(errors=[error.at("name")]) from error
    if not cleaned:
        raise Invalid.at("name", "required", _("Write the name."))
    return cleaned


def cleaned_role(role: str) -> str:
    if role not in Role.values:
        raise Invalid.at("role", "unknown", _("There is no such role."))
    return Role(role).value


def cleaned_reason(reason: str) -> str:
    """Return why a number is revealed. Raises Invalid without a reason."""
    try:
        cleaned = clean_text(reason, REASON_AT_MOST)
    except InvalidValue as error:
        raise Invalid(errors=[error.at("reason")]) from error
    if not cleaned:
        raise Invalid.at("reason", "required", _("Say why you need the number."))
    return cleaned
