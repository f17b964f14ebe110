"""What both programs share: a model on the server that the environment or `.env` names, asked one thing at a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playground import accepts, catalog
from playground.client import Client
from playground.deps import open_deps
from playground.errors import PlaygroundError
from playground.parameters import validate_chat, validate_completion
from playground.settings import load
from playground.types import Delta, Failed, ModelInfo, Request, Retrying


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one server."""

    client: Client
    info: ModelInfo

    async def answer(self, prompt: str, **parameters: Any) -> str:
        """What the model says to `prompt`; one that only chats gets it as a message. Raises PlaygroundError.

        Failures that pass (a rate limit, a dropped connection) are tried again first, and said.
        """
        said = []
        async with aclosing(self.client.stream(self._request(prompt, parameters))) as events:
            async for event in events:
                if isinstance(event, Delta):
                    said.append(event.text)
                elif isinstance(event, Retrying):
                    print(f"{event.error} Again in {event.delay:.0f} s.", file=sys.stderr)
                elif isinstance(event, Failed):
                    raise event.error
        return "".join(said)

    def _request(self, prompt: str, parameters: dict[str, Any]) -> Request:
        info = self.info
        kind = self.client.endpoints[info.endpoint].kind
        context = catalog.context_length(info)
        if catalog.completes(info):
            values = {**parameters, "prompt": prompt}
            asked = validate_completion(values, endpoint=info.endpoint, model=info.id, context_length=context)
            return accepts.effective(asked, kind)[0]
        values = {**parameters, "messages": [{"role": "user", "content": prompt}]}
        chat = validate_chat(values, endpoint=info.endpoint, model=info.id, context_length=context)
        return accepts.effective(chat, kind)[0]


@asynccontextmanager
async def opened(name: str | None) -> AsyncIterator[Model]:
    """The model called `name` (server/model), or the first that is listed. Raises PlaygroundError.

    Without a server in the environment the embedded engine is started, and ended with the program.
    """
    deps = open_deps(load())
    try:
        available = await deps.list_models(lambda words: print(words, file=sys.stderr))
        info = catalog.default_model(available) if name is None else None
        if name is not None:
            info = catalog.resolve(name, available, deps.client.endpoints)
        if info is None:
            raise next(iter(deps.failures.values()), PlaygroundError("No server lists a model."))
        yield Model(deps.client, info)
    finally:
        await deps.aclose()


def run(program: Any) -> int:
    """A program's exit code; what went wrong is said in a sentence."""
    try:
        asyncio.run(program)
    except PlaygroundError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
