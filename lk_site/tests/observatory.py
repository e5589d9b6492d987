"""The score of Mozilla's HTTP Observatory, by its published rules (github.com/mdn/mdn-http-observatory).

It starts at 100; each rule adds or takes away. What adds counts only where the rest has left 90 at least. The rule of
HSTS gives five more to names on the preload list, which no server can see of itself: it is left out.
"""

import re
from dataclasses import dataclass, field
from http.cookies import Morsel
from typing import NamedTuple

START, ENOUGH_FOR_MORE = 100, 90
SIX_MONTHS_S = 15_768_000
BROAD = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}
INLINE = {"'unsafe-inline'", "data:"}
PRIVATE_REFERRER = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
UNSAFE_REFERRER = {"origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"}
SCRIPT = re.compile(r"<script\b([^>]*)>", re.IGNORECASE)
SOURCE = re.compile(r"""\bsrc=["']?([^"'\s>]+)""", re.IGNORECASE)


@dataclass
class Site:
    """What a scan sees of a page: over TLS headers (lower case), cookies and text; and the answer over plain http."""

    headers: dict[str, str]
    cookies: list["Morsel[str]"] = field(default_factory=list)
    page: str = ""
    plain_status: int = 0
    plain_location: str = ""


class Finding(NamedTuple):
    """What one rule gives, and why."""

    points: int
    why: str


def score(site: Site) -> tuple[int, list[Finding]]:
    """Return the score and what each rule gave."""
    found = [rule(site) for rule in RULES]
    without_more = START + sum(finding.points for finding in found if finding.points < 0)
    more = sum(finding.points for finding in found if finding.points > 0)
    return max(0, without_more + (more if without_more >= ENOUGH_FOR_MORE else 0)), found


def content_security_policy(site: Site) -> Finding:
    text = site.headers.get("content-security-policy")
    if not text:
        return Finding(-25, "no policy")
    policy = {words[0].lower(): words[1:] for part in text.split(";") if (words := part.split())}
    default = policy.get("default-src", ["*"])
    scripts, styles = policy.get("script-src", default), policy.get("style-src", default)
    if BROAD & set(policy.get("object-src", default)) or (BROAD | INLINE) & set(scripts):
        return Finding(-20, "unsafe scripts or objects")
    passive = [source for name in ("img-src", "media-src") for source in policy.get(name, default)]
    active = [source for name, sources in policy.items() if name not in ("img-src", "media-src") for source in sources]
    if is_plain(active):
        return Finding(-20, "what acts may come over plain http")
    if "'unsafe-eval'" in {*scripts, *styles}:
        return Finding(-10, "eval")
    if is_plain(passive):
        return Finding(-10, "pictures may come over plain http")
    if (BROAD | INLINE) & set(styles):
        return Finding(0, "unsafe styles")
    return Finding(10, "default-src 'none'") if default == ["'none'"] else Finding(5, "nothing unsafe")


def is_plain(sources: list[str]) -> bool:
    return any(source.startswith(("http:", "ftp:")) for source in sources)


def cookies(site: Site) -> Finding:
    """Take the worst of all cookies; those named after a login or a session must be hidden from scripts."""
    if not site.cookies:
        return Finding(0, "no cookies")
    return min((of_cookie(cookie, site) for cookie in site.cookies), key=lambda finding: finding.points)


def of_cookie(cookie: "Morsel[str]", site: Site) -> Finding:
    is_session = any(word in cookie.key.lower() for word in ("login", "sess"))
    is_protected = transport_security(site).points >= 0
    if is_session and not cookie["httponly"]:
        return Finding(-30, f"{cookie.key} is open to scripts")
    if not cookie["secure"] and is_session:
        return Finding(-10 if is_protected else -40, f"{cookie.key} is not secure")
    if cookie["samesite"].lower() not in ("", "lax", "strict") or ("csrf" in cookie.key and not cookie["samesite"]):
        return Finding(-20, f"{cookie.key} goes to other sites")
    if not cookie["secure"]:
        return Finding(-5 if is_protected else -20, f"{cookie.key} is not secure")
    return Finding(5, "secure, and not for other sites") if cookie["samesite"] else Finding(0, "secure")


def cross_origin_resource_sharing(site: Site) -> Finding:
    origin, with_cookies = (site.headers.get(f"access-control-allow-{name}") for name in ("origin", "credentials"))
    return Finding(-50, "anybody reads with cookies") if origin and with_cookies == "true" else Finding(0, "not shared")


def cross_origin_resource_policy(site: Site) -> Finding:
    policy = site.headers.get("cross-origin-resource-policy")
    if policy in ("same-origin", "same-site"):
        return Finding(10, policy)
    return Finding(0, str(policy)) if policy in (None, "cross-origin") else Finding(-5, "no policy that is known")


def redirection(site: Site) -> Finding:
    if site.plain_status == 0:
        return Finding(0, "no plain http")
    if site.plain_status // 100 != 3:
        return Finding(-20, "plain http is served")
    return Finding(0, "to TLS") if site.plain_location.startswith("https://") else Finding(-20, "not to TLS")


def referrer_policy(site: Site) -> Finding:
    policies = {policy.strip().lower() for policy in site.headers.get("referrer-policy", "").split(",")} - {""}
    if not policies:
        return Finding(0, "no policy")
    if policies & UNSAFE_REFERRER or not policies & PRIVATE_REFERRER:
        return Finding(-5, "unsafe")
    return Finding(5, "private")


def transport_security(site: Site) -> Finding:
    age = re.search(r"max-age=(\d+)", site.headers.get("strict-transport-security", ""))
    if age is None:
        return Finding(-20, "no HSTS")
    return Finding(0, "HSTS") if int(age[1]) >= SIX_MONTHS_S else Finding(-10, "HSTS for less than six months")


def subresource_integrity(site: Site) -> Finding:
    """Look at scripts of other origins; those of our own need none, and get five where all carry one."""
    scripts = [(SOURCE.search(tag), "integrity=" in tag) for tag in SCRIPT.findall(site.page)]
    outside = [(source[1], has) for source, has in scripts if source and re.match(r"(https?:)?//", source[1])]
    if any(not source.startswith("https://") and not has for source, has in outside):
        return Finding(-50, "scripts from elsewhere, over anything")
    if any(not source.startswith("https://") for source, _ in outside):
        return Finding(-20, "scripts from elsewhere over plain http")
    if not all(has for _, has in outside):
        return Finding(-5, "scripts from elsewhere without integrity")
    return Finding(5, "all with integrity") if scripts and all(has for _, has in scripts) else Finding(0, "own scripts")


def content_type_options(site: Site) -> Finding:
    return (
        Finding(0, "nosniff") if site.headers.get("x-content-type-options") == "nosniff" else Finding(-5, "no nosniff")
    )


def frame_options(site: Site) -> Finding:
    ancestors = re.search(r"frame-ancestors ([^;]+)", site.headers.get("content-security-policy", ""))
    if ancestors and not BROAD & set(ancestors[1].split()):
        return Finding(5, "frame-ancestors")
    return (
        Finding(0, "by header")
        if site.headers.get("x-frame-options") in ("DENY", "SAMEORIGIN")
        else Finding(-20, "none")
    )


RULES = (
    content_security_policy,
    cookies,
    cross_origin_resource_sharing,
    cross_origin_resource_policy,
    redirection,
    referrer_policy,
    transport_security,
    subresource_integrity,
    content_type_options,
    frame_options,
)
