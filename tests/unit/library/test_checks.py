"""A file from anywhere is read as a GGUF: whatever is in it, it is a model or it is refused in words."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.errors import LibraryError
from playground.library.checks import digest, header
from playground.library.stop import Stop, Stopped
from tests.fakes import tiny_models


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return tiny_models.write(tmp_path_factory.mktemp("model") / "m.gguf", size=64).read_bytes()


@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_header_with_any_bytes_changed_is_read_or_refused(model: bytes, tmp_path: Path, data: st.DataObject) -> None:
    changed = bytearray(model)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(8, len(changed) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed.gguf"
    path.write_bytes(changed[: data.draw(st.integers(0, len(changed)))] if data.draw(st.booleans()) else changed)
    with suppress(LibraryError):
        assert isinstance(header(path, "changed.gguf")["architecture"], str)


def entry(key: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value


@pytest.mark.parametrize(
    "body",
    [
        entry(b"general.architecture", 9, struct.pack("<IQ", 8, 1 << 62)),
        entry(b"general.architecture", 9, struct.pack("<IQ", 0, 1 << 62)),
        entry(b"general.architecture", 9, struct.pack("<IQ", 9, 1) * 50_000),
        entry(b"general.type", 9, struct.pack("<IQ", 4, 0)),
        entry(b"general.alignment", 4, struct.pack("<I", 0)),
        struct.pack("<Q", (1 << 64) - 1),
        entry(b"x", 255, b""),
    ],
)
def test_a_header_made_to_do_harm_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + body)
    with pytest.raises(LibraryError):
        header(path, "hostile.gguf")


def test_a_whole_model_is_told_of(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(model)
    told = {"architecture": "llama", "context": 512, "kv_width": 64, "vocabulary": 4, "chat_template": True}
    assert header(path, "m.gguf") == told


def test_a_checksum_is_taken_until_somebody_stops_it(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(model)
    stop = Stop()
    seen: list[tuple[int, int | None]] = []
    digest(path, stop, lambda done, total: seen.append((done, total)))
    assert seen == [(len(model), len(model))]
    stop.set("cancelled")
    with pytest.raises(Stopped):
        digest(path, stop, lambda *_: None)
