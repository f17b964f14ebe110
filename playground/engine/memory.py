"""How much memory there is for what is about to be loaded or trained."""

from __future__ import annotations

import sys
from pathlib import Path

UNKNOWN = 2**62
"""Where the system does not tell, nothing is refused for want of memory."""


def available_bytes() -> int:
    """Memory that can be had without swapping, by the machine and by the container that we may be in."""
    return min(_machine(), _container())


def _machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return UNKNOWN if sys.platform != "darwin" else _mac()
    said = dict(line.split(":", 1) for line in lines)
    return int(said["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in said else UNKNOWN


def _mac() -> int:
    """macOS tells what is installed, and lends much of it to caches: three quarters of it are a fair guess."""
    import os

    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 4


def _container() -> int:
    """What the control group allows (docs.kernel.org, cgroup-v2, memory.max), less what is in use and not cache."""
    folder = Path("/sys/fs/cgroup")
    try:
        most, used = (folder / "memory.max").read_text().strip(), int((folder / "memory.current").read_text())
        cache = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return UNKNOWN
    return int(most) - used + int(cache.get("file", 0)) if most.isdecimal() else UNKNOWN
