"""A sweep sent as a batch from the page: foreseen, followed, left to its server and gone on with, cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.browser.test_sweep import CASES, NOW, Sweeper

ENGINE = "local/smollm2-135m-instruct"


@pytest.fixture
def batches(fake: Any) -> Iterator[Any]:
    """The fake server's, as it has none at first."""
    yield fake.batches
    fake.batches.on = fake.batches.hold = False


async def opened(visits: Any, app: Any, model: str, **changes: Any) -> Sweeper:
    if app.deps.store.datasets.named("words") is None:
        app.deps.store.datasets.save("words", "words", CASES)
    screen = await visits(app, model=model, **changes)
    await screen.tab("sweep")
    return Sweeper(screen)


@pytest_asyncio.fixture(loop_scope="session")
async def sweeper(visits: Any, fake_app: Any) -> Sweeper:
    return await opened(visits, fake_app, "server/fake")


async def tick(sweeper: Sweeper) -> None:
    await sweeper.field("batch").locator("input").check()
    await sweeper.page.locator("#pg-sweep .pg-sweep-estimate", has_text="within a day").wait_for()


async def test_a_server_without_batches_is_said_at_the_box(sweeper: Sweeper, fake_app: Any) -> None:
    await sweeper.form(name="No batches")
    await tick(sweeper)
    await sweeper.page.click("#pg-sweep .pg-sweep-go")
    said = sweeper.field("batch").locator(".pg-wrong")
    await said.wait_for()
    assert "batch" in (await said.inner_text()).casefold()
    assert all(row.name != "No batches" for row in fake_app.deps.store.sweeps.listed())


async def test_a_batch_is_left_to_its_server_and_gone_on_with(sweeper: Sweeper, fake_app: Any, batches: Any) -> None:
    batches.on = batches.hold = True
    await sweeper.form(name="By the file")
    await tick(sweeper)
    await sweeper.run()
    await sweeper.page.locator(NOW, has_text="batches: 1").wait_for()
    await sweeper.press("Leave it to the server")
    await sweeper.state("paused")
    assert "go on at their server" in await sweeper.page.inner_text(NOW)
    batches.hold = False
    await sweeper.press("Go on")
    await sweeper.figures()
    [newest] = fake_app.deps.store.sweeps.listed(limit=1)
    assert (newest.name, newest.state, newest.done) == ("By the file", "done", 16)
    assert set(batches.paid.values()) == {1}


async def test_a_batch_is_cancelled(sweeper: Sweeper, fake_app: Any, batches: Any) -> None:
    batches.on = batches.hold = True
    await sweeper.form(name="Cancelled")
    await tick(sweeper)
    await sweeper.run()
    await sweeper.page.locator(NOW, has_text="batches: 1").wait_for()
    batches.hold = False
    await sweeper.press("Cancel the batch")
    await sweeper.state("stopped")
    [newest] = fake_app.deps.store.sweeps.listed(limit=1)
    assert (newest.name, newest.state) == ("Cancelled", "stopped")


async def test_the_engine_here_takes_a_batch(visits: Any, engine_app: Any) -> None:
    sweeper = await opened(visits, engine_app, ENGINE)
    await sweeper.form(model=ENGINE, name="Here", repeats=1)
    await sweeper.add("parameters", "max_tokens", "8")
    await tick(sweeper)
    await sweeper.run()
    await sweeper.page.locator(f"{NOW} [data-status='succeeded']").wait_for(timeout=90_000)
    assert "8 of 8 answered" in await sweeper.page.inner_text(NOW)
    assert "have no latency: 8" in await sweeper.page.inner_text("#pg-sweep .pg-sweep-results")


async def test_a_page_that_is_closed_and_an_app_that_ends_leave_the_batch_to_its_server(
    visits: Any, fake_app: Any, batches: Any
) -> None:
    batches.on = batches.hold = True
    batches.paid.clear()
    first = await opened(visits, fake_app, "server/fake")
    await first.form(name="Overnight")
    await tick(first)
    await first.run()
    await first.page.locator(NOW, has_text="batches: 1").wait_for()
    await first.page.close()
    await fake_app.deps.underway.close()  # what the app does when it ends
    batches.hold = False
    second = await opened(visits, fake_app, "server/fake")
    await second.page.locator("#pg-sweep .pg-sweep-past > summary").click()
    await second.page.locator("#pg-sweep .pg-job", has_text="Overnight").click()
    await second.state("paused")
    await second.press("Go on")
    await second.figures()
    assert "16 of 16 answered" in await second.page.inner_text(NOW)
    assert set(batches.paid.values()) == {1}


async def test_lines_that_failed_are_sent_again(sweeper: Sweeper, batches: Any) -> None:
    batches.on = True
    batches.paid.clear()
    batches.line("3", 500)
    batches.line("5", 400)
    await sweeper.form(name="Some fail")
    await tick(sweeper)
    await sweeper.run()
    await sweeper.figures()
    said = await sweeper.page.inner_text(NOW)
    assert "15 of 16 answered" in said
    assert "1 failed" in said
    assert batches.paid["3"] == 1
