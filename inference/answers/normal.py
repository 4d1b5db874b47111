r"""The normal form of an answer: the key by which answers vote together.

Grammar of a key:
    q:3/4  exact rational        %:28  percentage        c:A  choice        w:even  words        x:\sqrt{2}  expression
    (k;k] [k;k] tuple or interval with its brackets     {k;k} set, sorted     u{k;k} union     m((k;k);(k;k)) matrix

Law: equal keys mean equal answers, and different rationals have different keys. Reading a key's own text gives the key.
"""

from __future__ import annotations

import re

from inference.answers.absolute import absolute_bounds
from inference.answers.assigned import SYMBOL, assigned, is_name
from inference.answers.latex import CLOSE, OPEN, balanced_end, cleaned, is_balanced, split_top
from inference.answers.rational import rational

_UNIT = re.compile(r"^(.*[\d)}])\s*([A-Za-z]{2,}\.?(?:[\s/]+[A-Za-z]+\.?)*|[a-zA-Z]\^?\{?[23]\}?)(?:\^?\{?[23]\}?)?$")
_NO_UNIT = re.compile(r"^(?:pi|sqrt|sin|cos|tan|log|ln|exp|mod|and|or|i|e|to)\b")
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}(?:\s*\^\s*\{[^{}]*\})?")
_THOUSANDS = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:(?:,|\s)\d{3})+(?!\d)(?=(?:\.\d+)?)")
_COMMA = re.compile(r"^(-?(?:0(?=,\d{3})|\d{4,}(?=,\d\d?$))),(\d+)$")
"""A decimal comma, where it can be nothing else: `0,111` and `1000,99`, but not `1,2` or `1,000`."""
_CLOCK = re.compile(r"^\d+(?:\s*:\s*\d+)+$")
_CHOICE = re.compile(r"^\(?\s*([A-E])\s*\)?\.?$")
_PERCENT = re.compile(r"^(.+?)\s*(?:%|percent|pct)$", re.IGNORECASE)
_WORDS = re.compile(r"^[A-Za-z][A-Za-z'’-]{2,}$|^[A-Za-z][A-Za-z'’.-]*(?:[ ][A-Za-z0-9'’.-]+)+$|^(?:no|NO|No)$")
_NAMED = re.compile(
    rf"^(?:{SYMBOL}|\((?:\s*(?:{SYMBOL})\s*,?)+\)|(?:{SYMBOL})\s*:\s*(?:{SYMBOL}))\s*(?:=|\\in\b)\s*(?=\S)"
)
_NAME_LAST = re.compile(rf"^([^=<>≤≥≠]*[^=<>≤≥≠\s])\s*=\s*(?:{SYMBOL})$")
_SCIENTIFIC = re.compile(r"^(-?\d+(?:\.\d*)?|-?\.\d+)[eE]([+-]?\d{1,3})$")
_BETWEEN = re.compile(rf"^(.+?)([<≤])\s*(?:{SYMBOL})\s*([<≤])(.+)$")
_MATRIX = re.compile(r"^\\begin\{[pbv]?matrix\}((?:(?!\\begin).)*)\\end\{[pbv]?matrix\}$", re.DOTALL)
_AND = re.compile(r",?\s*(?:\\text\s*\{\s*(?:,\s*)?(?:and|or)\s*\}|\b(?:and|or)\b)\s*", re.IGNORECASE)


def normal_form(text: str) -> str:
    """The key of an answer's text; empty when the text holds nothing."""
    text = cleaned(text)
    return _key(text) if text else ""


def _key(text: str) -> str:
    if text.count("=") > 1 and (values := assigned(text)):
        return "(" + ";".join(_key(value) for _, value in sorted(values)) + ")"
    text = _unwrapped(text)
    if not is_balanced(text):
        return _leaf(text)
    choice = _CHOICE.match(text)
    if choice:
        return f"c:{choice.group(1)}"
    return _matrix(text) or _several(text) or _bracketed(text) or absolute_bounds(text) or _between(text) or _leaf(text)


def _unwrapped(text: str) -> str:
    r"""Without a group, a `\text{…}` or a bold around the whole, and without a name before or after it (`x =`)."""
    while True:
        before = text
        whole = re.match(r"^(?:\\text\s*)?\{", text)
        if whole and balanced_end(text, whole.end() - 1) == len(text) and (text[0] == "\\" or "," not in text):
            text = text[whole.end() : -1].strip()
        text = text[named.end() :] if (named := _NAMED.match(text)) else text
        text = last.group(1) if (last := _NAME_LAST.match(text)) and not is_name(last.group(1)) else text
        if text == before:
            return text


def _matrix(text: str) -> str | None:
    found = _MATRIX.match(text)
    if not found:
        return None
    rows = [row for row in re.split(r"\\\\", found.group(1)) if row.strip()]
    cells = (";".join(_key(cell.strip()) for cell in row.split("&")) for row in rows)
    return "m(" + ";".join(f"({row})" for row in cells) + ")"


