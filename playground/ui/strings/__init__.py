"""Every word of the page, in English and Spanish. Labels of Gradio's own components go through `gr.I18n`; the project's
components get both tables and choose by the browser's language, as Gradio does.
"""

from __future__ import annotations

from playground.ui.strings.en import EN
from playground.ui.strings.es import ES

TABLES: dict[str, dict[str, str]] = {"en": EN, "es": ES}

__all__ = ["EN", "ES", "TABLES"]
