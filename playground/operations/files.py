"""How many files and sockets this process may hold: a thousand idle connections must not close the page to the next."""

from __future__ import annotations

import contextlib

ENOUGH = 65_536
"""Open files and sockets that are asked for, where the system lets us."""


def allow_many_connections() -> int:
    """Raise this process's bound on open files as far as it may; what it is then, 0 where there is none (Windows)."""
    try:
        import resource
    except ImportError:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
