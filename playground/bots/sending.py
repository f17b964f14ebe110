"""A message to Telegram: sent once, whatever Telegram says meanwhile. Plain text: Markdown in it stays as it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import httpx
from telegram import Bot, LinkPreviewOptions
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError

TYPING = 4.0
"""Seconds between two signs of typing; Telegram shows one for five."""
ATTEMPTS = 8
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """`say` hears what went wrong, without texts and without the token."""

    bot: Bot
    say: Callable[[str], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def send(self, chat: int, text: str) -> bool:
        """Whether it was sent, or may have been. What Telegram may have got already is not sent again.

        A flood limit is waited out; a server that fails or cannot be reached is asked again, with backoff.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self.bot.send_message(chat, text, link_preview_options=LinkPreviewOptions(is_disabled=True))
                return True
            except ChatMigrated as moved:
                chat = moved.new_chat_id
            except TelegramError as error:
                if _maybe_sent(error):
                    self.say(f"A message may not have arrived: {type(error).__name__}.")
                    return True
                wait = pause(error, attempt)
                if wait is None:
                    self.say(f"Telegram did not take a message: {error.message}.")
                    return False
                await self.sleep(wait)
        self.say(f"A message could not be sent in {ATTEMPTS} attempts.")
        return False

    @asynccontextmanager
    async def typing(self, chat: int) -> AsyncIterator[None]:
        """The chat sees that something is being written. That it could not be shown is no error."""
        showing = asyncio.create_task(self._typing(chat))
        try:
            yield
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    async def _typing(self, chat: int) -> None:
        while True:
            wait = TYPING
            try:
                await self.bot.send_chat_action(chat, ChatAction.TYPING)
            except RetryAfter as error:
                wait = max(wait, seconds(error))
            except TelegramError:
                pass
            await self.sleep(wait)


def pause(error: TelegramError, attempt: int) -> float | None:
    """Seconds before the next attempt; None where another would fail alike."""
    if isinstance(error, RetryAfter):
        return seconds(error)
    # BadRequest is a NetworkError to the library: the message itself is wrong, or the chat is gone.
    if isinstance(error, (BadRequest, Forbidden, InvalidToken)) or not isinstance(error, NetworkError):
        return None
    return backoff(attempt)


def backoff(attempt: int) -> float:
    """Exponential with full jitter, from a quarter of a second to 30 s (see retry.py)."""
    return random.uniform(0.25, min(30.0, 2.0 ** (attempt - 1)))  # noqa: S311 (nothing secret)


def seconds(error: RetryAfter) -> float:
    said = error.retry_after
    return said.total_seconds() if isinstance(said, timedelta) else float(said)


def _maybe_sent(error: TelegramError) -> bool:
    """Whether the request went out and its answer did not come back."""
    cause = error.__cause__
    return isinstance(cause, httpx.HTTPError) and not isinstance(cause, _NEVER_SENT)
