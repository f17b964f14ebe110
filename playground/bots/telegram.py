"""A preset as a Telegram bot: long polling, each chat answered in its order, no chat waiting for another.

What has come is kept (state.py) before Telegram is told so, and what is about to be sent before it goes out. After a
restart, however the last process ended: what was not begun is answered; what the model was being asked is not asked,
and paid for, a second time, but the chat is told; what was being sent goes on behind the part that was on its way.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from telegram import Bot, BotCommand
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from playground.bots import budget, replies
from playground.bots.answering import Answerer
from playground.bots.sending import Sender, backoff, seconds
from playground.bots.splitting import split
from playground.bots.state import State
from playground.bots.updates import Incoming, number, read
from playground.errors import ConfigurationError, ConnectionFailed, PlaygroundError
from playground.words import LANGUAGES, Said

API = "https://api.telegram.org"
POLL = 50
"""Seconds that Telegram holds a request for updates open."""
AT_ONCE = 16
"""Answers that are made at the same time."""
WAITING = 10
"""Messages of a chat that wait for their answer; who writes more meanwhile is told."""
CONFLICTS = 8
"""A poll of a process that was killed may be open for a minute: that is no second bot yet."""


def make(token: str, api: str = API) -> Bot:
    """Telegram's side. Nothing is asked yet."""
    os.environ.setdefault("PTB_TIMEDELTA", "true")  # times as the library will give them; else it warns at each
    return Bot(token, base_url=f"{api.rstrip('/')}/bot", request=HTTPXRequest(read_timeout=30.0, connect_timeout=10.0))


async def name_of(bot: Bot, say: Callable[[str], None]) -> str:
    """The bot's user name, from the first answer of Telegram. Raises ConfigurationError, ConnectionFailed."""
    for attempt in range(1, 6):
        try:
            await bot.initialize()
            return str(bot.username)
        except InvalidToken:
            # The library's own words hold the token.
            raise ConfigurationError(Said("error.telegram_token"), hint=Said("error_hint.telegram_token")) from None
        except TelegramError as error:
            say(f"Telegram cannot be reached ({type(error).__name__}), attempt {attempt} of 5.")
            await asyncio.sleep(seconds(error) if isinstance(error, RetryAfter) else backoff(attempt))
    raise ConnectionFailed(Said("error.telegram_unreachable"), hint=Said("error_hint.telegram_unreachable"))


