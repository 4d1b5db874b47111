"""Sentences with places to fill in; the same template writes a sentence and reads it back.

Law: `template.match(template.fill(**values)) == values` for values without `$` and line breaks.
`<name>` holds any text, `<#name>` a whole number; a name that stands twice must hold the same text both times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile(r"<(#?)([a-z]\w*)>")


class Template:
    def __init__(self, text: str) -> None:
        self.text = text
        self._pattern = re.compile(_pattern(text), re.ASCII)

    def fill(self, **values: object) -> str:
        return _PLACE.sub(lambda place: str(values[place[2]]), self.text)

    def match(self, text: str) -> Mapping[str, str] | None:
        found = self._pattern.fullmatch(text)
        return None if found is None else found.groupdict()


def _pattern(text: str) -> str:
    parts, at, seen = [], 0, set()
    for place in _PLACE.finditer(text):
        parts.append(re.escape(text[at : place.start()]))
        name = place[2]
        kind = r"-?[0-9]+" if place[1] else r"[^$\n]+?"
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{kind})")
        seen.add(name)
        at = place.end()
    return "".join(parts) + re.escape(text[at:])
