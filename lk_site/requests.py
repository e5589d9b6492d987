"""The request as Django makes it, but for what a Content-Type breaks before any of our middleware stands around it."""

from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


class Request(WSGIRequest):
    """A request whose query and form are read as UTF-8, whatever encoding its Content-Type names.

    Django decodes the query in that encoding while it makes the request, where it handles no errors yet: an encoding
    that is none of text (`rot13`), or too many parameters, would end in the server's own 500.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (LookupError, ValueError):  # a parameter in an encoding that nobody knows
            self.content_type, self.content_params = "", {}


class Handler(WSGIHandler):
    """Django's handler over our request."""

    request_class = Request
