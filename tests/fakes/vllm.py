"""A server with vLLM's shapes: what its documentation and its own answers have that OpenAI's do not, and what it lacks.

Models with `root`, `parent` (an adapter's base) and `max_model_len`; /tokenize beside /v1 for texts and chats; errors
with the status as their code; `stop_reason`, `prompt_logprobs`; usage in a chunk of its own. No /v1/files and
no /v1/batches.
Sources: vLLM's docs/features/lora.md and docs/serving/openai_compatible_server.md, read 2026-11-26.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

BASE, ADAPTER = "meta-llama/Llama-3.2-1B-Instruct", "sql-lora"
CONTEXT = 4096
TOKENS = ("Hello", ",", " world", "!")
USAGE = {"prompt_tokens": 7, "total_tokens": 11, "completion_tokens": 4, "prompt_tokens_details": None}


def app(asked: list[tuple[str, Any]]) -> FastAPI:
    """`asked` is told of every request: its path and its body."""
    made = FastAPI()

    @made.get("/v1/models")
    async def models() -> Any:
        about = {"object": "model", "created": 1_715_644_056, "owned_by": "vllm", "permission": []}
        base = {"id": BASE, **about, "root": "/models/base", "parent": None, "max_model_len": CONTEXT}
        adapter = {"id": ADAPTER, **about, "root": "/adapters/sql", "parent": BASE, "max_model_len": None}
        return {"object": "list", "data": [base, adapter]}

    @made.post("/tokenize")
    async def tokenize(request: Request) -> Any:
        body = await request.json()
        text = body["prompt"] if "prompt" in body else " ".join(each["content"] for each in body["messages"])
        ids = list(range(len(text.split())))
        return {"count": len(ids), "max_model_len": CONTEXT, "tokens": ids, "token_strs": None}

    async def answered(request: Request) -> Any:
        body = await request.json()
        asked.append((request.url.path, body))
        if body["model"] not in (BASE, ADAPTER):
            message = f"The model `{body['model']}` does not exist."
            error = {"message": message, "type": "NotFoundError", "param": "model", "code": 404}
            return JSONResponse({"error": error}, 404)
        chat = request.url.path.endswith("chat/completions")
        if body.get("stream"):
            return StreamingResponse(_stream(body, chat=chat), media_type="text/event-stream")
        return {**_head(body), "choices": [_choice(body, TOKENS, chat=chat, whole=True, end=True)], "usage": USAGE}

    made.post("/v1/completions")(answered)
    made.post("/v1/chat/completions")(answered)
    return made


def _head(body: dict[str, Any]) -> dict[str, Any]:
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"]}


def _stream(body: dict[str, Any], *, chat: bool) -> Iterator[str]:
    for at, token in enumerate(TOKENS):
        choice = _choice(body, (token,), chat=chat, whole=False, end=at == len(TOKENS) - 1)
        yield f"data: {json.dumps({**_head(body), 'choices': [choice]})}\n\n"
    if (body.get("stream_options") or {}).get("include_usage"):
        yield f"data: {json.dumps({**_head(body), 'choices': [], 'usage': USAGE})}\n\n"
    yield "data: [DONE]\n\n"


def _choice(body: dict[str, Any], tokens: tuple[str, ...], *, chat: bool, whole: bool, end: bool) -> dict[str, Any]:
    text = "".join(tokens)
    part: dict[str, Any] = {"text": text}
    if chat:
        part = {"message" if whole else "delta": {"role": "assistant", "content": text, "reasoning": None}}
    logprobs = None
    if body.get("logprobs") not in (None, False):
        chosen = [{"token": token, "logprob": -0.25, "bytes": None, "top_logprobs": []} for token in tokens]
        tops = [{token: -0.25, "other": -2.5} for token in tokens]
        legacy = {"tokens": list(tokens), "token_logprobs": [-0.25] * len(tokens), "top_logprobs": tops}
        logprobs = {"content": chosen} if chat else {**legacy, "text_offset": [0] * len(tokens)}
    ending = {"finish_reason": "stop" if end else None, "stop_reason": None}
    return {"index": 0, **part, "logprobs": logprobs, **ending, "prompt_logprobs": None}
