"""One JSON object a line, with the request id, without personal data: no address, no query, no exception's message."""

import json
import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

OURS = ("lk", "lk_site", "accounts", "deals")  # loggers whose messages hold no personal data
OWN_FIELDS = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"})
FRAMES = 12


class JsonFormatter(logging.Formatter):
    """Writes our records whole; of foreign ones the message stays without its arguments, which may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
        }
        line |= {name: value for name, value in vars(record).items() if name not in OWN_FIELDS and name != "request"}
        if request_id := getattr(getattr(record, "request", None), "id", ""):
            line["request_id"] = request_id
        if record.exc_info and record.exc_info[0]:
            line |= failure(record.exc_info[0], record.exc_info[1], record.exc_info[2])
        return json.dumps(line, ensure_ascii=False, default=str)


def message_of(record: logging.LogRecord) -> str:
    is_ours = record.name.partition(".")[0] in OURS
    if is_ours or not (record.args or record.exc_info):
        return record.getMessage()
    return str(record.msg) if record.args else "failed"


def failure(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> dict[str, Any]:
    """Return which exception came from where; its message may quote a row, so only an SQLSTATE is kept of it."""
    cause = error.__cause__ if error and error.__cause__ else error
    frames = traceback.extract_tb(trace)[-FRAMES:]
    found = {
        "exception": f"{kind.__module__}.{kind.__qualname__}",
        "trace": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if sqlstate := getattr(cause, "sqlstate", None):
        found["sqlstate"] = sqlstate
    return found
