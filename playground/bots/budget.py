"""A day's limit for everything a bot asks of its model. A day begins at midnight UTC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal

from playground.errors import refused

_TOKENS = re.compile(r"(\d[\d,_]{0,14}) ?(?:t|tokens?)", re.IGNORECASE | re.ASCII)
_DOLLARS = re.compile(r"\$? ?(\d{1,9}(?:\.\d{1,12})?)(?: ?(?:\$|usd))?", re.IGNORECASE | re.ASCII)

PICO = 10**12
"""Dollars are kept as whole picodollars, as the store does: sums are exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Tokens and picodollars: what was spent, or may be at most. An unknown price counts nothing."""

    tokens: int = 0
    picodollars: int = 0

    @property
    def dollars(self) -> Decimal:
        return Decimal(self.picodollars) / PICO


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent a day. None: no limit."""

    tokens: int | None = None
    dollars: Decimal | None = None

    @property
    def limits(self) -> bool:
        return self.tokens is not None or self.dollars is not None

    def holds(self, spent: Amount, more: Amount) -> bool:
        """Whether `more` may be spent beside what is spent and reserved. Exactly the limit may."""
        if self.tokens is not None and spent.tokens + more.tokens > self.tokens:
            return False
        return self.dollars is None or spent.picodollars + more.picodollars <= int(self.dollars * PICO)


def parse(given: Sequence[str]) -> Budget:
    """`0.50` or `$0.50` are dollars, `20000 tokens` tokens; one of each at most. Raises InvalidRequest."""
    tokens: int | None = None
    dollars: Decimal | None = None
    for text in given:
        in_tokens = _TOKENS.fullmatch(text.strip())
        in_dollars = _DOLLARS.fullmatch(text.strip())
        if in_tokens and tokens is None:
            tokens = int(re.sub("[,_]", "", in_tokens[1]))
        elif in_dollars and dollars is None:
            dollars = Decimal(in_dollars[1])
        else:
            raise refused("telegram_budget", param="budget", text=text[:40])
    if 0 in (tokens, dollars):
        raise refused("telegram_no_budget", param="budget")
    return Budget(tokens=tokens, dollars=dollars)


def picodollars(dollars: Decimal | None) -> int:
    """Whole picodollars, rounded up: a limit is never passed by a rounding."""
    return 0 if dollars is None else int((dollars * PICO).to_integral_value(ROUND_CEILING))


def today() -> str:
    return datetime.now(UTC).date().isoformat()
