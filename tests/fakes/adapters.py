"""Fine-tunes that nobody trained: random adapters, planted in a data folder as jobs that have succeeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from playground.engine.training import plan, shape
from playground.engine.tuning.jobs import Jobs


def write(path: Path, base: Path, *, seed: int, strength: float = 0.1, kind: type = np.float32) -> Path:
    """A LoRA adapter for what is trained of `base` unless asked otherwise, strong enough to change what it says."""
    random, model = np.random.default_rng(seed), shape.read(base)
    writer = GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", plan.ALPHA)
    for layer in range(plan.first_layer(model.layers), model.layers):
        for module in plan.TARGETS:
            rows, columns = model.matrix(module)
            a, b = random.normal(0, columns**-0.5, (plan.RANK, columns)), random.normal(0, strength, (rows, plan.RANK))
            writer.add_tensor(f"blk.{layer}.{module}.weight.lora_a", a.astype(kind))
            writer.add_tensor(f"blk.{layer}.{module}.weight.lora_b", b.astype(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def plant(data: Path, base: Path, model: str, *, seed: int, strength: float = 0.1, kind: type = np.float32) -> str:
    """A succeeded job with one checkpoint; its model's name."""
    (data / "jobs").mkdir(parents=True, exist_ok=True)
    jobs = Jobs(data / "jobs")
    record = jobs.create(
        model=model, training_file="file-x", validation_file=None, seed=seed, suffix=f"seed{seed}", asked={},
        hyperparameters={}, base_bytes=base.stat().st_size,
    )  # fmt: skip
    record.job |= {"status": "succeeded", "fine_tuned_model": record.model, "finished_at": record.job["created_at"]}
    record.step = 1
    name = f"{record.model}:ckpt-step-1"
    about = {"id": f"ftckpt-{seed}", "created_at": 1, "metrics": {"step": 1}, "object": "fine_tuning.job.checkpoint"}
    step = {"fine_tuned_model_checkpoint": name, "fine_tuning_job_id": record.id, "step_number": 1}
    record.checkpoints = [{**about, **step}]
    path = jobs.adapter(record, 1)
    path.parent.mkdir(parents=True)
    write(path, base, seed=seed, strength=strength, kind=kind)
    jobs.save(record)
    return record.model
