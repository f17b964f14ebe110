"""Turns what happened into component values. Plain functions over plain data: no gradio, no waiting, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from playground import pricing
from playground.accepts import LeftOut
from playground.errors import PlaygroundError, refused
from playground.finetune.trained import Lacks
from playground.parameters import escape
from playground.runner import Progress
from playground.streaming import RunState
from playground.structured import problem_with
from playground.tokens import TokenCount
from playground.types import Choice, CompletionRequest, EndpointKind, Request, Run, TokenLogprob, Usage
from playground.words import LANGUAGES, Language, Said

Value = dict[str, Any]
HALF = "bytes:"


@dataclass(frozen=True, slots=True)
class Page:
    """What the editor holds: the text and the UTF-16 ranges in it that a model wrote."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, value: Any) -> Page:
        """From the browser, so checked. Raises InvalidRequest; marks that make no sense are dropped."""
        text = value.get("text") if isinstance(value, dict) else None
        if not isinstance(text, str):
            raise refused("no_editor_text", param="prompt")
        length, at, marks = utf16(text), 0, []
        given = value.get("marks")
        for mark in given if isinstance(given, Sequence) else ():
            if isinstance(mark, Sequence) and len(mark) == 2 and all(type(edge) is int for edge in mark):
                start, end = mark
                if at <= start < end <= length:
                    marks.append((start, end))
                    at = end
        return cls(text, tuple(marks))

    @property
    def asked(self) -> str:
        """The text without an answer that stands at its end."""
        if not self.marks or self.marks[-1][1] != utf16(self.text):
            return self.text
        before = self.text.encode("utf-16-le", "surrogatepass")[: 2 * self.marks[-1][0]]
        return before.decode("utf-16-le", "surrogatepass")

    def with_generated(self, generated: str) -> Page:
        """This page with `generated` at its end, marked."""
        if not generated:
            return self
        start = utf16(self.text)
        return Page(self.text + generated, (*self.marks, (start, start + utf16(generated))))

    def value(self, *, busy: bool) -> Value:
        return {"text": self.text, "marks": [list(mark) for mark in self.marks], "busy": busy}


def utf16(text: str) -> int:
    """The length the browser counts: an emoji is two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def continued(page: Page, request: CompletionRequest, state: RunState) -> Page:
    """The page with the first choice in place. Several choices wait beside it until one is kept."""
    if (request.n or 1) > 1:
        return page
    choices = state.choices()
    return page.with_generated(_new_part(request, choices[0].text)) if choices else page


def lacking(said: Lacks | None) -> Value | None:
    """What the prompt lacks, as the panel writes it: `\\n` for a line break."""
    if said is None:
        return None
    return {
        "tone": "info",
        "lacks": {"append": said.separator, "separator": escape(said.separator), "ending": escape(said.ending)},
    }


def cards(request: Request, state: RunState, *, busy: bool, run: int) -> Value:
    """The choices side by side, or the one choice's probabilities; empty when there is neither. `run` is theirs."""
    several = (request.n or 1) > 1
    # 0 alternatives on /v1/completions is still a probability a token; on a chat it is a boolean.
    if not several and (request.logprobs is None or request.logprobs is False):
        return {"cards": []}
    choices = {choice.index: choice for choice in state.choices()}
    shown = [choices.get(i) or Choice(index=i, text="") for i in range(request.n or 1)]
    echo = isinstance(request, CompletionRequest) and bool(request.echo)
    return {"cards": [_card(choice) for choice in shown], "keep": several, "busy": busy, "echo": echo, "run": run}


def _card(choice: Choice) -> Value:
    tokens = [_token(logprob) for logprob in whole_characters(choice.logprobs)]
    card = {"index": choice.index, "text": choice.text, "finish": choice.finish_reason, "tokens": tokens}
    if choice.reasoning:
        card["reasoning"] = choice.reasoning
    return {**card, "calls": calls(choice)} if choice.tool_calls else card


def answer(choice: Choice) -> Value:
    """What a model said, as the page's scripts read it."""
    return {
        "text": choice.text,
        "reasoning": choice.reasoning,
        "calls": calls(choice),
        "finish": choice.finish_reason,
    }


def calls(choice: Choice) -> list[Value]:
    return [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in choice.tool_calls]


def _token(said: TokenLogprob) -> list[Any]:
    chance = None if said.logprob is None else round(said.logprob, 4)
    # Half a character cannot be picked: what follows it would have to be picked with it.
    top = [[text, round(logprob, 4)] for text, logprob in said.top if not text.startswith(HALF)]
    return [said.token, chance, top]


