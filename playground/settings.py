"""The environment and `.env`, read once into one frozen `Settings`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values

from playground.errors import ConfigurationError
from playground.memory import parse_size
from playground.types import Endpoint, EndpointKind

OPENAI_URL = "https://api.openai.com/v1"
HUB_URL = "https://huggingface.co"
DEFAULT_PRICE_AS = "gpt-5-mini"

#: What huggingface_hub takes for yes.
TRUE = ("1", "ON", "YES", "TRUE")

#: A server that a visitor asks with a key of their own is called so, before its name.
OWN = "own-"

#: What OpenAI, or the server at OPENAI_BASE_URL in its place, is called.
_FIRST = ("openai", "server")

#: Every variable the project reads; a test holds `.env.example` and the README's table to this.
VARIABLES = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "PLAYGROUND_ENDPOINTS",
    "PLAYGROUND_ENGINE",
    "PLAYGROUND_MODEL_PATH",
    "PLAYGROUND_MODEL_MEMORY",
    "PLAYGROUND_DATA_DIR",
    "DATABASE_URL",
    "PLAYGROUND_SHARED",
    "PLAYGROUND_PASSWORD",
    "PLAYGROUND_USERS",
    "PLAYGROUND_HOST_PASSWORD",
    "PLAYGROUND_SHARE_HOURS",
    "PLAYGROUND_LIMITS",
    "PLAYGROUND_OWN_KEYS",
    "PLAYGROUND_AT_ONCE",
    "PLAYGROUND_GRACE",
    "PLAYGROUND_LOG",
    "PLAYGROUND_LOG_PROMPTS",
    "PLAYGROUND_METRICS_TOKEN",
    "PLAYGROUND_ALLOWED_HOSTS",
    "PLAYGROUND_PRICE_AS",
    "PLAYGROUND_TIMEOUT",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HF_HUB_OFFLINE",
    "GRADIO_SERVER_NAME",
    "GRADIO_SERVER_PORT",
    "TIKTOKEN_CACHE_DIR",
    "TELEGRAM_API_KEY",
    "MODEL_ENGINE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the environment decides."""

    endpoints: tuple[Endpoint, ...] = ()
    """The servers named in the environment, the embedded engine apart (it joins when it is started)."""
    engine: bool = True
    """Whether the embedded engine is started: `auto` starts it when no server is named."""
    model_path: Path | None = None
    """A GGUF to serve in place of the one that comes with the install."""
    model_memory: int | None = None
    """Bytes that the engine's loaded models may take together; None is what is free, less a reserve."""
    data_dir: Path
    """Where runs and models are kept."""
    database_url: str | None = field(default=None, repr=False)
    """Another database than the SQLite file in `data_dir`."""
    shared: bool = False
    """Whether others use the page: each visitor signs in, has an account, and everything is bounded."""
    password: str | None = field(default=None, repr=False)
    """The pass-phrase of visitors, in place of one that is made."""
    users: Path | None = None
    """A file of users with their passwords, in place of a pass-phrase."""
    host_password: str | None = field(default=None, repr=False)
    """With it, and the name `host`, whoever runs the app signs in; without it, by a link that is printed at start."""
    open: bool = False
    """Whether visitors are let in without being asked for anything."""
    share_hours: float = 0.0
    """How long a share lasts; 0: until it is ended by hand."""
    limits: str | None = None
    """What may be spent, as `limits.rules` reads it."""
    own_keys: bool = True
    """Whether visitors may ask with keys of their own."""
    at_once: int = 64
    """Answers of one server at once in this process; more wait in line, and see their place."""
    grace: float = 30.0
    """Seconds that answers under way are given to end when the app is told to end (SIGTERM)."""
    log: Literal["text", "json"] = "text"
    """`json`: one JSON object a line, of every request and run."""
    log_prompts: bool = False
    """Whether the log has what was asked and answered."""
    metrics_token: str | None = field(default=None, repr=False)
    """Who asks for /metrics of a shared page sends it as a bearer token."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names the page may be reached by, besides this machine's own."""
    price_as: str = DEFAULT_PRICE_AS
    """The OpenAI model whose price a run on one's own machine is shown at."""
    timeout: float = 60.0
    """Seconds without a byte from a server before a run is given up."""
    hub_url: str = HUB_URL
    """The hub that models of the library are fetched from."""
    hub_token: str | None = field(default=None, repr=False)
    """For repositories that are private, or open only to those who have accepted their terms."""
    hub_offline: bool = False
    """Whether models are never fetched from the net."""
    telegram_key: str | None = field(default=None, repr=False)
    """The token of a Telegram bot, as @BotFather gives it."""
    model_engine: str | None = None
    """The model that answers in the Telegram bot."""
    host: str = "127.0.0.1"
    port: int = 0
    """0: the first free one from 7860 on."""


