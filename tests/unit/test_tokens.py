"""Counting tokens: incremental counts equal whole ones, whatever is typed, in every encoding, and nothing downloads."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

import pytest
import tiktoken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground import tokens
from playground.tokens import FALLBACK, Counter, TokenCount, base_model, encoding_for, load, pieces

MODELS = {
    "o200k_base": "gpt-4o",
    "cl100k_base": "gpt-4",
    "p50k_base": "text-davinci-003",
    "r50k_base": "davinci",
}
ENCODINGS = Path(str(files("playground"))) / "data" / "encodings"
PROSE = "El perro corrió por la calle, and it's 12,345 times faster — ¡vaya! 😀\n\tdef f(x):  return x\n\n"
LONG = PROSE * 80

typed = st.one_of(
    st.sampled_from(["a", " ", "  ", "\n", "ñ", "😀", "'s", "hello world", "", "<|endoftext|>", "a b c d " * 600]),
    st.text(max_size=20),
)
edits = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 3, 2500]), typed), max_size=8)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here may open a connection."""

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def whole(encoding: str, text: str) -> int:
    return len(load(encoding).encode_ordinary(text))


@pytest.mark.parametrize("encoding", MODELS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.one_of(st.just(LONG), st.text(max_size=200)), changes=edits)
def test_counts_stay_exact_through_any_edits(encoding: str, start: str, changes: list[tuple[float, int, str]]) -> None:
    counter, text = Counter(), start
    assert counter.count(text, MODELS[encoding]) == TokenCount(whole(encoding, text), encoding, exact=True)
    for place, removed, added in changes:
        at = int(place * len(text))
        text = text[:at] + added + text[at + removed :]
        assert counter.count(text, MODELS[encoding]).tokens == whole(encoding, text), (at, removed, added)


@pytest.mark.parametrize("encoding", MODELS)
@given(text=st.text(alphabet=" aZñ'\n\t1_😀.", max_size=300).map(lambda part: (part + " word word ") * 30))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_token_crosses_a_cut(encoding: str, text: str) -> None:
    cut = [piece for piece, ends in pieces(text) if ends]
    assert "".join(cut) == text
    assert sum(whole(encoding, piece) for piece in cut) == whole(encoding, text)


def test_a_text_typed_letter_by_letter_is_always_exact() -> None:
    counter, text = Counter(), ""
    for letter in PROSE * 3:
        text += letter
        assert counter.count(text, "gpt-4o").tokens == whole("o200k_base", text)


@pytest.mark.parametrize(
    "text",
    ["", "\0", "\ud800", "a\udfffb", "<|endoftext|>", "<|im_start|>", "\r\n" * 500, "日本" * 5_000, "👩‍👩‍👧‍👦" * 200],
    ids=repr,
)
@pytest.mark.parametrize("encoding", MODELS)
def test_hostile_text_is_counted_as_text(encoding: str, text: str) -> None:
    assert Counter().count(text, MODELS[encoding]) == TokenCount(whole(encoding, text), encoding, exact=True)


@pytest.mark.parametrize("text", [" " * 1_000_000, "a" * 300_000, "\n" * 300_000], ids=["spaces", "letters", "lines"])
def test_text_without_a_place_to_cut_is_an_estimate_and_no_crash(text: str) -> None:
    counted = Counter().count(text, "gpt-4o")
    assert not counted.exact
    assert 0 < counted.tokens < len(text)


def test_a_keystroke_in_a_long_text_counts_only_what_is_around_it() -> None:
    counter, text = Counter(), "some plain words in a row " * 4_000
    begun = time.process_time()
    counter.count(text, "gpt-4o")
    first, begun = time.process_time() - begun, time.process_time()
    for at in range(20):
        middle = len(text) // 2 + at
        text = text[:middle] + "x" + text[middle:]
        counter.count(text, "gpt-4o")
    assert (time.process_time() - begun) / 20 < max(first / 2, 0.005)


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-4.1-nano", "o200k_base"),
        ("gpt-5-mini", "o200k_base"),
        ("gpt-6-turbo", "o200k_base"),
        ("o3", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("gpt-3.5-turbo-instruct", "cl100k_base"),
        ("davinci-002", "cl100k_base"),
        ("babbage-002", "cl100k_base"),
        ("text-davinci-003", "p50k_base"),
        ("text-davinci-002", "p50k_base"),
        ("davinci", "r50k_base"),
        ("curie", "r50k_base"),
        ("babbage", "r50k_base"),
        ("ada", "r50k_base"),
        ("gpt-oss-20b", "o200k_base"),
        ("gpt2", "r50k_base"),
        ("gpt-neo", None),
        ("ft:gpt-4o-mini-2024-07-18:org::abc", "o200k_base"),
        ("ft:gpt-3.5-turbo-0125:org:suffix:abc", "cl100k_base"),
        ("ft:davinci-002:org::abc", "cl100k_base"),
        ("curie:ft-org-2023-01-01", "r50k_base"),
        ("davinci:ft-org:name-2022-12-12-12-12-12", "r50k_base"),
        ("llama-3.1-8b", None),
        ("smollm2-135m-instruct", None),
        ("local/gpt-4o", None),
        ("ft:nobody:org::x", None),
        ("", None),
        ("\0", None),
    ],
)
def test_the_encoding_of_a_model_and_of_its_fine_tunes(model: str, encoding: str | None) -> None:
    assert encoding_for(model) == encoding


