"""A CSV of a gigabyte: refused on the way, whatever it says of its length, and nothing of it stays on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from playground.ui.walls import MAX_UPLOAD, UPLOAD_PATH
from tests.fakes.server import FakeServer
from tests.ui.serving import App, served

GIGABYTE = 1_000_000_000
HEAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="huge.csv"\r\nContent-Type: text/csv\r\n\r\n'
FORM = {"content-type": "multipart/form-data; boundary=x"}
ROWS = b"four?,4\n" * 125_000
"""A megabyte."""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with FakeServer() as fake, served(tmp_path / "data", fake.url, shared=True, password="open sesame") as app:
        yield app


@pytest.mark.parametrize("tells", [True, False], ids=["it says so", "it does not say"])
def test_a_csv_of_a_gigabyte_is_refused_on_the_way(app: App, tmp_path: Path, tells: bool) -> None:
    kept = [0]

    def body() -> Iterator[bytes]:
        yield HEAD
        for megabyte in range(GIGABYTE // len(ROWS)):
            if megabyte % 20 == 0:
                kept.append(_on_disk(tmp_path))
            yield ROWS
        yield b"\r\n--x--\r\n"

    with httpx.Client(base_url=app.url, timeout=60) as visitor:
        visitor.post("/login", data={"username": "ana", "password": "open sesame"}).raise_for_status()
        length = {"content-length": str(GIGABYTE + len(HEAD) + 9)} if tells else {}
        said = visitor.post(UPLOAD_PATH, content=body(), headers={**FORM, **length})
        assert said.status_code == 413
        assert max(kept) <= (0 if tells else MAX_UPLOAD)
        assert _on_disk(tmp_path) == 0
        # The page lives, and takes a file that is not too large.
        files = {"files": ("small.csv", b"a,b\n1,2\n")}
        assert visitor.post(UPLOAD_PATH, files=files).status_code == 200


def _on_disk(folder: Path) -> int:
    """Bytes of what was uploaded."""
    found = 0
    for each in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if each.is_file() and "data" not in each.relative_to(folder).parts:
                found += each.stat().st_size
    return found
