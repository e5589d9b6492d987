"""Language and theme, chosen with one button on any page."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts import cookies
from accounts.actor import ActorRequest
from accounts.services import profile
from accounts.views.login import next_page
from lk_site.errors import Invalid


@require_POST
@login_not_required
def language_set(request: ActorRequest) -> HttpResponse:
    """Speak another language from now on: to a person wherever he logs in, to anybody else in this browser."""
    language = request.POST.get("language", "")
    response = redirect(next_page(request) or "/")
    if language not in dict(settings.LANGUAGES):
        return response
    if request.actor.is_signed_in:
        profile.edit_profile(actor=request.actor, language=language)
    cookies.set_language(response, language)
    return response


@require_POST
def theme_set(request: ActorRequest) -> HttpResponse:
    """Choose light, dark, or what the device has; anything else changes nothing."""
    response = redirect(next_page(request) or "accounts:more")
    try:
        profile.edit_profile(actor=request.actor, theme=request.POST.get("theme", ""))
    except Invalid:
        return response
    return response
