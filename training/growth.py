"""A deeper model that begins as a trained one: layers are added that change nothing until they are trained.

The added layers' output projections are zero, so that the residual stream passes through them (as in Chen et al.,
Net2Net, arXiv 1511.05641, for residual networks). Law: untrained, the grown model computes what the old one did.
"""

from __future__ import annotations

from typing import Any

from training.causal import new_model
from training.recipe import ModelRecipe

OUTPUTS = ("self_attn.o_proj.weight", "mlp.down_proj.weight")


def grown(model: Any, recipe: ModelRecipe, tokenizer: Any) -> Any:
    """`recipe` is the model's own but for more layers; the old ones are spread evenly among the new."""
    import torch

    old, deeper = model.model.layers, new_model(recipe, tokenizer)
    deeper.model.embed_tokens.load_state_dict(model.model.embed_tokens.state_dict())
    deeper.model.norm.load_state_dict(model.model.norm.state_dict())
    for at, layer in enumerate(deeper.model.layers):
        source, is_first = _source(at, len(old), recipe.layers)
        layer.load_state_dict(old[source].state_dict())
        if not is_first:
            with torch.no_grad():
                for name in OUTPUTS:
                    layer.get_parameter(name).zero_()
    return deeper


def _source(at: int, old: int, new: int) -> tuple[int, bool]:
    """Which old layer the new one at `at` is a copy of, and whether it is the copy that works at once."""
    source = at * old // new
    return source, at == 0 or (at - 1) * old // new != source
