"""The Complete tab over the real model: write, submit, stop, undo, choose, look at probabilities, come back."""

from __future__ import annotations

import re
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.helpers import until


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, engine_app: Any) -> Any:
    opened = await visits(engine_app)
    await opened.set("max_tokens", "12")
    await opened.set("temperature", "0")
    return opened


async def test_the_counter_converges_on_the_last_keystroke(screen: Any) -> None:
    await screen.page.locator("#pg-editor .pg-front").press_sequentially("one two three four five six", delay=5)
    await (
        screen.page.locator("#pg-next-complete .pg-cell[data-key='prompt']")
        .get_by_text("6 tokens", exact=True)
        .wait_for()
    )
    # The maximum length was set right before: it is in the sum once the panel's value has arrived.
    context = screen.page.locator("#pg-next-complete .pg-cell[data-key='context'] .pg-cell-value")
    await context.get_by_text(re.compile(r"^18 of [\d,]+$")).wait_for()
    dear = await screen.next("worst")
    await screen.set("max_tokens", "4000")
    worst = "document.querySelector(\"#pg-next-complete [data-key='worst']\")"
    await screen.until(f"{worst} && !{worst}.innerText.includes('{dear}')")
    assert "$" in await screen.next("expected")


async def test_submit_marks_exactly_what_the_model_wrote_also_behind_an_emoji(screen: Any, engine_app: Any) -> None:
    prompt = "👋🏽 The capital of France is"
    await screen.run(prompt)
    kept = engine_app.last_run()
    written = kept.choices[0].text
    assert written
    assert await screen.text() == prompt + written
    assert await screen.marks() == [written]
    assert await screen.layer() == prompt + written + "\n"
    assert kept.status == "done"
    assert kept.effective_request["prompt"] == prompt
    assert kept.effective_request["max_tokens"] == 12
    assert not {"n", "seed", "stop", "logprobs", "best_of", "frequency_penalty", "user"} & set(kept.effective_request)


async def test_submit_again_continues_undo_takes_it_back_and_regenerate_replaces(screen: Any, engine_app: Any) -> None:
    await screen.run("Once upon a time")
    first = await screen.text()
    await screen.run()
    assert (await screen.text()).startswith(first)
    assert len(await screen.text()) > len(first)
    assert "".join(await screen.marks()) == (await screen.text()).removeprefix("Once upon a time")
    await screen.page.click(".pg-undo")
    assert await screen.text() == first
    await screen.set("temperature", "2")
    await screen.page.click(".pg-again")
    await screen.ended()
    again = await screen.text()
    assert again.startswith("Once upon a time")
    assert engine_app.last_run().effective_request["prompt"] == "Once upon a time"
    assert await screen.marks() == [again.removeprefix("Once upon a time")]
    await screen.page.click(".pg-undo")
    assert await screen.text() == "Once upon a time"
    assert await screen.marks() == []


async def test_stop_keeps_the_text_and_gives_the_editor_back(screen: Any, engine_app: Any) -> None:
    await screen.set("max_tokens", "1500")
    await screen.write("Count: 1, 2, 3,")
    await screen.submit()
    await screen.grown(30)
    assert not await screen.page.is_editable("#pg-editor .pg-front")
    await screen.page.wait_for_timeout(500)
    await screen.page.keyboard.press("Escape")
    await screen.ended(seconds=3)
    await screen.notice_with("Stopped. What had arrived is kept.")
    assert await screen.page.is_editable("#pg-editor .pg-front")
    kept = engine_app.last_run()
    assert kept.status == "stopped"
    assert await screen.marks() == [kept.choices[0].text]
    await screen.page.keyboard.press("End")
    await screen.page.keyboard.type(" and")
    assert (await screen.text()).endswith(" and")
    assert await screen.marks() == [kept.choices[0].text]


