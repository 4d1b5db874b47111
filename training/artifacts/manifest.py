"""manifest.json: from what, with what and by which command a model was made.

Law: everything but the part under "timing" is the same for every run of one command on the same data and versions,
whether it was killed on the way or not.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.artifacts.checksums import sha256, weights_sha256

NAME = "manifest.json"
PACKAGES = ("torch", "transformers", "tokenizers", "safetensors")


@dataclass(frozen=True, slots=True)
class Timing:
    """What differs from run to run."""

    seconds: float
    """Wall time of the training, over all starts of the run."""
    machine: str


@dataclass(frozen=True)
class Manifest:
    command: str
    recipe: Mapping[str, Any]
    """All settings that decide what comes out."""
    data: Mapping[str, str]
    """SHA-256 of each input file (see `data_sha256`)."""
    seeds: Mapping[str, int]
    versions: Mapping[str, str]
    parameters: int
    timing: Timing
    results: Mapping[str, Any] = field(default_factory=dict)


def write_manifest(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Writes it beside the weights, whose checksums it adds. Gives what was written."""
    value = {
        "command": manifest.command,
        "recipe": dict(manifest.recipe),
        "data_sha256": dict(manifest.data),
        "seeds": dict(manifest.seeds),
        "versions": dict(manifest.versions),
        "parameters": manifest.parameters,
        "weights_sha256": weights_sha256(folder),
        "results": dict(manifest.results),
        "timing": {"seconds": round(manifest.timing.seconds, 1), "machine": manifest.timing.machine},
    }
    write_json(folder / NAME, value)
    return value


def without_timing(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs of one command have in common."""
    return {name: value for name, value in manifest.items() if name != "timing"}


def data_sha256(**files: Path) -> dict[str, str]:
    """By the part that a file plays, e.g. `data_sha256(problems=path)`; where it lies is nobody's matter."""
    return {role: sha256(path) for role, path in files.items()}


def versions(*more: str) -> dict[str, str]:
    """Of Python, of PACKAGES and of `more` packages, as installed; nothing is imported."""
    from importlib.metadata import version

    return {"python": platform.python_version()} | {name: version(name) for name in (*PACKAGES, *more)}


def machine() -> str:
    """For example `x86_64, 2 cores` or `x86_64, 16 cores, NVIDIA H200`."""
    import torch

    names = [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]
    gpus = [f"{names.count(name)} × {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names)]
    return ", ".join([platform.machine(), f"{len(os.sched_getaffinity(0))} cores", *gpus])


def write_json(path: Path, value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("w", encoding="utf-8") as out:
            out.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
