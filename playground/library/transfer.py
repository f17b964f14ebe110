"""Bytes from a server into a file: resumed where they broke off, in this run or in another one.

huggingface_hub 2.4 throws away what it has when a download is cut (`_download_to_tmp_and_move`), so the file's bytes
are fetched here, with its client (its offline switch, its proxies, its certificates).
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from playground.errors import PlaygroundError, library_failed
from playground.library.network import hang_up, host_of, network_failure, onward
from playground.library.room import room, size_text
from playground.library.stop import Stop

if TYPE_CHECKING:
    import httpx2

CHUNK = 1 << 18
REDIRECTS = 5
AGAIN = (408, 425, 429, 500, 502, 503, 504)
REDIRECT = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without a byte before a connection is given up, how often one is made anew without a byte in between,
    and how long to wait before the first of these; each further wait is twice as long, up to 15 s."""

    silence: float = 20.0
    tries: int = 5
    wait: float = 1.0


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on a server. `version` tells one content from another, where it is known before the file is asked for;
    `roams`: we may be sent on to another host, which is given no token. Checksums are in hexadecimal."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    total: int | None = None
    version: str | None = None
    sha256: str | None = None
    git_sha1: str | None = None
    roams: bool = False

    @property
    def host(self) -> str:
        return host_of(self.url)


class Broken(Exception):
    """The connection ended before the file did; `failure` is what is said when that happens too often."""

    def __init__(self, failure: PlaygroundError) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(kw_only=True)
class Fetch:
    """One file's way into `part`. `report(done, total)` is called as bytes come; `version` is what the bytes that are
    there belong to, and `learned` is told what those that come belong to."""

    part: Path
    title: str
    stop: Stop
    patience: Patience
    report: Callable[[int, int | None], None]
    version: str | None
    learned: Callable[[str | None], None]

    def run(self, locate: Callable[[], Remote]) -> Remote:
        """Fetch what `locate` finds, going on with what is there if it is of the same version.

        Returns the remote that it is complete of. Raises LibraryError, and Stopped. Before the first byte one more try
        is made, not `patience.tries`: who is offline hears of it soon.
        """
        tries, moved = 0, False
        while True:
            before = _size(self.part)
            try:
                self.stop.check()
                return self._once(locate())
            except _Restart:
                self._learn(None)
            except Broken as broken:
                self.stop.check()
                came = _size(self.part) > before
                moved, tries = moved or came, 1 if came else tries + 1
                if tries > (self.patience.tries if moved else min(1, self.patience.tries)):
                    raise broken.failure from None
                self.stop.wait(min(self.patience.wait * 2 ** (tries - 1), 15.0))

    def _once(self, remote: Remote) -> Remote:
        if remote.roams:
            self._learn(remote.version)
        have = _size(self.part) if self.version is not None else 0
        if have and have == remote.total:
            return remote
        with _mapped(remote.host), self._asked(remote, have) as answer:
            if answer.status_code == 416 and answer.headers.get("content-range", "") == f"bytes */{have}":
                return remote  # it had come to its end before
            begin, total = _place(answer, have)
            if remote.total is not None and total not in (None, remote.total):
                raise library_failed("library_no_hub", host=host_of(str(answer.request.url)))
            total = remote.total if total is None else total
            room(self.part.parent, self.title, total, begin)
            if not remote.roams and answer.status_code == 200:
                self._learn(_validator(answer))
            self._write(answer, begin, total)
        if total is not None and _size(self.part) < total:
            raise Broken(library_failed("library_broke", hint="library_kept", host=remote.host))
        return remote

    def _learn(self, version: str | None) -> None:
        """What is there is of no use to another version."""
        if version != self.version or version is None:
            self.part.unlink(missing_ok=True)
            self.version = version
            self.learned(version)

    def _write(self, answer: httpx2.Response, begin: int, total: int | None) -> None:
        done = begin
        try:
            with self.part.open("ab" if begin else "wb") as file:
                self.report(done, total)
                with self.stop.cutting(lambda: hang_up(answer)):
                    # As it comes: what is gathered into larger pieces is lost when the line is cut.
                    for chunk in answer.iter_bytes():
                        self.stop.check()
                        self._fits(file, done, done + len(chunk), total, answer)
                        done += len(chunk)
                        file.write(chunk)
                        self.report(done, total)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise library_failed("library_full", folder=str(self.part.parent.parent)) from None

    def _fits(self, file: BinaryIO, before: int, done: int, total: int | None, answer: httpx2.Response) -> None:
        if total is None:
            if done >> 26 != before >> 26:  # every 64 MB, where nothing was said of the whole
                room(self.part.parent, self.title, done, before)
            return
        if done > total:
            file.truncate(0)
            host = host_of(str(answer.request.url))
            raise library_failed("library_longer", hint="library_file", host=host, total=size_text(total))

    @contextmanager
    def _asked(self, remote: Remote, have: int) -> Iterator[httpx2.Response]:
        """The answer to our request, after as many redirects as are allowed."""
        import httpx2
        from huggingface_hub import get_session

        url, headers = remote.url, {**remote.headers, "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.version and not remote.roams:
                headers["If-Range"] = self.version
        timeout = httpx2.Timeout(self.patience.silence)
        for _ in range(REDIRECTS + 1):
            with get_session().stream("GET", url, headers=headers, timeout=timeout, follow_redirects=False) as answer:
                if answer.status_code not in REDIRECT:
                    _refuse(answer, remote)
                    yield answer
                    return
                location = answer.headers.get("location", "")
                url, headers = onward(url, location, headers, first=remote.url, roams=remote.roams)
        raise library_failed("library_redirects", host=remote.host)


def _refuse(answer: httpx2.Response, remote: Remote) -> None:
    """Raises for an answer that is no file: Broken where another try may help."""
    status, host = answer.status_code, host_of(str(answer.request.url))
    if status in (200, 206, 416):
        return
    if status in AGAIN:
        raise Broken(library_failed("library_status", host=host, status=status))
    if status in (404, 410):
        raise library_failed("library_not_there", host=host, status=status)
    if status in (401, 403):
        raise library_failed("library_no_access", host=host, status=status)
    raise library_failed("library_status", host=host, status=status)


def _place(answer: httpx2.Response, have: int) -> tuple[int, int | None]:
    """Where in the file the answer begins, and how long the file is. A server may give the whole again."""
    if answer.status_code == 206:
        unit, _, said = answer.headers.get("content-range", "").partition(" ")
        span, _, length = said.partition("/")
        begin = span.partition("-")[0]
        if unit == "bytes" and begin.isdigit() and int(begin) == have:
            return have, int(length) if length.isdigit() else None
    if answer.status_code != 200:
        # 416, or a part that we did not ask for: begin again, with nothing.
        raise _Restart
    length = answer.headers.get("content-length", "")
    return 0, int(length) if length.isdigit() and "content-encoding" not in answer.headers else None


def _validator(answer: httpx2.Response) -> str | None:
    """What If-Range may name: a strong ETag, or a date."""
    etag: str = answer.headers.get("etag", "")
    return etag if etag.startswith('"') else answer.headers.get("last-modified") or None


class _Restart(Exception):
    """What we have fits nothing that the server has."""


@contextmanager
def _mapped(host: str) -> Iterator[None]:
    """What the network does, in our words."""
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled:  # by TRANSFORMERS_OFFLINE, which the hub's client heeds too
        raise library_failed("library_offline") from None
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, ssl.SSLError, ConnectionError) as error:
        raise Broken(network_failure(error, host)) from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
