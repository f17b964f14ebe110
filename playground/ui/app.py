"""Puts the page together: the sidebar that all tabs share, the tabs, and what happens between them."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from playground import catalog
from playground.deps import Deps
from playground.errors import ConfigurationError
from playground.redact import install_log_redaction
from playground.ui import api, components, present
from playground.ui.complete import build_complete
from playground.ui.events import SILENT, STREAM, ActiveRuns, shown
from playground.ui.strings import TABLES
from playground.ui.theme import theme
from playground.ui.walls import Walls, hosts_for

T = gr.I18n(**TABLES)
PORTS = range(7860, 7960)

_LOGO = (
    '<h1><svg width="22" height="22" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linecap="round" aria-hidden="true"><path d="M4 7h10M4 12h16M4 17h7"/><path d="M17 15v6M14 18h6"/></svg>'
    "Playground</h1>"
)


def build_app(deps: Deps) -> gr.Blocks:
    """The whole page over `deps`. Nothing is started here."""
    active = ActiveRuns()
    with gr.Blocks(title="Playground", fill_width=True, analytics_enabled=False) as page:
        with gr.Row(elem_id="pg-header"):
            gr.HTML(_LOGO, apply_default_css=False, js_on_load=None)
        with gr.Row(elem_id="pg-body"):
            main = gr.Column(elem_id="pg-main")
            with gr.Column(elem_id="pg-side"):
                model = gr.Dropdown([], label=T("model"), allow_custom_value=True, filterable=True, elem_id="pg-model")
                params = components.parameter_panel()
        with main, gr.Tabs(), gr.Tab(T("tab_complete"), id="complete"):
            tab = build_complete(deps, active, model=model, params=params)
        _bind_models(deps, page, model, params, tab.last)
        api.build_api(deps)
    built: gr.Blocks = page
    return built


def _bind_models(deps: Deps, page: gr.Blocks, model: gr.Dropdown, params: gr.HTML, last: gr.HTML) -> None:
    # The browser remembers which model was chosen: a reload, or a new day, finds it again.
    kept = gr.BrowserState(None, storage_key="playground.model", secret="not secret")  # noqa: S106

    async def on_load(remembered: Any) -> AsyncGenerator[tuple[Any, Any]]:
        async for update in load(deps, remembered):
            yield update

    def on_model(chosen: Any) -> Any:
        return panel_for(deps, chosen)

    page.load(on_load, kept, [model, last], **STREAM)
    model.change(on_model, model, params, **SILENT)
    model.input(lambda chosen: chosen, model, kept, **SILENT)


async def load(deps: Deps, remembered: Any) -> AsyncGenerator[tuple[Any, Any]]:
    """Fill the picker; while the engine still starts, say so. `remembered` is the model chosen in this browser."""
    if deps.engine is not None and deps.engine.state.phase != "ready":
        yield gr.skip(), {"cells": [], "notice": {"tone": "info", "key": "notice_starting"}}
    try:
        models = await deps.list_models()
        yield picker(deps, remembered), {"cells": [], "notice": _listing_notice(deps, bool(models))}
    except Exception as error:
        yield gr.skip(), {"cells": [], "notice": present.failure(shown(error))}


def picker(deps: Deps, remembered: Any) -> gr.Dropdown:
    """Every model of every server by its `endpoint/model`, the engine's first."""
    refs = [model.ref for model in deps.models]
    first = catalog.default_model(deps.models)
    return gr.Dropdown(choices=refs, value=remembered if remembered in refs else first.ref if first else None)


def _listing_notice(deps: Deps, any_model: bool) -> Any:
    for error in deps.failures.values():
        return present.failure(error)
    return None if any_model else {"tone": "info", "key": "no_models"}


def panel_for(deps: Deps, chosen: Any) -> Any:
    """The parameter rows with the chosen model's ranges; the values stay."""
    try:
        info = catalog.resolve(chosen if isinstance(chosen, str) else "", deps.models, deps.client.endpoints)
    except Exception:
        return gr.skip()
    return gr.HTML(specs=components.specs(catalog.context_length(info)))


def launch_app(deps: Deps, *, share: bool = False, open_browser: bool = False) -> tuple[gr.Blocks, str]:
    """Serve the page, and return it with its address. Raises ConfigurationError where it cannot be as asked."""
    settings = deps.settings
    if share and not settings.password:
        raise ConfigurationError(
            "A public link without a password would let anybody spend your key.",
            hint="Set PLAYGROUND_PASSWORD in .env (visitors sign in as 'playground'), then start again.",
        )
    if settings.port and _is_taken(settings.host, settings.port):
        raise ConfigurationError(
            f"Port {settings.port} is in use.", hint="Choose another with --port, or leave GRADIO_SERVER_PORT unset."
        )
    install_log_redaction(deps.keys)
    page = build_app(deps)
    page.queue(default_concurrency_limit=None)
    walls = Middleware(Walls, allowed_hosts=hosts_for(settings.host, settings.allowed_hosts, share=share))
    _, local, public = page.launch(
        server_name=settings.host,
        server_port=settings.port or _free_port(settings.host),
        share=share,
        inbrowser=open_browser,
        auth=("playground", settings.password) if settings.password else None,
        theme=theme(),
        css=components.static("style.css"),
        head=components.static("head.html"),
        i18n=T,
        footer_links=["api"],
        run_history=False,
        show_error=False,
        max_file_size="16mb",
        enable_monitoring=False,
        ssr_mode=False,
        quiet=True,
        app_kwargs={"middleware": [walls], "docs_url": None, "redoc_url": None, "openapi_url": None},
        prevent_thread_lock=True,
    )
    return page, public or local


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
