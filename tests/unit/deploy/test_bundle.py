"""A bundle: it runs as it is written, against a real local server, and holds nothing but what the preset says."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from playground import export, presets
from playground.deploy import cases as cases_room
from playground.deploy.bundle import CONSTANT, contents, folder_name, read_requests, write, zipped
from playground.deploy.cases import cases_json, read_at_least, read_check
from playground.deploy.cost import estimated
from playground.deploy.frozen import Frozen, freeze
from playground.errors import InvalidRequest, PlaygroundError
from playground.evaluate.dataset import Case, Dataset
from playground.presets import Preset
from playground.types import Endpoint, ModelInfo
from playground.variables import fill, pieces
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer

ROOT = Path(__file__).parents[3]
SERVER = Endpoint(name="server", kind="compatible", base_url="http://127.0.0.1:1/v1", api_key=CANARY)
OPENAI = Endpoint(name="openai", kind="openai", base_url="https://api.openai.com/v1", api_key=CANARY)
NASTY = '"""; import os\'{}{{x}} \\{{not_one}} \\N{BULLET} `rm -rf /` $(id) %s \u202e 名前 🎉 =1+1\n</script>\\'
SCHEMA = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"]}
TOOLS = [{"name": "weather", "description": 'in a "city"', "parameters": {"type": "object"}}]


def preset(**fields: Any) -> Preset:
    given = {"id": "1", "name": "Mine", "mode": "complete", "text": "Tweet: {{tweet}} ->", "model": "server/fake"}
    return Preset(**{**given, **fields})


def chat(**fields: Any) -> Preset:
    said = ({"role": "user", "content": "Is {{tweet}} good?"},)
    return preset(**{"mode": "chat", "text": "", "system": "You are {{who}}.", "messages": said, **fields})


def edit(**fields: Any) -> Preset:
    return preset(**{"mode": "edit", "text": "", "instruction": "Mend it.", "input": "Teh cat", **fields})


def frozen(given: Preset, *, endpoint: Endpoint = SERVER, model: str = "fake") -> Frozen:
    return freeze(given, info=ModelInfo(id=model, endpoint=endpoint.name), endpoint=endpoint)


def files_of(
    asked: Frozen, dataset: Dataset | None = None, *, day: date = date(2026, 11, 1), **cases: Any
) -> dict[str, str]:
    given = cases_json(asked, dataset, **cases)
    cost = estimated(asked, 100, price_as="gpt-5-mini")
    return contents(asked, cost, given, own_cases=dataset is not None, requests=1_000, day=day)


class Made:
    """A bundle in a folder, and its programs as a person runs them."""

    def __init__(self, folder: Path, server: FakeServer) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.environment = {**kept, "OPENAI_API_KEY": CANARY, "ANSWER_BASE_URL": server.url, "ANSWER_TIMEOUT": "20"}

    def run(self, *command: str, **more: Any) -> subprocess.CompletedProcess[str]:
        given = {"input": "", **more}
        env = {**self.environment, **given.pop("env", {})}
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env={**env, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            **given,
        )
        assert CANARY not in done.stdout + done.stderr
        return done

    def answer(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        done = self.run("answer.py", *arguments, **more)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def pytest(self) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "pytest", "-p", "no:cacheprovider", "-rA")


@pytest.fixture
def make(tmp_path: Path, server: FakeServer) -> Callable[..., Made]:
    def go(given: Preset, dataset: Dataset | None = None, **cases: Any) -> Made:
        asked = frozen(given)
        place = tmp_path / "a bundle"
        write(files_of(asked, dataset, **cases), place, folder=folder_name(asked))
        return Made(place, server)

    return go


def sent(server: FakeServer) -> Any:
    """What the last request asked, without what streaming adds."""
    body = dict(server.requests[-1].body)
    assert (body.pop("stream"), body.pop("stream_options")) == (True, {"include_usage": True})
    return body


# --- the program ---


def test_a_completion_streams_its_answer_with_its_variables_filled(
    make: Callable[..., Made], server: FakeServer
) -> None:
    made = make(preset(params={"temperature": 0, "max_tokens": 5, "stop": ["\\n"], "logit_bias": '{"5": -100}'}))
    done = made.answer("tweet=I love it")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello, world!\n", "")
    assert sent(server) == {
        "model": "fake",
        "prompt": "Tweet: I love it ->",
        "temperature": 0,
        "max_tokens": 5,
        "stop": ["\n"],
        "logit_bias": {"5": -100},
    }
    assert server.requests[-1].headers["authorization"] == f"Bearer {CANARY}"


