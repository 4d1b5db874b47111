"""The subjects and the kinds of problem in each. A level takes one of its subject's kinds by lot."""

from __future__ import annotations

from typing import Any

from training.problems.kind import Kind
from training.problems.kinds.choices import Choices
from training.problems.kinds.countdown import Countdown
from training.problems.kinds.dice import TwoDice
from training.problems.kinds.divisors import Divisors
from training.problems.kinds.equations import Equations
from training.problems.kinds.expressions import Expressions
from training.problems.kinds.inverses import Inverses
from training.problems.kinds.powers import Powers
from training.problems.kinds.quadratics import Quadratics
from training.problems.kinds.quantities import Quantities
from training.problems.kinds.systems import Systems
from training.problems.kinds.urns import Urns

SUBJECTS: dict[str, tuple[Kind[Any, Any], ...]] = {
    "arithmetic": (Expressions(),),
    "algebra": (Equations(), Systems(), Quadratics()),
    "number_theory": (Divisors(), Powers(), Inverses()),
    "counting_probability": (Choices(), Urns(), TwoDice()),
    "word_problems": (Quantities(),),
    "countdown": (Countdown(),),
}
LEVELS = (1, 2, 3, 4, 5)
