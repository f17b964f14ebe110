"""What a bot asks its model: a preset, what the chat has said so far, and the text that came.

- A chat preset's SYSTEM and examples come first. Its last message, where it is the person's, is a sample: the text
  takes its place, or its variable's.
- A completion preset has a variable where the text goes. What stands behind it, a fine-tuned model's separator, stays.
  Where it has `{{history}}`, that is what was said so far, each turn written as the text behind `{{history}}` is.
- An edit preset's instruction is applied to each text by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground import accepts, catalog, editing, preset_requests
from playground.bots.state import Turn
from playground.errors import refused
from playground.parameters import validate_chat, validate_completion
from playground.presets import Preset
from playground.types import EndpointKind, ModelInfo, Request
from playground.variables import fill_all, names, names_in

HISTORY = "history"
_HISTORY = re.compile(r"(?<!\\)\{\{\s*history\s*\}\}")

_NOT_FOR_A_BOT = frozenset(
    ("n", "best_of", "logprobs", "top_logprobs", "echo", "tools", "tool_choice", "parallel_tool_calls")
)
"""What makes several answers, repeats the prompt or calls functions: nobody is there for it in a chat of Telegram."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A preset as a bot asks it. `slot` is the variable that the person's text fills, None: the text is the message."""

    preset: Preset
    info: ModelInfo
    kind: EndpointKind
    slot: str | None
    separator: str = ""
    ending: str = ""

    @property
    def remembers(self) -> bool:
        """Whether what was said before is sent along."""
        return self.preset.mode == "chat" or (self.preset.mode == "complete" and HISTORY in names(self.preset.text))

    @property
    def context(self) -> int | None:
        return catalog.context_length(self.info)

    def request(self, text: str, turns: Sequence[Turn] = ()) -> Request:
        """Exactly what is sent, without what the model does not take. Raises InvalidRequest."""
        given = preset_requests.parameters(self.preset)
        values = {name: value for name, value in given.items() if name not in _NOT_FOR_A_BOT}
        if self.ending and self.ending not in (values.get("stop") or ()):
            values["stop"] = [*(values.get("stop") or ()), self.ending][-4:]
        where: Any = {"endpoint": self.info.endpoint, "model": self.info.id, "context_length": self.context}
        if self.preset.mode == "complete":
            prompt = self._prompt(text, turns) + self.separator
            return accepts.effective(validate_completion({**values, "prompt": prompt}, **where), self.kind)[0]
        messages = self._edit(text) if self.preset.mode == "edit" else self._messages(text, turns)
        return accepts.effective(validate_chat({**values, "messages": messages}, **where), self.kind)[0]

    def kept(self, text: str) -> dict[str, Any]:
        """What the history needs besides the request to show an edit in its tab again."""
        if self.preset.mode != "edit":
            return {}
        return {"input": text, "instruction": self._filled(self.preset.instruction, text)}

    def _filled(self, value: Any, text: str) -> Any:
        return fill_all(value, {**self.preset.variables, **({self.slot: text} if self.slot else {})})

    def _messages(self, text: str, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        first, last = _parts(self.preset)
        said: list[dict[str, Any]] = list(self._filled(first, text))
        for turn in turns:
            said.append(self._asked(last, turn.question))
            said.append({"role": "assistant", "content": turn.answer})
        return [*said, self._asked(last, text)]

    def _asked(self, last: Mapping[str, Any] | None, text: str) -> dict[str, Any]:
        sample = last is not None and self.slot is not None and self.slot in names_in(last)
        return dict(self._filled(last, text)) if sample else {"role": "user", "content": text}

    def _edit(self, text: str) -> list[dict[str, Any]]:
        return editing.messages(self._filled(self.preset.instruction, text), text)

    def _prompt(self, text: str, turns: Sequence[Turn]) -> str:
        before, after = _around_history(self.preset.text)
        told = "".join(f"{self._filled(after, turn.question)}{turn.answer.rstrip()}\n" for turn in turns)
        # Put together, not filled in: what people wrote is text, whatever braces are in it.
        return f"{self._filled(before, text)}{told if self.remembers else ''}{self._filled(after, text)}"


def asking(preset: Preset, info: ModelInfo, kind: EndpointKind, *, variable: str | None = None) -> Asking:
    """The preset with the place for a person's text. Raises InvalidRequest where that is not clear, or it cannot be
    asked as it is."""
    made = Asking(preset=preset, info=info, kind=kind, slot=_slot(preset, variable))
    if preset.mode == "edit" and not preset.instruction.strip():
        raise refused("preset_empty", param="preset", name=preset.name)
    made.request("?")
    return made


def _slot(preset: Preset, variable: str | None) -> str | None:
    _, last = _parts(preset)
    where: Any = {"complete": preset.text, "edit": preset.instruction}.get(preset.mode, last or {})
    found = sorted(names_in(where) - {HISTORY} if preset.mode == "complete" else names_in(where))
    if variable is not None:
        if variable not in found and variable not in names_in([preset.system, *preset.messages, preset.text]):
            raise refused("telegram_no_variable", param="variable", name=variable, have=", ".join(found) or "–")
        return variable
    if preset.mode == "edit":
        return None
    empty = [name for name in found if not preset.variables.get(name)]
    if len(found) == 1 or len(empty) == 1:
        return (empty or found)[0]
    if found:
        raise refused("telegram_which_variable", param="variable", have=", ".join(found))
    if preset.mode == "complete":
        raise refused("telegram_no_slot", param="preset", name=preset.name)
    return None


def _parts(preset: Preset) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """SYSTEM and examples; and the last message where it is the person's, which nobody has answered."""
    first: list[dict[str, Any]] = [{"role": "system", "content": preset.system}] if preset.system.strip() else []
    first += preset.messages
    last = first.pop() if first and first[-1].get("role") == "user" else None
    return first, last


def _around_history(text: str) -> tuple[str, str]:
    """A completion's text before and behind `{{history}}`; all of it is behind where there is none."""
    found = _HISTORY.search(text)
    return (text[: found.start()], text[found.end() :]) if found else ("", text)
