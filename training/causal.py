"""Small causal language models from nothing: architecture, rows, loss.

Law: only solution tokens carry a loss; what follows a prompt never depends on how the prompt's end was tokenised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inference.prompts import prompt_ids, text_ids
from training.data import IGNORED, Batch, Row, language_row
from training.problems.generator import GeneratedProblem
from training.recipe import ModelRecipe

if TYPE_CHECKING:
    import torch


def new_model(recipe: ModelRecipe, tokenizer: Any) -> Any:
    """A randomly initialised `Qwen3ForCausalLM`.

    Its queries and keys are normalised. Without that (a Llama) attention saturates under Muon as the weights grow, and
    learning stands still from about 5 M tokens on.
    """
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        head_dim=recipe.hidden // recipe.heads,
        max_position_embeddings=recipe.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        # For training: sequences are short, and the fused CPU kernel's backward pass is three times slower here.
        attn_implementation="eager",  # type: ignore[call-arg]
    )
    return Qwen3ForCausalLM(config)


def loaded(recipe: ModelRecipe, tokenizer: Any, weights: dict[str, torch.Tensor]) -> Any:
    """A model with these weights; the output layer is the embedding."""
    import torch

    model = new_model(recipe, tokenizer)
    tied = {"lm_head.weight": weights["model.embed_tokens.weight"]}
    model.load_state_dict({name: weight.to(torch.float32) for name, weight in (weights | tied).items()})
    return model


def solution_row(tokenizer: Any, problem: str, solution: str, attempts: Sequence[str] = ()) -> Row:
    return language_row(prompt_ids(tokenizer, problem, attempts), text_ids(tokenizer, solution), tokenizer.eos_token_id)


def language_rows(problems: Sequence[GeneratedProblem], tokenizer: Any) -> list[Row]:
    return [solution_row(tokenizer, item.problem, item.solution) for item in problems]


def language_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the next token over the positions that have one."""
    from torch.nn import functional

    hidden = model.model(batch.ids, use_cache=False).last_hidden_state
    kept = batch.next_tokens != IGNORED
    return functional.cross_entropy(model.lm_head(hidden[kept]).float(), batch.next_tokens[kept])
