"""llama.cpp's own server, as it comes, is found among the neighbours."""

from __future__ import annotations

from playground.engine.weights import find
from playground.neighbours import Address, Neighbourhood
from tests.fakes.plain_llama import PlainLlama


async def test_the_real_server_is_found_by_what_it_says() -> None:
    real = PlainLlama(find(None).path)
    try:
        found = await Neighbourhood(addresses=[Address("ollama", real.port)]).look()
        (one,) = found.neighbours
        assert (one.kind, one.locked, found.others) == ("llamacpp", False, ())
        assert [(model.context, model.quantisation, model.loaded) for model in one.models] == [(512, "Q4_1", True)]
    finally:
        real.close()
