"""The rules of OpenAI's own tool: the same records as it wrote, what rules say, what refusing one leaves out."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import InvalidRequest
from playground.finetune.findings import Finding
from playground.finetune.prepare import OutputFile, Prepared, Preview, analyse, apply, output, split_places, write
from playground.finetune.rules import RULES
from playground.finetune.tables import read, read_file
from playground.words import texts

DATA = Path(__file__).parents[1] / "data"
CASES: list[dict[str, Any]] = json.loads((DATA / "prepare_data.json").read_text(encoding="utf-8"))
Pairs = list[list[str]]


def jsonl(*pairs: tuple[str, str], **more: str) -> bytes:
    return "\n".join(json.dumps({"prompt": p, "completion": c, **more}) for p, c in pairs).encode()


def prepared(*pairs: tuple[str, str], refused: frozenset[str] = frozenset()) -> Prepared:
    return apply(analyse(read(jsonl(*pairs), "a.jsonl")), refused)


def records(file: OutputFile) -> Pairs:
    lines = file.data.decode().split("\n")
    assert lines.pop() == ""
    return [[record["prompt"], record["completion"]] for record in map(json.loads, lines)]


def pairs(made: Prepared) -> list[tuple[str, str]]:
    return list(zip(made.table.prompts, made.table.completions, strict=True))


def found(findings: tuple[Finding, ...], key: str) -> Finding:
    return next(finding for finding in findings if finding.key == key)


def keys(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.key for finding in findings]


def varied(count: int, prompt: str = "", completion: str = "") -> list[tuple[str, str]]:
    """Pairs that share no beginning and no ending."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [f"{letters[n % 26]}{n}{letters[(n * 7 + 1) % 26]}" for n in range(count)]
    return [(prompt + text, completion + text[::-1]) for text in texts]


@pytest.mark.parametrize("case", [case for case in CASES if "outputs" in case], ids=lambda case: case["name"])
def test_the_records_are_those_of_the_original(case: dict[str, Any]) -> None:
    analysis = analyse(read(base64.b64decode(case["data"]), case["name"]))
    if not any(case["outputs"].values()) and analysis.error:
        assert analysis.error.key == "all_empty"  # the original writes an empty file
        return
    made = apply(analysis)
    if case["outputs"]:
        assert {file.name: records(file) for file in output(made)} == case["outputs"]
    else:
        assert not made.changed


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=lambda case: case["name"])
def test_what_the_original_refuses_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        apply(analyse(read(base64.b64decode(case["data"]), case["name"])))
    assert caught.value.hint


def test_a_real_file_gives_the_records_of_the_original() -> None:
    """qa_es.csv: GitHub platzi/curso-openai-api, MIT. The digest is of what openai 0.28.1 wrote."""
    made = apply(analyse(read_file(DATA / "qa_es.csv")))
    (file,) = output(made)
    digest = hashlib.sha256("\n".join(map(json.dumps, records(file))).encode()).hexdigest()
    assert digest == "31d89deaac0af5a8ab420c76de13ea806c77e4c17757a54c2a42964eb9381a5d"
    assert (file.name, made.separator, made.ending) == ("qa_es_prepared.jsonl", " ->", " END")
    assert (found(made.findings, "empty").count, found(made.findings, "duplicates").count) == (5, 7)


def test_refusing_everything_changes_only_what_is_necessary() -> None:
    data = b"Prompt,COMPLETION,id\nAAA,BBB,1\nAAA,BBB,2\nCCC,,3\nDDD,EEE,4\n"
    made = apply(analyse(read(data, "a.csv")), frozenset(rule.id for rule in RULES) | {"split"})
    assert pairs(made) == [("AAA", "BBB"), ("AAA", "BBB"), ("DDD", "EEE")]
    assert (made.separator, made.ending, made.split) == ("", "", False)


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("duplicates", 4, ("hello ->", " world\n")),
        ("separator", 3, ("hello", " world\n")),
        ("ending", 3, ("hello ->", " world")),
        ("space", 3, ("hello ->", "world\n")),
    ],
)
def test_a_rule_that_is_refused_alone_is_not_applied(rule: str, before: int, after: tuple[str, str]) -> None:
    made = prepared(("hello", "world"), ("hello", "world"), ("b", "c"), ("d", "e"), refused=frozenset({rule}))
    assert len(made.table) == before
    assert pairs(made)[0] == after


def test_words_for_missing_values_are_empty_unless_that_is_refused() -> None:
    analysis = analyse(read(b"prompt,completion\na,None\nb,yes\nc,no\n", "a.csv"))
    finding = found(analysis.findings, "missing_words")
    assert (finding.severity, finding.count, finding.rows, finding.words["words"]) == ("recommended", 1, (2,), "None")
    assert len(apply(analysis).table) == 2
    assert apply(analysis, {"missing_words"}).table.completions[0] == " None\n"
    assert len(apply(analyse(analysis.source, {"missing_words"})).table) == 2
    assert analyse(read(jsonl(("a", "None")), "a.jsonl")).table.completions == ["None"]


