"""Keys of programs: made by the head after a fresh code, shown once, kept as hashes, rotated without a gap.

The pattern for secret scanners is `lk_live_[0-9A-Za-z]{46}`: ten characters that name the secret, thirty that are it,
and six that check the rest (CRC-32), so that a mistyped or invented one is refused before the database is asked.
"""

import hmac
import re
import secrets
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor, ActorKind
from accounts.models import Action, Agency, ApiKey, Event, KeySecret, Scope, User
from accounts.models.base import hash_of
from accounts.models.keys import TOKEN_PREFIX as PREFIX
from accounts.models.keys import ApiKeyQuerySet
from accounts.services import limits, people, step_up
from accounts.services.unit_of_work import record, unit_of_work
from lk_site import addresses
from lk_site.cursors import Keyset
from lk_site.errors import DomainError, FieldError, Invalid, InvalidValue, NotAllowed
from lk_site.hot_reads import CompiledObjects, Param
from lk_site.text import clean_line

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PUBLIC, SECRET, CHECK = 10, 30, 6  # characters: 62^30 is 178 bits, and 62^6 is more than CRC-32 has values
TOKEN = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{PUBLIC + SECRET + CHECK}}}", re.ASCII)
BEGINNING = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{PUBLIC}}})", re.ASCII)

NAME_AT_MOST = 100
DAYS_AT_MOST = 365
NETWORKS_AT_MOST = 20
LIVE_AT_MOST = 50  # keys of an agency: enough for a program each, few enough to look through
OVERLAP = timedelta(hours=24)
USED_EVERY = timedelta(minutes=1)  # as sessions: last use is written at most once a minute
NEWEST_FIRST = Keyset(("-at", datetime.fromisoformat), ("-id", UUID))


class TooManyKeys(DomainError):
    """An agency looks through its keys; it cannot look through thousands."""

    code = "too_many_keys"
    sentence = _("An agency has at most 50 keys. Revoke one that nobody uses.")


class KeyRevoked(DomainError):
    """A key that has ended stays as it is."""

    code = "key_revoked"
    sentence = _("This key has ended. Make a new one.")


@dataclass(frozen=True, slots=True, repr=False)
class ShownKey:
    """A key and its new secret, which is shown now and known nowhere else."""

    key: ApiKey
    token: str


# --- what the head does with keys


@unit_of_work
def make_key(
    *, name: str, scopes: Iterable[str], actor: Actor, networks: Iterable[str] = (), days: int = DAYS_AT_MOST
) -> ShownKey:
    """Make a key of the actor's agency for so many days.

    Raises NotAllowed for anybody but a head, FreshCodeRequired, TooManyKeys, and Invalid for what cannot be.
    """
    agency_id = must_manage(actor)
    step_up.require_fresh_code(actor)
    fields = cleaned(name=name, scopes=scopes, networks=networks, days=days)
    agency = Agency.objects.open().select_for_update(no_key=True).get(pk=agency_id)
    now = timezone.now()
    if ApiKey.objects.visible_to(actor).live(now).count() >= LIVE_AT_MOST:
        raise TooManyKeys
    key = ApiKey(agency=agency, made_by_id=actor.user_id, created_at=now, expires_at=now + timedelta(days=days))
    key.name, key.scopes, key.networks = fields
    key.save(force_insert=True)
    record(actor, Action.KEY_MADE, key, scopes=key.scopes)
    return ShownKey(key, add_secret(key))


@unit_of_work
def edit_key(
    key_id: UUID,
    *,
    actor: Actor,
    name: str | None = None,
    scopes: Iterable[str] | None = None,
    networks: Iterable[str] | None = None,
) -> ApiKey:
    """Change what is given of a key. Raises ApiKey.DoesNotExist, NotAllowed, FreshCodeRequired, KeyRevoked, Invalid."""
    key = lock_live(key_id, seen_by(actor))
    step_up.require_fresh_code(actor)
    fields = cleaned(
        name=key.name if name is None else name,
        scopes=key.scopes if scopes is None else scopes,
        networks=key.networks if networks is None else networks,
    )
    new = dict(zip(("name", "scopes", "networks"), fields, strict=True))
    changed = [field for field, value in new.items() if getattr(key, field) != value]
    if not changed:
        return key
    for field in changed:
        setattr(key, field, new[field])
    key.save(update_fields=changed)
    record(actor, Action.KEY_CHANGED, key, fields=changed, scopes=key.scopes)
    return key


