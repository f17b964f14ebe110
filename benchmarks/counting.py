"""A keystroke in a 100 KB prompt: CPU to count it, exactly."""

from __future__ import annotations

import time

from benchmarks.harness import Figure, median
from playground.tokens import Counter, load

WORDS = "El veloz murciélago hindú comía feliz cardillo y kiwi while the quick brown fox jumps over it. "


def measure() -> list[Figure]:
    counter, encoding = Counter(), load("o200k_base")
    text = (WORDS * 1100)[:100_000]
    counter.count(text, "gpt-4o")
    figures = []
    for name, where in (("start", 0), ("middle", 50_000), ("end", 100_000)):
        taken = []
        for _ in range(50):
            text = text[:where] + "a" + text[where:]
            begun = time.process_time()
            counted = counter.count(text, "gpt-4o")
            taken.append((time.process_time() - begun) * 1000)
        if counted.tokens != len(encoding.encode_ordinary(text)):
            raise RuntimeError(f"the count at the {name} is not exact")
        figures.append(Figure(f"a keystroke at the {name} of 100 KB, CPU, median", median(taken), 2, False, "ms"))
    return figures
