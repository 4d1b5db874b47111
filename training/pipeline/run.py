"""`deliberate train all`: from a recipe to published model folders, with manifests, cards and checksums.

Law: nothing stands under its final name until everything is made; the same command after a kill goes on in the work
folder and ends with the same manifests, but for "timing".
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from training.artifacts.checksums import write_sums
from training.artifacts.disk import require_free
from training.artifacts.manifest import Manifest, Timing, data_sha256, machine, versions, write_manifest
from training.artifacts.publish import published, refuse_existing
from training.pipeline.cards import card
from training.pipeline.data import FILES
from training.pipeline.stages import Stages
from training.pipeline.workshop import Stage, Workshop
from training.progress import say
from training.recipe import Recipe, read_recipe
from training.store import copy_model

NEEDED_BYTES = 1_500_000_000
"""Of the work folder of the full recipe: snapshots, checkpoints and sampled texts."""


def run_all(
    config: Path,
    out: Path,
    *,
    smoke: bool = False,
    work: Path | None = None,
    workers: int = 1,
    force: bool = False,
    command: str = "",
) -> list[Path]:
    """Makes and publishes `out/policy`, `out/verifier`, …; gives the folders.

    Raises ConfigurationError, InvalidRequest or EngineError.
    """
    recipe = read_recipe(config, smoke=smoke)
    shop = Workshop(work or out.parent / f".{out.name}.work")
    stages = Stages(shop, recipe, workers)
    for name in stages.names:
        refuse_existing(out / name, force=force)
    require_free(out, NEEDED_BYTES // (50 if smoke else 1), "the work folder of this recipe")
    with shop.alone():
        models, graded = stages.models(), stages.graded
        say(f"everything is made ({shop.seconds / 60:.0f} minutes of work); calibration data: {graded.folder}")
        manifest = _manifest(recipe, stages, shop, command)
        return [_publish(out / name, stage, manifest, force) for name, stage in models.items()]


def _publish(target: Path, stage: Stage, manifest: Manifest, force: bool) -> Path:
    with published(target, force=force) as draft:
        copy_model(stage.folder / "model", draft)
        written = write_manifest(draft, dataclasses.replace(manifest, parameters=parameters(draft)))
        (draft / "README.md").write_text(card(target.name, written), encoding="utf-8")
        write_sums(draft)
    return target


def _manifest(recipe: Recipe, stages: Stages, shop: Workshop, command: str) -> Manifest:
    problems = {name.removesuffix(".jsonl"): stages.data.folder / name for name in FILES}
    made = {"chains": stages.chains.folder / "chains.jsonl", "labels": stages.labels.folder / "labels.jsonl"}
    seeds = {"recipe": recipe.seed, "data": recipe.data.seed, "base": recipe.base.seed, "reviser": recipe.reviser.seed}
    return Manifest(
        command=command,
        recipe=dataclasses.asdict(recipe),
        data=data_sha256(**problems, **made),
        seeds=seeds,
        versions=versions("accelerate", "peft"),
        parameters=0,
        timing=Timing(shop.seconds, machine()),
        results={stage.name: dict(stage.facts) for stage in shop.stages},
    )


def parameters(folder: Path) -> int:
    """Weights in the folder's safetensors files."""
    from safetensors import safe_open

    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            total += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    return total
