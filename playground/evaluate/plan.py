"""A spec's calls, numbered and made one by one: the same spec on the same cases gives the same numbers.

A cell is what is compared: a model, what is sent, and a combination of parameters. Calls go through all cells for the
first case, then for the next one, and so through all repeats: wherever a sweep stops, its cells have answered the same
cases, and can be compared.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from playground import accepts, catalog
from playground.errors import refused
from playground.evaluate import spec as specs
from playground.evaluate.dataset import Case, Dataset, check_fits
from playground.evaluate.spec import Mode, Spec
from playground.parameters import validate_chat, validate_completion
from playground.preset_requests import parameters as preset_parameters
from playground.preset_requests import written as preset_written
from playground.presets import Preset
from playground.types import EndpointKind, ModelInfo, Request
from playground.variables import fill_all
from playground.words import Said

NO_CASE = Case(id="1")
"""What a prompt without a dataset is sent for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One of the things compared. `written` is the prompt or the messages, None: what each case asks itself;
    `variables` are a preset's and the spec's own; `parameters` what is set, `varied` the part that differs."""

    number: int
    model: ModelInfo
    kind: EndpointKind
    preset: str | None
    written: Mapping[str, Any] | None
    variables: Mapping[str, str]
    mode: Mode
    parameters: Mapping[str, Any]
    varied: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Model, preset and varied parameters on one line, the same for the same cell."""
        told = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in self.varied.items()]
        return " · ".join(filter(None, [self.model.ref, self.preset, ", ".join(told)]))


class Call(NamedTuple):
    """A call: its number, the first being 0, and the places of its cell and its case; `repeat` counts from 0."""

    number: int
    cell: int
    case: int
    repeat: int


@dataclass(frozen=True)
class Plan:
    """A spec with everything it names. `notes` is what to know before it runs; `same` are cells whose requests are
    equal, because their model does not take what differs."""

    spec: Spec
    cases: tuple[Case, ...]
    cells: tuple[Cell, ...]
    notes: tuple[Said, ...] = ()
    same: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.cells) * len(self.cases) * self.spec.repeats

    def call(self, number: int) -> Call:
        """The call of that number. Raises IndexError for one that there is not."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        rest, cell = divmod(number, len(self.cells))
        repeat, case = divmod(rest, len(self.cases))
        return Call(number, cell, case, repeat)

    def number(self, *, cell: int, case: int, repeat: int) -> int:
        return (repeat * len(self.cases) + case) * len(self.cells) + cell

    def calls(self, start: int = 0) -> Iterator[Call]:
        """All of them from `start` on, each made when it is asked for."""
        return map(self.call, range(start, len(self)))

    def request(self, call: Call) -> Request:
        """Exactly what the call sends. Raises InvalidRequest, which `make` has ruled out for each cell's first case."""
        return self.asked(call)[0]

    def asked(self, call: Call) -> tuple[Request, tuple[accepts.LeftOut, ...]]:
        """The same, and what its model does not take and is therefore left out."""
        return _request(self.cells[call.cell], self.case(call))

    def case(self, call: Call) -> Case:
        """What the call is asked for."""
        return self.cases[call.case]

    @cached_property
    def fingerprint(self) -> str:
        """What the calls are, as 64 hexadecimal digits: a sweep goes on only where it is the same. What a sweep is
        called, its budget, its pace and its metrics change no call."""
        digest = hashlib.sha256(f"1 {self.spec.repeats}\n".encode())
        for cell in self.cells:
            told = [cell.model.ref, cell.mode, cell.written, dict(cell.variables), dict(cell.parameters)]
            digest.update(json.dumps(told, sort_keys=True, default=list).encode() + b"\n")
        digest.update(Dataset("", self.cases).fingerprint().encode())
        return digest.hexdigest()


def make(
    spec: Spec,
    *,
    dataset: Dataset | None,
    model: Callable[[str], ModelInfo],
    kind: Callable[[str], EndpointKind],
    preset: Callable[[str], Preset],
) -> Plan:
    """The spec's plan. `model`, `kind` (of an endpoint) and `preset` find what is meant by a name, or raise.

    Every cell is tried on the first case and every case has the variables it needs, so that nothing is found out after
    the first call was paid for. Raises InvalidRequest.
    """
    cases = (NO_CASE,) if dataset is None else _chosen(spec, dataset)
    specs.check_count(specs.count(spec, len(cases)), spec.max_calls)
    cells = tuple(_cells(spec, model, kind, preset))
    baseline_cell(spec.baseline, [cell.model.ref for cell in cells])
    _check_written(cells, cases)
    notes: dict[str, Said] = {}
    alike: dict[str, list[int]] = {}
    for cell in cells:
        request, left_out = _request(cell, cases[0])
        for each in left_out:
            said = {"model": cell.model.ref, "name": each.param}
            notes.setdefault(f"{cell.model.ref} {each.param}", Said("note.left_out", said))
        sent = json.dumps([cell.model.ref, request.body()], sort_keys=True, default=list)
        alike.setdefault(sent, []).append(cell.number)
    same = tuple(tuple(group) for group in alike.values() if len(group) > 1)
    if same:
        notes["same"] = Said("note.same_cells", {"count": sum(map(len, same))})
    if spec.repeats > 1 and all(_is_fixed(cell.parameters) for cell in cells):
        notes["fixed"] = Said("note.fixed", {"repeats": spec.repeats})
    return Plan(spec, cases, cells, tuple(notes.values()), same)


