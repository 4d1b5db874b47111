"""Reading a file of JSON lines one field at a time. Law: what is wrong is one sentence with file, line and remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError, InvalidRequest
from inference.answers.extract import answer_of
from training.problems.files import MAX_LINE_CHARS


class Line:
    """One JSON object of a file, and what may be asked of it. All methods raise InvalidRequest."""

    def __init__(self, path: Path, number: int, text: str) -> None:
        self._path, self.number = path, number
        self._found = self._object(text)

    def fail(self, what: str, remedy: str) -> InvalidRequest:
        return InvalidRequest(f"{self._path}:{self.number}: {what}: {remedy}")

    def text(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(f"the field '{name}' must be a text that is not empty", "write it in quotes")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._list(name)
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.fail(f"the field '{name}' must be a list of texts that are not empty", "correct it")
        return tuple(values)

    def shares(self, name: str) -> tuple[float, ...]:
        values = self._list(name)
        if not all(type(value) in (int, float) and 0 <= value <= 1 for value in values):
            raise self.fail(f"the field '{name}' must be a list of numbers from 0 to 1", "correct it")
        return tuple(float(value) for value in values)

    def counts(self, name: str) -> tuple[int, ...]:
        values = self._list(name)
        if not all(type(value) is int and value >= 0 for value in values):
            raise self.fail(f"the field '{name}' must be a list of whole numbers", "correct it")
        return tuple(values)

    def truth(self, name: str) -> bool:
        value = self._value(name)
        if not isinstance(value, bool):
            raise self.fail(f"the field '{name}' must be true or false", "write it without quotes")
        return value

    def answer(self, name: str) -> str | None:
        if self._value(name) is None:
            return None
        answer = self.text(name)
        if answer_of(answer) is None:
            raise self.fail("the answer can't be read", "write a number, a formula in LaTeX, a short text or null")
        return answer

    def _list(self, name: str) -> list[Any]:
        value = self._value(name)
        if not isinstance(value, list):
            raise self.fail(f"the field '{name}' must be a list", "write it in [ ]")
        return value

    def _value(self, name: str) -> Any:
        if name not in self._found:
            raise self.fail(f"the field '{name}' is missing", f'add "{name}": … to this line')
        return self._found[name]

    def _object(self, text: str) -> dict[str, Any]:
        if len(text) > MAX_LINE_CHARS:
            raise self.fail(f"the line has more than {MAX_LINE_CHARS} characters", "shorten it")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise self.fail("this is no JSON", "put one JSON object on each line") from None
        if not isinstance(found, dict):
            raise self.fail("this is no JSON object", 'write {"problem_id": …, "problem": …}')
        return found


def lines(path: Path) -> Iterator[Line]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield Line(path, number, text)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read ({error.strerror}): check the path") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{path} is no UTF-8 text: save it as UTF-8") from None
