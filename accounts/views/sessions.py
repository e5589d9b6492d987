"""The devices where a person is logged in, and how to end them."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import browsers
from accounts.actor import ActorRequest
from accounts.models import Session
from accounts.services import sessions
from lk_site.flashes import flash
from lk_site.formats import when_text


@require_safe
def session_list(request: ActorRequest) -> HttpResponse:
    """Show where the person is logged in."""
    devices = [shown(row, request) for row in sessions.devices_of(request.actor)]
    return render(request, "accounts/session_list.html", {"sessions": devices})


@require_POST
def session_end(request: ActorRequest, session_id: UUID) -> HttpResponse:
    """End one session; an ended one is as good."""
    try:
        sessions.end_session(session_id, actor=request.actor)
    except Session.DoesNotExist:
        return redirect("accounts:session_list")
    flash(request, _("The session has ended."))
    return redirect("accounts:session_list")


@require_POST
def session_end_others(request: ActorRequest) -> HttpResponse:
    """End all sessions but this one."""
    count = sessions.end_other_sessions(actor=request.actor)
    flash(request, ngettext("%d session has ended.", "%d sessions have ended.", count) % count)
    return redirect("accounts:session_list")


def shown(row: Session, request: ActorRequest) -> dict[str, Any]:
    """Return a session as the page writes it."""
    language, now, zone = get_language() or "ru", timezone.now(), timezone.get_current_timezone()
    return {
        "id": row.pk,
        "is_current": row.pk == request.actor.session_id,
        "is_phone": browsers.is_phone(row.browser),
        "name": browsers.name_of(row.browser),
        "place": row.address or "",
        "seen_text": when_text(row.seen_at, now, zone, language),
        "opened_text": when_text(row.created_at, now, zone, language),
    }
