"""Playground: a browser playground for language models.

The package itself imports nothing, so that `python -m playground tokens` does not pay for the page.
"""

__version__ = "0.1.0"
