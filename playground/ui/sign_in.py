"""The form in the place of the page, for whoever has not signed in. One file of HTML without scripts."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from playground.words import Language, Said, texts

_STYLE = (files("playground.ui") / "static" / "sign_in.css").read_text(encoding="utf-8")


def form(*, language: Language, to: str, then: str, said: Said | None, by_name: bool, host_password: bool) -> str:
    """The page. It posts `username`, `password` and `next` (`then`) to `to`; `said` is what went wrong before."""
    words = {key.removeprefix("access."): text for key, text in texts(language).items() if key.startswith("access.")}
    notice = f'<p class="said" role="alert">{escape(said.text(language))}</p>' if said else ""
    name = _field("username", words["user"], "text", "username", required=True)
    secret = _field("password", words["password"], "password", "current-password", required=True)
    if not by_name:
        name = _field("username", words["name"], "text", "nickname", required=False)
        # Shown as it is typed: it stands on the board, and is easier to write so.
        secret = _field("password", words["phrase"], "text", "off", required=True)
    fields = name + secret if by_name else secret + name
    host = words["host_password" if host_password else "host"]
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{words['title']} · Playground</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>Playground</h1><h2>{words['title']}</h2>{notice}"
        f'<form method="post" action="{escape(to)}"><input type="hidden" name="next" value="{escape(then)}">{fields}'
        f"<button>{words['enter']}</button></form>"
        f'<p class="host">{escape(host)}</p></main></body></html>'
    )


def _field(name: str, label: str, kind: str, fill: str, *, required: bool) -> str:
    more = ' required autocapitalize="none" spellcheck="false"' if required else ""
    return (
        f'<label for="{name}">{escape(label)}</label>'
        f'<input id="{name}" name="{name}" type="{kind}" autocomplete="{fill}" maxlength="200"{more}>'
    )
