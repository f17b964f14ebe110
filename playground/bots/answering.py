"""One question to its answer: what is remembered, what it may cost, the run, and what it did cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from playground.bots import budget, replies
from playground.bots.asking import Asking
from playground.bots.budget import Amount, Budget
from playground.bots.splitting import split
from playground.bots.state import State, Turn
from playground.bots.updates import Incoming
from playground.deps import Deps
from playground.errors import ContextExceeded, EndpointError, PlaygroundError, refused
from playground.pricing import per_million
from playground.runner import Progress, run
from playground.tokens import TokenCount
from playground.types import CompletionRequest, Request
from playground.words import Language
from playground.worst_case import longest, worst_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a chat is remembered: messages, a question and its answer being two, and their tokens."""

    messages: int = 20
    tokens: int = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """Asks the model. `say` hears what failed, for the bot's owner."""

    deps: Deps
    asking: Asking
    state: State
    say: Callable[[str], None]
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=Limits)

    async def answer(self, incoming: Incoming, is_current: Callable[[], bool]) -> list[str]:
        """The parts to be sent, kept in the state; kind words where it failed. `is_current`: whether the chat that
        this belongs to has not been reset meanwhile."""
        language = incoming.language
        try:
            request, counted = await self._fitting(incoming)
        except PlaygroundError as error:
            return self._unasked(incoming, self._failed(error, language))
        most = self._most(request, counted)
        day = budget.today()
        if not self.budget.holds(self.state.spent(day=day)[0], most):
            return self._unasked(incoming, replies.over_budget(language))
        number = self.state.asking(incoming, day, most)
        last = await self._run(request, incoming.text)
        text, turn = self._text(last, language), None
        parts = split(text)
        answered = last.state.error is None and bool(_answer(last))
        if answered and self.asking.remembers and is_current():
            turn = await self._turn(incoming.text, _answer(last))
        self.state.settled(incoming, parts, number=number, actual=_actual(last), turn=turn)
        if turn is not None and not is_current():
            self.state.keep_turns(incoming.chat, 0)
        elif turn is not None:
            self.state.keep_turns(incoming.chat, len(self._remembered(incoming.chat)))
        return parts

    def check(self) -> None:
        """Refuse a limit that could not hold. Raises InvalidRequest."""
        request = self.asking.request("?")
        kind = self.deps.client.kind_of(self.asking.info.endpoint)
        if self.budget.limits and longest(request, self.asking.info, 1) is None:
            raise refused("telegram_unlimited", param="budget")
        if self.budget.dollars is not None and worst_cost(request, self.asking.info, kind, 1) is None:
            raise refused("telegram_no_price", param="budget", model=self.asking.info.ref)

    @property
    def priced(self) -> bool:
        """Whether it is known what an answer costs."""
        return per_million(self.asking.info.id, self.deps.client.kind_of(self.asking.info.endpoint)) is not None

    def _unasked(self, incoming: Incoming, text: str) -> list[str]:
        parts = split(text)
        self.state.answered(incoming.update_id, parts)
        return parts

    def _failed(self, error: PlaygroundError, language: Language) -> str:
        self.say(f"A message was not answered: {error}")
        return replies.failure(error, language)

    async def _fitting(self, incoming: Incoming) -> tuple[Request, TokenCount]:
        """The request with as many turns as fit the memory's limits and the model's context, and its tokens."""
        turns = self._remembered(incoming.chat) if self.asking.remembers else []
        while True:
            request = self.asking.request(incoming.text, turns)
            counted = await self._count(request)
            tokens = counted.tokens
            context = self.asking.context
            most = longest(request, self.asking.info, 0) or 0
            if context is None or tokens + min(most, context // 2) <= context:
                return request, counted
            if not turns:
                if tokens >= context:
                    raise ContextExceeded("The message is longer than the model's context.")
                return request, counted
            turns = turns[1:]

    async def _count(self, request: Request) -> TokenCount:
        """By the model's own tokenizer; a guess where its server does not answer, which the run then finds out."""
        try:
            return await self.deps.count_request(_written(request), None, self.asking.info)
        except EndpointError:
            return TokenCount(len(str(_written(request))) // 4, None, exact=False)

    def _remembered(self, chat: int) -> list[Turn]:
        """The newest turns within the limits, oldest first."""
        found: list[Turn] = []
        left = self.limits.tokens
        for turn in reversed(self.state.turns(chat)):
            left -= turn.tokens
            if left < 0 or 2 * (len(found) + 1) > self.limits.messages:
                break
            found.insert(0, turn)
        return found

    async def _turn(self, question: str, answer: str) -> Turn:
        counted = await self.deps.count(f"{question}\n{answer}", self.asking.info)
        return Turn(question, answer, counted.tokens)

    def _most(self, request: Request, counted: TokenCount) -> Amount:
        """What the run may take at most. No tokenizer makes more tokens than bytes: that bounds a prompt whose tokens
        are not known exactly, with JSON's own marks for those of a chat's template. A server's count of a text is not
        exact for that: it may begin a prompt with a token of its own."""
        info = self.asking.info
        kind = self.deps.client.kind_of(info.endpoint)
        tokens = counted.tokens
        if not counted.exact or (kind != "openai" and isinstance(request, CompletionRequest)):
            tokens = max(tokens, len(json.dumps(_written(request), ensure_ascii=False, default=list).encode()))
        most = longest(request, info, counted.tokens) or 0
        dollars = worst_cost(request, info, kind, tokens)
        return Amount(tokens=tokens + most, picodollars=budget.picodollars(dollars))

    async def _run(self, request: Request, text: str) -> Progress:
        deps, mode = self.deps, self.asking.preset.mode
        asked = {**request.body(), **self.asking.kept(text)}
        running = run(request, client=deps.client, store=deps.store, counter=deps.counter, mode=mode, asked=asked)
        async with aclosing(running) as progress:
            *_, last = [each async for each in progress if each.finished]
        if last.store_error is not None:
            self.say(f"A run is not kept in the history. {last.store_error}")
        return last

    def _text(self, last: Progress, language: Language) -> str:
        """The answer as it is sent. What had come before a failure was paid for, and is sent with word of it."""
        answer, error = _answer(last), last.state.error
        if error is not None:
            failed = self._failed(error, language)
            return f"{answer}\n\n{failed}" if answer else failed
        if not answer:
            return replies.said("empty", language)
        cut = any(choice.finish_reason == "length" for choice in last.run.choices)
        return f"{answer} […]" if cut else answer


def _answer(last: Progress) -> str:
    """The text without NUL, which no message can hold, and without what surrounds it."""
    return last.run.choices[0].text.replace("\0", "").strip() if last.run.choices else ""


def _written(request: Request) -> dict[str, Any]:
    return {"prompt": request.prompt} if isinstance(request, CompletionRequest) else request.body()


def _actual(last: Progress) -> Amount:
    usage = last.run.usage
    return Amount(tokens=usage.total_tokens if usage else 0, picodollars=budget.picodollars(last.run.cost))
