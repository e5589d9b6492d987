"""Webhooks, for the head of the agency: added, looked after, and what came of each delivery."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actor import ActorRequest
from accounts.kept_middleware import kept_initial
from accounts.models import WebhookEndpoint, WebhookState
from accounts.services import webhooks
from accounts.services.idempotency import FormAlreadyUsed, once, text_of_form
from accounts.services.webhooks import NEWEST_FIRST, EndpointOff, RangeTooWide, TooManyEndpoints
from accounts.webhook_forms import ReplayForm, RotationForm, SeenWebhookForm, WebhookForm
from accounts.webhook_pages import delivery_card, delivery_row, name_of, warning_of, webhook_card, webhook_rows
from lk_site.errors import DomainError, Invalid, Stale, VersionRequired
from lk_site.flashes import flash
from lk_site.form_fields import show_refusal
from lk_site.form_keys import NOT_TEXT, with_new_key
from lk_site.forms import show_conflict
from lk_site.links import link

DELIVERIES = 30


@require_safe
def webhook_list(request: ActorRequest) -> HttpResponse:
    """Show the webhooks of the agency, and first those that LK has switched off."""
    found = list(webhooks.endpoints_of(request.actor))
    warnings = [warning for endpoint in found if (warning := warning_of(endpoint))]
    return render(request, "accounts/webhook_list.html", {"rows": webhook_rows(found), "warnings": warnings})


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_create(request: ActorRequest) -> HttpResponse:
    """Add a webhook, once for however many clicks, and show its secret this once."""
    webhooks.must_manage(request.actor)
    if request.method != "POST":
        return form_page(request, WebhookForm(initial={"form_key": uuid4(), **kept_initial(request)}))
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return form_page(request, form, status=422)
    add = partial(webhooks.add_endpoint, **form.said(), actor=request.actor)
    try:
        return shown_once(request, "form webhook_create", form.cleaned_data["form_key"] or uuid4(), add)
    except FormAlreadyUsed:
        return form_page(request, WebhookForm(with_new_key(request.POST)), status=409, was_used=True)
    except (Invalid, TooManyEndpoints) as refused:
        show_refusal(form, refused)
        return form_page(request, form, status=refused.status)


@require_safe
def webhook_detail(request: ActorRequest, webhook_id: UUID) -> HttpResponse:
    """Show a webhook and its deliveries; `?state=` leaves those of one state."""
    endpoint = seen(request, webhook_id)
    state = request.GET.get("state", "")
    rows = webhooks.deliveries_of(webhook_id, actor=request.actor)
    rows = rows.filter(state=state) if state in WebhookState.values else rows
    after = NEWEST_FIRST.position_of_page(request, ("state",))
    found = list(NEWEST_FIRST.after(rows, after)[: DELIVERIES + 1])
    last = found[DELIVERIES - 1].pk if len(found) > DELIVERIES else None
    of_state = f"state={state}&" if state in WebhookState.values else ""
    context = {
        "webhook": webhook_card(endpoint),
        "deliveries": [delivery_row(delivery) for delivery in found[:DELIVERIES]],
        "states": state_links(request, state),
        "next_url": f"?{of_state}cursor={NEWEST_FIRST.cursor(request, (last,), ('state',))}#deliveries" if last else "",
        "first_url": f"{request.path}?{of_state}#deliveries" if request.GET.get("cursor") else "",
    }
    return render(request, "accounts/webhook_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_edit(request: ActorRequest, webhook_id: UUID) -> HttpResponse:
    """Change where and what is sent."""
    endpoint = seen(request, webhook_id)
    if request.method != "POST":
        initial = WebhookForm.initial_of(endpoint) | kept_initial(request)
        return form_page(request, WebhookForm(initial=initial), endpoint)
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return form_page(request, form, endpoint, status=422)
    version = form.cleaned_data["version"]
    try:
        webhooks.edit_endpoint(webhook_id, actor=request.actor, version=version, **form.said())
    except Invalid as refused:
        show_refusal(form, refused)
        return form_page(request, form, endpoint, status=refused.status)
    except (Stale, VersionRequired) as refused:
        return conflict_page(request, webhook_id, refused)
    flash(request, _("Saved."))
    return to_webhook(webhook_id)


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_rotate(request: ActorRequest, webhook_id: UUID) -> HttpResponse:
    """Give a webhook a new secret, and show it this once; the one before signs beside it for a day."""
    endpoint = seen(request, webhook_id)
    form = RotationForm(request.POST)
    if request.method != "POST" or not form.is_valid():
        context = {"webhook": webhook_card(endpoint), "form": RotationForm(initial={"form_key": uuid4()})}
        return render(request, "accounts/webhook_rotate.html", context, status=200 if request.method != "POST" else 422)
    rotate = partial(webhooks.rotate_secret, webhook_id, actor=request.actor)
    return shown_once(request, f"form webhook_rotate {webhook_id}", form.cleaned_data["form_key"], rotate)


@require_POST
def webhook_switch_on(request: ActorRequest, webhook_id: UUID) -> HttpResponse:
    """Send again."""
    webhooks.switch_on(webhook_id, actor=request.actor)
    flash(request, _("It is on. What has not arrived is being sent."))
    return to_webhook(webhook_id)


@require_POST
def webhook_switch_off(request: ActorRequest, webhook_id: UUID) -> HttpResponse:
    """Stop sending."""
    webhooks.switch_off(webhook_id, actor=request.actor)
    flash(request, _("It is off. What happens meanwhile is sent when you switch it on, back to 30 days."))
    return to_webhook(webhook_id)


@require_POST
def webhook_test(request: ActorRequest, webhook_id: UUID) -> HttpResponse:
    """Send a test event, and show what comes of it."""
    delivery = webhooks.send_test(webhook_id, actor=request.actor)
    flash(request, _("The test event is on its way. Reload the page to see the answer."))
    return redirect("accounts:webhook_delivery", webhook_id, delivery.pk)


@require_POST
def webhook_remove(request: ActorRequest, webhook_id: UUID) -> HttpResponse:
    """Remove a webhook for good."""
    form = SeenWebhookForm(request.POST)
    version = form.cleaned_data["version"] if form.is_valid() else None
    webhooks.remove_endpoint(webhook_id, actor=request.actor, version=version)
    flash(request, _("The webhook is removed. Nothing more is sent to it."))
    return redirect("accounts:webhook_list")


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_replay(request: ActorRequest, webhook_id: UUID) -> HttpResponse:
    """Send everything again that happened from one time to another."""
    endpoint = seen(request, webhook_id)
    if request.method != "POST":
        last_day = {"since": timezone.now() - timedelta(days=1), "until": timezone.now()}
        return replay_page(request, ReplayForm(initial=last_day | kept_initial(request)), endpoint)
    form = ReplayForm(request.POST)
    if not form.is_valid():
        return replay_page(request, form, endpoint, status=422)
    try:
        count = webhooks.replay_range(webhook_id, actor=request.actor, **form.cleaned_data)
    except (Invalid, EndpointOff, RangeTooWide) as refused:
        show_refusal(form, refused)
        return replay_page(request, form, endpoint, status=refused.status)
    flash(request, ngettext("%d delivery is sent again.", "%d deliveries are sent again.", count) % count)
    return to_webhook(webhook_id)


@require_safe
def webhook_delivery(request: ActorRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    """Show a delivery with what was sent and what was answered."""
    endpoint = seen(request, webhook_id)
    delivery = webhooks.deliveries_of(webhook_id, actor=request.actor).get(pk=delivery_id)
    card = delivery_card(delivery, webhooks.tries_of(delivery))
    return render(request, "accounts/webhook_delivery.html", {"webhook": webhook_card(endpoint), "delivery": card})


@require_POST
def webhook_delivery_replay(request: ActorRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    """Send a delivery again."""
    webhooks.replay_delivery(webhook_id, delivery_id, actor=request.actor)
    flash(request, _("It is sent again, under the same id. Reload the page to see the answer."))
    return redirect("accounts:webhook_delivery", webhook_id, delivery_id)


# --- the secret, once


def shown_once(request: ActorRequest, scope: str, form_key: UUID, make: Callable[[], WebhookEndpoint]) -> HttpResponse:
    """Make a secret and show it in this answer alone; a repeat of the form makes no other. Raises FormAlreadyUsed."""
    made: list[WebhookEndpoint] = []

    def effect() -> tuple[str, UUID]:
        made.append(make())
        return link("accounts:webhook_detail", made[0].pk), made[0].pk

    text = text_of_form(dict(request.POST.lists()), NOT_TEXT)
    target = once(scope, str(form_key), text, actor=request.actor, effect=effect)
    if made:
        context = {"webhook": webhook_card(made[0]), "secret": made[0].secret}
        return render(request, "accounts/webhook_secret.html", context)
    flash(request, _("The secret was shown once. If it was not copied, make a new one."))
    return redirect(target)


# --- pages


def seen(request: ActorRequest, webhook_id: UUID) -> WebhookEndpoint:
    """Return a webhook that the actor sees. Raises WebhookEndpoint.DoesNotExist."""
    return WebhookEndpoint.objects.visible_to(request.actor).get(pk=webhook_id)


def form_page(
    request: ActorRequest,
    form: WebhookForm,
    endpoint: WebhookEndpoint | None = None,
    *,
    status: int = 200,
    was_used: bool = False,
    stale: str = "",
) -> HttpResponse:
    named = {"id": endpoint.pk, "name": name_of(endpoint)} if endpoint else None
    used = _("A webhook was added with this form already. Send it again to add another one.") if was_used else ""
    context = {"form": form, "webhook": named, "stale": stale or used}
    return render(request, "accounts/webhook_form.html", context, status=status)


def conflict_page(request: ActorRequest, webhook_id: UUID, refused: DomainError) -> HttpResponse:
    """Show what was typed, of the present version, beside what somebody else has saved meanwhile."""
    endpoint = seen(request, webhook_id)
    data = request.POST.copy()
    data["version"] = str(endpoint.version)
    form = WebhookForm(data)
    form.is_valid()
    for name in ("url", "description"):
        if form.cleaned_data[name] != (now := getattr(endpoint, name)):
            show_conflict(form, name, theirs=now, value=now)
    return form_page(request, form, endpoint, status=refused.status, stale=str(refused))


def replay_page(
    request: ActorRequest, form: ReplayForm, endpoint: WebhookEndpoint, *, status: int = 200
) -> HttpResponse:
    context = {"form": form, "webhook": webhook_card(endpoint)}
    return render(request, "accounts/webhook_replay.html", context, status=status)


def state_links(request: ActorRequest, chosen: str) -> list[dict[str, Any]]:
    """Return the ways to the deliveries of each state, and to all."""
    states = [("", _("all")), *WebhookState.choices]
    return [
        {
            "url": f"{request.path}?state={value}#deliveries" if value else f"{request.path}#deliveries",
            "words": label,
            "is_chosen": value == (chosen if chosen in WebhookState.values else ""),
        }
        for value, label in states
    ]


def to_webhook(webhook_id: UUID) -> HttpResponse:
    return redirect("accounts:webhook_detail", webhook_id)
