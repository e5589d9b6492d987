"""Pages on a cheap phone: bytes, requests, and the time to the first painted content in Chromium.

Two bars of signal (400 kbit/s both ways, 400 ms) and a processor slowed six times; nothing cached at the first page.
"""

import json
import shutil
import statistics
import sys
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from bench import filling
from bench.environment import HOST, PORT, VAR

TIMES, SLOWDOWN = 3, 6
TWO_BARS = {
    "offline": False,
    "latency": 400,
    "downloadThroughput": 50_000,
    "uploadThroughput": 50_000,
}  # bytes a second
CODE = ("Script", "Stylesheet")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PAINTED = """() => new Promise(done => {
    const look = () => {
        const paint = performance.getEntriesByName('first-contentful-paint')[0];
        paint ? done(paint.startTime) : setTimeout(look, 50);
    };
    look();
})"""
HEADING = """## Pages on a cheap phone

Chromium, 400 kbit/s and 400 ms each way round (two bars of signal), processor slowed six times, plain http on loopback
with gunicorn alone: no TLS hand-shake, which costs two more rounds at the first page. Bytes are those on the wire;
*first* with an empty cache, *next* with the style and the scripts of an earlier page. The middle of {times}.
"""


@dataclass(frozen=True)
class Load:
    """What one opening of a page took: bytes on the wire, those of JavaScript and CSS, requests, milliseconds."""

    bytes: int
    code: int
    requests: int
    painted_ms: float


def main() -> None:
    filling.main()
    from django.conf import settings

    from bench.measure import running
    from bench.seed import visitors
    from lk_site.startup import leave_database

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Pages are opened in Chromium: apt-get install chromium")
    who = visitors()[0]
    leave_database()
    pages = {"login": "/login/", "deal list": "/deals/", "deal card": f"/deals/{who.deal_ids[0]}/"}
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": who.cookie, "domain": HOST, "path": "/"}
    with running("lk_site.wsgi:application", PORT + 3) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        found = {}
        for name, path in pages.items():
            turns = [opened_twice(new_context(browser, cookie, name), server.origin + path) for _ in range(TIMES)]
            found[name] = turns
        browser.close()
    text = table(found)
    print(text)
    (VAR / "pages.json").write_text(json.dumps({"text": text, "code_kb": found["login"][0][0].code / 1024}))


def new_context(browser: Browser, cookie: Any, name: str) -> BrowserContext:
    context = browser.new_context(locale="ru-RU", viewport={"width": 360, "height": 740})
    if name != "login":
        context.add_cookies([cookie])
    return context


def opened_twice(context: BrowserContext, address: str) -> tuple[Load, Load]:
    """Open a page with an empty cache and once more."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", TWO_BARS)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
    loads = opened(page, session, address), opened(page, session, address)
    context.close()
    return loads


def opened(page: Page, session: CDPSession, address: str) -> Load:
    kinds, sizes = dict[str, str](), dict[str, int]()
    listeners = {
        "Network.responseReceived": lambda event: kinds.update({event["requestId"]: event["type"]}),
        "Network.loadingFinished": lambda event: sizes.update({event["requestId"]: int(event["encodedDataLength"])}),
    }
    for name, listener in listeners.items():
        session.on(name, listener)
    page.goto(address, wait_until="networkidle")
    painted_ms = page.evaluate(PAINTED)
    for name, listener in listeners.items():
        session.remove_listener(name, listener)
    sent = {request: size for request, size in sizes.items() if size}  # the cache answers with none
    return Load(
        sum(sent.values()), sum(sent[request] for request in sent if kinds[request] in CODE), len(sent), painted_ms
    )


def table(found: dict[str, list[tuple[Load, Load]]]) -> str:
    lines = [
        "| | requests, first | KB, first | of these JavaScript and CSS | painted ms, first "
        "| requests, next | KB, next | painted ms, next |",
        "|---" * 8 + "|",
    ]
    for name, turns in found.items():
        first, following = turns[0]
        painted = [statistics.median(turn[i].painted_ms for turn in turns) for i in (0, 1)]
        lines.append(
            f"| {name} | {first.requests} | {first.bytes / 1024:.1f} | {first.code / 1024:.1f} | {painted[0]:.0f} "
            f"| {following.requests} | {following.bytes / 1024:.1f} | {painted[1]:.0f} |"
        )
    return "\n".join([HEADING.format(times=TIMES), *lines])


if __name__ == "__main__":
    main()
