"""How much memory there is for what is about to be loaded or trained. Both the engine and the page ask."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

UNKNOWN = 2**62
"""Where the system does not tell, nothing is refused for want of memory."""
_GROUP = Path("/sys/fs/cgroup")
MB = 1_000_000
"""Bytes, as disks, downloads and the page count them: what is set or told in MB or GB is never MiB or GiB."""
_UNITS = {"": 1, "K": 1_000, "M": MB, "G": 1_000 * MB}


def parse_size(text: str) -> int | None:
    """Bytes of a size such as `4GB`, `1.5 GB` or `800MB`; None for `auto`. Raises ValueError saying what is allowed."""
    said = text.strip().upper()
    if said == "AUTO":
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?) ?([KMG]?)B?", said)
    if found is None or float(found[1]) <= 0:
        raise ValueError("it is auto, or a size such as 4GB or 800MB")
    return int(float(found[1]) * _UNITS[found[2]])


def available_bytes() -> int:
    """Memory that can be had without swapping, by the machine and by the container that we may be in."""
    return min(_machine(), _container())


def total_bytes() -> int:
    """Memory that the machine has, or that the container may use where that is less."""
    try:
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # a system that does not tell
        installed = UNKNOWN
    try:
        most = (_GROUP / "memory.max").read_text().strip()
    except OSError:
        most = ""
    return min(installed, int(most)) if most.isdecimal() else installed


def _machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return UNKNOWN if sys.platform != "darwin" else _mac()
    said = dict(line.split(":", 1) for line in lines)
    return int(said["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in said else UNKNOWN


def _mac() -> int:
    """macOS tells what is installed, and lends much of it to caches: three quarters of it are a fair guess."""
    return total_bytes() * 3 // 4


def _container() -> int:
    """What the control group allows (docs.kernel.org, cgroup-v2, memory.max), less what is in use and not cache."""
    try:
        most, used = (_GROUP / "memory.max").read_text().strip(), int((_GROUP / "memory.current").read_text())
        cache = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return UNKNOWN
    return int(most) - used + int(cache.get("file", 0)) if most.isdecimal() else UNKNOWN
