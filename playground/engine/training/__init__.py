"""Supervised LoRA fine-tuning of a Llama-architecture GGUF, on the CPU, in NumPy, with a backward written by hand.

`python -m playground.engine.training JOB_DIR` is the worker. Read from tokens to adapter:

    plan         what is to be done: plan.json, with every number final
    examples     train.jsonl → arrays; which examples make which batch
    shape        the model's numbers, from its GGUF's header, and what of them is not trained here
    base         the model's weights as float32
    lora         the matrices that learn: how they begin, and the adapter's GGUF
    operations   RMSNorm, RoPE, attention, SwiGLU, cross-entropy: each formula, and beside it its derivative
    layer        one transformer block, forward and backward
    network      embedding, blocks, output head; the loss and its gradients
    optimizer    clipping, AdamW, the learning rate's schedule
    learner      what a trainer must be able to do (Learner), and this one
    torch_learner, torch_model   the other one: torch, transformers and peft, for larger models and GPUs
    extra        is that one installed?
    metrics      loss, accuracies, exact match
    classification   the legacy API's classification columns
    validation   the validation set, whole or in part
    loop         steps, validations, checkpoints, an end before time
    worker       a job's folder → all of these, put together
    checkpoints  what is kept to go on exactly from a step
    curve        results.csv
    memory       what a job needs, and how a batch is cut so that it fits
    merge        base and adapter as one GGUF
    errors       why a job failed: OpenAI's code, and what to do
    __main__     the worker: one line of JSON on stdout for everything that happens; pauses at SIGTERM

`plan`, `shape`, `memory` and `errors` need no NumPy: whoever starts jobs may import them. Arrays are float32 all along:
beside a Python number NumPy 2 leaves a float32 array as it is, beside a np.float64 it makes float64 of it.
"""
