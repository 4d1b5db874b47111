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
class Base:
    policy: Any
    """A `LlamaForCausalLM`: the early snapshot."""
    strong: Any
    """A `LlamaForCausalLM`: the end of the base."""
    policy_step: int


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
        attn_implementation="eager",
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


def train_base(recipe: Recipe, train_set: Sequence[Example], validation: Sequence[Example], tokenizer: Any) -> Base:
    model = new_model(recipe.model, tokenizer)
    base = recipe.base
    rows = {
        level: language_rows([example for example in train_set if example.level == level], tokenizer)
        for level in LEVELS
    }
    chooser = _Chooser(model, validation, tokenizer, base)
    stream = staged_batches(rows, base.stages, base.steps, base.batch_tokens, recipe.seed)
    schedule = Schedule(base.steps, base.matrix_rate, base.other_rate)
    train(model, stream, lambda batch: language_loss(model, batch), schedule, name="base", after_step=chooser.look)
    return Base(chooser.chosen(), model.eval(), chooser.step)


def pass_rates(model: Any, examples: Sequence[Example], tokenizer: Any, temperature: float) -> Mapping[int, float]:
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
    return (chosen * kept).sum(-1).exp().tolist()


class _Chooser:
    """Keeps the first snapshot that is good enough."""

    def __init__(self, model: Any, validation: Sequence[Example], tokenizer: Any, recipe: BaseRecipe) -> None:
        self._model, self._validation, self._tokenizer, self._recipe = model, validation, tokenizer, recipe
        self._snapshot: Any = None
        self.step = 0

    def look(self, step: int) -> None:
        if self._snapshot is not None or (step % self._recipe.snapshot_every and step != self._recipe.steps):
            return
        self._model.eval()
        rates = pass_rates(self._model, self._validation, self._tokenizer, self._recipe.temperature)
        self._model.train()
        mean = sum(rates.values()) / len(rates)
        shown = " ".join(f"{level}: {rate:.2f}" for level, rate in rates.items())
        say(f"base: after {step} steps pass@1 {mean:.3f} ({shown})")
        if mean >= self._recipe.policy_pass_rate or step == self._recipe.steps:
            self._snapshot, self.step = copy.deepcopy(self._model).eval(), step

    def chosen(self) -> Any:
        return self._snapshot
