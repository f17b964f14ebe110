"""What a preset asks a model: the part that is written, and its parameters by their API names. Without a page."""

from __future__ import annotations

from typing import Any

from playground import editing, panel
from playground.errors import refused
from playground.presets import Preset


def written(preset: Preset) -> dict[str, Any]:
    """`prompt`, or `messages` in OpenAI's shape; variables are not filled. Raises InvalidRequest where it is empty."""
    if preset.mode == "complete":
        found: dict[str, Any] = {"prompt": preset.text}
    elif preset.mode == "edit":
        has = preset.instruction.strip()
        found = {"messages": editing.messages(preset.instruction, preset.input) if has else []}
    else:
        first = [{"role": "system", "content": preset.system}] if preset.system.strip() else []
        found = {"messages": [*first, *preset.messages]}
    if not any(found.values()):
        raise refused("preset_empty", param="presets", name=preset.name)
    return found


def parameters(preset: Preset) -> dict[str, Any]:
    """What is set in it, as its endpoint's API has it. Raises InvalidRequest for JSON that cannot be read."""
    named = panel.api_values(preset.params, preset.mode)
    return {name: value for name, value in named.items() if value not in (None, "", [])}
