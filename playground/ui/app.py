"""Puts the page together: the sidebar that all tabs share, the tabs, and what happens between them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import gradio as gr
from starlette.middleware import Middleware

from playground.access import Entry
from playground.deps import Deps
from playground.errors import ConfigurationError
from playground.operations import Readiness, install_logs, watch
from playground.redact import install_log_redaction
from playground.store import HOST
from playground.types import Mode
from playground.ui import api, components, upload_places
from playground.ui.account import build_account
from playground.ui.chat import build_chat
from playground.ui.chat_files import build_chat_files
from playground.ui.compare import build_compare
from playground.ui.complete import build_complete
from playground.ui.datasets import build_datasets
from playground.ui.doors import Doors
from playground.ui.edit import build_edit
from playground.ui.evaluating import build_evaluate
from playground.ui.events import Visits
from playground.ui.example import build_example
from playground.ui.header import bind_header, build_header
from playground.ui.history import build_history
from playground.ui.jobs import build_jobs
from playground.ui.layout import RunTab, bind
from playground.ui.library import build_library
from playground.ui.neighbours import build_neighbours
from playground.ui.opening import Places
from playground.ui.prepare import build_prepare
from playground.ui.probes import Probes
from playground.ui.rating import build_rating
from playground.ui.requests import Requests
from playground.ui.results import build_results
from playground.ui.sidebar import bind_side, build_side
from playground.ui.strings import TABLES
from playground.ui.sweep import build_sweep
from playground.ui.theme import theme
from playground.ui.tokenizer import build_tokenizer
from playground.ui.tuned import build_tuned
from playground.ui.upload_bounds import UploadBounds
from playground.ui.upload_places import UploadPlaces
from playground.ui.usage import build_usage
from playground.ui.visiting import Stays, Visiting
from playground.ui.walls import Walls, hosts_for

T = gr.I18n(**TABLES)
Built = TypeVar("Built")
PORTS = range(7860, 7960)
UNREAD = (600, 3_600)
"""Every so many seconds, uploads are deleted that nobody has read for so many; all of them when the app ends."""
NO_ANALYTICS = {"GRADIO_ANALYTICS_MAX_EVENTS": "100", "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9)}
"""After each event Gradio would summarise the last ten thousand with pandas, for a page that is switched off."""
SESSIONS = 200
"""Pages whose state Gradio holds, some 200 KB each. None of ours is in it: one that is forgotten is made anew."""
RUNS_AT_ONCE = 600
"""Handlers that stream at once, in Gradio's own queue: above what `Turns` lets wait, whose line shows a place. Gradio's
40 would leave the forty-first visitor without a word until somebody else's answer has ended."""

_RUNS: dict[Mode, Callable[[], RunTab]] = {"complete": build_complete, "chat": build_chat, "edit": build_edit}
#: Each lays its tab out and returns how it is wired to the rest of the page.
_OTHERS: dict[str, Callable[[Deps], Callable[[Places], None]]] = {
    "compare": build_compare,
    "sweep": build_sweep,
    "evaluate": build_evaluate,
    "datasets": build_datasets,
    "rate": build_rating,
    "finetune": lambda deps: _together(
        build_example(deps), build_prepare(deps), build_chat_files(deps), build_jobs(deps), build_tuned(deps)
    ),
    "results": build_results,
    "history": build_history,
    "usage": build_usage,
    "tokenizer": build_tokenizer,
}


def _together(*wires: Callable[[Places], None]) -> Callable[[Places], None]:
    """Parts of one tab, one below the other, wired as one."""

    def wire(places: Places) -> None:
        for each in wires:
            each(places)

    return wire


def build_app(deps: Deps) -> gr.Blocks:
    """The whole page over `deps`. Nothing is started here."""
    visits = Visits()
    with gr.Blocks(title="Playground", fill_width=True, analytics_enabled=False, delete_cache=UNREAD) as page:
        toolbar = build_header()
        with gr.Row(elem_id="pg-body"):
            main = gr.Column(elem_id="pg-main")
            with gr.Column(elem_id="pg-side"):
                account = build_account(deps)
                model = components.model_picker()
                beneath = account, build_library(deps), build_neighbours(deps)
                side = build_side(model)
        with main:
            _tab_bar()
            tabs = {name: _shown_in(name, build) for name, build in _RUNS.items()}
            others = [_shown_in(name, partial(build, deps)) for name, build in _OTHERS.items()]
        opener = components.answer("open")
        for tab in tabs.values():
            bind(deps, visits, tab, side)
        editors = {name: tab.main for name, tab in tabs.items()}
        places = Places(editors, [side.model, side.params, side.variables], opener, visits)
        bind_side(deps, page, side, [tab.last for tab in tabs.values()], toolbar, places)
        bind_header(deps, visits, toolbar, dict(tabs.items()), places)
        for other in (*others, *beneath):
            other(places)
        api.build_api(deps)
    built: gr.Blocks = page
    return built


