"""What is set aside and booked never passes a cap, whoever asks, on both databases."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from playground.settings import Settings
from playground.store import Cap, Charge, Store, ledger
from playground.store.ledger import PICO

DAY = Cap(measure="dollars", amount=PICO, period="day")
MINUTE = 60 * 1_000_000


def charge(id: str, *, cost: str = "0.25", tokens: int = 100, account: str = "ana", model: str = "m") -> Charge:
    return Charge(id=id, account=account, endpoint="openai", model=model, cost=Decimal(cost), tokens=tokens)


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_795_000_000 * 1_000_000
        monkeypatch.setattr(ledger, "_now", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_exactly_the_cap_may_be_used_and_not_a_picodollar_more(store: Store) -> None:
    for number in range(4):
        assert store.ledger.reserve(charge(str(number)), [DAY]).passed is None
    assert store.ledger.reserve(charge("more", cost="0.000000000001"), [DAY]).passed == DAY
    assert store.ledger.reserve(charge("free", cost="0"), [DAY]).passed is None
    assert store.ledger.used([DAY]) == (PICO,)


def test_what_a_call_did_not_take_is_there_again(store: Store) -> None:
    store.ledger.reserve(charge("a", cost="1"), [DAY])
    assert store.ledger.reserve(charge("b", cost="0.9"), [DAY]).passed == DAY
    assert store.ledger.settle("a", cost=Decimal("0.1"), tokens=7)
    assert store.ledger.reserve(charge("b", cost="0.9"), [DAY]).used == (PICO // 10,)
    assert store.ledger.settle("b", cost=Decimal("0.9"), tokens=1)
    spent = store.ledger.spent(since=ledger.today() - timedelta(days=1))
    assert [(each.account, each.calls, each.cost, each.tokens) for each in spent] == [("ana", 2, Decimal(1), 8)]


def test_a_call_is_booked_once(store: Store) -> None:
    store.ledger.reserve(charge("a"), [])
    assert store.ledger.settle("a", cost=Decimal("0.1"), tokens=7)
    assert not store.ledger.settle("a", cost=Decimal("0.1"), tokens=7)
    assert not store.ledger.settle("nobody", cost=Decimal("0.1"), tokens=7)
    assert store.ledger.used([DAY]) == (PICO // 10,)


def test_a_cap_of_an_account_or_a_model_counts_only_theirs(store: Store) -> None:
    ana, model = Cap(measure="tokens", amount=150, period="month", account="ana"), None
    model = Cap(measure="requests", amount=2, period="day", endpoint="openai", model="m")
    assert store.ledger.reserve(charge("1"), [ana, model]).passed is None
    assert store.ledger.reserve(charge("2"), [ana, model]).passed == ana
    assert store.ledger.reserve(charge("3", account="eva"), [model]).passed is None
    assert store.ledger.reserve(charge("4", account="eva"), [model]).passed == model
    assert store.ledger.reserve(charge("5", account="eva", model="other"), []).passed is None
    assert store.ledger.used([ana, model]) == (100, 2)


def test_a_minutes_cap_slides_and_says_how_long_to_wait(store: Store, clock: Clock) -> None:
    cap = Cap(measure="requests", amount=2, period="minute", account="ana")
    store.ledger.reserve(charge("1"), [cap])
    clock.now += 20 * 1_000_000
    store.ledger.reserve(charge("2"), [cap])
    store.ledger.settle("1", cost=Decimal(0), tokens=0)  # it counts whether it has ended or not
    refused = store.ledger.reserve(charge("3"), [cap])
    assert (refused.passed, refused.wait) == (cap, 40.0)
    clock.now += 40 * 1_000_000
    assert store.ledger.reserve(charge("3"), [cap]).passed is None
    assert store.ledger.reserve(charge("4"), [cap]).wait == 20.0


def test_days_and_months_begin_at_midnight_utc_and_a_call_over_it_is_booked_where_it_began(
    store: Store, clock: Clock
) -> None:
    month = Cap(measure="dollars", amount=PICO, period="month")
    midnight = (date(2026, 12, 1) - date(1970, 1, 1)).days * 24 * 60 * MINUTE
    clock.now = midnight - 1
    store.ledger.reserve(charge("a", cost="1"), [DAY, month])
    clock.now = midnight
    # While it is under way nobody knows what it takes: it counts for the new day too.
    assert store.ledger.reserve(charge("b", cost="0.5"), [DAY]).passed == DAY
    store.ledger.settle("a", cost=Decimal(1), tokens=1)
    assert store.ledger.reserve(charge("b", cost="1"), [DAY, month]).passed is None
    store.ledger.settle("b", cost=Decimal(1), tokens=1)
    assert [each.day for each in store.ledger.spent(since=date(2026, 11, 1))] == [date(2026, 11, 30), date(2026, 12, 1)]


def test_a_clock_that_is_put_back_opens_no_day_anew(store: Store, clock: Clock) -> None:
    store.ledger.reserve(charge("a", cost="1"), [DAY])
    store.ledger.settle("a", cost=Decimal(1), tokens=1)
    clock.now -= 3 * 24 * 60 * MINUTE
    assert store.ledger.reserve(charge("b", cost="0.5"), [DAY]).passed == DAY
    # A minute's cap is not held up for days.
    cap = Cap(measure="requests", amount=1, period="minute")
    assert store.ledger.reserve(charge("c", cost="0"), [cap]).passed is None


def test_a_clock_that_jumps_forwards_books_once_and_on_the_day_of_the_call(store: Store, clock: Clock) -> None:
    began = clock.now
    store.ledger.reserve(charge("a", cost="0.75"), [DAY])
    clock.now += 40 * 24 * 60 * MINUTE
    # What is under way counts whenever it began; nothing of it is lost or booked twice.
    assert store.ledger.reserve(charge("b", cost="0.5"), [DAY]).passed == DAY
    assert store.ledger.settle("a", cost=Decimal("0.75"), tokens=1)
    assert store.ledger.reserve(charge("b", cost="0.5"), [DAY]).passed is None
    assert store.ledger.settle("b", cost=Decimal("0.5"), tokens=1)
    booked = store.ledger.spent(since=date(2000, 1, 1))
    assert [(each.calls, each.cost) for each in booked] == [(1, Decimal("0.75")), (1, Decimal("0.5"))]
    assert (booked[1].day - booked[0].day).days == 40
    # Put right again, it does not open the first day anew.
    clock.now = began
    assert store.ledger.reserve(charge("c", cost="0.26"), [DAY]).passed == DAY


def test_whom_the_host_stops_sets_nothing_aside_until_it_goes_on(store: Store) -> None:
    store.accounts.see("ana", "Ana")
    assert store.accounts.stop("ana", True)
    assert store.ledger.reserve(charge("a"), []).stopped
    assert not store.ledger.reserve(charge("b", account="eva"), []).stopped
    store.accounts.stop("ana", False)
    store.kept.change(ledger.HALTED, lambda _: "1")
    assert store.ledger.reserve(charge("c"), []).stopped
    assert store.ledger.reserve(charge("d", account="eva"), []).stopped
    store.kept.change(ledger.HALTED, lambda _: None)
    assert not store.ledger.reserve(charge("e"), []).stopped
    assert not store.accounts.stop("nobody", True)


def test_fifty_at_once_never_pass_the_cap(store: Store) -> None:
    ready = threading.Barrier(50)

    def ask(number: int) -> bool:
        ready.wait()
        return store.ledger.reserve(charge(str(number), cost="0.03"), [DAY]).passed is None

    with ThreadPoolExecutor(50) as several:
        let_in = sum(several.map(ask, range(50)))
    assert let_in == 33
    assert store.ledger.used([DAY]) == (99 * PICO // 100,)


CHILD = """
import sys
from decimal import Decimal
from pathlib import Path
from playground.settings import Settings
from playground.store import Cap, Charge, Store
from playground.store.ledger import PICO

