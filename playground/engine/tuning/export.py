"""A fine-tune as one GGUF that any llama.cpp runs: made by a process of its own, so that answers go on.

`python -m playground.engine.tuning.export ENGINE_PID BASE ADAPTER OUT TYPE` is that process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Literal, cast

from playground.engine.errors import ApiError
from playground.engine.serving import Adapter
from playground.engine.tuning.child import follow
from playground.engine.tuning.folder import disk_full
from playground.engine.tuning.worker import environment

Type = Literal["f16", "q8_0"]
BITS = {"f16": 16.0, "q8_0": 8.5}
"""A weight's: 32 of q8_0 share a scale of 16 bits."""
RESERVE = 64 * 2**20
CHUNK = 2**20


def file_name(adapter: Adapter, kind: Type) -> str:
    """What the file is to be called: the model's name, without what a file system minds."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", adapter.name.removeprefix("ft:").replace(":local:", "-")) + f"-{kind}.gguf"


async def make(base: Path, adapter: Adapter, n_params: int, kind: Type, folder: Path) -> Path:
    """The merged GGUF in a file of `folder`, for the caller to delete. Raises ApiError."""
    out = _place(folder, int(n_params * BITS[kind] / 8) + RESERVE)
    command = ["-m", "playground.engine.tuning.export", str(os.getpid()), str(base), str(adapter.path), str(out), kind]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environment(1), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
    )
    try:
        _, said = await process.communicate()
    except BaseException:
        # Whoever asked has gone away.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        _remove(out)
        raise
    if process.returncode:
        _remove(out)
        raise _failed(said)
    return out


def _place(folder: Path, needed: int) -> Path:
    """A new file's path. Raises a 507."""
    folder.mkdir(exist_ok=True)
    if needed > (free := shutil.disk_usage(folder).free):
        raise disk_full("the merged model", needed, free)
    return folder / f"{secrets.token_hex(8)}.gguf"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _failed(said: bytes) -> ApiError:
    last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
    message = last.removeprefix("export: ") if last.startswith("export: ") else "Base and adapter could not be merged."
    return ApiError(500, message, type="server_error", code="export_failed")


async def read(path: Path) -> AsyncGenerator[bytes]:
    """The file's bytes; it is deleted at the end, however that comes."""
    try:
        with path.open("rb") as file:
            while part := await asyncio.to_thread(file.read, CHUNK):
                yield part
    finally:
        _remove(path)


def main() -> None:
    from playground.engine.training.errors import TrainingError
    from playground.engine.training.merge import merge

    engine, base, adapter, out, kind = sys.argv[1:]
    # What is half written by then is removed by the next engine.
    follow(int(engine), lambda: None)
    if hasattr(os, "nice"):
        os.nice(15)
    try:
        merge(Path(base), Path(adapter), Path(out), type=cast(Type, kind))
    except TrainingError as error:
        sys.exit(f"export: {error.message}")
    if os.getppid() != int(engine):
        Path(out).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
