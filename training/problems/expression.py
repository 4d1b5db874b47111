"""Arithmetic expressions as trees: write, read, and reduce by one operation.

Law: `parse(render(tree)) == tree`; brackets appear only where leaving them out would change the tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

_TOKEN = re.compile(r"\s*(\d+|[-+*()])")
MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Operation:
    left: Tree
    sign: str
    """One of `+`, `-`, `*`."""
    right: Tree


Tree: TypeAlias = int | Operation


def apply(left: int, sign: str, right: int) -> int:
    """The exact value of one operation on two numbers."""
    if sign == "+":
        return left + right
    return left - right if sign == "-" else left * right


def evaluate(tree: Tree) -> int:
    if isinstance(tree, int):
        return tree
    return apply(evaluate(tree.left), tree.sign, evaluate(tree.right))


def render(tree: Tree) -> str:
    """The usual notation, e.g. `(17 + 4) * 3 - 8`."""
    if isinstance(tree, int):
        return str(tree)
    product = tree.sign == "*"
    left = _bracketed(tree.left, product and isinstance(tree.left, Operation) and tree.left.sign != "*")
    right = _bracketed(tree.right, isinstance(tree.right, Operation) and (product or tree.right.sign != "*"))
    return f"{left} {tree.sign} {right}"


def _bracketed(tree: Tree, needed: bool) -> str:
    return f"({render(tree)})" if needed else render(tree)


def operations(tree: Tree) -> list[Operation]:
    """All operations of the tree in the order in which `first_ready` takes them."""
    if isinstance(tree, int):
        return []
    return [*operations(tree.left), *operations(tree.right), tree]


def ready(tree: Tree) -> list[Operation]:
    """The operations that can be done next (both sides are numbers), from left to right."""
    return [item for item in operations(tree) if isinstance(item.left, int) and isinstance(item.right, int)]


def reductions(tree: Tree, target: Operation, value: int) -> list[Tree]:
    """Every tree that comes from putting `value` in the place of one operation equal to `target`."""
    if isinstance(tree, int):
        return []
    here: list[Tree] = [value] if tree == target else []
    lefts: list[Tree] = [Operation(new, tree.sign, tree.right) for new in reductions(tree.left, target, value)]
    rights: list[Tree] = [Operation(tree.left, tree.sign, new) for new in reductions(tree.right, target, value)]
    return here + lefts + rights


def parse(text: str) -> Tree:
    """Reads what `render` writes, and spare brackets too. Raises ValueError on anything else."""
    tokens = _tokens(text)
    tree, rest = _sum(tokens, 0, 0)
    if rest != len(tokens):
        raise ValueError("text after the expression")
    return tree


def _tokens(text: str) -> list[str]:
    found, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise ValueError("not an arithmetic expression")
        found.append(match.group(1))
        position = match.end()
    return found


def _sum(tokens: list[str], at: int, depth: int) -> tuple[Tree, int]:
    tree, at = _product(tokens, at, depth)
    while at < len(tokens) and tokens[at] in "+-":
        right, after = _product(tokens, at + 1, depth)
        tree, at = Operation(tree, tokens[at], right), after
    return tree, at


def _product(tokens: list[str], at: int, depth: int) -> tuple[Tree, int]:
    tree, at = _atom(tokens, at, depth)
    while at < len(tokens) and tokens[at] == "*":
        right, at = _atom(tokens, at + 1, depth)
        tree = Operation(tree, "*", right)
    return tree, at


def _atom(tokens: list[str], at: int, depth: int) -> tuple[Tree, int]:
    if at >= len(tokens) or depth > MAX_DEPTH:
        raise ValueError("the expression ends early" if depth <= MAX_DEPTH else "brackets are nested too deeply")
    if tokens[at].isdigit():
        return int(tokens[at]), at + 1
    if tokens[at] != "(":
        raise ValueError(f"a number or a bracket is missing before {tokens[at]!r}")
    tree, at = _sum(tokens, at + 1, depth + 1)
    if at >= len(tokens) or tokens[at] != ")":
        raise ValueError("a bracket is not closed")
    return tree, at + 1
