"""The page: header, sidebar and tabs, and the wiring between them. The only package that imports gradio."""

from __future__ import annotations

from playground.ui.app import build_app, launch_app

__all__ = ["build_app", "launch_app"]
