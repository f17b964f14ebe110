"""`prepare`: a training file checked and prepared, as `openai tools fine_tunes.prepare_data` did it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.talk import Json, harmless, note, print_json, told

if TYPE_CHECKING:
    from playground.finetune.findings import Finding
    from playground.finetune.prepare import Analysis, Prepared

File = Annotated[Path, typer.Argument(show_default=False, help="csv, tsv, xlsx, txt, json or jsonl.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do all that is recommended, and write the files.")]
Out = Annotated[Path | None, typer.Option(help="The folder to write to; else the file's own.", show_default=False)]


def prepare(file: File, yes: Yes = False, out: Out = None, as_json: Json = False) -> None:
    """Check a training file of prompts and completions, and prepare it. Without --yes each change is asked about;
    with --json and without --yes nothing is written."""
    with told():
        from playground.finetune.prepare import analyse, apply, output, write
        from playground.finetune.tables import read_file

        table = read_file(file)
        for repair in table.repairs:
            note(harmless(repair.message))
        analysis = analyse(table)
        if not as_json:
            for found in analysis.findings:
                _show(found)
        refused = frozenset[str]() if yes or as_json or analysis.error else _refused(analysis)
        prepared = apply(analysis, refused)
        if not (yes or as_json) and prepared.split and not typer.confirm(harmless(_split(prepared)), default=True):
            prepared = apply(analysis, refused | {"split"})
        agreed = yes or (not as_json and typer.confirm("Write the prepared file?", default=True))
        paths = write(output(prepared), out or file.parent) if agreed else []
        if as_json:
            print_json(_said(prepared, paths))
            return
        _close(prepared, paths)


def _show(found: Finding) -> None:
    mark = {"info": "-", "necessary": "!", "recommended": "?", "error": "x"}[found.severity]
    where = f" ({', '.join(map(str, found.rows))})" if found.rows else ""
    typer.echo(harmless(f"{mark} {found.message}{where}"))


def _refused(analysis: Analysis) -> frozenset[str]:
    """What the person does not want of what is recommended."""
    asked = [found for found in analysis.findings if found.severity == "recommended"]
    return frozenset(found.rule for found in asked if not typer.confirm(harmless(found.message), default=True))


def _split(prepared: Prepared) -> str:
    return next(found.message for found in prepared.findings if found.rule == "split")


def _said(prepared: Prepared, paths: list[Path]) -> dict[str, Any]:
    return {
        "pairs": len(prepared.table),
        "kind": prepared.kind,
        "separator": prepared.separator,
        "stop": prepared.ending,
        "findings": [
            {"rule": f.rule, "severity": f.severity, "message": f.message, "count": f.count} for f in prepared.findings
        ],
        "files": [str(path) for path in paths],
    }


def _close(prepared: Prepared, paths: list[Path]) -> None:
    for path in paths:
        typer.echo(harmless(f"Wrote {path}"))
    if prepared.separator:
        typer.echo(harmless(f"End every prompt with {prepared.separator!r} when you use the model."))
    if prepared.ending:
        typer.echo(harmless(f"Use stop={[prepared.ending]!r}, so that an answer ends where the completions do."))