def baseline_cell(wanted: str | None, models: Sequence[str]) -> int:
    """The first cell of that model, by its reference or its name; of None the first of all. Raises InvalidRequest."""
    if wanted is None:
        return 0
    for at, model in enumerate(models):
        if wanted in (model, model.split("/", 1)[-1]):
            return at
    raise refused("no_baseline", param="baseline", name=wanted[:80], known=", ".join(dict.fromkeys(models)))


def _chosen(spec: Spec, dataset: Dataset) -> tuple[Case, ...]:
    rows = spec.rows
    found = dataset.tagged(rows.tags) if rows.tags else dataset
    found = found.keep(rows.ids) if rows.ids else found
    cases = found.cases
    if rows.sample is not None and rows.sample < len(cases):
        # Nothing secret: the same seed has to choose the same cases.
        places = random.Random(rows.seed).sample(range(len(cases)), rows.sample)  # noqa: S311
        cases = tuple(cases[at] for at in sorted(places))
    cases = cases[: rows.first]
    if not cases:
        raise refused("plan_no_cases", param="rows", tags=", ".join(rows.tags) or "–")
    return cases


def _cells(
    spec: Spec,
    model: Callable[[str], ModelInfo],
    kind: Callable[[str], EndpointKind],
    preset: Callable[[str], Preset],
) -> Iterator[Cell]:
    settings = spec.settings()
    varying = {name for each in settings for name in each if each[name] != settings[0].get(name)}
    varying |= set(spec.grid) if len(settings) > 1 else set()
    named: list[Preset | None] = [preset(name) for name in spec.presets]
    number = 0
    for each in named or [None]:
        models = spec.models or ((each.model,) if each is not None and each.model else ())
        if not models:
            raise refused("plan_preset_model", param="presets", name=each.name if each else "–")
        for ref in models:
            info = model(ref)
            for chosen in settings:
                yield _cell(number, spec, each, info, kind(info.endpoint), chosen, varying)
                number += 1


def _cell(
    number: int,
    spec: Spec,
    preset: Preset | None,
    info: ModelInfo,
    kind: EndpointKind,
    chosen: Mapping[str, Any],
    varying: set[str],
) -> Cell:
    own: dict[str, Any] | None = {"prompt": spec.prompt} if spec.prompt is not None else None
    own = {"messages": list(spec.messages)} if spec.messages is not None else own
    return Cell(
        number=number,
        model=info,
        kind=kind,
        preset=None if preset is None else preset.name,
        written=own if preset is None else preset_written(preset),
        variables={**(preset.variables if preset else {}), **spec.variables},
        mode=spec.mode,
        parameters={**_of_preset(preset), **chosen},
        varied={name: value for name, value in chosen.items() if name in varying},
    )


def _of_preset(preset: Preset | None) -> dict[str, Any]:
    """A preset's parameters. Several answers at once are not for a sweep, which repeats."""
    found = {} if preset is None else preset_parameters(preset)
    return {name: value for name, value in found.items() if name != "n"}


def _check_written(cells: Sequence[Cell], cases: tuple[Case, ...]) -> None:
    """Every cell has something to send for every case, with every variable in it."""
    seen: list[tuple[Mapping[str, Any] | None, Mapping[str, str]]] = []
    for cell in cells:
        if (cell.written, cell.variables) in seen:
            continue
        seen.append((cell.written, cell.variables))
        if cell.written is None:
            mute = next((case for case in cases if not case.written), None)
            if mute is not None:
                raise refused("plan_nothing", param="prompt", id=mute.id)
            continue
        given = tuple(replace(case, variables={**cell.variables, **case.variables}) for case in cases)
        check_fits(Dataset("", given), cell.written)


def written_for(cell: Cell, case: Case) -> Mapping[str, Any]:
    """A case's own prompt is sent as it is; in one that the spec or a preset brings, variables are filled."""
    if cell.written is None:
        return case.written
    filled: Mapping[str, Any] = fill_all(dict(cell.written), {**cell.variables, **case.values})
    return filled


def _request(cell: Cell, case: Case) -> tuple[Request, tuple[accepts.LeftOut, ...]]:
    written, info = written_for(cell, case), cell.model
    context = catalog.context_length(info)
    where = {"endpoint": info.endpoint, "model": info.id, "context_length": context}
    completing = cell.mode == "complete" or (cell.mode == "auto" and catalog.completes(info))
    if completing and "messages" not in written:
        request: Request = validate_completion({**cell.parameters, **written}, **where)  # type: ignore[arg-type]
        return accepts.effective(request, cell.kind)
    known = catalog.describe(info.id)
    if cell.mode == "complete" or (known is not None and known.kind == "completion"):
        raise refused("plan_no_chat", param="mode", model=info.ref)
    messages = written.get("messages") or [{"role": "user", "content": written["prompt"]}]
    request = validate_chat({**_as_chat(cell.parameters), "messages": messages}, **where)  # type: ignore[arg-type]
    return accepts.effective(request, cell.kind)


def _as_chat(values: Mapping[str, Any]) -> dict[str, Any]:
    """A completion's number of alternatives as a chat asks for them."""
    number = values.get("logprobs")
    if type(number) is not int:
        return dict(values)
    return {**values, "logprobs": True, "top_logprobs": number}


def _is_fixed(parameters: Mapping[str, Any]) -> bool:
    """Whether a model is asked to answer the same each time."""
    return parameters.get("temperature") == 0 or parameters.get("seed") is not None
