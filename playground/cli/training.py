"""What the `finetune` commands ask of servers: which one is meant, and its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from playground.cli.talk import harmless, note
from playground.errors import InvalidRequest, PlaygroundError

if TYPE_CHECKING:
    from playground.client import Client
    from playground.finetune.jobs import Job, Plan


def of_base(base: str, endpoint: str | None) -> tuple[str, str]:
    """The server that trains, and the model as it calls it. Raises PlaygroundError."""
    known = _servers()
    if endpoint is not None and endpoint not in known:
        raise _unknown(endpoint, known, "endpoint")
    before, _, rest = base.partition("/")
    # A base may hold a slash of its own: unsloth/Llama-3.2-1B.
    if rest and before in known and endpoint in (None, before):
        return before, rest
    return endpoint or known[0], base


def of_job(job: str) -> tuple[str, str]:
    """The server and the id of `endpoint/id`; the first server where none is named. Raises PlaygroundError."""
    known = _servers()
    before, slash, rest = job.partition("/")
    if slash and before not in known:
        raise _unknown(before, known, "id")
    return (before, rest) if slash else (known[0], job)


def _servers() -> list[str]:
    from playground.settings import load

    known = [each.name for each in load().endpoints]
    if not known:
        hint = "Set OPENAI_API_KEY, or PLAYGROUND_ENDPOINTS for a server of your own."
        raise PlaygroundError("No server is set up that could train.", hint=hint)
    return known


def _unknown(name: str, known: list[str], param: str) -> InvalidRequest:
    return InvalidRequest(f"There is no server {name!r}.", param=param, hint=f"Known: {', '.join(known)}.")


@asynccontextmanager
async def connected() -> AsyncIterator[Client]:
    """The servers by the settings: no engine is started and no database opened for them."""
    from playground.client import Client
    from playground.settings import load

    settings = load()
    client = Client(settings.endpoints, timeout=settings.timeout)
    try:
        yield client
    finally:
        await client.aclose()


async def changed(server: str, name: str, verb: Literal["cancel", "pause", "resume"]) -> dict[str, Any]:
    """The job as it is after that."""
    async with connected() as client:
        ask = {"cancel": client.cancel_job, "pause": client.pause_job, "resume": client.resume_job}[verb]
        return await ask(server, name)


async def create_job(server: str, plan: Plan, file: Path, validation: Path | None) -> dict[str, Any]:
    async with connected() as client:
        training_id = await _uploaded(client, server, file)
        validation_id = await _uploaded(client, server, validation) if validation else None
        return await client.create_job(server, plan.body(training_id, validation_id))


async def _uploaded(client: Client, server: str, file: Path) -> str:
    tenths = 0

    def report(sent: int, size: int) -> None:
        nonlocal tenths
        if size >= 10_000_000 and 10 * sent // size > tenths:
            tenths = 10 * sent // size
            note(f"{tenths}0 % of {file.name} sent.")

    found: str = (await client.upload(server, file, report=report))["id"]
    note(harmless(f"Uploaded {file.name} as {found}."))
    return found


async def every_job() -> list[tuple[str, dict[str, Any]]]:
    """Every server's jobs. One that fails is told of on stderr, and raised when no server answered."""
    found: list[tuple[str, dict[str, Any]]] = []
    failures: list[PlaygroundError] = []
    _servers()
    async with connected() as client:
        for server in client.endpoints:
            try:
                found += [(server, said) for said in await client.fine_tunes(server)]
            except PlaygroundError as error:
                note(f"{server}: {error.message}", error.hint)
                failures.append(error)
        if failures and len(failures) == len(client.endpoints):
            raise PlaygroundError("No server answered.")
    if not found and not failures:
        note("There are no jobs.")
    return found


async def job_and_checkpoints(server: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from playground.finetune.finished import checkpoints_of

    async with connected() as client:
        return await client.job(server, name), await checkpoints_of(client, server, name)


async def results_file(server: str, name: str) -> bytes:
    from playground.finetune.finished import results_of

    async with connected() as client:
        return (await results_of(client, server, name))[1]


def parsed(said: dict[str, Any]) -> Job:
    from playground.finetune.jobs import parse_job

    return parse_job(said)
