"""Nobody fills the disk: a visitor's uploads of an hour are bounded in number and size, whatever they say of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio.utils import get_upload_folder

from playground.access import Session
from playground.ui.upload_bounds import HOUR, UploadBounds
from playground.ui.visitor import IN_SCOPE
from playground.ui.walls import UPLOAD_PATH
from tests.fakes.server import FakeServer
from tests.ui.serving import App, served

PHRASE = "open sesame"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """An app that keeps what is sent to it, until the sender leaves."""

    def __init__(self) -> None:
        self.whole = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            if not message.get("more_body"):
                break
        self.whole += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"[]"})


def uploaded(bounds: UploadBounds, account: str, size: int, *, role: str = "visitor", path: str = UPLOAD_PATH) -> int:
    """The status that an upload in pieces of 10 bytes ends with."""
    session = Session(account=account, name="", role=role, until=2**40)  # type: ignore[arg-type]
    left = [size]
    statuses: list[int] = []

    async def receive() -> Any:
        piece = min(10, left[0])
        left[0] -= piece
        return {"type": "http.request", "body": b"x" * piece, "more_body": left[0] > 0}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": path, "headers": [], IN_SCOPE: session}
    asyncio.run(bounds(scope, receive, send))
    (status,) = statuses
    return status


def test_so_many_files_and_bytes_an_hour_each_visitor_for_themselves() -> None:
    kept, clock = Kept(), Clock()
    bounds = UploadBounds(kept, files=3, size=100, clock=clock)
    assert [uploaded(bounds, "ana", 10) for _ in range(4)] == [200, 200, 200, 429]
    assert uploaded(bounds, "ben", 90) == 200
    # What it turns out to be counts, not what was announced; it is given up on the way.
    assert uploaded(bounds, "ben", 50) == 429
    assert uploaded(bounds, "ben", 1) == 429
    assert kept.whole == 4
    clock.now = HOUR + 1
    assert uploaded(bounds, "ana", 10) == uploaded(bounds, "ben", 10) == 200


def test_the_host_and_other_requests_are_not_counted() -> None:
    bounds = UploadBounds(Kept(), files=1, size=10)
    assert [uploaded(bounds, "", 50, role="host") for _ in range(3)] == [200, 200, 200]
    assert [uploaded(bounds, "ana", 50, path="/gradio_api/queue/join") for _ in range(3)] == [200, 200, 200]


@pytest.fixture
def app(provider: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setattr(UploadBounds.__init__, "__kwdefaults__", {**UploadBounds.__init__.__kwdefaults__, "files": 3})
    with served(tmp_path / "data", provider.url, shared=True, password=PHRASE) as app:
        yield app


def test_over_http_names_that_climb_stay_in_the_folder_and_the_fourth_file_is_refused(app: App, tmp_path: Path) -> None:
    folder = Path(get_upload_folder()).resolve()
    assert folder == (tmp_path / "uploads").resolve()
    with httpx.Client(base_url=app.url) as visitor:
        assert visitor.post(UPLOAD_PATH, files={"files": ("a.csv", b"x")}).status_code == 401
        visitor.post("/login", data={"username": "ana", "password": PHRASE}).raise_for_status()
        for name in ("../../../climbed.csv", "/etc/climbed.csv", "..\\climbed.csv"):
            (path,) = visitor.post(UPLOAD_PATH, files={"files": (name, b"a,b\n")}).raise_for_status().json()
            assert folder in Path(path).resolve().parents
        assert visitor.post(UPLOAD_PATH, files={"files": ("d.csv", b"x")}).status_code == 429
        # Nor can anything else of the disk be had by its path.
        for wanted in ("/etc/passwd", str(tmp_path / "data" / "playground.db"), f"{folder}/../data/playground.db"):
            assert visitor.get(f"/gradio_api/file={wanted}").status_code in (403, 404)
    found = [each.name for each in tmp_path.rglob("*climbed.csv")]
    assert found
    assert not [each for each in tmp_path.rglob("*climbed.csv") if folder not in each.resolve().parents]
