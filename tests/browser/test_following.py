"""A job followed on the page, whatever happens meanwhile: lost connections, reloads, other jobs, a pause, a cancel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_asyncio

from playground.types import Endpoint
from tests.browser.conftest import _running, _settings
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer

ENDED = ".pg-jobs-detail [data-status=succeeded]"
#: All that the page has said of a lost connection, which is gone before anybody could look.
RECORD = """() => {
  window.waits = [];
  new MutationObserver(() => {
    window.waits.push(...[...document.querySelectorAll('.pg-job-wait')].map((node) => node.textContent));
  }).observe(document.querySelector('#pg-jobs'), {subtree: true, childList: true, characterData: true});
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    opened = await visits(fake_app, model="server/fake")
    await opened.tab("finetune")
    await opened.page.locator(".pg-jobs-list button").first.wait_for()
    return opened


@pytest.fixture
def held(fake: FakeServer) -> Iterator[FakeServer]:
    """The server, whose jobs move by a test's hand until it lets them go."""
    fake.training.hold = True
    yield fake
    fake.training.hold = False
    fake.training.tells_pace, fake.training.pausable = False, True


def running(server: FakeServer, base: str = "tiny", *, steps: int = 3) -> str:
    """The id of a new job that has made so many steps."""
    name = server.training.begin(base)
    for _ in range(2 + steps):
        server.training.advance(name)
    return name


async def follow(screen: Any, name: str) -> None:
    await screen.page.click("text=Reload the list")
    await screen.page.locator(f".pg-job[data-key='server/{name}']").click()
    await screen.page.locator(".pg-job-events li").first.wait_for()


async def events(screen: Any) -> list[str]:
    """Those on the page, the oldest first."""
    return list(await screen.page.locator(".pg-job-events li span").all_inner_texts())[::-1]


def happened(server: FakeServer, name: str) -> list[str]:
    return [each["message"] for each in server.training.events[name]]


async def test_a_dropped_connection_is_said_with_a_countdown_and_no_event_is_lost_or_told_twice(
    screen: Any, held: FakeServer
) -> None:
    name = running(held)
    await follow(screen, name)
    await screen.page.evaluate(RECORD)
    held.enqueue("drop_headers", "drop_headers", "503")
    for _ in range(2):
        held.training.advance(name)
    await screen.until("window.waits.some((text) => text.includes('Connection lost. The job goes on'))")
    await screen.until("window.waits.some((text) => /Next try in \\d+ s|Trying again/.test(text))")
    assert await screen.page.locator(".pg-job-wait[role=status]").count() == 1
    held.training.hold = False
    await screen.page.locator(ENDED).wait_for(timeout=60_000)
    await screen.until("!document.querySelector('.pg-job-wait').textContent")
    await screen.until(f"document.querySelectorAll('.pg-job-events li').length === {len(happened(held, name))}")
    assert await events(screen) == happened(held, name)


async def test_a_reload_in_the_middle_goes_on_following_the_same_job(
    screen: Any, held: FakeServer, visits: Any
) -> None:
    name = running(held)
    await follow(screen, name)
    await screen.page.reload()
    await screen.ready()
    visits.left_midway()
    await screen.page.locator(".pg-jobs-detail", has_text=name).wait_for()
    held.training.advance(name)
    held.training.hold = False
    await screen.page.locator(ENDED).wait_for(timeout=60_000)
    await screen.until(f"document.querySelectorAll('.pg-job-events li').length === {len(happened(held, name))}")
    assert await events(screen) == happened(held, name)


async def test_a_job_that_is_gone_after_a_reload_is_said_and_not_asked_for_again(
    screen: Any, held: FakeServer, visits: Any
) -> None:
    name = running(held)
    await follow(screen, name)
    gone = held.training.jobs.pop(name)
    try:
        await screen.page.reload()
        await screen.ready()
        visits.left_midway()
        await screen.page.locator(".pg-jobs .pg-notice", has_text=f"no fine-tuning job {name}").wait_for()
        assert await screen.page.locator(".pg-jobs-detail section").count() == 0
        assert await screen.page.evaluate("localStorage['playground.job']") == "null"
    finally:
        held.training.jobs[name] = gone


async def test_two_jobs_in_one_visit_are_each_shown_with_their_own_events(screen: Any, held: FakeServer) -> None:
    first, second = running(held, "first"), running(held, "second", steps=1)
    await follow(screen, first)
    await follow(screen, second)
    held.training.advance(first)
    held.training.advance(second)
    await screen.until(f"document.querySelectorAll('.pg-job-events li').length === {len(happened(held, second))}")
    assert await events(screen) == happened(held, second)
    assert "second" in await screen.page.inner_text(".pg-jobs-detail h3")
    await screen.page.locator(f".pg-job[data-key='server/{first}']").click()
    await screen.until(f"document.querySelectorAll('.pg-job-events li').length === {len(happened(held, first))}")
    assert await events(screen) == happened(held, first)
    assert await screen.page.locator(".pg-job[aria-pressed=true]").count() == 1


async def test_a_job_is_cancelled_while_it_is_followed_and_keeps_what_was_told(screen: Any, held: FakeServer) -> None:
    name = running(held)
    await follow(screen, name)
    await screen.page.click("text=Cancel the job")
    await screen.page.locator(".pg-jobs-detail [data-status=cancelled]").wait_for()
    await screen.until("document.querySelector('.pg-job-events').textContent.includes('The job was cancelled')")
    assert await events(screen) == happened(held, name)
    assert await screen.page.locator(".pg-jobs-detail >> text=Pause").count() == 0
    assert await screen.page.locator(f".pg-job[data-key='server/{name}'] [data-status=cancelled]").count() == 1


async def test_a_job_rests_and_goes_on_and_the_keyboard_stays_where_it_is(screen: Any, held: FakeServer) -> None:
    name = running(held)
    await follow(screen, name)
    await screen.page.get_by_role("button", name="Pause").focus()
    await screen.page.keyboard.press("Enter")
    await screen.page.locator(".pg-jobs-detail [data-status=paused]").wait_for()
    assert await screen.page.evaluate("document.activeElement.closest('.pg-jobs-detail') !== null")
    await screen.page.get_by_role("button", name="Resume").click()
    await screen.page.locator(".pg-jobs-detail [data-status=running]").wait_for()
    held.training.hold = False
    await screen.page.locator(ENDED).wait_for(timeout=60_000)


async def test_a_server_that_cannot_pause_says_so_and_is_not_asked_again(screen: Any, held: FakeServer) -> None:
    held.training.pausable = False
    await follow(screen, running(held))
    await screen.page.get_by_role("button", name="Pause").click()
    await screen.page.locator(".pg-jobs .pg-notice", has_text="no way to pause a job").wait_for()
    assert await screen.page.get_by_role("button", name="Pause").count() == 0
    assert await screen.page.locator(".pg-jobs-detail [data-status=running]").count() == 1


async def test_speed_memory_steps_and_base_against_tuned_are_shown_beside_the_curves(
    screen: Any, held: FakeServer
) -> None:
    held.training.tells_pace = True
    name = running(held, steps=3)
    await follow(screen, name)
    said = await screen.page.inner_text(".pg-job-pace")
    assert said.startswith("Step 3 of 6 · 45 tok/s · 900 MB · 360 tokens trained")
    assert (
        await screen.page.locator(".pg-jobs-detail progress[aria-label='Progress of the job']").evaluate(
            "bar => bar.value"
        )
        == 0.5
    )
    titles = await screen.page.locator(".pg-job-curves figcaption").all_inner_texts()
    assert [text.split("\n")[0] for text in titles] == ["Loss", "Token accuracy"]
    assert "train_loss 0.5" in titles[0]
    assert "valid_loss 0.7667" in titles[0]
    rows = screen.page.locator(".pg-job-scores tbody tr")
    assert await rows.all_inner_texts() == [
        "Loss\t2.5\t0.7667",
        "Token accuracy\t0.25\t0.6667",
        "Exact match\t0\t–",
    ]
    held.training.hold = False
    await screen.page.locator(ENDED).wait_for(timeout=60_000)
    await screen.page.locator(".pg-job-scores", has_text="0.86").wait_for()
    assert "tok/s" not in await screen.page.inner_text(".pg-job-pace")
    assert "720 tokens trained" in await screen.page.inner_text(".pg-job-pace")


@pytest.fixture(scope="module")
def two_apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The app over two servers that train, of whose lists a page holds two jobs."""
    with FakeServer() as one, FakeServer() as other:
        for server in (one, other):
            server.training.page_size = 2
        for at in range(5):
            name = (one if at % 2 else other).training.run(f"model-{at}")
            (one if at % 2 else other).training.jobs[name]["created_at"] += at
        other.training.run("model-last")
        ends = (Endpoint(name="one", kind="compatible", base_url=one.url, api_key=CANARY),)
        ends += (Endpoint(name="other", kind="compatible", base_url=other.url, api_key=CANARY),)
        for app in _running(_settings(tmp_path_factory, endpoints=ends)):
            yield app, other


async def test_the_list_goes_on_page_by_page_over_all_servers_newest_first(visits: Any, two_apps: Any) -> None:
    app, other = two_apps
    screen = await visits(app)
    await screen.tab("finetune")
    rows = screen.page.locator(".pg-job strong")
    await rows.nth(3).wait_for()
    more = screen.page.locator(".pg-jobs-list >> text=Show more")
    # A page that fails is said, and can be asked for again: the other server's jobs are there all the same.
    other.pace = "500"
    await more.click()
    await screen.page.locator(".pg-jobs-list", has_text="The server 'other' failed").wait_for()
    other.pace = "ok"
    await more.click()
    await rows.nth(5).wait_for()
    await more.wait_for(state="detached")
    names = [text.split(":")[1] for text in await rows.all_inner_texts()]
    assert names[:4] == ["model-4", "model-3", "model-2", "model-1"]
    assert sorted(names[4:]) == ["model-0", "model-last"]
    assert await screen.page.locator(".pg-jobs-list", has_text="failed").count() == 0
