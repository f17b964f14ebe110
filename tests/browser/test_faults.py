"""What a person sees when a server misbehaves: a clear state each time, and nothing that was typed or paid for is lost."""

from __future__ import annotations

from typing import Any

import pytest

CASES = {
    "401": "does not accept the key",
    "403": "does not allow this",
    "404": "does not have this model",
}


@pytest.mark.parametrize(("fault", "said"), CASES.items())
async def test_a_refusal_is_said_and_the_text_stays(visits: Any, fake_app: Any, fault: str, said: str) -> None:
    screen = await visits(fake_app, model=f"server/fault-{fault}")
    await screen.run("Say hello")
    assert said in await screen.notice_with(said)
    assert await screen.text() == "Say hello"
