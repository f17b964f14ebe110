"""`finetune` on the command line: a process of its own, against a real local server that trains."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.server import FakeServer
from tests.fakes.terminal import Cli

LINES = '{"messages": []}\n' * 3


@pytest.fixture
def online(cli: Cli, server: FakeServer) -> Cli:
    """The command line with the fake server as the only one."""

    def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return cli("finetune", *args, **{"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "canary-key", **options})

    return run


@pytest.fixture
def train(tmp_path: Path) -> str:
    path = tmp_path / "train.jsonl"
    path.write_text(LINES)
    return str(path)


# --- create ---


def test_create_uploads_and_starts_with_what_was_given(online: Cli, server: FakeServer, train: str) -> None:
    options = ["--suffix", "tweets", "--epochs", "2", "--batch-size", "4", "--learning-rate-multiplier", "0.5"]
    done = online("create", train, "--base", "server/gpt-4.1-nano", *options, "--seed", "7", "--validation", train)
    assert (done.returncode, done.stdout) == (0, "server/ftjob-1\n"), done.stderr
    assert "Uploaded train.jsonl as file-1." in done.stderr
    assert server.training.files["file-2"][1] == LINES.encode()
    assert server.requests[-1].body == {
        "model": "gpt-4.1-nano",
        "training_file": "file-1",
        "validation_file": "file-2",
        "suffix": "tweets",
        "seed": 7,
        "method": {
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5}},
        },
    }


def test_a_base_may_have_a_slash_of_its_own_and_json_is_the_job(online: Cli, server: FakeServer, train: str) -> None:
    done = online("create", train, "--base", "unsloth/Llama-3.2-1B", "--json")
    assert json.loads(done.stdout)["model"] == "unsloth/Llama-3.2-1B"
    assert server.requests[-1].body == {"model": "unsloth/Llama-3.2-1B", "training_file": "file-1"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--base", "a", "--epochs", "51"], "epochs"),
        (["--base", "a", "--learning-rate-multiplier", "nan"], "learning_rate_multiplier"),
        (["--base", "a", "--method", "reinforcement"], "Use dpo"),
        (["--base", "a", "--beta", "0.1"], "beta belongs to the method dpo"),
        (["--base", "a", "--endpoint", "elsewhere"], "elsewhere"),
        (["--base", "a", "--validation", "none.jsonl"], "none.jsonl"),
        (["--base", "a", "--validation", __file__], "JSONL"),
        ([], "--base"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_what_is_wrong_is_a_usage_error_and_sends_nothing(
    online: Cli, server: FakeServer, train: str, options: list[str], words: str
) -> None:
    done = online("create", train, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert server.requests == []


def preferences(tmp_path: Path, *lines: Any) -> str:
    path = tmp_path / "preferences.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


PREFERENCE = {
    "input": {"messages": [{"role": "user", "content": "Hello"}]},
    "preferred_output": [{"role": "assistant", "content": "Good day"}],
    "non_preferred_output": [{"role": "assistant", "content": "What?"}],
}


def test_preferences_are_trained_by_dpo(online: Cli, server: FakeServer, tmp_path: Path) -> None:
    file = preferences(tmp_path, PREFERENCE)
    done = online("create", file, "--base", "a", "--method", "dpo", "--beta", "0.1", "--epochs", "2")
    assert (done.returncode, done.stdout) == (0, "server/ftjob-1\n"), done.stderr
    hyperparameters = {"beta": 0.1, "n_epochs": 2}
    assert server.requests[-1].body["method"] == {"type": "dpo", "dpo": {"hyperparameters": hyperparameters}}
    shown = online("show", "ftjob-1").stdout
    assert "method: dpo" in shown
    assert "beta 0.1" in shown


def test_a_file_that_does_not_fit_the_method_is_not_sent(
    online: Cli, server: FakeServer, tmp_path: Path, train: str
) -> None:
    bad = preferences(tmp_path, PREFERENCE, {**PREFERENCE, "preferred_output": []})
    done = online("create", bad, "--base", "a", "--method", "dpo")
    assert done.returncode == 2
    assert "exactly one message: 1. Lines: 2." in done.stderr
    chats = online("create", train, "--base", "a", "--method", "dpo")
    assert (chats.returncode, "Examples of chats, not of preferences: 3. Lines: 1, 2, 3." in chats.stderr) == (2, True)
    other = online("create", preferences(tmp_path, PREFERENCE), "--base", "a")
    assert (other.returncode, "preferences, which are for the method dpo" in other.stderr) == (2, True)
    assert server.requests == []


def test_a_server_that_does_not_know_the_method_says_so(online: Cli, server: FakeServer, tmp_path: Path) -> None:
    server.training.methods = ["supervised"]
    done = online("create", preferences(tmp_path, PREFERENCE), "--base", "a", "--method", "dpo")
    assert done.returncode == 1
    assert "does not train this model by this method" in done.stderr
    assert "Train with another method" in done.stderr


def test_a_closed_door_is_told_in_words(online: Cli, train: str) -> None:
    done = online("create", train, "--base", "fault-403_training")
    assert (done.returncode, done.stdout) == (1, "")
    assert "closed to new organisations since 2026-05-07, and to all from 2027-01-06" in done.stderr
    assert "another server" in done.stderr
    assert "canary-key" not in done.stderr


def test_create_follows_the_job_to_its_end(online: Cli, server: FakeServer, train: str) -> None:
    server.training.steps_an_epoch = 1
    done = online("create", train, "--base", "gpt-4.1-nano", "--epochs", "1", "--follow")
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == "server/ftjob-1"
    said = [event["message"] for event in server.training.events["ftjob-1"]]
    assert [line.removeprefix("100%  ") for line in lines] == said
    assert "succeeded: ft:gpt-4.1-nano:acme::1" in done.stderr


# --- list, show, cancel ---


def test_list_shows_the_jobs_of_every_server(online: Cli, server: FakeServer, free_port: int) -> None:
    server.training.run()
    server.training.run("broken")
    away = {"PLAYGROUND_ENDPOINTS": f"away=http://127.0.0.1:{free_port}/v1"}
    done = online("list", **away)
    assert done.returncode == 0
    newest, oldest = done.stdout.splitlines()
    assert newest.startswith("server/ftjob-2  2026-05-28")
    assert newest.endswith("broken  failed: Line 3 has no answer.")
    assert oldest.endswith("gpt-4.1-nano  succeeded: ft:gpt-4.1-nano:acme::1")
    assert "away: " in done.stderr
    assert [job["endpoint"] for job in json.loads(online("list", "--json").stdout)] == ["server", "server"]


def test_show_tells_all_that_is_known(online: Cli, server: FakeServer) -> None:
    name = server.training.run()
    done = online("show", name)
    assert done.returncode == 0
    for words in (f"server/{name}: succeeded", "n_epochs 3", "trained tokens: 720", "checkpoint at step 6"):
        assert words in done.stdout
    said = json.loads(online("show", f"server/{name}", "--json").stdout)
    assert [each["step_number"] for each in said["checkpoints"]] == [6, 4, 2]


def test_a_job_with_odd_times_and_no_fields_is_still_shown(online: Cli, server: FakeServer) -> None:
    server.training.jobs["ftjob-odd"] = {"id": "ftjob-odd", "created_at": 1e200, "status": "paused"}
    server.training.hold = True
    server.training.events["ftjob-odd"], server.training.checkpoints["ftjob-odd"] = [], []
    done = online("show", "ftjob-odd")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "server/ftjob-odd: paused")


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("ftjob-none", 1, "no fine-tuning job ftjob-none"),
        ("elsewhere/ftjob-1", 2, "no server 'elsewhere'"),
        ("server/../models", 2, "no id"),
    ],
)
def test_a_job_that_cannot_be_found_is_told_in_words(online: Cli, name: str, code: int, words: str) -> None:
    done = online("show", name)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_cancel_ends_the_job_once(online: Cli, server: FakeServer, train: str) -> None:
    online("create", train, "--base", "a")
    done = online("cancel", "server/ftjob-1")
    assert (done.returncode, done.stdout) == (0, "server/ftjob-1: cancelled\n")
    assert server.training.jobs["ftjob-1"]["status"] == "cancelled"
    again = online("cancel", "server/ftjob-1")
    assert (again.returncode, "already cancelled" in again.stderr) == (1, True)


def test_pause_and_resume_say_what_the_job_is_then(online: Cli, server: FakeServer, train: str) -> None:
    online("create", train, "--base", "a")
    server.training.hold = True
    server.training.jobs["ftjob-1"]["status"] = "running"
    done = online("pause", "server/ftjob-1")
    assert (done.returncode, done.stdout) == (0, "server/ftjob-1: paused\n"), done.stderr
    assert json.loads(online("resume", "ftjob-1", "--json").stdout)["status"] == "running"
    server.training.pausable = False
    refused = online("pause", "ftjob-1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "has no way to pause a job" in refused.stderr


def test_without_a_server_there_is_a_clear_error(cli: Cli) -> None:
    done = cli("finetune", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "No server is set up" in done.stderr


# --- follow ---


def test_follow_of_a_failed_job_ends_with_one_and_json_is_the_job(online: Cli, server: FakeServer) -> None:
    name = server.training.run("broken")
    done = online("follow", name, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "failed"
    assert "error: The job failed: Line 3 has no answer." in done.stderr


def test_reconnecting_is_told(online: Cli, server: FakeServer) -> None:
    name = server.training.run()
    server.enqueue("ok", "ok", "drop_headers")
    server.training.jobs[name]["finished_at"], server.training.jobs[name]["status"] = None, "running"
    done = online("follow", name)
    assert done.returncode == 0, done.stderr
    assert "Reconnecting in" in done.stderr
    said = [event["message"] for event in server.training.events[name]]
    assert [line.partition("%  ")[2] or line for line in done.stdout.splitlines()] == said


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent in another way there")
def test_ctrl_c_ends_the_following_and_not_the_job(
    environment: dict[str, str], server: FakeServer, tmp_path: Path
) -> None:
    name = server.training.run()
    server.training.jobs[name] |= {"status": "running", "finished_at": None}
    server.training.hold = True
    command = [sys.executable, "-m", "playground", "finetune", "follow", name]
    environment |= {"OPENAI_BASE_URL": server.url}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment
    ) as child:
        assert child.stdout is not None
        try:
            child.stdout.readline()
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=30)
        finally:  # one that does not hear Ctrl-C would be waited for without end
            child.kill()
    assert child.returncode == 130, err
    assert b"Traceback" not in err
    assert b"Stopped following. The job goes on." in err
    assert f"finetune follow server/{name}".encode() in err
    assert all("cancel" not in request.path for request in server.requests)


# --- results ---


def test_a_file_that_is_too_large_is_refused_before_it_is_read(cli: Cli, tmp_path: Path) -> None:
    with (tmp_path / "results.csv").open("wb") as file:
        file.truncate(2_000_000_000)  # a hole: it takes no room
    done = cli("results", "results.csv")
    assert done.returncode == 2
    assert "results.csv is not read." in done.stderr
    assert "larger than 512 MB" in done.stderr


def test_results_are_read_out_or_saved_as_plain_csv(online: Cli, server: FakeServer, tmp_path: Path) -> None:
    name = server.training.run()
    server.training.as_base64 = True
    done = online("results", name)
    assert done.returncode == 0
    assert f"server/{name}: current format, 6 rows" in done.stdout
    out = tmp_path / "out.csv"
    saved = online("results", name, "--out", str(out))
    assert (saved.returncode, saved.stdout) == (0, "")
    assert out.read_text().startswith("step,train_loss,")
    both = online("results", name, "--out", str(out), "--json")
    assert json.loads(both.stdout)["steps"] == 6
    assert json.loads(online("results", name, "--json").stdout)["steps"] == 6


def test_a_job_without_results_and_a_place_that_cannot_be_written_are_told(
    online: Cli, server: FakeServer, tmp_path: Path
) -> None:
    failed = server.training.run("broken")
    done = online("results", failed)
    assert (done.returncode, "no results file. It is failed." in done.stderr) == (1, True)
    nowhere = online("results", server.training.run(), "--out", str(tmp_path / "none" / "out.csv"))
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (2, True)


@pytest.mark.parametrize("command", [[], ["create"], ["follow"]])
def test_every_command_has_help(online: Cli, command: list[str]) -> None:
    done = online(*command, "--help")
    assert done.returncode == 0
    assert "Usage: python -m playground finetune" in done.stdout


def test_with_a_limit_in_dollars_nothing_is_trained_that_is_paid_at_its_end(
    cli: Cli, server: FakeServer, tmp_path: Path
) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "a ->", "completion": " b\\n"}\n' * 12)
    told = cli(
        *("finetune", "create", str(file), "--base", "server/davinci-002"),
        OPENAI_BASE_URL=server.url,
        PLAYGROUND_LIMITS="$5/day",
    )
    assert (told.returncode, "no limit in dollars" in told.stderr) == (2, True)
    assert not [each for each in server.requests if each.method == "POST"]
