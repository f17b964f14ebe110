"""`deploy`: a preset as a folder or zip of Python that runs by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.servers import choose, opened
from playground.cli.sweep_files import file_or_kept
from playground.cli.talk import Json, contents, harmless, note, print_json, run_async, told
from playground.words import LANGUAGES

if TYPE_CHECKING:
    from playground.deps import Deps
    from playground.presets import Preset

Named = Annotated[str, typer.Option("--preset", help="A preset's name, or a file of one (.json).")]
Chosen = Annotated[str | None, typer.Option("--model", "-m", help="model or endpoint/model; else the preset's.")]
Cases = Annotated[
    str | None, typer.Option(help="Test cases: CSV, TSV, XLSX, JSON or JSONL, or the name of a dataset that is kept.")
]
Metric = Annotated[
    str | None,
    typer.Option(help='contains (default), exact_match, regex, json_schema; or JSON: {"regex": {"pattern": "^A"}}.'),
]
AtLeast = Annotated[float, typer.Option(help="The share of cases that has to pass, up to 1.")]
Requests = Annotated[int, typer.Option(help="For how many requests a day the cost is reckoned.")]
Out = Annotated[Path | None, typer.Option(help="A folder, or a file that ends in .zip; else deploy-NAME here.")]
Tongue = Annotated[str, typer.Option("--language", help="The README's: en or es.")]


def deploy(
    preset: Named,
    model: Chosen = None,
    cases: Cases = None,
    metric: Metric = None,
    at_least: AtLeast = 1.0,
    requests_per_day: Requests = 1_000,
    out: Out = None,
    language: Tongue = "en",
    as_json: Json = False,
) -> None:
    """Write a preset as Python that runs by itself: frozen request, tests, cost, the model's shutdown date."""
    with told():
        from playground.deploy.bundle import read_requests
        from playground.deploy.cases import read_at_least, read_check
        from playground.errors import refused

        if language not in LANGUAGES:
            raise refused("deploy_language", param="language", known=", ".join(LANGUAGES))
        options = {
            "check": read_check(_metric(metric)),
            "at_least": read_at_least(at_least),
            "requests": read_requests(requests_per_day),
            "language": language,
        }
        place = run_async(_deploy(preset, model, cases, out, options))
        if as_json:
            print_json({"out": str(place)})
        else:
            typer.echo(harmless(str(place)))
            note("README.md in it says how to run it.")


def _metric(text: str | None) -> Any:
    """A name, or JSON of a name with its options."""
    if text is None or not text.lstrip().startswith("{"):
        return text
    from playground.structured import read_json

    given = read_json(text, "metric")
    return [given]


async def _deploy(name: str, model: str | None, cases: str | None, out: Path | None, options: dict[str, Any]) -> Path:
    from playground.deploy.bundle import folder_name, write
    from playground.deploy.frozen import freeze
    from playground.deploy.making import make

    async with opened(model, keep=False) as deps:
        preset = _preset(deps, name)
        dataset = None if cases is None else file_or_kept(cases, Path(), deps)
        info = await choose(deps, model or preset.model)
        frozen = freeze(preset, info=info, endpoint=deps.client.endpoints[info.endpoint])
        for left in frozen.left_out:
            note(harmless(f"{info.ref} does not take {left.param}: it is left out."))
        place = Path(folder_name(frozen)) if out is None else out
        write(await make(deps, frozen, dataset=dataset, **options), place, folder=folder_name(frozen))
        return place


def _preset(deps: Deps, name: str) -> Preset:
    """One's own, an example that comes with Playground, or a file's. Raises InvalidRequest."""
    from playground import presets
    from playground.errors import refused

    found = {preset.name: preset for preset in presets.builtin()}
    found |= {row.name: presets.from_json(row.content) for row in deps.store.presets() if row.name == name}
    if name in found:
        return found[name]
    if name.endswith(".json"):
        several = presets.load(contents(Path(name)))
        if len(several) == 1:
            return several[0]
        found = {preset.name: preset for preset in several}
    own = [row.name for row in deps.store.presets()]
    known = ", ".join(json.dumps(each, ensure_ascii=False) for each in [*own, *found][:20])
    raise refused("deploy_preset", param="preset", name=name[:120], known=known)
