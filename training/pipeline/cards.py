"""The cards of the published models. Law: every number in a card comes from the run's own manifest or measurement."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError
from inference.checks import REVISER
from training.artifacts.checksums import write_sums
from training.artifacts.manifest import NAME as MANIFEST

SHOWN = (
    "pass1", "pass64", "prm_within_problem_auc", "checker_within_problem_auc", "best_of_n_last", "exact_checker_16",
    "prm_minus_majority_16_hard", "prm_minus_orm_64", "prm_minus_sequence_probability_16", "prm_ece", "first_error_f1",
    "reviser_right_to_wrong",
)  # fmt: skip
"""Keys of the measurement that a card shows."""

_PROBLEMS = r"""Problems are of six subjects (arithmetic, algebra, number theory, counting and probability, word
problems, Countdown) and five levels, in plain English and LaTeX, as `deliberate problems make`
writes them. A solution goes step by step, with a blank line between steps, and ends in `The answer
is $\boxed{…}$.` The models can do nothing else."""

_PLACES = {"reviser": Path("policy", REVISER)}
"""Of models in the folder of another, which comes after them below: its checksums are of their files, too."""
_INTRODUCTIONS = {
    "reviser": (
        "Reviser",
        """Shown a problem and up to four attempts of the policy it writes another one: what seems right again,
what seems wrong anew. The service asks it wherever a search revises (`inference.engines.revising`),
and never for a solution from nothing.""",
        """The policy, trained {revision_steps} steps further on {revision_chains} chains. In a chain are one to four
attempts of the policy itself, right and wrong as they came (of {revision_samples} for each of
{revision_problems} training problems, at the temperature of a search). The target is the right
one nearest to the last attempt by edit distance, and that attempt itself where it is right; where
none was right, the problem's worked solution.""",
    ),
    "policy": (
        "Policy and reviser",
        """A deliberately weak solver of school mathematics for trying out search: it errs often, and search
with the verifier beside it mends much of that. Shown up to four earlier attempts it writes another
one (`inference.prompts` builds both prompts, and they alone tell the two uses apart). Where the
folder holds a model in `reviser/`, the service has that one revise.""",
        """An early snapshot of the base (step {early_step} of {base_steps}), trained {reviser_steps} steps
further on {chains} chains of its own attempts that end in a right solution, and on as many plain
problems.""",
    ),
    "verifier": (
        "Process reward model",
        """The score of a step is the chance that a solution that begins like this ends right. It is the end of
the base whose early snapshot is the policy, so that it knows more
(`AutoModelForCausalLM.from_pretrained`), and a small head (`verifier_head.safetensors`, described
by `verifier.json`) on how much each step surprises it: log-probability, gap to the likeliest token,
entropy, in the step and so far.""",
        """The base was trained {base_steps} steps on {base_tokens:,} tokens. The head: {label_samples}
solutions of the policy for each of {label_problems} problems that the base had not seen, {rollouts}
rollouts from each distinct step, and the share that ended right as a soft label. No person's
labels, and no step checker. The head that ranked best *within* problems kept apart is the one that
stays (AUC {head_auc:.3f}).""",
    ),
    "orm": (
        "Outcome reward model (baseline)",
        """A token classifier on the end of the base, trained on whether whole solutions were right; only its
last score means something. It is kept as the baseline of the process reward model.""",
        """Full fine-tuning of the end of the base on the outcomes of the same solutions that the verifier's
head saw.""",
    ),
    "prm-plain": (
        "Plain process reward model (negative control)",
        """A token classifier on the end of the base, trained on the same labels as the shipped verifier, but
without the base's log-probabilities. At this size hidden states alone don't rank solutions within a
problem: it is kept so that tables show it.""",
        """Full fine-tuning of the end of the base on the labels of every step.""",
    ),
    "small": (
        "Small policy",
        "With `large`, a pair whose sizes differ about fourteenfold: what search costs against what parameters cost.",
        "Trained {small_steps} steps on the base's data.",
    ),
    "large": (
        "Large policy",
        "With `small`, a pair whose sizes differ about fourteenfold: what search costs against what parameters cost.",
        """Grown from the end of the base: {large_layers} layers instead of {base_layers}, the added ones begun
as the identity, and trained {large_steps} steps further.""",
    ),
}


