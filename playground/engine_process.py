"""The embedded engine as a child process: started, waited for, started again when it dies, ended with the app.

The core is plain threads, so that it works from a script, a Gradio handler and any event loop alike: one watcher thread
owns the child, everything else reads its `state`. The child is `python -m playground.engine`; it watches this process
by `--parent-pid`, so that it ends too when this one is killed without a chance to say so.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal
from urllib.parse import quote

from playground.errors import EngineError, library_failed
from playground.types import Endpoint

Phase = Literal["stopped", "starting", "ready", "restarting", "failed"]

HOST = "127.0.0.1"
NAME = "local"
"""What the engine is called among the servers."""
AT_ONCE = 4
"""Answers of one model at once: the engine's slots. The rest waits here, where each can be told its place."""
KEY_VARIABLE = "PLAYGROUND_ENGINE_KEY"
MODEL_VARIABLE = "PLAYGROUND_MODEL_PATH"
MEMORY_VARIABLE = "PLAYGROUND_MODEL_MEMORY"

READY_SECONDS = 180.0
"""How long `wait_ready` waits. The default model loads in 1–2 s; a large one from a slow disk takes minutes."""
STOP_SECONDS = 5.0
"""How long the child may take to end by itself before it is killed."""
LOG_BYTES, LINE_BYTES = 1_000_000, 10_000
"""The log keeps at most two files of this size; a longer line is cut in pieces."""
DEATHS, DEATHS_WITHIN = 5, 60.0
"""So many deaths in so many seconds, and it is left alone: something is wrong that another start does not mend."""
HOPELESS = {3, 4}
"""Exit codes of the engine for a model file that is missing (3) or damaged (4): another start would end the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """What the page shows of the engine. `message` is plain English and safe; `since` is when this phase began."""

    phase: Phase
    message: str
    since: datetime
    hint: str = ""
    restarts: int = 0


class EngineLog:
    """What the child prints: kept in a bounded file where one is wanted, and its last lines in memory."""

    def __init__(self, path: Path | None, *, secret: str) -> None:
        self._path = path
        self._secret = secret.encode()
        self._tail: deque[bytes] = deque(maxlen=50)
        self._reader: threading.Thread | None = None

    @property
    def where(self) -> str:
        return f"Its log is {self._path}." if self._path else ""

    def follow(self, stream: IO[bytes]) -> None:
        """Read `stream` to its end in the background: a pipe that nobody reads would stop the child."""
        self._tail.clear()
        self._reader = threading.Thread(target=self._read, args=(stream,), name="engine log", daemon=True)
        self._reader.start()

    def finish(self) -> None:
        """Wait for the last lines, but not for long: a process the child left behind may hold the pipe."""
        if self._reader is not None:
            self._reader.join(2)

    def last_error(self) -> tuple[str, str]:
        """Message and hint of the last line `{"error": …, "hint": …}`; empty when there is none."""
        for line in reversed(list(self._tail)):
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and isinstance(said.get("error"), str):
                return said["error"], str(said.get("hint") or "")
        return "", ""

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in iter(lambda: stream.readline(LINE_BYTES), b""):
                clean = line.replace(self._secret, b"[key]")
                self._tail.append(clean)
                # A full disk costs the log, not the engine.
                with contextlib.suppress(OSError):
                    self._write(clean)

    def _write(self, line: bytes) -> None:
        """Append to the file, readable by its owner alone; a full one becomes `….1` and is begun anew."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        with open(fd, "ab") as file:
            file.write(line)
            full = file.tell() > LOG_BYTES
        if full:
            self._path.replace(f"{self._path}.1")


