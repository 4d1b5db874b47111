"""What a user submits: the text of a problem, kept as content parts so that other kinds of parts can join it."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import InvalidRequest

MAX_PROBLEM_CHARS = 100_000


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. Today every part is text; a policy that reads images adds its part type to this tuple."""

    parts: tuple[TextPart, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(part.text for part in self.parts)


def text_problem(text: str) -> Problem:
    return Problem((TextPart(text),))


def parse_problem(value: object) -> Problem:
    """A problem from JSON: a string, or a list of `{"type": "text", "text": …}` parts. Raises InvalidRequest."""
    if isinstance(value, str):
        problem = text_problem(value)
    elif isinstance(value, list):
        problem = Problem(tuple(_parse_part(index, part) for index, part in enumerate(value)))
    else:
        raise InvalidRequest("problem must be a string or a list of content parts", param="problem")
    return checked(problem)


def _parse_part(index: int, part: object) -> TextPart:
    where = f"problem.{index}"
    if not isinstance(part, dict):
        raise InvalidRequest("a content part must be an object with a type", param=where)
    kind = part.get("type")
    if kind not in ("text", "input_text"):
        raise InvalidRequest(
            f"this policy reads text only: send parts of type 'text', not {kind!r}", param=f"{where}.type"
        )
    text = part.get("text")
    if not isinstance(text, str):
        raise InvalidRequest("a text part needs its text as a string", param=f"{where}.text")
    return TextPart(text)


def checked(problem: Problem) -> Problem:
    """The problem, when it can be stored and asked. Raises InvalidRequest."""
    text = problem.text
    if not text.strip():
        raise InvalidRequest("problem is empty: send the text of the problem", param="problem")
    if len(text) > MAX_PROBLEM_CHARS:
        raise InvalidRequest(
            f"problem has {len(text)} characters; the limit is {MAX_PROBLEM_CHARS}: shorten it", param="problem"
        )
    if "\x00" in text:
        raise InvalidRequest("problem contains a NUL character: remove it", param="problem")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("problem is not whole Unicode text: send it as UTF-8", param="problem") from None
    return problem