@unit_of_work
def rotate_key(key_id: UUID, *, actor: Actor, days: int = DAYS_AT_MOST) -> ShownKey:
    """Give a key a new secret for so many days; the ones before it work for 24 hours more.

    Raises ApiKey.DoesNotExist, NotAllowed, FreshCodeRequired, KeyRevoked, Invalid.
    """
    key = lock_live(key_id, seen_by(actor))
    step_up.require_fresh_code(actor)
    check_days(days)
    now = timezone.now()
    lasting = KeySecret.objects.filter(key=key).filter(Q(ends_at=None) | Q(ends_at__gt=now + OVERLAP))
    lasting.update(ends_at=now + OVERLAP)
    key.expires_at = now + timedelta(days=days)
    key.save(update_fields=["expires_at"])
    record(actor, Action.KEY_ROTATED, key, fields=["expires_at"])
    return ShownKey(key, add_secret(key))


@unit_of_work
def revoke_key(key_id: UUID, *, actor: Actor) -> None:
    """End a key at once. Who fears that it leaked needs no code for that; staff may too, whom scanners tell of leaks.

    Raises ApiKey.DoesNotExist, NotAllowed, KeyRevoked.
    """
    key = lock_live(key_id, ApiKey.objects.all() if actor.is_staff else seen_by(actor))
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    record(actor, Action.KEY_REVOKED, key)


def keys_of(actor: Actor) -> ApiKeyQuerySet:
    """Return the keys of the head's agency, the newest first, ended ones too. Raises NotAllowed."""
    must_manage(actor)
    return ApiKey.objects.visible_to(actor).prefetch_related("secrets").order_by("-created_at", "-id")


def seen_key(key_id: UUID, *, actor: Actor) -> ApiKey:
    """Return a key of the head's agency. Raises ApiKey.DoesNotExist, NotAllowed."""
    return seen_by(actor).prefetch_related("secrets").get(pk=key_id)


def makers_who_left(keys: Iterable[ApiKey]) -> dict[UUID, str]:
    """Return the names of those who made these keys and have left, by their ids; who is not known is not there.

    A key is its agency's, not its maker's: disabling him ends his sessions at once (security.md 2.2), and no key, or
    the agency's programs would stop with every head who leaves. He may have kept a copy of the token, so the other
    heads are told on the page of keys, where they can give the key a new secret or end it.
    """
    made = {key.made_by_id: key.agency_id for key in keys if key.made_by_id}
    makers = User.objects.agents().only("name", "is_active", "agency_id").in_bulk(made) if made else {}
    gone = (one for one in makers.values() if not one.is_active or one.agency_id != made[one.pk])
    return {one.pk: one.name or "" for one in gone}


@unit_of_work
def find_key(text: str, *, actor: Actor) -> ApiKey | None:
    """Return the key whose token this is, or begins so, for staff; that they asked is recorded. Raises NotAllowed."""
    people.must_be_staff(actor)
    named = BEGINNING.match(text.strip())
    secret = KeySecret.objects.filter(public_id=named[1]).select_related("key").first() if named else None
    found = secret.key if secret else None
    record(actor, Action.ADMIN_ACTION, found, what="key.searched", found=found is not None)
    return found


def is_ended_by_staff(key: ApiKey) -> bool:
    """Return whether staff have ended a key: a scanner had found it where all could read it."""
    if key.revoked_at is None:
        return False
    return Event.objects.filter(object_id=key.pk, action=Action.KEY_REVOKED, actor_kind=ActorKind.STAFF).exists()


def deeds_of(key: ApiKey) -> QuerySet[Event]:
    """Return what was done with a key, as the evidence tells it. Order by NEWEST_FIRST."""
    return Event.objects.filter(actor_id=key.pk, actor_kind=ActorKind.KEY, agency_id=key.agency_id)


def must_manage(actor: Actor) -> UUID:
    """Return the agency of a head in person. Raises NotAllowed for anybody else: a key manages no keys."""
    if actor.kind != ActorKind.AGENT or not actor.is_head or actor.agency_id is None:
        raise NotAllowed
    return actor.agency_id


def seen_by(actor: Actor) -> ApiKeyQuerySet:
    """Return the keys that a person may see one by one: to an agent all are absent. Raises NotAllowed."""
    if actor.kind != ActorKind.AGENT:
        raise NotAllowed
    return ApiKey.objects.visible_to(actor)


def lock_live(key_id: UUID, keys: ApiKeyQuerySet) -> ApiKey:
    """Return a live one of these keys, locked."""
    key = keys.select_for_update(no_key=True).get(pk=key_id)
    if not key.is_live(timezone.now()):
        raise KeyRevoked
    return key