class EngineProcess:
    """Supervises one engine. `launch`, `wait_ready` and `close` block at most briefly; `start` and `stop` are async."""

    def __init__(
        self,
        *,
        model_path: Path | None,
        log_path: Path | None = None,
        data_dir: Path | None = None,
        models_dir: Path | None = None,
        model_memory: int | None = None,
        python: str = sys.executable,
        backoff: float = 0.5,
    ) -> None:
        """`model_path` None is the model that comes with the install; `data_dir` is where it keeps what it trains, None
        for an engine that does not train; `models_dir` has the GGUFs that it serves too, which may take `model_memory`
        bytes (None: what is free). `backoff`: seconds before the first restart."""
        self._model_path = model_path
        self._data_dir, self._models_dir = data_dir, models_dir
        self._model_memory = model_memory
        self._python = python
        self._backoff = backoff
        self._key = secrets.token_urlsafe(32)
        self._log = EngineLog(log_path, secret=self._key)
        self._changed = threading.Condition()
        self._state = EngineState(phase="stopped", message="The engine is off.", since=datetime.now(UTC))
        self._restarts = 0
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def state(self) -> EngineState:
        return self._state

    @property
    def pid(self) -> int | None:
        """The child's process number while it runs."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers; the same from `launch` to `close`, across restarts. EngineError before `launch`."""
        if not self._port:
            raise EngineError("The engine has not been started.")
        return Endpoint(
            name=NAME, kind="engine", base_url=f"http://{HOST}:{self._port}/v1", api_key=self._key, at_once=AT_ONCE
        )

    async def start(self, on_progress: Callable[[str], None] | None = None) -> Endpoint:
        """Launch it and wait until it answers. `on_progress` gets each new message, on this event loop."""
        loop = asyncio.get_running_loop()

        def report(message: str) -> None:
            if on_progress is not None:
                loop.call_soon_threadsafe(on_progress, message)

        self.launch()
        return await asyncio.to_thread(self.wait_ready, on_progress=report)

    async def stop(self) -> None:
        await asyncio.to_thread(self.close)

    def launch(self) -> None:
        """Start it in the background and return at once. Does nothing while it runs; after a failure, tries anew."""
        with self._changed:
            if self._watcher is not None and self._watcher.is_alive() and self._state.phase != "failed":
                return
            self._port = self._port or _free_port()
            self._restarts = 0
            self._stopping = threading.Event()
            self._set("starting", "Starting the engine.")
            self._watcher = threading.Thread(
                target=self._watch, args=(self._stopping,), name="engine watcher", daemon=True
            )
            self._watcher.start()
        atexit.register(self.close)

    def wait_ready(
        self, timeout: float = READY_SECONDS, *, on_progress: Callable[[str], None] | None = None
    ) -> Endpoint:
        """Block until it answers; `timeout` in seconds. EngineError says why it does not."""
        deadline = time.monotonic() + timeout
        shown = ""
        while True:
            with self._changed:
                state = self._state
                if state.message == shown and state.phase in ("starting", "restarting"):
                    self._changed.wait(max(0.0, deadline - time.monotonic()))
                    state = self._state
            if on_progress is not None and state.message != shown:
                on_progress(state.message)
            shown = state.message
            if state.phase == "ready":
                return self.endpoint
            if state.phase in ("failed", "stopped"):
                raise EngineError(state.message, hint=state.hint)
            if time.monotonic() >= deadline:
                raise EngineError("The engine is not ready yet.", hint="Wait a little longer, or look at its log.")

    def close(self) -> None:
        """End it: asked first, killed after `STOP_SECONDS`. Safe to call more than once."""
        self._stopping.set()
        watcher = self._watcher
        if watcher is not None and watcher is not threading.current_thread():
            watcher.join(STOP_SECONDS * 2)
        atexit.unregister(self.close)

    def delete_model(self, model: str) -> bool:
        """Ask the engine to delete a downloaded model: False where it does not run, or knows none of that name.

        Raises LibraryError where the model is in use or the engine refuses.
        """
        if self.state.phase != "ready":
            return False
        status = _asked(self._port, self._key, "DELETE", f"/v1/models/{quote(model)}")
        if status in (None, 404):
            return False
        if status == 409:
            raise library_failed("library_in_use", model=model)
        if status != 200:
            raise library_failed("library_engine_refuses", model=model, status=status)
        return True

    def _watch(self, stopping: threading.Event) -> None:
        """The watcher thread: one turn of the loop is one life of the child."""
        deaths: list[float] = []
        was_ready = False
        try:
            while not stopping.is_set():
                child = self._spawn()
                was_ready = self._live(child, stopping) or was_ready
                code = self._end(child)
                if stopping.is_set():
                    break
                now = time.monotonic()
                deaths = [then for then in deaths if now - then < DEATHS_WITHIN] + [now]
                if self._gives_up(code, len(deaths), was_ready=was_ready):
                    return
                self._restarts += 1
                self._set("restarting", f"The engine stopped ({_told(code)}) and starts again.")
                stopping.wait(self._backoff * 2 ** (len(deaths) - 1))
            self._set("stopped", "The engine is off.")
        except OSError as error:
            self._set("failed", f"The engine could not be started: {error.strerror or 'the system refused'}.")

    def _gives_up(self, code: int, deaths: int, *, was_ready: bool) -> bool:
        """Whether another start is pointless; the state then says why."""
        # One that never answered gets a second chance only: its port may have been taken since it was chosen.
        if code not in HOPELESS and deaths < (DEATHS if was_ready else 2):
            return False
        message, hint = self._log.last_error()
        what = f"The engine stopped {deaths} times within a minute" if was_ready else "The engine did not start"
        self._set("failed", message or f"{what} ({_told(code)}).", hint=hint or self._log.where)
        return True

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [self._python, "-m", "playground.engine", "--port", str(self._port), "--parent-pid", str(os.getpid())]
        if self._data_dir is not None:
            command += ["--data", str(self._data_dir)]
        if self._models_dir is not None:
            command += ["--models", str(self._models_dir)]
        # A session of its own: Ctrl+C in the terminal reaches the app, which then ends the engine in order.
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            env=self._environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._child = child
        assert child.stdout is not None  # noqa: S101 - PIPE gives one
        self._log.follow(child.stdout)
        return child

    def _environment(self, parent: Mapping[str, str]) -> dict[str, str]:
        """This process's environment with the engine's key and without anyone else's secrets."""
        secret = ("DATABASE_URL", "PLAYGROUND_PASSWORD")
        env = {k: v for k, v in parent.items() if not k.endswith(("_API_KEY", "_TOKEN")) and k not in secret}
        # The app may have been started from another folder than the one its package lies in.
        root = str(Path(__file__).resolve().parents[1])
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (root, parent.get("PYTHONPATH"))))
        env[KEY_VARIABLE] = self._key
        if self._model_path is not None:
            env[MODEL_VARIABLE] = str(self._model_path)
        env[MEMORY_VARIABLE] = "auto" if self._model_memory is None else str(self._model_memory)
        return env

    def _live(self, child: subprocess.Popen[bytes], stopping: threading.Event) -> bool:
        """Follow one life of the child until it ends or is to end; whether it was ever ready."""
        ready = False
        while child.poll() is None and not stopping.wait(0.25 if ready else 0.05):
            if ready:
                continue
            ready = _answers(self._port, self._key)
            if ready:
                self._set("ready", "The engine is ready.")
            else:
                self._set(self._state.phase, "Loading the model.")
        return ready

    def _end(self, child: subprocess.Popen[bytes]) -> int:
        """Make sure that the child and what it started are gone; its exit code."""
        _signal(child, signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _signal(child, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        code = child.wait()
        self._log.finish()
        return code

    def _set(self, phase: Phase, message: str, *, hint: str = "") -> None:
        with self._changed:
            if (self._state.phase, self._state.message) == (phase, message):
                return
            since = self._state.since if self._state.phase == phase else datetime.now(UTC)
            self._state = EngineState(phase=phase, message=message, since=since, hint=hint, restarts=self._restarts)
            self._changed.notify_all()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int, key: str) -> bool:
    """Whether /health says 200."""
    return _asked(port, key, "GET", "/health", timeout=2) == 200


def _asked(port: int, key: str, method: str, path: str, *, timeout: float = 30) -> int | None:
    """The status of the engine's answer. Straight to the socket: no proxy from the environment stands between."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {key}"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the child's whole group, or end the child where there are no groups."""
    if sys.platform == "win32":
        child.terminate()
        return
    try:
        # The group lives on while any of its members does, so this also reaches what a dead child left.
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _told(code: int) -> str:
    """An exit code in words: `killed by SIGKILL`, `exit code 1`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
