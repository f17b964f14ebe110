"""A limit of $1.00 hammered by 50 clients, in two processes over one SQLite file."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.harness import ANSWER, ROOT, Figure, fake_server
from playground import pricing
from playground.client import Client
from playground.limits import Limits, parse
from playground.limits.meter import Meter
from playground.limits.metered import Metered
from playground.settings import Settings
from playground.store import Store, ledger
from playground.tokens import Counter
from playground.types import ChatRequest as Chat
from playground.types import Endpoint, Failed, Message, ModelInfo, UsageReported

CLIENTS, PROCESSES, LIMIT = 50, 2, Decimal(1)
MODEL = "gpt-4"


def measure() -> list[Figure]:
    with fake_server() as server, tempfile.TemporaryDirectory() as folder:
        arguments = [sys.executable, "-m", "benchmarks.limits", server, folder]
        children = [subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
        paid = [json.loads(child.communicate()[0]) for child in children]
        store = Store.open(Settings(data_dir=Path(folder), engine=False))
        spent = sum((each.cost for each in store.ledger.spent(since=ledger.today().replace(day=1))), Decimal(0))
        store.close()
    seen = sum((Decimal(each["cost"]) for each in paid), Decimal(0))
    calls = sum(each["calls"] for each in paid)
    told = f"{calls} calls of {CLIENTS} clients in {PROCESSES} processes"
    return [
        Figure("spent of a limit of $1.00 that is hammered", float(spent), float(LIMIT), False, "$", told),
        Figure("of that, not accounted for to a picodollar", float(abs(spent - seen)), 0, False, "$"),
    ]


def _metered(client: Client, store: Store, account: str, limits: Limits) -> Metered:
    def info(endpoint: str, model: str) -> ModelInfo:
        return ModelInfo(id=model, endpoint=endpoint)

    meter = Meter(store.of(account), limits, Counter(), info_of=info, kind_of=client.kind_of)
    return Metered(client, meter)


def _client(server: str) -> Client:
    return Client([Endpoint(name="openai", base_url=server, kind="openai", api_key="benchmark")])


def _request() -> Chat:
    return Chat(endpoint="openai", model=MODEL, messages=(Message(role="user", content="Count"),), max_tokens=ANSWER)


async def _hammer(client: Client) -> tuple[int, Decimal]:
    """Ask until it is refused: calls that were answered, and what they cost by what the server said."""
    calls, cost = 0, Decimal(0)
    while True:
        events = [event async for event in client.stream(_request())]
        if isinstance(events[-1], Failed):
            return calls, cost
        usage = next(event.usage for event in events if isinstance(event, UsageReported))
        calls, cost = calls + 1, cost + (pricing.price(MODEL, "openai", usage) or 0)


async def _hammered(server: str, folder: str) -> dict[str, Any]:
    store, client = Store.open(Settings(data_dir=Path(folder), engine=False)), _client(server)
    limits = parse(f"${LIMIT}/day")
    several = [_metered(client, store, f"v{number}", limits) for number in range(CLIENTS // PROCESSES)]
    found = await asyncio.gather(*map(_hammer, several))
    await client.aclose()
    store.close()
    return {"calls": sum(calls for calls, _ in found), "cost": str(sum((cost for _, cost in found), Decimal(0)))}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_hammered(*sys.argv[1:3]))))
