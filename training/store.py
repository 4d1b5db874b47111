"""A trained model as a folder that `from_pretrained` loads: bfloat16 weights, tokenizer, generation config, manifest.

Law: what is written can be read by transformers alone, and the folder says how it was made.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def weights_hash(folder: Path) -> str:
    """SHA-256 of all weights files of the folder, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    import tokenizers
    import torch
    import transformers

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
    }


def copy_model(source: Path, target: Path) -> None:
    """All files of the folder; `target` may be there."""
    shutil.copytree(source, target, dirs_exist_ok=True)
