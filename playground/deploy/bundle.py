"""All files of a bundle, and where they are written: a folder, or a zip with that folder in it."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from playground.deploy.cost import Cost
from playground.deploy.frozen import Frozen
from playground.deploy.readme import readme
from playground.errors import PlaygroundError, refused
from playground.presets import slug
from playground.settings import OPENAI_URL
from playground.words import Language, Said

#: What is the same in every bundle, by its name there.
CONSTANT = {
    "answer.py": "answer.py.txt",
    "checks.py": "checks.py.txt",
    "test_cases.py": "test_cases.py.txt",
    "requirements.txt": "requirements.txt",
    "requirements-test.txt": "requirements-test.txt",
    "pytest.ini": "pytest.ini",
    ".gitignore": "gitignore.txt",
}
MOST_REQUESTS = 1_000_000_000
"""Requests a day that are reckoned with."""
_STAMP = (1980, 1, 1, 0, 0, 0)
"""The time of every file of a zip: the same bundle is the same bytes."""


def folder_name(frozen: Frozen) -> str:
    """A name that every file system takes, whatever the preset is called: none is one of Windows' devices."""
    found = slug(frozen.name)
    return f"deploy-{found}" if found else "deploy"


def read_requests(count: Any) -> int:
    """Requests a day. Raises InvalidRequest."""
    if type(count) is not int or not 1 <= count <= MOST_REQUESTS:
        raise refused("deploy_requests", param="requests_per_day", most=MOST_REQUESTS)
    return count


def contents(
    frozen: Frozen,
    cost: Cost,
    cases: Mapping[str, Any],
    *,
    own_cases: bool,
    requests: int,
    day: date,
    language: Language = "en",
) -> dict[str, str]:
    """Every file's text by its name. What a person has written stands in the JSON files only, as data; its name and its
    model's also in README.md, where Markdown shows them letter by letter."""
    about = readme(frozen, cost, cases, own_cases=own_cases, requests=requests, day=day, language=language)
    return {
        "README.md": about,
        "request.json": _json(frozen.as_json()),
        "cases.json": _json(cases),
        ".env.example": _environment(frozen),
        **{name: _constant(source) for name, source in CONSTANT.items()},
    }


def write(found: Mapping[str, str], place: Path, *, folder: str) -> None:
    """Write a zip where `place` ends in .zip, else a folder: all of it, or nothing.

    Raises InvalidRequest where something is there already, PlaygroundError where it cannot be written.
    """
    if place.exists() and not (place.is_dir() and place.suffix != ".zip" and not any(place.iterdir())):
        raise refused("deploy_exists", param="out", place=str(place))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.suffix.lower() == ".zip":
            with place.open("xb") as file:
                file.write(zipped(found, folder=folder))
            return
        spare = Path(tempfile.mkdtemp(prefix=".deploy-", dir=place.parent))
        try:
            for name, text in found.items():
                (spare / name).write_text(text, encoding="utf-8", newline="\n")
            spare.chmod(0o755)
            if place.exists():
                place.rmdir()  # an empty one
            os.replace(spare, place)
        finally:
            shutil.rmtree(spare, ignore_errors=True)
    except OSError as error:
        said = {"place": str(place), "why": error.strerror or type(error).__name__}
        raise PlaygroundError(Said("error.deploy_write", said), hint=Said("error_hint.deploy_write", said)) from None


def zipped(found: Mapping[str, str], *, folder: str) -> bytes:
    """The zip: one folder with the files in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in found.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}", date_time=_STAMP)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text.encode("utf-8"))
    return out.getvalue()


def _json(value: Any) -> str:
    """Letters as they are, what cannot be seen or reorders a line as an escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return re.sub(r"[^\n -~]", lambda at: at[0] if at[0].isprintable() else json.dumps(at[0])[1:-1], text) + "\n"


def _environment(frozen: Frozen) -> str:
    told = frozen.as_json()
    key, url = told["key_variable"], told["base_url"]
    lines = ["# Copy to .env. The environment goes before this file. Never commit .env.", ""]
    if key:
        whose = "OpenAI" if url == OPENAI_URL else url
        lines += [f"# The key for {whose}; it is sent to no other server than the one below.", f"{key}=", ""]
    lines += [
        f"# Another server with the same model in place of {url}.",
        "ANSWER_BASE_URL=",
        "",
        "# Seconds that a server may take for each part of an answer.",
        "ANSWER_TIMEOUT=60",
        "",
        "# How often a request that fails before any text has come is made at most.",
        "ANSWER_ATTEMPTS=4",
    ]
    return "\n".join(lines) + "\n"


def _constant(source: str) -> str:
    return files("playground").joinpath("data", "deploy", source).read_text(encoding="utf-8")
