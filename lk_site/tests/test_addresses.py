from typing import Any

import pytest
from django.test import RequestFactory

from lk_site.addresses import client_address, is_secure, network, source


def address(**meta: str) -> str | None:
    request = RequestFactory().get("/")
    request.META |= {"REMOTE_ADDR": "10.0.0.1", **meta}
    return client_address(request)


def test_nobody_is_believed_by_default():
    assert address(HTTP_X_FORWARDED_FOR="1.2.3.4") == "10.0.0.1"


@pytest.mark.parametrize(
    ("hops", "header", "expected"),
    [
        (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (2, "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        (2, "1.2.3.4", "1.2.3.4"),
        (1, "", "10.0.0.1"),
        (1, "6.6.6.6, rubbish", "10.0.0.1"),
        (1, "1.2.3.4:5678", "1.2.3.4"),
        (1, "[2001:db8::1]:5678", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "::ffff:1.2.3.4", "1.2.3.4"),
    ],
)
def test_exactly_the_trusted_hops_are_believed(settings: Any, hops: int, header: str, expected: str):
    settings.TRUSTED_HOPS = hops
    assert address(HTTP_X_FORWARDED_FOR=header) == expected


def test_an_unknown_address_is_none_and_still_a_source():
    assert address(REMOTE_ADDR="") is None
    assert source(None) == network(None) == "unknown"


def test_the_scheme_is_believed_of_the_same_proxies(settings: Any):
    forged = RequestFactory().get("/", HTTP_X_FORWARDED_PROTO="https")
    assert not is_secure(forged)
    settings.TRUSTED_HOPS = 1
    assert is_secure(forged)
    assert not is_secure(RequestFactory().get("/", HTTP_X_FORWARDED_PROTO="https, http"))


def test_sources_and_networks_of_both_families():
    assert (source("1.2.3.4"), network("1.2.3.4")) == ("1.2.3.4/32", "1.2.3.0/24")
    assert source("2001:db8:1:2:3::1") == source("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network("2001:db8:1:2::1") == "2001:db8:1::/48"
