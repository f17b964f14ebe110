"""Where the uploads of a shared page lie: each in a folder of its visitor's, under a name that nobody can guess.

Gradio puts a file where its content's hash says: two visitors who upload the same one share it, and whoever reads it
first takes it from the other. So it is moved before its place is told. A plain ASGI middleware, behind the doors.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

import anyio.to_thread
from gradio.utils import get_upload_folder

from playground.access import Session
from playground.ui.visitor import IN_SCOPE
from playground.ui.walls import UPLOAD_PATH, App, Message, Receive, Scope, Send


class UploadPlaces:
    """The middleware."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._underway = 0
        #: Where Gradio has put files that are in their visitor's folder by now.
        self._moved: set[Path] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = scope.get(IN_SCOPE)
        if scope["type"] != "http" or not scope["path"].endswith(UPLOAD_PATH) or not isinstance(session, Session):
            await self._app(scope, receive, send)
            return
        said: list[Message] = []

        async def held(message: Message) -> None:
            said.append(message)

        self._underway += 1
        try:
            # Its answer is held back until Gradio's own work behind it has ended, too: only then the file is there.
            await self._app(scope, receive, held)
            for message in await anyio.to_thread.run_sync(self._placed, session.account, said):
                await send(message)
        finally:
            self._underway -= 1
            if not self._underway:
                self._clear()  # here, and in no thread: no other upload may begin meanwhile

    def _placed(self, account: str, said: list[Message]) -> list[Message]:
        """The answer with the files' new places."""
        begun = next((each for each in said if each["type"] == "http.response.start"), None)
        if begun is None or begun["status"] != 200:
            return said
        paths = json.loads(b"".join(each.get("body", b"") for each in said))
        body = json.dumps([str(self._place(account, Path(path))) for path in paths]).encode()
        headers = [(name, value) for name, value in begun["headers"] if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        return [{**begun, "headers": headers}, {"type": "http.response.body", "body": body}]

    def _place(self, account: str, path: Path) -> Path:
        home = folder(account) / uuid.uuid4().hex
        home.mkdir(parents=True)
        try:
            os.link(path, home / path.name)
        except OSError:  # a file system without links
            shutil.copyfile(path, home / path.name)
        # Another visitor's upload of the same content may be on its way to the very same place.
        self._moved.add(path)
        return home / path.name

    def _clear(self) -> None:
        while self._moved:
            path = self._moved.pop()
            path.unlink(missing_ok=True)
            _remove_empty(path.parent)


def folder(account: str) -> Path:
    """Where that account's uploads lie. Raises nothing; it need not be there."""
    return Path(get_upload_folder()).resolve() / f"of-{hashlib.sha256(account.encode()).hexdigest()[:32]}"


def forget(account: str) -> None:
    """Delete what that account has uploaded and nobody has read."""
    shutil.rmtree(folder(account), ignore_errors=True)


def _remove_empty(path: Path) -> None:
    with suppress(OSError):
        path.rmdir()
