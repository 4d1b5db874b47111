"""The numbers of a training run that its user may choose; all others have the values of `training.hf.fitting`."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import InvalidRequest

FULL_RATE, LORA_RATE = 1e-5, 2e-4
"""Usual peaks of the learning rate for fine-tuning all weights, and for LoRA (arXiv 2106.09685)."""


@dataclass(frozen=True, slots=True)
class Settings:
    epochs: int = 1
    max_steps: int | None = None
    """Optimiser steps; instead of `epochs`."""
    batch_size: int = 8
    """Rows of a micro-batch on each device."""
    batch_tokens: int | None = None
    """Tokens of a micro-batch on each device, padding included; instead of `batch_size`."""
    accumulate: int = 1
    """Micro-batches of one step on each device."""
    learning_rate: float | None = None
    """Peak; None takes FULL_RATE, or LORA_RATE with LoRA."""
    seed: int = 0
    max_length: int | None = None
    """Tokens of the longest row; longer ones are left out, never cut. None: the model's context."""
    lora: int | None = None
    """Rank; None trains all weights."""
    keep_adapter: bool = False
    """Save the adapter alone instead of merging it into the weights."""
    save_every: int = 100
    """Steps between two checkpoints."""
    device: str = "auto"
    """`auto` is accelerate's choice; `cpu` stays off a GPU that is there."""

    def __post_init__(self) -> None:
        for name in ("epochs", "max_steps", "batch_size", "batch_tokens", "accumulate", "max_length", "save_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidRequest(f"{_flag(name)} {value} is too small: give 1 or more", param=name)
        if self.lora is not None and self.lora < 1:
            raise InvalidRequest(f"--lora {self.lora} is no rank: give 1 or more, for example 16", param="lora")
        if self.keep_adapter and self.lora is None:
            raise InvalidRequest("--keep-adapter needs an adapter: add --lora RANK", param="keep_adapter")
        if not 0 < self.rate < 1:
            raise InvalidRequest(f"--learning-rate {self.rate:g} must be above 0 and below 1", param="learning_rate")
        if self.device not in ("auto", "cpu"):
            raise InvalidRequest(f"--device {self.device} is not known: choose auto or cpu", param="device")

    @property
    def rate(self) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        return FULL_RATE if self.lora is None else LORA_RATE


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
