"""How the app starts: what its command line says, who is let in, and what its host is told."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import datetime

from playground.access import Entry, host_link, open_entry
from playground.deps import Deps
from playground.errors import ConfigurationError
from playground.limits import SHARED
from playground.settings import Settings

LINK_HOURS = 72.0
"""How long a public link lasts, unless it is said: as long as Gradio keeps one up."""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A playground for language models, in the browser.")
    parser.add_argument("--host", help="address to listen on (GRADIO_SERVER_NAME)")
    parser.add_argument("--port", type=int, help="port to listen on (GRADIO_SERVER_PORT)")
    parser.add_argument("--share", action="store_true", help="a public link; visitors sign in with a pass-phrase")
    parser.add_argument("--hours", type=float, help=f"how long it is shared (a public link: {LINK_HOURS:.0f})")
    parser.add_argument("--open", action="store_true", help="share it without asking visitors for anything")
    parser.add_argument("--open-browser", action="store_true", help="open the page in a browser")
    return parser


def chosen(found: Settings, args: argparse.Namespace) -> Settings:
    """The settings with what the command line says. Raises ConfigurationError."""
    if args.hours is not None and not 0 < args.hours <= 8784:
        raise ConfigurationError("--hours is a number above 0 and at most 8784.", hint="A day has 24.")
    hours = args.hours or found.share_hours or (LINK_HOURS if args.share else 0.0)
    return replace(
        found,
        host=args.host or found.host,
        port=found.port if args.port is None else args.port,
        shared=found.shared or args.share or args.open,
        open=args.open,
        share_hours=hours,
    )


def entry(deps: Deps) -> Entry | None:
    """What lets people in, where the page is shared. Raises PlaygroundError."""
    if not deps.settings.shared:
        return None
    return open_entry(deps.settings, deps.store)


def told(deps: Deps, entry: Entry | None, address: str, own: str, *, link: bool = False) -> list[str]:
    """What is said in the terminal, line by line; `own` is the page's address on this machine, `link`: whether a public
    one was asked for."""
    shared = [] if entry is None else _of_sharing(deps, entry, own)
    if link and address == own:
        shared.insert(
            0, "There is no public link: Gradio's tunnel could not be opened. Only this machine has the page."
        )
    return [f"Playground is at {address} (Ctrl+C ends it)\n", *(f"  {line}\n" for line in shared)]


def _of_sharing(deps: Deps, entry: Entry, own: str) -> list[str]:
    sharing = entry.sharing
    lines = []
    if entry.open:
        lines.append("Open: whoever has the address comes in, without being asked for anything.")
    elif entry.users:
        lines.append(f"Visitors sign in with their names and passwords: {len(entry.users)} users.")
    elif deps.settings.password:
        lines.append("Visitors sign in with PLAYGROUND_PASSWORD.")
    else:
        lines.append(f"Visitors sign in with this pass-phrase: {sharing.phrase}")
    if sharing.until is not None:
        lines.append(f"Shared until {datetime.fromtimestamp(sharing.until).astimezone():%Y-%m-%d %H:%M %Z}.")
    if entry.has_host_password:
        lines.append("You sign in with the name host and PLAYGROUND_HOST_PASSWORD.")
    else:
        lines.append(f"For you alone, as the host: {host_link(own, entry)}")
    lines.append(f"Limits: {deps.settings.limits or SHARED}")
    return lines
