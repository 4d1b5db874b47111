"""The text of word problems: facts about who has how many, and a question; told in several ways, and read back.

Law: `read_story(tell(story, draw)) == story`, however the draw falls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.problems.draw import Draw
from training.problems.template import Template

NAMES = ("Ana", "Ben", "Cara", "Dan", "Eva", "Finn", "Gina", "Hugo", "Ida", "Jon", "Kim", "Leo", "Mia", "Ned", "Pia")
ITEMS = ("apples", "books", "cards", "coins", "eggs", "marbles", "pens", "plums", "shells", "stamps")
ALL = "all"
"""Stands for the total where a name would."""


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    relation: str
    """`is`, `more`, `fewer`, `times`, `share` (divided by), or `sum`."""
    amount: int
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    names: tuple[str, ...]
    """One person, or those whose quantities are added."""


@dataclass(frozen=True, slots=True)
class Story:
    facts: tuple[Fact, ...]
    question: Question
    things: str

    def values(self) -> dict[str, int]:
        """Everyone's quantity; empty when one is not a whole number above zero, or nobody's fact tells it."""
        known: dict[str, int] = {}
        for fact in self.facts:
            if not set(fact.of) <= set(known):
                return {}
            value = _value(fact, [known[name] for name in fact.of])
            if value is None or value <= 0:
                return {}
            known[fact.name] = value
        return known


def _value(fact: Fact, of: list[int]) -> int | None:
    if fact.relation == "is":
        return fact.amount
    if fact.relation == "sum":
        return sum(of)
    if fact.relation == "share":
        return None if fact.amount == 0 or of[0] % fact.amount else of[0] // fact.amount
    return {"more": of[0] + fact.amount, "fewer": of[0] - fact.amount, "times": of[0] * fact.amount}[fact.relation]


_FORMS: dict[str, tuple[Template, ...]] = {
    "more": (
        Template("<name> has $<#k>$ more <things> than <a>."),
        Template("<name> has as many <things> as <a> and $<#k>$ more."),
    ),
    "fewer": (
        Template("<name> has $<#k>$ fewer <things> than <a>."),
        Template("<a> has $<#k>$ more <things> than <name> has."),
    ),
    "times": (
        Template("<name> has $<#k>$ times as many <things> as <a>."),
        Template("For each of <a>'s <things>, <name> has $<#k>$."),
    ),
    "share": (
        Template(r"<name> has $\frac{1}{<#k>}$ of the number of <a>'s <things>."),
        Template("<a> has $<#k>$ times the <things> that <name> has."),
    ),
    "sum": (
        Template("<name> has as many <things> as <a> and <b> together."),
        Template("<a> and <b> together have the same number of <things> as <name>."),
    ),
    "is": (Template("<name> has $<#k>$ <things>."), Template("There are $<#k>$ <things> in <name>'s box.")),
}
_ONE = (Template("How many <things> does <a> have?"), Template("What is the number of <a>'s <things>?"))
_TWO = (
    Template("How many <things> do <a> and <b> have together?"),
    Template("What is the number of <things> of <a> and <b> together?"),
)
_ALL = (Template("How many <things> do they all have together?"), Template("How many <things> are there in all?"))


def tell(story: Story, draw: Draw) -> str:
    """The story in one of its many phrasings."""
    return " ".join([*(_sentence(fact, story.things, draw) for fact in story.facts), _asked(story, draw)])


def _sentence(fact: Fact, things: str, draw: Draw) -> str:
    people = dict(zip("ab", fact.of, strict=False))
    return draw.choice(_FORMS[fact.relation]).fill(name=fact.name, k=fact.amount, things=things, **people)


def _asked(story: Story, draw: Draw) -> str:
    names = story.question.names
    forms = _ONE if len(names) == 1 else _TWO if len(names) == 2 else _ALL
    return draw.choice(forms).fill(things=story.things, a=names[0], b=names[-1])


def read_story(text: str) -> Story:
    """Raises ValueError when this is no such story."""
    sentences = text.replace(". ", ".\n").split("\n")
    found = [_read_fact(sentence) for sentence in sentences[:-1]]
    facts = tuple(fact for fact, _ in found)
    names, asked_things = _read_question(sentences[-1], [fact.name for fact in facts])
    things = {things for _, things in found} | {asked_things}
    story = Story(facts, Question(names), asked_things)
    if len(things) != 1 or not set(names) <= set(story.values()):
        raise ValueError("the story does not tell what it asks")
    return story


def _read_fact(sentence: str) -> tuple[Fact, str]:
    for relation, forms in _FORMS.items():
        for form in forms:
            fields = form.match(sentence)
            if fields is not None and _plain(fields):
                of = tuple(fields[name] for name in "ab" if name in fields)
                return Fact(fields["name"], relation, int(fields.get("k", 0)), of), fields["things"]
    raise ValueError("not a fact")


def _read_question(sentence: str, names: list[str]) -> tuple[tuple[str, ...], str]:
    for forms in (_ONE, _TWO, _ALL):
        for form in forms:
            fields = form.match(sentence)
            if fields is not None and _plain(fields):
                asked = tuple(fields[name] for name in "ab" if name in fields)
                return asked or tuple(names), fields["things"]
    raise ValueError("not a question")


def _plain(fields: Mapping[str, str]) -> bool:
    return all(" " not in value for value in fields.values())
