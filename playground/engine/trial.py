"""A file that was never loaded is tried in a process of its own first: what would end llama.cpp, and the engine with
it, ends only that. `python -m playground.engine.trial FILE` is that process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from playground.engine.shelf import Model
from playground.gguf import GgufError

CONTEXT = 256
SECONDS = 900
"""A file that is not loaded by then never will be."""
NAME = "tried.json"


class Trials:
    """Which files have been tried, kept as `tried.json` in `folder`, for this version of llama.cpp."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / NAME if folder is not None else None
        self._version = _version()
        self._good: dict[str, list[int]] = self._read()

    async def check(self, model: Model) -> None:
        """Raises GgufError for a file that llama.cpp cannot serve."""
        if self._good.get(model.id) == list(model.stamp):
            return
        await _try(model.path)
        self._good[model.id] = list(model.stamp)
        # Without it, it is tried again: no reason to fail.
        with contextlib.suppress(OSError):
            self._write()

    def _read(self) -> dict[str, list[int]]:
        try:
            said = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
            return dict(said["files"]) if said["version"] == self._version else {}
        except (OSError, ValueError, LookupError, TypeError):
            return {}

    def _write(self) -> None:
        if self._path is not None:
            temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            temporary.write_text(json.dumps({"version": self._version, "files": self._good}), encoding="utf-8")
            os.replace(temporary, self._path)


async def _try(path: Path) -> None:
    command = ["-m", "playground.engine.trial", str(path)]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        said = b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode == 0:
        return
    last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise GgufError(
        last.removeprefix("trial: ")
        if last.startswith("trial: ")
        else "llama.cpp gave up on this model file: it is damaged, or something in it that llama.cpp does not foresee. "
        "Delete it, and download it again."
    )


def _version() -> str:
    try:
        return version("xllamacpp")
    except PackageNotFoundError:
        return ""


async def _answer(path: Path) -> None:
    """Load it and let it write one token. Raises GgufError."""
    from playground.engine.errors import ApiError
    from playground.engine.llama import Llama

    llama = Llama(path, context=CONTEXT)
    try:
        prompt = [llama.header.bos_token_id or 0, *(await llama.tokenize("a"))]
        async for _ in llama.generate("/completion", {"prompt": prompt, "n_predict": 1}, stream=False):
            pass
    except ApiError as error:
        raise GgufError(f"llama.cpp loads this model file, but cannot answer with it: {error}") from error


def main() -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    code = 0
    try:
        asyncio.run(_answer(Path(sys.argv[1])))
    except GgufError as error:
        sys.stdout.write(f"trial: {error}\n")
        code = 4
    sys.stdout.flush()
    # Not unloaded in order, which takes longer and may hang.
    os._exit(code)


if __name__ == "__main__":
    main()
