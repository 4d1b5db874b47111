r"""The final answer of a finished solution.

Law: the last balanced `\boxed{…}` wins; then GSM8K's `####` line; then "the answer is …". No answer is None, never a
guess from some other number in the text.
"""

from __future__ import annotations

import re

from domain.moves import Answer
from inference.answers.latex import group_ends
from inference.answers.normal import normal_form

_BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*")
_LINKED = re.compile(
    r"^[\s,;$.\\()]*(?:\\q?quad\s*)?(?:(?:\\text\s*\{)?[\s\w()]{0,16}\b(?:and|or)\b\s*\}?)?\s*(?:\\q?quad)?[\s,;$\\()]*$"
)
"""What may stand between two boxes or formulas of one list."""
_MOST_LINK_CHARS = 100
"""A longer gap ends a list; the pattern above takes cubic time."""
_HASHES = re.compile(r"^####[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_SENTENCE = re.compile(r"(?i:\banswer\s+is)\s*:?\s*(.+?)(?:[.!?]?\s*$|[.!?]\s|\n)", re.MULTILINE)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|\$([^$]+)\$", re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?")
_PROSE = re.compile(r"[A-Za-z']+\s+\w+\s+\w+\s")
_SHORT_CHARS = 60
MAX_ANSWER_CHARS = 4000


def extract_answer(text: str) -> Answer | None:
    """The answer of a solution, with its normal form; None when it names none."""
    raw = final_text(text)
    return answer_of(raw) if raw is not None else None


def answer_of(raw: str) -> Answer | None:
    """An answer from its own text (such as a data set's gold answer)."""
    raw = raw.strip()
    if not raw or len(raw) > MAX_ANSWER_CHARS:
        return None
    key = normal_form(raw)
    return Answer(raw, key) if key else None


def final_text(text: str) -> str | None:
    """The answer as written."""
    boxes = _boxes(text)
    if boxes:
        return _last_group(text, boxes)
    for pattern in (_HASHES, _SENTENCE):
        found = pattern.findall(text)
        if found:
            return str(found[-1]).strip()
    return None


def _boxes(text: str) -> list[tuple[int, int, str]]:
    """(start, end, content) of every box; one without its closing brace was cut and does not count."""
    boxes, ends = [], group_ends(text)
    for match in _BOX.finditer(text):
        start = match.end()
        if text[start : start + 1] == "{":
            end = ends.get(start)
            if end is not None:
                boxes.append((match.start(), end, text[start + 1 : end - 1].strip()))
        else:
            bare = re.match(r"[^\s$.,;{}\\]+", text[start:])
            if bare:
                boxes.append((match.start(), start + bare.end(), bare.group()))
    return [box for box in boxes if box[2]]


def _last_group(text: str, boxes: list[tuple[int, int, str]]) -> str:
    r"""The last box, with those before it that belong to the same list: `\boxed{1}` and `\boxed{2}`."""
    group = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        if group[0][0] - box[1] > _MOST_LINK_CHARS or not _LINKED.match(text[box[1] : group[0][0]]):
            break
        group.insert(0, box)
    distinct = list(dict.fromkeys(content for _, _, content in group))
    return ", ".join(distinct)


def read_answer(text: str) -> Answer | None:
    """For grading texts that follow no convention (data sets' golds): as `extract_answer`; else a short text that is
    an answer as a whole; else the last formula or number."""
    raw = final_text(text)
    if raw is None:
        formulas = _formulas(text)
        bare = len(text) <= _SHORT_CHARS and not _FORMULA.search(text) and not _PROSE.search(text)
        raw = text if bare else _last_group(text, formulas) if formulas else None
    return answer_of(raw) if raw is not None else None


def _formulas(text: str) -> list[tuple[int, int, str]]:
    """Formulas, and numbers outside of them, in order; a lone letter names something and is no answer."""
    found = [
        (match.start(), match.end(), next(group for group in match.groups() if group is not None).strip())
        for match in _FORMULA.finditer(text)
    ]
    outside = _FORMULA.sub(lambda match: " " * len(match.group()), text)
    found += [(match.start(), match.end(), match.group()) for match in _NUMBER.finditer(outside)]
    return sorted(item for item in found if len(item[2]) > 1 or item[2].isdigit() or len(found) == 1)
