"""A trained model as a folder that `from_pretrained` loads: bfloat16 weights, tokenizer, generation config.

Law: what is written can be read by transformers alone.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from training.artifacts.manifest import write_json


def save_model(folder: Path, model: Any, tokenizer: Any) -> None:
    """Writes config, weights and tokenizer. The model itself is rounded to bfloat16, as it will be loaded."""
    import torch
    from transformers import GenerationConfig

    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16)
    model.config._attn_implementation = "sdpa"
    model.config.use_cache = True
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    if not (folder / "generation_config.json").exists():  # classifiers don't write theirs
        model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _portable(folder / "tokenizer_config.json")


def _portable(path: Path) -> None:
    """Names the tokenizer's class as every version of transformers knows it."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.pop("backend", None)
    write_json(path, config)


def copy_model(source: Path, target: Path) -> None:
    """All files of the folder; `target` may be there."""
    shutil.copytree(source, target, dirs_exist_ok=True)
