"""What a new agency starts with: a pipeline for each kind of deal, and the reasons why deals are lost.

Each line is (code, Russian name, English name). Open stages come in their order; the last two are won and lost.
"""

from accounts.models import Agency
from deals.models import DealKind, LostReason, Pipeline, Stage, StageKind

Names = tuple[str, str, str]

PIPELINES: dict[DealKind, tuple[Names, ...]] = {
    DealKind.SALE: (
        ("sale", "Продажа", "Sale"),
        ("new", "Новая", "New"),
        ("appraisal", "Оценка", "Appraisal"),
        ("contract", "Договор", "Contract"),
        ("advertising", "Реклама", "Advertising"),
        ("showing", "Показы", "Viewings"),
        ("advance", "Аванс", "Deposit"),
        ("closing", "Сделка", "Closing"),
        ("won", "Продано", "Sold"),
        ("lost", "Отказ", "Lost"),
    ),
    DealKind.PURCHASE: (
        ("purchase", "Покупка", "Purchase"),
        ("new", "Новая", "New"),
        ("needs", "Запрос", "Needs"),
        ("search", "Подбор", "Search"),
        ("showing", "Показы", "Viewings"),
        ("loan", "Ипотека", "Mortgage"),
        ("advance", "Аванс", "Deposit"),
        ("closing", "Сделка", "Closing"),
        ("won", "Куплено", "Bought"),
        ("lost", "Отказ", "Lost"),
    ),
    DealKind.LET: (
        ("let", "Сдача", "Letting"),
        ("new", "Новая", "New"),
        ("contract", "Договор", "Contract"),
        ("advertising", "Реклама", "Advertising"),
        ("showing", "Показы", "Viewings"),
        ("signing", "Подписание", "Signing"),
        ("won", "Сдано", "Let"),
        ("lost", "Отказ", "Lost"),
    ),
    DealKind.RENT: (
        ("rent", "Съём", "Renting"),
        ("new", "Новая", "New"),
        ("needs", "Запрос", "Needs"),
        ("search", "Подбор", "Search"),
        ("showing", "Показы", "Viewings"),
        ("signing", "Подписание", "Signing"),
        ("won", "Снято", "Rented"),
        ("lost", "Отказ", "Lost"),
    ),
}
LOST_REASONS: tuple[Names, ...] = (
    ("price", "Не сошлись в цене", "Price"),
    ("chose_other_agent", "Выбрал другого агента", "Chose another agent"),
    ("changed_plans", "Передумал", "Changed plans"),
    ("no_loan", "Не дали ипотеку", "No loan"),
    ("not_reachable", "Не выходит на связь", "Not reachable"),
    (LostReason.OTHER, "Другое", "Other"),
)


def lay_pipelines(agency: Agency) -> None:
    """Insert the default pipelines with their stages, in two statements."""
    pipelines = [
        Pipeline(agency=agency, kind=kind, position=position, **named(names))
        for position, (kind, (names, *_)) in enumerate(PIPELINES.items())
    ]
    Pipeline.objects.bulk_create(pipelines)
    Stage.objects.bulk_create(
        Stage(pipeline=pipeline, position=position, kind=kind_of(names), **named(names))
        for pipeline in pipelines
        for position, names in enumerate(PIPELINES[DealKind(pipeline.kind)][1:])
    )


def lay_lost_reasons(agency: Agency) -> None:
    """Insert the default lost reasons."""
    LostReason.objects.bulk_create(
        LostReason(agency=agency, position=position, **named(names)) for position, names in enumerate(LOST_REASONS)
    )


def named(names: Names) -> dict[str, str]:
    code, name_ru, name_en = names
    return {"code": code, "name_ru": name_ru, "name_en": name_en}


def kind_of(names: Names) -> StageKind:
    """Return the kind of a default stage: those called won and lost are, the rest are open."""
    return StageKind(names[0]) if names[0] in (StageKind.WON, StageKind.LOST) else StageKind.OPEN
