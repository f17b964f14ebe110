"""What is found at an address. Plain data; everything in it was checked, for any program may answer anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["ollama", "lmstudio", "llamacpp", "vllm"]

NAMES: Mapping[Kind, str] = {"ollama": "Ollama", "lmstudio": "LM Studio", "llamacpp": "llama.cpp", "vllm": "vLLM"}
"""What each is called by its makers: in every language the same."""

HERE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Address:
    """A port of this machine, and who usually answers there."""

    usual: Kind
    port: int

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"


USUAL = (Address("ollama", 11434), Address("lmstudio", 1234), Address("llamacpp", 8080), Address("vllm", 8000))


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourModel:
    """What a server says of one model: context in tokens, size in bytes; None and "" where it does not say.

    `writes` is False for a model that is no language model (one that makes embeddings).
    """

    id: str
    context: int | None = None
    size: int | None = None
    parameters: str = ""
    quantisation: str = ""
    loaded: bool | None = None
    writes: bool = True

    def meta(self) -> dict[str, Any]:
        """What is known, by the names that the engine's own list of models has."""
        said = {
            "context_length": self.context,
            "size_bytes": self.size,
            "parameters": self.parameters or None,
            "quantization": self.quantisation or None,
            "loaded": self.loaded,
        }
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A server that answered. `url` is its base URL as an SDK wants it; `locked` where it asks for a key."""

    kind: Kind
    url: str
    version: str = ""
    models: tuple[NeighbourModel, ...] = ()
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Who answered, and the ports at which some other program did."""

    neighbours: tuple[Neighbour, ...] = ()
    others: tuple[int, ...] = ()


def place(url: str) -> tuple[str, int]:
    """Host and port of a URL, all names of this machine as one. Raises ValueError for what is no URL."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return ("127.0.0.1" if host in HERE or host.startswith("127.") else host, port)
