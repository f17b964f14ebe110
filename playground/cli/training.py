"""What the `finetune` commands ask of servers: which one is meant, and its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from playground.cli.talk import harmless, note
from playground.errors import InvalidRequest, PlaygroundError

if TYPE_CHECKING:
    from playground.client import Client
    from playground.client.tuned import Kind
    from playground.finetune.jobs import Job, Plan
    from playground.types import Endpoint

Servers = Sequence["Endpoint"]
"""Those that a command asks: `served` has them."""


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


def of_model(model: str) -> tuple[str, str]:
    """The server and the name of `endpoint/model`, else of a model on the first server. Raises PlaygroundError."""
    return of_base(model, None)


def on_this_machine(server: str) -> bool:
    """Whether that is the embedded engine, which trains as long as somebody keeps it running."""
    from playground.engine_process import NAME
    from playground.settings import load

    settings = load()
    return server == NAME and settings.engine and all(each.name != NAME for each in settings.endpoints)


def _servers() -> list[str]:
    from playground.engine_process import NAME
    from playground.settings import load

    settings = load()
    known = [each.name for each in settings.endpoints]
    if settings.engine and NAME not in known:
        known.append(NAME)
    if not known:
        hint = "Set OPENAI_API_KEY, PLAYGROUND_ENDPOINTS for a server of your own, or PLAYGROUND_ENGINE=on."
        raise PlaygroundError("No server is set up that could train.", hint=hint)
    return known


def _unknown(name: str, known: list[str], param: str) -> InvalidRequest:
    return InvalidRequest(f"There is no server {name!r}.", param=param, hint=f"Known: {', '.join(known)}.")


@contextmanager
def served(server: str | None = None) -> Iterator[Servers]:
    """The servers by the settings, no database opened for them; the embedded engine among them, which runs until the
    block ends, where it is the one that is asked or all of them are. Raises PlaygroundError."""
    from playground.engine_process import NAME, EngineProcess
    from playground.settings import load

    settings = load()
    _servers()
    if not on_this_machine(server or NAME):
        yield settings.endpoints
        return
    data = settings.data_dir
    engine = EngineProcess(
        model_path=settings.model_path,
        log_path=data / "engine.log",
        data_dir=data / "engine",
        models_dir=data / "models",
        model_memory=settings.model_memory,
    )
    engine.launch()
    try:
        yield (*settings.endpoints, engine.wait_ready())
    finally:
        engine.close()


@asynccontextmanager
async def connected(servers: Servers) -> AsyncIterator[Client]:
    from playground.client import Client
    from playground.settings import load

    client = Client(servers, timeout=load().timeout)
    try:
        yield client
    finally:
        await client.aclose()


async def changed(
    servers: Servers, server: str, name: str, verb: Literal["cancel", "pause", "resume"]
) -> dict[str, Any]:
    """The job as it is after that."""
    async with connected(servers) as client:
        ask = {"cancel": client.cancel_job, "pause": client.pause_job, "resume": client.resume_job}[verb]
        return await ask(server, name)


async def create_job(servers: Servers, server: str, plan: Plan, file: Path, validation: Path | None) -> dict[str, Any]:
    from playground.limits import limits_of
    from playground.settings import load

    limits_of(load()).check_job(next((each.kind for each in servers if each.name == server), "compatible"))
    async with connected(servers) as client:
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


async def every_job(servers: Servers) -> list[tuple[str, dict[str, Any]]]:
    """Every server's jobs. One that fails is told of on stderr, and raised when no server answered."""
    found: list[tuple[str, dict[str, Any]]] = []
    failures: list[PlaygroundError] = []
    async with connected(servers) as client:
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


async def job_and_checkpoints(servers: Servers, server: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from playground.finetune.finished import checkpoints_of

    async with connected(servers) as client:
        return await client.job(server, name), await checkpoints_of(client, server, name)


async def results_file(servers: Servers, server: str, name: str) -> bytes:
    from playground.finetune.finished import results_of

    async with connected(servers) as client:
        return (await results_of(client, server, name))[1]


async def deleted(servers: Servers, server: str, model: str) -> dict[str, Any]:
    async with connected(servers) as client:
        return await client.delete_model(server, model)


async def exported(servers: Servers, server: str, model: str, out: Path, kind: Kind) -> int:
    """The bytes of the file `out`."""
    tenths = 0

    def report(come: int, size: int) -> None:
        nonlocal tenths
        if 10 * come // size > tenths:
            tenths = 10 * come // size
            note(f"{tenths}0 % of {size / 1e6:,.0f} MB.")

    async with connected(servers) as client:
        note("Putting base and fine-tune together …")
        return await client.export_model(server, model, out, kind=kind, report=report)


def parsed(said: dict[str, Any]) -> Job:
    from playground.finetune.jobs import parse_job

    return parse_job(said)
