"""Base and adapter as one GGUF: the right numbers, everything else as it was, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Types
from gguf import GGUFReader

from playground import gguf
from playground.engine.training import base, lora
from playground.engine.training.errors import TrainingError
from playground.engine.training.merge import Kind, merge

NAME = "blk.1.attn_v.weight"


def adapter(path: Path, *, name: str = NAME, rows: int = 16, columns: int = 32) -> tuple[Path, np.ndarray]:
    """An adapter of one pair, and what it adds at scale 1: alpha 6 over rank 3."""
    random = np.random.default_rng(1)
    a, b = random.normal(0, 1, (3, columns)), random.normal(0, 1, (rows, 3))
    lora.write(path, {f"{name}.lora_a": a.astype(np.float32), f"{name}.lora_b": b.astype(np.float32)}, 6.0, "llama")
    return path, 2 * b @ a


@pytest.mark.parametrize("kind", ["f16", "q8_0"])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_merged_weight_is_the_bases_and_the_pairs_product(
    tiny: Path, tmp_path: Path, kind: Kind, scale: float
) -> None:
    file, adds = adapter(tmp_path / "adapter.gguf")
    merge(tiny, file, tmp_path / "out.gguf", type=kind, scale=scale)
    before, after = base.load(tiny).weights, base.load(tmp_path / "out.gguf").weights
    assert after[NAME] == pytest.approx(before[NAME] + scale * adds, abs=0.1 if kind == "q8_0" else 0.01)
    for name in set(before) - {NAME}:
        assert after[name] == pytest.approx(before[name], abs=0.02), name
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_header_is_the_bases_but_for_its_quantization(servable: Path, tmp_path: Path) -> None:
    file, _ = adapter(tmp_path / "adapter.gguf")
    merge(servable, file, tmp_path / "out.gguf", type="q8_0")
    before, after = gguf.metadata(servable), gguf.metadata(tmp_path / "out.gguf")
    assert after.pop("general.file_type") == 7
    before.pop("general.file_type", None)
    assert after == before
    kinds = {tensor.name: tensor.tensor_type for tensor in GGUFReader(tmp_path / "out.gguf").tensors}
    assert kinds["token_embd.weight"] == Types.Q8_0
    assert kinds["output_norm.weight"] == Types.F32


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [("blk.9.attn_v.weight", 16, 32), (NAME, 32, 32), (NAME, 16, 16)],
    ids=["no such tensor", "other rows", "other columns"],
)
def test_an_adapter_of_another_model_is_refused(tiny: Path, tmp_path: Path, name: str, rows: int, columns: int) -> None:
    file, _ = adapter(tmp_path / "adapter.gguf", name=name, rows=rows, columns=columns)
    with pytest.raises(TrainingError, match="does not belong"):
        merge(tiny, file, tmp_path / "out.gguf", type="f16")
    assert not (tmp_path / "out.gguf").exists()


def test_files_that_are_no_adapter_or_no_model_are_refused(tiny: Path, tmp_path: Path) -> None:
    file, _ = adapter(tmp_path / "adapter.gguf")
    (tmp_path / "cut.gguf").write_bytes(file.read_bytes()[:200])
    (tmp_path / "text.gguf").write_text("hello")
    cases = [
        (tiny, tmp_path / "cut.gguf", "worker_failed"),
        (tiny, tmp_path / "text.gguf", "worker_failed"),
        (tiny, tmp_path / "none.gguf", "worker_failed"),
        (tiny, tiny, "worker_failed"),
        (tmp_path / "text.gguf", file, "bad_base"),
    ]
    for model, other, code in cases:
        with pytest.raises(TrainingError) as caught:
            merge(model, other, tmp_path / "out.gguf", type="f16")
        assert caught.value.code == code


def test_a_full_disk_leaves_nothing_behind(tiny: Path, tmp_path: Path) -> None:
    import resource
    import signal

    file, _ = adapter(tmp_path / "adapter.gguf")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, before[1]))
    try:
        with pytest.raises(TrainingError) as caught:
            merge(tiny, file, tmp_path / "out.gguf", type="f16")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.code == "disk_full"
    assert [path.name for path in tmp_path.iterdir()] == ["adapter.gguf"]
