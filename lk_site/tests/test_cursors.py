from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import RequestFactory

from accounts.models import Agency
from lk_site.cursors import CursorInvalid, Keyset, sift
from lk_site.tests.people import client_of, person

BY_NAME = Keyset(("-name", str), ("-created_at", datetime.fromisoformat), ("-id", UUID))


def walk(client: Any, address: str) -> list[list[str]]:
    """Return the ids of every page, following `next_cursor`."""
    pages, following = [], address
    while following:
        response = client.get(following)
        body = response.json()
        pages.append([item["id"] for item in body["items"]])
        following = response["Link"][1:].partition(">")[0] if "Link" in response else ""
        assert bool(following) == (body["next_cursor"] is not None)
    return pages


@pytest.mark.django_db
@pytest.mark.usefixtures("small_api")
class TestPages:
    def test_a_walk_sees_every_row_once(self):
        anna = person("79161234567")
        for i in range(9):
            Agency.objects.create(name=str(i))
        pages = walk(client_of(anna), "/api/v1/agencies/?limit=4")
        assert [len(page) for page in pages] == [4, 4, 2]
        assert len({pk for page in pages for pk in page}) == 10

    def test_rows_written_meanwhile_neither_repeat_nor_hide_others(self):
        client = client_of(person("79161234567"))
        before = [Agency.objects.create(name=str(i)) for i in range(5)]
        first = client.get("/api/v1/agencies/?limit=3")
        before[0].delete()
        Agency.objects.create(name="new")
        rest = client.get(first["Link"][1:].partition(">")[0]).json()
        seen = [item["id"] for item in first.json()["items"] + rest["items"]]
        assert len(seen) == len(set(seen))
        assert {str(agency.pk) for agency in before[1:]} <= set(seen) | {str(before[0].pk)}

    def test_a_cursor_of_another_query_or_an_altered_one_is_refused(self):
        client = client_of(person("79161234567"))
        Agency.objects.create()
        cursor = client.get("/api/v1/agencies/?limit=1&role=a").json()["next_cursor"]
        same = [f"role=a&cursor={cursor}", f"cursor={cursor}&limit=50&role=a"]
        other = [f"cursor={cursor}", f"role=b&cursor={cursor}", f"role=a&role=a&cursor={cursor}"]
        changed = [cursor[:i] + ("A" if cursor[i] != "A" else "B") + cursor[i + 1 :] for i in range(len(cursor))]
        altered = [f"role=a&cursor={text}" for text in changed]
        assert [client.get(f"/api/v1/agencies/?{query}").status_code for query in same] == [200] * 2
        for query in [*other, *altered, "cursor=", f"role=a&cursor={cursor}A", f"role=a&cursor={cursor}="]:
            response = client.get(f"/api/v1/agencies/?{query}")
            assert (response.status_code, response.json()["code"]) == (422, "cursor_invalid"), query

    def test_filters_do_not_stand_in_a_cursor(self):
        client = client_of(person("79161234567"))
        Agency.objects.create()
        cursors = {len(client.get(f"/api/v1/agencies/?limit=1&role={'x' * n}").json()["next_cursor"]) for n in (1, 99)}
        assert len(cursors) == 1

    def test_three_keys_page_as_well_as_two(self):
        for i in range(12):
            Agency.objects.create(name="abc"[i % 3])
        request = RequestFactory().get("/")
        everything = list(Agency.objects.order_by(*BY_NAME.order).values_list("id", flat=True))
        seen: list[UUID] = []
        cursor: str | None = None
        while True:
            position = BY_NAME.position(request, cursor)
            rows = list(BY_NAME.after(Agency.objects.all(), position)[:5])
            seen += [row.pk for row in rows]
            if len(rows) < 5:
                break
            cursor = BY_NAME.cursor(request, (rows[-1].name, rows[-1].created_at, rows[-1].pk))
        assert seen == everything


def test_an_old_signing_key_still_opens(settings: Any):
    request, position = RequestFactory().get("/?a=1"), (1,)
    order = Keyset(("id", int))
    cursor = order.cursor(request, position)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert order.position(request, cursor) == position
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(CursorInvalid):
        order.position(request, cursor)


def test_pages_may_name_their_filters_and_ignore_the_rest():
    order = Keyset(("id", int))
    cursor = order.cursor(RequestFactory().get("/?status=open&utm_source=x"), (1,), filters=["status"])
    assert order.position(RequestFactory().get("/?status=open"), cursor, filters=["status"]) == (1,)


def test_an_order_goes_one_way():
    with pytest.raises(ValueError, match="one way"):
        Keyset(("a", str), ("-b", str))


class TestSift:
    def read(self, after: Any, count: int) -> list[int]:
        start = after[0] + 1 if after else 0
        return list(range(start, min(start + count, self.total)))

    def sifted(self, total: int, limit: int, every: int, at_most: int = 500) -> list[int]:
        """Return all that is kept, page by page."""
        self.total = total
        found: list[int] = []
        after: Any = None
        while True:
            kept, after = sift(
                self.read, after, limit, keep=lambda row: row % every == 0, key=lambda row: (row,), at_most=at_most
            )
            found += kept
            assert len(kept) <= limit
            if after is None:
                return found

    @pytest.mark.parametrize(
        ("total", "limit", "every"), [(0, 5, 1), (5, 5, 1), (1000, 7, 3), (1000, 20, 101), (40, 20, 2)]
    )
    def test_pages_of_kept_rows_hold_them_all_once(self, total: int, limit: int, every: int):
        assert self.sifted(total, limit, every) == list(range(0, total, every))

    def test_reading_stops_at_so_many_candidates(self):
        self.total = 1000
        kept, after = sift(self.read, None, 20, keep=lambda row: False, key=lambda row: (row,), at_most=500)
        assert (kept, after) == ([], (499,))
