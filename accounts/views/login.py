"""Login by phone and code, and the way out. Pages work without JavaScript; nothing personal stands in an address."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import cookies
from accounts.actor import ActorRequest
from accounts.forms import AppCodeForm, BackupCodeForm, CodeForm, PhoneForm
from accounts.models import User
from accounts.services import login as logins
from accounts.services import second_factor
from accounts.services.entry import CodeRefused
from accounts.services.login import OpenChallenge, SentCode
from accounts.services.second_factor import SecondFactorRequired
from lk_site.errors import wait_sentence
from lk_site.formats import phone_text

NEXT_AT_MOST = 500


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: ActorRequest) -> HttpResponse:
    """Ask for the phone, and have a code sent."""
    if request.actor.is_signed_in and request.method != "POST":
        return redirect(next_page(request) or settings.LOGIN_REDIRECT_URL)
    form = PhoneForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        onward = next_page(request)
        context = {"form": form, "next": onward, "onward": onward or resolve_url(settings.LOGIN_REDIRECT_URL)}
        return render(request, "accounts/login.html", context, status=status)
    return sent_page(request, form.cleaned_data["phone"])


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def login_code(request: ActorRequest) -> HttpResponse:
    """Ask for the code of the challenge that this browser has, check it, or have another one sent."""
    challenge = logins.open_challenge(cookies.challenge_of(request))
    if challenge is None:
        return redirect(with_next("accounts:login", request))
    if request.method != "POST":
        return code_page(request, CodeForm(), challenge)
    if "resend" in request.POST:
        return sent_page(request, challenge.phone)
    return checked_page(request, CodeForm(request.POST), challenge)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def login_second(request: ActorRequest) -> HttpResponse:
    """Ask for the code of the app, or a back-up code, of the login that this browser has begun, and check it."""
    token = cookies.challenge_of(request)
    if not second_factor.is_pending(token):
        return redirect(with_next("accounts:login", request))
    kind = BackupCodeForm if wants_backup(request) else AppCodeForm
    form = kind(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return second_page(request, form, status=422 if form.is_bound else 200)
    browser = request.headers.get("User-Agent", "")
    try:
        logged_in = second_factor.verify_code(
            form.cleaned_data["code"], token=token, browser=browser, actor=request.actor
        )
    except CodeRefused as refused:
        form.add_error("code", _("This code does not open. Wait for the next one in the app, and type that."))
        return second_page(request, form, status=refused.status)
    response = redirect(first_page(request, logged_in.user))
    cookies.let_in(request, response, logged_in)
    return response


@require_POST
@login_not_required
def logout(request: ActorRequest) -> HttpResponse:
    """End this browser's session, and let it forget what it has seen."""
    response = redirect("accounts:login")
    cookies.let_out(request, response)
    return response


def sent_page(request: ActorRequest, phone: str) -> HttpResponse:
    """Have a code sent and go on to the page that asks for it; a browser we know is told when its limit is reached."""
    sent = logins.send_code(
        phone,
        challenge_token=cookies.challenge_of(request),
        device_cookie=cookies.device_of(request),
        actor=request.actor,
    )
    response: HttpResponse = limit_page(request, phone, sent) if sent.told_to_wait else to_code(request)
    cookies.set_challenge(response, sent.challenge_token)
    return response


def to_code(request: HttpRequest) -> HttpResponse:
    return redirect(with_next("accounts:login_code", request))


def limit_page(request: ActorRequest, phone: str, sent: SentCode) -> HttpResponse:
    form = CodeForm(data={})
    form.errors.clear()
    form.add_error(None, str(wait_sentence(sent.resend_after_s)))
    return code_page(request, form, OpenChallenge(phone, sent.resend_after_s), status=422)


def checked_page(request: ActorRequest, form: CodeForm, challenge: OpenChallenge) -> HttpResponse:
    """Let in who typed the right code; show the form again to anyone else."""
    if not form.is_valid():
        return code_page(request, form, challenge, status=422)
    try:
        logged_in = logins.verify_code(
            challenge.phone,
            form.cleaned_data["code"],
            challenge_token=cookies.challenge_of(request),
            own_device=form.cleaned_data["own_device"],
            browser=request.headers.get("User-Agent", ""),
            actor=request.actor,
        )
    except CodeRefused as refused:
        form.add_error("code", str(refused))
        return code_page(request, form, challenge, status=refused.status)
    except SecondFactorRequired as more:
        response = redirect(with_next("accounts:login_second", request))
        cookies.set_challenge(response, more.token)
        return response
    response = redirect(first_page(request, logged_in.user))
    cookies.let_in(request, response, logged_in)
    return response


def code_page(request: HttpRequest, form: CodeForm, challenge: OpenChallenge, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "phone": phone_text(challenge.phone),
        "resend_after_s": challenge.resend_after_s,
        "next": next_page(request),
    }
    return render(request, "accounts/login_code.html", context, status=status)


def second_page(request: HttpRequest, form: AppCodeForm | BackupCodeForm, status: int = 200) -> HttpResponse:
    context = {"form": form, "with_backup": wants_backup(request), "next": next_page(request)}
    return render(request, "accounts/login_second.html", context, status=status)


def wants_backup(request: HttpRequest) -> bool:
    return (request.POST.get("with") or request.GET.get("with")) == "backup"


def first_page(request: HttpRequest, user: User) -> str:
    """Return where a login leads: to name and consent the first time, else to where the person was going."""
    if not user.consent_version:
        return with_next("accounts:welcome", request)
    return next_page(request) or resolve_url(settings.LOGIN_REDIRECT_URL)


def with_next(view: str, request: HttpRequest) -> str:
    wanted = next_page(request)
    return f"{reverse(view)}?{urlencode({'next': wanted})}" if wanted else reverse(view)


def next_page(request: HttpRequest) -> str:
    """Return the page of this site that the person was going to, or nothing."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours and len(wanted) <= NEXT_AT_MOST else ""
