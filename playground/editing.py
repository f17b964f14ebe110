"""An instruction and a text as the two messages that ask for the edited text."""

from __future__ import annotations

from typing import Any

SYSTEM = (
    "You edit texts. Apply the instruction to the text and answer with the whole edited text only: "
    "no introduction, no explanation, no quotation marks around it. Keep what the instruction does not change."
)
"""What takes the place of the endpoint that OpenAI closed (/v1/edits): an edit is a chat of two messages."""


def messages(instruction: str, text: str) -> list[dict[str, Any]]:
    asked = f"Instruction: {instruction}\n\nText:\n{text}" if text else f"Instruction: {instruction}"
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": asked}]
