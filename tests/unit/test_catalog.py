"""Which model a name means, which is chosen when nobody has, and what is known of each."""

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from playground.catalog import MAX_NAME, context_length, default_model, describe, facts, resolve
from playground.errors import InvalidRequest
from playground.types import ModelInfo

DATA: dict[str, Any] = json.loads(files("playground").joinpath("data", "models.json").read_text())
LISTED = [
    ModelInfo(id="smollm2", endpoint="local"),
    ModelInfo(id="gpt-4o", endpoint="openai"),
    ModelInfo(id="meta/llama", endpoint="vllm"),
]
SERVERS = ("local", "openai", "vllm")


def test_the_facts_have_a_source_and_a_date() -> None:
    assert set(DATA) == {"source", "as_of", "models"}
    assert date.fromisoformat(DATA["as_of"])


@pytest.mark.parametrize("row", DATA["models"], ids=lambda row: row["id"])
def test_every_fact_is_in_form(row: dict[str, Any]) -> None:
    assert set(row) == {"id", "kind", "context_length", "shutdown_date", "replacement"}
    assert row["kind"] in ("completion", "chat")
    assert type(row["context_length"]) is int
    assert row["context_length"] > 0
    assert row["shutdown_date"] is None or date.fromisoformat(row["shutdown_date"])
    assert row["replacement"] is None or row["replacement"] in facts()
    assert [r["id"] for r in DATA["models"]].count(row["id"]) == 1


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4-0613", "gpt-4"),
        ("ft:gpt-3.5-turbo-0125:org::id", "gpt-3.5-turbo"),
        ("curie:ft-org-2023-01-01", "curie"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("davinci-002", "davinci-002"),
        ("nobodys", None),
        ("", None),
    ],
)
def test_snapshots_and_fine_tunes_are_described_by_their_base(model: str, known: str | None) -> None:
    found = describe(model)
    assert (found and found.id) == known


@pytest.mark.parametrize(
    ("changes", "length"),
    [
        ({"context_length": 5, "meta": {"max_model_len": 6}}, 5),
        ({"meta": {"context_length": 7}}, 7),
        ({"meta": {"max_model_len": 4_096}}, 4_096),
        ({"meta": {"n_ctx_train": 2_048}}, 2_048),
        ({"meta": {"max_model_len": 0, "n_ctx_train": 9}}, 9),
        ({"meta": {"max_model_len": "4096"}}, None),
        ({"meta": {"max_model_len": True}}, None),
        ({"meta": {"max_model_len": -1}}, None),
        ({}, None),
        ({"id": "gpt-4"}, 8_192),
        ({"id": "gpt-4", "context_length": 100}, 100),
    ],
)
def test_the_context_is_what_the_server_says_else_what_is_known(changes: dict[str, Any], length: int | None) -> None:
    assert context_length(ModelInfo(**{"id": "m", "endpoint": "server", **changes})) == length


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([], None),
        (["gpt-4o"], "gpt-4o"),
        (["gpt-4o", "davinci-002"], "davinci-002"),
        (["gpt-4o", "smollm2"], "smollm2"),
        (["smollm2", "davinci-002"], "smollm2"),
        (["ft:gpt-4o:o::i", "ft:davinci-002:o::i"], "ft:davinci-002:o::i"),
    ],
)
def test_the_first_that_can_complete_is_chosen(names: list[str], chosen: str | None) -> None:
    found = default_model([ModelInfo(id=name, endpoint="server") for name in names])
    assert (found and found.id) == chosen


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("local/smollm2", "local/smollm2"),
        ("smollm2", "local/smollm2"),
        ("  smollm2 ", "local/smollm2"),
        ("meta/llama", "vllm/meta/llama"),
        ("vllm/meta/llama", "vllm/meta/llama"),
        ("openai/not-listed", "openai/not-listed"),
        ("vllm/a/b/c", "vllm/a/b/c"),
    ],
)
def test_a_name_means_a_model(name: str, ref: str) -> None:
    assert resolve(name, LISTED, SERVERS).ref == ref


def test_with_one_server_any_name_is_its() -> None:
    assert resolve("typed/by-hand", [], ("server",)).ref == "server/typed/by-hand"


@pytest.mark.parametrize(
    "name", ["", " ", "nobodys", "other/m", "local/", "a\nb", "\0", "a" * (MAX_NAME + 1), "\u202e"]
)
def test_what_means_no_model_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve(name, LISTED, SERVERS)
    assert caught.value.param == "model"


def test_a_typing_mistake_is_answered_with_what_was_meant() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve("smolm2", LISTED, SERVERS)
    assert "smollm2" in caught.value.hint
