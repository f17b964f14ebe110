"""Imports run one way, and each outside library has one door. Read from the source, so that lazy imports count too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([ROOT / "app.py", *(ROOT / "playground").rglob("*.py")])

#: From the bottom up: a module may import its own layer and those below.
LAYERS = (
    ("settings", "types", "errors", "unicode", "words", "engine_words", "gguf", "locks", "memory", "spanish"),
    (
        "messages",
        "structured",
        "variables",
        "images",
        "redact",
        "retry",
        "client_errors",
        "answers",
        "data",
        "allowances",
        "own_keys",
    ),
    (
        "catalog",
        "tokens",
        "chat_tokens",
        "pricing",
        "worst_case",
        "streaming",
        "turns",
        "parameters",
        "preset_checks",
        "presets",
        "panel",
        "editing",
        "preset_requests",
    ),
    ("accepts", "picker"),
    ("client", "store", "engine_process", "library", "neighbours"),
    ("access", "listing"),
    ("runner",),
    ("evaluate", "finetune", "export", "limits", "deps", "deploy", "starting", "operations"),
    ("bots",),
    ("ui", "cli"),
    ("app", "__main__"),
)

#: Only these parts may import the library.
DOORS = {
    "gradio": {"ui"},
    "gradio_client": {"ui"},
    "openai": {"client", "client_errors"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "xllamacpp": {"engine"},
    "gguf": {"engine"},
    "torch": {"engine"},
    "transformers": {"engine"},
    "peft": {"engine"},
    "openpyxl": {"finetune"},
    "sacrebleu": {"evaluate"},
    "nltk": {"evaluate"},
    "yaml": {"evaluate"},
    "regex": {"evaluate"},
    "huggingface_hub": {"library"},
    "telegram": {"bots"},
    "prometheus_client": {"operations"},
}


def part_of(file: Path) -> str:
    """The layer entry that a file belongs to: `playground/store/schema.py` is `store`."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "playground" and len(parts) > 1 else parts[0]


def imports_of(file: Path) -> set[str]:
    """Every module that `file` imports, anywhere in it, by its absolute name."""
    package = file.relative_to(ROOT).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *((node.module,) if node.module else ())))
            found.add(module)
            # `from playground import pricing` imports a module by its name.
            found.update(f"{module}.{alias.name}" for alias in node.names if module.startswith("playground"))
    return found


def parts_imported_by(file: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(file) if name.startswith("playground.")}


def level_of(part: str) -> int | None:
    return next((i for i, layer in enumerate(LAYERS) if part in layer), None)


def shown(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", [f for f in FILES if part_of(f) not in ("engine", "__init__")], ids=shown)
def test_imports_run_downwards(file: Path) -> None:
    own = part_of(file)
    level = level_of(own)
    assert level is not None, f"{own} has no place in LAYERS"
    for part in parts_imported_by(file):
        below = level_of(part)
        if below is not None and part != own:
            assert below <= level, f"{shown(file)} imports {part}, which is above it"


@pytest.mark.parametrize("library", DOORS)
def test_each_outside_library_has_one_door(library: str) -> None:
    users = {part_of(f) for f in FILES if any(name.split(".")[0] == library for name in imports_of(f))}
    assert users <= DOORS[library]


def test_nobody_imports_the_engine_but_itself() -> None:
    assert {shown(f) for f in FILES if "engine" in parts_imported_by(f) and part_of(f) != "engine"} == set()


def test_the_engine_imports_only_itself_and_what_reads_or_locks_a_model_file_or_reads_the_machines_memory() -> None:
    used = {part for f in FILES if part_of(f) == "engine" for part in parts_imported_by(f)}
    assert used == {"engine", "gguf", "locks", "memory"}


def test_what_engine_and_app_share_imports_nothing_of_the_app() -> None:
    for leaf in ("gguf", "locks", "memory"):
        assert parts_imported_by(ROOT / "playground" / f"{leaf}.py") == set()


def is_tab(file: Path) -> bool:
    """A tab is a file of `ui/` with a `build_<tab>(deps, …) -> <Tab>`."""
    functions = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
    return part_of(file) == "ui" and any(
        f.name.startswith("build_") and f.returns is not None and ast.unparse(f.returns).strip("'\"").endswith("Tab")
        for f in functions
    )


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def test_tabs_never_import_tabs() -> None:
    tabs = {f for f in FILES if is_tab(f)}
    for file in tabs:
        others = {module_of(tab) for tab in tabs - {file}}
        assert imports_of(file) & others == set(), shown(file)


def test_the_package_itself_imports_nothing() -> None:
    assert imports_of(ROOT / "playground" / "__init__.py") <= {"__future__"}


def test_the_entry_point_stays_short() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) <= 40
