"""Mozilla's Observatory, its rules coded here, over nginx and TLS as people come to the site (security.md 2.6)."""

from http.client import HTTPConnection
from http.cookies import SimpleCookie

import pytest

from attack import table
from deploy.tests.nginx import HOST, Front
from faults.stack import Stack
from lk_site.tests.observatory import Site, score
from lk_site.tests.test_observatory import AT_LEAST, PAGES


def scanned(front: Front, address: str) -> Site:
    _status, headers, page = front.ask("GET", address)
    plain = HTTPConnection("127.0.0.1", front.plain, timeout=30)
    plain.request("GET", address, headers={"Host": HOST})
    there = plain.getresponse()
    plain.close()
    lower = {name.lower(): value for name, value in headers.items()}
    kept = [morsel for line in headers.get_all("Set-Cookie", []) for morsel in SimpleCookie(line).values()]
    return Site(lower, kept, page.decode("utf-8", "replace"), there.status, there.getheader("Location", ""))


@pytest.mark.parametrize("address", PAGES)
def test_the_observatory_gives_the_production_stack_115_at_least(stack: Stack, address: str):
    points, found = score(scanned(stack.front, address))
    table.rows.append(table.Row("Observatory", f"{address}: {points} points", 2, int(points < AT_LEAST)))
    assert points >= AT_LEAST, found
