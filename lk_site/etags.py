"""Versions on the wire: `ETag: "<version>.<digest of this body>"`, `If-None-Match` of reads, `If-Match` of changes."""

import functools
import hashlib
import re
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Status

from lk_site.operations import rendered

TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')
VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
NO_VERSION = 0  # rows start at 1: what cannot be read matches nothing


def etagged(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Give the answer the `ETag` of what the operation returns, a row or a `Status` of one; 304 where it is known."""

    @functools.wraps(operation)
    def tagged(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        result = operation(request, *args, **kwargs)
        row = result.value if isinstance(result, Status) else result
        return with_etag(request, rendered(request, result, kwargs), row.version)

    tagged.has_etag = True  # type: ignore[attr-defined]
    return tagged


def with_etag(request: HttpRequest, response: HttpResponse, version: int) -> HttpResponse:
    """Tag an answer that is ready; for a read that the asker has already, return 304 instead."""
    tag = etag(version, response.content)
    if request.method == "GET" and is_known(request.headers.get("If-None-Match", ""), tag):
        return HttpResponse(status=304, headers={"ETag": tag})
    response["ETag"] = tag
    return response


def etag(version: int, body: bytes) -> str:
    """Return the tag of a version in one form: masked and open bodies of one version differ."""
    return f'"{version}.{hashlib.sha256(body).hexdigest()[:16]}"'


def is_known(header: str, tag: str) -> bool:
    return header.strip() == "*" or tag.strip('"') in TAG.findall(header)


def if_match(request: HttpRequest) -> int | None:
    """Return the version that the asker changes, for `require_version`: None, so 428, where he names none.

    `"7"`, `"7.<digest>"` and `W/"7.<digest>"` are version 7. Of several the newest is taken. `*` names none: who
    changes a row says what he has seen. A header that holds no tag of ours is a version that never was, so 412.
    """
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    versions = [tag.partition(".")[0] for tag in TAG.findall(header)]
    return max((int(version) for version in versions if VERSION.fullmatch(version)), default=NO_VERSION)
