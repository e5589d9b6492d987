"""Login and protection: the authenticator app of an agent and its back-up codes."""

from typing import Any
from uuid import UUID, uuid4

import segno
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actor import ActorRequest
from accounts.forms import AppCodeForm, FormKeyForm, PasskeyForm
from accounts.key_pages import exactly, when
from accounts.models import AgentTotp, Passkey
from accounts.services import factors, passkeys, step_up
from accounts.services.entry import CodeRefused
from accounts.services.factors import Enrolment, TotpExists
from accounts.services.idempotency import once
from lk_site.flashes import flash

GROUP = 4  # letters of the secret between two spaces, for who types it in


@require_safe
def factor_list(request: ActorRequest) -> HttpResponse:
    """Show what the login asks for, and what can be added to it."""
    found = factors.factors_of(request.actor)
    context = {
        "totp_since": exactly(found.totp.confirmed_at) if found.totp and found.totp.confirmed_at else "",
        "codes_left": found.backup_codes_left,
        "form_key": uuid4(),
        "passkeys": [passkey_row(row) for row in passkeys.passkeys_of(request.actor)],
        "passkey_form": PasskeyForm(),
        "needs_code": not step_up.is_fresh(request.actor),
    }
    return render(request, "accounts/factor_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def totp_create(request: ActorRequest) -> HttpResponse:
    """Show the secret to an app, and switch the app on once it shows a right code."""
    if factors.factors_of(request.actor).totp:
        return redirect("accounts:factor_list")
    begun = factors.pending_totp(actor=request.actor)
    if request.method != "POST" or begun is None:
        return totp_page(request, AppCodeForm(), begun)
    form = AppCodeForm(request.POST)
    if not form.is_valid():
        return totp_page(request, form, begun, status=422)
    try:
        codes = factors.confirm_totp(form.cleaned_data["code"], actor=request.actor)
    except CodeRefused as refused:
        form.add_error("code", _("This is not the code that the app shows now. Check the clock of the phone."))
        return totp_page(request, form, begun, status=refused.status)
    except AgentTotp.DoesNotExist:  # confirmed by another click
        return redirect("accounts:factor_list")
    return codes_page(request, codes)


@require_POST
def totp_begin(request: ActorRequest) -> HttpResponse:
    """Make a secret for an app."""
    try:
        factors.begin_totp(actor=request.actor)
    except TotpExists:
        return redirect("accounts:factor_list")
    return redirect("accounts:totp_create")


@require_POST
def totp_remove(request: ActorRequest) -> HttpResponse:
    """Take the app away; one that is gone is as good."""
    try:
        factors.remove_totp(actor=request.actor)
    except AgentTotp.DoesNotExist:
        return redirect("accounts:factor_list")
    flash(request, _("The app is removed. The code from the SMS logs in alone again."))
    return redirect("accounts:factor_list")


@require_POST
def passkey_remove(request: ActorRequest, passkey_id: UUID) -> HttpResponse:
    """Remove a passkey; one that is gone is as good."""
    try:
        passkeys.remove_passkey(passkey_id, actor=request.actor)
    except Passkey.DoesNotExist:
        return redirect("accounts:factor_list")
    flash(request, _("The passkey is removed. Delete it in the device too, or it will still be offered there."))
    return redirect("accounts:factor_list")


@require_POST
def backup_codes_renew(request: ActorRequest) -> HttpResponse:
    """Make new back-up codes, once for however many clicks, and show them in this answer alone."""
    form, made = FormKeyForm(request.POST), list[str]()
    if not form.is_valid():
        return redirect("accounts:factor_list")

    def effect() -> tuple[str, UUID | None]:
        made.extend(factors.renew_backup_codes(actor=request.actor))
        return reverse("accounts:factor_list"), None

    try:
        once("form backup_codes_renew", str(form.cleaned_data["form_key"]), b"", actor=request.actor, effect=effect)
    except AgentTotp.DoesNotExist:
        return redirect("accounts:factor_list")
    if made:
        return codes_page(request, made)
    flash(request, _("The codes were shown once and are kept nowhere. If they were not copied, make new ones."))
    return redirect("accounts:factor_list")


def totp_page(request: ActorRequest, form: AppCodeForm, begun: Enrolment | None, status: int = 200) -> HttpResponse:
    form.fields["code"].widget.attrs["autofocus"] = False  # a keyboard would hide the QR code
    shown = {"qr": drawn(begun.url), "secret": spaced(begun.secret), "url": begun.url} if begun else {}
    context = {"form": form, **shown}
    return render(request, "accounts/totp_create.html", context, status=status)


def codes_page(request: ActorRequest, codes: list[str]) -> HttpResponse:
    return render(request, "accounts/backup_codes.html", {"codes": codes})


def passkey_row(row: Passkey) -> dict[str, Any]:
    return {"id": row.pk, "name": passkeys.shown_name(row), "used": when(row.used_at) if row.used_at else ""}


def drawn(url: str) -> str:
    """Return a QR code as the address of an image: dark on white in both themes, or no camera reads it."""
    code: str = segno.make(url, error="m").svg_data_uri(scale=4, border=4, light="#fff")
    return code


def spaced(secret: str) -> str:
    return " ".join(secret[start : start + GROUP] for start in range(0, len(secret), GROUP))
