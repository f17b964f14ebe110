"""Gradio's own components in the project's visual language: system typeface, hairlines, one accent."""

from __future__ import annotations

import gradio as gr


def theme() -> gr.themes.Base:
    font = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"]
    mono = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.emerald,
        neutral_hue=gr.themes.colors.zinc,
        radius_size=gr.themes.sizes.radius_md,
        font=font,
        font_mono=mono,
    ).set(
        body_background_fill="#fafafa",
        body_background_fill_dark="#0f0f11",
        block_background_fill="#ffffff",
        block_background_fill_dark="#18181b",
        block_border_color="#e4e4e7",
        block_border_color_dark="#2e2e33",
        block_shadow="none",
        block_label_text_size="13px",
        input_background_fill="#ffffff",
        input_background_fill_dark="#18181b",
        input_border_color="#e4e4e7",
        input_border_color_dark="#2e2e33",
        input_shadow="none",
        color_accent="#10a37f",
    )
