"""What a part's script asks of the server: `{action, n, language, …}` goes in; plain JSON with both comes back."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from functools import partial
from typing import Any

import anyio.to_thread

from playground.errors import refused
from playground.ui import present
from playground.ui.events import shown
from playground.ui.opening import Updates, nothing
from playground.unicode import all_well_formed
from playground.words import Language

Asked = Mapping[str, Any]
Answer = dict[str, Any] | tuple[dict[str, Any], Updates]
"""What is said to the script; and where something else of the page changes with it, that too."""


async def answered(actions: Mapping[str, Callable[..., Any]], value: Any, *given: Any) -> tuple[Any, ...]:
    """Do what is asked; the part's value, then the updates for `Places.all`. Never raises.

    An action is called with `given` and what was asked; it returns an Answer, or raises. One that is no coroutine
    function runs in a thread.
    """
    asked = all_well_formed(value) if isinstance(value, Mapping) else {}
    echo = {"n": asked.get("n"), "of": asked.get("action")}
    try:
        do = actions.get(str(asked.get("action")))
        if do is None:
            raise refused("no_action")
        if inspect.iscoroutinefunction(do):
            answer = await do(*given, asked)
        else:
            answer = await anyio.to_thread.run_sync(partial(do, *given, asked))
        said, updates = answer if isinstance(answer, tuple) else (answer, nothing())
        return ({**echo, **said}, *updates)
    except Exception as error:
        return ({**echo, "notice": present.failure(shown(error), reader=language(asked))}, *nothing())


async def in_parts(n: Any, name: str, parts: Iterator[str]) -> AsyncGenerator[dict[str, Any]]:
    """A file of any size for a script that puts it together: {n, part, number} each, then {n, done, number}."""
    number = 0
    while (part := await anyio.to_thread.run_sync(next, parts, None)) is not None:
        number += 1
        yield {"n": n, "part": part, "number": number}
    yield {"n": n, "done": name, "number": number}


def language(asked: Asked) -> Language:
    """The language the page is read in."""
    return "es" if asked.get("language") == "es" else "en"