def write_cards(models: Path, results: Path) -> list[Path]:
    """Puts what `python -m evaluation.models` found into the card of each model, and renews the checksums.

    Raises ConfigurationError for a file that is no such result, or a folder without our manifests.
    """
    try:
        measured = json.loads(results.read_text(encoding="utf-8"))
        places = {name: models / _PLACES.get(name, name) for name in _INTRODUCTIONS}
        folders = {name: place for name, place in places.items() if (place / MANIFEST).is_file()}
        if not folders or not isinstance(measured, dict) or not measured:
            raise ValueError("no manifest, or no result")
        manifests = {name: json.loads((at / MANIFEST).read_text(encoding="utf-8")) for name, at in folders.items()}
        texts = {name: card(name, manifest, measured) for name, manifest in manifests.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "name the JSON that `python -m evaluation.models` wrote, and models that `train all` made"
        raise ConfigurationError(f"{results} and {models} can't be read ({type(error).__name__}): {remedy}") from None
    for name, folder in folders.items():
        (folder / "README.md").write_text(texts[name], encoding="utf-8")
        write_sums(folder)
    return list(folders.values())


def card(name: str, manifest: Mapping[str, Any], measured: Mapping[str, Any] | None = None) -> str:
    title, use, made = _INTRODUCTIONS[name]
    timing = manifest["timing"]
    worth = measured_table(measured) if measured else "Not measured yet: `python -m evaluation.models` does."
    return f"""---
library_name: transformers
license: apache-2.0
---
# {title}

{use}

{manifest["parameters"]:,} parameters, bfloat16.

{_PROBLEMS}

## How it was made
{made.format(**_facts(name, manifest["recipe"], manifest["results"]))}

`{manifest["command"]}` made all models of this folder in {timing["seconds"] / 60:.0f} minutes of work on
{timing["machine"]}, one thread a process. Numbers, seeds, versions and checksums are in `manifest.json`. Training,
calibration and test problems are disjoint, near-duplicates included.

## What the models are worth
{worth}
"""


def _facts(name: str, recipe: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    if name == "reviser":
        return {
            "revision_steps": recipe["revision_model"]["steps"],
            "revision_chains": results["reviser"]["chains"],
            "revision_problems": recipe["revision_chains"]["problems"],
            "revision_samples": recipe["revision_chains"]["samples"],
        }
    return {
        "early_step": results["early"]["step"],
        "base_steps": recipe["base"]["steps"],
        "base_tokens": results["base"]["tokens"],
        "base_layers": recipe["model"]["layers"],
        "reviser_steps": recipe["reviser"]["steps"],
        "chains": results["policy"]["chains"],
        "label_samples": recipe["labels"]["samples"],
        "label_problems": recipe["labels"]["problems"],
        "rollouts": recipe["labels"]["rollouts"],
        "head_auc": results["verifier"]["validation_within_problem_auc"],
        "small_steps": recipe["small"]["steps"],
        "large_steps": recipe["large"]["steps"],
        "large_layers": recipe["large"]["layers"],
    }


def measured_table(measured: Mapping[str, Any]) -> str:
    """The numbers of `python -m evaluation.models`, each with its 95 % interval."""
    intervals = measured["intervals"]
    rows = "\n".join(
        f"| {' '.join((key, *path))} | {value:.3f} | {_interval(intervals[key], path)} |"
        for key in SHOWN
        for path, value in _numbers(measured[key])
    )
    return f"""`python -m evaluation.models` on {measured["n"]} problems of the test split: {measured["samples"]}
solutions each at temperature {measured["temperature"]:g}, seed {measured["seed"]}. "Hard" are the harder
three of five bins of measured difficulty; differences are in points.

| key | value | 95 % interval |
|---|---|---|
{rows}
"""


def _numbers(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(tree, Mapping):
        for name, part in tree.items():
            yield from _numbers(part, (*path, name))
    elif tree is not None:
        yield path, tree


def _interval(tree: Any, path: tuple[str, ...]) -> str:
    for name in path:
        tree = tree[name]
    return "–" if tree is None else f"{tree[0]:.3f} to {tree[1]:.3f}"
