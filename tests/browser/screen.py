"""The page as a person uses it: what is typed, clicked and seen. No knowledge of Gradio in the tests themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

FRONT = "#pg-editor .pg-front"
LINE = "#pg-next-{} .pg-cell[data-key='{}'] .pg-cell-value"
LAST = "#pg-last-{} .pg-cell[data-key='{}'] .pg-cell-value"


class Screen:
    """One open browser tab. `scope` is the page's tab that the person is in."""

    scope = "complete"

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url

    async def open(self) -> None:
        await self.page.goto(self.url)
        await self.ready()

    async def ready(self) -> None:
        """Until the model list has arrived: from then on the page can be worked with."""
        await self.page.wait_for_selector(FRONT, state="attached")
        await self.page.wait_for_function(
            "() => (document.querySelector('#pg-model input')?.value || '').includes('/')", timeout=60_000
        )

    async def choose(self, model: str) -> None:
        """Choose or type a model's name."""
        box = self.page.locator("#pg-model input")
        await box.click()
        await box.fill(model)
        await box.press("Enter")
        await self.until(f"document.querySelector('#pg-model input').value === '{model}'")
        if self.scope == "complete":
            await self.page.locator(FRONT).focus()

    async def tab(self, name: str) -> None:
        """Go to another of the page's tabs."""
        await self.page.click(f"#pg-tab-{name}-button")
        await self.until(f"document.body.dataset.mode === '{name}'")
        self.scope = name

    async def write(self, text: str) -> None:
        await self.page.locator(FRONT).fill(text)

    async def submit(self) -> None:
        await self.page.locator(FRONT).press("Control+Enter")

    async def run(self, text: str | None = None) -> None:
        """Write, submit, and wait for the end."""
        if text is not None:
            await self.write(text)
        await self.submit()
        await self.ended()

    async def begin(self, text: str = "Count") -> None:
        """Submit in the tab that the person is in, whichever of the three it is, and do not wait."""
        if self.scope == "chat":
            await self.say(text)
        elif self.scope == "edit":
            await self.page.fill(".pg-edit-input", "x")
            await self.page.fill(".pg-edit-instruction", text)
            await self.page.press(".pg-edit-instruction", "Control+Enter")
        else:
            await self.write(text)
            await self.submit()

    async def ended(self, *, seconds: float = 30) -> None:
        await self.until("!document.querySelector('.pg-editor.pg-busy')", seconds=seconds)

    async def running(self) -> None:
        await self.until("document.querySelector('.pg-editor.pg-busy')")

    async def grown(self, than: int, *, seconds: float = 30) -> None:
        """Until the text is longer than `than` characters."""
        await self.until(f"document.querySelector('{FRONT}').value.length > {than}", seconds=seconds)

    async def text(self) -> str:
        return str(await self.page.input_value(FRONT))

    async def marks(self) -> list[str]:
        return list(
            await self.page.eval_on_selector_all("#pg-editor .pg-back mark", "ms => ms.map(m => m.textContent)")
        )

    async def layer(self) -> str:
        """The layer under the text, which must hold the same text, or the marks stand in the wrong place."""
        return str(await self.page.eval_on_selector("#pg-editor .pg-back", "n => n.textContent"))

    async def notice(self) -> str:
        return str(await self.page.inner_text(f"#pg-last-{self.scope} .pg-notice"))

    async def notice_with(self, text: str, *, seconds: float = 15) -> str:
        await (
            self.page.locator(f"#pg-last-{self.scope} .pg-notice")
            .get_by_text(text)
            .first.wait_for(timeout=seconds * 1000)
        )
        return await self.notice()

    async def next(self, key: str) -> str:
        """A figure of the line that counts the next run."""
        return str(await self.page.inner_text(LINE.format(self.scope, key)))

    async def last(self, key: str) -> str:
        """A figure of the line of the last run."""
        return str(await self.page.inner_text(LAST.format(self.scope, key)))

    async def set(self, name: str, value: str) -> None:
        """A parameter's number or text, unfolding what is folded."""
        box = self.page.locator(f"#pg-param-{name}")
        if not await box.is_visible():
            await self.page.locator("#pg-params summary").click()
        await box.fill(value)

    async def until(self, condition: str, *, seconds: float = 15) -> None:
        await self.page.wait_for_function(f"() => {condition}", timeout=seconds * 1000)

    # --- the Chat tab ---

    async def say(self, text: str) -> None:
        """Write a message at the end of the conversation and submit it."""
        box = self.page.locator("#pg-conversation .pg-message-text").last
        await box.fill(text)
        await box.press("Control+Enter")

    async def asked(self, text: str) -> None:
        """The same, until it has been answered."""
        await self.say(text)
        await self.answered()

    async def answered(self, *, seconds: float = 60) -> None:
        await self.until("!document.querySelector('#pg-conversation .pg-stop')", seconds=seconds)

    async def messages(self) -> list[tuple[str, str]]:
        """Role and text of every row, the empty one at the end left out."""
        rows = await self.page.eval_on_selector_all(
            "#pg-conversation .pg-message",
            "rows => rows.map(row => [row.dataset.role, row.querySelector('.pg-message-text').value])",
        )
        return [(role, text) for role, text in rows if text]

    async def act(self, row: int, action: str) -> None:
        """Press one of the buttons of a message: again, image, up, down, trash."""
        await self.page.locator("#pg-conversation .pg-message").nth(row).hover()
        await self.page.locator("#pg-conversation .pg-message").nth(row).locator(f"[data-act='{action}']").click()

    async def branch(self, row: int) -> str:
        """Which of a message's branches is shown, as `2/3`; empty where there is one only."""
        return str(await self.page.locator("#pg-conversation .pg-message").nth(row).locator(".pg-branch").inner_text())

    async def toast(self, text: str) -> str:
        toast = self.page.locator(".pg-toast")
        await toast.get_by_text(text).first.wait_for()
        return str(await toast.inner_text())

    async def downloaded(self, download: Any) -> str:
        """The text of a file that the page gave out."""
        return await asyncio.to_thread(Path(await download.path()).read_text, encoding="utf-8")
