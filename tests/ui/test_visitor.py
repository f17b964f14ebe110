"""Whose things a request sees: every handler of the page asks who it is."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any, get_type_hints

import gradio as gr
import pytest

from playground.access import Session
from playground.deps import Deps
from playground.errors import InvalidRequest
from playground.ui.app import build_app
from playground.ui.events import Visits
from playground.ui.visitor import IN_SCOPE, session, theirs


def who(account: str | None = None, role: Any = "visitor", page: str = "page") -> Any:
    known = Session(account=account, name=account, role=role, until=2**40) if account is not None else None
    scope = {} if known is None else {IN_SCOPE: known}
    return SimpleNamespace(request=SimpleNamespace(scope=scope), session_hash=page)


def test_every_handler_is_told_who_asks(deps: Deps) -> None:
    page = build_app(deps)
    without = [
        fn.name
        for fn in page.fns.values()
        if fn.fn is not None and gr.Request not in get_type_hints(inspect.unwrap(fn.fn)).values()
    ]
    # It hands the chosen model to the browser that has chosen it.
    assert without == ["<lambda>"]


def test_a_visitors_parts_are_their_own_and_the_servers_everybodys(deps: Deps) -> None:
    ana, eva = theirs(deps, who("ana")), theirs(deps, who("eva"))
    assert (ana.store.account, eva.store.account, deps.store.account) == ("ana", "eva", "")
    assert theirs(deps, who("ana")) is ana
    assert ana.underway is not eva.underway
    assert ana.models == deps.models != []
    assert ana.client.endpoints == deps.client.endpoints
    assert theirs(deps, who()) is deps
    assert theirs(deps, who("", "host")) is deps


def test_where_the_page_is_shared_nobody_is_served_whom_no_door_let_in(deps: Deps) -> None:
    object.__setattr__(deps.settings, "shared", True)
    for nobody in (None, who()):
        with pytest.raises(InvalidRequest, match="signed out"):
            theirs(deps, nobody)
    assert theirs(deps, who("ana")).store.account == "ana"


def test_what_stands_in_a_scope_from_elsewhere_is_no_session() -> None:
    forged = SimpleNamespace(request=SimpleNamespace(scope={IN_SCOPE: {"account": "", "role": "host"}}))
    assert session(forged) is None


def test_a_page_whose_hash_somebody_else_knows_is_not_theirs(deps: Deps) -> None:
    visits = Visits()
    assert visits.of(who("ana")) is visits.of(who("ana"))
    assert visits.of(who("ana")) is not visits.of(who("eva"))


def test_the_parts_of_whoever_came_longest_ago_are_forgotten(deps: Deps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.deps.REMEMBERED", 3)
    first = deps.of("0")
    for number in range(1, 9):
        deps.of(str(number))
    assert len(deps._visiting) <= 4
    assert deps.of("0") is not first
