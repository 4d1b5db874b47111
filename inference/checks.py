"""What can be known of a model folder without loading it. Used by the factories and by `deliberate doctor`.

Law: a folder that can't work is refused in one line that names it and the remedy, before anything heavy is imported.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
VERIFIER_FORMAT = "verifier.json"
"""In the folder of a verifier that is no plain token classifier: names its format and its features."""
VERIFIER_HEAD = "verifier_head.safetensors"
REVISER = "reviser"
"""Folder within a policy's: a second checkpoint, for the calls that show earlier attempts."""
_GIT_LFS = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class _Kind:
    endings: tuple[str, ...]
    """Of the class names in `architectures`."""
    title: str


class Head(Enum):
    """Which output the model must have."""

    CAUSAL_LM = _Kind(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"), "a causal language model")
    TOKEN_CLASSIFICATION = _Kind(("ForTokenClassification",), "a token-classification model with 2 labels")

    @property
    def endings(self) -> tuple[str, ...]:
        return self.value.endings

    @property
    def title(self) -> str:
        return self.value.title


def is_local(spec: str) -> bool:
    """Whether the spec means a folder rather than a hub id such as `org/name`."""
    path = Path(spec)
    in_a_folder = path.parent != Path() and path.parent.is_dir()
    return spec.startswith((".", "/", "~")) or spec.count("/") > 1 or path.exists() or in_a_folder


def check_model_folder(spec: str, head: Head) -> Path:
    """The folder, when it has a readable config of the right kind, whole weights and a tokenizer."""
    folder = Path(spec).expanduser()
    if not folder.is_dir():
        raise ConfigurationError(f"model folder {spec} does not exist: give the path of a folder with config.json")
    _check_head(folder, _config(folder), head)
    for file in weight_files(folder):
        _check_safetensors(file)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ConfigurationError(f"model folder {folder} has no tokenizer: add its tokenizer.json")
    return folder


def check_policy_folder(spec: str) -> Path:
    """The folder of a policy, with the reviser's in it where there is one."""
    folder = check_model_folder(spec, Head.CAUSAL_LM)
    if has_reviser(spec):
        check_model_folder(str(folder / REVISER), Head.CAUSAL_LM)
    return folder


def has_reviser(spec: str) -> bool:
    return is_local(spec) and (Path(spec).expanduser() / REVISER).is_dir()


def check_verifier_folder(spec: str) -> Path:
    """The folder of a verifier in any format that we read: one with VERIFIER_FORMAT, or a token classifier."""
    if not (Path(spec).expanduser() / VERIFIER_FORMAT).is_file():
        return check_model_folder(spec, Head.TOKEN_CLASSIFICATION)
    folder = check_model_folder(spec, Head.CAUSAL_LM)
    weights = folder / VERIFIER_HEAD
    if not weights.is_file():
        raise ConfigurationError(f"verifier folder {folder} has no {VERIFIER_HEAD}: copy the file there")
    _check_safetensors(weights)
    return folder


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold the weights. Raises ConfigurationError when one is missing."""
    index = folder / "model.safetensors.index.json"
    names = sorted(set(_json(index).get("weight_map", {}).values())) if index.is_file() else ["model.safetensors"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not names:
        other = any(folder.glob("*.bin"))
        remedy = "convert its .bin weights to safetensors" if other else "copy the file there"
        raise ConfigurationError(f"model folder {folder} has no {(missing or ['weights'])[0]}: {remedy}")
    return [folder / name for name in names]


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise ConfigurationError(f"model folder {folder} has no config.json: give a folder made by save_pretrained")
    config = _json(path)
    if not isinstance(config.get("model_type"), str):
        raise ConfigurationError(f"{path} names no model_type: give a folder made by save_pretrained")
    return config


def _check_head(folder: Path, config: dict[str, Any], head: Head) -> None:
    names = config.get("architectures") or []
    if names and not any(str(name).endswith(head.endings) for name in names):
        raise ConfigurationError(f"model folder {folder} holds {names[0]}, which is not {head.title}: choose another")


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ConfigurationError(f"{path} can't be read as JSON: copy the file again") from None
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path} holds no JSON object: copy the file again")
    return value


def _check_safetensors(path: Path) -> None:
    """The header's own account of the file's size (https://huggingface.co/docs/safetensors, format)."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        if start and _GIT_LFS.startswith(start):
            raise ConfigurationError(f"{path} is a Git LFS pointer, not weights: run `git lfs pull`")
        header = _header(stream.read(_length(start, size)))
    if header is None or 8 + _length(start, size) + _data_bytes(header) != size:
        raise ConfigurationError(f"{path} is cut short or damaged: copy the file again")


def _length(start: bytes, size: int) -> int:
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    return length if length <= size else 0


def _header(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _data_bytes(header: dict[str, Any]) -> int:
    return max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
