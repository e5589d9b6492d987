"""A crawler: follows whatever a page links to, with everything that a browser would fetch, prefetch or preview."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin

LINK = re.compile(r"""\b(?:href|src|hx-get|data-href|formaction|srcset|poster)\s*=\s*(["'])(.*?)\1""", re.DOTALL)
FORM = re.compile(r"""<form\b(?P<attributes>[^>]*)>(?P<inside>.*?)</form>""", re.DOTALL | re.IGNORECASE)
ATTRIBUTE = re.compile(r"""([a-z-]+)\s*=\s*(["'])(.*?)\2""", re.DOTALL)
NEXT = re.compile(r'<([^>]*)>; rel="next"')
NUMBERS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,}|\d+")


class Answer(NamedTuple):
    """What came back: `headers` by their lower-case names."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass
class Crawler:
    """Asks for addresses by GET and HEAD, at most so many of them, and at most so many of one shape.

    `get` takes a method and an address. `answers` says what each address answered.
    """

    get: Callable[[str, str], Answer]
    at_most: int = 1000
    of_a_shape: int = 5
    answers: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, int] = field(default_factory=dict)

    def crawl(self, *roots: str) -> None:
        """Follow every link from these addresses, breadth first."""
        waiting = deque(roots)
        while waiting and len(self.answers) < self.at_most:
            address = waiting.popleft()
            if self.is_new(address):
                waiting += self.ask(address)

    def is_new(self, address: str) -> bool:
        """Return whether to ask for it; addresses that differ in ids and numbers alone have one shape."""
        shape = NUMBERS.sub("0", address)
        self.shapes[shape] = self.shapes.get(shape, 0) + 1
        return address not in self.answers and self.shapes[shape] <= self.of_a_shape

    def ask(self, address: str) -> list[str]:
        """Ask for an address, and return those that it leads to on the same site."""
        answer = self.get("GET", address)
        self.answers[address] = answer.status
        self.get("HEAD", address)
        found = (urldefrag(urljoin(address, link))[0] for link in links(answer))
        return [link for link in found if link.startswith("/") and not link.startswith(("//", "/static/"))]


def links(answer: Answer) -> Iterator[str]:
    """Yield whatever a browser or a robot could fetch because of this answer."""
    yield from (answer.headers[name] for name in ("location", "hx-redirect") if name in answer.headers)
    yield from NEXT.findall(answer.headers.get("link", ""))
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return
    for _quote, link in LINK.findall(answer.body):
        yield unescape(link.strip())
    for form in FORM.finditer(answer.body):
        attributes = {name: unescape(value) for name, _quote, value in ATTRIBUTE.findall(form["attributes"])}
        yield from addresses_of(attributes, form["inside"])


def addresses_of(form: dict[str, str], inside: str) -> Iterator[str]:
    """Yield what a form is sent to, asked for by GET also where it is meant for POST, bare and with its fields."""
    action = form.get("action", "")
    names = re.findall(r"""\bname=["']([^"']+)["']""", inside)
    yield action
    yield f"{action.partition('?')[0]}?{'&'.join(f'{name}=1' for name in names)}"
