"""The size of an image that travels in a `data:` URL, from the first bytes of its file; nothing is decoded."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode

HEADER = 262_144
"""Characters of base64 that are looked at: a JPEG may carry a preview and colour profiles before its size."""

_URL = re.compile(r"data:image/[a-z+.-]+;base64,")


def size(url: str) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF or WebP; None where the bytes do not say."""
    found = _URL.match(url)
    if found is None:
        return None
    head = url[found.end() : found.end() + HEADER]
    try:
        data = b64decode(head[: len(head) - len(head) % 4])
    except (binascii.Error, ValueError):
        return None
    pair = _png(data) or _gif(data) or _webp(data) or _jpeg(data)
    return pair if pair and all(pair) else None


def _png(data: bytes) -> tuple[int, int] | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _gif(data: bytes) -> tuple[int, int] | None:
    if data[:6] not in (b"GIF87a", b"GIF89a") or len(data) < 10:
        return None
    return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")


def _webp(data: bytes) -> tuple[int, int] | None:
    """RIFF container: VP8X holds the canvas less one, VP8L 14 bits each less one, VP8 the frame's own header."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    match data[12:16]:
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Segments follow each other until the one that begins a frame (SOF0 to SOF15, but DHT, JPG and DAC)."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
