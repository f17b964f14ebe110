"""`python -m playground neighbours`: the model servers that already run on this machine; added, removed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.talk import Json, harmless, note, print_json, run_async, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playground.neighbours import Found, Neighbour, Neighbourhood
    from playground.types import Endpoint

Add = Annotated[
    list[str] | None,
    typer.Option("--add", help="Add this server: ollama, lmstudio, llamacpp, vllm, or a port; repeatable."),
]
At = Annotated[
    list[int] | None, typer.Option("--at", min=1, max=65535, help="Look at this port, not the usual ones; repeatable.")
]
Remove = Annotated[list[str] | None, typer.Option("--remove", help="Remove a server that was added, by its name.")]


def neighbours(add: Add = None, remove: Remove = None, at: At = None, as_json: Json = False) -> None:
    """Look for Ollama, LM Studio, llama.cpp and vLLM at their usual addresses on this machine."""
    with told():
        from playground import settings
        from playground.neighbours import USUAL, Address, Neighbourhood
        from playground.neighbours.kept import FILE

        found_in = settings.load()
        addresses = [Address("llamacpp", port) for port in at] if at else USUAL
        around = Neighbourhood(found_in.data_dir / FILE, addresses=addresses)
        around.join(found_in.endpoints)
        for name in remove or ():
            around.remove(name)
            note(f"Removed {name}.")
        found = run_async(around.look())
        servers = _servers(around, found_in.endpoints)
        for wanted in add or ():
            made = around.add(_url(found, wanted), servers)
            servers = {**servers, made.name: made}
            note(f"Added {made.name}: its models are {made.name}/….")
        _show(found, servers, as_json=as_json)


def _servers(around: Neighbourhood, named: tuple[Endpoint, ...]) -> Mapping[str, Endpoint]:
    return {each.name: each for each in (*named, *(kept.endpoint for kept in around.kept))}


def _url(found: Found, wanted: str) -> str:
    """The address that a kind or a port means. Raises InvalidRequest where nobody like that was found."""
    from playground.errors import refused

    for each in found.neighbours:
        if wanted in (each.kind, str(_port(each))):
            return each.url
    raise refused("neighbour_gone", param="add")


def _port(neighbour: Neighbour) -> int:
    from playground.neighbours.types import place

    return place(neighbour.url)[1]


def _show(found: Found, servers: Mapping[str, Endpoint], *, as_json: bool) -> None:
    from playground.neighbours.kept import same_place
    from playground.neighbours.types import NAMES

    names = {
        each.url: next((name for name, server in servers.items() if same_place(server, each.url)), None)
        for each in found.neighbours
    }
    if as_json:
        print_json([{**asdict(each), "name": names[each.url]} for each in found.neighbours])
        return
    for each in found.neighbours:
        name = names[each.url]
        facts = ["asks for a key" if each.locked else f"models: {len(each.models)}"]
        facts += [f"here as {name}"] if name else []
        typer.echo(harmless(f"{NAMES[each.kind]} {each.version}".strip() + f"  {each.url}  ({', '.join(facts)})"))
        for model in each.models:
            typer.echo(harmless(f"  {model.id}{_about(model.meta())}"))
    for port in found.others:
        note(f"Another program answers at 127.0.0.1:{port}.")
    if not found.neighbours:
        note("No Ollama, LM Studio, llama.cpp or vLLM answers.")


def _about(meta: Mapping[str, Any]) -> str:
    said = [meta.get("parameters"), meta.get("quantization")]
    said += [f"{meta['context_length']:,} tokens"] if "context_length" in meta else []
    said += ["loaded"] if meta.get("loaded") else []
    return f"  ({', '.join(str(each) for each in said if each)})" if any(said) else ""
