"""A GGUF that says by heart what it is given: each token is followed by the one that the script names, whatever came
before. It is a real model to llama.cpp, with the default model's tokenizer, whose tokens cut the tags into pieces.

`write(path, OPENED, template=OPENS, …)` thinks first, after a template that opens <think> itself, as DeepSeek R1's.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from playground.engine.training.reader import Reader
from tests.fakes import tiny_gguf
from tests.fakes.tiny_gguf import HIDDEN, LAYERS, WIDTH

END = "<|im_end|>"
LINE = "Ċ"

#: In the vocabulary's own spelling: Ġ is a space, Ċ a line break. No token may stand in a script twice.
OPENED = (LINE, "Two", "Ġplus", "Ġtwo", "</", "think", ">", "ĊĊ", "Four", ".", END)
ITSELF = (LINE, "<", "th", "ink", ">.", "Let", "Ġme", "Ġsee", "</", "think", ">", "ĊĊ", "Four", END)
PLAIN = (LINE, "Four", "Ġ<", "think", ">", "Ġtwo", END)

_TURNS = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}"
    "{% if '</think>' in message.content %}{{ message.content.split('</think>')[-1] }}"
    "{% else %}{{ message.content }}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
)
#: As DeepSeek R1's: the thinking is opened for the model, whatever is asked.
OPENS = _TURNS + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"
#: As Qwen 3's: the model opens it itself, and finds it closed where it is not to think.
LEAVES = _TURNS + (
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    "{% endif %}"
)


def write(path: Path, script: Sequence[str], *, template: str, tokenizer_of: Path) -> Path:
    """Returns `path`. After the script's last token nothing in particular follows: let it be the end."""
    names = {name: at for at, name in enumerate(Reader(tokenizer_of).fields["tokenizer.ggml.tokens"].contents())}
    ids = [names[name] for name in script]
    embeddings, output = np.zeros((2, len(names), WIDTH))
    for step, (token, following) in enumerate(itertools.pairwise(ids)):
        embeddings[token, step] = 1.0
        output[following, step] = 40.0
    still: dict[str, Any] = {"output_norm.weight": np.ones(WIDTH)}
    for layer in range(LAYERS):  # nothing is added to what the token says
        still[f"blk.{layer}.attn_output.weight"] = np.zeros((WIDTH, WIDTH))
        still[f"blk.{layer}.ffn_down.weight"] = np.zeros((WIDTH, HIDDEN))
    return tiny_gguf.write(
        path,
        tied=False,
        tokenizer_of=tokenizer_of,
        context=2_048,
        metadata={"tokenizer.chat_template": template},
        tensors={"token_embd.weight": embeddings, "output.weight": output, **still},
    )
