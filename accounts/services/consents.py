"""Consents: which texts there are, which one a person still has to agree to, and the proof that he did."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language, override
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, Consent, User
from accounts.services.profile import edit_profile
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.errors import DomainError, Invalid, NotAllowed

PERSONAL_DATA = "personal_data"
LANGUAGES = ("ru", "en")


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One version of a document: from `published_on` it can be given, from `blocks_from` nothing goes on without it.

    The texts are templates, one for each language; a version that anybody agreed to is never edited.
    """

    document: str
    version: str
    published_on: date
    blocks_from: date

    def template(self, language: str) -> str:
        return f"accounts/consents/{self.document}-{self.version}.{language}.html"


CONSENTS = (  # oldest first
    ConsentText(PERSONAL_DATA, "1", published_on=date(2026, 11, 1), blocks_from=date(2026, 11, 1)),
)


class ConsentRequired(DomainError):
    """Nothing goes on before the consent is given."""

    code = "consent_required"
    status = 403
    sentence = _("First agree to the processing of personal data.")


@unit_of_work
def welcome(name: str, document: str, version: str, *, actor: Actor) -> User:
    """Take the name and the consent that the first login asks for, both or neither. Raises Invalid, NotAllowed."""
    edit_profile(actor=actor, name=name)
    return give_consent(document, version, actor=actor).user


@unit_of_work
def give_consent(document: str, version: str, *, actor: Actor) -> Consent:
    """Record that the actor agrees to a text, with the hash of the very text shown; a second time changes nothing.

    Raises NotAllowed for anybody but an agent, Invalid for a document or version that is not offered.
    """
    if actor.user_id is None or actor.is_staff:
        raise NotAllowed
    user = User.objects.lock(actor.user_id)
    if given := Consent.objects.filter(user=user, document=document, version=version).first():
        given.user = user
        return given
    text = offered(document, version, timezone.localdate())
    language = shown_language()
    consent = Consent(user=user, document=document, version=version, language=language, address=actor.address)
    consent.text_hash = text_hash(text, language)
    consent.save(force_insert=True)
    user.consent_version = version
    user.save_changes("consent_version")
    record(actor, Action.CONSENT_GIVEN, user, document=document, consent=version, text_hash=consent.text_hash)
    return consent


def offered(document: str, version: str, today: date) -> ConsentText:
    """Return the version of a document that can be agreed to today. Raises Invalid for an older one, or for none."""
    if document not in {text.document for text in CONSENTS}:
        raise Invalid.at("document", "unknown", _("There is no such document."))
    if version not in {text.version for text in offers(today)}:
        raise Invalid.at("version", "unknown", _("This version of the text is not in force. Read the current one."))
    return find_text(document, version)


def offers(today: date) -> list[ConsentText]:
    """Return the version in force and those published to follow it; the first one also on a clock that is slow."""
    published = [text for text in CONSENTS if text.published_on <= today]
    in_force = [text for text in published if text.blocks_from <= today]
    return [*(in_force[-1:] or CONSENTS[:1]), *(text for text in published if text.blocks_from > today)]


def consents_due(user: User, today: date | None = None) -> list[ConsentText]:
    """Return the texts that a person has yet to agree to, whether or not they block him today."""
    newest = offers(today or timezone.localdate())[-1:]
    return [] if user.is_staff else [text for text in newest if position(user.consent_version) < position(text.version)]


def is_blocked(user: User, method: str, today: date | None = None) -> bool:
    """Tell whether a request must wait for a consent.

    Without a first consent everything waits; a newer text waits for its own date, and never stops a POST: what was
    typed must not be lost for it.
    """
    if user.is_staff:
        return False
    if not user.consent_version:
        return True
    day = today or timezone.localdate()
    return method != "POST" and any(
        text.blocks_from <= day and position(user.consent_version) < position(text.version) for text in CONSENTS
    )


def position(version: str) -> int:
    """Return where a version stands among all, and -1 for none."""
    return next((index for index, text in enumerate(CONSENTS) if text.version == version), -1)


def find_text(document: str, version: str) -> ConsentText:
    """Return one version of a document. Raises Invalid where there is none."""
    for text in CONSENTS:
        if (text.document, text.version) == (document, version):
            return text
    raise Invalid.at("version", "unknown", _("There is no such version."))


def text_shown(text: ConsentText, language: str | None = None) -> SafeString:
    """Return a text as people read it, in their language."""
    language = language or shown_language()
    with override(language):
        return render_to_string(text.template(language), {"operator": settings.OPERATOR})


def text_hash(text: ConsentText, language: str) -> str:
    """Return the SHA-256 of a text as people read it, in hexadecimal."""
    return sha256(text_shown(text, language).encode()).hexdigest()


def shown_language() -> str:
    """Return the language of the texts that is nearest to that of the page."""
    language = (get_language() or LANGUAGES[0]).split("-")[0]
    return language if language in LANGUAGES else LANGUAGES[0]
