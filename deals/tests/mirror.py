"""A stranger's program that keeps a copy of an agency: it takes the present cursor, walks the lists, then follows."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from deals.tests.programs import Program

Rows = dict[str, dict[str, Any]]
NOT_FOUND = 404


@dataclass
class Copy:
    """What the lists show, by id; pipelines and reasons by code. Of notes the deal and the text, of live deals only."""

    deals: Rows = field(default_factory=dict)
    clients: Rows = field(default_factory=dict)
    agents: Rows = field(default_factory=dict)
    pipelines: Rows = field(default_factory=dict)
    reasons: Rows = field(default_factory=dict)
    notes: Rows = field(default_factory=dict)

    @classmethod
    def of(cls, api: Program) -> "Copy":
        """Walk every list, those of the trash too."""
        copy, pipelines = cls(), api.get("/pipelines").json()
        copy.pipelines = {one["code"]: one for one in pipelines["items"]}
        copy.reasons = {one["code"]: one for one in pipelines["lost_reasons"]}
        copy.agents = {one["id"]: one for one in walked(api, "/agents")}
        for is_trash in ("false", "true"):
            copy.deals |= {one["id"]: one for one in walked(api, "/deals/", trashed=is_trash)}
            copy.clients |= {one["id"]: one for one in walked(api, "/clients/", trashed=is_trash, order="created")}
        for deal in copy.deals:
            copy.notes |= notes_of(api, deal)
        return copy

    def differs_from(self, other: "Copy") -> list[tuple[str, str, bytes, bytes]]:
        """Return the rows that are not the same bytes in both: the list, the id, and the row in each."""
        own, others = self.in_bytes(), other.in_bytes()
        return [
            (name, pk, own[name].get(pk, b""), others[name].get(pk, b""))
            for name in own
            for pk in sorted({*own[name], *others[name]})
            if own[name].get(pk) != others[name].get(pk)
        ]

    def in_bytes(self) -> dict[str, dict[str, bytes]]:
        """Return the copy as it can be compared: each row's own bytes."""
        live = {pk for pk, deal in self.deals.items() if deal["deleted_at"] is None}
        kept = asdict(self) | {"notes": {pk: note for pk, note in self.notes.items() if note["deal"] in live}}
        return {
            name: {pk: orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for pk, row in sorted(rows.items())}
            for name, rows in kept.items()
        }


def walked(api: Program, path: str, **query: str) -> Iterator[dict[str, Any]]:
    """Yield every row of a list, page by page, until it ends or is gone."""
    answer = api.get(path, query | {"limit": "7"})
    while answer.status_code != NOT_FOUND:
        page = answer.json()
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        answer = api.get(path, query | {"limit": "7", "cursor": page["next_cursor"]})


def notes_of(api: Program, deal: str) -> Rows:
    """Return the notes of a deal; none of one that lies in the trash, where its timeline cannot be read."""
    entries = [one for one in walked(api, f"/deals/{deal}/timeline") if one["action"] == "note.added" and one["text"]]
    return {one["note"]: {"deal": deal, "text": one["text"]} for one in entries}


class Mirror:
    """A copy that follows the feed in pages of `limit`. `told` are the events in the order they came."""

    def __init__(self, api: Program, limit: int = 100) -> None:
        self.api = api
        self.limit = str(limit)
        self.told: list[str] = []
        self.versions: dict[str, int] = {}
        self.cursor = api.get("/changes").json()["next_cursor"]
        self.copy = Copy.of(api)

    def catch_up(self) -> None:
        while self.follow():
            pass

    def follow(self) -> bool:
        """Read one page, and tell whether more is waiting."""
        page = self.api.get("/changes", {"cursor": self.cursor, "limit": self.limit}).json()
        for item in page["items"]:
            self.apply(item)
        self.cursor = page["next_cursor"]
        return bool(page["has_more"])

    def apply(self, item: dict[str, Any]) -> None:
        self.told.append(item["id"])
        key, data = item["object"]["id"], item["data"]
        if item["version"] is not None:
            assert item["version"] > self.versions.get(key, 0), f"{item} is older than what was told before"
            self.versions[key] = item["version"]
        getattr(self, item["object"]["type"])(key, data)
        if item["type"] == "deal.purged":
            self.copy.notes = {pk: note for pk, note in self.copy.notes.items() if note["deal"] != key}
        if item["type"] == "deal.restored":  # its notes could not be read while it lay in the trash
            self.copy.notes |= notes_of(self.api, key)

    def put(self, rows: Rows, key: str, data: dict[str, Any] | None) -> None:
        """Put an object in the place of what is there; it is never older."""
        if data is None:
            rows.pop(key, None)
            return
        assert data.get("version", 0) >= rows.get(key, data).get("version", 0), f"{data} is older than what is here"
        rows[key] = data

    # --- by type of object

    def deal(self, key: str, data: dict[str, Any] | None) -> None:
        self.put(self.copy.deals, key, data)

    def client(self, key: str, data: dict[str, Any] | None) -> None:
        self.put(self.copy.clients, key, data)
        for deal in self.copy.deals.values():
            if data and deal["client"] == key:
                deal |= {"client_name": data["name"], "client_phone_masked": data["phones_masked"][0]}

    def note(self, key: str, data: dict[str, Any] | None) -> None:
        self.put(self.copy.notes, key, data and {"deal": data["deal"], "text": data["text"]})

    def agent(self, key: str, data: dict[str, Any] | None) -> None:
        self.put(self.copy.agents, key, data)
        for row in (*self.copy.deals.values(), *self.copy.clients.values()):
            if data and row["agent"]["id"] == key:
                row["agent"] = {"id": key, "name": data["name"]}

    def pipeline(self, key: str, data: dict[str, Any]) -> None:
        self.copy.pipelines[data["code"]] = data
        names = {stage["code"]: stage["name"] for stage in data["stages"]}
        for deal in self.copy.deals.values():
            if deal["kind"] == data["kind"]:
                deal["stage"]["name"] = names[deal["stage"]["code"]]

    stage = pipeline

    def lost_reason(self, key: str, data: dict[str, Any]) -> None:
        self.copy.reasons[data["code"]] = data
        for deal in self.copy.deals.values():
            if deal["lost_reason"] and deal["lost_reason"]["code"] == data["code"]:
                deal["lost_reason"]["name"] = data["name"]