@dataclass(kw_only=True)
class TelegramBot:
    """The bot. `chats`: who may use it, empty for everyone. `say` hears what its owner should know."""

    bot: Bot
    name: str
    state: State
    answerer: Answerer
    say: Callable[[str], None]
    chats: frozenset[int] = frozenset()
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _queues: dict[int, deque[tuple[Incoming, int]]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _resets: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @property
    def sender(self) -> Sender:
        return Sender(bot=self.bot, say=self.say, sleep=self.sleep)

    async def serve(self, stop: asyncio.Event, *, grace: float = 15.0) -> None:
        """Answer until `stop`; what is being answered then has `grace` seconds. Raises PlaygroundError."""
        self._start(self._commands())
        self._resume()
        polling = asyncio.create_task(self._poll())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([polling, stopping], return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                polling.result()
        finally:
            stopping.cancel()
            await _cancelled([polling])
            self._queues.clear()  # what was not begun is answered after the next start
            if self._tasks:
                await asyncio.wait(list(self._tasks), timeout=grace)
            await _cancelled(list(self._tasks))
            await self.bot.shutdown()

    # --- what comes ---

    async def _poll(self) -> None:
        failures = conflicts = 0
        while True:
            try:
                updates = await self._updates()
            except InvalidToken:
                raise ConfigurationError(Said("error.telegram_token"), hint=Said("error_hint.telegram_token")) from None
            except Conflict as error:
                conflicts += 1
                if "webhook" in error.message.lower():
                    raise ConfigurationError(
                        Said("error.telegram_webhook"), hint=Said("error_hint.telegram_webhook")
                    ) from None
                if conflicts > CONFLICTS:
                    raise ConfigurationError(
                        Said("error.telegram_twice"), hint=Said("error_hint.telegram_twice")
                    ) from None
                await self.sleep(8.0)
            except TelegramError as error:
                failures += 1
                if failures == 1:
                    self.say(f"Telegram cannot be reached ({type(error).__name__}); trying again.")
                await self.sleep(seconds(error) if isinstance(error, RetryAfter) else backoff(failures))
            else:
                if failures:
                    self.say("Telegram answers again.")
                failures = conflicts = 0
                self._take(updates)

    async def _updates(self) -> Sequence[Any]:
        """Updates as plain JSON: one that the library does not know yet must not keep the others out."""
        asked: dict[str, Any] = {"timeout": POLL, "allowed_updates": '["message"]'}
        offset = self.state.offset()
        if offset is not None:
            asked["offset"] = offset
        address = f"{self.bot.base_url}/getUpdates?{urlencode(asked, quote_via=quote)}"
        found: Any = await self.bot.request.post(address, read_timeout=POLL + 15.0)
        return found if isinstance(found, list) else []

    def _take(self, updates: Sequence[Any]) -> None:
        numbers = [at for at in map(number, updates) if at is not None]
        if not numbers:
            return
        found = [each for each in (read(update, self.name) for update in updates) if each is not None]
        for incoming in self.state.take(found, max(numbers) + 1):
            self._enqueue(incoming)

    def _resume(self) -> None:
        for cut in self.state.unfinished():
            at = cut.incoming
            parts, sent = list(cut.parts), cut.sent
            if not parts or (cut.flying and sent == len(parts)):
                parts = [*parts, replies.said("maybe_lost" if parts else "interrupted", at.language)]
                self.state.answered(at.update_id, parts, sent=sent)
            self._start(self._deliver(at, parts, sent))
        for incoming in self.state.waiting():
            self._enqueue(incoming)

    def _enqueue(self, incoming: Incoming) -> None:
        """Commands are answered at once; texts of one chat in their order."""
        if self.chats and incoming.chat not in self.chats:
            self._start(self._reply(incoming, self._private(incoming)))
        elif incoming.kind == "command":
            self._start(self._reply(incoming, self._command(incoming)))
        elif incoming.kind == "other":
            self._start(self._reply(incoming, replies.said("only_text", incoming.language)))
        elif incoming.chat not in self._queues:
            self._queues[incoming.chat] = deque([(incoming, self._resets[incoming.chat])])
            self._start(self._chat(incoming.chat))
        elif len(self._queues[incoming.chat]) >= WAITING:
            self._start(self._reply(incoming, replies.said("busy", incoming.language)))
        else:
            self._queues[incoming.chat].append((incoming, self._resets[incoming.chat]))

    async def _chat(self, chat: int) -> None:
        try:
            while queue := self._queues.get(chat):
                try:
                    await self._answer(*queue.popleft())
                except Exception as error:  # one message must not cost the others theirs
                    self._failed(error)
        finally:
            self._queues.pop(chat, None)

    # --- what goes out ---

    async def _answer(self, incoming: Incoming, reset: int) -> None:
        """`reset`: how often the chat had been reset when the message came."""
        async with self._places, self.sender.typing(incoming.chat):
            parts = await self.answerer.answer(incoming, lambda: self._resets[incoming.chat] == reset)
        await self._deliver(incoming, parts)

    async def _reply(self, incoming: Incoming, text: str) -> None:
        parts = split(text)
        self.state.answered(incoming.update_id, parts)
        await self._deliver(incoming, parts)

    async def _deliver(self, incoming: Incoming, parts: Sequence[str], sent: int = 0) -> None:
        for at in range(sent, len(parts)):
            self.state.sending(incoming.update_id, at + 1)
            if not await self.sender.send(incoming.chat, parts[at]):
                break
        self.state.done(incoming.update_id)

    def _command(self, incoming: Incoming) -> str:
        language, chat = incoming.language, incoming.chat
        match incoming.text:
            case "start" | "help":
                asking = self.answerer.asking
                key = f"{incoming.text}_remembers" if asking.remembers else incoming.text
                hello = replies.said(key, language, preset=asking.preset.name, model=asking.info.id)
                return f"{hello}\n\n{replies.command_lines(language)}"
            case "reset":
                self._resets[chat] += 1
                self.state.keep_turns(chat, 0)
                return replies.said("reset", language)
            case "cost":
                return self._cost(incoming)
            case _:
                return replies.said("unknown", language) + "\n\n" + replies.command_lines(language)

    def _cost(self, incoming: Incoming) -> str:
        day, state = budget.today(), self.state
        return replies.cost(
            incoming.language,
            today=state.spent(day=day, chat=incoming.chat),
            ever=state.spent(chat=incoming.chat),
            everyone=state.spent(day=day)[0],
            budget=self.answerer.budget,
            priced=self.answerer.priced,
        )

    def _private(self, incoming: Incoming) -> str:
        """For whoever may not use the bot: the number that its owner needs, and nothing that costs anything."""
        return replies.said("private", incoming.language, chat=str(incoming.chat))

    async def _commands(self) -> None:
        """The menu of commands in Telegram's apps; without it the bot is the same."""
        with suppress(TelegramError):
            for language in LANGUAGES:
                said = [BotCommand(name, replies.said(f"command_{name}", language)) for name in replies.COMMANDS]
                await self.bot.set_my_commands(said, language_code=None if language == "en" else language)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._failed(error)

    def _failed(self, error: BaseException) -> None:
        """Its kind alone where it is not ours: a message of a library may hold what a person wrote."""
        what = str(error) if isinstance(error, PlaygroundError) else type(error).__name__
        self.say(f"A message was not answered: {what}")


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
