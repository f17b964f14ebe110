"""What a model thinks stands apart from what it answers: the real llama.cpp over models that say a script by heart."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from playground.engine.generation import Piece, Token
from playground.engine.thinking import Phase, Split, opened
from playground.engine.weights import find
from tests.fakes import thinking_gguf
from tests.fakes.thinking_gguf import ITSELF, LEAVES, OPENED, OPENS, PLAIN

PATH = "/v1/chat/completions"
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "2+2"}], "max_tokens": 40, "temperature": 0}


@pytest.fixture(scope="module")
def thinker(start: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """`engine, ask = thinker(OPENED, OPENS)`: an engine over that script, and how a chat of it is asked."""
    folder, running = tmp_path_factory.mktemp("thinking"), dict[tuple[str, ...], Any]()

    def go(script: tuple[str, ...], template: str) -> tuple[Any, Callable[..., Any]]:
        if script not in running:
            path = thinking_gguf.write(folder / "m.gguf", script, template=template, tokenizer_of=find(None).path)
            running[script] = start("--model", str(path.rename(folder / f"m{len(running)}.gguf")))
        engine, name = running[script], f"m{list(running).index(script)}"
        return engine, lambda **more: engine.good(PATH, {**ASKED, "model": name, **more})

    return go


def message(answer: dict[str, Any], index: int = 0) -> tuple[str | None, str]:
    said = answer["choices"][index]["message"]
    return said.get("reasoning_content"), said["content"]


def spent(answer: dict[str, Any]) -> tuple[int, int]:
    """Completion tokens, and the thinking's among them."""
    usage = answer["usage"]
    return usage["completion_tokens"], usage["completion_tokens_details"]["reasoning_tokens"]


def test_thinking_that_the_template_opens_is_apart_and_counted(thinker: Any, valid: Any) -> None:
    _, ask = thinker(OPENED, OPENS)
    answer = ask()
    assert message(answer) == ("Two plus two", "Four.")
    assert spent(answer) == (10, 6)
    valid("CreateChatCompletionResponse", answer)


def test_thinking_that_the_model_opens_itself_is_apart_too(thinker: Any) -> None:
    _, ask = thinker(ITSELF, LEAVES)
    answer = ask()
    assert message(answer) == (".Let me see", "Four")
    assert spent(answer) == (13, 10)


@pytest.mark.parametrize(("script", "template"), [(OPENED, OPENS), (ITSELF, LEAVES)], ids=["opened", "itself"])
def test_a_stream_says_the_same_as_the_whole_answer_and_no_tag(thinker: Any, script: Any, template: str) -> None:
    engine, ask = thinker(script, template)
    whole = ask(n=2)
    body = {**ASKED, "model": whole["model"], "n": 2, "stream_options": {"include_usage": True}}
    *chunks, last = engine.stream(PATH, **body)
    for index in (0, 1):
        mine = [each["choices"][0]["delta"] for each in chunks if each["choices"][0]["index"] == index]
        thought = "".join(delta.get("reasoning_content", "") for delta in mine)
        text = "".join(delta.get("content", "") for delta in mine)
        assert (thought, text) == message(whole, index)
        kinds = ["thought" if "reasoning_content" in delta else "text" for delta in mine[1:] if delta]
        assert kinds == sorted(kinds, reverse=True)  # all that is thought comes first
    assert spent(last) == spent(whole)


@pytest.mark.parametrize(
    ("most", "thought", "text", "tokens"),
    [
        (1, "Two", "", 1),
        (3, "Two plus two", "", 3),
        (4, "Two plus two", "", 4),  # within the closing tag
        (5, "Two plus two", "", 5),
        (6, "Two plus two", "", 6),
        (7, "Two plus two", "", 6),  # between the two
        (8, "Two plus two", "Four", 6),
    ],
)
def test_an_answer_that_is_cut_anywhere_keeps_what_was_thought(
    thinker: Any, most: int, thought: str, text: str, tokens: int
) -> None:
    _, ask = thinker(OPENED, OPENS)
    answer = ask(max_tokens=most)
    assert (message(answer), spent(answer)) == ((thought, text), (most, tokens))
    assert answer["choices"][0]["finish_reason"] == "length"


def test_an_opening_tag_that_is_cut_is_no_answer(thinker: Any) -> None:
    _, ask = thinker(ITSELF, LEAVES)
    answer = ask(max_tokens=3)
    assert (message(answer), spent(answer)) == ((None, ""), (3, 3))


def test_a_stop_sequence_ends_the_thinking_as_it_ends_an_answer(thinker: Any) -> None:
    _, ask = thinker(OPENED, OPENS)
    answer = ask(stop=["two"])
    assert (message(answer), answer["choices"][0]["finish_reason"]) == (("Two plus", ""), "stop")
    assert message(ask(stop=["."])) == ("Two plus two", "Four")


def test_probabilities_are_those_of_the_answer_alone(thinker: Any) -> None:
    _, ask = thinker(OPENED, OPENS)
    answer = ask(logprobs=True, top_logprobs=1, n=2)
    for choice in answer["choices"]:
        assert [token["token"] for token in choice["logprobs"]["content"]] == ["Four", "."]


