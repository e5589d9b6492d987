"""What the card of a deal is made of, by compiled queries: the deal, the stages that it can go through, the reasons.

Each costs a tenth of the same queryset compiled for every page.
"""

from typing import Any, cast
from uuid import UUID

from django.utils.translation import get_language

from accounts.actor import Actor
from deals.models import Client, ClientPhone, Deal, LostReason, Pipeline, Stage, StageKind
from deals.models.pipelines import name_in
from deals.services.deal_rows import ANY_AGENCY, ANYBODY
from lk_site.hot_reads import Compiled, CompiledObjects, Param

ANY_CLIENT, ANY_DEAL = Param("client", Client._meta.pk), Param("deal", Deal._meta.pk)
ANY_PIPELINE = Param("pipeline", Pipeline._meta.pk)


def compiled_deal(is_head: bool) -> CompiledObjects:
    """Return the compiled read of one whole deal that an actor sees, `visible_to` included."""
    related = ("stage", "client", "agent", "lost_reason")
    return CompiledObjects(Deal, lambda: Deal.objects.visible_to(ANYBODY[is_head]).filter(pk=ANY_DEAL), *related)


def open_stages() -> Any:
    stages = Stage.objects.visible_to(ANYBODY[True]).filter(kind=StageKind.OPEN).order_by("position", "code")
    return stages.values_list("code", "name_ru", "name_en")


DEAL = {is_head: compiled_deal(is_head) for is_head in ANYBODY}
PHONES = CompiledObjects(ClientPhone, lambda: ClientPhone.objects.filter(client_id=ANY_CLIENT).order_by("position"))
STAGES = CompiledObjects(Stage, lambda: Stage.objects.filter(pipeline_id=ANY_PIPELINE).order_by("position"))
REASONS = CompiledObjects(LostReason, lambda: LostReason.objects.filter(agency_id=ANY_AGENCY).order_by("position"))
OPEN_STAGES = Compiled(open_stages)


def whole_deal(deal_id: UUID, *, actor: Actor) -> Deal:
    """Return a deal that the actor sees, as `DealQuerySet.whole` does. Raises Deal.DoesNotExist."""
    user: dict[str, Any] = {} if actor.is_head else {"user": actor.user_id}
    found = DEAL[actor.is_head].objects(deal=deal_id, agency=actor.agency_id, **user)
    if not found:
        raise Deal.DoesNotExist
    deal: Deal = found[0]
    deal.client.numbers = [phone.phone for phone in PHONES.objects(client=deal.client_id)]
    return deal


def stages_of(deal: Deal) -> list[Stage]:
    """Return the stages of the deal's pipeline in their order."""
    return STAGES.objects(pipeline=deal.stage.pipeline_id)


def reasons_of(deal: Deal) -> list[LostReason]:
    """Return why deals of this agency are lost, in the order of its list."""
    return REASONS.objects(agency=deal.agency_id)


def open_stage_names(actor: Actor) -> dict[str, str]:
    """Return the names of the agency's open stages by their codes, in the reader's language."""
    language, rows = get_language(), OPEN_STAGES.rows(agency=cast(UUID, actor.agency_id))
    return {code: name_in(language, name_ru, name_en) for code, name_ru, name_en in rows}
