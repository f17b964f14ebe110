"""The command line, as a person runs it: a process of its own, against a real local server."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from playground.settings import Settings
from playground.store import Store
from playground.types import Run
from tests.fakes.neighbours import OLLAMA, Local
from tests.fakes.server import FakeServer
from tests.fakes.terminal import Cli

HEAVY = ("gradio", "openai", "pandas", "sqlalchemy", "genai_prices", "alembic", "numpy")


@pytest.fixture
def online(cli: Cli, server: FakeServer) -> Cli:
    """The same with the fake server as the only one."""

    def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return cli(*args, **{"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "canary-key", **options})

    return run


def kept(settings: Settings) -> list[Run]:
    store = Store.open(settings)
    try:
        return store.runs(limit=10)
    finally:
        store.close()


# --- complete ---


def test_complete_prints_the_text_and_keeps_the_run(online: Cli, settings: Settings) -> None:
    done = online("complete", "Say hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello, world!\n", "")
    assert [(run.status, run.choices[0].text) for run in kept(settings)] == [("done", "Hello, world!")]


def test_complete_sends_exactly_what_was_given(online: Cli, server: FakeServer) -> None:
    options = [
        "--temperature",
        "0",
        "--top-p",
        "0.5",
        "--max-tokens",
        "9",
        "--frequency-penalty",
        "-1",
        "--presence-penalty",
        "1.5",
        "--seed",
        "7",
    ]
    more = ["--stop", r"\n", "--stop", "END", "--logit-bias", '{"50256": -100}', "--logprobs", "2", "--user", "me"]
    done = online("complete", "hi", *options, *more, "--suffix", "bye", "--echo", "--model", "server/fake")
    assert done.returncode == 0, done.stderr
    body = server.requests[-1].body
    assert {name: value for name, value in body.items() if name not in ("stream", "stream_options")} == {
        "model": "fake",
        "prompt": "hi",
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 9,
        "frequency_penalty": -1.0,
        "presence_penalty": 1.5,
        "seed": 7,
        "stop": ["\n", "END"],
        "logit_bias": {"50256": -100.0},
        "logprobs": 2,
        "user": "me",
        "suffix": "bye",
        "echo": True,
    }


def test_nothing_is_sent_that_was_not_given(online: Cli, server: FakeServer) -> None:
    online("complete", "hi")
    assert set(server.requests[-1].body) == {"model", "prompt", "stream", "stream_options"}


def test_complete_reads_the_prompt_from_standard_input_as_it_is(online: Cli, server: FakeServer) -> None:
    assert online("complete", "-", stdin="¿Qué?\n").returncode == 0
    assert server.requests[-1].body["prompt"] == "¿Qué?\n"


def test_several_choices_come_under_headers(online: Cli) -> None:
    done = online("complete", "hi", "--n", "2")
    assert done.stdout == "--- 1 of 2 (stop) ---\nHello, world!\n--- 2 of 2 (stop) ---\nHello, world!\n"


def test_best_of_prints_its_answer(online: Cli) -> None:
    assert online("complete", "hi", "--best-of", "3").stdout == "Hello, world!\n"


def test_json_is_one_object_with_the_run(online: Cli) -> None:
    said = json.loads(online("complete", "hi", "--n", "2", "--json").stdout)
    assert set(said) == {"model", "choices", "usage", "cost", "latency", "time_to_first_token"}
    assert said["model"] == "server/fake"
    assert said["choices"][1] == {"index": 1, "text": "Hello, world!", "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 8, "total_tokens": 15, "estimated": False}
    assert (said["usage"], said["cost"]) == (usage, None)


def test_json_holds_the_logprobs_that_were_asked_for(online: Cli) -> None:
    said = json.loads(online("complete", "hi", "--logprobs", "2", "--json").stdout)
    first = said["choices"][0]["logprobs"][0]
    assert first == {"token": "Hello", "logprob": -0.25, "top": [["Hello", -0.25], ["other", -2.5]]}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--temperature", "3"], "temperature is a number from 0 to 2"),
        (["--temperature", "nan"], "temperature is a number from 0 to 2"),
        (["--temperature", "warm"], "--temperature"),
        (["--logit-bias", "{"], "not valid JSON"),
        (["--best-of", "1", "--n", "2"], "best_of (1) is smaller than n (2)"),
        (["--max-tokens", "-1"], "max_tokens"),
        (["--no-such-option"], "--no-such-option"),
        (["--stop", "a", "--stop", "b", "--stop", "c", "--stop", "d", "--stop", "e"], "at most 4"),
    ],
)
def test_a_wrong_value_is_a_usage_error_and_sends_nothing(
    online: Cli, server: FakeServer, args: list[str], says: str
) -> None:
    done = online("complete", "hi", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert not any(request.body for request in server.requests)


def test_an_empty_prompt_is_refused(online: Cli) -> None:
    done = online("complete", "-", stdin="")
    assert done.returncode == 2
    assert "The prompt is empty." in done.stderr


def test_a_failure_keeps_the_text_and_never_shows_the_key(online: Cli, settings: Settings) -> None:
    done = online("complete", "hi", "--model", "fault-drop_midstream")
    assert (done.returncode, done.stdout) == (1, "Hello,\n")
    assert "broke off" in done.stderr
    refused = online("complete", "hi", "--model", "fault-401")
    assert refused.returncode == 1
    assert "OPENAI_API_KEY" in refused.stderr
    assert "canary-key" not in refused.stderr + refused.stdout
    assert [run.status for run in kept(settings)] == ["failed", "failed"]


def test_json_of_a_run_that_broke_off_still_has_its_text(online: Cli) -> None:
    done = online("complete", "hi", "--model", "fault-drop_midstream", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["choices"] == [{"index": 0, "text": "Hello,", "finish_reason": None}]


def test_a_retry_is_announced_on_stderr(online: Cli) -> None:
    done = online("complete", "hi", "--model", "fault-429:0-then-ok")
    assert (done.returncode, done.stdout) == (0, "Hello, world!\n")
    assert "Attempt 2 of" in done.stderr


def test_a_store_that_fails_is_a_warning(online: Cli, data_dir: Path) -> None:
    data_dir.write_text("a file where the folder should be")
    done = online("complete", "hi")
    assert (done.returncode, done.stdout) == (0, "Hello, world!\n")
    assert done.stderr.startswith("Warning: the run is not kept.")


def test_half_an_emoji_does_not_break_the_output(online: Cli, server: FakeServer) -> None:
    server.enqueue("ok", "odd:" + r'{"choices":[{"index":0,"text":"a\ud83db","finish_reason":"stop"}]}')
    assert online("complete", "hi").stdout == "a�b\n"


def test_escape_sequences_are_kept_in_a_pipe(online: Cli, server: FakeServer) -> None:
    server.tokens = ("\x1b[31mred", "\x1b[0m")
    assert online("complete", "hi").stdout == "\x1b[31mred\x1b[0m\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent in another way there")
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_ctrl_c_keeps_what_was_printed_and_saves_it_as_stopped(
    environment: dict[str, str], server: FakeServer, settings: Settings, tmp_path: Path, as_json: bool
) -> None:
    server.pace = "stall_midstream"
    command = [sys.executable, "-m", "playground", "complete", "hi", *(["--json"] if as_json else [])]
    environment |= {"OPENAI_BASE_URL": server.url}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment
    ) as child:
        assert child.stdout is not None
        seen = b""
        if as_json:
            server.enqueue("ok")  # the list of models
            deadline = time.monotonic() + 60
            while not any(request.body for request in server.requests) and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.5)
        else:
            server.enqueue("ok")
            while seen != b"Hello,":
                seen += child.stdout.read(1)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert b"Traceback" not in err
    text = json.loads(out)["choices"][0]["text"] if as_json else (seen + out).decode()
    assert text.strip() == "Hello,"
    assert [(run.status, run.choices[0].text) for run in kept(settings)] == [("stopped", "Hello,")]


def test_a_reader_that_leaves_early_ends_the_run(
    environment: dict[str, str], server: FakeServer, settings: Settings, tmp_path: Path
) -> None:
    server.tokens, server.pace = tuple(f"{i} " for i in range(400)), "slow:40"
    server.enqueue("ok")
    command = [sys.executable, "-m", "playground", "complete", "hi"]
    environment |= {"OPENAI_BASE_URL": server.url}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.read(1)
        child.stdout.close()
        assert b"Traceback" not in child.stderr.read()
        child.wait(30)
    assert [run.status for run in kept(settings)] == ["stopped"]


def test_without_any_server_there_is_a_clear_error(cli: Cli) -> None:
    done = cli("complete", "hi")
    assert done.returncode == 1
    assert "No server is set up." in done.stderr


def test_a_setting_that_cannot_be_used_is_named(cli: Cli) -> None:
    done = cli("complete", "hi", PLAYGROUND_TIMEOUT="soon")
    assert done.returncode == 1
    assert "PLAYGROUND_TIMEOUT" in done.stderr


# --- tokens ---


def test_tokens_counts_offline_and_loads_nothing_heavy(cli: Cli) -> None:
    done = cli("tokens", "--model", "gpt-4o", "hola mundo", PYTHONPROFILEIMPORTTIME="1")
    assert (done.returncode, done.stdout) == (0, "2\n")
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "tiktoken" in imported
    assert imported & set(HEAVY) == set()


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("openai/gpt-4", "cl100k_base"),
        ("text-davinci-003", "p50k_base"),
        ("ft:gpt-4o-mini:me::x", "o200k_base"),
    ],
)
def test_tokens_as_json_names_the_encoding(cli: Cli, model: str, encoding: str) -> None:
    said = json.loads(cli("tokens", "--model", model, "--json", "hi").stdout)
    assert said == {"tokens": 1, "encoding": encoding, "exact": True}


def test_tokens_reads_standard_input(cli: Cli) -> None:
    assert cli("tokens", "--model", "gpt-4o", "-", stdin="hi").stdout == "1\n"
    assert cli("tokens", "--model", "gpt-4o", stdin="").stdout == "0\n"


def test_tokens_of_bytes_that_are_no_text_is_a_usage_error(cli: Cli) -> None:
    done = cli("tokens", "--model", "gpt-4o", "-", stdin=b"\xff\xfe\x00")
    assert done.returncode == 2
    assert "not UTF-8" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty there")
def test_tokens_without_a_text_on_a_terminal_is_a_usage_error(environment: dict[str, str], tmp_path: Path) -> None:
    primary, terminal = os.openpty()
    command = [sys.executable, "-m", "playground", "tokens", "--model", "gpt-4o"]
    done = subprocess.run(command, stdin=terminal, capture_output=True, cwd=tmp_path, env=environment, timeout=60)
    os.close(primary)
    os.close(terminal)
    assert done.returncode == 2
    assert b"There is no text." in done.stderr


def test_tokens_of_a_model_nobody_knows_is_an_estimate(cli: Cli, online: Cli) -> None:
    for run in (cli, online):
        said = json.loads(run("tokens", "--model", "nobodys-model", "--json", "hola mundo").stdout)
        assert said == {"tokens": 2, "encoding": "o200k_base", "exact": False}


def test_tokens_asks_the_server_of_a_model_for_its_own_tokenizer(online: Cli) -> None:
    said = json.loads(online("tokens", "--model", "server/anything", "--json", "one two three").stdout)
    assert (said["tokens"], said["encoding"]) == (3, "server/anything")
    assert online("tokens", "--model", "fake-gguf", "one two three four").stdout == "4\n"


# --- cost ---


def test_cost_is_exact(cli: Cli) -> None:
    args = ["--input-tokens", "1000", "--output-tokens", "5"]
    said = json.loads(cli("cost", "--model", "openai/gpt-4o", *args, "--json").stdout)
    as_of = said.pop("prices_as_of")
    assert "genai-prices" in as_of
    expected = {"model": "openai/gpt-4o", "input_tokens": 1000, "output_tokens": 5, "cost": "0.00255"}
    assert said == {**expected, "currency": "USD"}
    assert cli("cost", "--model", "gpt-4o", *args).stdout == "$0.00255\n"


def test_cost_of_a_fine_tune_uses_the_table(cli: Cli) -> None:
    args = ["--input-tokens", "1000000", "--output-tokens", "1000000", "--cached-tokens", "1000000"]
    assert cli("cost", "--model", "ft:gpt-4o:me::x", *args).stdout == "$16.88\n"


@pytest.mark.parametrize("model", ["nobodys-model", "local/gpt-4o", "ft:nobodys:me::x"])
def test_cost_of_an_unknown_model_is_unknown_and_never_zero(cli: Cli, model: str) -> None:
    args = ["cost", "--model", model, "--input-tokens", "10", "--output-tokens", "10"]
    done = cli(*args)
    assert (done.returncode, done.stdout) == (0, "price unknown\n")
    assert json.loads(cli(*args, "--json").stdout)["cost"] is None


@pytest.mark.parametrize(
    "args",
    [
        ["--input-tokens", "-1", "--output-tokens", "1"],
        ["--input-tokens", "1", "--output-tokens", "-1"],
        ["--input-tokens", "1", "--output-tokens", "1", "--cached-tokens", "2"],
        ["--input-tokens", "many", "--output-tokens", "1"],
        ["--input-tokens", "1"],
    ],
)
def test_cost_of_impossible_numbers_is_a_usage_error(cli: Cli, args: list[str]) -> None:
    done = cli("cost", "--model", "gpt-4o", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_cost_of_a_great_number_is_still_a_number(cli: Cli) -> None:
    many = str(10**15)
    said = json.loads(cli("cost", "--model", "gpt-4o", "--input-tokens", many, "--output-tokens", "0", "--json").stdout)
    assert Decimal(said["cost"]) == Decimal("2.5") * 10**9


# --- models ---


def test_models_lists_every_server(online: Cli) -> None:
    done = online("models")
    expected = ["server/fake", "server/fake-gguf  (2,048 tokens)", "server/fake-vllm  (4,096 tokens)"]
    assert (done.returncode, done.stdout.splitlines()) == (0, expected)
    said = json.loads(online("models", "--json").stdout)
    assert said[1] == {"id": "server/fake-gguf", "endpoint": "server", "context_length": 2048}


def test_a_server_that_fails_costs_only_its_own_models(online: Cli, free_port: int) -> None:
    done = online("models", PLAYGROUND_ENDPOINTS=f"dead=http://127.0.0.1:{free_port}/v1")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("dead: ")


def test_models_fails_when_no_server_answers(cli: Cli, free_port: int) -> None:
    done = cli("models", PLAYGROUND_ENDPOINTS=f"dead=http://127.0.0.1:{free_port}/v1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "dead" in done.stderr


# --- the program itself ---


def test_version_is_the_packages(cli: Cli) -> None:
    from playground import __version__

    assert cli("--version").stdout == f"playground {__version__}\n"


@pytest.mark.parametrize("command", [[], ["complete"], ["tokens"], ["cost"], ["models"]])
def test_every_command_has_help(cli: Cli, command: list[str]) -> None:
    done = cli(*command, "--help")
    assert done.returncode == 0
    assert "Usage: python -m playground" in done.stdout


def test_counting_takes_no_longer_than_a_breath(environment: dict[str, str], tmp_path: Path) -> None:
    """Processor time, so that a busy machine does not fail it; the target is 0.6 s of wall time on an idle one."""
    resource = pytest.importorskip("resource")
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "playground", "tokens", "--model", "gpt-4o", "hi"]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(took) < 1.5


@pytest.mark.engine
def test_complete_with_the_real_engine(cli: Cli) -> None:
    done = cli("complete", "Once upon a time", "--max-tokens", "4", "--seed", "1", "--json", PLAYGROUND_ENGINE="on")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["model"].startswith("local/")
    assert said["usage"]["completion_tokens"] == 4
    # Nothing is said of an engine that was ready before anybody had to wait for it.
    assert done.stderr == "" or "The engine is ready." in done.stderr


# --- neighbours ---


def test_neighbours_are_listed_added_and_used_by_the_next_command(cli: Cli, settings: Settings) -> None:
    with Local(OLLAMA) as server:
        port = str(server.port)
        listed = cli("neighbours", "--at", port)
        assert listed.returncode == 0
        assert listed.stdout.splitlines()[0] == f"Ollama 0.13.1  {server.root}/v1  (models: 3)"
        assert "  llama3.2:3b  (3.2B, Q4_K_M, 4,096 tokens, loaded)" in listed.stdout
        added = cli("neighbours", "--at", port, "--add", "ollama", "--json")
        assert [row["name"] for row in json.loads(added.stdout)] == ["ollama"]
        models = cli("models", PLAYGROUND_ENGINE="off")
        assert models.stdout.splitlines() == [
            "ollama/llama3.2:3b  (4,096 tokens)",
            "ollama/qwen3:0.6b  (40,960 tokens)",
        ]
        removed = cli("neighbours", "--at", port, "--remove", "ollama")
        assert (removed.returncode, removed.stderr) == (0, "Removed ollama.\n")
        none = cli("models", PLAYGROUND_ENGINE="off")
        assert (none.returncode, "No server is set up." in none.stderr) == (1, True)


def test_a_neighbour_that_is_not_there_cannot_be_added(cli: Cli, free_port: int) -> None:
    done = cli("neighbours", "--at", str(free_port), "--add", "vllm")
    assert done.returncode == 2
    assert "No server was found at this address." in done.stderr
