"""`python -m faults.oracle < done.json`: what the database says of what was acknowledged, as JSON.

Lost is what was acknowledged and is not there with the values sent; doubled is what is there more than once. `flaws`
are objects whose changes do not have one event each, and chains of evidence that do not verify.
"""

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Told:
    """What somebody was told of one deal: `id` and `version` as last acknowledged, and the values he sent."""

    address: str
    id: str = ""
    version: int = 0
    price: str = ""
    stage: str = "new"
    notes: list[str] = field(default_factory=list)


@dataclass
class Verdict:
    """What was lost, what was doubled, and what else is not as it should be."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)


def judged(told: list[Told]) -> Verdict:
    from accounts.services import evidence
    from deals.models import Deal

    verdict = Verdict()
    found = defaultdict(list)
    for deal in Deal.objects.select_related("stage"):
        found[deal.property_address].append(deal)
    notes = notes_of_deals()
    for one in told:
        deals = found[one.address]
        if len(deals) > 1:
            verdict.doubled.append(f"{len(deals)} deals at {one.address}")
        if one.id:
            verdict.lost += differences(one, [deal for deal in deals if str(deal.pk) == one.id], notes)
            counts = Counter(notes[one.id])
            verdict.doubled += [f"{count} notes {text}" for text, count in counts.items() if count > 1]
    verdict.flaws += wrong_versions()
    verdict.flaws += [f"{agency}: {flaw}" for agency, flaw in evidence.verify() if flaw]
    return verdict


def differences(told: Told, deals: list[Any], notes: dict[str, list[str]]) -> Iterator[str]:
    if not deals:
        yield f"the deal {told.id}"
        return
    deal = deals[0]
    sent = (told.version, told.price, told.stage)
    if (kept := (deal.version, f"{deal.price:.2f}", deal.stage.code)) != sent:
        yield f"{told.id} was acknowledged as {sent} and is {kept}"
    for text in told.notes:
        if text not in notes[told.id]:
            yield f"the note {text} of {told.id}"


def notes_of_deals() -> dict[str, list[str]]:
    from accounts.models import EventText
    from deals.models import Note

    found, notes = defaultdict(list), list(Note.objects.all())
    texts = EventText.objects.in_bulk([note.text_event_id for note in notes])
    for note in notes:
        found[str(note.deal_id)].append(str(texts[note.text_event_id].text))
    return found


def wrong_versions() -> Iterator[str]:
    """Yield the deals and their clients whose versions are not each made by exactly one event."""
    from accounts.models import Event
    from deals.models import Client, Deal

    made = defaultdict[Any, list[int]](list)
    for pk, version in Event.objects.exclude(version=None).values_list("object_id", "version"):
        made[pk].append(version or 0)
    for rows in (Deal.objects.all(), Client.objects.filter(pk__in=Deal.objects.values("client"))):
        for pk, version in rows.values_list("pk", "version"):
            if sorted(made[pk]) != list(range(1, version + 1)):
                yield f"{rows.model.__name__} {pk} has version {version} and events of {sorted(made[pk])}"


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lk_site.settings")
    django.setup()
    sys.stdout.write(json.dumps(judged([Told(**one) for one in json.load(sys.stdin)]).__dict__, ensure_ascii=False))