def test_a_chat_sends_its_conversation_and_takes_another_last_message(
    make: Callable[..., Made], server: FakeServer
) -> None:
    made = make(chat(variables={"who": "brief", "tweet": "this"}))
    assert made.answer().returncode == 0
    assert [m["content"] for m in sent(server)["messages"]] == ["You are brief.", "Is this good?"]
    assert made.answer("who=kind", "--text", "-", input="And {{tweet}}, ¿ñ?").returncode == 0
    assert [m["content"] for m in sent(server)["messages"]] == ["You are kind.", "And {{tweet}}, ¿ñ?"]


def test_an_edit_is_made_for_other_texts_than_its_own(make: Callable[..., Made], server: FakeServer) -> None:
    made = make(edit())
    made.answer()
    own = sent(server)["messages"]
    made.answer("input=A {{tweet}}")
    other = sent(server)["messages"]
    assert own[0] == other[0]
    assert own[1]["content"].endswith("Text:\nTeh cat")
    assert other[1]["content"].endswith("Text:\nA {{tweet}}")


def test_functions_are_called_and_printed_as_json(make: Callable[..., Made], server: FakeServer) -> None:
    made = make(chat(variables={"who": "x", "tweet": "y"}, params={"tools": json.dumps(TOOLS)}))
    done = made.answer()
    assert json.loads(done.stdout) == [{"id": "call_fake1", "name": "weather", "arguments": '{"city": "Lima"}'}]
    assert sent(server)["tools"][0]["function"]["description"] == 'in a "city"'


def test_several_answers_are_all_printed(make: Callable[..., Made]) -> None:
    made = make(preset(params={"n": 2}))
    assert (
        made.answer("tweet=x").stdout == "--- 1 of 2 (stop) ---\nHello, world!\n--- 2 of 2 (stop) ---\nHello, world!\n"
    )
    whole = json.loads(made.answer("tweet=x", "--json").stdout)
    assert [choice["text"] for choice in whole["choices"]] == ["Hello, world!"] * 2
    assert whole["usage"]["completion_tokens"] == 8


def test_the_best_of_several_is_asked_for_without_streaming(make: Callable[..., Made], server: FakeServer) -> None:
    made = make(preset(params={"best_of": 2}))
    assert made.answer("tweet=x").stdout == "Hello, world!\n"
    assert "stream" not in server.requests[-1].body


def test_show_prints_what_would_be_sent_and_sends_nothing(make: Callable[..., Made], server: FakeServer) -> None:
    done = make(preset()).answer("tweet=x", "--show")
    assert json.loads(done.stdout) == {"model": "fake", "prompt": "Tweet: x ->"}
    assert server.requests == []


@pytest.mark.parametrize("fault", ["429:0", "500", "drop_headers", "503:0"])
def test_what_fails_before_any_text_is_tried_again(make: Callable[..., Made], server: FakeServer, fault: str) -> None:
    made = make(preset())
    server.enqueue(fault, "ok")
    done = made.answer("tweet=x")
    assert (done.returncode, done.stdout) == (0, "Hello, world!\n")
    assert "Attempt 2 of 4" in done.stderr
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", "refused the key. Check OPENAI_API_KEY"),
        ("quota", "no credit left"),
        ("400", "refused the request (400)"),
        ("404", "has no model fake"),
    ],
)
def test_what_would_fail_again_is_said_at_once(
    make: Callable[..., Made], server: FakeServer, fault: str, said: str
) -> None:
    made = make(preset())
    server.enqueue(fault)
    done = made.answer("tweet=x")
    assert (done.returncode, done.stdout, len(server.requests)) == (1, "", 1)
    assert said in done.stderr


def test_an_answer_that_breaks_off_is_said_and_never_paid_for_twice(
    make: Callable[..., Made], server: FakeServer
) -> None:
    made = make(preset())
    server.enqueue("drop_midstream")
    done = made.answer("tweet=x")
    assert done.returncode == 1
    assert "broke off" in done.stderr
    assert len(server.requests) == 1


def test_a_server_that_hangs_is_given_up(make: Callable[..., Made], server: FakeServer) -> None:
    made = make(preset())
    server.enqueue("stall_headers")
    done = made.answer("tweet=x", env={"ANSWER_TIMEOUT": "0.2", "ANSWER_ATTEMPTS": "1"})
    assert done.returncode == 1
    assert "did not answer in time" in done.stderr