def _tab_bar() -> None:
    """Gradio's tabs, without contents: what stands in an unselected one Gradio does not mount, and loses updates of.

    The contents follow below, all mounted, shown by the page's mode: a run goes on and a draft is there whichever tab
    is open, and switching costs no round trip.
    """
    with gr.Tabs(elem_id="pg-tabs", overflow_behavior="wrap"):
        for name in (*_RUNS, *_OTHERS):
            with gr.Tab(T(f"tab_{name}"), id=name, elem_id=f"pg-tab-{name}") as tab:
                pass
            tab.select(None, None, None, js=f"() => playground.setMode('{name}')")


def _shown_in(name: str, build: Callable[[], Built]) -> Built:
    with gr.Column(elem_id=f"pg-panel-{name}", elem_classes="pg-panel"):
        return build()


def launch_app(
    deps: Deps, *, share: bool = False, open_browser: bool = False, entry: Entry | None = None
) -> tuple[gr.Blocks, str]:
    """Serve the page, and return it with its address. Raises ConfigurationError where it cannot be as asked.

    `entry` lets people in where the page is shared; `share` is a public link, which asks for one.
    """
    settings = deps.settings
    if (share or settings.shared) and entry is None:
        raise ValueError("A shared page needs an entry.")
    if settings.port and _is_taken(settings.host, settings.port):
        raise ConfigurationError(
            f"Port {settings.port} is in use.", hint="Choose another with --port, or leave GRADIO_SERVER_PORT unset."
        )
    install_log_redaction(lambda: deps.keys)
    install_logs(settings)
    for name, value in NO_ANALYTICS.items():
        os.environ.setdefault(name, value)
    page = build_app(deps)
    page.queue(default_concurrency_limit=None)
    layers = _outer_layers(deps, share=share)
    if entry is not None:
        visiting = Visiting(partial(_over, deps))
        layers += [
            Middleware(Doors, entry=entry, left=visiting.end),
            Middleware(Stays, visiting=visiting),
            Middleware(UploadBounds),
            Middleware(UploadPlaces),
        ]
    _, local, public = page.launch(
        server_name=settings.host,
        server_port=settings.port or _free_port(settings.host),
        share=share,
        inbrowser=open_browser,
        theme=theme(),
        css=components.style(),
        head=components.head(),
        i18n=T,
        footer_links=["api"],
        run_history=False,
        show_error=False,
        max_file_size="120mb",
        enable_monitoring=False,
        ssr_mode=False,
        max_threads=RUNS_AT_ONCE,
        state_session_capacity=SESSIONS,
        quiet=True,
        app_kwargs={"middleware": layers, "docs_url": None, "redoc_url": None, "openapi_url": None},
        prevent_thread_lock=True,
    )
    return page, public or local


def _outer_layers(deps: Deps, *, share: bool) -> list[Middleware]:
    """What a request passes before anybody asks who sent it: an id, the walls, and what machines ask for."""
    settings = deps.settings
    metrics, hosts = watch(deps), hosts_for(settings.host, settings.allowed_hosts, share=share)
    return [
        Middleware(Requests, metrics=metrics),
        Middleware(Walls, allowed_hosts=hosts),
        Middleware(Probes, readiness=Readiness(deps), metrics=metrics, settings=settings),
    ]


def _over(deps: Deps, account: str) -> None:
    """A visit is over: what was held for it alone goes."""
    if account == HOST:
        return
    deps.forget_keys_of(account)
    upload_places.forget(account)


def _free_port(host: str) -> int:
    for port in PORTS:
        if not _is_taken(host, port):
            return port
    raise ConfigurationError("Every port from 7860 to 7959 is in use.", hint="Choose another with --port.")


def _is_taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
