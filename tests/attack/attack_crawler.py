"""Every link of the running site, followed as four kinds of people: no GET changes anything (security.md 2.5)."""

import pytest

from attack import table
from attack.site import Site
from lk_site.tests.crawling import Answer, Crawler
from lk_site.tests.test_attacks_csrf import CHANGED_BY_READING
from lk_site.tests.test_crawling import ROOTS

MANY = 150  # addresses of each person
OF_THE_SERVER = "accounts_runningprocess.seen_at"  # that it lives, whoever asks


@pytest.mark.parametrize("who", ROOTS)
def test_following_every_link_of_the_running_site_changes_nothing(site: Site, who: str):
    asked = 0

    def get(method: str, address: str) -> Answer:
        nonlocal asked
        asked += 1
        return site.ask(method, address, {"Cookie": site.cookies(who)})

    crawler = Crawler(get, at_most=MANY)
    before = site.digests()
    crawler.crawl(*ROOTS[who])
    changed = site.digests().differ_from(before, besides=(*CHANGED_BY_READING, OF_THE_SERVER))
    broken = {address: status for address, status in crawler.answers.items() if status >= 500}
    table.rows.append(table.Row("crawler", f"{len(crawler.answers)} addresses as {who}", asked, len(changed)))
    assert (changed, broken) == ([], {})
