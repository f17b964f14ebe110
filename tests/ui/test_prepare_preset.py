"""A preset of separator and stop never takes the place of one that says something else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from playground.finetune.tables import read
from playground.settings import Settings
from playground.store import Store
from playground.ui import prepare
from playground.ui.uploads import Held

PAIRS = b"prompt,completion\n" + b"".join(b"Where is number %d,It is there %d\n" % (n, n * n) for n in range(12))


async def test_what_was_refused_since_does_not_overwrite_the_preset_of_before(settings: Settings) -> None:
    store, held = Store.open(settings), Held[Any]()
    deps: Any = SimpleNamespace(store=store)
    id_ = held.put(read(PAIRS, "pairs.csv"), 1)

    async def save(*refused: str) -> str:
        said, *_ = await prepare.act(deps, held, {"action": "preset", "id": id_, "refused": list(refused)})
        return str(said["saved"])

    assert await save() == "Fine-tune: pairs"
    assert await save() == "Fine-tune: pairs"
    assert await save("separator", "ending") == "Fine-tune: pairs (2)"
    texts = {row.name: row.content["text"] for row in store.presets()}
    assert texts == {"Fine-tune: pairs": "{{prompt}} ->", "Fine-tune: pairs (2)": "{{prompt}}"}
    store.close()
