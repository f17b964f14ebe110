"""What the training process runs: `python -m playground.engine.tuning.child ENGINE_PID JOB_DIR`.

The trainer itself knows nothing of engines. Here it gets what it needs to be one's child: it ends when the engine is
gone, however that ended, with a last checkpoint if it is quick.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable

GRACE = 10.0
"""Seconds for a last checkpoint when the engine is gone."""


def main() -> None:
    engine, folder = int(sys.argv[1]), sys.argv[2]
    follow(engine, _stop)
    sys.argv = ["playground.engine.training", folder]
    runpy.run_module("playground.engine.training", run_name="__main__", alter_sys=True)


def follow(engine: int, gone: Callable[[], None]) -> None:
    """Call `gone`, in a thread of its own, when the engine whose child we are is gone, and end."""

    def watch() -> None:
        while os.getppid() == engine:
            time.sleep(0.25)
        gone()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)


if __name__ == "__main__":
    main()
