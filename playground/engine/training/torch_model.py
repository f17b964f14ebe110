"""A GGUF as a torch model with peft's LoRA on it, and how its adapter is laid out on either side.

transformers undoes the quantization (its modeling_gguf_pytorch_utils.py) and names things its own way; nothing is asked
of a hub. A name here is the GGUF's: `blk.3.attn_q.weight.lora_b`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.engine.training import extra
from playground.engine.training import shape as shapes
from playground.engine.training.base import Floats
from playground.engine.training.errors import TrainingError
from playground.engine.training.plan import Module, Plan
from playground.engine.training.shape import Shape

MODULES: Mapping[Module, str] = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""The same names in every architecture that is trained here."""


def load(plan: Plan, shape: Shape) -> Any:
    """The peft model, ready to learn: float32 on a CPU; on a GPU the base in bfloat16 and the adapter in float32.

    Raises TrainingError: missing_extra, bad_base, unsupported_architecture.
    """
    extra.check()
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false")
    # What these libraries print is none of the worker's lines.
    with contextlib.redirect_stdout(sys.stderr):
        return _loaded(plan, shape)


def _loaded(plan: Plan, shape: Shape) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.set_num_threads(plan.threads)
    device = best_device()
    try:
        numbers = AutoConfig.from_pretrained(plan.base.parent, gguf_file=plan.base.name)
        numbers.head_dim = shape.head_size  # of some architectures transformers does not read it
        base = AutoModelForCausalLM.from_pretrained(
            plan.base.parent,
            gguf_file=plan.base.name,
            config=numbers,
            dtype=torch.bfloat16 if device == "cuda" else torch.float32,
            attn_implementation="sdpa",
        )
    except (ValueError, KeyError, TypeError, RuntimeError, OSError, NotImplementedError) as exc:
        raise TrainingError(
            "bad_base", f"transformers cannot read this model file ({type(exc).__name__}).", param="model"
        ) from exc
    base.config.use_cache = False
    _scale_positions(base, plan, shape)
    config = LoraConfig(
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=[MODULES[module].rpartition(".")[2] for module in plan.targets],
        layers_to_transform=list(range(plan.first_layer, shape.layers)),
    )
    return get_peft_model(base, config).to(device).eval()


def best_device() -> str:
    """A GPU when torch sees one."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _scale_positions(base: Any, plan: Plan, shape: Shape) -> None:
    """transformers' reader drops what divides the rotary frequencies: linear scaling, and Llama 3's `rope_freqs`."""
    import torch

    from playground.engine.training.reader import Reader

    tensors = {tensor.name: tensor for tensor in Reader(plan.base).tensors}
    factors = np.full(shape.head_size // 2, shape.rope_scale, np.float32)
    if "rope_freqs.weight" in tensors:
        factors *= np.asarray(tensors["rope_freqs.weight"].data, np.float32).reshape(-1)
    if (factors == 1).all():
        return
    rotary = base.model.rotary_emb
    if shape.architecture != "llama" or rotary.inv_freq.shape != factors.shape:
        raise shapes.unsupported("its positions are scaled in a way of their own", "torch")
    rotary.inv_freq /= torch.from_numpy(factors)
    rotary.original_inv_freq = rotary.inv_freq


def parameters(model: Any, plan: Plan, shape: Shape) -> dict[str, Any]:
    """The tensors that learn, by their GGUF names."""
    layers = model.base_model.model.model.layers
    found = {}
    for layer in range(plan.first_layer, shape.layers):
        for module in plan.targets:
            linear = layers[layer].get_submodule(MODULES[module])
            name = f"blk.{layer}.{module}.weight"
            found[f"{name}.lora_a"] = linear.lora_A["default"].weight
            found[f"{name}.lora_b"] = linear.lora_B["default"].weight
    return found


def rows(name: str, shape: Shape) -> NDArray[np.intp] | None:
    """Which of transformers' rows stands at each place of the GGUF's; None where the order is the same.

    llama.cpp rotates neighbours in a head, transformers the first half with the second: of the Llama architecture
    convert_hf_to_gguf.py reorders q and k (`permute`), and with them the rows of their B. A is on the other side.
    """
    module = name.split(".")[2]
    if shape.architecture != "llama" or not name.endswith("lora_b") or module not in ("attn_q", "attn_k"):
        return None
    heads = shape.heads if module == "attn_q" else shape.kv_heads
    order = np.arange(heads * shape.head_size).reshape(heads, 2, shape.head_size // 2)
    return order.swapaxes(1, 2).reshape(-1)


def to_gguf(name: str, array: Floats, shape: Shape) -> Floats:
    """An adapter's or a gradient's array as llama.cpp lays it out."""
    order = rows(name, shape)
    return array if order is None else array[order]


def from_gguf(name: str, array: Floats, shape: Shape) -> Floats:
    order = rows(name, shape)
    if order is None:
        return array
    back = np.empty_like(array)
    back[order] = array
    return back
