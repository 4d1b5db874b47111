"""The stages that make verifiers from the end of the base, which knows more than the policy.

The shipped one has a head on the base's own log-probabilities; the plain process and outcome reward models, which read
hidden states alone, are the baselines that every table keeps beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.hf.orm import train_orm
from training.hf.prm import train_prm
from training.hf.settings import Settings
from training.likelihood import read_labelled, train_head
from training.pipeline.workshop import Stage
from training.recipe import HeadRecipe, PlainRecipe
from training.store import copy_model


def make_verifier(folder: Path, end: Stage, labels: Stage, recipe: HeadRecipe, seed: int) -> dict[str, Any]:
    """Writes `folder/model`: the base, and the head that ranks best within problems that it was not trained on."""
    from inference.verifiers.step_likelihood import LikelihoodHead, load_plain

    target = folder / "model"
    copy_model(end.folder / "model", target)
    LikelihoodHead().save(target)
    reader = load_plain(str(target), threads=1, device="cpu", rows=64)
    head, auc = train_head(read_labelled(reader, labels.folder / "labels.jsonl"), recipe, seed)
    head.save(target)
    return {"validation_within_problem_auc": auc}


def make_plain(folder: Path, kind: str, end: Stage, labels: Stage, recipe: PlainRecipe, seed: int) -> dict[str, Any]:
    """`kind` is `orm` or `prm`; goes on after a kill."""
    settings = Settings(
        epochs=recipe.epochs, batch_tokens=recipe.batch_tokens, learning_rate=recipe.rate, seed=seed, device="cpu"
    )
    train_one = {"orm": train_orm, "prm": train_prm}[kind]
    target = folder / "model"
    if not target.exists():
        train_one(str(end.folder / "model"), labels.folder / "labels.jsonl", target, settings, command="")
    return {}
