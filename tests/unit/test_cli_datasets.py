"""`datasets` as a person runs it, in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fakes.terminal import Cli

TWEETS = "tweet,sentiment,user\n" + "".join(f"Tweet {at},{'good' if at % 2 else 'bad'},ana\n" for at in range(20))


def test_a_file_is_kept_listed_exported_split_and_deleted(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "tweets.csv").write_text(TWEETS)
    done = cli("datasets", "import", str(tmp_path / "tweets.csv"), "--ignore", "user", "--name", "My tweets")
    assert (done.returncode, done.stdout.split()) == (0, ["20", "My", "tweets"]), done.stderr
    assert [(row["name"], row["count"]) for row in json.loads(cli("datasets", "list", "--json").stdout)] == [
        ("My tweets", 20)
    ]
    lines = [json.loads(line) for line in cli("datasets", "export", "My tweets").stdout.splitlines()]
    assert lines[1] == {"id": "2", "variables": {"tweet": "Tweet 1"}, "expected": "good"}
    split = cli("datasets", "split", "My tweets", "--ratio", "0.3", "--by-label", "--as", "a", "--as", "b")
    assert split.stdout.split() == ["14", "a", "6", "b"], split.stderr
    assert cli("datasets", "export", "b", "--out", str(tmp_path / "b.csv")).returncode == 0
    again = cli("datasets", "import", str(tmp_path / "b.csv"), "--name", "again")
    assert again.stdout.split() == ["6", "again"], again.stderr
    assert cli("datasets", "export", "again").stdout == cli("datasets", "export", "b").stdout
    assert cli("datasets", "delete", "My tweets").returncode == 0
    assert "My tweets" not in cli("datasets", "list").stdout


def test_what_is_wrong_is_said_and_keeps_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "tweets.csv").write_text(TWEETS)
    assert cli("datasets", "import", str(tmp_path / "tweets.csv"), "--expected", "sentiment").returncode == 0
    for command, said in (
        (("import", str(tmp_path / "tweets.csv")), "Another dataset is called"),
        (("import", str(tmp_path / "tweets.csv"), "--expected", "nothing"), "no column nothing"),
        (("import", str(tmp_path / "none.csv")), "There is no file"),
        (("export", "nobody"), "nobody"),
        (("export", "tweets", "--out", str(tmp_path / "a.xlsx")), "neither .csv nor .jsonl"),
        (("split", "tweets", "--as", "a"), "twice"),
        (("split", "tweets", "--ratio", "2"), ""),
        (("split", "tweets", "--as", "a", "--as", "tweets"), "Another dataset is called"),
        (("delete", "nobody"), "nobody"),
    ):
        done = cli("datasets", *command)
        assert done.returncode == 2, command
        assert said in done.stderr
    assert len(json.loads(cli("datasets", "list", "--json").stdout)) == 1


def test_a_training_files_answers_are_expected(cli: Cli, tmp_path: Path) -> None:
    lines = [{"prompt": f"{word} ->", "completion": f" {word.upper()}\n"} for word in ("sun", "rain")]
    (tmp_path / "valid.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert cli("datasets", "import", str(tmp_path / "valid.jsonl"), "--training").returncode == 0
    (first, _) = [json.loads(line) for line in cli("datasets", "export", "valid").stdout.splitlines()]
    assert first == {"id": "1", "prompt": "sun ->", "expected": "SUN"}
