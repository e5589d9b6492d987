"""`/pipelines`: the steps of each kind of deal, and why deals are lost."""

from typing import Any

from ninja import Router

from accounts.actor import ActorRequest
from accounts.models.keys import WORK_SCOPES
from deals.api.schemas import PipelinesOut
from deals.models import LostReason, Pipeline
from lk_site.operations import needs

router = Router(tags=["pipelines"])


@router.get("", response=PipelinesOut)
@needs(*WORK_SCOPES)
def list_pipelines(request: ActorRequest) -> dict[str, Any]:
    """List the agency's pipelines with their stages, and its lost reasons."""
    pipelines = Pipeline.objects.visible_to(request.actor).prefetch_related("stages")
    return {"items": list(pipelines), "lost_reasons": list(LostReason.objects.visible_to(request.actor))}