def whole_characters(tokens: Sequence[TokenLogprob]) -> list[TokenLogprob]:
    """Tokens that are parts of one character (OpenAI writes them `bytes:\\xe2\\x80`) as one, with their joint
    probability and no alternatives; while the last character is still half there, without its parts."""
    whole: list[TokenLogprob] = []
    raw, logprob = b"", 0.0
    for said in tokens:
        if not said.token.startswith(HALF) and not raw:
            whole.append(said)
            continue
        raw += _raw(said.token)
        logprob += said.logprob or 0.0
        try:
            whole.append(TokenLogprob(raw.decode("utf-8"), logprob))
        except UnicodeDecodeError:
            continue
        raw, logprob = b"", 0.0
    return whole


def _raw(token: str) -> bytes:
    if not token.startswith(HALF):
        return token.encode("utf-8", "surrogatepass")
    try:
        return bytes.fromhex(token.removeprefix(HALF).replace("\\x", ""))
    except ValueError:
        return token.encode("utf-8", "surrogatepass")


def _new_part(request: CompletionRequest, text: str) -> str:
    """Under `echo` the prompt comes first: only what follows it is new in the editor."""
    if not request.echo:
        return text
    return text[len(request.prompt) :] if text.startswith(request.prompt) else ""


def next_run(count: TokenCount, estimate: pricing.Estimate, *, context: int | None, priced_as: str | None) -> Value:
    """The counter: what the next run reads, may write, and costs."""
    about = "" if count.exact else "≈ "
    cells = [_cell("prompt", f"{about}{count.tokens:,} {{tokens}}", title=count.encoding or "")]
    if context:
        taken = count.tokens + estimate.completion_per_choice
        over = taken > context
        cells.append(
            _cell(
                "context",
                f"{about}{taken:,} {{of}} {context:,}",
                note="{too_long}" if over else f"{taken / context:.0%}",
                tone="limit" if over else "",
            )
        )
    note = f"{{as_price}} {priced_as}" if priced_as and estimate.expected is not None else ""
    cells.append(_cell("expected", _money(estimate.expected, about=True), note=note))
    cells.append(_cell("worst", _money(estimate.worst, about=not count.exact)))
    return {"cells": cells}


def last_run(progress: Progress, *, session: tuple[int, Decimal], kind: EndpointKind, price_as: str) -> Value:
    """What the run took, and the session's total (tokens, dollars) with it."""
    cells = figures(progress.run, kind=kind, price_as=price_as, speed=progress.state.tokens_per_second)
    if session[0]:
        cells.append(session_cell(*session))
    return {"cells": cells, "notice": ended(progress)}


def figures(run: Run, *, kind: EndpointKind, price_as: str, speed: float | None = None) -> list[Value]:
    """What a run took: tokens, cost, times; `speed` in tokens a second, which nothing keeps."""
    cells: list[Value] = []
    if run.usage is not None:
        about = "≈ " if run.usage.estimated else ""
        cells.append(
            _cell(
                "usage",
                f"{about}{run.usage.prompt_tokens:,} {{in}} · {run.usage.completion_tokens:,} {{out}}",
                note=_thinking(run.usage),
            )
        )
        cells.append(_cost(run.cost, run.usage, kind=kind, price_as=price_as))
    if run.latency is not None and run.choices:
        cells.append(_cell("latency", seconds(run.latency)))
        if run.time_to_first_token is not None:
            cells.append(_cell("ttft", seconds(run.time_to_first_token)))
        if speed:
            cells.append(_cell("speed", f"{speed:,.0f} {{tokens}}/s"))
    return cells


def _thinking(usage: Usage) -> str:
    """How much of what was written, and is paid for, was thought."""
    return f"{{of_which}} {usage.reasoning_tokens:,} {{of_thinking}}" if usage.reasoning_tokens else ""


def _cost(cost: Decimal | None, usage: Usage, *, kind: EndpointKind, price_as: str) -> Value:
    if kind != "engine":
        return _cell("cost", _money(cost, about=usage.estimated))
    would = pricing.price_as(price_as, usage)
    return _cell("cost", _money(would, about=True), note=f"{{as_price}} {price_as}", title="{local_price}")


def session_cell(tokens: int, spent: Decimal) -> Value:
    text = f"{tokens:,} {{tokens}}"
    return _cell("session", text + (f" · {pricing.format_money(spent)}" if spent else ""))