@pytest.mark.parametrize(
    ("prompts", "separator"),
    [
        (["a", "b"], " ->"),
        (["a -> b", "c"], "\n\n###\n\n"),
        (["a\nb", "c"], "\n\n###\n\n"),
        (["a\n\n###\n\nb", "c"], "\n\n===\n\n"),
        (["\n\n###\n\n\n\n===\n\n\n\n---\n\n\n\n===>\n\n -", "\n\n--->\n\n."], "\n\n### =>\n\n"),
        (["a?", "b?"], "?"),
    ],
)
def test_the_separator_is_the_first_that_no_prompt_holds(prompts: list[str], separator: str) -> None:
    made = prepared(*((prompt, f"{n}x{n}") for n, prompt in enumerate(prompts)))
    assert made.separator == separator
    assert all(prompt.endswith(separator) for prompt in made.table.prompts)


@pytest.mark.parametrize(
    ("texts", "ending"),
    [
        (["a", "b"], "\n"),
        (["a\nb", "c"], "."),
        (["a\n.", "b END***+++&&&$$$@@@%%%c"], " [END]"),
        (["a.", "b."], "."),
    ],
)
def test_the_ending_is_the_first_that_no_completion_holds(texts: list[str], ending: str) -> None:
    made = prepared(*((f"{n}y{n}", text) for n, text in enumerate(texts)))
    assert made.ending == ending


@pytest.mark.parametrize(("length", "removed"), [(12, False), (13, True)])
def test_a_prompts_common_beginning_is_removed_from_13_characters_on(length: int, removed: bool) -> None:
    made = prepared(*varied(8, prompt="=" * length))
    assert made.table.prompts[0].startswith("=") is not removed


@pytest.mark.parametrize(("prefix", "starts"), [("same", " same"), ("same:", " a"), (" same:", " a")])
def test_a_completions_common_beginning_is_removed_from_5_characters_on(prefix: str, starts: str) -> None:
    made = prepared(*((f"{n}q{n}", f"{prefix}{letter}") for n, letter in enumerate("abcdefgh")))
    assert made.table.completions[0].startswith(starts)


@pytest.mark.parametrize(("extra", "kept"), [(0, 4), (1, 3)])
def test_pairs_of_more_than_10_000_characters_are_left_out(extra: int, kept: int) -> None:
    assert len(prepared(*varied(3), ("p" * 5_000, "c" * (5_000 + extra))).table) == kept


def test_long_pairs_after_duplicates_are_the_ones_left_out() -> None:
    """The original takes positions for labels here: it drops others, or crashes."""
    made = prepared(("a", "1"), ("a", "1"), ("b", "2"), ("c", "x" * 20_000), ("d", "3"), ("e", ""))
    assert [prompt[0] for prompt in made.table.prompts] == ["a", "b", "d"]


@pytest.mark.parametrize(("text", "lowered"), [("ABccc", True), ("ABcccc", False), ("ÑÁñññ", True), ("12!", False)])
def test_capitals_are_too_many_when_twice_they_outnumber_small_letters(text: str, lowered: bool) -> None:
    made = prepared((text, "x1y"), (text + "2", "y1x"))
    assert made.table.prompts[0].startswith(text.lower()) is (lowered or text == text.lower())


@pytest.mark.parametrize(("distinct", "kind"), [(3, "classification"), (4, "conditional")])
def test_it_is_classification_when_completions_are_fewer_than_a_third(distinct: int, kind: str) -> None:
    made = prepared(*((f"{n}p{n}", f"{n % distinct}label{n % distinct}") for n in range(12)))
    assert (made.kind, made.split) == (kind, kind == "classification")
    assert [file.name for file in output(made)] == (
        ["a_prepared_train.jsonl", "a_prepared_valid.jsonl"] if made.split else ["a_prepared.jsonl"]
    )


def test_refusing_the_split_gives_one_file() -> None:
    made = prepared(*((f"{n}p{n}", str(n % 2)) for n in range(12)), refused=frozenset({"split"}))
    assert [file.name for file in output(made)] == ["a_prepared.jsonl"]


@pytest.mark.parametrize(("count", "train"), [(1, 0), (4, 3), (10, 8), (4_999, 3_999), (5_000, 4_000), (9_999, 8_999)])
def test_the_split_holds_out_a_fifth_and_at_most_1_000(count: int, train: int) -> None:
    first, rest = split_places(count)
    assert (len(first), sorted(first + rest)) == (train, list(range(count)))


