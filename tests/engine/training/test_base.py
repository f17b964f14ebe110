"""GGUF → weights: every kind that gguf can undo, tied and untied heads, scaled rotations; and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Types

from playground.engine.training import base, shape
from playground.engine.training.errors import TrainingError
from playground.engine.training.examples import Example
from playground.engine.training.network import Network
from tests.fakes import tiny_gguf

EXAMPLE = Example(np.arange(3, 15, dtype=np.int32), np.arange(1, 12))


def losses(model: base.Base) -> np.ndarray:
    return Network(model, {}, scale=1.0, first_layer=0).measure([EXAMPLE]).losses


def test_weights_are_float32_and_those_that_were_written(tmp_path: Path) -> None:
    model = base.load(tiny_gguf.write(tmp_path / "tiny.gguf"))
    written = tiny_gguf.random_weights(2, 64, seed=0, tied=True)
    assert set(model.weights) == set(written)
    for name, array in model.weights.items():
        assert array.dtype == np.float32
        assert array == pytest.approx(written[name], rel=1e-6)
    assert model.head is model.weights["token_embd.weight"]


@pytest.mark.parametrize("kind", [Types.F16, Types.BF16, Types.Q8_0, Types.Q4_0, Types.Q4_1, Types.Q5_1])
def test_a_quantized_model_is_the_float_one_but_for_its_rounding(tmp_path: Path, kind: Types) -> None:
    model = base.load(tiny_gguf.write(tmp_path / "tiny.gguf", kind=kind))
    plain = base.load(tiny_gguf.write(tmp_path / "plain.gguf"))
    for name, array in model.weights.items():
        assert array.dtype == np.float32
        assert np.abs(array - plain.weights[name]).max() <= 0.15 * np.abs(plain.weights[name]).max()


def test_an_output_head_of_its_own_is_used(tmp_path: Path) -> None:
    untied = base.load(tiny_gguf.write(tmp_path / "untied.gguf", tied=False))
    assert untied.head is not untied.weights["token_embd.weight"]
    same = tiny_gguf.random_weights(2, 64, seed=0, tied=False)["token_embd.weight"]
    tied = tiny_gguf.write(tmp_path / "same.gguf", tied=False, tensors={"output.weight": same})
    assert not np.allclose(losses(untied), losses(base.load(tied)))


def test_linear_scaling_divides_the_positions(tmp_path: Path) -> None:
    metadata: dict[str, float | int | str] = {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
    scaled = base.load(tiny_gguf.write(tmp_path / "scaled.gguf", metadata=metadata))
    factors = tiny_gguf.write(tmp_path / "factors.gguf", tensors={"rope_freqs.weight": np.full(4, 4.0)})
    plain = base.load(tiny_gguf.write(tmp_path / "plain.gguf"))
    assert losses(scaled) == pytest.approx(losses(base.load(factors)), rel=1e-6)
    assert not np.allclose(losses(scaled), losses(plain))


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"rope.scaling.type": "yarn"}, "yarn"),
        ({"rope.dimension_count": 4}, "rotated"),
        ({"attention.value_length": 4}, "differ in length"),
        ({"expert_count": 8}, "mixture"),
    ],
)
def test_variations_that_are_not_computed_are_refused(
    tmp_path: Path, metadata: dict[str, float | int | str], why: str
) -> None:
    with pytest.raises(TrainingError, match=why) as caught:
        base.load(tiny_gguf.write(tmp_path / "tiny.gguf", metadata=metadata))
    assert caught.value.code == "unsupported_architecture"


def test_a_tensor_that_this_architecture_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"attn_q\.bias") as caught:
        base.load(tiny_gguf.write(tmp_path / "tiny.gguf", tensors={"blk.0.attn_q.bias": np.zeros(32)}))
    assert caught.value.code == "unsupported_architecture"


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"blk.1.ffn_up.weight": None}, r"lacks the tensor 'blk\.1\.ffn_up\.weight'"),
        ({"blk.1.ffn_up.weight": np.zeros((32, 32))}, r"is \(32, 32\) and not \(64, 32\)"),
        ({"output_norm.weight": np.full(32, np.nan)}, "no numbers"),
        ({"output_norm.weight": np.full(32, np.inf)}, "no numbers"),
    ],
)
def test_a_model_that_is_not_whole_is_refused(tmp_path: Path, tensors: dict[str, np.ndarray | None], why: str) -> None:
    with pytest.raises(TrainingError, match=why) as caught:
        base.load(tiny_gguf.write(tmp_path / "tiny.gguf", tensors=tensors))
    assert caught.value.code == "bad_base"


@pytest.mark.parametrize(
    "metadata",
    [
        {"block_count": 0},
        {"attention.head_count": 0},
        {"attention.head_count": 5},
        {"attention.head_count_kv": 3},
        {"attention.layer_norm_rms_epsilon": float("nan")},
        {"rope.freq_base": -1.0},
        {"embedding_length": 2**31},
        {"block_count": "two"},
        {"attention.head_count": 3.5},
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path: Path, metadata: dict[str, float | int | str]) -> None:
    with pytest.raises(TrainingError) as caught:
        base.load(tiny_gguf.write(tmp_path / "tiny.gguf", metadata=metadata))
    assert caught.value.code in ("bad_base", "unsupported_architecture")


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path, tiny: Path) -> None:
    whole = tiny.read_bytes()
    cut = tmp_path / "cut.gguf"
    for length in (0, 3, 4, 20, 100, 500, 1_500, 3_000, len(whole) // 2, len(whole) - 40):
        cut.write_bytes(whole[:length])
        with pytest.raises(TrainingError) as caught:
            base.load(cut)
        assert caught.value.code == "bad_base", length


def test_the_default_models_shape(default: Path) -> None:
    found = shape.read(default)
    assert (found.layers, found.width, found.heads, found.kv_heads, found.head_size) == (30, 576, 9, 3, 64)
    assert found.rope_base == 100_000
