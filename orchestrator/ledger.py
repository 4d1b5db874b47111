"""Reserve before, settle after: a job never spends more than its ceiling plus what its calls in flight have reserved.

Pure bookkeeping over one job's budget. A reservation is an upper bound of a call's cost; settling replaces it by the
actual cost, which counts once per call key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.budget import NO_COST, Budget, Spend
from domain.verdict import StopReason


@dataclass
class Ledger:
    budget: Budget
    spent: Spend = NO_COST
    reserved: dict[str, Spend] = field(default_factory=dict)
    _settled: set[str] = field(default_factory=set)
    _estimates: dict[str, Spend] = field(default_factory=dict)
    """Reservations of one attempt, of calls that have had more than one."""

    def lacking(self, estimate: Spend) -> StopReason | None:
        """The unit in which this estimate doesn't fit what is left, or None when it fits."""
        after = self._committed() + estimate
        limits = (
            (self.budget.tokens, after.tokens, StopReason.BUDGET_TOKENS),
            (self.budget.flops, after.flops, StopReason.BUDGET_FLOPS),
            (self.budget.rollouts, after.rollouts, StopReason.BUDGET_ROLLOUTS),
        )
        return next((reason for limit, amount, reason in limits if limit is not None and amount > limit), None)

    def tokens_left(self) -> int | None:
        """Tokens that are neither spent nor reserved; None without a limit."""
        return None if self.budget.tokens is None else self.budget.tokens - self._committed().tokens

    def flops_left(self) -> float | None:
        """FLOPs that are neither spent nor reserved; None without a limit."""
        return None if self.budget.flops is None else self.budget.flops - self._committed().flops

    def reserve(self, key: str, estimate: Spend) -> None:
        self.reserved[key] = estimate

    def covers(self, key: str, wasted: Spend) -> bool:
        """Whether another attempt of this call fits the budget, on top of what its failed ones have used.

        When it does, the reservation has grown by that; when it does not, the reservation stays.
        """
        if wasted == NO_COST:
            return True
        first = self._estimates.setdefault(key, self.reserved[key])
        before, self.reserved[key] = self.reserved[key], first + wasted
        if self.lacking(NO_COST) is None:
            return True
        self.reserved[key] = before
        return False

    def settle(self, key: str, actual: Spend) -> bool:
        """Charge a call. False when its key was charged before: then nothing changes."""
        self.reserved.pop(key, None)
        self._estimates.pop(key, None)
        if key in self._settled:
            return False
        self._settled.add(key)
        self.spent = self.spent + actual
        return True

    def _committed(self) -> Spend:
        return sum(self.reserved.values(), self.spent)
