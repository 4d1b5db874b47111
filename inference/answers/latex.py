r"""Small LaTeX surgery: brackets, macros without meaning, and one spelling for each thing.

Law: pure text to text; nothing here evaluates, so nothing here can hang.
"""

from __future__ import annotations

import re

OPEN, CLOSE = "\x01", "\x02"
r"""Stand for the visible braces `\{` and `\}`, so that `{` and `}` are only groups."""

_PAIRS = {"(": ")", "[": "]", "{": "}", OPEN: CLOSE}

_PLAIN = (
    ("−", "-"), ("–", "-"), ("×", r"\times "), ("·", r"\cdot "), ("÷", r"\div "), ("π", r"\pi "), ("∞", r"\infty "),
    ("≤", r"\le "), ("≥", r"\ge "), ("≠", r"\ne "), ("∪", r"\cup "), ("²", "^2"), ("³", "^3"), ("½", r"\frac{1}{2}"),
    ("€", ""), ("£", ""), ("°", ""), ("\u00a0", " "), ("{,}", ","), (r"\{", OPEN), (r"\}", CLOSE),
    (r"\lbrace", OPEN), (r"\rbrace", CLOSE), (r"\$", ""), ("$", " "), (r"\%", "%"), (r"\\\\", r"\\"),
)  # fmt: skip
_DROPPED = re.compile(
    r"\\!\s*|(?<!\\)\\(?:left|right|displaystyle|textstyle|limits|bigl?|bigr|Bigl?|Bigr)(?![a-zA-Z])\.?|(?<!\\)\\[()\[\]]"
    r"|\^\s*\{?\s*\\(?:circ|degree)\s*\}?|\\(?:degree|degrees)(?![a-zA-Z])"
)
_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
_SPACED = re.compile(r"\\q?quad|(?<!\\)\\[,;: ]|~")
_SYNONYMS = (
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:leq|leqslant|le)(?![a-zA-Z])|<="), "≤"),
    (re.compile(r"\\(?:geq|geqslant|ge)(?![a-zA-Z])|>="), "≥"),
    (re.compile(r"\\(?:neq|ne)(?![a-zA-Z])|!="), "≠"),
    (re.compile(r"(?<![A-Za-z\\])(pi|sqrt)(?![a-zA-Z])"), r"\\\1 "),
    (re.compile(r"\\lt(?![a-zA-Z])"), "<"),
    (re.compile(r"\\gt(?![a-zA-Z])"), ">"),
    (re.compile(r"\\(?:cdot|times|ast)(?![a-zA-Z])"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])"), "/"),
    (re.compile(r"\\varnothing(?![a-zA-Z])|∅"), r"\\emptyset"),
    (re.compile(r"\\(?:text|mbox|textbf|textit|textrm|textnormal|mathrm|mathbf|operatorname)(?![a-zA-Z])"), r"\\text"),
)
_ARGUMENT = re.compile(r"\\(frac|sqrt)\s*(\[[^\]]*\])?\s*")
_BRACE = re.compile(r"(?<!\\)[{}]")
_POWER = re.compile(r"([\^_])\s*([A-Za-z0-9])(?![}])")


def balanced_end(text: str, start: int) -> int | None:
    """The index after the bracket that closes the one at `start`; None when it is never closed."""
    opening, depth = text[start], 0
    closing = _PAIRS[opening]
    for index in range(start, len(text)):
        escaped = index > 0 and text[index - 1] == "\\" and text[index] in "{}"
        if escaped:
            continue
        depth += (text[index] == opening) - (text[index] == closing)
        if depth == 0:
            return index + 1
    return None


def group_ends(text: str) -> dict[int, int]:
    """The index after the closing brace of each group, by its opening brace; in one pass, whatever a model writes."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for match in _BRACE.finditer(text):
        if match.group() == "{":
            opened.append(match.start())
        elif opened:
            ends[opened.pop()] = match.end()
    return ends


def cleaned(text: str) -> str:
    """The same mathematics in fewer spellings."""
    for old, new in _PLAIN:
        text = text.replace(old, new)
    text = _BOLD.sub(r"\1", text).replace("**", "^")
    text = _SPACED.sub(" ", _DROPPED.sub("", text))
    for pattern, new in _SYNONYMS:
        text = pattern.sub(new, text)
    return re.sub(r"\s+", " ", braced(text)).strip().rstrip(".").strip()


def braced(text: str) -> str:
    r"""Arguments in braces: `\frac12` → `\frac{1}{2}`, `\sqrt3` → `\sqrt{3}`, `x^2` → `x^{2}`."""
    out, at = [], 0
    for match in _ARGUMENT.finditer(text):
        if match.start() < at:
            continue
        out.append(text[at : match.start()])
        out.append("\\" + match.group(1) + (match.group(2) or ""))
        at = match.end()
        for _ in range(2 if match.group(1) == "frac" else 1):
            argument, at = _argument(text, at)
            out.append("{" + braced(argument) + "}")
    out.append(text[at:])
    return _POWER.sub(r"\1{\2}", "".join(out))


def _argument(text: str, at: int) -> tuple[str, int]:
    while text[at : at + 1] == " ":
        at += 1
    if text[at : at + 1] == "{":
        end = balanced_end(text, at)
        return (text[at + 1 : end - 1], end) if end is not None else (text[at + 1 :], len(text))
    macro = re.match(r"\\[A-Za-z]+", text[at:])
    size = macro.end() if macro else 1
    return text[at : at + size], min(at + size, len(text))


def split_top(text: str, separators: str) -> list[str]:
    """Parts between separators that stand outside all brackets (an interval's mixed brackets count as one pair)."""
    parts, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        if letter in "([{" or letter == OPEN:
            depth += 1
        elif letter in ")]}" or letter == CLOSE:
            depth -= 1
        elif letter in separators and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return [part.strip() for part in parts]


def is_balanced(text: str) -> bool:
    depth = 0
    for letter in text:
        depth += (letter in "([{" or letter == OPEN) - (letter in ")]}" or letter == CLOSE)
        if depth < 0:
            return False
    return depth == 0
