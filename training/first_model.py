"""Trains the shipped policy and verifier: `python -m training.first_model --out models [--smoke]`.

The order: problems → base, with the policy as an early snapshot → samples of the policy → verifier's head → report.
Everything is seeded, on one thread; the same recipe gives the same weights on the same machine and versions.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.cards import policy_card, verifier_card
from training.likelihood import read_solutions, train_head
from training.loop import set_up
from training.policy import Base, loaded, pass_rates, train_base
from training.problems.arithmetic import Example
from training.progress import say
from training.recipe import RECIPES, BaseRecipe, Recipe, read_recipe
from training.report import Report, make_report
from training.sampling import Draw, sample_solutions
from training.splits import Splits, data_hash, make_splits
from training.store import save_model, versions, weights_hash, write_json
from training.tokenizer import PROMPT_PHRASES, build_tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for policy/ and verifier/")
    parser.add_argument("--recipe", type=Path, default=RECIPES / "first_model.toml")
    parser.add_argument(
        "--work", type=Path, help="folder that keeps the trained base, so that a later run starts from it"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="a run of some seconds that only shows that all parts work"
    )
    chosen = parser.parse_args(arguments)
    build(read_recipe(RECIPES / "smoke.toml" if chosen.smoke else chosen.recipe), chosen.out, chosen.work)
    return 0


def build(recipe: Recipe, out: Path, work: Path | None = None) -> Report:
    """Trains, writes both folders with manifest and card, and gives the report on the held-out problems."""
    began = time.monotonic()
    set_up(recipe.seed)
    splits = make_splits(recipe.data)
    tokenizer = build_tokenizer(recipe.model.context, PROMPT_PHRASES)
    base, base_s = _base(recipe, splits, tokenizer, work)
    early = base.policy(recipe.base.policy_pass_rate)
    save_model(out / "policy", loaded(recipe.model, tokenizer, early.weights), tokenizer)
    strong = loaded(recipe.model, tokenizer, base.strong)
    rates = pass_rates(strong, splits.validation, tokenizer, recipe.base.temperature)
    _say(began, f"policy: snapshot of step {early.step} of {recipe.base.steps}")

    save_model(out / "verifier", strong, tokenizer)
    _train_head(recipe, splits, out)
    trained_s = time.monotonic() - began + base_s
    _say(began, "verifier: trained")

    report = make_report(out / "policy", out / "verifier", splits.test, recipe.seed)
    facts = {"policy_step": early.step, "validation_pass_at_1": {"policy": early.rates, "end_of_the_base": rates}}
    _document(out, recipe, splits, report, facts, trained_s)
    _say(began, "done")
    return report


def _base(recipe: Recipe, splits: Splits, tokenizer: Any, work: Path | None) -> tuple[Base, float]:
    """The base, and the seconds that an earlier run spent on it (0 when it was trained now)."""
    import torch

    key = hashlib.sha256(repr((recipe.seed, recipe.model, _training_part(recipe.base), data_hash(splits))).encode())
    kept = None if work is None else work / f"base-{key.hexdigest()[:16]}.pt"
    if kept is not None and kept.exists():
        found: tuple[Base, float] = torch.load(kept, weights_only=False)
        return found
    began = time.monotonic()
    base = train_base(recipe, splits.train, splits.validation, tokenizer)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        torch.save((base, time.monotonic() - began), kept)
    return base, 0.0


def _training_part(recipe: BaseRecipe) -> BaseRecipe:
    """Without the number by which the policy is chosen afterwards."""
    return dataclasses.replace(recipe, policy_pass_rate=0.0)


def _train_head(recipe: Recipe, splits: Splits, out: Path) -> None:
    """Samples of the policy, read by the strong base through the engines that serve, make the verifier's head."""
    from inference.engines.factory import load_policy
    from inference.verifiers.step_likelihood import LikelihoodHead, load_step_likelihood

    numbers = recipe.verifier
    chosen = _spread(splits.train, numbers.sampled_problems)
    draw = Draw(numbers.samples, recipe.base.temperature, recipe.seed)
    sampled = sample_solutions(load_policy(str(out / "policy"), threads=1, device="cpu", rows=192), chosen, draw)
    LikelihoodHead().save(out / "verifier")
    reader = load_step_likelihood(str(out / "verifier"), threads=1, device="cpu", rows=64)
    head = train_head(read_solutions(reader, chosen, sampled), numbers.steps, numbers.rate, recipe.seed)
    head.save(out / "verifier")


def _spread(examples: Sequence[Example], count: int) -> list[Example]:
    """`count` examples spread evenly over the sequence, and so over the levels as training has them."""
    return [examples[index * len(examples) // count] for index in range(min(count, len(examples)))]


def _document(
    out: Path, recipe: Recipe, splits: Splits, report: Report, facts: dict[str, Any], trained_s: float
) -> None:
    smoke = " --smoke" if recipe.name == "smoke" else ""
    manifest = {
        "command": f"python -m training.first_model --out models{smoke}",
        "recipe": dataclasses.asdict(recipe),
        "data_sha256": data_hash(splits),
        "versions": versions(),
        "machine": "2 CPU cores, one torch thread",
        "training_seconds": round(trained_s),
        **facts,
    }
    for name, card in (("policy", policy_card), ("verifier", verifier_card)):
        folder = out / name
        write_json(folder / "manifest.json", manifest | {"weights_sha256": weights_hash(folder)})
        (folder / "README.md").write_text(card(recipe, report, manifest), encoding="utf-8")
    write_json(out / "report.json", report.as_json())


def _say(began: float, text: str) -> None:
    say(f"[{time.monotonic() - began:.0f} s] {text}")


if __name__ == "__main__":
    sys.exit(main())