@pytest.mark.parametrize(
    ("model", "base"),
    [("ft:gpt-4o:org:s:id", "gpt-4o"), ("curie:ft-org", "curie"), ("gpt-4o", "gpt-4o"), ("ft:", ""), ("", "")],
)
def test_the_base_of_a_fine_tune(model: str, base: str) -> None:
    assert base_model(model) == base


def test_an_unknown_model_is_an_estimate_by_the_newest_encoding() -> None:
    assert Counter().count(PROSE, "nobodys") == TokenCount(whole(FALLBACK, PROSE), FALLBACK, exact=False)


# --- the rank files ---


@pytest.mark.parametrize("encoding", MODELS)
def test_our_reading_of_the_rank_files_is_tiktokens(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(ENCODINGS))
    theirs = tiktoken.get_encoding(encoding)
    ours = load(encoding)
    assert ours._mergeable_ranks == theirs._mergeable_ranks
    assert ours._pat_str == theirs._pat_str
    assert ours.encode_ordinary(LONG) == theirs.encode_ordinary(LONG)


@pytest.mark.parametrize("content", [None, b"", b"not a rank file", b"!!!! 1", b"YQ== 0\nYg== 1\n"], ids=repr)
def test_an_own_cache_folder_that_lacks_the_file_or_has_half_of_it_costs_nothing(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tokens, "_loaded", {})
    if content is not None:
        (tmp_path / tokens._RANKS["r50k_base"].name).write_bytes(content)
    before = sorted(tmp_path.iterdir())
    assert Counter().count("hello world", "davinci") == TokenCount(2, "r50k_base", exact=True)
    assert sorted(tmp_path.iterdir()) == before


def test_an_own_cache_folder_that_has_the_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ENCODINGS / tokens._RANKS["r50k_base"].name, tmp_path)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tokens, "_loaded", {})
    assert Counter().count("hello world", "davinci").tokens == 2


# --- a server's tokenizer ---

Tokenize = Callable[[str], Awaitable[list[int] | None]]


def by_words(asked: list[str]) -> Tokenize:
    """A tokenizer of one token a word: its tokens never cross a space."""

    async def tokenize(text: str) -> list[int] | None:
        asked.append(text)
        await asyncio.sleep(0)
        return [len(word) for word in text.split()]

    return tokenize


async def test_a_servers_tokenizer_is_asked_only_for_what_changed() -> None:
    counter, asked, text = Counter(), list[str](), "word after word " * 1_000
    counted = await counter.count_with(by_words(asked), text, key="local/m", splittable=True)
    assert counted == TokenCount(3_000, "local/m", exact=True)
    asked.clear()
    text = text[:8_000] + "new " + text[8_000:]
    counted = await counter.count_with(by_words(asked), text, key="local/m", splittable=True)
    assert counted.tokens == 3_001
    assert 0 < sum(map(len, asked)) < len(text) / 3
    asked.clear()
    await counter.count_with(by_words(asked), text, key="local/m", splittable=True)
    assert asked == []


async def test_a_tokenizer_that_may_not_be_split_gets_the_whole_text() -> None:
    asked: list[str] = []
    text = "word after word " * 1_000
    counted = await Counter().count_with(by_words(asked), text, key="server/m", splittable=False)
    assert asked == [text]
    assert counted == TokenCount(3_000, "server/m", exact=True)


@pytest.mark.parametrize("splittable", [True, False])
async def test_a_server_without_a_tokenizer_leaves_an_estimate(splittable: bool) -> None:
    async def none(_: str) -> list[int] | None:
        return None

    counted = await Counter().count_with(none, LONG, key="server/m", splittable=splittable)
    assert counted == TokenCount(whole(FALLBACK, LONG), FALLBACK, exact=False)


@pytest.mark.parametrize("splittable", [True, False])
async def test_no_text_is_no_token_and_no_question(splittable: bool) -> None:
    asked: list[str] = []
    counted = await Counter().count_with(by_words(asked), "", key="server/m", splittable=splittable)
    assert (counted.tokens, asked) == (0, [])


async def test_two_models_never_share_their_chunks() -> None:
    counter, text = Counter(), "word after word " * 500

    async def twice(part: str) -> list[int] | None:
        return [0] * (2 * len(part.split()))

    await counter.count_with(by_words([]), text, key="a/m", splittable=True)
    assert (await counter.count_with(twice, text, key="b/m", splittable=True)).tokens == 3_000
