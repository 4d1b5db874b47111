"""The model card beside the weights. Law: every number in it comes from the manifest of the same run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.checks import Head, is_local
from training.hf.settings import Settings

if TYPE_CHECKING:
    from training.hf.models import Start
    from training.hf.run import Task

USES = {
    "sft": "Writes step-by-step solutions that end in `\\boxed{…}`.",
    "reviser": "Solves a problem, and solves it again when it is shown up to four earlier attempts.",
    "prm": "A process reward model: the chance, at the end of each step, that the solution ends right.",
    "orm": "An outcome reward model: the chance, read at the last step, that the finished solution is right.",
}


def write_card(folder: Path, task: Task, settings: Settings, start: Start, manifest: Mapping[str, Any]) -> None:
    (folder / "README.md").write_text(card(task, settings, start, manifest), encoding="utf-8")


def card(task: Task, settings: Settings, start: Start, manifest: Mapping[str, Any]) -> str:
    results, timing = manifest["results"], manifest["timing"]
    tags = "token-classification" if task.head is Head.TOKEN_CLASSIFICATION else "text-generation"
    library = "peft" if settings.keep_adapter else "transformers"
    method = "all weights" if settings.lora is None else f"LoRA of rank {settings.lora}"
    left_out = f" {results['left_out']} more were too long and left out." if results["left_out"] else ""
    base = "" if is_local(start.spec) else f"\nbase_model: {start.spec}"
    return f"""---
library_name: {library}
pipeline_tag: {tags}{base}
---
# {task.title}

{USES[task.kind]} It was trained from `{start.id}`.

## How to use it
{_usage(task, settings)}

## How it was made
`{manifest["command"]}`

* Data: {results["rows"]} rows from {_files(manifest)}.{left_out}
* Training: {method} ({results["trained_parameters"]:,} of {manifest["parameters"]:,} parameters are trained),
  {results["steps"]} steps at a peak learning rate of {settings.rate:g}, seed {settings.seed}.
* Loss on {_loss(task)}.
* The loss went from {results["first_loss"]:.4f} at the first step to {results["last_loss"]:.4f} at the last
  (`loss.png`).
* It took {timing["seconds"]:.0f} s on {timing["machine"]}.

The settings, versions and checksums are in `manifest.json` and `SHA256SUMS`. How good it is has not been measured yet:
a low loss says little about it. For a verifier look at the AUC within problems and at best-of-N.
"""


def _usage(task: Task, settings: Settings) -> str:
    if settings.keep_adapter:
        return (
            "An adapter alone: `peft.PeftModel.from_pretrained(base, folder)` puts it onto its base model"
            f"{' with 2 labels' if task.head is Head.TOKEN_CLASSIFICATION else ''}.\n"
            "The engines of this service load whole models: train without `--keep-adapter`, or merge it, for them."
        )
    if task.head is Head.TOKEN_CLASSIFICATION:
        return (
            "`DELIBERATE_VERIFIER=<this folder> deliberate up`, or `AutoModelForTokenClassification.from_pretrained`:\n"
            "class 1 is `right`, read at the last token of the separator after each step."
        )
    return "`DELIBERATE_POLICY=<this folder> deliberate up`, or `AutoModelForCausalLM.from_pretrained`."


def _files(manifest: Mapping[str, Any]) -> str:
    return ", ".join(f"the {role} file `{digest[:12]}…`" for role, digest in manifest["data_sha256"].items())


def _loss(task: Task) -> str:
    if task.kind == "prm":
        return "the share of rollouts from each step that ended right (soft binary cross-entropy)"
    if task.kind == "orm":
        return "whether the solution is right, at its last step (binary cross-entropy)"
    return "the solution's tokens and its end only"
