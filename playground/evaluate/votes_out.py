"""Blind votes as files: each with what was shown and what was chosen of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from playground.evaluate.report import safe
from playground.store import VoteRow


def to_csv(votes: Sequence[VoteRow]) -> str:
    """A row an answer that was shown; `result` is won, lost or tie.

    What a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("vote", "created_at", "answer", "system", "run", "result"))
    for vote in votes:
        for place, each in enumerate(vote.shown):
            result = "tie" if vote.chosen is None else "won" if place == vote.chosen else "lost"
            row = (vote.id, _moment(vote), chr(ord("A") + place), each.system, each.run, result)
            writer.writerow(map(safe, row))
    return "\ufeff" + out.getvalue()


def to_json(votes: Sequence[VoteRow]) -> str:
    """{format, version, votes: [{id, created_at, shown: [{system, run}], chosen}]}; `chosen` is a place, or null."""
    told = [
        {
            "id": vote.id,
            "created_at": _moment(vote),
            "shown": [{"system": each.system, "run": each.run} for each in vote.shown],
            "chosen": vote.chosen,
        }
        for vote in votes
    ]
    said = {"format": "playground-votes", "version": 1, "votes": told}
    return json.dumps(said, ensure_ascii=False, indent=1) + "\n"


def _moment(vote: VoteRow) -> str | None:
    return None if vote.created_at is None else vote.created_at.isoformat()
