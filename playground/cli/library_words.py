"""What the command line says of models and downloads: data in, lines out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playground.library import Download, Installed, Offer


def offer_row(offer: Offer) -> str:
    facts = [
        None if offer.bytes is None else size(offer.bytes),
        None if offer.memory is None else f"{size(offer.memory)} of memory",
        None if offer.context is None else f"{offer.context:,} tokens",
        offer.licence.name + (" (to be accepted)" if offer.licence.must_accept else ""),
        " ".join(offer.languages),
        "thinks before it answers" if offer.thinks else None,
        "here already" if offer.installed else None,
    ]
    return f"{offer.id}: {offer.title}\n  " + ", ".join(filter(None, facts))


def installed_row(model: Installed) -> str:
    facts = [
        size(model.bytes),
        None if model.memory is None else f"{size(model.memory)} of memory",
        None if model.context is None else f"{model.context:,} tokens",
        model.architecture,
        model.licence,
    ]
    return f"{model.id}: {', '.join(filter(None, facts))}"


def download_line(download: Download) -> str:
    """45 % of 491 MB, 3.2 MB/s, 1 min 20 s left."""
    if download.phase == "checking":
        return "looking it up"
    parts = [amount(download)]
    if download.phase == "verifying":
        return f"checking {parts[0]}"
    if download.speed is not None:
        parts.append(f"{size(int(download.speed))}/s")
    if download.seconds_left is not None:
        parts.append(f"{duration(download.seconds_left)} left")
    return ", ".join(parts)


def step(download: Download) -> str:
    """What is new enough for a line of its own where lines cannot change: each tenth of the way."""
    if download.phase != "downloading":
        return f"{download.title}: {'looking it up' if download.phase == 'checking' else download.phase}"
    if not download.total:
        return f"{download.title}: {download.done // 100_000_000 * 100} MB"
    return f"{download.title}: {download.done * 10 // download.total * 10} % of {size(download.total)}"


def amount(download: Download) -> str:
    if not download.total:
        return size(download.done)
    return f"{download.done / download.total * 100:.0f} % of {size(download.total)}"


def size(count: int) -> str:
    from playground.library.room import size_text

    return size_text(count)


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
