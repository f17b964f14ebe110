"""`judge`, and a judge in a spec, as a person runs them against real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.server import FakeServer
from tests.fakes.terminal import Cli

SPEC = {
    "name": "hello",
    "models": ["server/fake"],
    "prompt": "{{q}}",
    "mode": "complete",
    "grid": {"temperature": [0, 0.5]},
    "dataset": "cases.csv",
    "metrics": ["exact_match"],
}
CALLS = 2 * 3


@pytest.fixture
def bench() -> Iterator[FakeServer]:
    with FakeServer(tokens=('{"reason": "So it is.",', ' "grade": 3}')) as running:
        yield running


@pytest.fixture
def served(server: FakeServer, bench: FakeServer, tmp_path: Path) -> dict[str, str]:
    rows = "".join(f'question {at},"Hello, world!"\n' for at in range(3))
    (tmp_path / "cases.csv").write_text(f"q,expected\n{rows}")
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    return {"PLAYGROUND_ENDPOINTS": f"server={server.url},bench={bench.url}"}


def asked(bench: FakeServer) -> int:
    return sum(each.path.endswith("completions") for each in bench.requests)


def ran(cli: Cli, served: dict[str, str]) -> str:
    """A sweep without a judge, run. Its id."""
    done = cli("sweep", "spec.json", "--yes", "--json", **served)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["id"])


def test_a_judge_in_a_spec_is_foreseen_asked_and_marked(
    cli: Cli, served: dict[str, str], bench: FakeServer, tmp_path: Path
) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({**SPEC, "metrics": [{"judge": {"model": "bench/fake"}}]}))
    done = cli("sweep", "spec.json", "--yes", **served)
    assert done.returncode == 0, done.stderr
    assert f"on top of those calls: {CALLS} to judges" in done.stderr
    assert asked(bench) == CALLS
    assert "judge (given by a model, 1 to 5), higher is better" in done.stdout
    assert f"bench/fake's opinion of {CALLS} answers" in done.stdout
    assert "judge:" in done.stderr, "the bar says that a judge is asked"


def test_a_sweep_that_is_there_is_judged_afterwards_and_once(
    cli: Cli, served: dict[str, str], server: FakeServer, bench: FakeServer
) -> None:
    id = ran(cli, served)
    before = len(server.requests)
    nobody = cli("judge", id, "-m", "bench/fake", **served)
    assert nobody.returncode != 0
    assert f"{CALLS} calls to bench/fake: grammar" not in nobody.stderr
    assert "Add --yes" in nobody.stderr
    assert asked(bench) == 0
    done = cli("judge", id[:6], "-m", "bench/fake", "--criterion", "grammar", "--yes", "--json", **served)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert (said["measure"]["name"], said["measure"]["judged"]) == ("judge", True)
    assert {cell["quality"]["value"] for cell in said["cells"]} == {3}
    assert (asked(bench), len([r for r in server.requests[before:] if r.path.endswith("completions")])) == (CALLS, 0)
    again = cli("judge", id, "-m", "bench/fake", "--yes", **served)
    assert "has a judge called judge already" in again.stderr
    other = cli("judge", id, "-m", "bench/fake", "--as", "tone", "--criterion", "Is it kind?", "--yes", **served)
    assert other.returncode == 0, other.stderr
    assert asked(bench) == 2 * CALLS
    [listed] = json.loads(cli("sweeps", "--json", **served).stdout)
    assert (listed["id"], listed["judged"]["done"], listed["judged"]["calls"]) == (id, 2 * CALLS, 2 * CALLS)
    assert f"{2 * CALLS}/{2 * CALLS} judged" in cli("sweeps", **served).stdout


def test_what_cannot_judge_is_refused_and_nothing_changes(cli: Cli, served: dict[str, str], bench: FakeServer) -> None:
    id = ran(cli, served)
    for arguments, said in (
        (("nothing", "-m", "bench/fake"), "No sweep is called nothing"),
        ((id, "-m", "elsewhere/fake"), "elsewhere"),
        ((id, "-m", "bench/fake", "--criterion", "x" * 501), "criterion"),
        ((id, "-m", "bench/fake", "--as", "exact_match"), "has a judge called exact_match already"),
        ((id, "-m", "bench/fake", "--max-tokens", "0"), "max_tokens"),
    ):
        done = cli("judge", *arguments, "--yes", **served)
        assert done.returncode != 0
        assert said in done.stderr
    assert asked(bench) == 0
    assert "judge" not in cli("sweep", "--resume", id, **served).stdout
