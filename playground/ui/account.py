"""On a shared page, who one is there: what may be used, how much of it is, and until when; a visitor's own keys; the
host's list of visitors.

Shown by static/account.js. Where the page is not shared, nothing of it is laid out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anyio.to_thread
import gradio as gr

from playground import pricing
from playground.access import Session
from playground.deps import Deps
from playground.errors import refused
from playground.limits.meter import said_amount, whose_of
from playground.settings import OWN
from playground.store import HOST, AccountRow, Cap, Spent
from playground.store.ledger import HALTED, today
from playground.ui import components, sidebar
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.events import ASKED, is_id
from playground.ui.opening import Places
from playground.ui.visitor import session, theirs
from playground.words import Language, Said

_MARKUP = '<details class="pg-account"><summary></summary><div class="pg-account-body"></div></details>'
MOST = 200
"""Visitors in the host's list: who came last first."""


def build_account(deps: Deps) -> Callable[[Places], None]:
    """Lay the part out; returns how it is wired to the rest of the page."""
    if not deps.settings.shared:
        return lambda places: None
    view = components.component("account.js", _MARKUP, None, elem_id="pg-account")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), value, who)

        view.input(on_ask, view, [view, *places.all], **ASKED)

    return wire


async def act(deps: Deps, value: Any, who: Any) -> tuple[Any, ...]:
    """Do what is asked; its value and the page's updates. Never raises."""
    return await answered(_ACTIONS, value, deps, session(who))


def _state(deps: Deps, known: Session | None, asked: Asked) -> Answer:
    return _about(deps, known, language(asked))


def _about(deps: Deps, known: Session | None, reader: Language) -> dict[str, Any]:
    if known is None:
        raise refused("signed_out")
    said: dict[str, Any] = {"role": known.role, "name": known.name, "limits": _limits(deps, known.account, reader)}
    if deps.settings.share_hours:
        said["until"] = datetime.fromtimestamp(known.until, UTC).isoformat()
    if known.role == "host":
        said |= {"visitors": _visitors(deps), "halted": deps.store.kept.get(HALTED) is not None}
    else:
        said |= {"bounds": dict(deps.limits.bounds), "keys": _keys(deps)}
    return said


def _keys(deps: Deps) -> list[dict[str, Any]]:
    """The servers that a visitor may bring a key for, and under what name each is asked with one."""
    return [{"server": name, "own": OWN + name if OWN + name in deps.own else ""} for name in deps.offered_keys]


async def _bring(deps: Deps, known: Session | None, asked: Asked) -> Answer:
    await deps.bring_key(asked.get("server"), asked.get("key"))
    return await _with_models(deps, known, asked)


async def _forget(deps: Deps, known: Session | None, asked: Asked) -> Answer:
    deps.forget_keys(f"{OWN}{asked.get('server')}")
    return await _with_models(deps, known, asked)


async def _with_models(deps: Deps, known: Session | None, asked: Asked) -> Answer:
    """The state, and the picker with the models that are known now."""
    return await anyio.to_thread.run_sync(_about, deps, known, language(asked)), sidebar.relisted(deps)


def _limits(deps: Deps, account: str, reader: Language) -> list[dict[str, Any]]:
    """A visitor's own limits; of the host's view those of all together. Those of models are said when they are met."""
    whose = "all" if account == HOST else "visitor"
    caps = [cap for cap in deps.limits.of(account, "", "") if whose_of(cap) == whose]
    used = deps.store.ledger.used(caps)
    return [_limit(cap, each, reader) for cap, each in zip(caps, used, strict=True)]


def _limit(cap: Cap, used: int, reader: Language) -> dict[str, Any]:
    figures = {"used": said_amount(cap, used) if cap.measure == "dollars" else used, "amount": said_amount(cap)}
    text = Said(f"limit.row_{whose_of(cap)}_{cap.period}", figures).text(reader)
    return {"text": text, "share": min(1.0, used / cap.amount)}


def _visitors(deps: Deps) -> list[dict[str, Any]]:
    spent = deps.store.ledger.spent(since=today())
    rows = deps.store.accounts.listed()[:MOST]
    return [_visitor(row, [each for each in spent if each.account == row.id]) for row in rows]


def _visitor(row: AccountRow, spent: list[Spent]) -> dict[str, Any]:
    cost = pricing.format_money(sum((each.cost for each in spent), Decimal(0)))
    calls, tokens = sum(each.calls for each in spent), sum(each.tokens for each in spent)
    return {"id": row.id, "name": row.name, "calls": calls, "tokens": tokens, "cost": cost, "stopped": row.stopped}


def _let(deps: Deps, known: Session | None, asked: Asked) -> Answer:
    """Stop a visitor, or all where none is named, or let them go on."""
    if known is None or known.role != "host":
        raise refused("host_only")
    stopped, who = asked.get("stopped") is True, asked.get("who")
    if who is None:
        deps.store.kept.change(HALTED, lambda _: "1" if stopped else None)
    elif not is_id(who) or not deps.store.accounts.stop(who, stopped):
        raise refused("no_visitor", param="who")
    return _state(deps, known, asked)


_ACTIONS: dict[str, Callable[..., Any]] = {"state": _state, "let": _let, "bring": _bring, "forget": _forget}
