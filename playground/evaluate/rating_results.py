"""What people's ratings of a sweep come to: means by system with their evidence, and how far the raters agree."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from playground.evaluate import rating
from playground.evaluate.metrics.human import Kappa, Rating, krippendorff_alpha, pairwise_kappa
from playground.evaluate.metrics.judge import CRITERIA
from playground.evaluate.report import interval_json, safe, verdict_json, verdict_said
from playground.evaluate.results import Measure, Results, load, rated_name
from playground.store import RatingRow, Store
from playground.words import Language, Said

Json = dict[str, Any]

FEW_CASES = 6
"""Fewer cases cannot show a difference at 5 %: of 5 pairs the paired permutation test's lowest p-value is 2/32."""
FEW_ITEMS = 10
"""Answers that two have rated, below which nothing is said of their agreement; ours, since one grade weighs a tenth."""
RELIABLE, TENTATIVE = 0.8, 0.667
"""Krippendorff's own customary limits of alpha (Content Analysis, 2004, section 11.4)."""
_KAPPAS = (
    (0.8, "rating.kappa_almost"),
    (0.6, "rating.kappa_substantial"),
    (0.4, "rating.kappa_moderate"),
    (0.2, "rating.kappa_fair"),
    (0.0, "rating.kappa_slight"),
)
"""Landis and Koch's words for kappas above these (Biometrics 33, 1977)."""


def told(store: Store, sweep: str, language: Language = "en") -> Json:
    """Everything that is to be said, as plain JSON; its sentences in that language. Blocks. Raises InvalidRequest where
    there is no such sweep; StoreError."""
    results = load(store, sweep)
    return {
        "sweep": results.sweep.id,
        "name": results.sweep.name,
        "state": results.sweep.state,
        "raters": progress(store, results.sweep.id),
        "changed": store.ratings.changed(results.sweep.id),
        "criteria": [_criterion(results, name, language) for name in criteria(results.ratings)],
    }


def criteria(ratings: Iterable[RatingRow]) -> list[str]:
    """Those that something was rated by, the course's first and in its order."""
    own = dict.fromkeys(each.criterion for each in ratings)
    return [*(name for name in CRITERIA if name in own), *(name for name in own if name not in CRITERIA)]


def progress(store: Store, sweep: str) -> list[Json]:
    """Each rater with how much of their queue is done, and whether they have seen the results."""
    desks = [rating.desk(store, sweep, row.rater) for row in store.ratings.raters(sweep)]
    return [
        {
            "rater": desk.rater.rater,
            "done": len(desk.rated),
            "count": len(desk.places),
            "seen": desk.rater.revealed_at is not None,
        }
        for desk in desks
    ]


def _criterion(results: Results, name: str, language: Language) -> Json:
    rows = [each for each in results.ratings if each.criterion == name]
    systems = _systems(results, rows, Measure(rated_name(name), human=True))
    return {
        "criterion": name,
        "measure": rated_name(name),
        "graded": sum(each.grade is not None for each in rows),
        "unsure": sum(each.grade is None for each in rows),
        "systems": systems,
        **_verdict(results, name, len(systems), language),
        **agreement(rows, language),
    }


def _systems(results: Results, rows: Sequence[RatingRow], measure: Measure) -> list[Json]:
    """The systems that were rated, best first."""
    cells = {output.number: output.cell for output in results.outputs}
    graded, unsure = Counter[int](), Counter[int]()
    for row in rows:
        if row.number in cells:
            (unsure if row.grade is None else graded)[cells[row.number]] += 1
    systems = [
        {
            "cell": cell,
            "name": results.sweep.cells[cell]["name"],
            "figure": interval_json(results.figure(measure, cell)),
            "graded": graded[cell],
            "unsure": unsure[cell],
        }
        for cell in sorted({*graded, *unsure})
    ]
    return sorted(systems, key=lambda each: -each["figure"]["value"] if each["figure"] else 0.0)


def _verdict(results: Results, name: str, systems: int, language: Language) -> Json:
    measure = rated_name(name)
    if systems < 2 or all(each.name != measure for each in results.measures):
        return {"verdict": None, "verdict_says": Said("rating.one_system").text(language)}
    found = verdict_json(results, results.verdict(measure))
    cases = min((each["count"] for each in found["against"]), default=0) if found else 0
    if found is None or cases < FEW_CASES:
        few = Said("rating.few_cases", {"count": cases, "least": FEW_CASES})
        return {"verdict": found, "verdict_says": few.text(language)}
    return {"verdict": found, "verdict_says": verdict_said(found).text(language)}


def agreement(rows: Sequence[RatingRow], language: Language = "en") -> Json:
    """Krippendorff's alpha over all raters (ordinal), and Cohen's kappa of each two (quadratic weights), with how many
    answers they are of and what that means. `rows` are of one criterion."""
    ratings = [Rating(str(row.number), row.rater, row.grade) for row in rows if row.grade is not None]
    raters: dict[str, set[str]] = defaultdict(set)
    for each in ratings:
        raters[each.item].add(each.rater)
    items = sum(len(several) > 1 for several in raters.values())
    alpha = krippendorff_alpha(ratings, level="ordinal")
    return {
        "alpha": alpha,
        "items": items,
        "alpha_says": _alpha_says(alpha, items, len({each.rater for each in ratings})).text(language),
        "kappas": [
            {
                "raters": list(pair),
                "kappa": kappa.value,
                "count": kappa.count,
                "says": Said(_kappa_key(kappa)).text(language),
            }
            for pair, kappa in sorted(pairwise_kappa(ratings, weights="quadratic").items())
        ],
    }


def _alpha_says(alpha: float | None, items: int, raters: int) -> Said:
    if raters < 2:
        return Said("rating.one_rater")
    if items < FEW_ITEMS:
        return Said("rating.few_items", {"count": items, "least": FEW_ITEMS})
    if alpha is None:
        return Said("rating.no_spread")
    if alpha >= RELIABLE:
        return Said("rating.alpha_reliable")
    return Said("rating.alpha_tentative" if alpha >= TENTATIVE else "rating.alpha_low")


def _kappa_key(kappa: Kappa) -> str:
    if kappa.count < FEW_ITEMS:
        return "rating.kappa_few"
    if kappa.value is None:
        return "rating.kappa_no_spread"
    return next((key for least, key in _KAPPAS if kappa.value > least), "rating.kappa_none")


def to_csv(store: Store, sweep: str) -> bytes:
    """A grade a row, for a spreadsheet: what one would take for a formula gets an apostrophe in front."""
    results = load(store, sweep)
    outputs = {output.number: output for output in results.outputs}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("number", "system", "case", "repeat", "rater", "criterion", "grade", "comment", "created_at"))
    for row in results.ratings:
        output = outputs.get(row.number)
        if output is None:
            continue
        system, case = results.sweep.cells[output.cell]["name"], results.cases[output.row].id
        given = (row.rater, row.criterion, row.grade, row.comment, row.created_at.isoformat())
        writer.writerow(map(safe, (row.number, system, case, output.repeat + 1, *given)))
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")
