"""What a person sets about himself, and the page of everything that is not a deal or a client."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_http_methods, require_safe

from accounts import cookies
from accounts.actor import ActorRequest
from accounts.kept_middleware import kept_initial
from accounts.models import User
from accounts.profile_forms import ProfileForm
from accounts.services import profile, sessions, webhooks
from lk_site.flashes import flash
from lk_site.formats import mask_phone

FIELDS = ("name", "language", "time_zone", "theme")


@require_http_methods(["GET", "HEAD", "POST"])
def profile_edit(request: ActorRequest) -> HttpResponse:
    """Show and change name, language, time zone and theme."""
    user = person(request)
    if request.method != "POST":
        initial = {name: getattr(user, name) for name in FIELDS} | kept_initial(request)
        return profile_page(request, ProfileForm(initial=initial), user)
    form = ProfileForm(request.POST)
    if not form.is_valid():
        return profile_page(request, form, user, status=422)
    saved = profile.edit_profile(actor=request.actor, **form.cleaned_data)
    response = redirect("accounts:profile_edit")
    cookies.set_language(response, saved.language)
    with override(saved.language or request.LANGUAGE_CODE):
        flash(request, _("Saved."))
    return response


@require_safe
def more(request: ActorRequest) -> HttpResponse:
    """Show the way to everything else."""
    user = person(request)
    context = {
        "agent_name": user.name or "",
        "phone_masked": mask_phone(user.phone or ""),
        "agency_name": user.agency.name if user.agency else "",
        "device_count": len(sessions.devices_of(request.actor)),
        "stopped_webhooks": webhooks.stopped_count(request.actor),
        "theme": user.theme,
    }
    return render(request, "accounts/more.html", context)


def profile_page(request: ActorRequest, form: ProfileForm, user: User, status: int = 200) -> HttpResponse:
    context = {"form": form, "phone_masked": mask_phone(user.phone or "")}
    return render(request, "accounts/profile_edit.html", context, status=status)


def person(request: ActorRequest) -> User:
    """Return who is signed in; the gate before the views lets nobody else in."""
    assert request.actor.user is not None
    return request.actor.user
