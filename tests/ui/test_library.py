"""The library behind the page: who may ask, what comes back, and what is said of models. Files of this machine only."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground import catalog
from playground.deps import Deps
from playground.library import Installed
from playground.library.offers import offers
from playground.listing import Found
from playground.types import Endpoint, ModelInfo
from playground.ui import better, library, library_rows
from playground.ui.strings import EN, ES
from tests.fakes import tiny_models
from tests.ui.test_handlers import HOSTILE

HOST: Any = SimpleNamespace(client=SimpleNamespace(host="127.0.0.1"), headers={"host": "127.0.0.1:7860"}, request=None)
VISITOR: Any = SimpleNamespace(
    client=SimpleNamespace(host="192.168.1.9"), headers={"host": "127.0.0.1:7860"}, request=None
)
SPANISH = "¿Cuál es la capital de Francia?"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tiny_models.write(tmp_path / "Mine.gguf")


async def ask(deps: Deps, action: str, *, who: Any = HOST, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = (await library.act(deps, {"action": action, "n": 1, **more}, who))[0]
    return said


async def fetched(deps: Deps, file: Path) -> None:
    begun = (await ask(deps, "pull", source=str(file)))["begun"]
    assert deps.library.wait(begun, timeout=30).phase == "done"


async def test_a_visitor_is_told_nothing_and_changes_nothing(deps: Deps, file: Path) -> None:
    await fetched(deps, file)
    assert await ask(deps, "state", who=VISITOR, open=True) == {"n": 1, "of": "state", "host": False}
    for action in set(library.ACTIONS) - {"state"}:
        said = await ask(deps, action, who=VISITOR, id="mine", source=str(file), accept=True)
        assert set(said) == {"n", "of", "notice"}
        assert "on the machine that Playground runs on" in said["notice"]["message"]
    assert [model.id for model in deps.library.installed()] == ["mine"]


async def test_on_a_shared_page_nobody_is_the_host_without_signing_in(deps: Deps) -> None:
    deps.settings = type(deps.settings)(data_dir=deps.settings.data_dir, shared=True)
    assert (await ask(deps, "state"))["host"] is False


async def test_the_panel_is_told_what_is_offered_here_and_coming(deps: Deps, file: Path) -> None:
    await fetched(deps, file)
    said = await ask(deps, "state", open=True)
    assert [model["id"] for model in said["models"]] == ["mine"]
    assert said["models"][0]["removable"] is True
    assert [each["phase"] for each in said["downloads"]] == ["done"]
    assert said["offers"][0]["licence"]["url"].startswith("https://")
    assert said["machine"]["total"] > said["machine"]["free"] > 0
    assert said["offline"] == ""
    # What goes over the line again and again is short.
    assert "offers" not in await ask(deps, "state")


async def test_a_licence_that_must_be_accepted_is_named_and_nothing_begins(deps: Deps) -> None:
    said = await ask(deps, "pull", source="llama-3.2-1b-instruct", language="es")
    assert "Llama 3.2 Community License" in said["notice"]["message"]
    assert "aceptar" in said["notice"]["message"]
    assert deps.library.downloads() == ()


async def test_a_model_is_removed_and_its_base_named(deps: Deps, file: Path) -> None:
    await fetched(deps, file)
    said = await ask(deps, "remove", id="mine")
    assert said["removed"].endswith("/mine")
    assert deps.library.installed() == ()
    again = await ask(deps, "remove", id="mine")
    assert "no model mine" in again["notice"]["message"]


async def test_a_model_that_the_engine_does_not_list_is_not_chosen(deps: Deps, file: Path) -> None:
    await fetched(deps, file)
    said = await ask(deps, "use", id="mine", language="es")
    assert "use" not in said
    assert "El motor no sirve mine" in said["notice"]["message"]


async def test_a_download_that_failed_is_put_aside(deps: Deps, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + bytes(100))
    begun = (await ask(deps, "pull", source=str(bad)))["begun"]
    deps.library.wait(begun, timeout=30)
    (row,) = (await ask(deps, "state", language="es"))["downloads"]
    assert row["phase"] == "failed"
    assert "GGUF" in row["error"]["message"]
    await ask(deps, "cancel", id=begun)
    assert (await ask(deps, "state"))["downloads"] == []


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:40])
async def test_a_hostile_value_is_said_and_no_crash(deps: Deps, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    await library.act(deps, value, HOST)
    for action in library.ACTIONS:
        for field in ("id", "source", "accept", "open", "language"):
            await ask(deps, action, **{field: value})
    assert "a handler failed" not in caplog.text


# --- rows ---


@pytest.mark.parametrize(
    ("memory", "said"),
    [(999, "fits"), (1_000, "fits"), (1_001, "tight"), (4_000, "tight"), (4_001, "too_large"), (None, None)],
)
def test_whether_a_model_fits_is_said_to_the_byte(memory: int | None, said: str | None) -> None:
    assert library_rows.fit(memory, total=4_000, free=1_000) == said


@pytest.mark.parametrize(("memory", "said"), [(2_000, "fits"), (2_001, "over_budget"), (4_001, "too_large")])
def test_what_the_settings_allow_goes_before_what_is_free(memory: int, said: str) -> None:
    assert library_rows.fit(memory, total=4_000, free=1_000, most=2_000) == said
    assert library_rows.fit(2_000, total=None, free=None, most=2_000) == "fits"


def test_a_machine_that_does_not_tell_its_memory_refuses_nothing() -> None:
    assert library_rows.fit(10**12, total=None, free=None) is None


@pytest.mark.parametrize(
    ("meta", "trainer", "memory"),
    [
        ({}, None, None),
        ({"trainable": None}, "", None),
        ({"trainable": "numpy", "training_memory": 5}, "numpy", 5),
        ({"trainable": "torch", "training_memory": None}, "torch", None),
        ({"trainable": "<b>", "training_memory": "much"}, "", None),
    ],
)
def test_which_trainer_takes_a_model_is_what_its_server_says(
    meta: dict[str, Any], trainer: str | None, memory: int | None
) -> None:
    assert library_rows.training(meta) == {"trainable": trainer, "training_memory": memory}


def test_models_are_the_engines_own_then_those_of_the_folder_and_no_fine_tunes() -> None:
    infos = [
        ModelInfo(id=catalog.EMBEDDED, endpoint="local", meta={"size_bytes": 7}),
        ModelInfo(id="ft:mine:local:x:1", endpoint="local"),
        ModelInfo(id="mine", endpoint="local", context_length=99, meta={"loaded": True, "memory": 12}),
    ]
    rows = library_rows.models(infos, [_installed("mine"), _installed("new")], default=catalog.EMBEDDED)
    assert [(row["id"], row["default"], row["removable"], row["loaded"]) for row in rows] == [
        (catalog.EMBEDDED, True, False, False),
        ("mine", False, True, True),
        ("new", False, True, False),
    ]
    assert [(row["ref"], row["memory"], row["context"]) for row in rows[1:]] == [
        ("local/mine", 12, 99),
        (None, 50, 512),
    ]


def _installed(id: str) -> Installed:
    return Installed(
        id=id,
        title=id.title(),
        path=Path(f"{id}.gguf"),
        bytes=40,
        source=None,
        sha256=None,
        licence=None,
        licence_url=None,
        languages=("es",),
        architecture="llama",
        context=512,
        memory=50,
        memory_context=512,
        chat_template=True,
        date=None,
    )


def test_a_model_says_how_many_fine_tunes_do_not_answer_without_it() -> None:
    ids = ("mine", "ft:mine:local:a:1", "ft:mine:local:a:1:ckpt-step-5", "ft:mine:local:b:2", "ft:other:local:c:3")
    infos = [ModelInfo(endpoint="local", id=id) for id in ids]
    (row,) = library_rows.models(infos, [_installed("mine")], default=None)
    assert row["tunes"] == 2
    assert library_rows.models(infos[:1], [_installed("mine")], default=None)[0]["tunes"] == 0


def test_every_offer_is_described_in_both_languages() -> None:
    keys = {f"library_about_{offer.id}" for offer in offers()}
    assert keys == {key for key in EN if key.startswith("library_about_")}
    assert keys <= set(ES)


# --- a better model, at the moment it matters ---


@pytest.fixture
def engine(deps: Deps) -> ModelInfo:
    """A server that says it is the engine, and its own small model."""
    deps.client.add(Endpoint(name="local", kind="engine", base_url="http://127.0.0.1:9/v1"))
    small = ModelInfo(id=catalog.EMBEDDED, endpoint="local")
    deps.listing.replace({"local": Found(models=[small])})
    return small


@pytest.mark.parametrize(
    "written",
    [
        {"prompt": SPANISH},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": SPANISH}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": SPANISH}]}]},
        {"messages": [{"role": "user", "content": SPANISH}, {"role": "user", "content": " "}]},
    ],
)
def test_spanish_for_the_small_model_is_answered_with_an_offer(
    deps: Deps, engine: ModelInfo, written: dict[str, Any]
) -> None:
    assert better.offer(deps, engine, written) == {"tone": "info", "key": "notice_spanish", "offer": {}}


def test_a_better_model_that_is_here_is_named_the_loaded_before_the_largest(deps: Deps, engine: ModelInfo) -> None:
    def named() -> dict[str, Any]:
        said = better.offer(deps, engine, {"prompt": SPANISH})
        assert said is not None
        return dict(said["offer"])

    spanish = {"languages": ["en", "es"]}
    others = [
        ModelInfo(id="english", endpoint="local", meta={"languages": ["en"], "size_bytes": 900}),
        ModelInfo(id="ft:a:local:b:c", endpoint="local", meta={**spanish, "size_bytes": 900}),
        ModelInfo(id="elsewhere", endpoint="server", meta={**spanish, "size_bytes": 900}),
    ]
    deps.listing.put("others", Found(models=others))
    assert named() == {}
    better_ones = [
        ModelInfo(id="small", endpoint="local", meta={**spanish, "size_bytes": 100}),
        ModelInfo(id="large", endpoint="local", meta={**spanish, "size_bytes": 200, "title": "Large 1B"}),
        ModelInfo(id="huge", endpoint="local", meta={**spanish, "size_bytes": 300, "fits": False}),
    ]
    deps.listing.put("better", Found(models=better_ones))
    assert named() == {"ref": "local/large", "name": "Large 1B"}
    loaded = ModelInfo(id="loaded", endpoint="local", meta={**spanish, "size_bytes": 50, "loaded": True})
    deps.listing.put("more", Found(models=[loaded]))
    assert named() == {"ref": "local/loaded", "name": "loaded"}


@pytest.mark.parametrize("model", ["qwen3-0.6b", f"ft:{catalog.EMBEDDED}:local:es:1"])
def test_no_other_model_is_spoken_of(deps: Deps, engine: ModelInfo, model: str) -> None:
    other = ModelInfo(id=model, endpoint="local")
    assert better.offer(deps, other, {"prompt": SPANISH}) is None
    assert better.offer(deps, ModelInfo(id=engine.id, endpoint="server"), {"prompt": SPANISH}) is None


def test_english_is_left_alone(deps: Deps, engine: ModelInfo) -> None:
    assert better.offer(deps, engine, {"prompt": "The capital of France is"}) is None
    assert better.offer(deps, engine, {"messages": []}) is None
