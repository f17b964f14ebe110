"""How a server's own tokenizer counts, where it tells: llama.cpp's, vLLM's and our engine's /tokenize."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from playground.client.batches import Batches
from playground.client_errors import NO_SUCH_ROUTE
from playground.errors import BadRequest, NotFound, ServerFailed
from playground.tokens import added_texts
from playground.types import Endpoint

Told = TypeVar("Told")


class Tokenizing(Batches):
    """What a server says of a text's tokens. `_cannot` remembers which server does not say what."""

    def __init__(self, endpoints: Iterable[Endpoint], *, timeout: float) -> None:
        super().__init__(endpoints, timeout=timeout)
        self._cannot: set[tuple[str, Callable[..., Any]]] = set()

    def add(self, endpoint: Endpoint) -> None:
        """Let another server join, or replace one of the same name: what that could not, this one may."""
        super().add(endpoint)
        self._cannot -= {each for each in self._cannot if each[0] == endpoint.name}

    async def tokenize(self, endpoint: str, text: str, *, model: str | None = None) -> list[int] | None:
        """Token ids of `text` alone by the tokenizer of the server's `model`, by its only or first one unless that is
        named; None where it does not tell. Raises a PlaygroundError.

        One body for both shapes: llama.cpp and our engine read `content`, vLLM reads `prompt`.
        """
        body = {"content": text, "prompt": text, "add_special_tokens": False, "add_special": False}
        body |= {"model": model} if model else {}
        return await self._tokenized(endpoint, body, _ids)

    async def tokenize_chat(self, endpoint: str, body: Mapping[str, Any]) -> int | None:
        """How many tokens a chat's messages make in the server's own template (vLLM's shape, which our engine has too);
        None where it does not tell. Raises a PlaygroundError."""
        asked = {"model": body.get("model"), "messages": body["messages"], "add_generation_prompt": True}
        return await self._tokenized(endpoint, asked, _count)

    async def pieces(self, endpoint: str, text: str, *, model: str | None = None) -> tuple[list[int], list[str]] | None:
        """The tokens of `text` as `tokenize` makes them: ids, and what each adds to the text (llama.cpp's
        `with_pieces`); None where the server does not show them. Raises a PlaygroundError."""
        body = {"content": text, "add_special": False, "with_pieces": True, **({"model": model} if model else {})}
        return await self._tokenized(endpoint, body, _pieces)

    async def _tokenized(
        self, endpoint: str, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Told | None]
    ) -> Told | None:
        """What `read` makes of the answer of the server's /tokenize; None where there is no such thing, or it speaks
        of something else. That is remembered: it is asked at every key."""
        server = self._endpoint(endpoint)
        if server.kind == "openai" or (endpoint, read) in self._cannot:
            return None
        url = server.base_url.rstrip("/").removesuffix("/v1") + "/tokenize"
        try:
            with self._mapped(server):
                answer: Any = await self._sdk(server).post(url, body=body, cast_to=object)
        except (BadRequest, NotFound, ServerFailed) as error:
            if error.status not in NO_SUCH_ROUTE:
                if isinstance(error, BadRequest):
                    return None  # this request's fault: the next may be better
                raise
            answer = None
        said = read(answer) if isinstance(answer, dict) else None
        if said is None:
            self._cannot.add((endpoint, read))
        return said


def _ids(said: dict[str, Any]) -> list[int] | None:
    tokens = said.get("tokens")
    return tokens if isinstance(tokens, list) and all(type(token) is int for token in tokens) else None


def _count(said: dict[str, Any]) -> int | None:
    # llama.cpp's own server does not read messages: it answers with no tokens, and no count.
    count = said.get("count")
    return count if type(count) is int and count >= 0 else None


def _pieces(said: dict[str, Any]) -> tuple[list[int], list[str]] | None:
    tokens = said.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        return None
    try:
        return [int(token["id"]) for token in tokens], added_texts(_raw(token["piece"]) for token in tokens)
    except (KeyError, TypeError, ValueError):
        return None


def _raw(piece: Any) -> bytes:
    """A token's bytes: llama.cpp writes text, or a list of numbers where the bytes are half a character."""
    return bytes(piece) if isinstance(piece, list) else str(piece).encode("utf-8", "replace")
