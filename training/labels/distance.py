"""Edit distance between two texts, in characters.

Myers' bit-parallel algorithm (J. ACM 46:3, 1999) in Hyyrö's form for the whole distance (2003): a column of the table
is two whole numbers, so that a pair of solutions costs a tenth of a millisecond without anything compiled.
"""

from __future__ import annotations

from collections import defaultdict


def edit_distance(left: str, right: str) -> int:
    """Fewest insertions, deletions and replacements that make one of the other (Levenshtein)."""
    if not left or not right:
        return len(left) + len(right)
    places: dict[str, int] = defaultdict(int)
    for at, letter in enumerate(left):
        places[letter] |= 1 << at
    full, last = (1 << len(left)) - 1, 1 << (len(left) - 1)
    more, less, distance = full, 0, len(left)  # bits: where a column's value rises or falls from row to row
    for letter in right:
        match = places.get(letter, 0)
        vertical = match | less
        horizontal = (((match & more) + more) ^ more) | match
        rises = less | ~(horizontal | more) & full
        falls = more & horizontal
        distance += bool(rises & last) - bool(falls & last)
        rises = (rises << 1 | 1) & full
        more = (falls << 1 | ~(vertical | rises)) & full
        less = rises & vertical
    return distance
