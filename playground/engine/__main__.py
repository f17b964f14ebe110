"""The engine's process: `python -m playground.engine --port N`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path

import uvicorn

from playground.engine.app import Engine, build_app
from playground.engine.errors import WeightsError
from playground.engine.generation import Generator
from playground.engine.llama import Llama
from playground.engine.weights import Weights, find


def main() -> None:
    args = _arguments()
    if args.parent_pid:
        threading.Thread(target=_follow, args=(args.parent_pid,), daemon=True).start()
    try:
        weights = find(args.model)
    except WeightsError as error:
        _give_up(error)
    asyncio.run(_serve(args, weights))


def _arguments() -> argparse.Namespace:
    path = os.environ.get("PLAYGROUND_MODEL_PATH")
    parser = argparse.ArgumentParser(prog="python -m playground.engine", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--model", type=Path, default=Path(path) if path else None, help="a GGUF file")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    return parser.parse_args()


async def _serve(args: argparse.Namespace, weights: Weights) -> None:
    """Answer at once, with 503 until the model is loaded."""
    key = os.environ.get("PLAYGROUND_ENGINE_KEY") or None
    engine = Engine(model_id=weights.model_id, key=key, created=int(weights.path.stat().st_mtime))
    config = uvicorn.Config(
        build_app(engine), host=args.host, port=args.port, log_level="warning", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    loading = asyncio.create_task(_load(engine, weights))
    await server.serve()
    loading.cancel()
    if engine.generator is not None:
        await engine.generator.llama.aclose()


async def _load(engine: Engine, weights: Weights) -> None:
    try:
        llama = await asyncio.to_thread(Llama, weights.path)
        await llama.describe()
    except WeightsError as error:
        _give_up(error)
    engine.generator = Generator(llama)


def _give_up(error: WeightsError) -> None:
    """One line of JSON for whoever started us, and the process ends: without a model there is nothing to serve."""
    sys.stderr.write(json.dumps({"error": str(error)}) + "\n")
    sys.stderr.flush()
    os._exit(error.exit_code)


def _follow(parent: int) -> None:
    """End with the process that started us, however it ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    main()
