"""Word problems: a chain of quantities, each told by an earlier one, in plain English.

Law of a step: it names a quantity and works it out from quantities that are known by then, as the story says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from training.problems.draw import Draw
from training.problems.formula import Apply, Term, chain
from training.problems.kind import Kind, Rule, Wrong, require, true_chain
from training.problems.kinds.stories import ALL, ITEMS, NAMES, Fact, Question, Story, read_story, tell
from training.problems.template import Template
from training.problems.working import written

_STEP = Template("<name> has $<chain>$ <things>.")
_TOTAL = Template("Together that is $<chain>$ <things>.")

State = Mapping[str, int]
"""Quantities by name."""


@dataclass(frozen=True, slots=True)
class Level:
    people: int
    base: int
    """Greatest first quantity."""
    more: int
    """Greatest difference."""
    factor: int
    ceiling: int
    total: tuple[int, ...] = (0,)
    """How many quantities may be added in the question; 0: one person is asked for."""


_LEVELS = {
    1: Level(2, base=30, more=15, factor=2, ceiling=45, total=(0, 2)),
    2: Level(2, base=50, more=25, factor=3, ceiling=75, total=(0, 2)),
    3: Level(3, base=30, more=20, factor=3, ceiling=80, total=(0, 2)),
    4: Level(3, base=50, more=30, factor=4, ceiling=120, total=(0, 2)),
    5: Level(4, base=40, more=40, factor=5, ceiling=150, total=(0, 2)),
}


class Quantities(Kind[Story, State]):
    name = "quantities"
    phrasings = ()

    def draw(self, draw: Draw, level: int) -> Story:
        size = _LEVELS[level]
        while True:
            names = draw.sample(NAMES, size.people)
            facts: list[Fact] = [Fact(names[0], "is", draw.integer(2, size.base))]
            for name in names[1:]:
                facts.append(_fact(draw, size, name, [fact.name for fact in facts]))
            question = _question(draw, size, names)
            story = Story(tuple(facts), question, draw.choice(ITEMS))
            values = story.values()
            if values and all(1 < value <= size.ceiling for value in values.values()):
                return story

    def write(self, given: Story, draw: Draw) -> str:
        return tell(given, draw)

    def signature(self, given: Story) -> str:
        """Without names, things, and who is compared with whom."""
        return f"{self.name}|{sorted((fact.relation, fact.amount) for fact in given.facts)}"

    def understand(self, text: str) -> Story | None:
        try:
            return read_story(text)
        except ValueError:
            return None

    def fields(self, given: Story) -> dict[str, object]:
        raise NotImplementedError("a story is told, not filled in")

    def read(self, fields: Mapping[str, str]) -> Story:
        raise NotImplementedError("a story is read as a whole")

    def work(self, given: Story) -> list[str]:
        values = given.values()
        steps = []
        for fact in given.facts[1:]:
            shown = _written(_formula(fact, values))
            steps.append(_STEP.fill(name=fact.name, chain=shown, things=given.things))
        if len(given.question.names) > 1:
            total = _total([values[name] for name in given.question.names])
            steps.append(_TOTAL.fill(chain=chain(total), things=given.things))
        return steps

    def answer(self, given: Story) -> str:
        return str(sum(given.values()[name] for name in given.question.names))

    def start(self, given: Story) -> State:
        return {fact.name: fact.amount for fact in given.facts if fact.relation == "is"}

    def settled(self, given: Story, state: State) -> bool:
        return (given.question.names[0] if len(given.question.names) == 1 else ALL) in state


def _fact(draw: Draw, size: Level, name: str, earlier: list[str]) -> Fact:
    relation = draw.choice(
        ("more", "fewer", "times", "share", "sum") if len(earlier) > 1 else ("more", "fewer", "times")
    )
    if relation == "sum":
        return Fact(name, relation, 0, tuple(draw.sample(earlier, 2)))
    amount = draw.integer(2, size.factor if relation in ("times", "share") else size.more)
    return Fact(name, relation, amount, (earlier[-1] if draw.integer(0, 2) else draw.choice(earlier),))


def _question(draw: Draw, size: Level, names: list[str]) -> Question:
    count = draw.choice(size.total)
    if count == 0:
        return Question((names[-1],))
    return Question(tuple(names)) if count == len(names) else Question((names[-1], draw.choice(names[:-1])))


def _formula(fact: Fact, values: Mapping[str, int]) -> Term:
    numbers = [Fraction(values[name]) for name in fact.of]
    amount = Fraction(fact.amount)
    if fact.relation == "sum":
        return Apply("+", numbers[0], numbers[1])
    if fact.relation == "times":
        return Apply("*", amount, numbers[0])
    return Apply({"more": "+", "fewer": "-", "share": "/"}[fact.relation], numbers[0], amount)


def _written(term: Term) -> str:
    assert isinstance(term, Apply)
    return written(term)


def _total(values: list[int]) -> Term:
    term: Term = Fraction(values[0])
    for value in values[1:]:
        term = Apply("+", term, Fraction(value))
    return term


def _found(given: Story, state: State, fields: Mapping[str, str]) -> State:
    fact = next((fact for fact in given.facts if fact.name == fields["name"] and fact.relation != "is"), None)
    if fact is None or fields["things"] != given.things:
        raise Wrong
    require(set(fact.of) <= set(state))
    sides = true_chain(fields["chain"])
    require(_same(sides[0], _formula(fact, state)) and isinstance(sides[-1], Fraction))
    return {**state, fact.name: given.values()[fact.name]}


def _same(term: Term, other: Term) -> bool:
    """Equal, also with the sides of a sum or of a product exchanged."""
    if isinstance(term, Apply) and isinstance(other, Apply) and term.sign == other.sign and term.sign in "+*":
        return {term.left, term.right} == {other.left, other.right}
    return term == other


def _added(given: Story, state: State, fields: Mapping[str, str]) -> State:
    names = given.question.names
    sides = true_chain(fields["chain"])
    require(fields["things"] == given.things and len(names) > 1 and set(names) <= set(state))
    require(_addends(sides[0]) == sorted(Fraction(state[name]) for name in names) and isinstance(sides[-1], Fraction))
    return {**state, ALL: int(sides[-1])} if isinstance(sides[-1], Fraction) else state


def _addends(term: Term) -> list[Fraction]:
    """Raises Wrong when this is no plain sum of numbers."""
    if isinstance(term, Fraction):
        return [term]
    if not isinstance(term, Apply) or term.sign != "+":
        raise Wrong
    return sorted([*_addends(term.left), *_addends(term.right)])


Quantities.rules = (Rule(_TOTAL, _added), Rule(_STEP, _found))
