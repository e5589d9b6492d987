"""Who may what with deals, clients and notes: security.md section 4 as a table. Services ask `may`, pages `may_ask`.

Whoever may not see a row never comes here: `visible_to` hides it, and both doors answer 404.
"""

from enum import Enum, auto

from accounts.actor import Actor
from accounts.models import Action
from deals.models import Client, Deal, Note
from lk_site.errors import NotAllowed


class Standing(Enum):
    """What an actor is to a deal, a client or a note."""

    AGENT = auto()  # works it
    HEAD = auto()  # heads the agency it belongs to
    AUTHOR = auto()  # wrote the note
    STAFF = auto()  # runs the platform


WORKERS = frozenset({Standing.AGENT, Standing.HEAD})
MAY: dict[Action, frozenset[Standing]] = {
    Action.DEAL_CHANGED: WORKERS,
    Action.DEAL_MOVED: WORKERS,
    Action.DEAL_MOVE_UNDONE: WORKERS,  # and only by who made the move: see `pipeline.undo_move`
    Action.DEAL_REOPENED: frozenset({Standing.HEAD}),
    Action.DEAL_HANDED_OVER: frozenset({Standing.HEAD}),
    Action.DEAL_TRASHED: WORKERS,
    Action.DEAL_RESTORED: WORKERS,
    Action.NOTE_ADDED: WORKERS,
    Action.NOTE_EDITED: frozenset({Standing.AUTHOR}),
    Action.NOTE_DELETED: frozenset({Standing.AUTHOR}),
    Action.CLIENT_CHANGED: WORKERS,
    Action.CLIENT_TRASHED: WORKERS,
    Action.CLIENT_RESTORED: WORKERS,
    Action.CLIENT_LOOKED_AT: frozenset({Standing.AGENT}),
    Action.CLIENT_REVEALED: WORKERS | {Standing.STAFF},
}


def standings(actor: Actor, obj: Deal | Client | Note) -> frozenset[Standing]:
    """Return everything that the actor is to the object."""
    if actor.is_staff:
        return frozenset({Standing.STAFF})
    if isinstance(obj, Note):
        return frozenset({Standing.AUTHOR}) if obj.is_by(actor) else frozenset()
    found = set()
    if obj.agent_id == actor.user_id:
        found.add(Standing.AGENT)
    if actor.is_head and obj.agency_id == actor.agency_id:
        found.add(Standing.HEAD)
    return frozenset(found)


def may_ask(actor: Actor, action: Action, obj: Deal | Client | Note) -> bool:
    """Tell whether the actor may do this with the object, so that a page draws a button only where it works."""
    return not MAY[action].isdisjoint(standings(actor, obj))


def may(actor: Actor, action: Action, obj: Deal | Client | Note) -> None:
    """Raise NotAllowed unless the actor may do this with the object."""
    if not may_ask(actor, action, obj):
        raise NotAllowed
