"""Nothing that looks like a key gets through, and ordinary text does."""

from __future__ import annotations

import io
import logging
import sys
import traceback
from collections.abc import Iterator

import pytest

from playground.redact import MASK, RedactedStream, install_log_redaction, redact

CANARY = "canary-Zk93hdQx77TopSecret"

SECRETS = [
    "sk-proj-abc123DEF456ghi789",
    "sk-ant-api03-AbCdEf123456",
    "sk-abc1*****************wxyz",
    "abcd1234**********wxyz",
    "hf_AbCdEfGh1234567890",
    "gsk_AbCdEfGh1234567890",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "123456789:AAF-abcdefghijklmnopqrstuvwxyz01234",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "Incorrect API key provided: {}.", 'x="{}"', "({})", "\n{}\n", "a,{},b"])
def test_what_looks_like_a_key_is_removed_wherever_it_stands(secret: str, around: str) -> None:
    clean = redact(around.format(secret))
    assert secret not in clean
    assert secret[4:12] not in clean
    assert MASK in clean


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abc.DEF-123_456", "abc.DEF"),
        ("{'authorization': 'Bearer tok3n-value'}", "tok3n"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpw"),
        ('{"api_key": "hello-there"}', "hello-there"),
        ("api-key=hello-there&x=1", "hello-there"),
        ("OPENAI_API_KEY=whatever", "whatever"),
        ("postgresql://me:hunter2@db/x", "hunter2"),
    ],
)
def test_what_stands_where_a_key_stands_is_removed(text: str, secret: str) -> None:
    assert secret not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "A task-specific, risk-averse and disk-usage-aware desk-2 plan.",
        "monkey-patching, key-value-store, hf_model",
        "Use **bold** and *italic*, then a rule:\n\n---\n",
        "Check OPENAI_API_KEY in .env or the environment, then restart.",
        "The bearer of bad news; basic knowledge; a secret recipe.",
        "http://127.0.0.1:8000/v1 at 12:30:45",
        "gpt-4o-mini-2024-07-18 and ft:gpt-3.5-turbo-0125:org::abc123",
        "",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text, [CANARY]) == text


def test_a_known_key_is_removed_whatever_it_looks_like() -> None:
    assert redact("the key is plainword!", ["plainword"]) == f"the key is {MASK}!"


def test_of_two_keys_the_longer_goes_first_and_nothing_is_masked_twice() -> None:
    assert redact("abcdef abcd", ["abcd", "abcdef", "removed", ""]) == f"{MASK} {MASK}"


def test_a_key_with_special_characters_is_taken_literally() -> None:
    assert redact("x a.b*c+(d) aXbbc", ["a.b*c+(d)"]) == f"x {MASK} aXbbc"


def test_a_long_text_is_redacted_in_linear_time() -> None:
    text = "a-" * 200_000 + "*" * 200_000 + "eyJ" * 100_000
    assert redact(text)  # it would run for minutes if a pattern went back and forth


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger with its own handler, and redaction that is taken out again."""
    factory, stderr = logging.getLogRecordFactory(), sys.stderr
    install_log_redaction(lambda: [CANARY])
    logger, written = logging.getLogger("test_redact"), io.StringIO()
    handler = logging.StreamHandler(written)  # added after the installation, as uvicorn does
    logger.addHandler(handler)
    yield logger, written
    logger.removeHandler(handler)
    logging.setLogRecordFactory(factory)
    sys.stderr = stderr


def test_a_log_message_is_redacted(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    logger.warning("using %s and %d", CANARY, 3)
    logger.warning(f"using {CANARY}")
    logger.warning("using %(key)s", {"key": CANARY})
    logger.warning("using %s", ValueError(CANARY))
    assert CANARY not in written.getvalue()
    assert written.getvalue().count(MASK) == 4
    assert "and 3" in written.getvalue()


def test_a_logged_traceback_is_redacted_with_its_causes(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    try:
        try:
            raise ValueError(f"Bearer {CANARY}")
        except ValueError as exc:
            raise RuntimeError(CANARY) from exc
    except RuntimeError:
        logger.exception("failed")
    assert "RuntimeError" in written.getvalue()
    assert CANARY not in written.getvalue()


def test_arguments_keep_their_places_for_formatters_that_use_them(log: tuple[logging.Logger, io.StringIO]) -> None:
    record = logging.getLogRecordFactory()(
        "uvicorn.access", logging.INFO, "x", 1, '%s - "%s %s" %d', ("1.2.3.4", "GET", f"/?key={CANARY}", 200), None
    )
    assert record.args == ("1.2.3.4", "GET", f"/?key={MASK}", 200)


def test_a_wrong_format_string_does_not_raise_where_it_is_logged(log: tuple[logging.Logger, io.StringIO]) -> None:
    logging.getLogRecordFactory()("x", logging.INFO, "x", 1, "%d %d", ("one",), None)


def test_a_traceback_that_is_printed_is_redacted(
    log: tuple[logging.Logger, io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    install_log_redaction(lambda: [CANARY])
    try:
        raise ValueError(f"Bearer {CANARY}")
    except ValueError:
        traceback.print_exc()  # what Gradio does with an exception of a handler
    assert "ValueError" in written.getvalue()
    assert CANARY not in written.getvalue()


def test_installed_again_it_wraps_nothing_twice(log: tuple[logging.Logger, io.StringIO]) -> None:
    install_log_redaction(lambda: ["another-key"])
    assert isinstance(sys.stderr, RedactedStream)
    assert not isinstance(sys.stderr.inner, RedactedStream)
    logger, written = log
    logger.warning("another-key")
    assert written.getvalue() == f"{MASK}\n"