def test_previews_show_a_pair_as_it_was_and_as_it_will_be() -> None:
    made = apply(analyse(read(b"Prompt,Completion\n,\n\none,1x\ntwo,2y\n", "a.csv")))
    assert made.previews[0] == Preview(4, ("one", "1x"), ("one ->", " 1x\n"))


def test_preparing_what_is_prepared_changes_nothing() -> None:
    made = prepared(*varied(200))
    (file,) = output(made)
    again = apply(analyse(read(file.data, "a.jsonl")))
    assert not again.changed
    assert output(again)[0].data == file.data


@pytest.mark.parametrize(
    ("data", "key", "word"),
    [
        (b"question,answer\na,b\n", "no_column", "question"),
        (b"prompt,answer\na,b\n", "no_column", "completion"),
        (b"prompt,completion\na,\nb,\n", "all_empty", "completion"),
        (b"prompt,completion\na,b\na,c\n", "identical_prompts", "identical"),
        (b"prompt,completion\na,b\nc,b\n", "identical_completions", "identical"),
    ],
)
def test_what_cannot_be_trained_on_is_an_error_with_a_hint(data: bytes, key: str, word: str) -> None:
    analysis = analyse(read(data, "a.csv"))
    assert analysis.error is analysis.findings[-1]
    assert analysis.error.key == key
    with pytest.raises(InvalidRequest, match=word) as caught:
        apply(analysis)
    assert caught.value.hint == texts("en")[f"finding_hint.{key}"]


def test_no_pair_left_is_said() -> None:
    with pytest.raises(InvalidRequest, match="No pair is left"):
        prepared(("a", "x" * 10_001), ("b", "y" * 10_001))


def test_separators_that_are_long_or_repeated_are_warned_of() -> None:
    made = prepared(("a, please answer now", "1x"), ("b, please answer now, please answer now", "y2"))
    assert [key for key in keys(made.findings) if key.startswith("separator")] == [
        "separator_kept",
        "separator_long",
        "separator_repeated",
    ]


def test_messages_quote_little_and_stay_on_one_line() -> None:
    long = "secret\n" * 2_000
    analysis = analyse(read(jsonl((long + "a", long + "b"), (long + "b", long + "a"), (long, "")), "a.jsonl"))
    for finding in analysis.findings:
        assert len(finding.message) < 250
        assert "\n" not in finding.message
        assert all(len(example) <= 60 for example in finding.examples)


def test_every_finding_has_an_english_text() -> None:
    seen = set()
    for case in CASES:
        if "outputs" in case:
            analysis = analyse(read(base64.b64decode(case["data"]), case["name"]))
            findings = analysis.findings if analysis.error else apply(analysis).findings
            assert all(finding.message for finding in findings)
            seen |= set(keys(findings))
    assert {f"finding.{key}" for key in seen} <= set(texts("en"))
    assert len(seen) > 20


def test_a_files_folder_does_not_reach_the_outputs_name() -> None:
    data = jsonl(("a", "b1"), ("c", "d2"))
    for name in ("../../etc/x.jsonl", "C:\\data\\x.jsonl"):
        assert output(apply(analyse(read(data, name))))[0].name == "x_prepared.jsonl"


def test_files_are_written_whole_and_nothing_is_written_over(tmp_path: Path) -> None:
    files = (OutputFile("a_train.jsonl", b"1\n"), OutputFile("a_valid.jsonl", b"2\n"))
    (tmp_path / "a_valid.jsonl").write_text("mine")
    paths = write(files, tmp_path)
    assert [path.name for path in paths] == ["a_train (1).jsonl", "a_valid (1).jsonl"]
    assert [path.read_bytes() for path in paths] == [b"1\n", b"2\n"]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def full(path: Path, target: Path) -> Path:
        if "valid" in target.name:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(InvalidRequest, match="No space left"):
        write((OutputFile("a_train.jsonl", b"1"), OutputFile("a_valid.jsonl", b"2")), tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidRequest, match="There is no folder") as caught:
        write((OutputFile("a.jsonl", b"1"),), tmp_path / "missing")
    assert "Create it" in caught.value.hint


TEXT = st.text(alphabet="aB é\n.>-", max_size=6)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12), st.sets(st.sampled_from([r.id for r in RULES])))
def test_any_pairs_with_anything_refused_are_prepared_or_refused_with_a_reason(
    rows: list[tuple[str, str]], refused: set[str]
) -> None:
    analysis = analyse(read(jsonl(*rows), "a.jsonl"))
    try:
        made = apply(analysis, refused)
    except InvalidRequest as error:
        assert error.hint  # noqa: PT017 (either outcome is right)
        return
    assert all(prompt.endswith(made.separator) for prompt in made.table.prompts)
    assert all(completion.endswith(made.ending) for completion in made.table.completions)
    assert sum(len(records(file)) for file in output(made)) == len(made.table)
    if "space" not in refused:
        assert all(completion.startswith(" ") for completion in made.table.completions)
