"""The command line, as a person runs it: a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Cli(Protocol):
    def __call__(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]: ...


def cli_in(folder: Path, environment: Mapping[str, str]) -> Cli:
    """`cli("tokens", …, stdin=…, PLAYGROUND_ENGINE=…)` runs the command in `folder`."""

    def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        stdin = options.pop("stdin", "")
        raw = stdin if isinstance(stdin, bytes) else stdin.encode()
        command = [sys.executable, "-m", "playground", *args]
        done = subprocess.run(
            command, input=raw, capture_output=True, timeout=120, cwd=folder, env={**environment, **options}
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(command, done.returncode, out, err)

    return run