@pytest.mark.parametrize(("script", "template"), [(OPENED, OPENS), (ITSELF, LEAVES)], ids=["opened", "itself"])
@pytest.mark.parametrize("without", [{"reasoning_effort": "none"}, {"response_format": {"type": "json_object"}}])
def test_without_effort_and_in_json_the_model_answers_at_once(
    thinker: Any, script: Any, template: str, without: dict[str, Any]
) -> None:
    _, ask = thinker(script, template)
    answer = ask(**without)
    thought, text = message(answer)
    assert thought is None
    assert spent(answer)[1] == 0
    assert text.startswith("{" if "response_format" in without else "Four")


def test_an_answer_that_is_continued_thinks_no_more(thinker: Any) -> None:
    _, ask = thinker(OPENED, OPENS)
    answer = ask(messages=[*ASKED["messages"], {"role": "assistant", "content": "Four"}])
    assert message(answer) == (None, ".")


def test_what_was_thought_before_is_not_read_again(thinker: Any) -> None:
    _, ask = thinker(OPENED, OPENS)
    turns = [{"role": "assistant", "content": "4", "reasoning_content": "a long thought"}, *ASKED["messages"]]
    with_thought = ask(messages=[*ASKED["messages"], *turns])["usage"]["prompt_tokens"]
    plain = ask(messages=[*ASKED["messages"], {**turns[0], "reasoning_content": None}, turns[1]])
    assert with_thought == plain["usage"]["prompt_tokens"]


def test_a_model_that_knows_no_thinking_may_write_of_the_tag(engine: Any, thinker: Any) -> None:
    _, ask = thinker(PLAIN, LEAVES)
    assert message(ask()) == (None, "Four <think> two")
    assert "completion_tokens_details" not in engine.chat("Hi")["usage"]


# --- the splitting alone: cut at every place ---


def split(text: str, cuts: list[int], phase: Phase = "before", finish: Any = "stop") -> tuple[str, str, str, int]:
    """Thought, text, the answer's tokens and the thinking's number of `text`, cut into pieces; each is one token."""
    edges = [0, *sorted(cuts), len(text)]
    parts = [text[low:high] for low, high in itertools.pairwise(edges)]
    made, thought, said, tokens = Split(phase), "", "", b""
    for at, part in enumerate(parts, start=1):
        given = (Token(part.encode(), -0.1, ()),)
        piece = Piece(0, part, given, finish if at == len(parts) else None, so_far=at)
        came = made.take(piece)
        thought, said, tokens = thought + came.thought, said + came.text, tokens + b"".join(t.raw for t in came.tokens)
    return thought, said, tokens.decode(), made.reasoning_tokens


TEXT = "\n<think>\n¿Dos? <b> </thin ok\n\n</think>\n\nCuatro </think> fin"


@pytest.mark.parametrize("seed", range(200))
def test_wherever_the_pieces_are_cut_the_same_comes_out(seed: int) -> None:
    draw = random.Random(seed)
    cuts = draw.sample(range(1, len(TEXT)), draw.randint(0, len(TEXT) - 1))
    thought, text, tokens, count = split(TEXT, cuts)
    assert (thought, text) == ("¿Dos? <b> </thin ok", "Cuatro </think> fin")
    assert tokens.endswith(text)  # a token across the border belongs to the answer, and comes whole
    assert count >= 1


@pytest.mark.parametrize(
    ("text", "phase", "finish", "thought", "said"),
    [
        ("Hello <think>x</think>", "before", "stop", "", "Hello <think>x</think>"),
        ("  indented", "before", "stop", "", "  indented"),
        ("<thinking>", "before", "stop", "", "<thinking>"),
        ("<", "before", "stop", "", "<"),
        ("<th", "before", "length", "", ""),
        ("", "before", "length", "", ""),
        ("<think></think>hi", "before", "stop", "", "hi"),
        ("<think>\n\n</think>\n\nhi", "before", "stop", "", "hi"),
        ("a < b and c</", "thinking", "length", "a < b and c", ""),
        ("a < b and c</", "thinking", "stop", "a < b and c</", ""),
        (" a \n\n", "thinking", "stop", "a", ""),
        ("<think>x</think>", "answer", "stop", "", "<think>x</think>"),
    ],
)
def test_what_stands_where_no_tag_belongs_stays(text: str, phase: Phase, finish: Any, thought: str, said: str) -> None:
    for cuts in ([], list(range(1, len(text)))):
        assert split(text, cuts, phase, finish)[:2] == (thought, said)


@pytest.mark.parametrize(
    ("prompt", "last", "phase"),
    [
        ("…assistant\n<think>\n", {"role": "user", "content": "hi"}, "thinking"),
        ("…assistant\n", {"role": "user", "content": "what is <think>"}, "before"),
        ("…assistant\n<think>\n\n</think>\n\n", {"role": "user", "content": "hi"}, "before"),
        ("…", {"role": "assistant", "content": "<think>half a"}, "thinking"),
        ("…", {"role": "assistant", "content": "<think>all</think>half an"}, "answer"),
        ("…", {"role": "assistant", "content": "half an"}, "answer"),
    ],
)
def test_where_an_answer_begins(prompt: str, last: dict[str, Any], phase: Phase) -> None:
    assert opened(prompt, [last]) == phase
