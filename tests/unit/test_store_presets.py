"""Presets as they are kept, on real files."""

from __future__ import annotations

from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.settings import Settings
from playground.store import PresetRow, Store, presets

CONTENT = {"name": "Mar", "mode": "complete", "text": "¿Qué es el mar?", "params": {"stop": ["\n"], "temperature": 0.7}}


def names(store: Store) -> list[str]:
    return [preset.name for preset in store.presets()]


def test_a_preset_comes_back_as_it_was_also_after_opening_again(settings: Settings) -> None:
    store = Store.open(settings)
    store.save_preset("p", "Mar", CONTENT)
    store.close()
    store = Store.open(settings)
    assert store.preset("p") == PresetRow("p", "Mar", CONTENT)
    assert store.presets() == [PresetRow("p", "Mar", CONTENT)]
    store.close()


def test_an_unknown_id_gives_none_and_changes_nothing(store: Store) -> None:
    assert store.preset("nobody") is None
    assert not store.rename_preset("nobody", "Mar")
    assert not store.delete_preset("nobody")
    assert store.presets() == []


def test_presets_come_by_name_whatever_its_case(store: Store) -> None:
    for name in ("banana", "Apple", "cherry", "Banana split"):
        store.save_preset(name, name, {})
    assert names(store) == ["Apple", "banana", "Banana split", "cherry"]


def test_saving_again_changes_the_preset_of_that_id(store: Store) -> None:
    store.save_preset("p", "Mar", CONTENT)
    store.save_preset("p", "Mar", {"text": "otro"})
    store.save_preset("p", "Cielo", {"text": "azul"})
    assert store.presets() == [PresetRow("p", "Cielo", {"text": "azul"})]


def test_a_name_that_another_has_is_refused_and_both_stay_as_they_were(store: Store) -> None:
    store.save_preset("p", "Mar", CONTENT)
    store.save_preset("q", "Cielo", {})
    acts: list[Any] = [
        lambda: store.save_preset("q", "Mar", {"text": "otro"}),
        lambda: store.save_preset("new", "Mar", {}),
        lambda: store.rename_preset("q", "Mar"),
    ]
    for act in acts:
        with pytest.raises(InvalidRequest, match="'Mar' is already here") as caught:
            act()
        assert caught.value.param == "name"
        assert caught.value.hint
    assert store.presets() == [PresetRow("q", "Cielo", {}), PresetRow("p", "Mar", CONTENT)]


def test_a_renamed_preset_has_its_new_name_in_its_content_too(store: Store) -> None:
    store.save_preset("p", "Mar", CONTENT)
    assert store.rename_preset("p", "Océano")
    assert store.preset("p") == PresetRow("p", "Océano", {**CONTENT, "name": "Océano"})
    assert store.rename_preset("p", "Océano"), "its own name is no other's"


def test_a_deleted_presets_name_is_free_again(store: Store) -> None:
    store.save_preset("p", "Mar", CONTENT)
    assert store.delete_preset("p")
    store.save_preset("q", "Mar", {})
    assert names(store) == ["Mar"]


def test_several_presets_are_kept_or_none_of_them(store: Store) -> None:
    store.save_preset("p", "Mar", CONTENT)
    with pytest.raises(InvalidRequest, match="Mar"):
        store.save_presets([("a", "Uno", {}), ("b", "Mar", {})])
    assert names(store) == ["Mar"]
    store.save_presets([("a", "Uno", {}), ("b", "Dos", {})])
    assert names(store) == ["Dos", "Mar", "Uno"]


def test_there_are_at_most_a_thousand_and_those_can_still_be_changed(store: Store) -> None:
    store.save_presets([(f"p-{number}", f"Preset {number:04}", {}) for number in range(presets.MOST)])
    with pytest.raises(InvalidRequest, match="1,000 presets already"):
        store.save_preset("one more", "One more", {})
    store.save_preset("p-0", "Changed", {})
    assert store.delete_preset("p-1")
    store.save_preset("one more", "One more", {})
    assert len(store.presets()) == presets.MOST == 1_000


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "🌊" * 50, "'; DROP TABLE presets; --", "%(name)s", ":name"])
def test_no_content_is_too_odd_to_keep(store: Store, text: str) -> None:
    store.save_preset("p", "Mar", {"text": text, text: [text]})
    assert store.preset("p") == PresetRow("p", "Mar", {"text": text, text: [text]})


@pytest.mark.parametrize("name", ["'; DROP TABLE presets; --", "🌊" * 60, 'say "hi"', "\u202e", "%"])
def test_a_name_of_any_letters_is_kept(store: Store, name: str) -> None:
    store.save_preset("p", name, {})
    assert names(store) == [name]
