"""The folder of models: a file of this machine comes into it, is told of, and leaves it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from playground.errors import InvalidRequest
from playground.library import Library
from tests.fakes import tiny_models


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "data" / "models")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tiny_models.write(tmp_path / "Mine-Q8_0.gguf", context=512)


def test_a_library_that_was_never_used_is_empty_and_makes_no_folder(library: Library) -> None:
    assert (library.installed(), library.downloads()) == ((), ())
    assert not any(offer.installed for offer in library.offers())
    assert not library.folder.exists()


def test_a_file_of_this_machine_is_copied_and_stays_where_it_was(library: Library, mine: Path) -> None:
    assert library.pull(str(mine)).id == "mine-q8_0"
    ended = library.wait("mine-q8_0")
    assert (ended.phase, ended.error) == ("done", None)
    (model,) = library.installed()
    assert model.path.read_bytes() == mine.read_bytes()
    assert mine.is_file()
    assert not os.path.samefile(model.path, mine)
    assert (model.id, model.title, model.source) == ("mine-q8_0", "Mine-Q8_0.gguf", str(mine))
    assert (model.architecture, model.context, model.memory_context) == ("llama", 512, 512)
    assert model.sha256 == hashlib.sha256(mine.read_bytes()).hexdigest()
    assert model.bytes == mine.stat().st_size
    assert not list((library.folder / ".partial").glob("*.part"))


def test_what_becomes_of_the_persons_own_file_does_not_reach_the_model(library: Library, mine: Path) -> None:
    # An engine that has the file mapped would be ended by its getting shorter.
    data = mine.read_bytes()
    library.pull(str(mine))
    library.wait("mine-q8_0")
    os.truncate(mine, 100)
    (model,) = library.installed()
    assert model.path.read_bytes() == data


def test_a_name_may_be_given(library: Library, mine: Path) -> None:
    library.pull(str(mine), name="other")
    assert library.wait("other").phase == "done"
    assert [model.id for model in library.installed()] == ["other"]


@pytest.mark.parametrize("name", ["../x", "Upper", "a b", "", "-a", "x" * 81, "ñ"])
def test_a_name_that_is_no_id_is_refused(library: Library, mine: Path, name: str) -> None:
    if name:
        with pytest.raises(InvalidRequest):
            library.pull(str(mine), name=name)
    with pytest.raises(InvalidRequest):
        library.remove(name)


def test_the_default_models_name_is_not_given_away(library: Library, mine: Path) -> None:
    with pytest.raises(InvalidRequest, match="comes with the install"):
        library.pull(str(mine), name="smollm2-135m-instruct")
    with pytest.raises(InvalidRequest, match="comes with the install"):
        library.remove("smollm2-135m-instruct")


def test_a_model_that_is_here_is_not_fetched_again_and_keeps_its_name(
    library: Library, mine: Path, tmp_path: Path
) -> None:
    library.pull(str(mine))
    library.wait("mine-q8_0")
    with pytest.raises(InvalidRequest, match="here already"):
        library.pull(str(mine))
    other = tiny_models.write(tmp_path / "other.gguf", seed=1)
    with pytest.raises(InvalidRequest, match="already a model mine-q8_0"):
        library.pull(str(other), name="mine-q8_0")
    assert library.installed()[0].sha256 == hashlib.sha256(mine.read_bytes()).hexdigest()


def test_a_path_without_a_file_is_refused_at_once(library: Library, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="There is no file"):
        library.pull(str(tmp_path / "none.gguf"))
    (tmp_path / "folder.gguf").mkdir()
    with pytest.raises(InvalidRequest, match="There is no file"):
        library.pull(str(tmp_path / "folder.gguf"))
    assert library.downloads() == ()


def test_a_file_that_a_person_put_there_is_told_of_and_what_is_no_model_is_not(library: Library) -> None:
    library.folder.mkdir(parents=True)
    tiny_models.write(library.folder / "by-hand.gguf", context=256)
    (library.folder / "Not An Id.gguf").write_bytes(b"GGUF")
    (library.folder / "orphan.json").write_text("{}")
    (library.folder / "broken.gguf").write_bytes(b"GGUF")
    (library.folder / "broken.json").write_text('{"title": 3, "languages": [1], "bytes": "x", "context": -1')
    broken, by_hand = library.installed()
    assert (by_hand.id, by_hand.title, by_hand.source, by_hand.context) == ("by-hand", "by-hand", None, 256)
    assert (broken.title, broken.languages, broken.context, broken.memory) == ("broken", (), None, None)


def test_a_removed_model_is_gone_with_what_was_said_of_it(library: Library, mine: Path) -> None:
    library.pull(str(mine))
    library.wait("mine-q8_0")
    about = library.folder / "mine-q8_0.json"
    assert json.loads(about.read_text())["architecture"] == "llama"
    library.remove("mine-q8_0")
    assert library.installed() == ()
    assert not about.exists()
    assert mine.is_file()
    assert library.downloads() == ()
    with pytest.raises(InvalidRequest, match="no model mine-q8_0"):
        library.remove("mine-q8_0")