store = Store.open(Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2] or None))
cap = Cap(measure="dollars", amount=PICO, period="day")
let_in = 0
for number in range(40):
    charge = Charge(id=f"{sys.argv[3]}-{number}", account="", endpoint="e", model="m", cost=Decimal("0.03"), tokens=1)
    let_in += store.ledger.reserve(charge, [cap]).passed is None
print(let_in, flush=True)
sys.stdin.read()  # until it is killed: nothing is settled
"""


def test_processes_share_a_cap_and_what_a_killed_one_had_set_aside_counts_as_spent(
    store: Store, kept_in: Settings
) -> None:
    given = [sys.executable, "-c", CHILD, str(kept_in.data_dir), kept_in.database_url or ""]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen([*given, str(number)], **pipes) for number in range(2)]
    let_in = [int(child.stdout.readline()) for child in children if child.stdout is not None]
    assert sum(let_in) == 33
    for child in children:
        child.kill()
        child.communicate()
    assert store.ledger.used([DAY]) == (99 * PICO // 100,)
    store.mark_interrupted()
    (spent,) = store.ledger.spent(since=ledger.today() - timedelta(days=1))
    assert (spent.calls, spent.cost) == (33, Decimal("0.99"))
    assert store.ledger.reserve(charge("more", cost="0.02"), [DAY]).passed == DAY
