"""What the library tells of itself: plain data, for the page, the command line and programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from playground.errors import PlaygroundError

Phase = Literal["checking", "downloading", "paused", "verifying", "done", "failed", "cancelled"]
PHASES: tuple[Phase, ...] = get_args(Phase)
ENDED: tuple[Phase, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """`must_accept`: it is shown and accepted before a download; the others are shown."""

    name: str
    url: str
    must_accept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Where something that is said of a model was read, and when (YYYY-MM-DD)."""

    what: str
    source: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model of the curated list. What is not known is None. `bytes` is the file, `memory` what it needs when it is
    loaded with `memory_context` tokens, `context` the most tokens it was made for, `languages` codes such as `es`."""

    id: str
    title: str
    source: str
    bytes: int | None
    sha256: str | None
    licence: Licence
    languages: tuple[str, ...]
    context: int | None
    memory: int | None
    memory_context: int | None
    thinks: bool
    facts: tuple[Fact, ...]
    installed: bool = False

    @property
    def speaks_spanish(self) -> bool:
        return "es" in self.languages


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A whole model in the folder. `source` is how it came, `date` when (ISO 8601, UTC); both None where a person has
    put the file there. `memory` as an offer's; what the header does not say is None."""

    id: str
    title: str
    path: Path
    bytes: int
    source: str | None
    sha256: str | None
    licence: str | None
    licence_url: str | None
    languages: tuple[str, ...]
    architecture: str | None
    context: int | None
    memory: int | None
    memory_context: int | None
    chat_template: bool
    date: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One download at a moment. `total`, `speed` (bytes a second) and `seconds_left` are None while they are not known.

    `resumable`: a paused or failed one that `resume` goes on with from `done`, or from the beginning where its source
    has no middle.
    """

    id: str
    title: str
    source: str
    phase: Phase
    done: int = 0
    total: int | None = None
    speed: float | None = None
    seconds_left: float | None = None
    resumable: bool = False
    error: PlaygroundError | None = None

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    @property
    def active(self) -> bool:
        """Whether something happens without anybody asking."""
        return self.phase in ("checking", "downloading", "verifying")