def test_a_server_from_before_stream_options_is_asked_without(make: Callable[..., Made], server: FakeServer) -> None:
    made = make(preset())
    server.enqueue("no_stream_options", "ok")
    assert made.answer("tweet=x").stdout == "Hello, world!\n"


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        ([], {}, "Without a value: tweet"),
        (["mood=1"], {}, "'mood' is no variable of this request"),
        (["tweet"], {}, "NAME=VALUE"),
        (["tweet=x"], {"OPENAI_API_KEY": ""}, "set OPENAI_API_KEY"),
        (["tweet=x"], {"OPENAI_API_KEY": "two\nlines"}, "no key has"),
        (["tweet=x"], {"ANSWER_TIMEOUT": "soon"}, "ANSWER_TIMEOUT is 'soon'"),
        (["tweet=x"], {"ANSWER_BASE_URL": "http://[::1"}, "is not the address"),
    ],
)
def test_wrong_use_is_said_and_nothing_is_sent(
    make: Callable[..., Made], server: FakeServer, arguments: list[str], env: dict[str, str], said: str
) -> None:
    done = make(preset()).answer(*arguments, env=env)
    assert done.returncode == 2
    assert said in done.stderr
    assert server.requests == []


def test_the_key_comes_from_the_env_file_beside_the_program(make: Callable[..., Made], server: FakeServer) -> None:
    made = make(preset())
    del made.environment["OPENAI_API_KEY"]
    example = (made.folder / ".env.example").read_text()
    assert "\nOPENAI_API_KEY=\n" in example
    (made.folder / ".env").write_text(example.replace("OPENAI_API_KEY=", f"OPENAI_API_KEY={CANARY}"))
    assert made.answer("tweet=x").returncode == 0


# --- the request ---


@pytest.mark.parametrize("given", presets.builtin(), ids=lambda each: each.name)
def test_what_is_sent_is_what_view_code_sends(make: Callable[..., Made], server: FakeServer, given: Preset) -> None:
    asked = frozen(given)
    values = {name: value or f"some {name}" for name, value in asked.variables.items()}
    done = make(given).answer(*(f"{name}={value}" for name, value in values.items()), "--show")
    body = {**asked.request.body(), **asked.filled(values)}
    assert json.loads(done.stdout) == json.loads(json.dumps(body))
    compile(export.code("python", path="/completions", body=body, endpoint=SERVER), "view code", "exec")


TEMPLATES = [NASTY, "{{a}}{{ b }}", "\\{{a}}{{a}}", "{{²}}{{_b}}{{9}}", "{{a}} {{{b}}}", "a{{\n a\n}}", "{{a.b}}{{}}"]


@pytest.mark.parametrize("text", TEMPLATES, ids=range(len(TEMPLATES)))
def test_variables_are_filled_as_playground_fills_them(make: Callable[..., Made], text: str) -> None:
    values = {"a": "{{b}} \\{{a}}", "b": NASTY, "_b": "2", "x": "3"}
    given = preset(text=f"{text} {{{{tweet}}}}", variables={"tweet": "t"})
    asked = frozen(given)
    known = {name: value for name, value in values.items() if name in asked.variables}
    done = make(given).answer(*(f"{name}={value}" for name, value in known.items()), "--show")
    assert json.loads(done.stdout)["prompt"] == fill(given.text, {**values, "tweet": "t"})
    assert len(pieces(given.text)) >= len(asked.variables) + 1


def test_whatever_is_in_names_and_prompts_is_data_and_the_code_is_always_the_same(
    make: Callable[..., Made], server: FakeServer
) -> None:
    hostile = preset(
        name="../../CON `x` </script> 名前 =cmd|'/c calc'!A1"[:100],
        text=NASTY + "{{tweet}}",
        variables={"tweet": NASTY, "x": NASTY},
        params={"stop": ['"""'], "user": "'; drop"},
    )
    plain, found = files_of(frozen(preset())), files_of(frozen(hostile))
    assert {name for name in plain if plain[name] == found[name]} == {*CONSTANT, ".env.example"}
    done = make(hostile).answer()
    assert (done.returncode, done.stdout) == (0, "Hello, world!\n")
    assert sent(server)["prompt"] == fill(hostile.text, hostile.variables)
    assert (sent(server)["stop"], sent(server)["user"]) == (['"""'], "'; drop")
    assert NASTY[:10] not in found["README.md"]


@pytest.mark.parametrize("name", ["CON", "nul.txt", "../../etc", "a/b\\c:d", "名前", "…", " x ", "COM1", "-rf"])
def test_every_name_makes_a_folder_that_every_system_takes(name: str) -> None:
    found = folder_name(frozen(preset(name=name)))
    assert found == "deploy" or found.startswith("deploy-")
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    archive = zipfile.ZipFile(io.BytesIO(zipped(files_of(frozen(preset(name=name))), folder=found)))
    assert all(each.startswith(f"{found}/") and ".." not in each for each in archive.namelist())


