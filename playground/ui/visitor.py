"""Who asks: the session that the doors let a request in with, and the parts as its account sees them."""

from __future__ import annotations

from typing import Any

from playground.access import Session
from playground.deps import Deps
from playground.errors import refused
from playground.operations import REQUEST_ID
from playground.store import HOST
from playground.ui.requests import IN_SCOPE as IN_REQUEST

IN_SCOPE = "playground.session"
"""Under this name the doors put a Session into a request's ASGI scope, where nothing from outside can reach."""


def session(who: Any) -> Session | None:
    """The session of `who` (a gr.Request); None where nobody need sign in."""
    request = None if who is None else who.request
    found = None if request is None else request.scope.get(IN_SCOPE)
    return found if isinstance(found, Session) else None


def theirs(deps: Deps, who: Any) -> Deps:
    """The parts with what belongs to whoever asks. Raises InvalidRequest for a request that no door let in."""
    found = session(who)
    if who is not None and who.request is not None:
        # Gradio's queue runs handlers outside of the request that asked for them.
        REQUEST_ID.set(who.request.scope.get(IN_REQUEST, ""))
    if found is None and deps.settings.shared:
        raise refused("signed_out")
    return deps.of(HOST if found is None else found.account)
