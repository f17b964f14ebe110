"""The model servers that may already run on this machine: Ollama, LM Studio, llama.cpp's own server, vLLM.

    types.py    what is found: a neighbour, its models, what it says of them
    asking.py   one small JSON answer from a loopback address: bounded in bytes and time, no proxy, no redirect
    kinds.py    who answers, by the routes that only it has, and what it says of its models
    kept.py     which neighbours have been added, in the data folder; never a key
    around.py   Neighbourhood: looks at the usual addresses, adds and removes

Nothing is looked at unless `look` is called, and nothing but the addresses of `USUAL` (or those given in their place).
"""

from playground.neighbours.around import Neighbourhood
from playground.neighbours.types import USUAL, Address, Found, Neighbour, NeighbourModel

__all__ = ["USUAL", "Address", "Found", "Neighbour", "NeighbourModel", "Neighbourhood"]
