"""What came of one batch: every line as the output that a live call would have left, and what is to be sent again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground import client_errors, pricing
from playground.answers import Answer, Unreadable
from playground.errors import NotFound, PlaygroundError, refused
from playground.evaluate.batch_lines import Line, read
from playground.evaluate.calling import output_of
from playground.evaluate.plan import Plan
from playground.retry import RetryPolicy
from playground.runner import estimated
from playground.store import Output, OutputStatus, Part
from playground.streaming import RunState
from playground.types import Failed

if TYPE_CHECKING:
    from playground.client import Client
    from playground.tokens import Counter

EXPIRED, CANCELLED = "batch_expired", "batch_cancelled"
SMALLER = ("token_limit_exceeded", "file_too_large")
"""Why a server refuses a whole batch that it would take in smaller ones."""
CROWDED = ("token_limit_exceeded", "too_many_tasks")
"""Why it refuses one that it would take when others have ended."""
GOOD = 200


@dataclass(slots=True)
class Merged:
    """`failures` are outcomes that cost nothing; `again` calls that no answer was paid for and that may do better,
    `left` those of a batch that was cancelled, `lost` answers that were given and cannot be had; `smaller` and
    `crowded` say how what is sent again may be taken: in smaller files, when others have ended."""

    failures: list[Output] = field(default_factory=list)
    again: dict[int, str] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    smaller: bool = False
    crowded: bool = False


class Merger:
    """Reads batches of one plan."""

    def __init__(self, plan: Plan, *, client: Client, counter: Counter, retry: RetryPolicy) -> None:
        self._plan, self._client, self._counter, self._retry = plan, client, counter, retry

    async def fetched(self, part: Part, said: dict[str, Any], folder: Path) -> list[Path]:
        """The output and the error file, those that can be had. Raises EndpointError where that may change."""
        found = []
        for kind in ("output", "error"):
            id = said.get(f"{kind}_file_id")
            if not isinstance(id, str) or not id:
                continue
            file = folder / f"{kind}.jsonl"
            try:
                await self._client.fetch_file(part.endpoint, id, file)
            except NotFound:
                continue
            found.append(file)
        return found

    def outcomes(self, part: Part, files: list[Path], known: set[int], merged: Merged) -> Iterator[Output]:
        """The answers that are not `known`, each call's first; everything else goes into `merged`. Blocks."""

        waiting = set(part.calls) - known
        good = len(known)
        bad: dict[int, Line] = {}
        for file in files:
            for line in read(file):
                if line.number not in waiting:
                    continue
                if line.status == GOOD:
                    waiting.discard(line.number)
                    good += 1
                    yield self._answered(part, line)
                else:
                    bad.setdefault(line.number, line)
        # Last: a call that failed in one line and was answered in another was answered.
        for line in bad.values():
            if line.number in waiting:
                waiting.discard(line.number)
                self._failed_line(part, line, merged)
        self._unsaid(part, waiting, good, merged)

    def _failed_line(self, part: Part, line: Line, merged: Merged) -> None:
        error = self._client.line_error(part.endpoint, line.status, line.body or {"error": line.error or {}})
        code = (line.error or {}).get("code")
        if code == CANCELLED:
            merged.left.append(line.number)
        elif code == EXPIRED or self._retry.delay(error, 1) is not None:
            merged.again[line.number] = str(error)
        else:
            merged.failures.append(self.failed(line.number, error, part.attempt))

    def _answered(self, part: Part, line: Line) -> Output:
        """An answer read as a live one would be: it has no latency, since nobody waited for it."""
        call = self._plan.call(line.number)
        request, state, answer = self._plan.request(call), RunState(), Answer()
        server = self._client.endpoints[part.endpoint]
        try:
            events = [*answer.read(line.body), *answer.ending()]
            if not answer.complete:
                events.append(Failed(client_errors.truncated(server)))
        except Unreadable:
            events = [Failed(client_errors.unreadable(server))]
        for event in events:
            state.apply(event)
        usage, choices = state.usage, state.choices()
        if usage is None and any(choice.text or choice.reasoning or choice.tool_calls for choice in choices):
            usage = estimated(request, choices, self._counter)
        kind = self._client.kind_of(part.endpoint)
        cost = pricing.price(request.model, kind, usage, batched=True) if usage else None
        status: OutputStatus = "failed" if state.error is not None else "done"
        output = output_of(call, state, status, usage=usage, cost=cost, attempts=part.attempt)
        return replace(output, latency=None, time_to_first_token=None)

    def _unsaid(self, part: Part, waiting: set[int], good: int, merged: Merged) -> None:
        """The calls that no line speaks of. Where fewer answers can be had than were given, they may be paid for."""
        if not waiting:
            return
        if (part.completed or 0) > good:
            merged.lost.extend(sorted(waiting))
        elif part.status == "cancelled":
            merged.left.extend(sorted(waiting))
        else:
            unsaid = str(refused("batch_unsaid"))
            merged.again |= dict.fromkeys(sorted(waiting), unsaid)

    def refused(self, part: Part, said: dict[str, Any]) -> Merged:
        """Of a batch that the server did not begin: the lines that it names are wrong, the others may be sent again."""
        merged = Merged()
        errors = said.get("errors")
        found = errors.get("data") if isinstance(errors, dict) else None
        named = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        for each in named:
            at = each.get("line")
            if type(at) is int and 0 < at <= len(part.calls):
                error = self._client.line_error(part.endpoint, 400, {"error": each})
                merged.failures.append(self.failed(part.calls[at - 1], error, part.attempt))
        bad = {output.number for output in merged.failures}
        first = named[0] if named else {"message": ""}
        why = str(self._client.line_error(part.endpoint, 400, {"error": first}))
        codes = {str(each.get("code")) for each in named}
        merged.smaller, merged.crowded = not codes.isdisjoint(SMALLER), not codes.isdisjoint(CROWDED)
        merged.again = {number: why for number in part.calls if number not in bad}
        return merged

    def failed(self, number: int, error: PlaygroundError | str, attempt: int) -> Output:
        _, cell, row, repeat = self._plan.call(number)
        return Output(
            number=number, cell=cell, row=row, repeat=repeat, status="failed", attempts=attempt, error=str(error)
        )
