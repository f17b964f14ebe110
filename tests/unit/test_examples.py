"""The two programs of the course, as a person runs them, against a real local server."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.guess_the_animal import ANIMALS, hidden, is_right
from tests.fakes.server import FakeServer

ROOT = Path(__file__).parents[2]
Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(environment: dict[str, str]) -> Program:
    """`program(server, "guess_the_animal", …, stdin=…)` runs one of them in a process of its own."""

    def run(server: FakeServer, name: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        variables = {**environment, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "canary-key"}
        command = [sys.executable, "-m", f"examples.{name}", *arguments]
        done = subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=120, cwd=ROOT, env=variables)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        assert "canary-key" not in out + err
        return subprocess.CompletedProcess(command, done.returncode, out, err)

    return run


def test_tweets_are_labelled_written_and_scored(program: Program, tmp_path: Path) -> None:
    out = tmp_path / "labelled.csv"
    with FakeServer(tokens=(" Posi", "tive")) as server:
        done = program(server, "tweet_sentiment", "examples/tweets.csv", "--out", str(out))
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 10
    assert {row["sentiment"] for row in rows} == {"Positive"}
    assert "Right: 40%." in done.stdout
    bodies = [request.body for request in server.requests if request.path == "/v1/completions"]
    assert [body["prompt"].count("I loved the new Batman movie, I would") for body in bodies] == [1] + [0] * 9
    assert {(body["temperature"], tuple(body["stop"])) for body in bodies} == {(0, ("\n",))}


def test_spanish_tweets_without_answers_are_labelled(program: Program, tmp_path: Path) -> None:
    tweets = tmp_path / "tuits.csv"
    tweets.write_text("tweet\nHoy llueve otra vez\n=SUMA(A1)\n")
    out = tmp_path / "out.csv"
    with FakeServer(tokens=(" Negativo",)) as server:
        done = program(server, "tweet_sentiment", str(tweets), "--language", "es", "--out", str(out))
    assert done.returncode == 0
    assert out.read_text().splitlines() == ["tweet,sentiment", "Hoy llueve otra vez,Negativo", "'=SUMA(A1),Negativo"]
    assert "Right" not in done.stdout


def test_a_file_that_is_not_there_and_a_key_that_is_wrong_are_said_in_a_sentence(program: Program) -> None:
    with FakeServer() as server:
        missing = program(server, "tweet_sentiment", "nowhere.csv")
        server.pace = "401"
        refused = program(server, "tweet_sentiment", "examples/tweets.csv", "--model", "server/fake")
    assert (missing.returncode, refused.returncode) == (1, 1)
    assert missing.stderr == "Error: nowhere.csv cannot be read: No such file or directory.\n"
    assert refused.stderr.startswith("Error: ")
    assert "key" in refused.stderr


def test_the_animal_is_guessed_after_a_hint_that_does_not_say_its_name(program: Program) -> None:
    everything = "\n".join(["a rhino", *(f"The {animal.upper()}!" for animal in ANIMALS["en"])])
    with FakeServer(
        tokens=(
            " Elephants,",
            " lions, giraffes, hippopotamus, monkeys, tigers, crocodiles, parrots",
        )
    ) as server:
        done = program(server, "guess_the_animal", "--seed", "1", stdin=everything)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Right! It was the" in done.stdout
    animal = done.stdout.split("It was the ")[1].split(".")[0]
    hints = [line for line in done.stdout.splitlines() if "No. A hint:" in line]
    assert hints
    assert all("***" in line and animal not in line.lower() for line in hints)


def test_whoever_gives_up_is_told_and_a_server_that_fails_does_not_end_the_game(program: Program) -> None:
    with FakeServer() as server:
        server.pace = "401"
        done = program(server, "guess_the_animal", "--language", "es", "--model", "server/fake", stdin="perro\n\n")
    assert done.returncode == 0
    assert "(No hay pista: " in done.stdout
    assert "Era: " in done.stdout


@pytest.mark.parametrize(
    ("guess", "animal", "right"),
    [("el León", "león", True), ("LEON.", "león", True), ("leona", "león", False), ("", "león", False)],
)
def test_a_guess_is_right_but_for_case_accents_and_article(guess: str, animal: str, right: bool) -> None:
    assert is_right(guess, animal) is right


def test_a_name_is_hidden_in_every_form() -> None:
    assert hidden("Los LEONES rugen; un león no.", "león") == "Los *** rugen; un *** no."
    assert hidden("A monkey's tail", "lion") == "A monkey's tail"
