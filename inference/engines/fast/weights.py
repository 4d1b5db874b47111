"""The weights of a Llama-like model, laid out for few and large matrix products.

Law: the same function as the loaded model's, up to rounding. Queries, keys and values are one product, gate and up
another. The attention scale is folded into the queries, or into their norms where they have any. Head dimensions are
reordered so that the two halves that rotate together lie side by side (a rotation is then one complex product; scores
do not change).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_BASES = ("LlamaModel", "Qwen2Model", "Qwen3Model")
_ROPES = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings whose angles depend on the position only."""


@dataclass(frozen=True)
class Layer:
    """E: hidden size, I: intermediate size, Q and K: query and key heads, D: head size."""

    norm_in: Tensor
    """[E]"""
    qkv: Tensor
    """[E, (Q + 2K) · D]"""
    qkv_bias: Tensor | None
    head_norms: Tensor | None
    """[Q + K, D], of a model that normalises each query and key head (Qwen 3); queries first."""
    out: Tensor
    """[Q · D, E]"""
    norm_mlp: Tensor
    gate_up: Tensor
    """[E, 2I]"""
    down: Tensor
    """[I, E]"""


@dataclass(frozen=True)
class Weights:
    embedding: Tensor
    """[V, E]"""
    layers: tuple[Layer, ...]
    norm: Tensor
    head: Tensor
    """[E, V], or [E, labels] of a token classifier."""
    head_bias: Tensor | None
    query_heads: int
    key_heads: int
    head_size: int
    eps: float
    rotary: Any
    """The model's own rotary embedding."""

    @property
    def groups(self) -> int:
        """Query heads that share a key head."""
        return self.query_heads // self.key_heads


def why_not(model: Any) -> str | None:
    """What of this model the fast path does not cover; None when it covers it."""
    base: Any = getattr(model, "model", None)
    config = model.config
    if type(base).__name__ not in _BASES or not hasattr(base, "rotary_emb"):
        return f"the architecture {type(model).__name__}"
    if config.hidden_act != "silu":
        return f"the activation {config.hidden_act}"
    if getattr(base.rotary_emb, "rope_type", "default") not in _ROPES:
        return f"rotary embeddings of type {base.rotary_emb.rope_type}"
    if any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or ()):
        return "sliding windows"
    if any(part.bias is not None for layer in base.layers for part in _unbiased(layer)):
        return "biases beyond those of queries, keys and values"
    linear = all(type(part) is torch.nn.Linear for layer in base.layers for part in _unbiased(layer))
    return None if linear and type(_head(model)) is torch.nn.Linear else "weights that are not plain matrices"


def fused(model: Any) -> Weights:
    """From a loaded model that `why_not` has nothing against. Copies all matrices but the embedding."""
    config, base, head = model.config, model.model, _head(model)
    attention = base.layers[0].self_attn
    size = attention.head_dim
    with torch.inference_mode():
        return Weights(
            embedding=base.embed_tokens.weight.detach(),
            layers=tuple(_layer(layer, size) for layer in base.layers),
            norm=base.norm.weight.detach(),
            head=_matrix(head.weight),
            head_bias=None if head.bias is None else head.bias.detach(),
            query_heads=config.num_attention_heads,
            key_heads=config.num_key_value_heads,
            head_size=size,
            eps=config.rms_norm_eps,
            rotary=base.rotary_emb,
        )


def _layer(layer: Any, size: int) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    norms = _head_norms(attention, size)
    scale = attention.scaling if norms is None else 1.0
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    weights = [part.weight for part in parts]
    biases = [part.bias for part in parts]
    return Layer(
        norm_in=layer.input_layernorm.weight.detach(),
        qkv=_matrix(torch.cat([_paired(weights[0], size) * scale, _paired(weights[1], size), weights[2]])),
        qkv_bias=None
        if biases[0] is None
        else torch.cat([_paired(biases[0], size) * scale, _paired(biases[1], size), biases[2]]),
        head_norms=norms,
        out=_matrix(attention.o_proj.weight),
        norm_mlp=layer.post_attention_layernorm.weight.detach(),
        gate_up=_matrix(torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])),
        down=_matrix(mlp.down_proj.weight),
    )


def _head_norms(attention: Any, size: int) -> Tensor | None:
    if getattr(attention, "q_norm", None) is None:
        return None
    heads = [attention.q_proj.out_features // size, attention.k_proj.out_features // size]
    scaled = (attention.q_norm.weight * attention.scaling, attention.k_norm.weight)
    return torch.cat([_paired(weight, size).expand(count, -1) for weight, count in zip(scaled, heads, strict=True)])


def _paired(weight: Tensor, size: int) -> Tensor:
    """Rows (i, i + D/2) of every head side by side: transformers rotates these two together."""
    heads = weight.view(-1, 2, size // 2, *weight.shape[1:])  # [heads, 2, D/2, …]
    return heads.transpose(1, 2).reshape(weight.shape)


def _matrix(weight: Tensor) -> Tensor:
    """[in, out], contiguous."""
    return weight.detach().t().contiguous()


def _unbiased(layer: Any) -> tuple[Any, ...]:
    return (layer.self_attn.o_proj, layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj)


def _head(model: Any) -> Any:
    return getattr(model, "lm_head", None) or getattr(model, "score", None)
