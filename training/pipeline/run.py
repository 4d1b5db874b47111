"""`deliberate train all`: from a recipe to published model folders, with manifests, cards and checksums.

Law: nothing stands under its final name until everything is made; the same command after a kill goes on in the work
folder and ends with the same manifests, but for "timing".
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

from inference.checks import REVISER
from training.artifacts.checksums import write_sums
from training.artifacts.disk import require_free
from training.artifacts.manifest import Manifest, Timing, data_sha256, machine, versions, write_manifest
from training.artifacts.publish import published, refuse_existing
from training.pipeline.cards import card
from training.pipeline.data import FILES
from training.pipeline.stages import POLICY, Stages
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
        models, _, graded = stages.models(), stages.reviser, stages.graded
        say(f"everything is made ({shop.seconds / 60:.0f} minutes of work); calibration data: {graded.folder}")
        manifest = _manifest(recipe, stages, shop, command)
        inside = {POLICY: {REVISER: stages.reviser}}
        return [_publish(out / name, one, inside.get(name, {}), manifest, force) for name, one in models.items()]


def _publish(target: Path, stage: Stage, inside: Mapping[str, Stage], manifest: Manifest, force: bool) -> Path:
    """`inside` are models in folders of this one."""
    with published(target, force=force) as draft:
        for name, one in inside.items():
            fill(draft / name, one, manifest)
        fill(draft, stage, manifest, name=target.name)
    return target


def fill(folder: Path, stage: Stage, manifest: Manifest, name: str = "") -> None:
    """The stage's model with its manifest and its card (of `name`, else of the folder's), and the checksums of all that
    is in the folder then."""
    copy_model(stage.folder / "model", folder)
    written = write_manifest(folder, dataclasses.replace(manifest, parameters=parameters(folder)))
    (folder / "README.md").write_text(card(name or folder.name, written), encoding="utf-8")
    write_sums(folder)


def _manifest(recipe: Recipe, stages: Stages, shop: Workshop, command: str) -> Manifest:
    problems = {name.removesuffix(".jsonl"): stages.data.folder / name for name in FILES}
    made = {
        "chains": stages.chains.folder / "chains.jsonl",
        "revision_chains": stages.revision_chains.folder / "chains.jsonl",
        "labels": stages.labels.folder / "labels.jsonl",
    }
    seeds = {
        "recipe": recipe.seed,
        "data": recipe.data.seed,
        "base": recipe.base.seed,
        "reviser": recipe.reviser.seed,
        "revision_model": recipe.revision_model.seed,
    }
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
