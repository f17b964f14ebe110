"""A job followed to its end: what it has become, again and again, whatever happens to the connection meanwhile."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from playground.client_errors import NO_SUCH_ROUTE
from playground.errors import BadStream, ConnectionFailed, EndpointError
from playground.finetune.jobs import PAUSED, Event, Job, Metric, merged, parse_event, parse_job
from playground.finetune.live import Live, live, newest
from playground.retry import RetryPolicy

if TYPE_CHECKING:
    from playground.client import Client

State = Literal["following", "reconnecting", "ended"]
MOST_DOUBLINGS = 30
"""A server that is away for a night must not take 2 to the power of its failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A job as it is known now. `new` are the events that no snapshot before this one had.

    `progress` is 0 to 1 and `eta` in seconds, None where unknown, `live` what events tell besides the
    metrics. While reconnecting, `error` says why and `retry_in` when it is tried again, in seconds. The
    last snapshot is the one whose state is `ended`.
    """

    job: Job
    state: State = "following"
    new: tuple[Event, ...] = ()
    metrics: tuple[Metric, ...] = ()
    live: Live = field(default_factory=Live)
    progress: float | None = None
    eta: float | None = None
    error: EndpointError | None = None
    retry_in: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a job is looked at: every `quick` seconds while things happen, less and less up to `slow` seconds.

    `retry` says how long to wait for a server that is away; it is waited for until whoever follows has had enough.
    """

    quick: float = 2.0
    slow: float = 15.0
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(attempts=2 * MOST_DOUBLINGS, cap=30, longest=600))

    def interval(self, quiet: int) -> float:
        """Seconds until the next look, after `quiet` looks that found nothing new."""
        return min(self.slow, self.quick * 1.5 ** min(quiet, MOST_DOUBLINGS))

    def again(self, error: EndpointError, failures: int) -> float | None:
        """Seconds until a failed look is tried again; None where waiting does not help."""
        if isinstance(error, BadStream):  # half an answer, or a proxy's page: a server on its way down or up
            error = ConnectionFailed(error.message)
        return self.retry.delay(error, min(failures, MOST_DOUBLINGS))


class Story:
    """What is known of a job so far. Adds up; asks nobody."""

    def __init__(self, job: Job | None = None) -> None:
        self.job = job
        self.known: set[str] = set()
        self._metrics: tuple[Metric, ...] = ()
        self._marks: list[tuple[int, float]] = []
        self._told: dict[str, float] = {}

    def add(self, job: Job, events: Sequence[Event]) -> tuple[Event, ...]:
        """Take in what a look found; the events among it that are new, each once."""
        fresh = tuple({event.id: event for event in events if event.id not in self.known}.values())
        self.job = job
        self.known.update(event.id for event in fresh)
        measured = [event.metric for event in fresh if event.metric is not None]
        self._told = newest(self._told, fresh)
        if measured:
            self._metrics = merged([*self._metrics, *measured])
        self._marks += [(e.metric.step, e.created) for e in fresh if e.metric is not None and e.created is not None]
        if job.status == PAUSED:
            self._marks.clear()  # how long it rests says nothing of how fast it goes
        return fresh

    def snapshot(self, job: Job, now: float, **about: Any) -> Snapshot:
        """`now` is in Unix seconds."""
        progress, eta = self._progress(job), self._eta(job, now)
        return Snapshot(job=job, metrics=self._metrics, live=live(self._told), progress=progress, eta=eta, **about)

    def _progress(self, job: Job) -> float | None:
        if job.status == "succeeded":
            return 1.0
        step, total = steps(self._metrics)
        return step / total if total else None

    def _eta(self, job: Job, now: float) -> float | None:
        """By the server's own estimate, else by the pace of the steps on the server's clock."""
        if job.ended or job.status == PAUSED:
            return None
        if job.estimated_finish is not None and job.estimated_finish > now:
            return job.estimated_finish - now
        step, total = steps(self._metrics)
        if total is None or not self._marks:
            return None
        (first, began), (last, at) = min(self._marks), max(self._marks)
        return (at - began) / (last - first) * (total - step) if last > first and at >= began else None


def steps(metrics: Sequence[Metric]) -> tuple[int, int | None]:
    """The last step, and of how many as the server last said."""
    totals = [metric.total_steps for metric in metrics if metric.total_steps]
    step = metrics[-1].step if metrics else 0
    return step, max(step, totals[-1]) if totals else None


async def follow(
    client: Client,
    endpoint: str,
    job_id: str,
    *,
    job: Job | None = None,
    pace: Pace | None = None,
    clock: Callable[[], float] = time.time,
) -> AsyncGenerator[Snapshot]:
    """Snapshots of a job, one whenever something has changed, until it has ended.

    Every event comes once and in order, however often the connection breaks or the server is started anew. Raises a
    PlaygroundError: for the first look (unless `job` is known, from its creation), and where waiting does not help.
    Closing the generator ends the following and not the job.
    """
    pace = pace or Pace()
    story, shown, failures, quiet = Story(job), None, 0, 0
    while True:
        try:
            found, events = await _look(client, endpoint, job_id, story)
        except EndpointError as error:
            failures += 1
            delay = None if story.job is None else pace.again(error, failures)
            if delay is None or story.job is None:
                raise
            plain = error.with_traceback(None)  # its frames hold the request, and with it the key
            yield story.snapshot(story.job, clock(), state="reconnecting", error=plain, retry_in=delay)
            await pace.retry.sleep(delay)
            continue
        new = story.add(found, events)
        changed = bool(new) or found != shown or failures > 0
        shown, failures, quiet = found, 0, 0 if changed else quiet + 1
        if changed:
            yield story.snapshot(found, clock(), new=new)
        await pace.retry.sleep(pace.interval(quiet))
        if found.ended:
            # A server may say that a job has ended a moment before it writes down the last event.
            late = story.add(found, await _last_events(client, endpoint, job_id, story))
            yield story.snapshot(found, clock(), state="ended", new=late)
            return


async def _look(client: Client, endpoint: str, job_id: str, story: Story) -> tuple[Job, list[Event]]:
    """The job first: what has happened by the time it has ended is then among the events."""
    job = parse_job(await client.job(endpoint, job_id))
    return job, await _events(client, endpoint, job_id, story)


async def _events(client: Client, endpoint: str, job_id: str, story: Story) -> list[Event]:
    try:
        return [parse_event(each) for each in await client.events(endpoint, job_id, known=story.known)]
    except EndpointError as error:
        # The server has just told of the job: it has no events.
        if error.status in NO_SUCH_ROUTE:
            return []
        raise


async def _last_events(client: Client, endpoint: str, job_id: str, story: Story) -> list[Event]:
    try:
        return await _events(client, endpoint, job_id, story)
    except EndpointError:
        return []  # the end is known, and so is all that had been said by then
