"""/v1/files, in OpenAI's shapes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import Request

from playground.engine.errors import ApiError
from playground.engine.tuning import uploads
from playground.engine.tuning.files import Files
from tests.engine.tuning.conftest import Trainer

pytestmark = pytest.mark.engine
Valid = Callable[[str, Any], None]


def test_a_file_is_kept_listed_read_and_deleted(trainer: Trainer, valid: Valid) -> None:
    content = 'half a 😀 and "quotes"\r\n\x00'.encode()
    name = trainer.upload(content, "añejo 'x'.jsonl")
    one = trainer.http.get(f"/v1/files/{name}").json()
    valid("OpenAIFile", one)
    assert (one["bytes"], one["filename"], one["purpose"]) == (len(content), "añejo 'x'.jsonl", "fine-tune")
    assert trainer.http.get(f"/v1/files/{name}/content").content == content
    assert one in trainer.http.get("/v1/files").json()["data"]
    gone = trainer.http.delete(f"/v1/files/{name}").json()
    valid("DeleteFileResponse", gone)
    for asked in (trainer.http.get, trainer.http.delete):
        assert asked(f"/v1/files/{name}").json()["error"]["code"] == "file_not_found"
    assert trainer.http.get(f"/v1/files/{name}/content").status_code == 404


def test_files_are_listed_newest_first_a_page_at_a_time_and_by_purpose(
    trainer: Trainer, tuned: dict[str, Any], valid: Valid
) -> None:
    names = [trainer.upload(b"x\n") for _ in range(3)][::-1]
    first = trainer.http.get("/v1/files", params={"limit": 2}).json()
    valid("ListFilesResponse", first)
    assert ([file["id"] for file in first["data"]], first["has_more"]) == (names[:2], True)
    second = trainer.http.get("/v1/files", params={"limit": 1, "after": names[1]}).json()
    assert [file["id"] for file in second["data"]] == names[2:]
    results = trainer.http.get("/v1/files", params={"purpose": "fine-tune-results"}).json()["data"]
    assert tuned["result_files"][0] in [file["id"] for file in results]
    assert not {file["id"] for file in results} & set(names)
    oldest = trainer.http.get("/v1/files", params={"order": "asc"}).json()["data"]
    assert [file["id"] for file in oldest][-3:] == names[::-1]
    valid("ListFilesResponse", trainer.http.get("/v1/files", params={"purpose": "vision"}).json())


def test_a_clients_file_name_is_no_path(own_trainer: Trainer, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if "files" not in path.parts}
    made = []
    for name in ("../../../escaped.jsonl", "/tmp/escaped.jsonl", "..", "a/b", "C:\\x", "x" * 500, "\x00", "\u202e"):
        made.append(own_trainer.upload(b"x\n", name))
        assert len(own_trainer.http.get(f"/v1/files/{made[-1]}").json()["filename"]) <= 255
    assert {path for path in tmp_path.rglob("*") if "files" not in path.parts} == before
    folders = list((tmp_path / "engine" / "files").iterdir())
    assert sorted(folder.name for folder in folders) == sorted(made)
    assert {path.name for folder in folders for path in folder.iterdir()} == {"file.json", "content"}


@pytest.mark.parametrize("name", ["..", "file-1", "file-" + "a" * 24, "%2e%2e%2flock", "file-" + "A" * 24])
def test_a_file_that_nobody_uploaded_is_not_found(trainer: Trainer, name: str) -> None:
    assert trainer.http.get(f"/v1/files/{name}/content").status_code == 404
    assert trainer.http.delete(f"/v1/files/{name}").status_code in (404, 405)


@pytest.mark.parametrize(
    ("form", "file", "param"),
    [
        ({"purpose": "fine-tune"}, b"", "file"),
        ({"purpose": "assistants"}, b"x", "purpose"),
        ({}, b"x", "purpose"),
        ({"purpose": "fine-tune"}, None, "file"),
    ],
)
def test_an_upload_that_cannot_be_is_refused_by_name(
    trainer: Trainer, form: dict[str, str], file: bytes | None, param: str
) -> None:
    files: Any = {"file": ("x.jsonl", file)} if file is not None else {"other": ("x", b"x")}
    said = trainer.http.post("/v1/files", data=form, files=files)
    assert (said.status_code, said.json()["error"]["param"]) == (400, param)


def test_what_is_no_form_is_refused(trainer: Trainer) -> None:
    assert trainer.http.post("/v1/files", json={"purpose": "fine-tune"}).json()["error"]["param"] == "file"
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert trainer.http.post("/v1/files", content=b"--y\r\nnothing", headers=broken).status_code == 400


def test_a_training_file_may_be_larger_than_other_bodies(trainer: Trainer) -> None:
    content = b"x" * 100 + b"\n" * (20 << 20)
    name = trainer.upload(content)
    assert trainer.http.get(f"/v1/files/{name}").json()["bytes"] == len(content)
    trainer.http.delete(f"/v1/files/{name}")


def test_one_beyond_openais_limit_is_refused_before_it_comes(trainer: Trainer) -> None:
    address = urlsplit(trainer.engine.url)
    head = "POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-key-of-the-tests\r\n"
    head += f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {uploads.MOST * 2}\r\n\r\n"
    with socket.create_connection((address.hostname or "", address.port or 0)) as client:
        client.settimeout(20)
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413")


async def test_one_that_does_not_say_how_long_it_is_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST", 1_000)
    read = []

    async def endless() -> dict[str, Any]:
        part = b"x" * (1 << 20) if read else b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        read.append(len(part))
        return {"type": "http.request", "body": part, "more_body": True}

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    request = Request({"type": "http", "method": "POST", "path": "/v1/files", "headers": headers}, endless)
    files = Files(tmp_path / "files")
    with pytest.raises(ApiError) as refused:
        await uploads.receive(request, files)
    assert refused.value.status == 413
    assert len(read) <= 3
    assert files.all() == []


def test_an_upload_whose_client_goes_away_leaves_nothing(trainer: Trainer) -> None:
    before = trainer.http.get("/v1/files").json()["data"]
    address = urlsplit(trainer.engine.url)
    head = "POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-key-of-the-tests\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\n"
    with socket.create_connection((address.hostname or "", address.port or 0)) as client:
        client.sendall(head.encode())
    assert trainer.http.get("/v1/files").json()["data"] == before


def test_an_engine_without_a_folder_says_how_to_get_one(engine: Any) -> None:
    for path in ("/v1/files", "/v1/fine_tuning/jobs", "/v1/files/file-1"):
        said = engine.http.get(path)
        assert said.status_code == 501
        assert "--data" in said.json()["error"]["message"]
    assert engine.http.post("/v1/files", files={"file": ("x", b"x")}).status_code == 501


def test_files_need_the_key_too(trainer: Trainer) -> None:
    said = trainer.http.post("/v1/files", files={"file": ("x", b"x")}, headers={"Authorization": "Bearer no"})
    assert said.status_code == 401
