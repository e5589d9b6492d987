"""An API of a few operations and a page or two, mounted in tests only, with people who are signed in by a header."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from ninja import Field, Query, Router, Schema, Status

from accounts.actor import Actor, ActorRequest
from accounts.api.idempotent import idempotent
from accounts.models import Agency, User
from lk_site.api import new_api
from lk_site.cursors import Keyset
from lk_site.errors import Clash, Invalid, LimitReached, NotAllowed, Stale, VersionRequired
from lk_site.etags import etagged, if_match
from lk_site.operations import counts_as_search, public, refuses
from lk_site.schemas import Line, MoneyIn, StrictSchema

OLDEST = Keyset(("created_at", datetime.fromisoformat), ("id", UUID))


class PersonOut(Schema):
    id: UUID
    version: int


class NameIn(StrictSchema):
    name: Annotated[str, Line(20, least=1)]
    price: MoneyIn | None = None
    tags: list[str] = []


class Filters(Schema):
    q: str | None = None
    role: list[str] = []
    limit: int = Field(20, ge=1, le=100)
    cursor: str | None = None


class AgencyPage(Schema):
    items: list[dict[str, str]]
    next_cursor: str | None


router = Router(tags=["small"])


@router.get("/agencies/", response=AgencyPage)
@counts_as_search("q")
def list_agencies(request: HttpRequest, filters: Query[Filters]) -> HttpResponse:
    """List agencies, oldest first."""
    position = OLDEST.position(request, filters.cursor)
    rows = OLDEST.after(Agency.objects.all(), position).values_list("id", "name", "created_at")[: filters.limit + 1]
    return OLDEST.answer(
        request, rows, filters.limit, show=lambda row: {"id": row[0], "name": row[1]}, key=lambda row: (row[2], row[0])
    )


@router.get("/people/{uuid:user_id}", response=PersonOut)
@etagged
def get_person(request: ActorRequest, user_id: UUID) -> User:
    return User.objects.visible_to(request.actor).get(pk=user_id)


@router.post("/people/{uuid:user_id}/names", response={201: PersonOut})
@refuses(Clash, NotAllowed)
@idempotent(User)
@etagged
def add_name(request: ActorRequest, user_id: UUID, payload: NameIn, response: HttpResponse) -> Status[User]:
    user = User.objects.visible_to(request.actor).get(pk=user_id)
    Agency.objects.create(name=payload.name)
    refusals: dict[str, Exception] = {
        "clash": Clash(),
        "limit": LimitReached(7),
        "foreign": NotAllowed(),
        "fields": Invalid.at("price", "too_low", "Too low."),
        "broken": RuntimeError("secret +79161234567"),
        "database": OperationalError("gone"),
    }
    if payload.name in refusals:
        raise refusals[payload.name]
    response["Location"] = f"/api/v1/people/{user_id}"
    return Status(201, user)


@router.patch("/people/{uuid:user_id}", response=PersonOut)
@refuses(Stale, VersionRequired)
@idempotent(User)
@etagged
def edit_person(request: ActorRequest, user_id: UUID, payload: NameIn) -> User:
    user = User.objects.visible_to(request.actor).lock(user_id)
    user.require_version(if_match(request))
    user.name = payload.name
    user.save_changes("name")
    return user


@router.delete("/people/{uuid:user_id}", response={204: None})
@etagged
def forget_person(request: ActorRequest, user_id: UUID) -> Status[User]:
    user = User.objects.visible_to(request.actor).lock(user_id)
    user.save_changes()
    return Status(204, user)


@router.post("/auth/knock", response={202: None})
@csrf_exempt
@public
def knock(request: HttpRequest) -> Status[None]:
    return Status(202, None)


@router.get("/me", response=PersonOut)
def get_me(request: ActorRequest) -> User | None:
    return request.actor.user


api = new_api("small", [("", router)])


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<p>page</p>")


def broken_page(request: HttpRequest) -> HttpResponse:
    raise OperationalError("gone") if "database" in request.GET else RuntimeError("secret")


@login_not_required
def login_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"login\n{request.POST.get('text', '')}")


@counts_as_search()
@require_POST
def search_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("found")


accounts_urls = ([path("login/", login_page, name="login"), path("welcome/", page, name="welcome")], "accounts")
deals_urls = ([path("", page, name="deal_list"), path("search/", search_page, name="deal_search")], "deals")
urlpatterns = [
    path("api/v1/", api.urls),
    path("", include(accounts_urls)),
    path("broken/", broken_page),
    path("deals/", include(deals_urls)),
]


class Asker:
    """Stands in for the session: who asks is named by a header."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        user = User.objects.filter(pk=request.headers["X-Asker"]).first() if "X-Asker" in request.headers else None
        where = {"address": request.client_address, "request_id": request.id}
        request.user = user or AnonymousUser()
        request.actor = Actor.of(user, **where) if user else Actor.nobody(**where)
        request.LANGUAGE_CODE = translation.get_language_from_request(request)
        with translation.override(request.LANGUAGE_CODE):
            return self.get_response(request)


MIDDLEWARE = [
    "lk_site.middleware.Edge",
    "lk_site.tests.small_api.Asker",
    "lk_site.middleware.LoginRequired",
    "lk_site.middleware.SameSite",
    "django.middleware.csrf.CsrfViewMiddleware",
    "lk_site.middleware.ConsentGate",
    "lk_site.middleware.Throttle",
    "lk_site.middleware.RefusalRecord",
]
