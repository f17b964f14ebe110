"""The app over HTTP, as `gradio_client` and as somebody with curl call it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from gradio_client import Client as Caller
from gradio_client.exceptions import AppError

from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer
from tests.ui.serving import App, served


@pytest.fixture(scope="module")
def app(provider: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with served(tmp_path_factory.mktemp("http") / "data", provider.url) as app:
        yield app


@pytest.fixture(scope="module")
def caller(app: App) -> Caller:
    return Caller(app.url, verbose=False)


def test_complete_answers_with_text_usage_cost_and_times(caller: Caller, app: App) -> None:
    answer = caller.predict("Say ", "server/fake", 0.5, n=2, stop=["\n"], api_name="/complete")
    assert [choice["text"] for choice in answer["choices"]] == ["Hello, world!"] * 2
    assert answer["model"] == "server/fake"
    assert answer["usage"]["prompt_tokens"] == 7
    assert answer["cost"] is None
    assert answer["latency"] > 0
    assert app.deps.store.runs(limit=1)[0].effective_request["stop"] == ["\n"]


def test_chat_answers_a_conversation(caller: Caller, provider: FakeServer) -> None:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    answer = caller.predict(said, "server/fake", temperature=0, api_name="/chat")
    assert (answer["choices"][0]["text"], answer["left_out"]) == ("Hello, world!", [])
    assert provider.requests[-1].body["messages"] == said
    with pytest.raises(AppError, match="has the role 'wizard'"):
        caller.predict([{"role": "wizard", "content": "Hi"}], api_name="/chat")


def test_count_tokens_and_models_answer(caller: Caller) -> None:
    assert caller.predict("one two three", api_name="/count_tokens")["tokens"] == 3
    models = caller.predict(api_name="/models")
    assert [model["id"] for model in models] == ["server/fake", "server/fake-gguf", "server/fake-vllm"]
    assert models[2]["context_length"] == 4096


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompt": ""}, "The prompt is empty."),
        ({"prompt": "a", "temperature": 9}, "temperature is a number from 0 to 2, not 9."),
        ({"prompt": "a", "n": 10**6}, "n is a whole number from 1 to 128"),
        ({"prompt": "a", "model": "server/fault-401"}, "does not accept the key"),
        ({"prompt": "a", "model": "x" * 300}, "not the name of a model"),
    ],
)
def test_an_error_comes_back_as_a_sentence_without_a_key(caller: Caller, given: dict[str, Any], said: str) -> None:
    with pytest.raises(AppError) as caught:
        caller.predict(**given, api_name="/complete")
    assert said in str(caught.value)
    assert CANARY not in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_the_named_endpoints_are_typed_documented_and_the_only_ones(app: App) -> None:
    info = httpx.get(f"{app.url}/gradio_api/info").json()
    assert set(info["named_endpoints"]) == {"/complete", "/chat", "/count_tokens", "/models"}
    complete = info["named_endpoints"]["/complete"]
    assert "Complete a prompt" in complete["description"]
    assert {p["parameter_name"] for p in complete["parameters"]} >= {
        "prompt",
        "model",
        "temperature",
        "n",
        "stop",
        "seed",
    }
    assert all(p["parameter_has_default"] for p in complete["parameters"] if p["parameter_name"] != "prompt")


def _event(app: App, api_name: str) -> int:
    return next(fn["id"] for fn in app.page.config["dependencies"] if fn["api_name"] == api_name)


@pytest.mark.parametrize("values", [{"n": 10**6}, {"max_tokens": 10**9}, {"temperature": "hot"}, {"evil": 1}, [1], "x"])
def test_a_raw_post_with_values_out_of_range_sends_nothing_upstream(
    app: App, provider: FakeServer, values: Any
) -> None:
    before = len(provider.requests)
    page = {"text": "Say ", "marks": [], "busy": False}
    submit = _event(app, "on_submit")
    body = {"data": [page, "server/fake", values, {}], "fn_index": submit, "session_hash": "raw"}
    joined = httpx.post(f"{app.url}/gradio_api/queue/join", json=body)
    assert joined.status_code == 200
    lines = []
    with httpx.stream("GET", f"{app.url}/gradio_api/queue/data", params={"session_hash": "raw"}, timeout=15) as events:
        for line in events.iter_lines():
            lines.append(line)
            if "process_completed" in line:
                break
    sent = [request.body for request in provider.requests[before:] if request.path == "/v1/completions"]
    if isinstance(values, dict):
        assert sent == []
        assert "InvalidRequest" in "".join(lines)
    else:  # no parameters at all: everything is unset
        assert set(sent[0]) == {"model", "prompt", "stream", "stream_options"}


def test_the_config_holds_no_key_no_folder_and_no_history(app: App) -> None:
    config = httpx.get(f"{app.url}/config")
    assert config.status_code == 200
    said = json.dumps(config.json()) + httpx.get(app.url).text
    assert CANARY not in said
    assert str(app.deps.settings.data_dir) not in said
    assert config.json().get("run_history") in (False, None)


def test_nothing_is_shared_without_doors(app: App) -> None:
    from playground.ui import launch_app

    with pytest.raises(ValueError, match="entry"):
        launch_app(app.deps, share=True)
