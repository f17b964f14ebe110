"""The engine's process: `python -m playground.engine --port N`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import uvicorn

from playground.engine.app import Engine, build_app
from playground.engine.batches.routes import Batches
from playground.engine.budget import Budget
from playground.engine.generation import Generator
from playground.engine.llama import Llama
from playground.engine.serving import Serving
from playground.engine.shelf import Shelf, describe
from playground.engine.trial import Trials
from playground.engine.tuning.service import Tuning
from playground.engine.weights import Weights, check, find
from playground.gguf import GgufError
from playground.memory import parse_size

MEMORY_VARIABLE = "PLAYGROUND_MODEL_MEMORY"
MISSING, DAMAGED = 3, 4
"""Exit codes for a model file that is not there, and for one that is not what it should be."""


def main() -> None:
    args = _arguments()
    # llama.cpp's threads wait for one another many times a token. Spinning, as OpenMP does unless told otherwise, they
    # fall from 50 to 3 tokens a second when anything else runs (measured); sleeping costs nothing. Read when it loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # If llama.cpp gives up, it is to end at once, and not to call a debugger first and write pages of addresses.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    if args.parent_pid:
        threading.Thread(target=_follow, args=(args.parent_pid,), daemon=True).start()
    try:
        weights = find(args.model)
    except GgufError as error:
        _give_up(str(error), MISSING if error.missing else DAMAGED)
    try:
        listener = _listen(args.host, args.port)
    except OSError as error:
        _give_up(f"The engine cannot listen on {args.host}:{args.port}: {error.strerror}. Choose another --port.", 1)
    asyncio.run(_serve(listener, weights, args))


def _arguments() -> argparse.Namespace:
    path = os.environ.get("PLAYGROUND_MODEL_PATH")
    parser = argparse.ArgumentParser(prog="python -m playground.engine", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--model", type=Path, default=Path(path) if path else None, help="a GGUF file")
    parser.add_argument("--data", type=Path, help="a folder for files, fine-tuning jobs and the models they make")
    parser.add_argument("--models", type=Path, help="a folder whose GGUF files are served too, loaded when asked for")
    parser.add_argument(
        "--memory",
        type=_memory,
        default=os.environ.get(MEMORY_VARIABLE) or "auto",
        help="what loaded models may take together, such as 4GB; auto: what is free, less a reserve",
    )
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    return parser.parse_args()


def _memory(text: str) -> int | None:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _listen(host: str, port: int) -> socket.socket:
    """Our own socket, so that a port that is taken gets a sentence and not uvicorn's traceback. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    # On Windows this option would let two servers share the port.
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


async def _serve(listener: socket.socket, weights: Weights, args: argparse.Namespace) -> None:
    """Answer at once, with 503 until the model is loaded."""
    key = os.environ.get("PLAYGROUND_ENGINE_KEY") or None
    engine = Engine(model_id=weights.model_id, key=key, data=args.data)
    # On the way out, a stream gets a second to end before it is cut.
    config = uvicorn.Config(
        build_app(engine), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    loading = asyncio.create_task(_load(engine, weights, Budget(args.memory), args.models))
    await server.serve(sockets=[listener])
    # Not waited for: unloading llama.cpp in order takes longer than the system takes to free it, and may hang.
    loading.cancel()
    os._exit(0)


async def _load(engine: Engine, weights: Weights, budget: Budget, models: Path | None) -> None:
    try:
        await asyncio.to_thread(check, weights)
        base = await asyncio.to_thread(describe, weights.path, weights.model_id)
        llama = await asyncio.to_thread(Llama, weights.path)
        shelf = Shelf(base, models)
        if engine.data is not None:
            engine.trains = await asyncio.to_thread(Tuning, engine.data, shelf)
            engine.batched = await asyncio.to_thread(Batches, engine.data, engine.trains)
    except GgufError as error:
        _give_up(str(error), MISSING if error.missing else DAMAGED)
    except OSError as error:
        _give_up(f"The engine cannot keep its data in {engine.data}: {error.strerror}. Choose another --data.", 1)
    except Exception as error:
        # Nobody awaits this task: unsaid, its end would be a health that says "loading" for ever.
        _give_up(f"The engine could not start: {error!r}", 1)
    find = engine.trains.models.find if engine.trains else _none
    engine.loaded = Serving(Generator(llama), shelf, find, budget, Trials(engine.data))
    if engine.trains is not None and engine.batched is not None:
        await asyncio.gather(engine.trains.supervisor.run(engine.loaded), engine.batched.runner.run(engine.loaded))


def _none(_name: str) -> None:
    """Without a data folder, nobody has another model."""


def _give_up(message: str, exit_code: int) -> NoReturn:
    """One line of JSON for whoever started us, and the process ends: without a model there is nothing to serve."""
    sys.stderr.write(json.dumps({"error": message}) + "\n")
    sys.stderr.flush()
    os._exit(exit_code)


def _follow(parent: int) -> None:
    """End with the process `parent`, however it ended. Our own parent is known by getppid, any other by a signal 0."""
    ours = os.getppid() == parent
    while os.getppid() == parent if ours else _alive(parent):
        time.sleep(0.5)
    os._exit(0)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
