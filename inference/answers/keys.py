"""Reading keys (see `normal` for their grammar): their parts, their LaTeX, and what can be decided without symbols.

Law: `decided` never says "equal" of two different rationals, and says None only where symbols could matter.
"""

from __future__ import annotations

from dataclasses import dataclass

_OPENINGS, _CLOSINGS = "([{", ")]}"
_SPELLED = (("≤", r"\le "), ("≥", r"\ge "), ("≠", r"\ne "), ("∪", r"\cup "))


@dataclass(frozen=True, slots=True)
class Node:
    """A key read: a leaf has a kind (`q`, `%`, `c`, `w`, `x`) and a text; a compound has brackets and parts."""

    kind: str
    text: str = ""
    parts: tuple[Node, ...] = ()

    @property
    def is_leaf(self) -> bool:
        return not self.parts


def parse_key(key: str) -> Node:
    if key[1:2] == ":":
        return Node(key[0], key[2:])
    at = key.index(next(letter for letter in key if letter in _OPENINGS))
    kind, inner = key[:at] + key[at] + key[-1], key[at + 1 : -1]
    return Node(kind, parts=tuple(parse_key(part) for part in _split(inner)))


def _split(inner: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, letter in enumerate(inner):
        depth += (letter in _OPENINGS) - (letter in _CLOSINGS)
        if letter == ";" and depth == 0:
            parts.append(inner[start:index])
            start = index + 1
    return [*parts, inner[start:]]


def latex_of(node: Node) -> str:
    """The key as LaTeX; `normal_form` of it is the key again."""
    if not node.is_leaf:
        return _compound_latex(node)
    if node.kind == "q" and "/" in node.text:
        top, bottom = node.text.lstrip("-").split("/")
        return ("-" if node.text.startswith("-") else "") + f"\\frac{{{top}}}{{{bottom}}}"
    if node.kind == "%":
        return latex_of(Node("q", node.text)) + r"\%"
    if node.kind == "w":
        return f"\\text{{{node.text}}}"
    text = node.text
    for spelled, macro in _SPELLED:
        text = text.replace(spelled, macro)
    return text


def _compound_latex(node: Node) -> str:
    if node.kind == "m()":
        rows = (" & ".join(map(latex_of, row.parts)) for row in node.parts)
        return r"\begin{pmatrix}" + r" \\ ".join(rows) + r"\end{pmatrix}"
    if node.kind == "u{}":
        return r" \cup ".join(map(latex_of, node.parts))
    opening, closing = (r"\{", r"\}") if node.kind == "{}" else (node.kind[0], node.kind[1])
    return opening + ", ".join(map(latex_of, node.parts)) + closing


def decided(left: str, right: str) -> bool | None:
    """Whether two keys are equal, when exact comparison can say so; None: ask for a symbolic comparison."""
    if left == right:
        return True
    kinds = {left[:2]: left[2:], right[:2]: right[2:]}
    if set(kinds) == {"q:", "%:"}:
        return kinds["q:"] == kinds["%:"]  # data sets leave the sign out: 10 and 10 %
    if "x:" not in left and "x:" not in right:
        return False
    return False if {"c:", "w:"} & set(kinds) else None