def test_no_key_stands_in_any_file() -> None:
    for endpoint in (SERVER, OPENAI, replace(SERVER, kind="engine")):
        assert all(CANARY not in text for text in files_of(frozen(chat(), endpoint=endpoint)).values())


def test_what_the_model_does_not_take_is_left_out_and_said() -> None:
    found = files_of(frozen(chat(params={"temperature": 0.2}), endpoint=OPENAI, model="gpt-5"))
    assert "temperature" not in json.loads(found["request.json"])["arguments"]
    assert "the model does not take it: `temperature`" in found["README.md"]


def test_the_code_is_clean_and_its_bounds_are_those_that_are_tested(tmp_path: Path) -> None:
    write(files_of(frozen(chat())), tmp_path / "made", folder="x")
    for tool in (
        ["ruff", "check", "--isolated", "--line-length=120"],
        ["ruff", "format", "--check", "--isolated", "--line-length=120"],
    ):
        done = subprocess.run([sys.executable, "-m", *tool, "."], cwd=tmp_path / "made", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    bounds = {
        line.split("#")[0].strip()
        for file in ("", "-dev")
        for line in (ROOT / f"requirements{file}.txt").read_text().splitlines()
    }
    for name in ("requirements.txt", "requirements-test.txt"):
        own = {line for line in (tmp_path / "made" / name).read_text().splitlines() if line[:1] not in ("#", "-")}
        assert own - bounds <= {"httpx2>=2.12,<3"}  # the SDK's own


# --- cases ---


def cases(*given: Case) -> Dataset:
    return Dataset("set", given)


def test_regression_cases_run_and_fail_where_the_answer_is_another(make: Callable[..., Made]) -> None:
    good = Case(id='odd "id" 名', variables={"tweet": NASTY, "unused": "x"}, expected="HELLO", tags=("a",))
    made = make(preset(), cases(good, Case(id="bad", variables={"tweet": "b"}, expected="Bye")))
    done = made.pytest()
    assert done.returncode == 1
    assert "2 failed, 1 passed" in done.stdout
    assert "Expected 'Bye', got 'Hello, world!'" in done.stdout


def test_a_share_of_the_cases_may_fail_where_that_was_allowed(make: Callable[..., Made], server: FakeServer) -> None:
    dataset = cases(*(Case(id=str(at), variables={"tweet": "x"}, expected="Hello" if at else "Bye") for at in range(4)))
    done = make(preset(), dataset, at_least=0.75).pytest()
    assert done.returncode == 0, done.stdout
    assert "4 passed, 1 xfailed" in done.stdout
    assert len(server.requests) == 4  # each case is asked once


@pytest.mark.parametrize(
    ("metric", "expected", "passes"),
    [
        ("contains", "WORLD", True),
        ("exact_match", "Hello, world!", True),
        ("exact_match", "hello, world!", False),
        ([{"exact_match": {"ignore_case": True, "ignore_punctuation": True}}], "hello world", True),
        ([{"contains": {"text": "Hello", "ignore_case": False}}], "x", True),
        ([{"regex": {"pattern": r"w\w+d"}}], None, True),
        ([{"regex": {"pattern": "w.*", "whole": True}}], None, False),
        ("json_schema", None, False),
    ],
)
def test_answers_are_checked_as_playgrounds_metric_of_that_name_does(
    make: Callable[..., Made], metric: Any, expected: str | None, passes: bool
) -> None:
    from playground.evaluate.metrics.build import build

    spec, case = read_check(metric), Case(id="1", variables={"tweet": "x"}, expected=expected)
    (own,) = build([spec])
    assert own.score is not None
    assert own.score("Hello, world!", case) == float(passes)
    done = make(preset(), cases(case), check=spec).pytest()
    assert done.returncode == int(not passes), done.stdout


def test_an_answer_by_a_schema_is_checked_against_it(make: Callable[..., Made], server: FakeServer) -> None:
    made = make(
        chat(
            variables={"who": "x", "tweet": "y"},
            params={"response_format": "json_schema", "json_schema": json.dumps(SCHEMA)},
        )
    )
    server.tokens = ('{"mood":', ' "good"}')
    assert made.pytest().returncode == 0
    server.tokens = ('{"mood":', ' "odd"}')
    done = made.pytest()
    assert done.returncode == 1
    assert "does not fit the schema" in done.stdout


def test_cases_with_texts_and_messages_take_the_place_of_the_presets(
    make: Callable[..., Made], server: FakeServer
) -> None:
    said = (
        {"role": "user", "content": "{{one}}"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    )
    made = make(chat(variables={"who": "x"}), cases(Case(id="1", prompt="Just this"), Case(id="2", messages=said)))
    assert made.pytest().returncode == 0
    first, second = ([m["content"] for m in each.body["messages"]] for each in server.requests)
    assert first == ["You are x.", "Just this"]
    assert second == ["You are x.", "{{one}}", "b", "c"]


def test_a_preset_without_values_and_cases_has_tests_that_are_skipped(
    make: Callable[..., Made], server: FakeServer
) -> None:
    done = make(preset()).pytest()
    assert done.returncode == 0
    assert "skipped" in done.stdout
    assert server.requests == []


@pytest.mark.parametrize(
    ("given", "case", "said"),
    [
        (preset(), Case(id="a", variables={"other": "x"}), "changes nothing"),
        (preset(text="{{a}} {{b}}"), Case(id="a", variables={"a": "x"}), "needs {{b}}"),
        (preset(), Case(id="a", messages=({"role": "user", "content": "x"},)), "is a completion"),
    ],
)
def test_cases_that_cannot_be_asked_are_refused(given: Preset, case: Case, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        cases_json(frozen(given), cases(case))


def test_options_that_make_no_sense_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("bleu", ["contains", "regex"], "nonsense", [{"regex": {"pattern": "("}}]):
        with pytest.raises(InvalidRequest):
            read_check(wrong)
    for share in (0, -1, 1.1, float("nan")):
        with pytest.raises(InvalidRequest):
            read_at_least(share)
    for count in (0, -1, 10**12, 1.5, True):
        with pytest.raises(InvalidRequest):
            read_requests(count)
    monkeypatch.setattr(cases_room, "MOST", 1)
    with pytest.raises(InvalidRequest, match="takes up to 1"):
        cases_json(frozen(preset()), cases(*(Case(id=each, variables={"tweet": "x"}) for each in "ab")))


# --- where it is written ---


def test_nothing_is_overwritten_and_nothing_is_left_half_written(tmp_path: Path) -> None:
    found = files_of(frozen(preset()))
    for name in ("there", "there.zip"):
        place = tmp_path / name
        place.mkdir()
        (place / "mine.txt").write_text("x")
        with pytest.raises(InvalidRequest, match="already there"):
            write(found, place, folder="x")
        assert [each.name for each in place.iterdir()] == ["mine.txt"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(PlaygroundError, match="cannot be written"):
        write(found, tmp_path / "file" / "in it", folder="x")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "there", "there.zip"]
    (tmp_path / "empty").mkdir()
    write(found, tmp_path / "empty", folder="x")
    assert {each.name for each in (tmp_path / "empty").iterdir()} == set(found)


def test_the_same_bundle_is_the_same_zip(tmp_path: Path) -> None:
    found = files_of(frozen(preset()))
    write(found, tmp_path / "a.zip", folder="x")
    assert (tmp_path / "a.zip").read_bytes() == zipped(found, folder="x")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("x/request.json").decode() == found["request.json"]


# --- the model's end ---


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("2026-11-11", "10 days from the day this was made"),
        ("2026-10-31", "was shut down on 2026-10-31"),
        (None, "No date is known"),
    ],
)
def test_the_readme_counts_down_to_the_models_end(told: str | None, words: str) -> None:
    asked = frozen(preset())
    ending = replace(asked, info=replace(asked.info, shutdown_date=told))
    assert words in files_of(ending)["README.md"]


@pytest.mark.parametrize(("days", "said"), [(5, "in 5 days"), (-3, "It was shut down on"), (400, "")])
def test_every_run_near_the_models_end_says_so(make: Callable[..., Made], tmp_path: Path, days: int, said: str) -> None:
    made = make(preset())
    file = made.folder / "request.json"
    about = json.loads(file.read_text())
    about["shutdown_date"] = date.fromordinal(date.today().toordinal() + days).isoformat()
    file.write_text(json.dumps(about))
    done = made.answer("tweet=x")
    assert done.stdout == "Hello, world!\n"
    assert said in done.stderr
    assert bool(done.stderr) == bool(said)


def test_an_estimate_of_a_chat_that_nothing_limits_says_so() -> None:
    asked = frozen(chat(), endpoint=OPENAI, model="gpt-4o-mini")
    cost = estimated(asked, 100, price_as="gpt-5-mini")
    assert cost.dollars is not None
    assert cost.dollars[0] > Decimal(0)
    assert cost.completion_tokens.p50 == 300
