"""The bot between two real local servers: one with the Bot API's shape, one with OpenAI's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from playground.bots.answering import Answerer, Limits
from playground.bots.asking import asking
from playground.bots.budget import Budget
from playground.bots.state import State
from playground.bots.telegram import TelegramBot, make, name_of
from playground.client import Client
from playground.deps import Deps, open_deps
from playground.presets import Preset
from playground.types import ModelInfo
from tests.conftest import MakeSettings
from tests.fakes.bot_api import TOKEN, BotApi
from tests.fakes.helpers import Waits, endpoint
from tests.fakes.server import FakeServer

CHAT = Preset(id="p", name="Helper", mode="chat", system="Be brief.", params={"max_tokens": 50})


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as running:
        yield running


@dataclass
class Running:
    """A bot that answers, and what its owner is told."""

    bot: TelegramBot
    deps: Deps
    state: State
    told: list[str] = field(default_factory=list)


class Start(Protocol):
    def __call__(self, preset: Preset = CHAT, **options: Any) -> AbstractAsyncContextManager[Running]: ...


@pytest.fixture
def start(api: BotApi, server: FakeServer, make_settings: MakeSettings) -> Start:
    """`async with start(preset, budget=…, limits=…, chats=…, kind=…, model=…) as running`."""

    @asynccontextmanager
    async def go(preset: Preset = CHAT, **options: Any) -> AsyncIterator[Running]:
        at = endpoint(server, kind=options.get("kind", "compatible"))
        settings = make_settings(endpoints=(at,), telegram_key=TOKEN)
        deps = open_deps(settings)
        deps.__dict__["client"] = Client([at], timeout=30, retry=Waits().policy())
        state = State(settings.data_dir / "telegram" / "123456789.sqlite")
        told: list[str] = []
        info = ModelInfo(id=options.get("model", "fake"), endpoint="server", context_length=options.get("context"))
        answerer = Answerer(
            deps=deps,
            asking=asking(preset, info, at.kind),
            state=state,
            say=told.append,
            budget=options.get("budget", Budget()),
            limits=options.get("limits", Limits()),
        )
        answerer.check()
        bot = make(TOKEN, api.url)
        made = TelegramBot(
            bot=bot,
            name=await name_of(bot, told.append),
            state=state,
            answerer=answerer,
            say=told.append,
            chats=options.get("chats", frozenset()),
        )
        stop = asyncio.Event()
        serving = asyncio.create_task(made.serve(stop, grace=options.get("grace", 15)))
        try:
            yield Running(made, deps, state, told)
        finally:
            stop.set()
            await serving
            state.close()
            await deps.aclose()

    return go
