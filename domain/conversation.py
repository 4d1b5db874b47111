"""A conversation as the one text that a policy is asked about. Law: one turn of the user alone is that text unchanged.

Policies are given a problem, not a list of turns. What a user asked first stays plain, so that the shipped models see
the format that they were trained on; only a conversation gets headings, and the last heading is the turn to answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.problem import Problem, TextPart


class Role(StrEnum):
    """Who speaks in a turn."""

    SYSTEM = "system"
    """The operator of the application; `developer` of newer APIs is the same."""
    USER = "user"
    ASSISTANT = "assistant"
    """An answer of before."""


_HEADINGS = {Role.SYSTEM: "Instructions", Role.USER: "User", Role.ASSISTANT: "Assistant"}


@dataclass(frozen=True, slots=True)
class Turn:
    role: Role
    text: str


def conversation_problem(turns: Sequence[Turn]) -> Problem:
    """The problem that these turns are. Instructions before a single question stand before it without a heading; with
    more turns each one gets a heading (`User:`, `Assistant:`, `Instructions:`). Blank turns are left out."""
    spoken = [turn for turn in turns if turn.text.strip()]
    if _is_one_question(spoken):
        return Problem(tuple(TextPart(turn.text) for turn in spoken))
    return Problem(tuple(TextPart(f"{_HEADINGS[turn.role]}:\n{turn.text}") for turn in spoken))


def _is_one_question(turns: Sequence[Turn]) -> bool:
    """Any number of instructions, then one question or none."""
    roles = [turn.role for turn in turns]
    questions = [role for role in roles if role is not Role.SYSTEM]
    return not questions or (questions == [Role.USER] and roles[-1] is Role.USER)
