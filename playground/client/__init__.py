"""Every model server through one door: the official SDK, its streams as `StreamEvent`s, its failures as our errors.

Only this package imports `openai`.
"""

from playground.client.client import Client

__all__ = ["Client"]
