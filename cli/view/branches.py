"""The tree of a search that grows: which texts continue or revise which, with their scores and answers (rich)."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text
from rich.tree import Tree

from cli.view.search import Rollout, SearchView

MOST_LINES = 40
MOST_CHILDREN = 4

Children = Mapping[int, list[Rollout]]


def grows(view: SearchView) -> bool:
    """Whether any text hangs on another one."""
    return any(rollout.parent for rollout in view.rollouts.values())


def add_branches(tree: Tree, view: SearchView) -> None:
    """The tree below the problem: what was gone on from first, then what is best, at most `MOST_LINES` lines."""
    children: dict[int, list[Rollout]] = {}
    for rollout in view.rollouts.values():
        children.setdefault(rollout.parent, []).append(rollout)
    _add(tree, children, 0, MOST_LINES)


def _add(tree: Tree, children: Children, parent: int, lines: int) -> int:
    """Adds what hangs on `parent`; the lines that are left."""
    group = sorted(children.get(parent, ()), key=lambda one: (one.node not in children, -(one.score or 0.0), one.node))
    for shown, rollout in enumerate(group):
        if shown >= MOST_CHILDREN or lines <= 1:
            tree.add(Text(f"… {len(group) - shown} more", style="dim"))
            return lines - 1
        branch = tree.add(Text(_label(rollout), style="" if rollout.answer else "dim"))
        lines = _add(branch, children, rollout.node, lines - 1)
    return lines


def _label(rollout: Rollout) -> str:
    score = "" if rollout.score is None else f", score {rollout.score:.2f}"
    answer = "" if rollout.answer is None else f" → {' '.join(rollout.answer.split())[:60]}"
    return f"node {rollout.node}: {rollout.state}, {rollout.tokens} tokens{score}{answer}"
