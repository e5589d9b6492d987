"""The page before a dangerous action: a fresh code from the person's own phone, and back to what he was doing."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.http import require_http_methods

from accounts import cookies
from accounts.actor import ActorRequest
from accounts.forms import AppCodeForm, BackupCodeForm, FreshCodeForm
from accounts.services import passkeys
from accounts.services import step_up as steps
from accounts.services.entry import CodeRefused
from accounts.services.login import OpenChallenge, SentCode
from accounts.views.login import next_page, wants_backup, with_next
from lk_site.errors import wait_sentence
from lk_site.formats import mask_phone


@require_http_methods(["GET", "HEAD", "POST"])
def step_up(request: ActorRequest) -> HttpResponse:
    """Say why a code is needed, have one sent, check it, and lead back."""
    if request.method != "POST":
        return redirect(onward(request)) if steps.is_fresh(request.actor) else step_page(request, form_of(request))
    return sent_page(request) if "send" in request.POST else checked_page(request, form_of(request))


def form_of(request: ActorRequest) -> forms.Form:
    """Return the form of what the person confirms with: the app of who has one, else an SMS."""
    data = request.POST if request.method == "POST" else None
    if not steps.asks_for_totp(request.actor):
        return FreshCodeForm(data)
    return BackupCodeForm(data) if wants_backup(request) else AppCodeForm(data)


def sent_page(request: ActorRequest) -> HttpResponse:
    """Have a code sent, and ask for it; say how long to wait where none may be sent now."""
    if steps.asks_for_totp(request.actor):
        return redirect(with_next("accounts:step_up", request))
    sent = steps.send_code(
        challenge_token=cookies.challenge_of(request), device_cookie=cookies.device_of(request), actor=request.actor
    )
    challenge = steps.open_challenge(challenge_token=sent.challenge_token, actor=request.actor)
    is_limited = sent.told_to_wait or challenge is None
    response = limit_page(request, sent, challenge) if is_limited else redirect(with_next("accounts:step_up", request))
    cookies.set_challenge(response, sent.challenge_token)
    return response


def limit_page(request: ActorRequest, sent: SentCode, challenge: OpenChallenge | None) -> HttpResponse:
    form = FreshCodeForm(data={})
    form.errors.clear()
    form.add_error(None, str(wait_sentence(sent.resend_after_s)))
    return rendered(request, form, challenge, status=422)


def checked_page(request: ActorRequest, form: forms.Form) -> HttpResponse:
    """Confirm the session of who typed the right code; show the form again to anyone else."""
    if not form.is_valid():
        return step_page(request, form, status=422)
    token = cookies.challenge_of(request)
    try:
        opened = steps.verify_code(form.cleaned_data["code"], challenge_token=token, actor=request.actor)
    except CodeRefused as refused:
        form.add_error("code", str(refused))
        return step_page(request, form, status=refused.status)
    response = redirect(onward(request))
    cookies.confirmed(request, opened, response)
    return response


def step_page(request: ActorRequest, form: forms.Form, status: int = 200) -> HttpResponse:
    token = cookies.challenge_of(request)
    return rendered(request, form, steps.open_challenge(challenge_token=token, actor=request.actor), status=status)


def rendered(
    request: ActorRequest, form: forms.Form, challenge: OpenChallenge | None, status: int = 200
) -> HttpResponse:
    """Show the page: it asks for the code once one was sent."""
    context = {
        "form": form,
        "phone_masked": mask_phone(steps.phone_of(request.actor)),
        "by_app": steps.asks_for_totp(request.actor),
        "has_passkeys": bool(passkeys.passkeys_of(request.actor)),
        "with_backup": wants_backup(request),
        "is_sent": challenge is not None,
        "resend_after_s": challenge.resend_after_s if challenge else 0,
        "next": next_page(request),
        "back": onward(request),
    }
    return render(request, "accounts/step_up.html", context, status=status)


def onward(request: ActorRequest) -> str:
    """Return where the person was going."""
    return next_page(request) or resolve_url("accounts:more")
