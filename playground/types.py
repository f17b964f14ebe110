"""The plain data that passes between the parts: requests, stream events, usage and runs. Nothing here acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from playground.errors import PlaygroundError

Mode = Literal["complete", "chat", "edit"]
Role = Literal["system", "developer", "user", "assistant", "tool"]
RunStatus = Literal["running", "done", "stopped", "failed", "interrupted"]
EndpointKind = Literal["engine", "openai", "compatible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One OpenAI-compatible server. `name` is the part before the slash in `endpoint/model`."""

    name: str
    base_url: str
    kind: EndpointKind
    api_key: str | None = field(default=None, repr=False)
    #: Answers of each of its models at once, where that is known of it.
    at_once: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a server says of one of its models. `context_length` is in tokens, None where unknown."""

    id: str
    endpoint: str
    created: int | None = None
    owned_by: str | None = None
    context_length: int | None = None
    shutdown_date: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """`endpoint/model`: how the picker, the API and the command line name a model."""
        return f"{self.endpoint}/{self.id}"


def _sent(request: CompletionRequest | ChatRequest) -> dict[str, Any]:
    """The set fields, by their API names. None and an empty `stop` are unset, and what is unset is not sent."""
    body: dict[str, Any] = {}
    for spec in fields(request):
        value = getattr(request, spec.name)
        if spec.name == "endpoint" or value is None or value == ():
            continue
        body[spec.name] = list(value) if isinstance(value, tuple) else value
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A request to /v1/completions. None is unset: it is not sent, and the server's own default holds."""

    endpoint: str
    model: str
    prompt: str
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    max_tokens: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    best_of: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logit_bias: Mapping[str, float] | None = None
    logprobs: int | None = None
    echo: bool | None = None
    suffix: str | None = None
    user: str | None = None

    def body(self) -> dict[str, Any]:
        """The effective request: exactly the JSON that goes out, but for `stream` and its options."""
        return _sent(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation; `content` is text or a list of OpenAI content parts."""

    role: Role
    content: str | tuple[Mapping[str, Any], ...] | None
    name: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    tool_call_id: str | None = None

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "role": self.role,
            "content": list(self.content) if isinstance(self.content, tuple) else self.content,
        }
        if self.name is not None:
            body["name"] = self.name
        if self.tool_calls:
            body["tool_calls"] = list(self.tool_calls)
        if self.tool_call_id is not None:
            body["tool_call_id"] = self.tool_call_id
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A request to /v1/chat/completions. None is unset and is not sent."""

    endpoint: str
    model: str
    messages: tuple[Message, ...]
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logit_bias: Mapping[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    user: str | None = None

    def body(self) -> dict[str, Any]:
        """The effective request: exactly the JSON that goes out, but for `stream` and its options."""
        return {**_sent(self), "messages": [message.body() for message in self.messages]}


Request = CompletionRequest | ChatRequest


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One generated token: its text, natural-log probability, and the likeliest alternatives (text, logprob).

    `logprob` is None for a prompt's first token under `echo`, which has nothing before it.
    """

    token: str
    logprob: float | None
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the server counted, in tokens. `estimated` is True when we counted because the server did not."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Delta:
    """More text of choice `index`, with the logprobs of its tokens when they were asked for."""

    index: int
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Thought:
    """More of what choice `index` thinks before it answers: shown apart, never part of the text."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class ToolDelta:
    """More of the call number `position` of choice `index`: the first has `id` and `name`, all add to `arguments`."""

    index: int
    position: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """Choice `index` ended; `reason` is the server's `finish_reason`."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class UsageReported:
    """The server's own count, once, after the last choice."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Queued:
    """Others come first: it is number `place` in the line."""

    place: int


@dataclass(frozen=True, slots=True)
class Loading:
    """The server loads the model first, for so many seconds now."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Retrying:
    """The request failed and is tried again: attempt `attempt` of `attempts` starts in `delay` seconds."""

    attempt: int
    attempts: int
    delay: float
    error: PlaygroundError


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ended in an error; the text before it stays. Always the last event."""

    error: PlaygroundError


StreamEvent = Delta | Thought | ToolDelta | Finished | UsageReported | Queued | Loading | Retrying | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A function that the model wants called; `arguments` is JSON as the model wrote it, which may be broken."""

    id: str
    name: str
    arguments: str

    def body(self) -> dict[str, Any]:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer of a run. `finish_reason` is None when it was stopped or cut; `reasoning` came before the text."""

    index: int
    text: str
    finish_reason: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One request and what came of it, as the store keeps it. Times in seconds, cost in dollars.

    `request` is what the person set, `effective_request` the JSON that went out. `cost` None: the price is unknown.
    `rating` is 1 for a thumb up, -1 for a thumb down.
    """

    id: str
    created_at: datetime
    mode: Mode
    endpoint: str
    model: str
    status: RunStatus
    request: Mapping[str, Any]
    effective_request: Mapping[str, Any]
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    cost: Decimal | None = None
    latency: float | None = None
    time_to_first_token: float | None = None
    error: str | None = None
    rating: int | None = None