async def test_three_choices_stream_side_by_side_and_one_is_kept(screen: Any, engine_app: Any) -> None:
    await screen.set("temperature", "1")
    await screen.set("max_tokens", "60")
    await screen.set("n", "3")
    await screen.set("logit_bias", '{"0": -100, "2": -100}')  # the tokens that would end a choice at once
    await screen.write("My favourite animal is")
    await screen.submit()
    together = """[...document.querySelectorAll('.pg-card-text')].filter(n => n.textContent.length > 8).length === 3
        && document.querySelector('.pg-editor.pg-busy')"""
    await screen.until(together)
    assert await screen.page.is_disabled(".pg-keep >> nth=0")
    await screen.ended(seconds=60)
    texts = await screen.page.locator(".pg-card-text").all_inner_texts()
    reasons = await screen.page.locator(".pg-finish").all_inner_texts()
    assert len(texts) == len(reasons) == 3
    assert set(reasons) <= {"finished", "maximum length"}
    assert await screen.text() == "My favourite animal is"
    await screen.page.click(".pg-keep >> nth=1")
    kept = engine_app.last_run().choices[1].text
    assert await screen.text() == "My favourite animal is" + kept
    assert await screen.marks() == [kept]
    assert not await screen.page.is_visible(".pg-card")


async def test_a_token_shows_its_alternatives_and_one_picked_continues_from_there(screen: Any, engine_app: Any) -> None:
    await screen.page.click("#pg-param-logprobs")
    await screen.run("The sky is")
    first = engine_app.last_run().choices[0]
    tokens = screen.page.locator(".pg-token")
    assert "".join(await tokens.all_text_contents()) == first.text
    assert await tokens.first.get_attribute("data-shade") in {"0", "1", "2", "3", "4"}
    await tokens.nth(1).click()
    popover = screen.page.locator(".pg-popover")
    assert await popover.locator(".pg-alt").count() >= 4
    other = popover.locator(".pg-alt:not(.pg-chosen)").first
    picked = (await other.locator("code").inner_text()).replace("␣", " ").replace("↵", "\n")
    await other.click()
    await until(
        lambda: engine_app.last_run().effective_request["prompt"] == f"The sky is{first.logprobs[0].token}{picked}"
    )
    await screen.ended()
    assert (await screen.text()).startswith(f"The sky is{first.logprobs[0].token}{picked}")
    assert "".join(await screen.marks()) == (await screen.text()).removeprefix("The sky is")


async def test_a_reload_keeps_the_text_its_marks_and_the_parameters(screen: Any) -> None:
    await screen.set("seed", "7")
    await screen.run("Roses are red,")
    text, marks = await screen.text(), await screen.marks()
    await screen.page.reload()
    await screen.ready()
    assert await screen.text() == text
    assert await screen.marks() == marks
    values = [await screen.page.input_value(f"#pg-param-{name}") for name in ("max_tokens", "temperature", "seed")]
    assert values == ["12", "0", "7"]
    assert await screen.page.is_enabled(".pg-undo")


async def test_a_typed_line_break_is_a_stop_sequence(screen: Any, engine_app: Any) -> None:
    box = screen.page.locator("#pg-param-stop")
    await box.fill("\\n")
    await box.press("Enter")
    assert await screen.page.locator(".pg-chip code").all_inner_texts() == ["\\n"]
    await screen.set("max_tokens", "60")
    await screen.run("Fruits:\n- apple")
    kept = engine_app.last_run()
    assert kept.effective_request["stop"] == ["\n"]
    assert "\n" not in kept.choices[0].text


async def test_the_longest_length_is_the_models_context(screen: Any, engine_app: Any) -> None:
    context = engine_app.deps.models[0].context_length
    assert context
    assert await screen.page.get_attribute("#pg-param-max_tokens", "max") == str(context)
    await screen.set("max_tokens", str(context + 1))
    assert "pg-invalid" in str(await screen.page.get_attribute("#pg-param-max_tokens", "class"))
    await screen.run("Too much")
    assert "max_tokens" in await screen.notice()


@pytest.mark.parametrize("name", ["temperature", "max_tokens"])
async def test_a_parameter_that_is_unset_is_not_sent(screen: Any, engine_app: Any, name: str) -> None:
    await screen.page.click(f".pg-param[data-name='{name}'] .pg-clear")
    await screen.run("Short:")
    assert name not in engine_app.last_run().effective_request
