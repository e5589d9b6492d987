"""What a person sets about himself: name, language, time zone, theme."""

import zoneinfo
from functools import cache
from typing import TypedDict, Unpack

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, Theme, User
from accounts.services.people import cleaned_name
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.errors import Invalid, NotAllowed


class ProfileChanges(TypedDict, total=False):
    """Fields of the profile that are to change; what is absent stays."""

    name: str
    language: str
    time_zone: str
    theme: str


@unit_of_work
def edit_profile(*, actor: Actor, **changes: Unpack[ProfileChanges]) -> User:
    """Change fields of the actor's own profile; the same values again change nothing.

    Raises NotAllowed for nobody, Invalid for a name, language, time zone or theme that cannot be one.
    """
    if actor.user_id is None:
        raise NotAllowed
    cleaned = cleaned_changes(changes)
    user = User.objects.lock(actor.user_id)
    changed = [name for name, value in cleaned.items() if getattr(user, name) != value]
    if not changed:
        return user
    for name in changed:
        setattr(user, name, cleaned[name])
    user.save_changes(*changed)
    record(actor, Action.PROFILE_CHANGED, user)
    return user


def cleaned_changes(changes: ProfileChanges) -> dict[str, str]:
    """Return the changes as they are stored. Raises Invalid."""
    cleaned: dict[str, str] = {}
    if "name" in changes:
        cleaned["name"] = cleaned_name(changes["name"])
    if "language" in changes:
        cleaned["language"] = known("language", changes["language"], languages())
    if "time_zone" in changes:
        cleaned["time_zone"] = known("time_zone", changes["time_zone"], time_zones())
    if "theme" in changes:
        cleaned["theme"] = known("theme", changes["theme"], frozenset(Theme.values))
    return cleaned


def known(field: str, value: str, choices: frozenset[str]) -> str:
    """Return one of the choices. Raises Invalid for anything else."""
    if value not in choices:
        raise Invalid.at(field, "unknown", _("Choose one of the list."))
    return value


@cache
def languages() -> frozenset[str]:
    """Return the languages of the interface; the empty one means as the browser asks."""
    return frozenset({"", *(code for code, _name in settings.LANGUAGES)})


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all places of the time zone database, without its abbreviations and offsets."""
    return frozenset(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")) | {
        "UTC"
    }
