"""What a bot knows after a restart, and its day's budget."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from playground.bots import state as states
from playground.bots.budget import PICO, Amount, Budget, parse, picodollars
from playground.bots.state import State, Turn
from playground.bots.updates import Incoming
from playground.errors import InvalidRequest, StoreError


def incoming(number: int, chat: int = 7) -> Incoming:
    return Incoming(update_id=number, chat=chat, text=f"text {number}", language="es")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telegram" / "1.sqlite"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    made = State(path)
    yield made
    made.close()


def test_an_update_is_taken_once(state: State) -> None:
    assert state.take([incoming(5), incoming(6)], 7) == [incoming(5), incoming(6)]
    assert state.take([incoming(6), incoming(7)], 8) == [incoming(7)]
    assert state.offset() == 8
    assert state.waiting() == [incoming(5), incoming(6), incoming(7)]


def test_an_offset_is_forgotten_before_telegram_numbers_anew(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    state.take([incoming(5)], 6)
    now = time.time()
    monkeypatch.setattr(states.time, "time", lambda: now + states.FRESH + 1)
    assert state.offset() is None
    assert state.take([incoming(5)], 6) == []


def test_what_is_done_keeps_its_number_and_none_of_its_words(state: State, path: Path) -> None:
    state.take([incoming(5)], 6)
    state.answered(5, ["the answer"])
    state.done(5)
    assert (state.waiting(), state.unfinished()) == ([], [])
    assert state.take([incoming(5)], 6) == []
    words = b"".join(bytes(str(tuple(row)), "utf-8") for row in state._all("SELECT * FROM inbox"))
    assert b"text 5" not in words
    assert b"the answer" not in words


def test_a_restart_finds_what_was_asked_and_what_was_being_sent(state: State, path: Path) -> None:
    state.take([incoming(1), incoming(2), incoming(3)], 4)
    state.asking(incoming(1), "2030-01-01", Amount(tokens=5))
    state.answered(2, ["a", "b"])
    state.sending(2, 1)
    state.close()
    again = State(path)
    try:
        assert [(cut.incoming.update_id, cut.parts, cut.sent, cut.flying) for cut in again.unfinished()] == [
            (1, (), 0, False),
            (2, ("a", "b"), 1, True),
        ]
        assert again.waiting() == [incoming(3)]
    finally:
        again.close()
        state.__init__(path)  # type: ignore[misc]


def test_what_is_reserved_counts_until_it_is_settled_and_after_a_kill_for_good(state: State) -> None:
    state.take([incoming(1)], 2)
    number = state.asking(incoming(1), "2030-01-01", Amount(tokens=100, picodollars=7))
    assert state.spent(day="2030-01-01") == (Amount(tokens=100, picodollars=7), 0)
    state.settled(incoming(1), ["x"], number=number, actual=Amount(tokens=30, picodollars=2), turn=Turn("q", "a", 2))
    assert state.spent(day="2030-01-01", chat=7) == (Amount(tokens=30, picodollars=2), 1)
    assert state.spent(chat=8) == (Amount(), 0)
    assert state.spent(day="2030-01-02") == (Amount(), 0)
    assert state.turns(7) == [Turn("q", "a", 2)]


def test_two_processes_cannot_answer_for_one_bot(state: State, path: Path) -> None:
    with pytest.raises(StoreError, match="already answering"):
        State(path)


def test_the_file_is_for_this_account_alone(state: State, path: Path) -> None:
    state.take([incoming(1)], 2)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def test_a_file_that_is_no_database_is_said_to_be_unusable(tmp_path: Path) -> None:
    (tmp_path / "1.sqlite").write_text("not a database at all, but a text of some length")
    with pytest.raises(StoreError, match=r"could not be used: DatabaseError"):
        State(tmp_path / "1.sqlite")


@pytest.mark.parametrize(
    ("given", "budget"),
    [
        ([], Budget()),
        (["0.50"], Budget(dollars=Decimal("0.50"))),
        (["$2"], Budget(dollars=Decimal(2))),
        (["20000 tokens", "1.5 USD"], Budget(tokens=20_000, dollars=Decimal("1.5"))),
        (["20,000t"], Budget(tokens=20_000)),
    ],
)
def test_a_budget_is_read_in_dollars_and_in_tokens(given: list[str], budget: Budget) -> None:
    assert parse(given) == budget


@pytest.mark.parametrize("text", ["", "-1", "nan", "1e9", "ten", "1.5 tokens", "٣", "0", "0 tokens", "0.00", "1\n2"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse([text])


def test_exactly_the_limit_may_be_spent_and_no_token_or_picodollar_more() -> None:
    budget = Budget(tokens=10, dollars=Decimal("0.000001"))
    most = PICO // 1_000_000
    assert budget.holds(Amount(tokens=4), Amount(tokens=6, picodollars=most))
    assert not budget.holds(Amount(tokens=5), Amount(tokens=6))
    assert not budget.holds(Amount(picodollars=1), Amount(picodollars=most))
    assert picodollars(Decimal("0.0000000000001")) == 1