def sum_cell(key: str, amount: Decimal | None, *, note: str, about: bool) -> Value:
    """Dollars of several runs; None where nobody knows a price of any."""
    return _cell(key, _money(amount, about=about), note=note)


def with_left_out(last: Value, left_out: Sequence[LeftOut]) -> Value:
    """The last run's line with what was not sent, and why."""
    cells = [_cell("left_out", left.param, note=f"{{left_out_{left.reason}}}", tone="limit") for left in left_out]
    return {**last, "cells": [*last["cells"], *cells]}


def ended(progress: Progress) -> Value | None:
    """What there is to say of a run that ended; None where the text says it all."""
    run, state = progress.run, progress.state
    if state.error is not None:
        return failure(state.error, kept=any(choice.text or choice.reasoning for choice in run.choices))
    if progress.store_error is not None:
        return failure(progress.store_error, key="notice_store")
    if run.status == "stopped":
        return {"tone": "info", "key": "notice_stopped"}
    misfit = _misfit(run)
    if misfit is not None:
        return misfit
    if any(choice.tool_calls for choice in run.choices):
        return {"tone": "info", "key": "notice_call"}
    if not any(choice.text for choice in run.choices):
        if any(choice.reasoning and choice.finish_reason == "length" for choice in run.choices):
            return {"tone": "info", "key": "notice_thinking_cut"}
        return {"tone": "info", "key": "notice_empty"}
    if len(run.choices) == 1 and run.choices[0].finish_reason == "length":
        return {"tone": "info", "key": "notice_cut"}
    return None


def _misfit(run: Run) -> Value | None:
    """Whether the answers are the JSON that was asked for; None where nothing was, or where a function is called."""
    wanted = run.effective_request.get("response_format")
    if not wanted or wanted.get("type") == "text":
        return None
    for choice in run.choices:
        problem = None if choice.tool_calls else problem_with(choice.text, wanted)
        if problem is not None:
            return {"tone": "error", "key": "notice_misfit", "message": f"{problem[0].upper()}{problem[1:]}."}
    return {"tone": "info", "key": "notice_fits"}


def failure(error: PlaygroundError, *, kept: bool = False, key: str = "notice_error", reader: Language = "en") -> Value:
    """`texts`, where the error has them in every language: a script that knows the reader's draws a run's line.

    `param`, where it is about one field: a form says it there.
    """
    message, hint = error.texts(reader)
    param = getattr(error, "param", None)
    return {
        **_texts(error),
        **({"param": param} if param else {}),
        "tone": "limit" if error.kind in ("RateLimited", "QuotaExceeded", "LimitReached", "ServerBusy") else "error",
        "key": "notice_kept" if kept else key,
        "kind": error.kind,
        "own": error.translated,
        "message": message,
        "hint": hint,
    }


def near(limit: Said) -> Value:
    """That a limit is nearly reached, in every language."""
    return {"tone": "limit", "key": "notice_near", "texts": {each: [limit.text(each), ""] for each in LANGUAGES}}


def _texts(error: PlaygroundError) -> Value:
    return {"texts": {each: list(error.texts(each)) for each in LANGUAGES}} if error.translated else {}


def waiting(state: RunState) -> Value | None:
    """What a run that has no text yet is doing: waiting, or counting down to its next attempt."""
    if state.retrying is not None and state.retry_in is not None:
        again = state.retrying
        return {
            **_texts(again.error),
            "tone": "limit",
            "key": "notice_retry",
            "attempt": again.attempt,
            "attempts": again.attempts,
            "seconds": f"{state.retry_in:.0f}",
            "message": again.error.message,
            "kind": again.error.kind,
        }
    if state.first_token_at:
        return None
    if state.place and state.loading is None:
        return {"tone": "info", "key": "notice_queued", "place": str(state.place), "busy": True}
    if state.loading is not None:
        return {"tone": "info", "key": "notice_loading", "seconds": f"{state.loading:.0f}", "busy": True}
    return {"tone": "info", "key": "notice_waiting"}


def seconds(value: float) -> str:
    """Below a second in milliseconds."""
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def _money(amount: Decimal | None, *, about: bool) -> str:
    if amount is None:
        return "{price_unknown}"
    return ("≈ " if about else "") + pricing.format_money(amount)


def _cell(key: str, text: str, *, note: str = "", tone: str = "", title: str = "") -> Value:
    return {"key": key, "text": text, "note": note, "tone": tone, "title": title}
