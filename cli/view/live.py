"""The live picture of a search: a progress bar, counters, and the tree of answers with their rollouts (rich)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from cli.view.branches import add_branches, grows
from cli.view.search import Rollout, SearchView

MOST_ANSWERS = 8
MOST_ROLLOUTS = 4
WIDTH = 40
WITHOUT_ANSWER = {"scored": "scored steps", "step": "steps without a score"}
"""What rollouts in these states are as long as they have no answer."""


def picture(view: SearchView) -> RenderableType:
    """Everything known now; call it again after each event."""
    # A bar ends without a line break of its own; a grid gives it one.
    line = Table.grid()
    line.add_row(_bar(view))
    return Group(_head(view), line, _tree(view))


def print_result(console: Console, job: Mapping[str, Any]) -> None:
    """An ended job, as `GET /v1/reasoning/jobs/{id}` gives it."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in result_rows(job):
        table.add_row(name, Text(value))
    console.print(table)


def result_rows(job: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What `result` shows, line by line."""
    usage = job.get("usage") or {}
    rows = [
        ("answer", _shown(job.get("answer"))),
        ("confidence", _confidence(job)),
        ("status", str(job["status"])),
        ("stop reason", _shown(job.get("stop_reason"))),
        ("why", _shown(job.get("why"))),
        ("tokens", f"{usage.get('generated_tokens', 0)} generated, {usage.get('verified_tokens', 0)} verified"),
        ("rollouts", f"{usage.get('rollouts', 0)} ({usage.get('verifier_calls', 0)} verifier calls)"),
        ("FLOPs", f"{usage.get('flops', 0.0):.3g}"),
        ("seconds", f"{usage.get('seconds', 0.0):.2f}"),
    ]
    if "queue_seconds" in usage:
        rows.append(("queued", f"{usage['queue_seconds']:.2f} s"))
    if job.get("error"):
        rows.append(("error", str(job["error"]["message"])))
    return rows


def end_live(console: Console) -> None:
    """To be called behind a `Live`: outside of a terminal its last picture is left without an end of line."""
    if not console.is_terminal:
        console.print()


def _head(view: SearchView) -> Text:
    name = str(view.strategy.get("type", "search"))
    parts = [
        f"{name}: {view.status}",
        f"{view.settled} moves done",
        f"{view.in_flight} in flight",
        f"{view.generated_tokens} tokens written",
        f"{view.verified_tokens} read",
        f"{time.monotonic() - view.started:.1f} s",
    ]
    if view.failed:
        parts.append(f"{view.failed} failed")
    if view.claims > 1:
        parts.append(f"resumed {view.claims - 1}×")
    return Text(" · ".join(parts), style="bold" if not view.over else "bold green")


def _bar(view: SearchView) -> ProgressBar:
    if view.over:
        return ProgressBar(total=1, completed=1, width=WIDTH)
    if view.expected is None:
        return ProgressBar(total=None, pulse=True, width=WIDTH)
    return ProgressBar(total=view.expected, completed=min(view.settled, view.expected), width=WIDTH)


def _tree(view: SearchView) -> Tree:
    tree = Tree(Text(_cut(view.problem, 100)))
    winner = ((view.stopped or {}).get("verdict") or {}).get("answer")
    answers = view.answers()
    for answer, rollouts in answers[:MOST_ANSWERS]:
        label = Text(f"{_cut(answer, 60)}  {len(rollouts)}×", style="green" if answer == winner else "")
        branch = tree.add(label)
        if grows(view):
            continue
        for rollout in rollouts[:MOST_ROLLOUTS]:
            branch.add(Text(_line(rollout), style="dim"))
        if len(rollouts) > MOST_ROLLOUTS:
            branch.add(Text(f"… {len(rollouts) - MOST_ROLLOUTS} more", style="dim"))
    if len(answers) > MOST_ANSWERS:
        tree.add(Text(f"… {len(answers) - MOST_ANSWERS} more answers", style="dim"))
    if grows(view):
        add_branches(tree.add(Text("how it grew", style="dim")), view)
    _add_open(tree, view)
    return tree


def _add_open(tree: Tree, view: SearchView) -> None:
    """Rollouts that have no answer: being written, cut short, or failed."""
    without: dict[str, int] = {}
    for rollout in view.rollouts.values():
        if rollout.answer is None:
            without[rollout.state] = without.get(rollout.state, 0) + 1
    for state, count in sorted(without.items()):
        tree.add(
            Text(f"{WITHOUT_ANSWER.get(state, state)}  {count}×", style="yellow" if state == "sampling" else "dim")
        )


def _line(rollout: Rollout) -> str:
    score = "" if rollout.score is None else f", score {rollout.score:.2f}"
    return f"node {rollout.node}: {rollout.tokens} tokens{score}"


def _confidence(job: Mapping[str, Any]) -> str:
    if job.get("confidence") is None:
        return "–"
    kind = job.get("confidence_kind")
    return f"{job['confidence']:.3f}" + ("" if kind is None else f" ({kind})")


def _shown(value: object) -> str:
    return "–" if value is None else str(value)


def _cut(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
