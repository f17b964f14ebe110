"""The Tokenizer tab: a text, or the Chat tab's conversation, as coloured tokens with their ids, in every encoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio.to_thread
import gradio as gr

from playground.deps import Deps
from playground.errors import InvalidRequest, refused
from playground.messages import MAX_TEXT
from playground.tokens import ENCODINGS, encoding_for, token_texts
from playground.ui import chat, components, present
from playground.ui.events import ASKED, shown
from playground.ui.opening import Places
from playground.ui.running import chosen
from playground.ui.visitor import theirs

SHOWN = 20_000
"""Characters whose tokens are drawn; all of the text is counted."""

_MARKUP = """<div class="pg-tokenizer"><div class="pg-tokenizer-bar"></div>
<textarea class="pg-tokenizer-text" rows="6" spellcheck="false"></textarea>
<div class="pg-tokenizer-counts" aria-live="polite"></div><div class="pg-notice" hidden></div>
<div class="pg-tokenizer-head"></div><div class="pg-tokens" tabindex="0" role="region"></div></div>"""


def build_tokenizer(deps: Deps) -> Callable[[Places], None]:
    """Lay the tab out; returns how it is wired: the picker's model is one of the tokenizers."""
    view = components.component(
        "tokenizer.js", _MARKUP, {"text": ""}, encodings=list(ENCODINGS), elem_id="pg-tokenizer"
    )

    def wire(places: Places) -> None:
        model, conversation = places.all[3], places.editors["chat"]

        async def on_text(value: Any, model: Any, conversation: Any, who: gr.Request) -> Any:
            return await tokenized(theirs(deps, who), value, model, conversation)

        view.input(on_text, [view, model, conversation], view, **ASKED)

    return wire


async def tokenized(deps: Deps, value: Any, model: Any, conversation: Any) -> Any:
    """The tokens of what the tab holds, and its count in every encoding. Never raises."""
    asked = value if isinstance(value, Mapping) else {}
    kept = {name: asked.get(name) for name in ("n", "encoding")}
    try:
        text = asked.get("text", "")
        if asked.get("source") == "chat":
            text = _spoken(chat.read(conversation)["messages"])
        if not isinstance(text, str):
            raise refused("no_text_to_count")
        if len(text) > MAX_TEXT:
            raise refused("text_long", count=len(text), most=MAX_TEXT)
        # In a thread: the first time, four encodings are loaded.
        counts = await anyio.to_thread.run_sync(_counts, deps, text)
        ids, texts, own = await _tokens(deps, text[:SHOWN], asked.get("encoding"), model)
        if own is not None:
            counted = await deps.count(text, own)
            counts.append([own.ref, counted.tokens if counted.exact else None])
        shown_ = {"ids": ids, "texts": texts, "cut": len(text) > SHOWN, "characters": len(text)}
        return {**kept, **shown_, "counts": counts, "said": text if asked.get("source") == "chat" else None}
    except Exception as error:
        return {**kept, "ids": [], "texts": [], "counts": [], "notice": present.failure(shown(error))}


def _counts(deps: Deps, text: str) -> list[list[Any]]:
    return [[name, deps.counter.count_as(name, text).tokens] for name in ENCODINGS]


async def _tokens(deps: Deps, text: str, encoding: Any, model: Any) -> tuple[list[int], list[str], Any]:
    """Ids and texts by the encoding that is asked for; "model": by the chosen model's own tokenizer."""
    own = None
    try:
        info = chosen(deps, model)
        own = info if deps.client.endpoints[info.endpoint].kind != "openai" else None
    except InvalidRequest:
        info = None
    if encoding == "model" and info is not None:
        if own is None:
            name = encoding_for(info.id) or ENCODINGS[0]
            return *token_texts(name, text), None
        found = await deps.client.pieces(own.endpoint, text, model=own.id)
        if found is None:
            raise refused("no_tokenizer", name=own.endpoint)
        return *found, own
    name = encoding if encoding in ENCODINGS else ENCODINGS[0]
    return *token_texts(name, text), own


def _spoken(messages: list[dict[str, Any]]) -> str:
    """The conversation as one text: each message behind its role, as chat templates write it in one way or another."""
    parts = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            content = "\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
        parts.append(f"{message['role']}\n{content or ''}")
    return "\n\n".join(parts)
