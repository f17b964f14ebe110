"""Addresses, redirects, and what a failed connection is called."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from playground.errors import PlaygroundError, library_failed

if TYPE_CHECKING:
    import httpx2


def host_of(url: str) -> str:
    parts = urlsplit(url)
    return (parts.hostname or "") + (f":{parts.port}" if parts.port else "")


def origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def onward(url: str, location: str, headers: dict[str, str], *, first: str, roams: bool) -> tuple[str, dict[str, str]]:
    """Where a redirect leads, and what is sent there. Raises LibraryError where we do not go."""
    target = urljoin(url, location)
    if origin(target) == origin(url):
        return target, headers
    safe = urlsplit(target).scheme == "https" or urlsplit(first).scheme == "http"
    if not roams or not safe or not host_of(target):
        raise library_failed("library_redirect", host=host_of(url), other=host_of(target) or "?")
    return target, {name: value for name, value in headers.items() if name.lower() != "authorization"}


def network_failure(error: Exception, host: str) -> PlaygroundError:
    """What a failed connection is called here."""
    import httpx2

    if _bad_certificate(error):
        return library_failed("library_certificate", host=host)
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError | httpx2.InvalidURL):
        return library_failed("library_unreachable", host=host)
    if isinstance(error, httpx2.TimeoutException):
        return library_failed("library_silent", hint="library_kept", host=host)
    return library_failed("library_broke", hint="library_kept", host=host)


def _bad_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def hang_up(answer: httpx2.Response) -> None:
    """End the reading of an answer in another thread, at once: its socket is shut down under it."""
    stream = answer.extensions.get("network_stream")
    wire = stream.get_extra_info("socket") if stream is not None else None
    if wire is not None:
        with suppress(OSError):
            socket.socket.shutdown(wire, socket.SHUT_RDWR)
