"""Keys never appear in a page, a log or an error. Everything a server or a library says goes through `redact` first."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

MASK = "[key removed]"

#: What looks like a key although we do not know it: provider prefixes, bearer tokens, and the half-masked form in
#: which OpenAI repeats a wrong key ("sk-abc*****wxyz").
_LOOKS_LIKE_A_KEY = re.compile(
    r"(?:sk|pk|rk|hf|gsk|xai|key)[-_][A-Za-z0-9_\-*.]{6,}|(?i:bearer)\s+[^\s\"',]+|(?i:api[-_]?key)[\"']?\s*[:=]\s*[^\s\"',]+"
)


def redact(text: str, keys: Iterable[str] = ()) -> str:
    """`text` without any of `keys` and without what looks like one."""
    for key in sorted(filter(None, keys), key=len, reverse=True):
        text = text.replace(key, MASK)
    return _LOOKS_LIKE_A_KEY.sub(MASK, text)


class RedactingFormatter(logging.Formatter):
    """Wraps a formatter, so that tracebacks are redacted as well as messages."""

    def __init__(self, inner: logging.Formatter, keys: Iterable[str]) -> None:
        super().__init__()
        self._inner = inner
        self._keys = tuple(keys)

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._inner.format(record), self._keys)


def install_log_redaction(keys: Iterable[str]) -> None:
    """Redact everything the process logs from here on, whichever library logs it."""
    known = tuple(keys)
    logging.basicConfig(level=logging.WARNING)
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for handler in [h for logger in loggers for h in logger.handlers]:
        inner = handler.formatter or logging.Formatter()
        if not isinstance(inner, RedactingFormatter):
            handler.setFormatter(RedactingFormatter(inner, known))
