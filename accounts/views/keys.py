"""The keys of programs, for the head of the agency: made, shown once, looked after, ended."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actor import ActorRequest
from accounts.kept_middleware import kept_initial
from accounts.key_forms import KeyForm, LifetimeForm, NewKeyForm
from accounts.key_pages import deed_rows, exactly, key_card, key_rows
from accounts.models import ApiKey
from accounts.services import keys, step_up
from accounts.services.idempotency import FormAlreadyUsed, once, text_of_form
from accounts.services.keys import NEWEST_FIRST, OVERLAP, ShownKey, TooManyKeys
from lk_site.errors import Invalid
from lk_site.flashes import flash
from lk_site.form_fields import show_refusal
from lk_site.form_keys import NOT_TEXT, with_new_key
from lk_site.links import link

DEEDS = 30


@require_safe
def key_list(request: ActorRequest) -> HttpResponse:
    """Show the keys of the agency, those that have ended folded away."""
    rows = key_rows(keys.keys_of(request.actor))
    live, ended = [row for row in rows if row["is_live"]], [row for row in rows if not row["is_live"]]
    return render(request, "accounts/key_list.html", {"live": live, "ended": ended})


@require_http_methods(["GET", "HEAD", "POST"])
def key_create(request: ActorRequest) -> HttpResponse:
    """Make a key, once for however many clicks, and show its token this once."""
    keys.must_manage(request.actor)
    if request.method != "POST":
        return form_page(request, NewKeyForm(initial={"form_key": uuid4(), **kept_of(request)}))
    form = NewKeyForm(request.POST)
    if not form.is_valid():
        return form_page(request, form, status=422)
    make = partial(keys.make_key, **form.said(), actor=request.actor)
    try:
        return shown_once(request, "form key_create", form.cleaned_data["form_key"], make)
    except FormAlreadyUsed:
        return form_page(request, NewKeyForm(with_new_key(request.POST)), status=409, was_used=True)
    except (Invalid, TooManyKeys) as refused:
        show_refusal(form, refused)
        return form_page(request, form, status=refused.status)


@require_safe
def key_detail(request: ActorRequest, key_id: UUID) -> HttpResponse:
    """Show a key, and what was done with it."""
    key = keys.seen_key(key_id, actor=request.actor)
    rows = list(NEWEST_FIRST.after(keys.deeds_of(key), NEWEST_FIRST.position_of_page(request))[: DEEDS + 1])
    deeds = rows[:DEEDS]
    last = (deeds[-1].at, deeds[-1].pk) if len(rows) > DEEDS else None
    context = {
        "key": key_card(key),
        "deeds": deed_rows(deeds, request),
        "next_url": f"?cursor={NEWEST_FIRST.cursor(request, last, ())}#deeds" if last else "",
        "first_url": f"{request.path}#deeds" if request.GET.get("cursor") else "",
    }
    return render(request, "accounts/key_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def key_edit(request: ActorRequest, key_id: UUID) -> HttpResponse:
    """Change what a key is for, what it may do, and from where."""
    key = keys.seen_key(key_id, actor=request.actor)
    if request.method != "POST":
        initial = KeyForm.initial_of(key) | kept_of(request)
        return form_page(request, KeyForm(initial=initial), key) if is_live(key) else to_key(key_id)
    form = KeyForm(request.POST)
    if not form.is_valid():
        return form_page(request, form, key, status=422)
    try:
        keys.edit_key(key_id, **form.said(), actor=request.actor)
    except Invalid as refused:
        show_refusal(form, refused)
        return form_page(request, form, key, status=refused.status)
    flash(request, _("Saved."))
    return to_key(key_id)


@require_http_methods(["GET", "HEAD", "POST"])
def key_rotate(request: ActorRequest, key_id: UUID) -> HttpResponse:
    """Give a key a new secret, and show it this once; the one before works for a day more."""
    key = keys.seen_key(key_id, actor=request.actor)
    if request.method != "POST":
        form = LifetimeForm(initial={"form_key": uuid4(), **kept_initial(request)})
        return rotate_page(request, form, key) if is_live(key) else to_key(key_id)
    form = LifetimeForm(request.POST)
    if not form.is_valid():
        return rotate_page(request, form, key, status=422)
    rotate = partial(keys.rotate_key, key_id, actor=request.actor, days=form.cleaned_data["days"])
    form_key = form.cleaned_data["form_key"] or uuid4()
    try:
        return shown_once(request, f"form key_rotate {key_id}", form_key, rotate)
    except FormAlreadyUsed:
        return rotate_page(request, LifetimeForm(with_new_key(request.POST)), key, status=409, was_used=True)


@require_POST
def key_revoke(request: ActorRequest, key_id: UUID) -> HttpResponse:
    """End a key at once."""
    keys.revoke_key(key_id, actor=request.actor)
    flash(request, _("The key has ended. Programs that ask with it are refused from now on."))
    return redirect("accounts:key_list")


# --- the token, once


def shown_once(request: ActorRequest, scope: str, form_key: UUID, make: Callable[[], ShownKey]) -> HttpResponse:
    """Make a token and show it in this answer alone: it stands in no address, no session, and no kept answer.

    A repeat of the form makes no other one, and leads to the key, which says so. Raises FormAlreadyUsed.
    """
    made: list[ShownKey] = []

    def effect() -> tuple[str, UUID]:
        made.append(make())
        return link("accounts:key_detail", made[0].key.pk), made[0].key.pk

    text = text_of_form(dict(request.POST.lists()), NOT_TEXT)
    target = once(scope, str(form_key), text, actor=request.actor, effect=effect)
    if made:
        return token_page(request, made[0])
    flash(request, _("The key was shown once and is kept nowhere. If it was not copied, give it a new secret."))
    return redirect(target)


def token_page(request: ActorRequest, shown: ShownKey) -> HttpResponse:
    older = [secret.ends_at for secret in shown.key.secrets.all() if secret.ends_at]
    context = {
        "token": shown.token,
        "key": {"id": shown.key.pk, "name": shown.key.name, "until": exactly(shown.key.expires_at)},
        "older_until": exactly(max(older)) if older else "",
    }
    return render(request, "accounts/key_token.html", context)


# --- forms


def form_page(
    request: ActorRequest, form: KeyForm, key: ApiKey | None = None, *, status: int = 200, was_used: bool = False
) -> HttpResponse:
    named = {"id": key.pk, "name": key.name} if key else None
    context = {"form": form, "key": named, "was_used": was_used, "needs_code": not step_up.is_fresh(request.actor)}
    return render(request, "accounts/key_form.html", context, status=status)


def rotate_page(
    request: ActorRequest, form: LifetimeForm, key: ApiKey, *, status: int = 200, was_used: bool = False
) -> HttpResponse:
    context = {
        "form": form,
        "key": {"id": key.pk, "name": key.name},
        "hours": int(OVERLAP.total_seconds() // 3600),
        "was_used": was_used,
        "needs_code": not step_up.is_fresh(request.actor),
    }
    return render(request, "accounts/key_rotate.html", context, status=status)


def kept_of(request: ActorRequest) -> dict[str, Any]:
    """Return what was typed into a form of a key and could not be sent; boxes that were left empty stay so."""
    kept = kept_initial(request)
    return {"scopes": [], **kept} if kept else {}


def is_live(key: ApiKey) -> bool:
    return key.is_live(timezone.now())


def to_key(key_id: UUID) -> HttpResponse:
    return redirect("accounts:key_detail", key_id)
