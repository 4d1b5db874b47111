"""The verifier: the strong base with a two-class head on every token, read at the separator after each step.

Law: the score of a step is the probability that everything up to and with it is right. The loss is taken at every token
of the solution and once more at the ends of steps: told only at the ends, a small model learns how hard a problem is
instead of whether the working is right.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from domain.moves import STEP_SEPARATOR
from training.data import IGNORED, Batch, Row, batches
from training.labels import verdict_row
from training.loop import Schedule, set_up, train
from training.problems.arithmetic import Example
from training.problems.corruption import corrupted
from training.recipe import Recipe

if TYPE_CHECKING:
    import torch

END_WEIGHT = 1.0
"""Weight of the loss at the ends of steps beside the loss at every token."""


def new_verifier(strong: Any, extra_layers: int) -> Any:
    """A two-label `LlamaForTokenClassification`: the weights of a `LlamaForCausalLM`, and `extra_layers` on top.

    What the base expects next is known in its last layer only, so that no layer of its own can compare it with what was
    written. The extra layers can. They begin as the identity: the verifier starts out knowing all that the base knows.
    """
    import torch
    from transformers import LlamaForTokenClassification

    changes = {
        "architectures": None,
        "num_labels": 2,
        "num_hidden_layers": strong.config.num_hidden_layers + extra_layers,
    }
    config = type(strong.config)(**strong.config.to_dict() | changes)
    config.id2label, config.label2id = {0: "wrong", 1: "right"}, {"wrong": 0, "right": 1}
    config.step_separator = STEP_SEPARATOR
    config._attn_implementation = "eager"
    verifier = LlamaForTokenClassification(config)  # type: ignore[no-untyped-call]
    verifier.model.load_state_dict(strong.model.state_dict(), strict=extra_layers == 0)
    for layer in verifier.model.layers[strong.config.num_hidden_layers :]:
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
        torch.nn.init.zeros_(layer.mlp.down_proj.weight)
    return verifier


def planted_rows(examples: Sequence[Example], tokenizer: Any, seed: int) -> list[Row]:
    """For each example its own solution and one with a planted error."""
    rng = random.Random(f"planted/{seed}")
    rows = []
    for example in examples:
        wrong = corrupted(example.problem, rng)
        rows += [verdict_row(tokenizer, example.problem, text, example.solution) for text in (example.solution, wrong)]
    return rows


def verdict_loss(verifier: Any, batch: Batch, language_weight: float) -> torch.Tensor:
    """Cross-entropy of the verdicts, and of the next token (through the tied embedding) where all so far is right."""
    from torch.nn import functional

    hidden = verifier.model(batch.ids, use_cache=False).last_hidden_state
    scores = verifier.score(hidden).float()
    every, ends = batch.verdicts != IGNORED, batch.steps
    loss = functional.cross_entropy(scores[every], batch.verdicts[every])
    loss = loss + END_WEIGHT * functional.cross_entropy(scores[ends], batch.verdicts[ends])
    kept = batch.next_tokens != IGNORED
    logits = functional.linear(hidden[kept], verifier.model.embed_tokens.weight).float()
    return loss + language_weight * functional.cross_entropy(logits, batch.next_tokens[kept])


def train_verifier(recipe: Recipe, strong: Any, rows: Sequence[Row]) -> Any:
    """`rows`: sampled and planted solutions together."""
    set_up(recipe.seed)  # a base that was kept from an earlier run has drawn no random numbers in this one
    numbers = recipe.verifier
    verifier = new_verifier(strong, numbers.extra_layers)
    stream = itertools.chain.from_iterable(
        batches(rows, numbers.batch_tokens, recipe.seed + epoch) for epoch in itertools.count()
    )
    schedule = Schedule(numbers.steps, numbers.matrix_rate, numbers.other_rate)

    def loss(batch: Batch) -> Any:
        return verdict_loss(verifier, batch, numbers.language_weight)

    train(verifier, stream, loss, schedule, name="verifier")
    return verifier.eval()
