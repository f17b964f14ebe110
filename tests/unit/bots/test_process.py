"""`python -m playground telegram` in a process of its own: started, killed, started again."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from playground.bots.state import State
from playground.presets import Preset, dump
from tests.fakes.bot_api import TOKEN, BotApi
from tests.fakes.server import FakeServer
from tests.fakes.terminal import Cli

PRESET = Preset(id="p", name="Helper", mode="chat", system="Be brief.", model="server/fake", params={"max_tokens": 50})
Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def preset(tmp_path: Path) -> str:
    path = tmp_path / "preset.json"
    path.write_text(dump([PRESET]))
    return str(path)


@pytest.fixture
def start(
    environment: dict[str, str], tmp_path: Path, server: FakeServer, api: BotApi, preset: str
) -> Iterator[Started]:
    """`start("--budget", "…")`: the bot as a person starts it; killed at the end where it still runs."""
    running: list[subprocess.Popen[str]] = []

    def go(*options: str, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "playground", "telegram", "--preset", preset, "--api", api.url, *options]
        own = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "canary-key", "TELEGRAM_API_KEY": TOKEN, **variables}
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**environment, **own}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        return process

    yield go
    for process in running:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> str:
    """What it said, after it was asked to end."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, ""), err
    return err


def all_done(data_dir: Path) -> bool:
    """Whether the bot has noted of every message that it is answered: what Telegram has got may not be noted yet."""
    (file,) = (data_dir / "telegram").glob("*.sqlite")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return database.execute("SELECT COUNT(*) FROM inbox WHERE state <> 'done'").fetchone() == (0,)


def asked(server: FakeServer) -> list[Any]:
    return [r.body for r in server.requests if r.path == "/v1/chat/completions"]


def test_a_bot_that_is_killed_answers_nothing_twice_and_loses_nothing(
    start: Started, api: BotApi, server: FakeServer, data_dir: Path
) -> None:
    first = start()
    api.write("one")
    api.until(lambda: api.texts() == ["Hello, world!"] and all_done(data_dir))
    server.pace = "slow:0.2"
    api.write("being asked", chat=8)
    api.until(lambda: len(asked(server)) == 2)
    api.write("waiting behind it", chat=8)
    api.until(api.waits)
    first.kill()
    first.wait(10)
    server.pace = "ok"
    api.write("while it was gone", chat=9)
    second = start()
    api.until(lambda: len(api.texts(8)) == 2 and len(api.texts(9)) == 1)
    assert "restarted" in api.texts(8)[0]
    assert api.texts(8)[1] == "Hello, world!"
    assert api.texts() == ["Hello, world!"]
    said = [body["messages"][-1]["content"] for body in asked(server)]
    assert sorted(said) == ["being asked", "one", "waiting behind it", "while it was gone"]
    api.write("do you remember?")
    api.until(lambda: len(api.texts()) == 2)
    assert [m["content"] for m in asked(server)[-1]["messages"][1:]] == ["one", "Hello, world!", "do you remember?"]
    err = ended(second)
    assert err.startswith("Anyone who finds this bot can use it")
    assert "@canary_bot answers by the preset 'Helper' with server/fake." in err


def test_telegram_that_forgets_what_was_confirmed_makes_no_second_answer(
    start: Started, api: BotApi, data_dir: Path
) -> None:
    first = start()
    number = api.write("one")
    api.until(lambda: api.texts() == ["Hello, world!"] and api.waits() and all_done(data_dir))
    first.kill()
    first.wait(10)
    api._updates.append({"update_id": number, "message": {"chat": {"id": 7}, "from": {"id": 7}, "text": "one"}})
    api.write("two")
    second = start()
    api.until(lambda: len(api.texts()) == 2)
    ended(second)
    assert len(api.texts()) == 2


def test_a_budget_holds_over_a_kill_in_the_middle_of_an_answer(
    start: Started, api: BotApi, server: FakeServer, data_dir: Path
) -> None:
    server.pace = "slow:0.2"
    options = ("--budget", "300 tokens", "--memory-messages", "0")
    first = start(*options)
    api.write("one")
    api.until(lambda: len(asked(server)) == 1)
    first.kill()
    first.wait(10)
    server.pace = "ok"
    second = start(*options)
    for number in range(20, 30):
        api.write("more", chat=number)
    api.until(lambda: all(api.texts(number) for number in range(20, 30)))
    refused = [number for number in range(20, 30) if api.texts(number)[0].startswith("Today's limit")]
    assert refused
    ended(second)
    state = State(next((data_dir / "telegram").glob("*.sqlite")))
    try:
        assert state.spent()[0].tokens <= 300
        assert state.spent(chat=7)[0].tokens > 50  # what was at the model: its prompt and the longest answer
    finally:
        state.close()


