"""A chat in Telegram with a preset, over a server with the Bot API's shape and one with OpenAI's."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from playground.bots.answering import Limits
from playground.bots.budget import Budget
from playground.bots.state import State
from playground.bots.updates import Incoming
from playground.presets import Preset
from playground.settings import Settings
from tests.fakes.bot_api import DROPPED, TOKEN, BotApi
from tests.fakes.helpers import until
from tests.fakes.server import FakeServer
from tests.unit.bots.conftest import Start

TUNED = Preset(
    id="t",
    name="Fine-tune: reviews",
    mode="complete",
    text="{{prompt}} ->",
    params={"temperature": 0, "stop": [" END"], "max_tokens": 50},
)


def asked(server: FakeServer) -> list[dict[str, Any]]:
    return [r.body for r in server.requests if r.path in ("/v1/completions", "/v1/chat/completions")]


async def answers(api: BotApi, number: int, chat: int = 7) -> list[str]:
    await until(lambda: len(api.texts(chat)) >= number, seconds=60)
    return api.texts(chat)


async def test_a_message_is_answered_by_the_preset_and_kept_in_the_history(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    async with start() as running:
        api.write("Say hello")
        assert await answers(api, 1) == ["Hello, world!"]
        await until(api.waits)
        (run,) = running.deps.store.runs(limit=5)
        assert (run.mode, run.status, run.choices[0].text) == ("chat", "done", "Hello, world!")
    messages = asked(server)[0]["messages"]
    assert messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello"}]
    assert asked(server)[0]["max_tokens"] == 50
    assert {"sendChatAction", "setMyCommands"} <= {method for method, _ in api.calls}


async def test_a_fine_tunes_preset_brings_its_separator_and_its_stop(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    async with start(TUNED):
        api.write("The food was cold")
        await answers(api, 1)
        api.write("And again {{prompt}}")
        await answers(api, 2)
    assert [(body["prompt"], body["stop"]) for body in asked(server)] == [
        ("The food was cold ->", [" END"]),
        ("And again {{prompt}} ->", [" END"]),
    ]


async def test_a_chat_is_remembered_until_it_is_reset_and_apart_from_others(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    async with start():
        api.write("one")
        await answers(api, 1)
        api.write("two")
        await answers(api, 2)
        api.write("other", chat=8)
        await answers(api, 1, chat=8)
        api.write("/reset")
        assert (await answers(api, 3))[-1] == "Forgotten. We begin anew."
        api.write("three")
        await answers(api, 4)
    said = [[m["content"] for m in body["messages"][1:]] for body in asked(server)]
    assert said == [["one"], ["one", "Hello, world!", "two"], ["other"], ["three"]]


async def test_memory_has_a_limit_in_messages_and_one_in_tokens(start: Start, api: BotApi, server: FakeServer) -> None:
    async with start(limits=Limits(messages=2, tokens=1000)) as running:
        for number, text in enumerate(("one", "two", "three"), 1):
            api.write(text)
            await answers(api, number)
        assert [turn.question for turn in running.state.turns(7)] == ["three"]
    assert [m["content"] for m in asked(server)[-1]["messages"][1:]] == ["two", "Hello, world!", "three"]
    async with start(limits=Limits(messages=100, tokens=1)):
        api.write("four")
        await answers(api, 4)
    assert [m["content"] for m in asked(server)[-1]["messages"][1:]] == ["four"]


async def test_what_does_not_fit_the_models_context_is_left_out_oldest_first(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    async with start(context=150):
        for number in range(1, 6):
            api.write(f"{number} " + "word " * 20)
            await answers(api, number)
        api.write("word " * 1000)
        assert "too long" in (await answers(api, 6))[-1]
    last = asked(server)[-1]["messages"]
    assert len(asked(server)) == 5
    assert 2 < len(last) < 10
    assert last[-1]["content"].startswith("5 ")


async def test_commands_speak_the_language_of_whom_they_answer(start: Start, api: BotApi, server: FakeServer) -> None:
    async with start():
        api.write("/start", language="es-MX")
        api.write("/help@canary_bot", chat=8, language=None)
        api.write("/help@other_bot", chat=9)
        api.write("/nonsense", chat=10)
        (spanish,), (english,), (unknown,) = [await answers(api, 1, chat) for chat in (7, 8, 10)]
        assert spanish.startswith("¡Hola! Contesto con fake, según el preset «Helper».")
        assert "/reset – olvidar esta conversación" in spanish
        assert english.startswith("Send a text")
        assert unknown.startswith("I do not know that command.")
        await until(api.waits)
    assert api.texts(9) == []
    assert asked(server) == []


async def test_cost_tells_what_the_chat_has_used_and_what_is_left(start: Start, api: BotApi) -> None:
    async with start(kind="openai", model="gpt-4o-mini", budget=Budget(tokens=10_000, dollars=Decimal("0.5"))):
        api.write("hi")
        await answers(api, 1)
        api.write("/cost")
        said = (await answers(api, 2))[-1]
    assert "This chat today: answers: 1, tokens: 11, $" in said
    assert "9,989 tokens" in said
    assert "$0.50" in said


@pytest.mark.parametrize(
    "update",
    [
        {"edited_message": {"message_id": 1, "chat": {"id": 7, "type": "private"}, "text": "edited"}},
        {"channel_post": {"message_id": 1, "chat": {"id": -7, "type": "channel"}, "text": "posted"}},
        {"callback_query": {"id": "1", "from": {"id": 7}, "data": "x"}},
        {"message": None},
        {"message": {"chat": {"id": "seven"}, "text": "x"}},
        {"message": {"chat": {"id": 7, "type": "group"}, "from": {"id": 1}, "photo": []}},
        {"message": {"chat": {"id": 7, "type": "private"}, "from": {"id": 1}, "new_chat_title": "T"}},
        {"message": {"chat": {"id": 7, "type": "private"}, "from": {"id": 1, "is_bot": True}, "text": "from a bot"}},
        {"something_new": [1, 2, 3]},
    ],
)
async def test_what_is_no_message_for_the_bot_is_passed_over(
    start: Start, api: BotApi, server: FakeServer, update: dict[str, Any]
) -> None:
    async with start():
        api.update(update)
        api.write("hello")
        assert await answers(api, 1) == ["Hello, world!"]
    assert len(asked(server)) == 1


@pytest.mark.parametrize("content", ["photo", "sticker", "voice", "document"])
async def test_who_sends_something_else_than_text_is_told(start: Start, api: BotApi, content: str) -> None:
    async with start():
        api.update(
            {"message": {"chat": {"id": 7, "type": "private"}, "from": {"id": 7, "language_code": "es"}, content: {}}}
        )
        assert (await answers(api, 1))[0].startswith("Solo sé leer texto")


async def test_a_private_bot_answers_only_who_is_on_the_list_and_tells_others_their_number(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    async with start(chats=frozenset({7})):
        api.write("hi", chat=666)
        assert "666" in (await answers(api, 1, 666))[0]
        api.write("/cost", chat=666)
        assert "private" in (await answers(api, 2, 666))[1]
        assert asked(server) == []
        api.write("hi")
        assert await answers(api, 1) == ["Hello, world!"]


async def test_a_slow_answer_holds_up_no_other_chat_and_no_command(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    server.enqueue("stall_headers")
    async with start(grace=0, kind="openai"):
        api.write("slow")
        await until(lambda: len(asked(server)) == 1)
        api.write("quick", chat=8)
        assert await answers(api, 1, 8) == ["Hello, world!"]
        api.write("/help")
        assert (await answers(api, 1))[0].startswith("Send a text")


async def test_who_writes_on_and_on_while_an_answer_is_made_is_told_to_wait(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    server.enqueue("stall_headers")
    async with start(grace=0, kind="openai"):
        for number in range(12):
            api.write(f"{number}")
        assert (await answers(api, 1))[0].startswith("I am still answering")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("429:0", "asked too much"),
        ("drop_headers", "cannot reach the model"),
        ("500", "went wrong at the model"),
        ("401", "Only the owner"),
        ("quota", "Only the owner"),
    ],
)
async def test_a_failure_is_told_kindly_after_it_was_tried_again(
    start: Start, api: BotApi, server: FakeServer, fault: str, words: str
) -> None:
    server.pace = fault
    async with start(TUNED, kind="openai") as running:
        api.write("hello")
        said = (await answers(api, 1))[0]
        assert words in said, running.told
        assert len(asked(server)) == (1 if "owner" in words else 4)
        assert running.told
        assert "hello" not in "".join(running.told)
        assert "canary" not in "".join(running.told) + said


async def test_a_server_that_comes_back_answers_without_a_word_of_it(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    async with start(TUNED, kind="openai") as running:
        server.enqueue("429:0", "drop_headers")
        api.write("hello")
        assert await answers(api, 1) == ["Hello, world!"]
        assert running.told == []


async def test_what_came_before_a_failure_is_sent_with_word_of_it(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    server.pace = "drop_midstream"
    async with start(TUNED, kind="openai"):
        api.write("hello")
        said = (await answers(api, 1))[0]
    assert said.startswith("Hello")
    assert "\n\n" in said


async def test_markdown_goes_out_as_plain_text_and_a_long_answer_in_parts(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    server.tokens = ("# Title\n\n", *(["*bold* _word_ 😀 "] * 1000))
    async with start(kind="openai"):
        api.write("go on")
        parts = await answers(api, 5)
        await until(api.waits)
    assert " ".join(parts).split() == "".join(server.tokens).split()
    sent = [given for method, given in api.calls if method == "sendMessage"]
    assert not any("parse_mode" in given or "entities" in given for given in sent)


async def test_a_days_tokens_are_never_exceeded_and_who_asks_then_is_told(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    preset = Preset(id="t", name="T", mode="complete", text="{{text}}", params={"max_tokens": 8})
    async with start(preset, budget=Budget(tokens=70)) as running:
        for number in range(1, 8):
            api.write("hello", chat=number)
        for chat in range(1, 8):
            await answers(api, 1, chat)
        spent = running.state.spent()[0].tokens
        assert 0 < spent <= 70
    refused = [text for chat in range(1, 8) for text in api.texts(chat) if text.startswith("Today's limit")]
    assert refused
    assert len(refused) + len(asked(server)) == 7
    async with start(preset, budget=Budget(tokens=spent)):  # also after a restart
        api.write("hello", chat=20)
        assert (await answers(api, 1, 20))[0].startswith("Today's limit")


async def test_a_days_dollars_are_not_spent_where_the_longest_answer_could_pass_them(
    start: Start, api: BotApi, server: FakeServer
) -> None:
    # 50 tokens at $0.60 a million come to $0.00003.
    async with start(kind="openai", model="gpt-4o-mini", budget=Budget(dollars=Decimal("0.00003"))):
        api.write("hello", language="es")
        assert (await answers(api, 1))[0].startswith("Este bot ya ha gastado su límite de hoy.")
    assert asked(server) == []
    async with start(kind="openai", model="gpt-4o-mini", budget=Budget(dollars=Decimal("0.0001"))) as running:
        api.write("hello")
        assert (await answers(api, 2))[1] == "Hello, world!"
        (run,) = running.deps.store.runs(limit=5)
        assert running.state.spent()[0].dollars == run.cost
        assert run.cost


async def test_flood_limits_are_waited_out(start: Start, api: BotApi) -> None:
    async with start() as running:
        api.fail("sendMessage", 429, times=2, retry_after=1)
        waited: list[float] = []

        async def sleep(seconds: float) -> None:
            waited.append(seconds)
            await asyncio.sleep(0.01)

        running.bot.sleep = sleep
        api.write("hello")
        assert await answers(api, 1) == ["Hello, world!"]
        assert waited.count(1.0) == 2


async def test_a_message_whose_receipt_is_lost_is_not_sent_twice(start: Start, api: BotApi) -> None:
    async with start() as running:
        api.fail("sendMessage", DROPPED)
        api.write("hello")
        await answers(api, 1)
        api.write("/help")
        await answers(api, 2)
        assert running.told == ["A message may not have arrived: NetworkError."]
    assert api.texts().count("Hello, world!") == 1


async def test_who_has_blocked_the_bot_costs_the_others_nothing(start: Start, api: BotApi) -> None:
    async with start() as running:
        api.fail("sendMessage", 403, description="Forbidden: bot was blocked by the user")
        api.write("hello", chat=8)
        await until(lambda: bool(running.told))
        api.write("hello")
        assert await answers(api, 1) == ["Hello, world!"]
        assert TOKEN not in "".join(running.told)


async def test_telegram_that_fails_for_a_while_is_asked_again(start: Start, api: BotApi) -> None:
    async with start() as running:
        api.fail("getUpdates", 502)
        api.write("hello")
        api.write("again", chat=8)
        await answers(api, 1)
        await answers(api, 1, 8)
        await until(lambda: "Telegram answers again." in running.told)


async def test_a_reset_while_an_answer_is_made_forgets_that_too(start: Start, api: BotApi, server: FakeServer) -> None:
    server.enqueue("burst_then_pause:1")
    async with start(kind="openai") as running:
        api.write("secret")
        await until(lambda: len(asked(server)) == 1)
        api.write("/reset")
        await answers(api, 2)
        await until(lambda: running.state.unfinished() == [])
        assert running.state.turns(7) == []


async def test_after_a_kill_an_answer_goes_on_behind_the_part_that_was_on_its_way(
    start: Start, api: BotApi, server: FakeServer, settings: Settings
) -> None:
    before = State(settings.data_dir / "telegram" / "123456789.sqlite")
    messages = [Incoming(update_id=number, chat=number, text="x") for number in (1, 2, 3)]
    before.take(messages, 4)
    before.answered(1, ["a", "b", "c"])
    before.sending(1, 2)
    before.answered(2, ["a"])
    before.sending(2, 1)
    before.answered(3, ["a", "b"])
    before.close()
    async with start():
        assert await answers(api, 1, 1) == ["c"]
        assert "restarted" in (await answers(api, 1, 2))[0]
        assert await answers(api, 2, 3) == ["a", "b"]
    async with start():
        api.write("hello")
        await answers(api, 1)
    assert [len(api.texts(chat)) for chat in (1, 2, 3)] == [1, 1, 2]
    assert len(asked(server)) == 1


async def test_an_edits_run_opens_from_the_history_as_it_was_asked(start: Start, api: BotApi) -> None:
    async with start(Preset(id="e", name="E", mode="edit", instruction="Translate")) as running:
        api.write("hola")
        await answers(api, 1)
        (run,) = running.deps.store.runs(limit=5)
    assert (run.mode, run.request["input"], run.request["instruction"]) == ("edit", "hola", "Translate")
