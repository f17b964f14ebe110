"""A file of users: `name:scrypt$N$r$p$salt$hash` a line, as `python -m playground user add NAME` writes it.

scrypt is RFC 7914's, with the parameters that OWASP's "Password Storage Cheat Sheet" names for 16 MB of memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from playground.errors import ConfigurationError, InvalidRequest

N, R, P = 2**14, 8, 5
NAME = re.compile(r"[\w][\w.@ -]{0,39}")
LEAST, MOST = 8, 200
"""Characters of a password."""
_LINE = re.compile(r"scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([\w+/=]{16,64})\$([\w+/=]{32,120})")


def hashed(password: str) -> str:
    """What stands in the file. Takes a tenth of a second, and is meant to."""
    salt = secrets.token_bytes(16)
    return f"scrypt${N}${R}${P}${_text(salt)}${_text(_scrypt(password, salt, N, R, P))}"


def fits(password: str, kept: str) -> bool:
    """Whether it is the password that was hashed. Takes as long where it is not."""
    said = _LINE.fullmatch(kept)
    if said is None:
        return False
    salt, digest = base64.b64decode(said[4]), base64.b64decode(said[5])
    return hmac.compare_digest(_scrypt(password, salt, int(said[1]), int(said[2]), int(said[3])), digest)


def read_users(path: Path) -> dict[str, str]:
    """The hashes by name. Raises ConfigurationError for a file that cannot be read or has a line that is no user."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"PLAYGROUND_USERS cannot be read: {path}.", hint="Make it with: python -m playground user add NAME."
        ) from error
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, kept = line.partition(":")
        if not NAME.fullmatch(name) or name in users or not _LINE.fullmatch(kept.strip()):
            raise ConfigurationError(
                f"Line {number} of {path} is no user, or names one that an earlier line has.",
                hint="Write users with: python -m playground user add NAME.",
            )
        users[name] = kept.strip()
    return users


def write_user(path: Path, name: str, password: str | None) -> None:
    """Add a user or change their password; None removes them. The file is whole at every moment, and its owner's alone.

    Raises InvalidRequest for a name or a password that cannot be one, ConfigurationError as `read_users` does.
    """
    users = read_users(path) if path.exists() else {}
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            "A user's name has 1 to 40 letters, digits, spaces and any of . - @ _.",
            param="name",
            hint="Choose another.",
        )
    if password is None:
        if users.pop(name, None) is None:
            raise InvalidRequest(f"There is no user {name!r}.", param="name")
    elif not LEAST <= len(password) <= MOST:
        raise InvalidRequest(f"A password has {LEAST} to {MOST} characters.", param="password")
    else:
        users[name] = hashed(password)
    half_done = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(half_done, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{each}:{kept}\n" for each, kept in users.items())
        os.replace(half_done, path)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror}.", param="file") from error


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
