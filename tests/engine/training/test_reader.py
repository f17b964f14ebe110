"""A model file read quickly says what gguf's own reader says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from playground.engine.training.reader import Reader


def test_it_reads_every_field_and_tensor_as_gguf_does(default: Path) -> None:
    ours, theirs = Reader(default), GGUFReader(default)
    assert list(ours.fields) == list(theirs.fields)
    for name, field in theirs.fields.items():
        assert ours.fields[name].contents() == field.contents(), name
        assert ours.fields[name].types == field.types
        if field.types[-1] == GGUFValueType.STRING:
            assert _texts(ours, name) == _texts(theirs, name)
    assert len(ours.tensors) == len(theirs.tensors)
    for one, other in zip(ours.tensors, theirs.tensors, strict=True):
        assert (one.name, one.tensor_type, one.data_offset) == (other.name, other.tensor_type, other.data_offset)
        assert np.array_equal(one.data, other.data)


def _texts(reader: GGUFReader, name: str) -> list[bytes]:
    return [bytes(reader.fields[name].parts[place]) for place in reader.fields[name].data]


def test_arrays_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "arrays.gguf"
    writer = GGUFWriter(path, "llama")
    wanted = {
        "floats": [0.5, -1.5],
        "bools": [True, False, True],
        "texts": ["", "ñandú", "🦙", "a b"],
        "numbers": list(range(-3, 300)),
    }
    for name, values in wanted.items():
        writer.add_array(name, values)
    writer.add_tensor("token_embd.weight", np.zeros((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    fields = Reader(path).fields
    assert {name: fields[name].contents() for name in wanted} == wanted


@pytest.mark.parametrize("share", [0.0005, 0.004, 0.01])
def test_a_file_that_is_cut_short_is_damaged(default: Path, tmp_path: Path, share: float) -> None:
    whole = default.read_bytes()
    short = tmp_path / "short.gguf"
    short.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError, OverflowError)):
        Reader(short)
