"""LoRA (arXiv 2106.09685) on a model, by peft. Law: all linear layers get an adapter but the output layer."""

from __future__ import annotations

import warnings
from typing import Any

from inference.checks import Head
from training.hf.models import in_head
from training.hf.settings import Settings

PEFT_IS_BEHIND = ".*is_gradient_checkpointing. is deprecated"
"""What transformers says of a name that peft still uses."""


def with_adapter(model: Any, head: Head, settings: Settings) -> Any:
    """LoRA on all linear layers but the output layer; a new output layer is trained whole."""
    import peft

    task = peft.TaskType.CAUSAL_LM if head is Head.CAUSAL_LM else peft.TaskType.TOKEN_CLS
    rank = settings.lora or 0
    layers = _linear_layers(model)
    transposed = any(isinstance(layer, _conv1d()) for layer in layers.values())
    config = peft.LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        target_modules=sorted(layers),
        task_type=task,
        fan_in_fan_out=transposed,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=PEFT_IS_BEHIND, category=FutureWarning)
        return peft.get_peft_model(model, config)


def _linear_layers(model: Any) -> dict[str, Any]:
    """A linear layer for each last part of their names, without the output layer."""
    import torch

    output = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    return {
        name.rpartition(".")[2]: layer
        for name, layer in model.named_modules()
        if isinstance(layer, (torch.nn.Linear, _conv1d())) and layer is not output and not in_head(name)
    }


def _conv1d() -> Any:
    """What GPT-2 has for linear layers, with its weights transposed."""
    from transformers.pytorch_utils import Conv1D

    return Conv1D
