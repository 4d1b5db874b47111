"""A grown model computes what the small one did, until it is trained."""

from __future__ import annotations

import dataclasses

import torch

from training.causal import new_model
from training.growth import grown
from training.loop import set_up
from training.recipe import ModelRecipe
from training.tokenizer import build_tokenizer

SMALL = ModelRecipe(hidden=32, layers=3, heads=2, inner=48, context=64)


def test_it_begins_as_the_small_one() -> None:
    set_up(0)
    words = build_tokenizer(64, ["What is 3 + 4?"], size=300)
    small = new_model(SMALL, words).eval()
    large = grown(small, dataclasses.replace(SMALL, layers=8), words).eval()
    ids = torch.arange(20)[None] + 5
    with torch.no_grad():
        assert torch.allclose(small(ids).logits, large(ids).logits, atol=1e-5)
    assert sum(one.numel() for one in large.parameters()) > sum(one.numel() for one in small.parameters())


def test_all_of_it_can_learn() -> None:
    set_up(0)
    words = build_tokenizer(64, ["What is 3 + 4?"], size=300)
    large = grown(new_model(SMALL, words), dataclasses.replace(SMALL, layers=8), words)
    large(torch.arange(20)[None] + 5).logits.float().logsumexp(-1).sum().backward()
    outputs = [layer.mlp.down_proj.weight.grad for layer in large.model.layers]
    assert all(grad is not None and bool(grad.abs().sum() > 0) for grad in outputs)
