"""A real PostgreSQL of the tests' own: a cluster in a folder, reached by a socket there and by nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType

import pytest

ON_SQLITE = pytest.mark.parametrize("kept_in", ["sqlite"], indirect=True)
"""For a test with a store that is about SQLite alone."""
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=200", "listen_addresses=")


def folder_of_binaries() -> Path | None:
    """Where initdb and pg_ctl are: the newest that Debian's packages installed, else wherever PATH has them."""
    on_path = shutil.which("initdb")
    if BINARIES:
        return BINARIES[-1]
    return Path(on_path).parent if on_path else None


class Postgres:
    """`with Postgres() as server: server.database()` is the address of an empty database."""

    def __init__(self) -> None:
        found = folder_of_binaries()
        if found is None:
            raise RuntimeError("PostgreSQL is not installed.")
        self._binaries = found
        # A short path: a socket's may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        self._numbers = count(1)

    def __enter__(self) -> Postgres:
        if self._user:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "--username=playground", "--auth=trust", "--encoding=UTF8", "--no-sync", self._data)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        options = " ".join(f"-c {each}" for each in (*SETTINGS, f"unix_socket_directories={self.folder}"))
        self._run("pg_ctl", "--pgdata", self._data, "--log", str(self.folder / "log"), "-w", "-o", options, "start")

    def stop(self, how: str = "immediate") -> None:
        """`immediate` is how a machine that loses power stops."""
        self._run("pg_ctl", "--pgdata", self._data, "-w", "-m", how, "stop", check=False)

    def database(self, template: str = "template0") -> str:
        """A new database, empty or with what `template` has. Its address."""
        name = f"test_{next(self._numbers)}"
        self.make(name, template)
        return self.address(name)

    def make(self, name: str, template: str = "template0") -> None:
        self._run("createdb", *self._where, f"--template={template}", "--strategy=file_copy", name)

    def drop(self, address: str) -> None:
        self._run("dropdb", *self._where, "--force", address.partition("@/")[2].partition("?")[0])

    def address(self, name: str) -> str:
        return f"postgresql://playground@/{name}?host={self.folder}"

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def _where(self) -> tuple[str, ...]:
        return f"--host={self.folder}", "--username=playground"

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        subprocess.run(
            [str(self._binaries / program), *arguments],
            check=check,
            user=self._user,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if check else subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
