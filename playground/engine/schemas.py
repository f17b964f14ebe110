"""What a request may hold, by OpenAI's published schema; checked before llama.cpp sees any of it."""

from __future__ import annotations

import json
from math import isinf
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from playground.engine.errors import ApiError, bad


def speakable(text: str) -> str:
    """Half a surrogate pair cannot be sent on as UTF-8: it becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


Text = Annotated[str, AfterValidator(speakable)]
Stop = Text | Annotated[list[Text], Field(min_length=1, max_length=4)] | None
TokenId = Annotated[int, Field(ge=0)]
Bias = Annotated[float, Field(ge=-100, le=100)]
Penalty = Annotated[float, Field(ge=-2, le=2)] | None
SEED = 2**63
Item = TypeVar("Item")
Some = Annotated[list[Item], Field(min_length=1)]


class StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True)
    include_usage: bool | None = False


class Body(BaseModel):
    """What both endpoints share. None is unset. What OpenAI knows and we have no use for is ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    model: Text
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    presence_penalty: Penalty = None
    frequency_penalty: Penalty = None
    seed: Annotated[int, Field(ge=-SEED, lt=SEED)] | None = None
    stop: Stop = None
    logit_bias: dict[str, Bias] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: Text | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(text for text in stops if text)

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


class CompletionBody(Body):
    """POST /v1/completions."""

    prompt: Text | Some[Text] | Some[TokenId] | Some[Some[TokenId]] | None = None
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    best_of: Annotated[int, Field(ge=0, le=20)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    echo: bool | None = False
    suffix: Text | None = None


class ChatBody(Body):
    """POST /v1/chat/completions."""

    messages: Annotated[list[dict[str, Any]], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=0)] | None = None
    logprobs: bool | None = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: Text | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    modalities: list[Any] | None = None


class TokenizeBody(BaseModel):
    """POST /tokenize, as llama.cpp's server has it; with `messages`, as vLLM has it for chats. What is counted is what
    /v1/chat/completions would read, and that always leaves the word to the assistant."""

    model_config = ConfigDict(strict=True)
    model: Text | None = None
    content: Text | None = None
    add_special: bool = False
    with_pieces: bool = False
    messages: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None
    tools: list[Any] | None = None
    add_generation_prompt: Literal[True] = True


class DetokenizeBody(BaseModel):
    """POST /detokenize."""

    model_config = ConfigDict(strict=True)
    model: Text | None = None
    tokens: list[TokenId]


Model = TypeVar("Model", bound=BaseModel)


def parse(kind: type[Model], content: bytes) -> Model:
    """A request's body as `kind`. Raises a 400 that names the first parameter that is wrong."""
    try:
        # A lone surrogate is mended wherever it stands: as bytes at once, as an escape once it has been read.
        text = speakable(content.decode(json.detect_encoding(content), "surrogatepass"))
        data = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        data = json.loads(speakable(json.dumps(data, ensure_ascii=False))) if "\\u" in text else data
    except (ValueError, RecursionError):
        raise bad("The body of the request is not valid JSON.") from None
    if not isinstance(data, dict):
        raise bad("The body of the request is not a JSON object.")
    try:
        return kind.model_validate(data)
    except ValidationError as exc:
        raise _named(exc) from None


def _named(exc: ValidationError) -> ApiError:
    first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    param = str(first["loc"][0]) if first["loc"] else None
    if first["type"] == "missing":
        return bad(f"You must provide a {param} parameter.", param)
    return bad(f"Invalid value for {param!r}: {first['msg']}.", param)


def _finite(number: str) -> float:
    """JSON may write 1e999, but what reads it as infinity cannot send it on."""
    if isinf(value := float(number)):
        raise ValueError(f"{number[:20]} is too large")
    return value


def _no_constant(name: str) -> Literal[0]:
    raise ValueError(f"{name} is not JSON")
