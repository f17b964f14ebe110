"""Uploads of a shared page: each visitor's lie apart, are read by whoever sent them, and go with the visit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio.utils import get_upload_folder

from playground.errors import InvalidRequest
from playground.ui import uploads
from playground.ui.upload_places import folder, forget
from playground.ui.uploads import take
from playground.ui.walls import UPLOAD_PATH
from tests.fakes.server import FakeServer
from tests.ui.serving import App, served

PHRASE = "open sesame"
CASES = b"input,expected\nfour?,4\n"


@pytest.fixture(scope="module")
def app(provider: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    base = tmp_path_factory.mktemp("places")
    with (
        pytest.MonkeyPatch.context() as patch,
        served(base / "data", provider.url, shared=True, password=PHRASE) as app,
    ):
        patch.setenv("GRADIO_TEMP_DIR", str(base / "uploads"))
        yield app


def signed_in(app: App, name: str) -> httpx.Client:
    browser = httpx.Client(base_url=app.url, timeout=30)
    browser.post("/login", data={"username": name, "password": PHRASE}).raise_for_status()
    return browser


def sent(browser: httpx.Client, *contents: bytes, name: str = "cases.csv") -> list[str]:
    parts: Any = [("files", (name, content)) for content in contents]
    paths: list[str] = browser.post(UPLOAD_PATH, files=parts).raise_for_status().json()
    return paths


def left(account: str) -> list[Path]:
    return [each for each in folder(account).rglob("*") if each.is_file()]


def test_thirty_who_upload_the_same_file_at_once_each_read_their_own(app: App) -> None:
    people = [signed_in(app, f"pupil{number}") for number in range(30)]

    def brings(browser: httpx.Client) -> bytes:
        (path,) = sent(browser, CASES)
        return take(path, most=1_000)

    with ThreadPoolExecutor(30) as pool:
        assert list(pool.map(brings, people)) == [CASES] * 30
    # Nothing of it is left, in nobody's folder and not where Gradio had put it.
    assert [each for each in Path(get_upload_folder()).rglob("*") if each.is_file()] == []


def test_a_visits_files_lie_in_its_own_folder_and_go_when_they_sign_out(app: App) -> None:
    ana, eva = signed_in(app, "ana"), signed_in(app, "eva")
    paths = sent(ana, b"one", b"two")
    sent(eva, b"one")
    accounts = app.accounts()
    assert [Path(path) for path in paths] == sorted(left(accounts["ana"]), key=lambda each: each.read_bytes())
    assert [each.read_bytes() for each in left(accounts["eva"])] == [b"one"]
    ana.post("/signout")
    assert left(accounts["ana"]) == []
    assert [each.read_bytes() for each in left(accounts["eva"])] == [b"one"]
    forget(accounts["eva"])


def test_the_hosts_file_is_not_taken_away_by_a_visitors_of_the_same_content(app: App) -> None:
    assert app.entry is not None
    host = app.browser(cookie=f"playground_session={_session(app)}")
    (mine,) = sent(host, b"same")
    sent(signed_in(app, "ben"), b"same")
    assert take(mine, most=10) == b"same"


def _session(app: App) -> str:
    from playground.access import sign

    assert app.entry is not None
    return sign(app.entry.host(), app.entry.sharing.key)


def test_a_refusal_comes_through_as_it_is(app: App) -> None:
    ana = signed_in(app, "ana")
    assert ana.post(UPLOAD_PATH, content=b"no form").status_code == 400


def test_a_link_in_the_folder_that_leads_elsewhere_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    secret = tmp_path / "playground.db"
    secret.write_bytes(b"everything")
    home = tmp_path / "uploads" / "x"
    home.mkdir(parents=True)
    (home / "cases.csv").symlink_to(secret)
    (tmp_path / "uploads" / "y").symlink_to(tmp_path)
    for path in (home / "cases.csv", tmp_path / "uploads" / "y" / "playground.db"):
        with pytest.raises(InvalidRequest):
            take(str(path), most=10**6)
    assert secret.read_bytes() == b"everything"


@pytest.mark.parametrize("path", [None, 5, "", "\0", "/etc/passwd", "../../etc/passwd", {"path": "/etc/passwd"}, ["x"]])
def test_what_lies_nowhere_in_the_folder_is_not_read(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "ARRIVAL", 0.0)
    with pytest.raises(InvalidRequest):
        take(path, most=10**6)


def test_a_pipe_or_a_folder_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(uploads, "ARRIVAL", 0.0)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(InvalidRequest):
            take(str(tmp_path / name), most=10**6)
