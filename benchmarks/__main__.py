"""`make bench`: measure everything, or the parts that are named (`make bench ARGS="wire counting"`)."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.harness import Figure

PARTS = (
    "counting",
    "startup",
    "wire",
    "closing",
    "browser",
    "conversation",
    "history",
    "results",
    "prepare",
    "trainers",
    "training",
    "adapters",
    "sweep",
    "limits",
    "streams",
    "soak",
    "models",
)


def main() -> int:
    parts = sys.argv[1:] or PARTS
    unknown = set(parts) - set(PARTS)
    if unknown:
        print(f"There is no {', '.join(unknown)}; there are {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    missed = 0
    for part in parts:
        for figure in import_module(f"benchmarks.{part}").measure():
            missed += not figure.reached
            print(line(figure), flush=True)
    return 1 if missed else 0


def line(figure: Figure) -> str:
    sign = "≥" if figure.at_least else "≤"
    mark = "ok    " if figure.reached else "MISSED"
    detail = f"  ({figure.detail})" if figure.detail else ""
    return f"{mark} {figure.name}: {figure.value:.3g} {figure.unit} (goal {sign} {figure.goal:g}){detail}"


if __name__ == "__main__":
    sys.exit(main())
