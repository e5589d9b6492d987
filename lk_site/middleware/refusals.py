"""What a page answers when a rule refuses and its view has no form to show that in."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from accounts.actor import ActorRequest
from accounts.kept_middleware import keep_unsent
from accounts.services.step_up import FreshCodeRequired
from lk_site import addresses
from lk_site.errors import DomainError
from lk_site.middleware.gates import is_fragment
from lk_site.problems import error_page, is_api, refusal

OWN_PAGES = (403, 429)


class PageRefusals:
    """Shows refusals of rules on pages: a page of their own, or a message on the page that the button stands on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: ActorRequest, error: Exception) -> HttpResponse | None:
        if is_api(request):
            return None
        if isinstance(error, ObjectDoesNotExist):
            return refusal(request, "not_found")
        if isinstance(error, FreshCodeRequired):
            return to_step_up(request)
        return refused_page(request, error) if isinstance(error, DomainError) else None


def to_step_up(request: ActorRequest) -> HttpResponse:
    """Lead to the page of the code, and from there back to the form: filled, not sent."""
    step_up = f"{reverse('accounts:step_up')}?{urlencode({'next': page_to_return_to(request)})}"
    response: HttpResponse = redirect(step_up)
    if is_fragment(request):
        response = HttpResponse(status=FreshCodeRequired.status, headers={"HX-Redirect": step_up})
    if request.method == "POST":
        keep_unsent(request, response)
    return response


def page_to_return_to(request: HttpRequest) -> str:
    """Return the page that the form stood on: the one it was posted to, where the browser does not tell."""
    page = addresses.page_before(request)
    if page is None or (request.method != "POST" and not is_fragment(request)):
        return request.get_full_path()
    return f"{page.path}?{page.query}" if page.query else page.path


def refused_page(request: HttpRequest, refused: DomainError) -> HttpResponse:
    """Return the answer to a refusal; nothing was stored, and the page with the button is shown again."""
    sentence = str(refused.errors[0].message if refused.errors else refused.detail)
    page = addresses.page_before(request)
    if refused.status in OWN_PAGES or request.method != "POST" or page is None:
        response = error_page(request, refused.status, sentence)
        wait: int | None = getattr(refused, "retry_after", None)
        if wait is not None:
            response["Retry-After"] = str(wait)
        return response
    messages.error(request, sentence)
    return redirect(f"{page.path}?{page.query}" if page.query else page.path)
