"""What is killed: a process that runs call after call, several at once, within a limit. Prompts tell them apart.

With `engine` as its last argument it asks the embedded engine, too, which it starts and starts again.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path

from playground.catalog import EMBEDDED
from playground.client import Client
from playground.engine_process import EngineProcess
from playground.limits import parse
from playground.limits.meter import Meter
from playground.limits.metered import Metered
from playground.runner import run
from playground.settings import Settings
from playground.store import Store
from playground.tokens import Counter
from playground.types import CompletionRequest, Endpoint, ModelInfo

AT_ONCE = 8
MODEL = "fault-slow:200"
ACCOUNT = "ana"


def metered(store: Store, provider: str) -> Metered:
    client = Client([Endpoint(name="server", kind="compatible", base_url=provider, api_key="working")], timeout=5)

    def info(endpoint: str, model: str) -> ModelInfo:
        return ModelInfo(id=model, endpoint=endpoint, context_length=4_096)

    meter = Meter(store.of(ACCOUNT), parse("100M tokens/day"), Counter(), info_of=info, kind_of=client.kind_of)
    return Metered(client, meter)


async def work(store: Store, client: Metered, endpoint: str = "server", model: str = MODEL) -> None:
    """Ask for ever; what fails is asked again as something else."""
    while True:
        prompt = f"asked {uuid.uuid4().hex}"
        request = CompletionRequest(endpoint=endpoint, model=model, prompt=prompt, max_tokens=16)
        async for _ in run(request, client=client, store=store.of(ACCOUNT), counter=Counter()):
            pass
        await asyncio.sleep(0.02)


async def work_on_engine(store: Store, client: Metered, engine: EngineProcess) -> None:
    """The same of the engine; one that has died so often that it is left alone is started anew."""

    async def awake() -> None:
        while True:
            await asyncio.sleep(0.2)
            if engine.state.phase == "failed":
                engine.launch()

    client.add(engine.endpoint)
    await asyncio.gather(awake(), *(work(store, client, engine.endpoint.name, EMBEDDED) for _ in range(2)))


async def main(folder: str, database: str, provider: str, *more: str) -> None:
    store = Store.open(Settings(data_dir=Path(folder), engine=False, database_url=database or None))
    client = metered(store, provider)
    others = []
    if more == ("engine",):
        engine = EngineProcess(model_path=None, data_dir=Path(folder) / "engine")
        engine.launch()
        await engine.start()
        others.append(work_on_engine(store, client, engine))
    sys.stdout.write("at work\n")
    sys.stdout.flush()
    await asyncio.gather(*others, *(work(store, client) for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