# --- what a key may be


def cleaned(
    *, name: str, scopes: Iterable[str], networks: Iterable[str], days: int = 1
) -> tuple[str, list[str], list[str]]:
    """Return name, scopes and networks as they are stored. Raises Invalid."""
    check_days(days)
    return cleaned_name(name), cleaned_scopes(scopes), cleaned_networks(list(networks))


def check_days(days: int) -> None:
    if not 1 <= days <= DAYS_AT_MOST:
        raise Invalid.at("days", "out_of_range", _("A key lives from 1 to 365 days."))


def cleaned_name(name: str) -> str:
    try:
        line = clean_line(name, NAME_AT_MOST)
    except InvalidValue as error:
        raise Invalid(errors=[error.at("name")]) from error
    if not line:
        raise Invalid.at("name", "required", _("Name the program that will use the key."))
    return line


def cleaned_scopes(scopes: Iterable[str]) -> list[str]:
    """Return scopes in their own order, each once. Raises Invalid for one that is not known."""
    wanted = set(scopes)
    if wanted - set(Scope.values):
        raise Invalid.at("scopes", "unknown", _("Choose scopes of the list."))
    return [scope for scope in Scope.values if scope in wanted]


def cleaned_networks(networks: Sequence[str]) -> list[str]:
    """Return networks as `10.1.0.0/16` or `2001:db8::/48`; an address alone is a network of one. Raises Invalid."""
    if len(networks) > NETWORKS_AT_MOST:
        raise Invalid.at("networks", "too_many", _("At most 20 networks. Join some."))
    found, errors = [], []
    for place, network in enumerate(networks):
        try:
            found.append(str(ip_network(network.strip())))
        except ValueError:
            sentence = _("Write a network as 203.0.113.0/24, with zeros after the mask.")
            errors.append(FieldError(f"/networks/{place}", "not_a_network", sentence))
    if errors:
        raise Invalid(errors=errors)
    return list(dict.fromkeys(found))


# --- tokens


def add_secret(key: ApiKey) -> str:
    """Give a key another secret, and return the token that is made of it."""
    token = new_token()
    KeySecret(key=key, public_id=public_id(token), token_hash=hash_of(token)).save(force_insert=True)
    return token


def new_token() -> str:
    body = PREFIX + "".join(secrets.choice(BASE62) for _ in range(PUBLIC + SECRET))
    return body + checksum(body)


def checksum(body: str) -> str:
    """Return the CRC-32 of what stands before it, as six digits of base 62."""
    rest, digits = zlib.crc32(body.encode()), ""
    for _place in range(CHECK):
        rest, digit = divmod(rest, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def is_well_formed(token: str) -> bool:
    return bool(TOKEN.fullmatch(token)) and checksum(token[:-CHECK]) == token[-CHECK:]


def public_id(token: str) -> str:
    """Return the part of a token that names its secret, and may be shown."""
    return token[len(PREFIX) : len(PREFIX) + PUBLIC]


# --- who asks


SECRET_WITH_KEY = CompiledObjects(
    KeySecret,
    lambda: KeySecret.objects.filter(
        public_id=Param("public_id", KeySecret._meta.get_field("public_id")), key__agency__closed_at=None
    ),
    "key",
)


def key_of_token(token: str) -> ApiKey | None:
    """Return the live key that a token opens, or None. A malformed one costs no question to the database."""
    if not is_well_formed(token):
        return None
    found: list[KeySecret] = SECRET_WITH_KEY.objects(limit=1, public_id=public_id(token))
    if not found or not hmac.compare_digest(bytes(found[0].token_hash), hash_of(token)):
        return None
    now = timezone.now()
    key: ApiKey = found[0].key
    return key if found[0].is_live(now) and key.is_live(now) else None


def note_use(actor: Actor) -> None:
    """Write when and from where a key was used, at most once a minute; an hour's first use leaves an event."""
    key, now = actor.key, timezone.now()
    assert key is not None
    if key.used_at and timedelta(0) <= now - key.used_at < USED_EVERY:
        return
    with unit_of_work():
        stale = ApiKey.objects.filter(pk=key.pk).filter(Q(used_at=None) | Q(used_at=key.used_at))
        is_ours = stale.update(used_at=now, used_from=actor.address)
        if is_ours and limits.take("evidence.key.source", key.pk, addresses.source(actor.address), now=now):
            record(actor, Action.KEY_USED, key)
