"""Several models in one engine: the default one, its merged fine-tune, and small ones of other architectures."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from playground.engine.training.merge import merge
from playground.engine.weights import find
from playground.engine_words import recognised
from playground.errors import LibraryError
from playground.library import Library
from tests.engine.conftest import MODEL
from tests.fakes import adapters, tiny_gguf

pytestmark = pytest.mark.engine

HEAD = tiny_gguf.WIDTH // tiny_gguf.HEADS
QWENS = ("qwen2", "qwen3")
PROMPTS = ("Once upon a time", "The", "In 1492")


def tiny(path: Path, architecture: str = "llama", **more: Any) -> Path:
    """A model of that architecture with the default one's tokenizer."""
    more = {
        "metadata": {"attention.key_length": HEAD, "attention.value_length": HEAD},
        "tensors": tiny_gguf.more_tensors(architecture),
        **more,
    }
    return tiny_gguf.write(path, tokenizer_of=find(None).path, architecture=architecture, **more)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to copy from: making them takes longer."""
    folder = tmp_path_factory.mktemp("made")
    base = find(None).path
    merge(base, adapters.write(folder / "adapter", base, seed=3), folder / "merged.gguf", type="q8_0")
    for architecture in QWENS:
        tiny(folder / f"{architecture}.gguf", architecture)
    tiny(folder / "llama.gguf", seed=4)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    folder = tmp_path_factory.mktemp("library") / "models"
    folder.mkdir()
    for name in ("merged", *QWENS, "llama"):
        shutil.copy(made / f"{name}.gguf", folder)
    about = {"title": "Qwen, made small", "licence": "Apache-2.0", "languages": ["en", "es"], "sha256": "no matter"}
    (folder / "qwen3.json").write_text(json.dumps(about))
    return folder


@pytest.fixture(scope="module")
def many(start: Callable[..., Any], models: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return start("--models", str(models), "--data", str(tmp_path_factory.mktemp("data") / "engine"))


@pytest.fixture
def narrow(start: Callable[..., Any], models: Path) -> Iterator[Any]:
    """An engine whose memory is for the default model and one small one."""
    base = find(None).path.stat().st_size
    engine = start("--models", str(models), "--memory", str(base + (345 << 20)))
    yield engine
    engine.process.kill()
    engine.process.wait()


def answer(engine: Any, model: str, prompt: str = PROMPTS[0], **more: Any) -> str:
    body = {"model": model, "max_tokens": 16, "temperature": 0, "logit_bias": {"2": -100, "0": -100}}
    return str(engine.complete(prompt, **{**body, **more})["choices"][0]["text"])


def meta(engine: Any, model: str) -> dict[str, Any]:
    said: dict[str, Any] = engine.http.get(f"/v1/models/{model}").json()["meta"]
    return said


def loaded(engine: Any) -> set[str]:
    return {model["id"] for model in engine.http.get("/v1/models").json()["data"] if model["meta"]["loaded"]}


def test_what_is_in_the_folder_is_listed_with_what_is_known_of_it_and_loaded_when_it_is_asked(
    many: Any, valid: Callable[[str, Any], None]
) -> None:
    listed = many.http.get("/v1/models").json()
    valid("ListModelsResponse", listed)
    assert [model["id"] for model in listed["data"]][:5] == [MODEL, "llama", "merged", "qwen2", "qwen3"]
    said = meta(many, "qwen3")
    assert (said["architecture"], said["context_length"], said["trainable"]) == ("qwen3", 256, "torch")
    assert (said["title"], said["licence"], said["languages"]) == ("Qwen, made small", "Apache-2.0", ["en", "es"])
    assert "sha256" not in said
    assert (said["loaded"], said["loading"]) == (False, None)
    assert 20 << 20 < said["memory"] < 200 << 20
    assert meta(many, "merged")["n_params"] == meta(many, MODEL)["n_params"]
    assert answer(many, "qwen3")
    assert meta(many, "qwen3")["loaded"]


def test_three_models_asked_at_once_answer_as_each_does_alone(many: Any) -> None:
    names = (MODEL, "merged", "qwen2")
    asked = [[(name, prompt) for name in names] for prompt in PROMPTS]
    # Twice: what was read once stays cached, and is then read in parts of another size.
    alone = [{one: answer(many, *one) for three in asked for one in three} for _ in "ab"][1]
    assert len(set(alone.values())) == len(alone)
    for three in asked:
        with ThreadPoolExecutor(3) as pool:
            together = list(pool.map(lambda one: answer(many, *one), three))
        assert together == [alone[one] for one in three]
    # Each stays for the next time.
    assert loaded(many) >= set(names)


def test_chats_streams_and_tokens_are_the_models_own(many: Any) -> None:
    chat = {"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 8, "temperature": 0}
    said = {name: many.chat(chat["messages"], **{**chat, "model": name}) for name in (MODEL, "merged")}
    texts = {name: one["choices"][0]["message"]["content"] for name, one in said.items()}
    assert texts[MODEL] != texts["merged"]
    chunks = many.stream("/v1/chat/completions", **{**chat, "model": "merged"})
    streamed = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
    assert streamed == texts["merged"]
    assert many.good("/tokenize", {"content": "a b", "model": "merged"})["count"] == 2


def test_counting_does_not_load_a_model(many: Any, made: Path, models: Path) -> None:
    shutil.copy(made / "llama.gguf", models / "counted.gguf")
    for body in ({"content": "a"}, {"messages": [{"role": "user", "content": "a"}]}):
        assert many.refused("/tokenize", {"model": "counted", **body})["code"] == "model_not_loaded"
    assert "counted" not in loaded(many)
    assert many.refused("/tokenize", {"model": "nobody", "content": "a"}, 404)["code"] == "model_not_found"


def test_a_file_that_comes_is_there_without_a_restart_and_is_gone_when_it_goes(
    many: Any, made: Path, models: Path
) -> None:
    shutil.copy(made / "llama.gguf", models / "late.gguf")
    first = answer(many, "late")
    assert "late" in loaded(many)
    # Another file of the same name is another model.
    (models / "late.gguf").unlink()
    tiny(models / "late.gguf", seed=9)
    assert answer(many, "late") != first
    (models / "late.gguf").unlink()
    assert many.refused("/v1/completions", {"model": "late", "prompt": "x"}, 404)["code"] == "model_not_found"
    assert "late" not in loaded(many)


BAD: dict[str, Callable[[Path, Path], Any]] = {
    "empty": lambda path, whole: path.write_bytes(b""),
    "text": lambda path, whole: path.write_text("<html>not a model</html>"),
    "cut": lambda path, whole: path.write_bytes(whole.read_bytes()[:-100_000]),
    "header-cut": lambda path, whole: path.write_bytes(whole.read_bytes()[:500_000]),
    "counts": lambda path, whole: path.write_bytes(whole.read_bytes()[:8] + b"\xff" * 16 + whole.read_bytes()[24:]),
    "unknown": lambda path, whole: tiny(path, "nonesuch"),
    # These are whole, and llama.cpp ends the process, or tries to take the machine's memory.
    "no-heads": lambda path, whole: tiny(path, metadata={"attention.head_count": 0}),
    "no-key-heads": lambda path, whole: tiny(path, metadata={"attention.head_count_kv": 0}),
    "wide": lambda path, whole: tiny(path, metadata={"embedding_length": 2**31 - 1}),
    "odd-rope": lambda path, whole: tiny(path, metadata={"rope.dimension_count": 7}),
    "endless": lambda path, whole: tiny(path, metadata={"context_length": 2**32 - 1}),
    "other-tensors": lambda path, whole: tiny(path, tensors={"blk.0.attn_q.weight": None}),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_served_is_said_and_costs_nobody_else_anything(
    many: Any, made: Path, models: Path, name: str
) -> None:
    BAD[name](models / f"bad-{name}.gguf", made / "llama.gguf")
    before = answer(many, "merged")
    for stream in (False, True):
        ask = {"model": f"bad-{name}", "prompt": "x", "max_tokens": 1, "stream": stream}
        said = many.http.post("/v1/completions", json=ask)
        # What is found after a second comes in the stream.
        error = json.loads(said.text.rpartition("data: ")[2])["error"]
        assert error["code"] in ("model_damaged", "out_of_memory"), error
        assert error["param"] == "model"
        assert recognised(error["message"]), error["message"]
    assert many.http.get("/health").status_code == 200
    assert answer(many, "merged") == before
    assert many.process.poll() is None
    (models / f"bad-{name}.gguf").unlink()


def test_who_was_asked_longest_ago_leaves_and_what_does_not_fit_is_refused_with_the_numbers(narrow: Any) -> None:
    assert loaded(narrow) == {MODEL}
    first = answer(narrow, "qwen2")
    assert loaded(narrow) == {MODEL, "qwen2"}
    answer(narrow, "qwen3")
    assert loaded(narrow) == {MODEL, "qwen3"}
    assert answer(narrow, "qwen2") == first
    error = narrow.refused("/v1/completions", {"model": "merged", "prompt": "x"})
    assert error["code"] == "out_of_memory"
    assert "MB" in error["message"]
    assert "PLAYGROUND_MODEL_MEMORY" in error["message"]
    assert loaded(narrow) == {MODEL, "qwen2"}
    fits = {model["id"]: model["meta"]["fits"] for model in narrow.http.get("/v1/models").json()["data"]}
    assert {name for name, said in fits.items() if not said} >= {"merged"}
    assert fits[MODEL]
    assert fits["qwen2"]
    assert fits["qwen3"]
    # Asked all at once, they take turns.
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda name: answer(narrow, name), ("qwen2", "qwen3", "llama") * 2))
    assert together[:3] == together[3:]
    assert together[0] == first


class Talk:
    """A long answer, streamed in the background. `begun` once its first word has come."""

    def __init__(self, engine: Any, model: str, tokens: int = 200) -> None:
        self.begun, self.chunks = threading.Event(), list[dict[str, Any]]()
        bias = {"2": -100, "0": -100}
        self._body = {"model": model, "prompt": "x", "max_tokens": tokens, "stream": True, "logit_bias": bias}
        self._engine = engine
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        assert self.begun.wait(60)

    def _ask(self) -> None:
        with self._engine.http.stream("POST", "/v1/completions", json=self._body) as said:
            for line in said.iter_lines():
                if line.startswith("data: {") and (choices := json.loads(line[6:])["choices"]):
                    self.chunks += choices
                    self.begun.set()

    def end(self) -> str:
        self._thread.join(60)
        return str(self.chunks[-1]["finish_reason"])


def test_a_model_is_deleted_with_its_files_but_not_while_it_answers(many: Any, made: Path, models: Path) -> None:
    shutil.copy(made / "merged.gguf", models / "leaving.gguf")
    (models / "leaving.json").write_text("{}")
    talk = Talk(many, "leaving")
    refused = many.http.delete("/v1/models/leaving")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "model_in_use")
    assert talk.end() == "length"
    said = many.http.delete("/v1/models/leaving")
    assert said.json() == {"id": "leaving", "object": "model", "deleted": True}
    assert not list(models.glob("leaving.*"))
    assert many.http.get("/v1/models/leaving").status_code == 404
    assert many.http.delete("/v1/models/leaving").status_code == 404
    assert many.http.delete(f"/v1/models/{MODEL}").status_code == 403
    assert find(None).path.is_file()


def test_what_an_engine_has_loaded_is_not_deleted_by_another_process_until_it_ends(
    many: Any, start: Callable[..., Any], made: Path, models: Path
) -> None:
    shutil.copy(made / "merged.gguf", models / "shared.gguf")
    other = start("--models", str(models))
    assert answer(other, "shared")
    refused = many.http.delete("/v1/models/shared")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "model_in_use")
    assert "another Playground" in refused.json()["error"]["message"]
    library = Library(models)  # as the command line has it
    with pytest.raises(LibraryError, match="is loaded by a Playground that is open"):
        library.remove("shared")
    # Who is killed lets go, too.
    other.process.kill()
    other.process.wait()
    library.remove("shared")
    assert not list(models.glob("shared.*"))


@pytest.mark.parametrize("name", ["../secret", "..%2Fsecret", ".partial", "%2e%2e/secret", "Merged", "x" * 5_000])
def test_a_name_that_is_no_id_reaches_no_file(many: Any, models: Path, name: str) -> None:
    secret = models.parent / "secret.gguf"
    secret.write_bytes(b"GGUF")
    assert many.http.delete(f"/v1/models/{name}").status_code in (404, 405)
    assert secret.exists()


def test_a_file_that_vanishes_while_it_answers_takes_nobody_along(many: Any, made: Path, models: Path) -> None:
    shutil.copy(made / "merged.gguf", models / "vanishing.gguf")
    talk = Talk(many, "vanishing")
    (models / "vanishing.gguf").unlink()
    assert talk.end() == "length"
    assert many.refused("/v1/completions", {"model": "vanishing", "prompt": "x"}, 404)["code"] == "model_not_found"
    assert answer(many, "merged")
