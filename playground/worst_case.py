"""What one call may take at most, in tokens and dollars: what is set aside before it is sent."""

from __future__ import annotations

from decimal import Decimal

from playground import catalog, pricing
from playground.types import CompletionRequest, EndpointKind, ModelInfo, Request


def worst_cost(
    request: Request, info: ModelInfo, kind: EndpointKind, prompt_tokens: int, *, batched: bool = False
) -> Decimal | None:
    """Dollars that one call may cost at most: what is reserved of a budget before it is sent. None: price unknown, or
    nothing limits the answer."""
    most = longest(request, info, prompt_tokens)
    return None if most is None else price_of(request, info, kind, prompt_tokens, most, None, batched)


def longest(request: Request, info: ModelInfo, prompt_tokens: int) -> int | None:
    """Tokens that all of a call's answers together may have; None where nothing limits them."""
    context = catalog.context_length(info)
    room = None if context is None else max(0, context - prompt_tokens)
    if isinstance(request, CompletionRequest):
        limit: int | None = pricing.SERVER_MAX_TOKENS if request.max_tokens is None else request.max_tokens
        answers = max(request.n or 1, request.best_of or 1)
    else:
        limit = request.max_completion_tokens if request.max_completion_tokens is not None else request.max_tokens
        answers = request.n or 1
    each = min((value for value in (limit, room) if value is not None), default=None)
    return None if each is None else each * answers


def price_of(
    request: Request,
    info: ModelInfo,
    kind: EndpointKind,
    prompt_tokens: int,
    tokens: int,
    price_as: str | None,
    batched: bool,
) -> Decimal | None:
    return pricing.estimate(
        model=info.id,
        kind=kind,
        prompt_tokens=prompt_tokens,
        max_tokens=tokens,
        price_as=price_as if kind == "engine" else None,
        batched=batched,
    ).worst
