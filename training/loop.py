"""The training loop: one thread, bfloat16 autocast, a trapezoid learning rate, matrices by Muon and the rest by AdamW.

Law: the same model, batches and settings give the same weights, bit for bit, on the same machine and versions, also
when the run was killed on the way and started again.
Muon: Jordan et al., 2024 (orthogonalised momentum); it needs about half the tokens that AdamW does at this size.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from training.checkpoints import Checkpoints
from training.progress import say

if TYPE_CHECKING:
    import torch

    from training.data import Batch

    Loss = Callable[[Batch], torch.Tensor]

LOOK_EVERY = 50
"""Steps between two lines of the log."""


@dataclass(frozen=True, slots=True)
class Schedule:
    steps: int
    matrix_rate: float = 0.02
    """Learning rate of Muon (for weight matrices)."""
    other_rate: float = 0.003
    """Learning rate of AdamW (for embeddings, norms and heads)."""
    matrix_decay: float = 0.0
    """Weight decay of Muon, as a share of the learning rate: it bounds the matrices, which otherwise grow for ever."""
    warmup: int = 50
    decay: float = 0.5
    """The last share of the steps, over which the rate falls to zero."""
    save_every: int = 500
    """Steps between two checkpoints."""

    def factor(self, step: int) -> float:
        """The learning rate at `step` as a share of its peak."""
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return min(1.0, (step + 1) / max(1, self.warmup), left)


class Follower(Protocol):
    """Something that goes along with a run and is checkpointed with it."""

    def after_step(self, step: int) -> None:
        """`step` steps are done."""

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


class Nobody:
    """Follows no run."""

    def after_step(self, step: int) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


@dataclass(frozen=True)
class Ended:
    seconds: float
    """Time spent training, over all starts of the run."""
    tokens: int
    """Positions that went through the model, padding included."""
    losses: list[tuple[int, float]] = field(default_factory=list)
    """(step, loss of that step's batch), now and then."""


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
        if weight.requires_grad:
            hidden = weight.ndim == 2 and "embed" not in name and "head" not in name and "score" not in name
            (matrices if hidden else others).append(weight)
    muon = torch.optim.Muon(matrices, lr=schedule.matrix_rate, momentum=0.95, weight_decay=schedule.matrix_decay)
    adam = torch.optim.AdamW(others, lr=schedule.other_rate, betas=(0.9, 0.98), weight_decay=0.0)
    return [muon, adam]


def train(
    model: torch.nn.Module,
    batches: Iterable[Batch],
    loss: Loss,
    schedule: Schedule,
    *,
    name: str,
    checkpoint: Path | None = None,
    follower: Follower | None = None,
) -> Ended:
    """Trains in place for `schedule.steps` batches. With `checkpoint` it goes on from where that file was written.

    Raises ConfigurationError when the checkpoint can't be read or written, ValueError when the batches end too soon.
    """
    run = _Run(model, schedule, follower or Nobody(), None if checkpoint is None else Checkpoints(checkpoint), name)
    run.resume()
    model.train()
    for batch in itertools.islice(batches, run.step, schedule.steps):
        run.take(batch, loss)
    if run.step < schedule.steps:
        raise ValueError(f"{name}: the batches ended at step {run.step} of {schedule.steps}")
    return run.end()


class _Run:
    def __init__(
        self, model: torch.nn.Module, schedule: Schedule, follower: Follower, kept: Checkpoints | None, name: str
    ) -> None:
        self._model, self._schedule, self._follower, self._kept, self._name = model, schedule, follower, kept, name
        self._tools = optimisers(model, schedule)
        self._peaks = [group["lr"] for tool in self._tools for group in tool.param_groups]
        self._losses: list[tuple[int, float]] = []
        self._before, self._tokens, self.step = 0.0, 0, 0
        self._began = time.monotonic()

    def resume(self) -> None:
        found = self._kept.load() if self._kept else None
        if found is None:
            return
        self._model.load_state_dict(found["model"])
        for tool, state in zip(self._tools, found["optimisers"], strict=True):
            tool.load_state_dict(state)
        self._follower.restore(found["follower"])
        self.step, self._tokens, self._before = found["step"], found["tokens"], found["seconds"]
        self._losses = [tuple(pair) for pair in json.loads(found["losses"])]
        say(f"{self._name}: goes on from step {self.step}")

    def take(self, batch: Batch, loss: Loss) -> None:
        import torch

        _set_rates(self._tools, self._peaks, self._schedule.factor(self.step))
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(batch)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for tool in self._tools:
            tool.step()
            tool.zero_grad()
        self.step += 1
        self._tokens += batch.ids.numel()
        if self.step % LOOK_EVERY == 0 or self.step in (1, self._schedule.steps):
            self._report(float(value.detach()))
        self._follower.after_step(self.step)
        if self.step % self._schedule.save_every == 0:
            self._save()

    def end(self) -> Ended:
        self._save()
        return Ended(self._seconds(), self._tokens, self._losses)

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._began

    def _report(self, loss: float) -> None:
        self._losses.append((self.step, round(loss, 5)))
        rate = self._tokens / self._seconds()
        say(f"{self._name}: step {self.step}/{self._schedule.steps}, loss {loss:.4f}, {rate:,.0f} tokens/s")

    def _save(self) -> None:
        if self._kept is not None:
            self._kept.save(
                {
                    "step": self.step,
                    "tokens": self._tokens,
                    "seconds": self._seconds(),
                    "losses": json.dumps(self._losses),
                    "model": self._model.state_dict(),
                    "optimisers": [tool.state_dict() for tool in self._tools],
                    "follower": self._follower.state(),
                }
            )


def _set_rates(tools: list[torch.optim.Optimizer], peaks: list[float], factor: float) -> None:
    groups = [group for tool in tools for group in tool.param_groups]
    for group, peak in zip(groups, peaks, strict=True):
        group["lr"] = peak * factor
