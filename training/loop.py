"""The training loop: one thread, bfloat16 autocast, a trapezoid learning rate, matrices by Muon and the rest by AdamW.

Law: the same model, batches and settings give the same weights, bit for bit, on the same machine and versions.
Muon: Jordan et al., 2024 (orthogonalised momentum); it needs about half the tokens that AdamW does at this size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.progress import say

if TYPE_CHECKING:
    import torch

    from training.data import Batch

    Loss = Callable[[Batch], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Schedule:
    steps: int
    matrix_rate: float = 0.02
    """Learning rate of Muon (for weight matrices)."""
    other_rate: float = 0.003
    """Learning rate of AdamW (for embeddings, norms and heads)."""
    warmup: int = 50
    decay: float = 0.5
    """The last share of the steps, over which the rate falls to zero."""

    def factor(self, step: int) -> float:
        """The learning rate at `step` as a share of its peak."""
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return min(1.0, (step + 1) / max(1, self.warmup), left)


def set_up(seed: int) -> None:
    """One thread and fixed seeds. Two threads on shared cores are many times slower than one."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


def optimisers(model: torch.nn.Module, schedule: Schedule) -> list[torch.optim.Optimizer]:
    import torch

    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, weight in model.named_parameters():
        hidden = weight.ndim == 2 and "embed" not in name and "head" not in name and "score" not in name
        (matrices if hidden else others).append(weight)
    muon = torch.optim.Muon(matrices, lr=schedule.matrix_rate, momentum=0.95, weight_decay=0.0)
    adam = torch.optim.AdamW(others, lr=schedule.other_rate, betas=(0.9, 0.98), weight_decay=0.0)
    return [muon, adam]


def train(
    model: torch.nn.Module,
    batches: Iterable[Batch],
    loss: Loss,
    schedule: Schedule,
    *,
    name: str,
    after_step: Callable[[int], None] = lambda step: None,
) -> None:
    """Trains in place for `schedule.steps` batches; `after_step(n)` is called when n steps are done."""
    import torch

    tools = optimisers(model, schedule)
    peaks = [group["lr"] for tool in tools for group in tool.param_groups]
    model.train()
    began, tokens = time.monotonic(), 0
    for step, batch in zip(range(schedule.steps), batches, strict=False):
        _set_rates(tools, peaks, schedule.factor(step))
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(batch)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for tool in tools:
            tool.step()
            tool.zero_grad()
        tokens += batch.ids.numel()
        _report(name, step, schedule.steps, float(value.detach()), tokens / (time.monotonic() - began))
        after_step(step + 1)


def _set_rates(tools: list[torch.optim.Optimizer], peaks: list[float], factor: float) -> None:
    groups = [group for tool in tools for group in tool.param_groups]
    for group, peak in zip(groups, peaks, strict=True):
        group["lr"] = peak * factor


def _report(name: str, step: int, steps: int, loss: float, rate: float) -> None:
    if step % 50 == 0 or step + 1 == steps:
        say(f"{name}: step {step + 1}/{steps}, loss {loss:.4f}, {rate:,.0f} tokens/s")
