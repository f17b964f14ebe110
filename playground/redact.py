"""Keys never appear in a page, a log or an error. Everything a server or a library says goes through `redact` first."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TextIO

MASK = "[key removed]"

SHORTEST = 4
"""A shorter "key" (a one-letter password) would blank half of every text without hiding anything."""

#: What looks like a key although we do not know it. Word boundaries matter: "task-specific" holds "sk-specific".
_LOOKS_LIKE_A_KEY = "|".join(
    (
        r"(?<![A-Za-z0-9])(?:sk|pk|rk|hf|gsk|xai|nvapi|r8|pplx|fw|ghp|github_pat)[-_](?=[\w*.-]*[\d*.])[\w*.-]{8,}",
        r"(?<![A-Za-z0-9])(?:AIza[\w-]{30,}|AKIA[A-Z0-9]{12,}|eyJ[\w-]{10,}\.[\w-]+\.[\w-]+)",
        r"(?<!\d)\d{8,10}:[\w-]{35}(?!\w)",  # a Telegram bot's token
        r"[\w-]+\*{3,}[\w*-]*",  # OpenAI repeats a wrong key half-masked: "abcd*****wxyz"
        r"(?i:\bbearer|\bbasic)\s+(?=[\w.~+/=*-]*[\d*])[\w.~+/=*-]{6,}",
        r"(?i:api[-_ ]?key|access[-_]token|secret|password)[\"']?\s*[:=]\s*[\"']?[^\s\"',&}]+",
        r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)",  # postgresql://user:password@host
    )
)


@lru_cache(maxsize=32)
def _pattern(keys: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern and one pass, so that nothing is replaced inside a replacement. Longer keys first."""
    known = sorted({key for key in keys if len(key) >= SHORTEST}, key=len, reverse=True)
    return re.compile("|".join((*map(re.escape, known), _LOOKS_LIKE_A_KEY)))


def redact(text: str, keys: Iterable[str] = ()) -> str:
    """`text` without any of `keys` and without what looks like one."""
    return _pattern(tuple(keys)).sub(MASK, text)


def forget_keys() -> None:
    """Keys that are no longer used are in no pattern any more."""
    _pattern.cache_clear()


def install_log_redaction(keys: Callable[[], Iterable[str]] = tuple) -> None:
    """From here on, redact everything this process logs or writes to stderr, whichever library does it.

    `keys` are asked for each time: visitors bring some and take them away.

    Log records are redacted where they are made, so that a handler added later (uvicorn's) sees none unredacted;
    stderr too, since Gradio prints tracebacks to it without logging. Called again, it replaces the keys.
    """
    made = logging.getLogRecordFactory()
    logging.setLogRecordFactory(RedactedRecords(made.inner if isinstance(made, RedactedRecords) else made, keys))
    stream = sys.stderr.inner if isinstance(sys.stderr, RedactedStream) else sys.stderr
    sys.stderr = RedactedStream(stream, keys)


class RedactedRecords:
    """A log record factory around another one."""

    def __init__(self, inner: Callable[..., logging.LogRecord], keys: Callable[[], Iterable[str]]) -> None:
        self.inner = inner
        self._keys = keys

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        return _redacted(self.inner(*args, **kwargs), tuple(self._keys()))


def _redacted(record: logging.LogRecord, keys: tuple[str, ...]) -> logging.LogRecord:
    """`record` without keys in message and traceback. One that holds none keeps its arguments: formatters use them."""
    try:
        message = record.getMessage()
    except (TypeError, ValueError):  # a wrong format string is the logging module's to report
        return record
    if redact(message, keys) != message:
        if isinstance(record.args, tuple):
            record.args = tuple(redact(a, keys) if isinstance(a, str) else a for a in record.args)
        clean = redact(record.getMessage(), keys)
        if clean != record.getMessage():
            record.msg, record.args = clean, None
    if record.exc_info:
        # A formatter prints `exc_text` where there is one, instead of formatting the exception itself.
        record.exc_text = redact(logging.Formatter().formatException(record.exc_info), keys)
        record.exc_info = None
    return record


class RedactedStream:
    """A text stream that redacts what is written to it; everything else is the inner stream's."""

    def __init__(self, inner: TextIO, keys: Callable[[], Iterable[str]]) -> None:
        self.inner = inner
        self._keys = keys

    def write(self, text: str) -> int:
        self.inner.write(redact(text, self._keys()))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