def load(env: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")) -> Settings:
    """Read `env` (the process's own by default) over `.env`. Raises ConfigurationError naming the variable."""
    values = {k: v for k, v in (dotenv_values(dotenv) if dotenv else {}).items() if v is not None}
    values.update(os.environ if env is None else env)
    if env is None and values.get("TIKTOKEN_CACHE_DIR"):
        # tiktoken itself reads only the environment: what .env says must be there.
        os.environ["TIKTOKEN_CACHE_DIR"] = values["TIKTOKEN_CACHE_DIR"]

    def get(name: str) -> str | None:
        return values.get(name, "").strip() or None

    endpoints = _endpoints(values)
    switch = get("PLAYGROUND_ENGINE") or "auto"
    if switch not in ("auto", "on", "off"):
        raise ConfigurationError(
            "PLAYGROUND_ENGINE is not auto, on or off.", hint="Correct it in .env or the environment."
        )
    own_keys = get("PLAYGROUND_OWN_KEYS") or "on"
    if own_keys not in ("on", "off"):
        raise ConfigurationError("PLAYGROUND_OWN_KEYS is not on or off.", hint="Correct it in .env or the environment.")
    model_path = get("PLAYGROUND_MODEL_PATH")
    return Settings(
        endpoints=endpoints,
        engine=switch == "on" or (switch == "auto" and not endpoints),
        model_path=Path(model_path).expanduser() if model_path else None,
        model_memory=_size("PLAYGROUND_MODEL_MEMORY", get("PLAYGROUND_MODEL_MEMORY")),
        data_dir=Path(get("PLAYGROUND_DATA_DIR") or _default_data_dir(values)).expanduser(),
        database_url=get("DATABASE_URL"),
        shared=_yes(get("PLAYGROUND_SHARED")) or bool(get("PLAYGROUND_PASSWORD") or get("PLAYGROUND_USERS")),
        password=get("PLAYGROUND_PASSWORD"),
        users=Path(users).expanduser() if (users := get("PLAYGROUND_USERS")) else None,
        host_password=get("PLAYGROUND_HOST_PASSWORD"),
        share_hours=_number("PLAYGROUND_SHARE_HOURS", get("PLAYGROUND_SHARE_HOURS"), default=0, low=0, high=8784),
        limits=get("PLAYGROUND_LIMITS"),
        own_keys=own_keys == "on",
        at_once=int(_number("PLAYGROUND_AT_ONCE", get("PLAYGROUND_AT_ONCE"), default=64, low=1, high=10_000)),
        grace=_number("PLAYGROUND_GRACE", get("PLAYGROUND_GRACE"), default=30, low=0, high=3_600),
        log=_log(get("PLAYGROUND_LOG")),
        log_prompts=_yes(get("PLAYGROUND_LOG_PROMPTS")),
        metrics_token=get("PLAYGROUND_METRICS_TOKEN"),
        allowed_hosts=tuple(h.strip().lower() for h in (get("PLAYGROUND_ALLOWED_HOSTS") or "").split(",") if h.strip()),
        price_as=get("PLAYGROUND_PRICE_AS") or DEFAULT_PRICE_AS,
        timeout=_number("PLAYGROUND_TIMEOUT", get("PLAYGROUND_TIMEOUT"), default=60.0, low=1, high=3600),
        hub_url=_url("HF_ENDPOINT", get("HF_ENDPOINT") or HUB_URL),
        hub_token=_key("HF_TOKEN", values),
        hub_offline=_yes(get("HF_HUB_OFFLINE")),
        telegram_key=_key("TELEGRAM_API_KEY", values),
        model_engine=get("MODEL_ENGINE"),
        host=get("GRADIO_SERVER_NAME") or "127.0.0.1",
        port=int(_number("GRADIO_SERVER_PORT", get("GRADIO_SERVER_PORT"), default=0, low=0, high=65535)),
    )


def key_variable(endpoint: str) -> str:
    """The variable that holds the key of the server of this name."""
    name = endpoint.removeprefix(OWN)
    return "OPENAI_API_KEY" if name in _FIRST else re.sub(r"\W", "_", name).upper() + "_API_KEY"


def _endpoints(values: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """OpenAI or the server at OPENAI_BASE_URL first, then each `name=url` of PLAYGROUND_ENDPOINTS.

    A named server's key is in `<NAME>_API_KEY`: OPENAI_API_KEY is never sent to a server that was not named with it.
    """
    found: list[Endpoint] = []
    key = _key("OPENAI_API_KEY", values)
    url = values.get("OPENAI_BASE_URL", "").strip()
    if url and urlsplit(url).hostname != urlsplit(OPENAI_URL).hostname:
        found.append(Endpoint(name="server", base_url=_url("OPENAI_BASE_URL", url), kind="compatible", api_key=key))
    elif key:
        found.append(Endpoint(name="openai", base_url=url or OPENAI_URL, kind="openai", api_key=key))
    for part in filter(None, (p.strip() for p in values.get("PLAYGROUND_ENDPOINTS", "").split(","))):
        name, _, address = part.partition("=")
        name = name.strip().lower()
        taken = name in {"local", *(e.name for e in found)} or name.startswith(OWN)
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or taken:
            raise ConfigurationError(
                "PLAYGROUND_ENDPOINTS has a name that cannot be used or is used twice.",
                hint='Write name=https://host/v1 (letters, digits, - and _; "local" is the embedded engine).',
            )
        variable = key_variable(name)
        kind: EndpointKind = "openai" if urlsplit(address).hostname == urlsplit(OPENAI_URL).hostname else "compatible"
        found.append(
            Endpoint(
                name=name,
                base_url=_url("PLAYGROUND_ENDPOINTS", address.strip()),
                kind=kind,
                api_key=_key(variable, values),
            )
        )
    return tuple(found)


def _key(variable: str, values: Mapping[str, str]) -> str | None:
    """A key as it may stand in an HTTP header. The value itself is never repeated."""
    key = values.get(variable, "").strip().strip("\"'")
    if not key:
        return None
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigurationError(
            f"{variable} holds a character that no key has (a space, a line break, a typographic quote).",
            hint="Copy the key again from the provider's page and paste it without quotes.",
        )
    return key


def _url(variable: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ConfigurationError(
            f"{variable} is not an address like http://localhost:8000/v1.", hint="Keys do not belong into the address."
        )
    return url.rstrip("/")


def _log(text: str | None) -> Literal["text", "json"]:
    if (text or "text").lower() not in ("text", "json"):
        raise ConfigurationError("PLAYGROUND_LOG is not text or json.", hint="Correct it in .env or the environment.")
    return "json" if (text or "").lower() == "json" else "text"


def _yes(text: str | None) -> bool:
    return (text or "").upper() in TRUE


def _number(variable: str, text: str | None, *, default: float, low: float, high: float) -> float:
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ConfigurationError(
            f"{variable} is not a number from {low:g} to {high:g}.", hint="Correct it in .env or the environment."
        )
    return value


def _size(variable: str, text: str | None) -> int | None:
    try:
        return parse_size(text or "auto")
    except ValueError as error:
        raise ConfigurationError(
            f"{variable} is not a size: {error}.", hint="Correct it in .env or the environment."
        ) from None


def _default_data_dir(values: Mapping[str, str]) -> str:
    """The user's data folder by the XDG rule, which also holds well on macOS and Windows."""
    base = values.get("XDG_DATA_HOME") or values.get("LOCALAPPDATA") or "~/.local/share"
    return f"{base}/playground"
