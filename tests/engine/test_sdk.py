"""The official openai SDK, as any client of ours or of others would use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

pytestmark = pytest.mark.engine
MODEL = "smollm2-135m-instruct"


@pytest.fixture
def sdk(engine: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=engine.url + "/v1", api_key="a-key-of-the-tests", max_retries=0) as client:
        yield client


def test_the_sdk_lists_models(sdk: openai.OpenAI) -> None:
    assert [model.id for model in sdk.models.list()] == [MODEL]
    assert sdk.models.retrieve(MODEL).owned_by == "playground"


def test_the_sdk_completes_whole_and_streamed(sdk: openai.OpenAI) -> None:
    ask = {"model": MODEL, "prompt": "The capital of France is", "max_tokens": 4, "temperature": 0, "logprobs": 1}
    whole = sdk.completions.create(**ask)
    with sdk.completions.create(**ask, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == whole.choices[0].text
    assert chunks[-1].usage == whole.usage
    assert whole.choices[0].logprobs
    assert whole.choices[0].logprobs.tokens
    assert whole.choices[0].logprobs.tokens[0] == " Paris"


def test_the_sdk_chats_whole_and_streamed(sdk: openai.OpenAI) -> None:
    ask = {"model": MODEL, "messages": [{"role": "user", "content": "Say hi."}], "max_tokens": 4, "temperature": 0}
    whole = sdk.chat.completions.create(**ask)
    with sdk.chat.completions.create(**ask, stream=True) as stream:
        said = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(said) == whole.choices[0].message.content


def test_the_sdk_parses_a_structured_answer(sdk: openai.OpenAI) -> None:
    from pydantic import BaseModel

    class Answer(BaseModel):
        ok: bool

    parsed = sdk.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "Is water wet?"}],
        response_format=Answer,
        max_tokens=40,
        temperature=0,
    )
    assert isinstance(parsed.choices[0].message.parsed, Answer)


def test_the_sdk_raises_its_own_errors(sdk: openai.OpenAI, engine: Any) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        sdk.completions.create(model="gpt-4", prompt="x")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        sdk.completions.create(model=MODEL, prompt="x", suffix="y")
    assert bad.value.param == "suffix"
    with (
        openai.OpenAI(base_url=engine.url + "/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()
