"""What the fake server says: the chunks and answers of OpenAI's API, encoded once and kept."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

DEFAULT_TOKENS = ("Hello", ",", " world", "!")
PROMPT_TOKENS = 7
LOGPROB = -0.25


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def sse(value: Any) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def usage(n: int, tokens: int, thought: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": n * (tokens + thought),
        "total_tokens": PROMPT_TOKENS + n * (tokens + thought),
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": n * thought},
    }


def legacy_logprobs(tokens: list[str]) -> dict[str, Any]:
    """OpenAI's shape on /v1/completions."""
    return {
        "tokens": tokens,
        "token_logprobs": [LOGPROB] * len(tokens),
        "top_logprobs": [{token: LOGPROB, "other": -2.5} for token in tokens],
        "text_offset": list(range(len(tokens))),
    }


def chat_logprobs(tokens: list[str]) -> dict[str, Any]:
    """OpenAI's shape on /v1/chat/completions, and llama.cpp's on both."""
    tops = [{"token": "other", "logprob": -2.5, "bytes": None}]
    return {
        "content": [
            {
                "token": t,
                "logprob": LOGPROB,
                "bytes": list(t.encode(errors="surrogatepass")),
                "top_logprobs": [{"token": t, "logprob": LOGPROB, "bytes": None}, *tops],
            }
            for t in tokens
        ]
    }


def _logprobs(shape: str | None, tokens: list[str]) -> dict[str, Any] | None:
    return None if shape is None else legacy_logprobs(tokens) if shape == "legacy" else chat_logprobs(tokens)


def _base(chat: bool, *, chunk: bool) -> dict[str, Any]:
    kind = ("chat.completion.chunk" if chunk else "chat.completion") if chat else "text_completion"
    return {"id": "fake-1", "object": kind, "created": 1_700_000_000, "model": "fake"}


CHUNK = _base(True, chunk=True)


@lru_cache(maxsize=64)
def chunks(*, chat: bool, tokens: tuple[str, ...], n: int, logprobs: str | None) -> tuple[bytes, ...]:
    """One encoded chunk a token and choice, in turn over the choices; no finish, no usage, no [DONE]."""
    base = _base(chat, chunk=True)
    found = []
    for token in tokens:
        said = _logprobs(logprobs, [token])
        for i in range(n):
            part = {"delta": {"content": token}} if chat else {"text": token}
            found.append(sse({**base, "choices": [{"index": i, **part, "logprobs": said, "finish_reason": None}]}))
    return tuple(found)


@lru_cache(maxsize=64)
def finish(*, chat: bool, n: int) -> bytes:
    base = _base(chat, chunk=True)
    part: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
    return b"".join(
        sse({**base, "choices": [{"index": i, **part, "logprobs": None, "finish_reason": "stop"}]}) for i in range(n)
    )


def usage_chunk(*, chat: bool, n: int, tokens: int, thought: int = 0) -> bytes:
    return sse({**_base(chat, chunk=True), "choices": [], "usage": usage(n, tokens, thought)})


def whole(*, chat: bool, tokens: tuple[str, ...], n: int, logprobs: str | None) -> dict[str, Any]:
    """The answer to a request without `stream`."""
    text = "".join(tokens)
    part: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    said = _logprobs(logprobs, list(tokens))
    choices = [{"index": i, **part, "logprobs": said, "finish_reason": "stop"} for i in range(n)]
    return {**_base(chat, chunk=False), "choices": choices, "usage": usage(n, len(tokens))}


def error(
    message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def tokenized(body: dict[str, Any]) -> dict[str, Any]:
    """One token a word; of a chat four more a message."""
    if "messages" not in body:
        ids = [len(word) for word in body.get("content", body.get("prompt", "")).split()]
        return {"tokens": ids, "count": len(ids)}
    count = sum(4 + len(str(message.get("content") or "").split()) for message in body["messages"])
    return {"tokens": [1] * count, "count": count}


def page(jobs: list[dict[str, Any]], query: dict[str, str], size: int = 2) -> dict[str, Any]:
    """A page of a list, after the id that the query names; two at a time, so that a few jobs are several pages."""
    ids = [job["id"] for job in jobs]
    start = ids.index(query["after"]) + 1 if "after" in query else 0
    return {"object": "list", "data": jobs[start : start + size], "has_more": start + size < len(jobs)}


#: Extra fields as OpenAI (shutdown_date), llama.cpp (meta) and vLLM (max_model_len) send them.
MODELS = {
    "object": "list",
    "data": [
        {"id": "fake", "object": "model", "created": 1_700_000_000, "owned_by": "tests", "shutdown_date": "2027-01-14"},
        {"id": "fake-gguf", "object": "model", "created": 1, "owned_by": "llamacpp", "meta": {"n_ctx_train": 2048}},
        {"id": "fake-vllm", "object": "model", "created": 2, "owned_by": "vllm", "max_model_len": 4096},
    ],
}

HTML = b"<!doctype html><html><body><h1>Welcome to nginx</h1></body></html>"

_OPENAI = ("gpt-4o", "gpt-5", "gpt-5.2", "gpt-3.5-turbo-instruct", "text-embedding-3-small", "whisper-1", "picky-top_p")
_TUNED = "ft:gpt-4o-mini-2024-07-18:acme:tweets:abc123"
#: A list as OpenAI's: chat and completion models, some that write nothing, fine-tunes of three kinds, closing dates.
OPENAI_MODELS = {
    "object": "list",
    "data": [
        *({"id": id_, "object": "model", "created": 10 + at, "owned_by": "openai"} for at, id_ in enumerate(_OPENAI)),
        {
            "id": "gpt-4o-2024-11-20",
            "object": "model",
            "created": 5,
            "owned_by": "openai",
            "shutdown_date": "2099-01-14",
        },
        {"id": _TUNED, "object": "model", "created": 50, "owned_by": "acme"},
        {"id": f"{_TUNED}:ckpt-step-20", "object": "model", "created": 51, "owned_by": "acme"},
        {"id": "ada:ft-acme-2023-02-01-12-00-00", "object": "model", "created": 2, "owned_by": "acme"},
    ],
}
#: Three pages of two: the models of the last page are reached only by paging.
JOBS = [
    {
        "id": f"ftjob-{at}",
        "object": "fine_tuning.job",
        "status": "succeeded" if at != 1 else "failed",
        "fine_tuned_model": f"ft:gpt-4.1-nano-2025-04-14:acme:job{at}:x{at}" if at != 1 else None,
        "finished_at": 100 - at,
    }
    for at in range(5)
]
