"""Loading a Hugging Face model and its tokenizer; imports torch and transformers.

Law: weights come from safetensors, no code of a model folder is run, and a head that the weights don't hold is an
error: a randomly initialised one would give answers and scores that mean nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from domain.errors import ConfigurationError
from domain.ports import ModelInfo
from inference.checks import Head, check_model_folder, is_local, weight_files
from inference.identity import folder_id

_NO_LIMIT_TOKENS = 1 << 20
_LOADING = threading.Lock()
"""`from_pretrained` changes global state while it loads: two at once, in two threads, lose tied weights."""
_CLASSES: dict[Head, Any] = {
    Head.CAUSAL_LM: transformers.AutoModelForCausalLM,
    Head.TOKEN_CLASSIFICATION: transformers.AutoModelForTokenClassification,
}


@dataclass(frozen=True)
class Loaded:
    model: Any
    tokenizer: Any
    info: ModelInfo
    device: torch.device

    @property
    def pad_id(self) -> int:
        """Any id does, since padding is masked; the tokenizer's own one reads best in a debugger."""
        return self.tokenizer.pad_token_id or 0


def load(spec: str, head: Head, *, threads: int, device: str) -> Loaded:
    """Raises ConfigurationError with one line that names the model and the remedy."""
    source = str(check_model_folder(spec, head)) if is_local(spec) else spec
    target = choose_device(device)
    with _LOADING:
        torch.set_num_threads(threads)
        quiet: Any = transformers.utils.logging
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
        model, tokenizer = _from_pretrained(spec, source, head, target)
    return Loaded(model, tokenizer, _info(spec, source, model, tokenizer), target)


def choose_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigurationError(f"device {name!r} was asked for and torch sees none: use 'cpu' or 'auto'")
    return torch.device(name)


def choose_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on GPUs that have it; float32 on CPUs, most of which only emulate bfloat16."""
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def _from_pretrained(spec: str, source: str, head: Head, device: torch.device) -> tuple[Any, Any]:
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        model, report = _CLASSES[head].from_pretrained(
            source, dtype=choose_dtype(device), trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        line = next(iter(str(error).strip().splitlines()), "")[:200]
        raise ConfigurationError(f"model {spec} can't be loaded as {head.title}: {line}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ConfigurationError(f"model {spec} has no weights for {missing[0]}: it is not {head.title}")
    return model.to(device).eval(), tokenizer


def _info(spec: str, source: str, model: Any, tokenizer: Any) -> ModelInfo:
    folder = Path(source)
    commit = getattr(model.config, "_commit_hash", None) or "main"
    return ModelInfo(
        id=folder_id(spec, folder, weight_files(folder)) if is_local(spec) else f"{spec}@{commit[:12]}",
        parameters=sum(weights.numel() for weights in model.parameters()),
        context_tokens=_context(model.config.get_text_config(), tokenizer),
    )


def _context(config: Any, tokenizer: Any) -> int:
    for name in ("max_position_embeddings", "n_positions", "n_ctx"):
        length = getattr(config, name, None)
        if isinstance(length, int) and length > 0:
            return length
    return int(min(tokenizer.model_max_length, _NO_LIMIT_TOKENS))


def eos_ids(loaded: Loaded, spec: str) -> frozenset[int]:
    """End-of-sequence ids: of the generation config, else of the model config, else of the tokenizer."""
    config = loaded.model.config
    for source in (loaded.model.generation_config, config, config.get_text_config(), loaded.tokenizer):
        ids = getattr(source, "eos_token_id", None)
        if ids is not None:
            return frozenset([ids] if isinstance(ids, int) else ids)
    raise ConfigurationError(f"model {spec} names no end-of-sequence token: set eos_token_id in generation_config.json")
