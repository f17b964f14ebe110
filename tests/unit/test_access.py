"""Sessions, passwords, and what is shared until when."""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playground.access import Entry, Session, TooOften, open_entry, read, share, sign
from playground.access import entry as entries
from playground.access.passwords import fits, hashed, read_users, write_user
from playground.errors import ConfigurationError, InvalidRequest
from playground.settings import Settings
from playground.store import HOST, Store

KEY = b"k" * 32
ANA = Session(account="v-1", name="Ana · 🙂", role="visitor", until=2_000)


# --- a session ---


def test_a_session_is_read_until_it_ends_and_with_its_key_alone() -> None:
    text = sign(ANA, KEY)
    assert read(text, KEY, now=1_999) == ANA
    assert read(text, KEY, now=2_000) is None
    assert read(text, b"other", now=0) is None
    longest = replace(ANA, account="v-" + "0" * 16, name="🙂" * 40)
    assert read(sign(longest, KEY), KEY, now=0) == longest


def test_no_other_text_is_a_session() -> None:
    text = sign(ANA, KEY)
    body, _, mac = text.partition(".")
    forged = sign(replace(ANA, role="host", account=""), b"mine").partition(".")[0]
    for other in (
        "",
        ".",
        "x",
        f"{forged}.{mac}",
        f"{body}.",
        f"{body}",
        text + "a",
        text[:-1],
        "á.b",
        f"{body}.{mac}" * 9,
    ):
        assert read(other, KEY, now=0) is None, other
    for at in range(0, len(text), 7):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert read(changed, KEY, now=0) in (None, ANA)  # a last letter has bits that mean nothing


# --- passwords ---


def test_a_password_fits_its_own_hash_alone() -> None:
    kept = hashed("correct horse")
    assert fits("correct horse", kept)
    assert not fits("correct horsf", kept)
    assert kept != hashed("correct horse")
    for broken in ("", "scrypt", "correct horse", kept.replace("scrypt", "plain"), kept[:-40]):
        assert not fits("correct horse", broken)


def test_users_are_added_changed_and_removed_in_a_file_of_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "users.txt"
    write_user(path, "ana", "first password")
    write_user(path, "Ñandú @ 2", "second password")
    write_user(path, "ana", "third password")
    users = read_users(path)
    assert list(users) == ["ana", "Ñandú @ 2"]
    assert fits("third password", users["ana"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_user(path, "ana", None)
    assert list(read_users(path)) == ["Ñandú @ 2"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "password"),
    [("", "long enough"), ("a:b", "long enough"), ("a\nb", "long enough"), ("x" * 41, "long enough"), ("ana", "short")],
)
def test_a_name_or_a_password_that_cannot_be_is_refused(tmp_path: Path, name: str, password: str) -> None:
    with pytest.raises(InvalidRequest):
        write_user(tmp_path / "users", name, password)
    assert not (tmp_path / "users").exists()


@pytest.mark.parametrize("line", ["ana", "ana:", "ana:secret", ":scrypt$1$1$1$aaaa$bbbb"])
def test_a_line_that_is_no_user_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "users").write_text(f"# who may come in\n\n{line}\n")
    with pytest.raises(ConfigurationError, match="Line 3"):
        read_users(tmp_path / "users")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_users(tmp_path / "none")


# --- sharing ---


def test_every_process_and_every_restart_shares_the_same_until_it_is_over(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting = replace(settings, share_hours=2.0)
    first = share(lasting, store)
    assert share(lasting, store) == first
    assert first.phrase is not None
    assert [len(word) for word in first.phrase.split("-")] == [4] * 4
    assert first.until is not None
    assert 7_100 < first.until - time.time() <= 7_200
    later = time.time() + 7_300
    monkeypatch.setattr("playground.access.sharing.time.time", lambda: later)
    second = share(lasting, store)
    assert (second.key != first.key, second.phrase != first.phrase) == (True, True)
    assert share(settings, store).until is None


def test_a_phrase_of_the_hosts_own_takes_the_place_of_one_that_is_made(store: Store, settings: Settings) -> None:
    assert share(replace(settings, password="ours"), store).phrase == "ours"
    assert share(replace(settings, open=True), store).phrase is None


# --- coming in ---


@pytest.fixture
def entry(store: Store, settings: Settings) -> Entry:
    return open_entry(replace(settings, password="open sesame", host_password="the host's"), store)


async def test_with_the_phrase_each_comes_in_as_somebody_else(entry: Entry, store: Store) -> None:
    ana = await entry.enter(" Ana ", " open sesame\n", address="1")
    other = await entry.enter("", "open sesame", address="1")
    assert ana is not None
    assert other is not None
    assert (ana.role, ana.name, other.name) == ("visitor", "Ana", "")
    assert ana.account != other.account
    assert sorted(each.name for each in store.accounts.listed()) == ["", "Ana"]


async def test_the_host_comes_in_by_a_password_of_their_own(entry: Entry, store: Store) -> None:
    host = await entry.enter("Host", "the host's", address="1")
    assert host is not None
    assert (host.role, host.account) == ("host", HOST)
    assert await entry.enter("host", "open sesame", address="1") is None
    assert store.accounts.listed() == []


async def test_a_user_has_one_account_wherever_they_sign_in(store: Store, settings: Settings, tmp_path: Path) -> None:
    write_user(tmp_path / "users", "ana", "ana's password")
    entry = open_entry(replace(settings, users=tmp_path / "users"), store)
    one = await entry.enter("ana", "ana's password", address="1")
    two = await entry.enter("ana", "ana's password", address="2")
    assert one is not None
    assert two is not None
    assert one.account == two.account
    for name, password in (("ana", "eva's password"), ("eva", "ana's password"), ("", ""), ("host", "")):
        assert await entry.enter(name, password, address="3") is None


async def test_after_ten_failures_nobody_from_there_is_looked_at_for_a_minute(
    entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        assert await entry.enter("", "guess", address="evil") is None
    with pytest.raises(TooOften) as caught:
        await entry.enter("", "open sesame", address="evil")
    assert 0 < caught.value.seconds <= 60
    assert await entry.enter("", "open sesame", address="good") is not None
    real = time.monotonic
    monkeypatch.setattr(entries.time, "monotonic", lambda: real() + 61)
    assert await entry.enter("", "open sesame", address="evil") is not None


async def test_one_users_password_is_not_guessed_from_many_addresses(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "fits", lambda *_: False)
    write_user(tmp_path / "users", "ana", "ana's password")
    entry = open_entry(replace(settings, users=tmp_path / "users"), store)
    for number in range(10):
        await entry.enter("ana", "guess", address=str(number))
    with pytest.raises(TooOften):
        await entry.enter("ana", "guess", address="11")


async def test_what_is_remembered_of_failures_has_an_end(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "REMEMBERED", 50)
    for number in range(200):
        await entry.enter(f"n{number}", "guess", address=str(number))
    assert len(entry._failures) <= 50


async def test_when_it_is_over_only_the_host_comes_in(store: Store, settings: Settings, monkeypatch: Any) -> None:
    entry = open_entry(replace(settings, password="open", host_password="the host's", share_hours=1.0), store)
    later = time.time() + 3_700
    monkeypatch.setattr(entries.time, "time", lambda: later)
    assert await entry.enter("", "open", address="1") is None
    assert await entry.enter("host", "the host's", address="1") is not None
