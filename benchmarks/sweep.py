"""A thousand calls at concurrency 16 against a server of one latency; and ten thousand outputs, opened and filtered."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from benchmarks.browser import FLAGS, TIMED
from benchmarks.harness import Figure, app, fake_server, free_port, median, memory_mib, process, run
from playground.deps import Deps
from playground.evaluate import report, results, sweeping
from playground.evaluate.dataset import Case, Dataset
from playground.evaluate.spec import from_json
from playground.settings import Settings
from playground.store import Matching, Output, Store
from playground.tokens import Counter
from playground.types import Endpoint

CALLS, CONCURRENCY, LATENCY = 1_000, 16, 0.25
OUTPUTS, ROUNDS = 10_000, 9
OPENED = ("large1", "large2", "large3")
WARM = 200
"""Answers before memory is looked at: imports, connections and caches are there by then."""


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Settings(data_dir=Path(folder), engine=False))
        try:
            figures = [*asyncio.run(_thousand(store)), *_ten_thousand(store)]
            for id in OPENED:
                _fill(store, id)
        finally:
            store.close()
        with fake_server() as server, app(server, Path(folder)) as (url, _pid, _seconds):
            return [*figures, *run(lambda: _on_the_page(url))]


@contextmanager
def _server() -> Iterator[str]:
    """Each answer takes LATENCY: half of it at once, the rest after a pause."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["-m", "tests.fakes.server", "--port", str(port)]
    with process(arguments, f"{url}/v1/models"):
        yield f"{url}/v1"


async def _thousand(store: Store) -> list[Figure]:
    with _server() as url:
        endpoint = Endpoint(name="server", base_url=url, kind="compatible", api_key="benchmark")
        deps = Deps(
            settings=Settings(data_dir=Path(), engine=False), endpoints=(endpoint,), store=store, counter=Counter()
        )
        spec = from_json(
            {
                "models": [f"server/fault-burst_then_pause:{LATENCY}"],
                "mode": "complete",
                "prompt": "{{q}}",
                "grid": {"temperature": [0, 0.25, 0.5, 0.75, 1]},
                "repeats": 10,
                "metrics": ["exact_match", "chrf"],
                "concurrency": CONCURRENCY,
            }
        )
        cases = tuple(Case(id=str(at), variables={"q": f"question {at}"}, expected="Hello!") for at in range(20))
        plan = sweeping.plan_of(spec, Dataset("questions", cases), deps)
        running = await sweeping.begin(plan, deps)
        warm = last = 0.0
        progress = None
        began = time.perf_counter()
        async for progress in running.run():
            last = memory_mib("self")
            if progress.done >= WARM and not warm:
                warm = last
        taken = time.perf_counter() - began
        await deps.client.aclose()
    if progress is None or progress.done != CALLS:
        raise RuntimeError(f"not all calls were answered: {progress}")
    ideal = CALLS / CONCURRENCY * LATENCY
    return [
        Figure(
            f"{CALLS:,} calls at concurrency {CONCURRENCY}, {LATENCY * 1000:.0f} ms each, against the ideal time",
            taken / ideal,
            1.15,
            False,
            "×",
            f"{taken:.1f} s, ideal {ideal:.1f} s",
        ),
        Figure("memory after them, against after 200", last / warm, 1.1, False, "×", f"{warm:.0f} → {last:.0f} MiB"),
    ]


def _ten_thousand(store: Store) -> list[Figure]:
    _fill(store)
    opened, filtered = list[float](), list[float]()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        report.report(results.load(store, "large"))
        opened.append(time.perf_counter() - began)
    for matching in (Matching(text="answer 77"), Matching(status="failed"), Matching(cells=(3, 4)), Matching(row=7)):
        for _ in range(ROUNDS):
            began = time.perf_counter()
            store.sweeps.outputs("large", matching=matching)
            filtered.append((time.perf_counter() - began) * 1000)
    return [
        Figure(f"a result of {OUTPUTS:,} outputs opened, with its report", median(opened), 1, False, "s"),
        Figure("the same filtered, the slowest of four ways", max(filtered), 200, False, "ms"),
    ]


