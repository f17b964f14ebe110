"""llama.cpp as it comes, without the engine around it: what a GGUF and its adapters answer there."""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import xllamacpp

CERTAIN = 1_000.0
NEUTRAL = {"samplers": ["temperature"], "temperature": 0.0, "cache_prompt": False}


class PlainLlama:
    """A server over the GGUF at `path`. Its adapters are off; `adapter=0` switches the first on for one question."""

    def __init__(self, path: Path, adapters: Sequence[Path] = ()) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.verbosity, params.cache_ram_mib = 512, 1, 0, 0
        params.hostnames, params.port = ["127.0.0.1"], _free_port()
        # Keys and values as exact as the trainer has them; by default llama.cpp rounds them to 16 bits.
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        loaded = []
        for file in adapters:
            info = xllamacpp.CommonAdapterLoraInfo()
            info.path, info.scale = str(file), 0.0
            loaded.append(info)
        params.lora_adapters = loaded
        self._count = len(loaded)
        self._server = xllamacpp.Server(params)
        self._http = httpx.Client(base_url=self._server.listening_address, timeout=60, trust_env=False)

    @property
    def port(self) -> int:
        return int(self._server.listening_address.rpartition(":")[2])

    def write(self, prompt: Sequence[int], count: int, adapter: int | None = None, *, on: bool = False) -> list[int]:
        """The `count` likeliest next tokens, one after another; `on`: also where the answer would end."""
        answer = self._ask(prompt, adapter, n_predict=count, return_tokens=True, ignore_eos=on)
        tokens: list[int] = answer["tokens"]
        return tokens

    def logprob(self, prompt: Sequence[int], token: int, adapter: int | None = None) -> float:
        """How likely `token` is to come next (log), as it was before it was made certain; nan where llama.cpp leaves it
        out, as it does an end token and a part of a character."""
        bias = [[token, CERTAIN]]
        answer = self._ask(prompt, adapter, n_predict=1, n_probs=1, logit_bias=bias)
        said = answer.get("completion_probabilities") or []
        return float(said[0]["logprob"]) if said else math.nan

    def top(self, prompt: Sequence[int], count: int, adapter: int | None = None) -> dict[int, float]:
        """The log-probabilities of the `count` likeliest next tokens."""
        # Any plain letter is generated, for what ends a generation has no list beside it.
        bias = [[self._letter(), CERTAIN]]
        answer = self._ask(prompt, adapter, n_predict=1, n_probs=count, logit_bias=bias)
        return {said["id"]: said["logprob"] for said in answer["completion_probabilities"][0]["top_logprobs"]}

    def _letter(self) -> int:
        return int(self._post("/tokenize", {"content": "x"})["tokens"][0])

    def _ask(self, prompt: Sequence[int], adapter: int | None, **more: Any) -> dict[str, Any]:
        lora = [{"id": i, "scale": float(i == adapter)} for i in range(self._count)]
        return self._post("/completion", {**NEUTRAL, "prompt": list(prompt), "lora": lora, **more})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()
        return data

    def close(self) -> None:
        self._http.close()
        del self._server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
