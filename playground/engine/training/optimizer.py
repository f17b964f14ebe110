"""How the gradients change the adapter: clipped, by AdamW, at a rate that warms up and decays."""

from __future__ import annotations

import math

import numpy as np

from playground.engine.training.base import Arrays

BETA_1, BETA_2, EPSILON, WEIGHT_DECAY = 0.9, 0.999, 1e-8, 0.01
"""PyTorch's own defaults of torch.optim.AdamW."""


def rate(step: int, *, total: int, peak: float, warmup_ratio: float) -> float:
    """The learning rate of step 1 … total: linear up to `peak`, then linear down, to nothing after the last step.

    As transformers' get_linear_schedule_with_warmup, but for the first step, which there has a rate of 0.
    """
    warm = math.ceil(warmup_ratio * total)
    if step <= warm:
        return peak * step / warm
    return peak * (total - step + 1) / (total - warm + 1)


def clip(gradients: Arrays, largest: float) -> float:
    """Scale all gradients together, in place, so that their norm is at most `largest`; the norm before.

    (Pascanu et al. 2013, arXiv 1211.5063, algorithm 1; the 1e-6 as in torch.nn.utils.clip_grad_norm_.)
    """
    norm = math.sqrt(sum(float(np.sum(np.square(gradient), dtype=np.float64)) for gradient in gradients.values()))
    if norm > largest:
        for gradient in gradients.values():
            gradient *= largest / (norm + 1e-6)
    return norm


class AdamW:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1) with weight decay beside the gradient and not in it
    (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2)."""

    def __init__(self, parameters: Arrays) -> None:
        self._parameters = parameters
        self._first = {name: np.zeros_like(array) for name, array in parameters.items()}
        self._second = {name: np.zeros_like(array) for name, array in parameters.items()}
        self.steps = 0

    def step(self, gradients: Arrays, rate: float) -> None:
        """In place: m = β₁ m + (1 − β₁) g,  v = β₂ v + (1 − β₂) g²,
        θ = θ − rate (λ θ + (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε))."""
        self.steps += 1
        unbias_1, unbias_2 = 1 - BETA_1**self.steps, 1 - BETA_2**self.steps
        for name, theta in self._parameters.items():
            gradient, first, second = gradients[name], self._first[name], self._second[name]
            first *= BETA_1
            first += (1 - BETA_1) * gradient
            second *= BETA_2
            second += (1 - BETA_2) * np.square(gradient)
            theta *= 1 - rate * WEIGHT_DECAY
            theta -= (rate / unbias_1) * first / (np.sqrt(second / unbias_2) + EPSILON)

    def state(self) -> Arrays:
        """Both moments, by names that begin with `first.` and `second.`."""
        return {f"first.{name}": array for name, array in self._first.items()} | {
            f"second.{name}": array for name, array in self._second.items()
        }

    def restore(self, state: Arrays, steps: int) -> None:
        self.steps = steps
        for name in self._parameters:
            self._first[name][...] = state[f"first.{name}"]
            self._second[name][...] = state[f"second.{name}"]
