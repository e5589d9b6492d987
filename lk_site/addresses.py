"""Where a request comes from. Limits, audit and sessions ask here, and nowhere else."""

import ipaddress
from functools import cache, lru_cache
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(request: HttpRequest) -> str | None:
    """Return the address of who asks, or None if the server does not know it (a socket file without a proxy).

    Only the last `TRUSTED_HOPS` entries of `X-Forwarded-For` were written by proxies of ours: everything before them is
    what the client chose to say.
    """
    forwarded = trusted_entry(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    return parsed(forwarded) or parsed(request.META.get("REMOTE_ADDR", ""))


def is_secure(request: HttpRequest) -> bool:
    """Return whether the client speaks TLS, by the same trust as `client_address`."""
    forwarded = trusted_entry(request.META.get("HTTP_X_FORWARDED_PROTO", ""))
    scheme: str = forwarded or request.META.get("wsgi.url_scheme", "http")
    return scheme.lower() == "https"


def page_before(request: HttpRequest) -> SplitResult | None:
    """Return the page of ours that a form or a fragment stood on, None where the browser tells of none or another's.

    People are sent back there, so a path that a browser would take for another host is none of ours.
    """
    told = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    try:
        page = urlsplit(told)
    except ValueError:  # brackets around what is no address
        return None
    is_ours = page.netloc == request.get_host() and url_has_allowed_host_and_scheme(page.path, allowed_hosts=None)
    return page if is_ours else None


def source(address: str | None) -> str:
    """Return what counts as one source: an IPv4 address, or an IPv6 /64, which one household or phone gets."""
    return of_network(address, ipv4=32, ipv6=64)


def network(address: str | None) -> str:
    """Return the neighbourhood of a source: the /24 of an IPv4 address, the /48 of an IPv6 one."""
    return of_network(address, ipv4=24, ipv6=48)


def is_office(address: str | None) -> bool:
    """Return whether the address lies in one of the networks that settings name as offices."""
    return address is not None and any(
        ipaddress.ip_address(address) in one for one in offices(*settings.OFFICE_SOURCES)
    )


@cache
def offices(*networks: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(one, strict=False) for one in networks]


def of_network(address: str | None, *, ipv4: int, ipv6: int) -> str:
    if not address:
        return "unknown"
    prefix = ipv6 if ":" in address else ipv4
    return str(ipaddress.ip_network((address, prefix), strict=False))


def trusted_entry(header: str) -> str:
    """Return the entry that the outermost trusted proxy added, or nothing where no proxy is trusted or none added one.

    A shorter list came past the outer proxies: its first entry was still written by an inner one.
    """
    hops: int = settings.TRUSTED_HOPS
    if not hops or not header:
        return ""
    entries = header.split(",")
    return entries[max(len(entries) - hops, 0)].strip()


@lru_cache(4096)
def parsed(text: str) -> str | None:
    """Return an address without port, brackets and zone, an IPv4 one inside IPv6 as itself; None for anything else."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address: Address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    inside = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(inside or address)
