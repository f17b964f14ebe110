"""What is killed: a process that runs call after call, several at once, within a limit. Prompts tell them apart."""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path

from playground.client import Client
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


async def work(store: Store, client: Metered) -> None:
    """Ask for ever; what fails is asked again as something else."""
    while True:
        request = CompletionRequest(endpoint="server", model=MODEL, prompt=f"asked {uuid.uuid4().hex}", max_tokens=16)
        async for _ in run(request, client=client, store=store.of(ACCOUNT), counter=Counter()):
            pass
        await asyncio.sleep(0.02)


async def main(folder: str, database: str, provider: str) -> None:
    store = Store.open(Settings(data_dir=Path(folder), engine=False, database_url=database or None))
    client = metered(store, provider)
    sys.stdout.write("at work\n")
    sys.stdout.flush()
    await asyncio.gather(*(work(store, client) for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
