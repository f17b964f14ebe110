"""`telegram`: a preset as a Telegram bot, until Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.servers import choose, opened
from playground.cli.talk import contents, note, run_async, told
from playground.errors import ConfigurationError, InvalidRequest, PlaygroundError, refused
from playground.words import Said

if TYPE_CHECKING:
    from playground.bots.answering import Answerer, Limits
    from playground.bots.asking import Asking
    from playground.bots.budget import Budget
    from playground.bots.state import State
    from playground.deps import Deps
    from playground.presets import Preset
    from playground.settings import Settings

API = "https://api.telegram.org"


def telegram(
    preset: Annotated[str, typer.Option(help="The preset: its name, or its file.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="The model; else MODEL_ENGINE, the preset's, the first."),
    ] = None,
    chats: Annotated[
        list[str] | None, typer.Option(help="Numbers of the chats that may use it; repeatable, or with commas between.")
    ] = None,
    budget: Annotated[
        list[str] | None, typer.Option(help='What may be spent a day (UTC): 0.50 (dollars) or "20000 tokens", or both.')
    ] = None,
    memory_messages: Annotated[int, typer.Option(min=0, max=1000, help="Messages of a chat that are remembered.")] = 20,
    memory_tokens: Annotated[int, typer.Option(min=0, help="Tokens that they may have together.")] = 2_000,
    variable: Annotated[str | None, typer.Option(help="The preset's variable that a message fills.")] = None,
    api: Annotated[str, typer.Option(help="A Bot API server of your own.")] = API,
) -> None:
    """Answer in Telegram as a preset says. The token comes from TELEGRAM_API_KEY."""
    with told():
        if find_spec("telegram") is None:
            raise PlaygroundError(Said("error.telegram_extra"))
        from playground.bots import budget as budgets
        from playground.bots.answering import Limits
        from playground.settings import load

        settings = load()
        if settings.telegram_key is None:
            raise ConfigurationError(Said("error.telegram_no_key"), hint=Said("error_hint.telegram_no_key"))
        limit, allowed = budgets.parse(budget or ()), _chats(chats or ())
        chosen = preset_named(settings, preset)
        model = model or settings.model_engine or chosen.model
        limits = Limits(messages=memory_messages, tokens=memory_tokens)
        run_async(_serve(settings, chosen, model, variable, api, allowed, limit, limits))


async def _serve(
    settings: Settings,
    preset: Preset,
    model: str | None,
    variable: str | None,
    api: str,
    chats: frozenset[int],
    limit: Budget,
    limits: Limits,
) -> None:
    from playground.bots.answering import Answerer
    from playground.redact import install_log_redaction, redact

    with _state(settings) as state:
        async with opened(model) as deps:
            install_log_redaction(lambda: deps.keys)
            asking = await _asking(deps, preset, model, variable)

            def say(text: str) -> None:
                note(redact(text, deps.keys))

            answerer = Answerer(deps=deps, asking=asking, state=state, say=say, budget=limit, limits=limits)
            answerer.check()
            if not chats:
                note("Anyone who finds this bot can use it; --chats NUMBER makes it private, --budget limits a day.")
            await _until_stopped(settings, answerer, api, chats)


async def _until_stopped(settings: Settings, answerer: Answerer, api: str, chats: frozenset[int]) -> None:
    from playground.bots.telegram import TelegramBot, make, name_of

    bot = make(settings.telegram_key or "", api)
    name = await name_of(bot, answerer.say)
    about = answerer.asking
    note(f"@{name} answers by the preset {about.preset.name!r} with {about.info.ref}. Ctrl-C ends it.")
    with _signals() as stop:
        await TelegramBot(
            bot=bot, name=name, state=answerer.state, answerer=answerer, say=answerer.say, chats=chats
        ).serve(stop)


async def _asking(deps: Deps, preset: Preset, model: str | None, variable: str | None) -> Asking:
    """The preset with its model; a fine-tuned one gets the separator and the stop it was trained with, where the preset
    lacks them."""
    from playground.bots.asking import asking
    from playground.finetune.trained import lacks

    info = await choose(deps, model)
    made = asking(preset, info, deps.client.kind_of(info.endpoint), variable=variable)
    file = deps.training_file(info.ref)
    if preset.mode != "complete" or file is None:
        return made
    try:
        trained = await deps.trained_on(info.endpoint, file)
    except PlaygroundError as error:
        note(f"What the model was trained with is not known: {error}")
        return made
    sent = made.request("?").body()
    missing = None if trained is None else lacks(trained, sent["prompt"], sent.get("stop") or ())
    return made if missing is None else replace(made, separator=missing.separator, ending=missing.ending)


def preset_named(settings: Settings, name: str) -> Preset:
    """A saved preset of that name, one that comes with Playground, or the only one of a file. Raises InvalidRequest."""
    from playground import presets
    from playground.store import Store

    if name.endswith(".json") and Path(name).is_file():
        found = presets.load(contents(Path(name)))
        if len(found) == 1:
            return found[0]
        raise InvalidRequest(f"{name} holds {len(found)} presets.", param="preset", hint="Export the one you mean.")
    store = Store.open(settings)
    try:
        saved = [presets.from_json(row.content) for row in store.presets()]
    finally:
        store.close()
    every = [*saved, *presets.builtin()]
    chosen = next((each for each in every if each.name == name), None)
    chosen = chosen or next((each for each in every if each.name.casefold() == name.casefold()), None)
    if chosen is None:
        raise refused("telegram_preset", param="preset", name=name[:80], have=", ".join(each.name for each in every))
    return chosen


def _chats(given: list[str] | tuple[str, ...]) -> frozenset[int]:
    found = set()
    for text in (part.strip() for each in given for part in each.split(",")):
        if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdecimal():
            raise refused("telegram_chat", param="chats", text=text[:40])
        found.add(int(text))
    return frozenset(found)


@contextmanager
def _state(settings: Settings) -> Iterator[State]:
    """The bot's own file, called by the public half of its token. Raises ConfigurationError for what is no token."""
    from playground.bots.state import State

    number, colon, secret = (settings.telegram_key or "").partition(":")
    if not number.isdecimal() or not colon or not secret:
        raise ConfigurationError(Said("error.telegram_token"), hint=Said("error_hint.telegram_token"))
    state = State(settings.data_dir / "telegram" / f"{number}.sqlite")
    try:
        yield state
    finally:
        state.close()


@contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """The first Ctrl-C or SIGTERM asks the bot to end, with what it has begun; a second breaks that off."""
    import signal

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: object) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        loop.call_soon_threadsafe(stop.set)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
