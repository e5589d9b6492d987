"""The work in the admin: masks, reveals with a reason, pipelines through services."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client as Browser

from accounts.actor import Actor
from accounts.admin import site
from accounts.models import Action, Agency, Event, EventText, Role, User
from accounts.services import agencies
from accounts.tests.people import make_agent, make_staff, sign_in, staff_actor
from deals.models import Client, Deal, LostReason, Pipeline, Stage
from deals.services import pipeline_editing
from deals.services.client_finding import find_clients
from deals.tests.making import PHONE, make_client, make_deal
from lk_site.errors import Invalid, NotAllowed

pytestmark = pytest.mark.django_db
NAME, NOTE = "Евлампия Неповторимая", "Ключ под ковриком"


@pytest.fixture
def admin() -> Browser:
    browser = Browser()
    sign_in(browser, make_staff(), settings.ADMIN_COOKIE_NAME)
    return browser


@pytest.fixture
def agency() -> Agency:
    return agencies.add_agency("Ключ", actor=staff_actor("olga"))


@pytest.fixture
def anna(agency: Agency) -> User:
    return make_agent(agency, "Анна Агеева")


@pytest.fixture
def deal(anna: User) -> Deal:
    client = make_client(anna, PHONE, name=NAME, notes=NOTE, email="only@here.example")
    return make_deal(anna, client=client.pk, notes=NOTE)


def page_of(obj: Any, action: str = "change") -> str:
    return f"/admin/{obj._meta.app_label}/{obj._meta.model_name}/{obj.pk}/{action}/"


def shown(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode().replace("\u00a0", " ")


def test_every_list_and_page_of_the_work_shows_masks_only(admin: Browser, deal: Deal, agency: Agency) -> None:
    for model in (Client, Deal, Pipeline, Stage, LostReason):
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        text = shown(admin, path) + shown(admin, f"{path}?agency={agency.pk}" if model is not Stage else path)
        for row in site.get_model_admin(model).get_queryset(admin.get("/admin/").wsgi_request)[:3]:
            text += shown(admin, page_of(row))
        assert PHONE[-7:] not in text.replace(" ", "").replace("-", ""), path
        for secret in ("Неповторимая", "ковриком", "only@here"):
            assert secret not in text, path
    assert "Е••• Н•••" in shown(admin, page_of(deal))


def test_clients_are_listed_only_once_the_agency_is_chosen(admin: Browser, deal: Deal, agency: Agency) -> None:
    assert str(deal.client_id) not in shown(admin, "/admin/deals/client/")
    assert str(deal.client_id) in shown(admin, f"/admin/deals/client/?agency={agency.pk}")


def test_a_client_is_found_by_number_in_one_agency_and_that_is_recorded(
    admin: Browser, deal: Deal, agency: Agency, anna: User
) -> None:
    make_client(make_agent(agency, "Борис"), PHONE)
    typed = {"agency": str(agency.pk), "phone": "8 916 123-45-67"}
    page = admin.post("/admin/deals/client/find/", typed).content.decode()
    assert page.count("/admin/deals/client/") >= 3
    event = Event.objects.get(action=Action.CLIENT_SEARCHED)
    assert (event.agency_id, event.data) == (agency.pk, {"found": 2})
    other = agencies.add_agency("Другое", actor=staff_actor())
    assert admin.post("/admin/deals/client/find/", typed | {"agency": str(other.pk)}).status_code == 422
    assert admin.post("/admin/deals/client/find/", typed | {"agency": ""}).status_code == 422


def test_a_reveal_needs_a_reason_and_stands_in_the_timeline(admin: Browser, deal: Deal) -> None:
    client = deal.client
    assert admin.post(page_of(client, "reveal"), {"reason": ""}).status_code == 422
    assert not Event.objects.filter(action=Action.CLIENT_REVEALED).exists()
    page = admin.post(page_of(client, "reveal"), {"reason": "Жалоба клиента"})
    assert "+7 916 123-45-67" in page.content.decode().replace("\u00a0", " ")
    event = Event.objects.get(action=Action.CLIENT_REVEALED)
    assert (event.client_id, event.agency_id, event.actor_kind) == (client.pk, client.agency_id, "staff")
    assert EventText.objects.get(pk=event.pk).text == "Жалоба клиента"


def test_staff_change_no_deal_and_no_client(admin: Browser, deal: Deal) -> None:
    for row in (deal, deal.client):
        answer = admin.post(page_of(row), {"price": "1", "name": "Взлом", "_save": "1"})
        assert answer.status_code == 403
        assert admin.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403
    assert Deal.objects.get(pk=deal.pk).version == deal.version


def names(**changes: Any) -> dict[str, Any]:
    return {"name_ru": "Осмотр", "name_en": "Inspection", "position": 3, **changes}


def test_staff_rename_and_add_stages_through_services(admin: Browser, agency: Agency) -> None:
    pipeline = Pipeline.objects.get(agency=agency, kind="sale")
    stage = pipeline.stages.get(code="showing")
    admin.post(page_of(stage, "edit"), names())
    stage = Stage.objects.get(pk=stage.pk)
    assert (stage.name_ru, stage.name_en, stage.position, stage.code) == ("Осмотр", "Inspection", 3, "showing")
    admin.post(page_of(pipeline, "new-stage"), names(code="inspection", kind="open"))
    assert pipeline.stages.filter(code="inspection").exists()
    events = Event.objects.filter(action=Action.PIPELINE_CHANGED, agency_id=agency.pk)
    assert [event.fields or event.data for event in events.order_by("seq")] == [
        ["name_ru", "name_en", "position"],
        {"added": "inspection"},
    ]
    assert admin.post(page_of(pipeline, "new-stage"), names(code="inspection", kind="open")).status_code == 422


def test_staff_add_and_rename_lost_reasons(admin: Browser, agency: Agency) -> None:
    typed = names(code="moved_abroad", agency=str(agency.pk))
    assert admin.post("/admin/deals/lostreason/new/", typed).status_code == 302
    reason = LostReason.objects.get(agency=agency, code="moved_abroad")
    admin.post(page_of(reason, "edit"), names(name_ru="Уехал"))
    assert LostReason.objects.get(pk=reason.pk).name_ru == "Уехал"


@pytest.mark.parametrize(
    "wrong", [{"name_ru": ""}, {"name_en": "x" * 51}, {"name_ru": "a\u202e"}, {"position": -1}, {"position": 10**12}]
)
def test_names_and_places_are_checked(agency: Agency, wrong: dict[str, Any]) -> None:
    stage = Stage.objects.filter(pipeline__agency=agency).earliest("position")
    with pytest.raises(Invalid):
        pipeline_editing.edit_stage(stage.pk, names(**wrong), actor=staff_actor())  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["", "Показ", "a b", "1a", "a" * 31, "a-b"])
def test_codes_are_for_programs(agency: Agency, code: str) -> None:
    with pytest.raises(Invalid):
        pipeline_editing.add_lost_reason(agency.pk, code, names(), actor=staff_actor())  # type: ignore[arg-type]


def test_only_staff_edit_pipelines_and_search_all_clients(agency: Agency) -> None:
    vera = Actor.of(make_agent(agency, "Вера", Role.HEAD))
    stage = Stage.objects.filter(pipeline__agency=agency).earliest("position")
    with pytest.raises(NotAllowed):
        pipeline_editing.edit_stage(stage.pk, names(), actor=vera)  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        find_clients(agency.pk, PHONE, actor=vera)
