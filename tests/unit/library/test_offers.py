"""The curated list: what is said of each model, and that it says so with source and date."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from playground import library
from playground.library import Offer
from playground.library.folder import ID
from playground.library.offers import MEMORY_CONTEXT, find, memory_needed, offers
from playground.library.room import size_text
from playground.library.sources import HubFile, parse
from playground.words import texts

LIST = offers()


def shown(offer: Offer) -> str:
    return offer.id


@pytest.mark.parametrize("offer", LIST, ids=shown)
def test_an_offer_can_be_fetched_and_named(offer: Offer) -> None:
    assert ID.fullmatch(offer.id)
    assert isinstance(parse(offer.source), HubFile)
    assert offer.bytes is None or 100_000_000 < offer.bytes < 5_000_000_000
    assert offer.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", offer.sha256)


@pytest.mark.parametrize("offer", LIST, ids=shown)
def test_each_fact_has_its_source_and_date(offer: Offer) -> None:
    told = " ".join(fact.what for fact in offer.facts)
    for what in ("file", "licence", "languages", "context", "kv_width"):
        assert what in told
    for fact in offer.facts:
        assert fact.source.startswith("https://")
        assert date(2026, 1, 1) < date.fromisoformat(fact.date) <= date.today()


@pytest.mark.parametrize("offer", LIST, ids=shown)
def test_a_licence_that_is_no_open_one_is_accepted_first(offer: Offer) -> None:
    assert offer.licence.must_accept == (offer.licence.name != "Apache-2.0")
    assert offer.licence.url.startswith("https://")


def test_the_list_goes_from_small_to_large_and_names_each_model_once() -> None:
    sizes = [offer.bytes for offer in LIST if offer.bytes]
    assert sizes == sorted(sizes)
    assert len({offer.id for offer in LIST}) == len({offer.source for offer in LIST}) == len(LIST)


def test_there_are_small_models_for_spanish_under_an_open_licence() -> None:
    small = [o for o in LIST if o.speaks_spanish and o.licence.name == "Apache-2.0" and (o.bytes or 0) < 700_000_000]
    assert {o.id for o in small} == {"qwen2.5-0.5b-instruct", "qwen3-0.6b"}


def test_memory_is_weights_and_context_and_what_is_computed_in() -> None:
    assert memory_needed(3_200, 10, 100, 50) == 3_200 + 2 * 10 * 100 + 400 * 50 + 100 + 32 * 2**20
    assert memory_needed(3_200, 10, 100, None) == memory_needed(3_200, 10, 100, 300_000)
    offer = find("qwen2.5-0.5b-instruct")
    assert offer is not None
    assert offer.memory_context == MEMORY_CONTEXT
    assert offer.memory == memory_needed(491_400_032, 6_144, MEMORY_CONTEXT, 151_936)


def test_an_offer_is_found_by_its_id_and_its_source_and_says_whether_it_is_here() -> None:
    assert find("qwen3-0.6b") == find("Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q8_0.gguf") is not None
    assert find("qwen") is None
    assert [o.id for o in offers(["qwen3-0.6b", "other"]) if o.installed] == ["qwen3-0.6b"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (801_000, "801 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_240_000, "3.2 MB"),
        (9_950_000, "10 MB"),
        (491_400_032, "491 MB"),
        (999_500_000, "1.00 GB"),
        (1_055_609_536, "1.06 GB"),
    ],
)
def test_sizes_are_told_in_three_digits(size: int, text: str) -> None:
    assert size_text(size) == text


def test_every_word_of_the_library_is_used_and_every_one_used_is_there() -> None:
    folder = Path(library.__file__).parent
    code = "\n".join(path.read_text() for path in [*folder.glob("*.py"), folder.parent / "engine_process.py"])
    used = set(re.findall(r'"(library_[a-z_]+)"', code))
    known = {key.split(".")[1] for key in texts("en") if key.startswith(("error.library_", "error_hint.library_"))}
    assert used == known
    assert set(texts("en")) == set(texts("es"))
