"""Who takes part: each peer beside the strategy of ours that does the same kind of thing.

Which of ours stands for a kind is fixed here, before anything is measured: the one with the same idea, at its defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evaluation.peering.adaptive_consistency_port import adaptive_consistency_methods
from evaluation.peering.its_hub_port import its_hub_methods
from evaluation.peering.ours import ours
from evaluation.peering.task import Method
from evaluation.peering.treequest_port import treequest_methods

DEFAULT = "adaptive"
"""Our default strategy: every row shows it, too."""


@dataclass(frozen=True, slots=True)
class Row:
    kind: str
    peer: str
    ours: str


PACKAGES: Mapping[str, Callable[[], dict[str, Method]]] = {
    "its_hub": its_hub_methods,
    "AdaptiveConsistency": adaptive_consistency_methods,
    "treequest": treequest_methods,
}
ROWS = (
    Row("voting", "its_hub SelfConsistency", "self_consistency"),
    Row("adaptive voting", "its_hub AdaptiveSelfConsistency", "adaptive_voting"),
    Row("adaptive voting", "its_hub BetaSelfConsistency", "adaptive_voting"),
    Row("adaptive voting", "AdaptiveConsistency", "adaptive_voting"),
    Row("best-of-N", "its_hub BestOfN", "best_of_n"),
    Row("beam", "its_hub BeamSearch", "beam"),
    Row("particles", "its_hub ParticleFiltering", "particles"),
    Row("tree", "treequest ABMCTSA", "adaptive_branching"),
    Row("tree", "treequest StandardMCTS", "revision_tree"),
    Row("tree", "treequest StandardMCTS", "mcts"),
)


def peer_methods() -> tuple[dict[str, Method], dict[str, str]]:
    """Peers by name, and why the packages that are missing don't take part."""
    found: dict[str, Method] = {}
    missing: dict[str, str] = {}
    for package, load in PACKAGES.items():
        try:
            methods = load()
        except ImportError as error:
            missing[package] = f"{type(error).__name__}: {error}: install the extra with `pip install -e .[peers]`"
            continue
        found |= {name if name == package else f"{package} {name}": method for name, method in methods.items()}
    return found, missing


def our_methods() -> dict[str, Method]:
    return {name: ours(name) for name in (*dict.fromkeys(row.ours for row in ROWS), DEFAULT)}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Budgets in solutions."""

    peers: tuple[int, ...]
    ours: tuple[int, ...]
    """Further than the peers', so that our curves reach what theirs cost."""

    def of(self, is_peer: bool) -> tuple[int, ...]:
        return self.peers if is_peer else self.ours


FULL = Sizes((4, 8, 16), (1, 2, 4, 8, 16, 32))
QUICK = Sizes((4, 8), (1, 2, 4, 8, 16))
