"""Whether a request comes from the person at this machine: only theirs changes what is on it or looks around on it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from playground.errors import refused
from playground.settings import Settings
from playground.ui.visitor import session
from playground.ui.walls import LOCAL, bare_host

_PASSED_ON = ("forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip")
"""Headers (beside every x-forwarded-…) with which a proxy or a tunnel says that somebody else has asked."""


def is_host(settings: Settings, who: Any) -> bool:
    """Whether `who` (a gr.Request) may do what is the host's alone.

    Where the page is shared, whoever signed in as the host: a tunnel ends on this machine, so that every visitor's
    address is its own. Else a request counts that was sent from and to a loopback address, and that no proxy has passed
    on.
    """
    if settings.shared:
        found = session(who)
        return found is not None and found.role == "host"
    if who is None or who.client is None:
        return False
    names = {name.lower() for name in who.headers}
    if any(name in _PASSED_ON or name.startswith("x-forwarded-") for name in names):
        return False
    local = {bare_host(name) for name in LOCAL}
    return _is_loopback(who.client.host) and bare_host(who.headers.get("host", "")) in local


def only_host(settings: Settings, who: Any) -> None:
    """Raises InvalidRequest for anybody else."""
    if not is_host(settings, who):
        raise refused("host_only")


def _is_loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
