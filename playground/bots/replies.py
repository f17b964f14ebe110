"""What the bot says by itself, in the language of whom it answers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from playground.bots.budget import Amount, Budget
from playground.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    EngineError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PlaygroundError,
    QuotaExceeded,
    RateLimited,
    TimedOut,
)
from playground.pricing import format_money
from playground.words import Language, Said

COMMANDS = ("start", "reset", "cost", "help")


def said(key: str, language: Language, **args: str | int | float | Said) -> str:
    return Said(f"bot.{key}", args).text(language)


def command_lines(language: Language) -> str:
    return "\n".join(f"/{name} – {said(f'command_{name}', language)}" for name in COMMANDS)


def failure(error: PlaygroundError, language: Language) -> str:
    """Kind words for a failure. What the server itself said is for the bot's owner, not for whoever writes to it."""
    if isinstance(error, InvalidRequest):
        return said("too_long", language)
    if isinstance(error, (QuotaExceeded, AuthenticationFailed, PermissionDenied, NotFound)):
        return said("not_set_up", language)
    if isinstance(error, RateLimited):
        return said("rate_limited", language)
    if isinstance(error, (ConnectionFailed, TimedOut, EngineError)):
        return said("unreachable", language)
    return said("failed", language)


def cost(
    language: Language,
    *,
    today: tuple[Amount, int],
    ever: tuple[Amount, int],
    everyone: Amount,
    budget: Budget,
    priced: bool,
) -> str:
    """What this chat has used, and what is left of the day's limit, which is everyone's."""
    lines = []
    for key, (amount, answers) in (("cost_today", today), ("cost_ever", ever)):
        money = format_money(amount.dollars) if priced else Said("bot.no_price")
        lines.append(said(key, language, answers=answers, tokens=amount.tokens, money=money))
    if budget.tokens is not None:
        lines.append(said("left_tokens", language, tokens=max(0, budget.tokens - everyone.tokens)))
    if budget.dollars is not None:
        left = max(budget.dollars - everyone.dollars, Decimal(0))
        lines.append(said("left_dollars", language, money=format_money(left)))
    return "\n".join(lines)


def over_budget(language: Language) -> str:
    now = datetime.now(UTC)
    return said("over_budget", language, hours=24 - now.hour)