def _several(text: str) -> str | None:
    """Unions, and lists without brackets: these are sets, since roots have no order."""
    parts = [part for part in split_top(text.replace(r"\cup", "∪"), "∪") if part]
    if len(parts) > 1:
        return "u{" + ";".join(sorted(map(_key, parts))) + "}"
    if not _leaf(text).startswith(("x:", "w:")):
        return None
    parts = _list_parts(text)
    return _set(parts) if parts else None


def _list_parts(text: str) -> list[str]:
    joined = _AND.sub(", ", text)
    parts = [part for piece in split_top(joined, ";") for part in split_top(piece, ",") if part]
    if ";" in text and "=" in text:  # p=5,q=2; p=7,q=2: each piece is one tuple
        pieces = [split_top(piece, ",") for piece in split_top(text, ";")]
        parts = [f"({','.join(map(_unwrapped, piece))})" if len(piece) > 1 else piece[0] for piece in pieces]
    return parts if len(parts) > 1 and all(map(is_balanced, parts)) else []


def _set(parts: list[str]) -> str:
    keys = sorted({key for part in parts for key in _signs(part)})
    return "{" + ";".join(keys) + "}" if keys else r"x:\emptyset"


def _signs(part: str) -> list[str]:
    r"""`1 \pm \sqrt{2}` is two values."""
    if part.count(r"\pm") != 1:
        return [_key(part)]
    return [_key(part.replace(r"\pm", sign).strip()) for sign in ("+", "-")]


def _bracketed(text: str) -> str | None:
    if r"\pm" in text and split_top(text, ",") == [text] and text[0] not in "([" + OPEN:
        return _set([text])
    opening, closing, inner = text[0], text[-1], text[1:-1]
    if opening in (OPEN, "{") and closing in (CLOSE, "}") and balanced_end(text, 0) == len(text):
        return _set([part for part in split_top(inner, ",;") if part])
    if opening not in "([" or closing not in ")]" or not is_balanced(inner):
        return None
    parts = split_top(inner, ",;")
    return opening + ";".join(map(_key, parts)) + closing if len(parts) > 1 and all(parts) else None


def _between(text: str) -> str | None:
    r"""`a < x \le b` is the interval `(a, b]`."""
    found = _BETWEEN.match(text)
    if not found:
        return None
    low, left, right, high = found.groups()
    return ("(" if left == "<" else "[") + _key(low.strip()) + ";" + _key(high.strip()) + (")" if right == "<" else "]")


def _leaf(text: str) -> str:
    text = _last_of_chain(_NAMED.sub("", text.strip()))
    percent = _PERCENT.match(_without_text(text, keep=r"percent|pct"))
    value = _value(percent.group(1) if percent else text)
    if value is not None:
        return f"%:{value}" if percent else f"q:{value}"
    text = _TEXT.sub(r"\1", text) if not _without_text(text) else _without_text(text)
    if _CHOICE.match(text):
        return f"c:{text.strip(' ().')}"
    if _CLOCK.match(text):
        return "w:" + text.replace(" ", "")
    if _WORDS.match(text):
        return "w:" + re.sub(r"\s+", " ", text.replace("’", "'")).rstrip(".").casefold()
    return "x:" + _expression(text)


def _value(text: str) -> str | None:
    """The rational number of a text with thousands separators and units, as `p` or `p/q`."""
    text = _without_text(text).strip()
    if (scientific := _SCIENTIFIC.match(text)) is not None:
        text = f"{scientific[1]}*10^{{{scientific[2]}}}"
    unit = _UNIT.match(text)
    if unit and not _NO_UNIT.match(unit.group(2)):
        text = unit.group(1)
    text = _COMMA.sub(r"\1.\2", text)
    text = _THOUSANDS.sub(lambda match: re.sub(r"[,\s]", "", match.group()), text)
    if (mixed := re.match(r"^(-?\d+) (\d+)/(\d+)$", text)) is not None:
        text = f"{mixed[1]}\\frac{{{mixed[2]}}}{{{mixed[3]}}}"
    value = rational(text)
    return None if value is None else str(value)


def _without_text(text: str, keep: str = r"$^") -> str:
    return _TEXT.sub(lambda match: match[1] if re.search(keep, match[1]) else " ", text).strip()


def _last_of_chain(text: str) -> str:
    r"""`5+5+1 = 11` says 11 when its last part is a number and none of it holds a letter."""
    exact = text.split(r"\approx")[0].strip()
    parts = split_top(exact, "=")
    return parts[-1] if len(parts) > 1 and not re.search("[A-Za-z]", exact) else text


def _expression(text: str) -> str:
    """Spaces matter only between a macro and a letter; signs and semicolons get one spelling."""
    text = text.replace(";", ",").replace(OPEN, r"\{").replace(CLOSE, r"\}").replace(r"\cup", "∪")
    text = re.sub(r"(\\[A-Za-z]+) +(?=[A-Za-z])", "\\1\x03", text)
    return text.replace(" ", "").replace("\x03", " ")
