"""The log as JSON, one object a line, with the id of the request that a line belongs to."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from playground.settings import Settings

REQUEST_ID: ContextVar[str] = ContextVar("playground_request_id", default="")
"""The request that is being answered; empty outside of one."""
FIELDS = "fields"
"""A record's own figures: `log.info("run", extra={FIELDS: {…}})`."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, request, and its own fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := REQUEST_ID.get():
            line["request"] = request
        line |= getattr(record, FIELDS, {})
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line, ensure_ascii=False, default=str)


def install_logs(settings: Settings) -> None:
    """Let this process log to stderr as the settings say. As text only what went wrong is said, as it always was."""
    if settings.log != "json":
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("playground").setLevel(logging.INFO)
