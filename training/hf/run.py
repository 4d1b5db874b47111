"""One training run from its checked inputs to a published model folder.

Law: everything that can be refused is refused before anything is trained; nothing stands under the target's name until
the model, its manifest and its checksums are whole; the same command after a kill goes on in the same work folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.errors import InvalidRequest
from inference.checks import Head
from training.artifacts.publish import published, refuse_existing
from training.hf.processes import count, is_main, wait_for_all
from training.hf.rows import Row
from training.hf.settings import Settings
from training.progress import say

if TYPE_CHECKING:
    from training.hf.fitting import Fitted
    from training.hf.models import Start
    from training.hf.work import Work

PACKAGES = ("accelerate", "peft")


@dataclass(frozen=True)
class Task:
    """What one kind of training brings along."""

    kind: str
    """`sft`, `reviser`, `prm` or `orm`."""
    title: str
    head: Head
    data: Mapping[str, Path]
    """The input files, by the part that they play."""
    rows: Callable[[Start, int], Iterable[Row | None]]
    """All rows, given the start and the longest length; None for one that can't be made to fit."""
    choices: Mapping[str, Any] = field(default_factory=dict)
    """Settings of this kind alone; they go into the manifest."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What the model's config must say besides."""


def train(task: Task, policy: str, out: Path, settings: Settings, *, command: str, force: bool = False) -> Path:
    """Gives `out`. Raises ConfigurationError or InvalidRequest, and leaves what was under that name as it is."""
    from training.hf.models import check_policy

    refuse_existing(out, force=force)
    check_policy(policy, task.head)
    from training.hf.work import Work, quiet

    quiet()
    with Work.opened(out) as work:
        _trained(task, policy, out, settings, work, command, force)
    return out


def _trained(task: Task, policy: str, out: Path, settings: Settings, work: Work, command: str, force: bool) -> None:
    from training.hf.adapters import with_adapter
    from training.hf.fitting import fit, process_loss, start_random
    from training.hf.models import load_start

    start_random(settings)
    start = load_start(policy, task.head, settings)
    rows, left_out = _fitting_rows(task, start, settings)
    model = start.model
    model.config.use_cache = False
    for name, value in task.config.items():
        setattr(model.config, name, value)
    if settings.lora is not None:
        model = with_adapter(model, task.head, settings)
    work.require_room(model, start)
    work.claim(_identity(task, start, settings))
    if is_main():
        say(f"{task.kind}: {len(rows)} rows on {policy}" + (f"; {left_out} too long, left out" if left_out else ""))
    loss = process_loss if task.head is Head.TOKEN_CLASSIFICATION else None
    fitted = fit(model, rows, settings, work.folder, loss, task.kind)
    wait_for_all()
    if is_main():
        with published(out, force=force) as draft:
            _fill(draft, task, start, model, settings, fitted, command, {"rows": len(rows), "left_out": left_out})
        work.drop()
    wait_for_all()


def _fitting_rows(task: Task, start: Start, settings: Settings) -> tuple[list[Row], int]:
    """The rows within the longest length, and how many are not. Nothing is cut."""
    limit = min(start.context_tokens, settings.max_length or start.context_tokens)
    made = list(task.rows(start, limit))
    kept = [row for row in made if row is not None and len(row) <= limit]
    if not kept:
        raise InvalidRequest(f"none of the {len(made)} rows fits into {limit} tokens: raise --max-length")
    return kept, len(made) - len(kept)


def _identity(task: Task, start: Start, settings: Settings) -> dict[str, Any]:
    """What a killed run and its continuation must have in common."""
    from training.artifacts.manifest import data_sha256, versions

    return {
        "kind": task.kind,
        "policy": start.id,
        "settings": recipe(task, start, settings)["settings"],
        "data_sha256": data_sha256(**task.data),
        "versions": versions(*PACKAGES),
        "processes": count(),
    }


def recipe(task: Task, start: Start, settings: Settings) -> dict[str, Any]:
    chosen = asdict(settings) | {"learning_rate": settings.rate} | dict(task.choices)
    return {"kind": task.kind, "policy": start.id, "settings": chosen}


def _fill(
    folder: Path,
    task: Task,
    start: Start,
    model: Any,
    settings: Settings,
    fitted: Fitted,
    command: str,
    counts: Mapping[str, int],
) -> None:
    from training.artifacts.checksums import write_sums
    from training.artifacts.curve import write_curve
    from training.artifacts.manifest import Manifest, Timing, data_sha256, machine, versions, write_manifest
    from training.hf.cards import write_card
    from training.hf.models import save_result, trained_parameters

    model.config.use_cache = True
    trained = trained_parameters(model)
    results = dict(counts) | {
        "trained_parameters": trained,
        "steps": len(fitted.losses),
        "devices": fitted.devices,
        "first_loss": fitted.losses[0][1],
        "last_loss": fitted.losses[-1][1],
    }
    save_result(folder, model, start, settings)
    write_curve(folder, fitted.losses, task.title)
    manifest = write_manifest(
        folder,
        Manifest(
            command=command,
            recipe=recipe(task, start, settings),
            data=data_sha256(**task.data),
            seeds={"training": settings.seed},
            versions=versions(*PACKAGES),
            parameters=start.parameters,
            timing=Timing(fitted.seconds, machine()),
            results=results,
        ),
    )
    write_card(folder, task, settings, start, manifest)
    write_sums(folder)