async def _on_the_page(url: str) -> list[Figure]:
    """In Chromium: from the click on a sweep that nobody has looked at yet to its figures; each way to filter."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = await browser.new_page(locale="en-US")
        await page.goto(url)
        await page.wait_for_function("(document.querySelector('#pg-model input')?.value || '') !== ''")
        await page.click("#pg-tab-sweep-button")
        await page.wait_for_selector("[data-key='large']", state="attached")
        opened = [float(await page.evaluate(TIMED, [_click(id), _shown(id)])) / 1000 for id in ("large", *OPENED)]
        filtered = [float(await page.evaluate(TIMED, list(way))) for _ in range(3) for way in FILTERS]
        await browser.close()
    return [
        Figure("in Chromium, such a result opened: figures, heatmap, answers", median(opened[1:]), 1, False, "s"),
        Figure(
            "in Chromium, its answers filtered by status, combination, text and score, the slowest",
            max(filtered),
            200,
            False,
            "ms",
        ),
    ]


def _click(id: str) -> str:
    return f"document.querySelector('[data-key={id}]').click()"


def _shown(id: str) -> str:
    named = f"document.querySelector('.pg-sweep-now h3').textContent.includes('{id}')"
    rows = "document.querySelectorAll('.pg-sweep-outputs tbody tr').length === 50"
    squares = "document.querySelectorAll('.pg-sweep-results:not([hidden]) .pg-sweep-square').length === 25"
    return f"{named} && {squares} && {rows}"


def _chosen(place: int, value: str, event: str = "change") -> str:
    found = f"document.querySelectorAll('.pg-sweep-filters > *')[{place}]"
    return f"const box = {found}; box.value = '{value}'; box.dispatchEvent(new Event('{event}'))"


def _counted(count: str) -> str:
    where = ".pg-scroll:has(.pg-sweep-outputs) + .pg-prepare-actions .pg-quiet"
    return f"document.querySelector('{where}').textContent.endsWith('of {count}')"


#: By status, combination, text, score; and back to all of them each time.
FILTERS = (
    (_chosen(1, "failed"), _counted("104")),
    (_chosen(1, ""), _counted("10,000")),
    (_chosen(0, "3"), _counted("400")),
    (_chosen(0, ""), _counted("10,000")),
    (_chosen(2, "answer 77", "input"), _counted("48")),
    (_chosen(2, "", "input"), _counted("10,000")),
    (f"{{ {_chosen(3, 'exact_match')} }} {_chosen(4, '1', 'input')}", _counted("3,334")),
    (_chosen(4, "", "input"), _counted("10,000")),
)


def _fill(store: Store, id: str = "large") -> None:
    """25 cells, 100 cases, 4 repeats."""
    grid = [(temperature, top_p) for temperature in range(5) for top_p in range(5)]
    cells = [
        {
            "name": f"cell {at}",
            "model": "server/m",
            "preset": None,
            "parameters": {},
            "varied": {"temperature": temperature, "top_p": top_p},
        }
        for at, (temperature, top_p) in enumerate(grid)
    ]
    spec = {"models": ["server/m"], "repeats": 4, "metrics": ["exact_match", "contains"]}
    cases = [{"id": str(at), "prompt": f"case {at}", "expected": f"answer {at}"} for at in range(100)]
    store.sweeps.create(id, name=id, fingerprint="f", calls=OUTPUTS, spec=spec, cells=cells, cases=cases)
    outputs = [
        Output(
            number=number,
            cell=number % 25,
            row=number // 25 % 100,
            repeat=number // 2_500,
            status="failed" if number % 97 == 0 else "done",
            answer=f"answer {number % 211} " * 10,
            prompt_tokens=20,
            completion_tokens=30,
            cost=Decimal("0.00001"),
            latency=0.3 + number % 7 / 10,
            time_to_first_token=0.1,
            finish_reason="stop",
            scores={"exact_match": float(number % 3 == 0), "contains": float(number % 5 == 0)},
        )
        for number in range(OUTPUTS)
    ]
    store.sweeps.keep(id, outputs, spent=Decimal("0.1"), reserved=Decimal(0))
    store.sweeps.let_go(id, "done")