def test_the_model_comes_from_the_environment_and_the_token_is_never_shown(
    start: Started, api: BotApi, server: FakeServer
) -> None:
    api.fail("sendMessage", 400, description=f"Bad Request: https://api/bot{TOKEN}/sendMessage is wrong")
    process = start(MODEL_ENGINE="server/tuned", PYTHONWARNINGS="default")
    api.write("one")
    api.write("two", chat=8)
    api.until(lambda: api.sent != [])
    assert {body["model"] for body in asked(server)} == {"tuned"}
    err = ended(process)
    assert "Telegram did not take a message" in err
    assert TOKEN not in err
    assert TOKEN.partition(":")[2] not in err


def test_a_second_process_of_the_same_bot_is_refused(start: Started, api: BotApi) -> None:
    first = start()
    api.write("/help")
    api.until(lambda: api.sent != [])
    second = start()
    _, err = second.communicate(timeout=60)
    assert (second.returncode, err.splitlines()[0]) == (1, "Error: This bot is already answering in another process.")
    ended(first)


@pytest.mark.parametrize(
    ("options", "variables", "code", "words"),
    [
        ((), {"TELEGRAM_API_KEY": ""}, 1, "TELEGRAM_API_KEY is not set."),
        ((), {"TELEGRAM_API_KEY": "no-token"}, 1, "Telegram does not accept the token"),
        ((), {"TELEGRAM_API_KEY": "1:canary-wrong"}, 1, "Telegram does not accept the token"),
        (("--budget", "much"), {}, 2, "“much” is not a budget"),
        (("--budget", "1", "--budget", "2"), {}, 2, "“2” is not a budget"),
        (("--budget", "0"), {}, 2, "A budget of 0"),
        (("--budget", "1.50"), {}, 2, "The price of server/fake is not known"),
        (("--chats", "me"), {}, 2, "“me” is not the number of a chat."),
        (("--variable", "nope"), {}, 2, "The preset has no variable {{nope}}."),
        (("--preset", "Nope"), {}, 2, "No preset is called “Nope”."),
        (("--preset", "Who discovered America?"), {}, 2, "has no place for a message"),
    ],
)
def test_what_cannot_be_is_said_before_anybody_is_answered(
    start: Started, options: tuple[str, ...], variables: dict[str, str], code: int, words: str
) -> None:
    process = start(*options, **variables)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert words in err
    assert "Traceback" not in err
    assert "canary" not in err


def test_without_the_extra_one_line_says_what_to_install(cli: Cli, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'telegram' else find(name, package)\n"
    )
    done = cli("telegram", "--preset", "x", PYTHONPATH=f"{tmp_path}:{environment['PYTHONPATH']}")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        "Error: The Telegram bot needs python-telegram-bot: .venv/bin/pip install -r requirements-telegram.txt"
    ]


def test_a_fine_tune_gets_the_separator_and_the_stop_of_its_training_file(
    start: Started, api: BotApi, server: FakeServer, tmp_path: Path
) -> None:
    lines = [{"prompt": f"Question {n}\n\n###\n\n", "completion": f" answer {n} END"} for n in range(3)]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    server.training.files["file-1"] = ({"id": "file-1"}, data)
    server.jobs = [
        {
            "id": "ftjob-1",
            "object": "fine_tuning.job",
            "status": "succeeded",
            "fine_tuned_model": "ft:tiny:acme::1",
            "training_file": "file-1",
            "finished_at": 1,
        }
    ]
    bare = tmp_path / "bare.json"
    bare.write_text(dump([Preset(id="b", name="Bare", mode="complete", text="{{q}}", params={"max_tokens": 9})]))
    process = start("--preset", str(bare), MODEL_ENGINE="ft:tiny:acme::1")
    api.write("Question 9")
    api.until(lambda: api.sent != [])
    (body,) = [r.body for r in server.requests if r.path == "/v1/completions"]
    assert (body["model"], body["prompt"], body["stop"]) == ("ft:tiny:acme::1", "Question 9\n\n###\n\n", [" END"])
    ended(process)


def test_a_bot_whose_messages_go_to_a_webhook_says_so_and_ends(start: Started, api: BotApi) -> None:
    api.fail("getUpdates", 409, description="Conflict: can't use getUpdates method while webhook is active")
    process = start()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "(a webhook)" in err
    assert "Traceback" not in err


def test_a_poll_of_a_killed_process_that_is_still_open_is_waited_for(start: Started, api: BotApi) -> None:
    api.fail("getUpdates", 409, description="Conflict: terminated by other getUpdates request")
    process = start()
    api.write("one")
    api.until(lambda: api.texts() == ["Hello, world!"])
    ended(process)
