"""The values in a spec, each read for itself: parameters and their axes, names, texts, counts, money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar, cast

from playground.errors import InvalidRequest, refused
from playground.messages import plain_text, read_messages
from playground.parameters import CHAT, COMPLETION, Parameter, check
from playground.structured import read_format, read_tools
from playground.variables import is_name

MAX_VALUES = 1_000
"""Of one axis."""
MAX_LISTED = 10_000

_SPECS: dict[str, tuple[Parameter, ...]] = {}
for _each in (*COMPLETION, *CHAT):
    _SPECS[_each.name] = (*_SPECS.get(_each.name, ()), _each)
STRUCTURED = ("response_format", "tools", "tool_choice")
"""Those of a chat that are no plain values."""
NAMES = (*_SPECS, *STRUCTURED)

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter's values: as listed, or those from `start` in steps, which are counted before they are made."""

    name: str
    listed: tuple[Any, ...] = ()
    start: Decimal = Decimal(0)
    step: Decimal = Decimal(0)
    steps: int = 0

    @property
    def size(self) -> int:
        """How many; not `len`, which a billion billions are too many for."""
        return self.steps or len(self.listed)

    def values(self) -> tuple[Any, ...]:
        """Checked, and each once. Raises InvalidRequest naming the parameter."""
        given = [_number(self.start + self.step * at) for at in range(self.steps)] if self.steps else list(self.listed)
        found: list[Any] = []
        for each in given:
            value = parameter(self.name, each)
            if not any(value == known and type(value) is type(known) for known in found):
                found.append(value)
        return tuple(found)


def grid(given: Any) -> dict[str, Axis]:
    """The axes of a grid. Raises InvalidRequest for one that is empty, unknown, or too long to be meant."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise refused("spec_grid", param="grid")
    if not given:
        raise refused("spec_grid_empty", param="grid")
    return {name: _axis(name, axis) for name, axis in given.items()}


def _axis(name: str, given: Any) -> Axis:
    _known(name)
    if isinstance(given, Mapping):
        axis = _range(name, given)
    elif isinstance(given, list):
        axis = Axis(name, tuple(given))
    else:
        axis = Axis(name, (given,))
    if not axis.size:
        raise refused("spec_axis_empty", param=name, name=name)
    return axis


def _range(name: str, given: Mapping[str, Any]) -> Axis:
    if set(given) != {"from", "to", "step"}:
        raise refused("spec_range", param=name, name=name)
    start, end, step = (_decimal(given[key]) for key in ("from", "to", "step"))
    if start is None or end is None or step is None or step <= 0 or end < start:
        raise refused("spec_range", param=name, name=name)
    return Axis(name, start=start, step=step, steps=int((end - start) / step) + 1)


def combinations(given: Any) -> tuple[dict[str, Any], ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise refused("spec_list", param="list")
    if not given:
        raise refused("spec_grid_empty", param="list")
    if len(given) > MAX_LISTED:
        raise refused("spec_combinations", param="list", combinations=len(given), most=MAX_LISTED)
    found: list[dict[str, Any]] = []
    for each in map(parameters, given):
        if each not in found:
            found.append(each)
    return tuple(found)


def parameters(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise refused("spec_parameters", param="parameters")
    return {name: parameter(name, value) for name, value in given.items()}


def parameter(name: str, value: Any) -> Any:
    """A parameter's value in its own type; None is unset. Whether a model's endpoint takes it, the plan finds out.

    Raises InvalidRequest that names the parameter.
    """
    _known(name)
    if value is None:
        return None
    if name == "n" and value != 1:
        raise refused("spec_n", param="n")
    if name == "response_format":
        return read_format(value)
    if name == "tools":
        return list(read_tools(value))
    if name == "tool_choice":
        return value  # which has to name one of the tools: the plan looks at both
    problem: InvalidRequest | None = None
    for spec in _SPECS[name]:
        try:
            checked = check(spec, value)
        except InvalidRequest as error:
            problem = problem or error
            continue
        return list(checked) if isinstance(checked, tuple) else checked
    raise problem or refused("spec_unknown_parameter", param=name, name=name, known="")


def _known(name: str) -> None:
    if name not in NAMES:
        raise refused("spec_unknown_parameter", param=name[:40], name=name[:40], known=", ".join(NAMES))


def names(given: Any, field: str, most: int) -> tuple[str, ...]:
    """One text or a list of them, each once."""
    if given is None:
        return ()
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or len(listed) > most:
        raise refused("spec_names", param=field, field=field, most=most)
    found = []
    for each in listed:
        said = line(str(each) if type(each) is int else each, field, 200)
        if said is None:
            raise refused("spec_names", param=field, field=field, most=most)
        found.append(said)
    return tuple(dict.fromkeys(found))


def line(given: Any, field: str, most: int) -> str | None:
    """A text on one line; None where there is none."""
    if given is None or given == "":
        return None
    if not isinstance(given, str) or len(given) > most or not given.isprintable() or not given.strip():
        raise refused("spec_line", param=field, field=field, most=most)
    return given.strip()


def text(given: Any, field: str) -> str | None:
    return None if given is None else plain_text(field, given) or None


def messages(given: Any) -> tuple[dict[str, Any], ...] | None:
    return None if given in (None, []) else tuple(message.body() for message in read_messages(given))


def variables(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(is_name(name) for name in given):
        raise refused("spec_variables", param="variables")
    return {
        name: plain_text(name, str(value) if type(value) in (int, float) else value) for name, value in given.items()
    }


def whole(given: Any, field: str, low: int, high: int) -> int | None:
    if given is None:
        return None
    if type(given) is float and given.is_integer():
        given = int(given)
    if type(given) is not int or not low <= given <= high:
        raise refused("spec_whole", param=field, field=field, low=low, high=high)
    return given


def money(given: Any, most: Decimal) -> Decimal | None:
    if given is None or given == "":
        return None
    amount = _decimal(given)
    if amount is None or not 0 < amount <= most:
        raise refused("spec_budget", param="budget", most=int(most))
    return amount


def yes(given: Any, field: str) -> bool:
    """Whether it is asked for; not by default."""
    if given is not None and type(given) is not bool:
        raise refused("spec_choice", param=field, field=field, words="true, false")
    return bool(given)


def choice(given: Any, field: str, words: tuple[Word, ...]) -> Word:
    """One of `words`, the first by default."""
    if given is None:
        return words[0]
    if given not in words:
        raise refused("spec_choice", param=field, field=field, words=", ".join(words))
    return cast("Word", given)


def jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: jsonable(each) for name, each in value.items()}
    return [jsonable(each) for each in value] if isinstance(value, list | tuple) else value


def _decimal(given: Any) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        number = Decimal(str(given).strip().removeprefix("$"))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**20 and number.adjusted() > -30 else None


def _number(value: Decimal) -> float | int:
    return int(value) if value == value.to_integral_value() else float(value)
