"""Pages that say no."""

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, ResolverMatch, resolve
from django.views.decorators.csrf import requires_csrf_token

from accounts.actor import ActorRequest
from accounts.kept_middleware import is_for_a_person, is_from_our_page, keep_unsent, page_of_form, typed_values
from accounts.services import consents
from accounts.services.kept_forms import Values
from lk_site import addresses
from lk_site.errors import DomainError
from lk_site.middleware.gates import is_fragment
from lk_site.problems import refusal


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", status=403)


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that nothing is here, in the same words for what is absent and what belongs to others."""
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Say that something broke. The page asks nothing of what may be broken."""
    return render(None, "500.html", status=500)


def csrf_failure(request: ActorRequest, reason: str = "") -> HttpResponseBase:
    """Answer a form with an old token: shown again, filled, with a fresh token and not sent, to who is signed in."""
    return shown_again(request) or refusal(request, "csrf_failed")


def shown_again(request: ActorRequest) -> HttpResponseBase | None:
    """Return the page of a form with what was typed; None where nothing was, or no page of ours shows it."""
    user = request.actor.user
    if user is None or not is_for_a_person(request) or not is_from_our_page(request):
        return None
    values = typed_values(request)
    if not values or consents.is_blocked(user, "GET"):
        return None
    return sent_to_page(request) if is_fragment(request) else page_with(request, values)


def sent_to_page(request: ActorRequest) -> HttpResponse:
    """Keep the form and send the browser to its page: a page does not fit into a fragment."""
    response = HttpResponse(status=403, headers={"HX-Redirect": page_of_form(request)})
    keep_unsent(request, response)
    return response


def page_with(request: ActorRequest, values: Values) -> HttpResponseBase | None:
    """Return the page that the form stood on, as if it had been asked for, with what was typed, and as a refusal."""
    action, page, before = request.path, page_of_form(request), addresses.page_before(request)
    try:
        match = resolve(page)
    except Resolver404:
        return None
    request.kept_forms = {action: values}
    request.method, request.path, request.path_info, request.resolver_match = "GET", page, page, match
    request.GET = QueryDict(before.query if before else "")
    request.POST = QueryDict()
    response = shown_page(request, match) if is_for_a_person(request) else None
    if response is None or response.status_code != HttpResponse.status_code:
        return None
    response.status_code = 403
    return response


def shown_page(request: ActorRequest, match: ResolverMatch) -> HttpResponseBase | None:
    """Return what a page answers, None where it refuses: what it shows is gone, or given to another agent."""
    try:
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    except (DomainError, Http404, ObjectDoesNotExist):
        return None
    return response
