"""The base model, and the policy that is an early snapshot of it.

Law: the policy is the first snapshot whose pass@1 on the validation problems reaches the recipe's, so that search has
something left to gain; the end of the base knows more, and the verifier starts from there.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.prompts import prompt_ids, text_ids
from training.curriculum import staged_batches
from training.data import IGNORED, Batch, Row, language_row, stack
from training.loop import Schedule, train
from training.problems.arithmetic import LEVELS, Example
from training.progress import say
from training.recipe import BaseRecipe, ModelRecipe, Recipe

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Snapshot:
    step: int
    rates: dict[int, float]
    """Expected pass@1 of each level on the validation problems."""
    weights: dict[str, torch.Tensor]
    """Average of the latest weights: it stands for a run that ends here, without the noise of a high learning rate."""

    @property
    def mean_rate(self) -> float:
        return sum(self.rates.values()) / len(self.rates)


@dataclass(frozen=True)
class Base:
    snapshots: list[Snapshot]
    """From the first to the last one."""
    strong: dict[str, torch.Tensor]
    """Weights at the end of the base."""

    def policy(self, pass_rate: float) -> Snapshot:
        """The first snapshot that reaches `pass_rate`; the last one when none does."""
        return next((item for item in self.snapshots if item.mean_rate >= pass_rate), self.snapshots[-1])


def new_model(recipe: ModelRecipe, tokenizer: Any) -> Any:
    """A randomly initialised `LlamaForCausalLM`."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=recipe.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        # For training: sequences are short, and the fused CPU kernel's backward pass is three times slower here.
        attn_implementation="eager",  # type: ignore[call-arg]
    )
    return LlamaForCausalLM(config)


def language_rows(examples: Sequence[Example], tokenizer: Any) -> list[Row]:
    end = tokenizer.eos_token_id
    return [
        language_row(prompt_ids(tokenizer, item.problem), text_ids(tokenizer, item.solution), end) for item in examples
    ]


def language_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the next token over the positions that have one."""
    from torch.nn import functional

    hidden = model.model(batch.ids, use_cache=False).last_hidden_state
    kept = batch.next_tokens != IGNORED
    return functional.cross_entropy(model.lm_head(hidden[kept]).float(), batch.next_tokens[kept])


def loaded(recipe: ModelRecipe, tokenizer: Any, weights: Mapping[str, torch.Tensor]) -> Any:
    """A `LlamaForCausalLM` with these weights, ready to write."""
    model = new_model(recipe, tokenizer)
    model.load_state_dict(dict(weights))
    return model.eval()


def train_base(recipe: Recipe, train_set: Sequence[Example], validation: Sequence[Example], tokenizer: Any) -> Base:
    model, base = new_model(recipe.model, tokenizer), recipe.base
    rows = {
        level: language_rows([example for example in train_set if example.level == level], tokenizer)
        for level in LEVELS
    }
    album = _Album(model, validation, tokenizer, base)
    stream = staged_batches(rows, base.stages, base.steps, base.batch_tokens, recipe.seed)
    schedule = Schedule(base.steps, base.matrix_rate, base.other_rate)
    train(model, stream, lambda batch: language_loss(model, batch), schedule, name="base", after_step=album.look)
    return Base(album.snapshots, model.state_dict())


def pass_rates(model: Any, examples: Sequence[Example], tokenizer: Any, temperature: float) -> dict[int, float]:
    """Expected pass@1 of each level: the mean probability that sampling writes the worked solution.

    A lower bound of the true pass@1, and nearly equal to it, since the format has one right working for a problem.
    """
    by_level: dict[int, list[float]] = defaultdict(list)
    for start in range(0, len(examples), 100):
        part = examples[start : start + 100]
        for example, chance in zip(part, _chances(model, language_rows(part, tokenizer), temperature), strict=True):
            by_level[example.level].append(chance)
    return {level: math.fsum(values) / len(values) for level, values in sorted(by_level.items())}


def _chances(model: Any, rows: Sequence[Row], temperature: float) -> list[float]:
    import torch

    batch = stack(rows)
    kept = batch.next_tokens != IGNORED
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = model(batch.ids, use_cache=False).logits.float()
    chosen = (logits / temperature).log_softmax(-1).gather(-1, batch.next_tokens.clamp_min(0)[..., None])[..., 0]
    return [float(chance) for chance in (chosen * kept).sum(-1).exp()]


class _Album:
    """Keeps a moving average of the weights, and a snapshot of it now and then."""

    def __init__(self, model: Any, validation: Sequence[Example], tokenizer: Any, recipe: BaseRecipe) -> None:
        self._model, self._average = model, copy.deepcopy(model).eval()
        self._validation, self._tokenizer, self._recipe = validation, tokenizer, recipe
        self.snapshots: list[Snapshot] = []

    def look(self, step: int) -> None:
        self._follow(1.0 if step <= self._recipe.average_steps else 1.0 / self._recipe.average_steps)
        if step % self._recipe.snapshot_every == 0 or step == self._recipe.steps:
            rates = pass_rates(self._average, self._validation, self._tokenizer, self._recipe.temperature)
            weights = {name: weight.clone() for name, weight in self._average.state_dict().items()}
            self.snapshots.append(Snapshot(step, rates, weights))
            shown = " ".join(f"{level}: {rate:.2f}" for level, rate in rates.items())
            say(f"base: after {step} steps pass@1 {self.snapshots[-1].mean_rate:.3f} ({shown})")

    def _follow(self, share: float) -> None:
        import torch

        with torch.no_grad():
            for average, weight in zip(self._average.parameters(), self._model.parameters(), strict=True):
                average.lerp_(weight, share)
