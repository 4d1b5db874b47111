"""Trains the shipped policy and verifier: `python -m training.first_model --out models [--smoke]`.

The order: problems → base, with the policy as an early snapshot → samples of the policy → verifier → report.
Everything is seeded, on one thread; the same recipe gives the same weights on the same machine and versions.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.cards import policy_card, verifier_card
from training.data import Row
from training.labels import sampled_rows
from training.loop import set_up
from training.policy import pass_rates, train_base
from training.problems.arithmetic import Example
from training.progress import say
from training.recipe import RECIPES, Recipe, read_recipe
from training.report import Report, make_report
from training.sampling import Draw, sample_solutions
from training.splits import Splits, data_hash, make_splits
from training.store import save_model, versions, weights_hash, write_json
from training.tokenizer import PROMPT_PHRASES, build_tokenizer
from training.verifier import planted_rows, train_verifier


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for policy/ and verifier/")
    parser.add_argument("--recipe", type=Path, default=RECIPES / "first_model.toml")
    parser.add_argument(
        "--smoke", action="store_true", help="a run of some seconds that only shows that all parts work"
    )
    chosen = parser.parse_args(arguments)
    build(read_recipe(RECIPES / "smoke.toml" if chosen.smoke else chosen.recipe), chosen.out)
    return 0


def build(recipe: Recipe, out: Path) -> Report:
    """Trains, writes both folders with manifest and card, and gives the report on the held-out problems."""
    began = time.monotonic()
    set_up(recipe.seed)
    splits = make_splits(recipe.data)
    tokenizer = build_tokenizer(recipe.model.context, PROMPT_PHRASES)
    base = train_base(recipe, splits.train, splits.validation, tokenizer)
    strong = pass_rates(base.strong, splits.validation, tokenizer, recipe.base.temperature)
    save_model(out / "policy", base.policy, tokenizer)
    _say(
        began, f"policy: step {base.policy_step} of {recipe.base.steps}; pass@1 of the end of the base {_shown(strong)}"
    )

    rows = _verifier_rows(recipe, splits, out / "policy", tokenizer)
    save_model(out / "verifier", train_verifier(recipe, base.strong, rows), tokenizer)
    trained_s = time.monotonic() - began
    _say(began, "verifier: trained")

    report = make_report(out / "policy", out / "verifier", splits.test, recipe.seed)
    facts = {"policy_step": base.policy_step, "pass_rate_of_the_end_of_the_base": strong}
    _document(out, recipe, splits, report, facts, trained_s)
    _say(began, "done")
    return report


def _verifier_rows(recipe: Recipe, splits: Splits, policy: Path, tokenizer: Any) -> list[Row]:
    from inference.engines.factory import load_policy

    numbers = recipe.verifier
    chosen = _spread(splits.train, numbers.sampled_problems)
    draw = Draw(numbers.samples, recipe.base.temperature, recipe.seed)
    engine = load_policy(str(policy), threads=1, device="cpu", rows=192)
    sampled = sample_solutions(engine, chosen, draw)
    rows = sampled_rows(tokenizer, chosen, sampled)
    planted = planted_rows(_spread(splits.train, numbers.corrupted), tokenizer, recipe.seed)
    say(f"verifier: {len(rows)} sampled and {len(planted)} planted solutions")
    return rows + planted


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


def _shown(rates: Any) -> str:
    return " ".join(f"{level}: {rate:.2f}" for level, rate in rates.items())


def _say(began: float, text: str) -> None:
    say(f"[{time.monotonic() - began:.0f} s] {text}")


if __name__ == "__main__":
    sys.exit(main())
