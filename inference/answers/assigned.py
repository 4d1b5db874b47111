r"""Lists such as `x = 1, y = 2`, which give a value to each of several unknowns.

Law: `x_1 = 1, x_2 = 2` are two values of one unknown, and not such a list.
"""

from __future__ import annotations

import re

from inference.answers.latex import is_balanced, split_top

SYMBOL = r"[A-Za-z](?:_\{?\w+\}?)?(?:\([A-Za-z]\))?|\\[a-z]+|[A-Z]{2,3}"
r"""A name for a quantity: a letter with or without an index or argument, a Greek letter, a segment such as `AB`."""
_ASSIGNED = re.compile(rf"^({SYMBOL})\s*=\s*([^=]+)$")
_AND = re.compile(r",?\s*(?:\\text\s*\{\s*,?\s*and\s*\}|\band\b)\s*")
_INDEX = re.compile(r"_.*$")


def is_name(text: str) -> bool:
    return re.fullmatch(rf"\s*(?:{SYMBOL})\s*", text) is not None


def assigned(text: str) -> list[tuple[str, str]]:
    """(name, value) of each part, in order; empty when the text is no such list."""
    parts = [part for part in split_top(_AND.sub(", ", text), ",") if part] if is_balanced(text) else []
    found = [match.groups() for part in parts if (match := _ASSIGNED.match(part))]
    unknowns = {_INDEX.sub("", name) for name, _ in found}
    if len(parts) < 2 or len(found) < len(parts) or len(unknowns) < len(parts):
        return []
    return [(name, value.strip()) for name, value in found]
