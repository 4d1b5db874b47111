"""The training itself, by the Trainer of transformers: accelerate places it on what the machine has.

Law: the same rows, settings, versions and number of devices give the same steps in the same order; on a CPU a run that
was killed ends with the same bits as one that was not.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tqdm import tqdm  # type: ignore[import-untyped]
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from domain.errors import ConfigurationError
from training.artifacts.disk import RESERVE_BYTES
from training.hf.keeping import Keeper, drop_others, latest, seconds_of
from training.hf.plan import MicroBatch, plan
from training.hf.rows import IGNORED, Row
from training.hf.settings import Settings

Loss = Callable[..., torch.Tensor]
WARMUP_SHARE = 0.03
"""Of the steps; then the learning rate falls to zero on a straight line."""
QUIET_INTERVAL_S = 10.0
"""Between two lines of the progress bar where nobody watches."""


@dataclass(frozen=True)
class Fitted:
    losses: list[tuple[int, float]]
    """(step, mean loss of the step in nats a label)."""
    seconds: float
    devices: int


def fit(model: Any, rows: Sequence[Row], settings: Settings, work: Path, loss: Loss | None, title: str) -> Fitted:
    """Trains in place, from the last whole checkpoint in `work` on. Without `loss`, the model's own.

    Raises ConfigurationError when the loss is no number.
    """
    arguments = _arguments(settings, work)
    devices = arguments.world_size
    batches = plan([len(row) for row in rows], settings, devices)
    found = latest(work)
    if arguments.should_save:
        drop_others(work, found)
    keeper = Keeper(work, seconds_of(found))
    trainer = Trainer(
        model=model,
        args=_sized(arguments, len(batches), devices, settings),
        train_dataset=_Batches(rows, batches),
        data_collator=collate,
        compute_loss_func=loss,
        callbacks=[keeper, _Watch(title)],
    )
    trainer.remove_callback(PrinterCallback)
    with _said_in_one_line(work):
        trainer.train(resume_from_checkpoint=str(found) if found else None)
    history = [(int(entry["step"]), entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    return Fitted(history, keeper.seconds, devices)


@contextmanager
def _said_in_one_line(work: Path) -> Iterator[None]:
    """Turns the ways in which torch says that memory or disk are full into errors for users."""
    try:
        yield
    except torch.OutOfMemoryError:
        remedy = "lower --batch-size or --batch-tokens (and raise --accumulate), or train with --lora"
        raise ConfigurationError(f"the device has too little memory for this training: {remedy}") from None
    except (RuntimeError, SafetensorError) as error:
        if shutil.disk_usage(work).free > RESERVE_BYTES:
            raise
        remedy = "free some space and give the same command again"
        raise ConfigurationError(f"the disk of {work} is full ({type(error).__name__}): {remedy}") from None


def start_random(settings: Settings) -> None:
    """Fixed seeds for what is drawn before the training: a new head, an adapter."""
    set_seed(settings.seed)


def process_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
    """Soft binary cross-entropy of P(right) at the labelled positions, a mean over those of the whole step."""
    kept = labels != IGNORED  # [B, T]
    logs = outputs.logits[kept].float().log_softmax(-1)  # [labelled, 2]
    target = labels[kept].to(logs.dtype)
    total: torch.Tensor = -(target * logs[:, 1] + (1 - target) * logs[:, 0]).sum()
    count: torch.Tensor = kept.sum() if num_items_in_batch is None else num_items_in_batch
    return total / count


def collate(items: Sequence[Sequence[Row]]) -> dict[str, torch.Tensor]:
    """One padded micro-batch, [B, T] each; padding is on the right, masked and without a label."""
    rows = [row for item in items for row in item]
    width = max(len(row) for row in rows)

    def table(lists: Sequence[Sequence[float]], empty: float) -> torch.Tensor:
        return torch.tensor([[*values, *[empty] * (width - len(values))] for values in lists])

    return {
        "input_ids": table([row.ids for row in rows], 0),
        "attention_mask": table([[1] * len(row) for row in rows], 0),
        "labels": table([row.labels for row in rows], IGNORED),
    }


class _Batches(torch.utils.data.Dataset[list[Row]]):
    """The plan as a data set whose items are micro-batches: the Trainer reads it once, from the first to the last."""

    def __init__(self, rows: Sequence[Row], batches: Sequence[MicroBatch]) -> None:
        self._rows, self._batches = rows, batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> list[Row]:
        return [self._rows[at] for at in self._batches[index]]


class _Watch(TrainerCallback):
    """A progress bar on stderr, and an end to a run whose loss is no number."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        interval = 0.2 if sys.stderr.isatty() else QUIET_INTERVAL_S
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self._title,
            unit="step",
            mininterval=interval,
            disable=not state.is_world_process_zero,
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._bar.update(state.global_step - self._bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            self._bar.close()
            raise ConfigurationError(f"the loss of step {state.global_step} is no number: lower --learning-rate")
        self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._bar.close()


def _arguments(settings: Settings, work: Path) -> TrainingArguments:
    use_cpu = settings.device == "cpu"
    arguments = TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=1,  # of items, which are micro-batches
        gradient_accumulation_steps=settings.accumulate,
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        learning_rate=settings.rate,
        lr_scheduler_type="linear",
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=not use_cpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        seed=settings.seed,
        use_cpu=use_cpu,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=settings.save_every,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=not use_cpu and torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
    )
    _ = arguments.device
    arguments._n_gpu = min(1, arguments._n_gpu)  # several GPUs are for `accelerate launch`, not for DataParallel
    return arguments


def _sized(arguments: TrainingArguments, batches: int, devices: int, settings: Settings) -> TrainingArguments:
    steps = batches // (devices * settings.accumulate)
    arguments.warmup_steps = int(WARMUP_SHARE * steps)
    return arguments
