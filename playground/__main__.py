"""`python -m playground`: see `cli.py`."""

from __future__ import annotations

from playground.cli import main

if __name__ == "__main__":
    main()
