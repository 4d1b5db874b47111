"""The `input` of a response and the `messages` of a chat, as items and as turns. What a policy can't read is refused.

An item is what `input_items` lists: a message with a role and parts of text, and an id once it is stored. Reasoning
items that a client sends back are left out: a policy is shown answers, not how they were found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.conversation import Role, Turn
from domain.facade.refusals import refused, unsupported

Item = dict[str, Any]

ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM, "developer": Role.SYSTEM}
_TEXT_PARTS = frozenset({"input_text", "output_text", "text"})
_OTHER_PARTS = {
    "input_image": "images",
    "image_url": "images",
    "input_file": "files",
    "file": "files",
    "input_audio": "audio",
}


def input_items(value: object) -> list[Item]:
    """Items of a response's `input`. Raises InvalidRequest naming the member."""
    if isinstance(value, str):
        return [_message("user", [value])]
    if not isinstance(value, list):
        raise refused("input must be a string or a list of items", "input")
    return [item for index, part in enumerate(value) for item in _input_item(part, f"input.{index}")]


def chat_items(value: object) -> list[Item]:
    """Items of a chat's `messages`. Raises InvalidRequest naming the member."""
    if not isinstance(value, list) or not value:
        raise refused('messages must be a list such as [{"role": "user", "content": "1 + 1 = ?"}]', "messages")
    return [_chat_message(part, f"messages.{index}") for index, part in enumerate(value)]


def turns_of(items: Sequence[Mapping[str, Any]]) -> list[Turn]:
    return [Turn(ROLES[item["role"]], "\n\n".join(part["text"] for part in item["content"])) for item in items]


def with_ids(items: Sequence[Item], suffix: str) -> list[Item]:
    """The items of the response whose id ends in `suffix`; those that have an id come from a response before it."""
    return [item if "id" in item else {"id": f"msg_{suffix}_{at}"} | item for at, item in enumerate(items)]


def answer_item(text: str, status: str) -> Item:
    """A message of the assistant: as the output, or as what was said before."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "role": "assistant", "status": status, "content": [part]}


def _input_item(item: object, where: str) -> list[Item]:
    if not isinstance(item, dict):
        raise refused("an input item must be an object with a role and a content", where)
    kind = item.get("type", "message")
    if kind == "reasoning":
        return []
    if kind != "message":
        raise unsupported(f"{where}.type", f"items of type {_short(kind)} are not supported: send messages")
    return [_message(_role(item, where), _texts(item.get("content"), f"{where}.content"))]


def _chat_message(message: object, where: str) -> Item:
    if not isinstance(message, dict):
        raise refused("a message must be an object with a role and a content", where)
    role = _role(message, where)
    for name in ("tool_calls", "function_call"):
        if message.get(name):
            raise unsupported(f"{where}.{name}", "this service calls no tools: leave out messages that call one")
    content = message.get("content")
    if content is None and role == "assistant":
        content = message.get("refusal") or ""
    return _message(role, _texts(content, f"{where}.content"))


def _role(item: Mapping[str, Any], where: str) -> str:
    role = item.get("role")
    if role in ("tool", "function"):
        raise unsupported(f"{where}.role", "this service calls no tools: leave out messages with a tool's result")
    if not isinstance(role, str) or role not in ROLES:
        raise refused(f"role must be one of {', '.join(ROLES)}", f"{where}.role")
    return role


def _texts(content: object, where: str) -> list[str]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise refused("content must be a string or a list of parts", where)
    return [_part_text(part, f"{where}.{index}") for index, part in enumerate(content)]


def _part_text(part: object, where: str) -> str:
    if not isinstance(part, dict):
        raise refused("a content part must be an object with a type", where)
    kind = part.get("type")
    if not isinstance(kind, str):
        raise refused("a content part must be an object with a type", f"{where}.type")
    if kind in _OTHER_PARTS:
        message = f"this policy reads text only and takes no {_OTHER_PARTS[kind]}: leave the part out"
        raise unsupported(where, message)
    name = "refusal" if kind == "refusal" else "text"
    if kind not in _TEXT_PARTS and kind != "refusal":
        raise refused(f"a content part can't be of type {_short(kind)}: send text", f"{where}.type")
    text = part.get(name)
    if not isinstance(text, str):
        raise refused(f"a part of type {kind!r} needs its {name} as a string", f"{where}.{name}")
    return text


def _message(role: str, texts: Sequence[str]) -> Item:
    if role == "assistant":
        return answer_item("\n\n".join(texts), "completed")
    content = [{"type": "input_text", "text": text} for text in texts]
    return {"type": "message", "role": role, "status": "completed", "content": content}


def _short(value: object) -> str:
    return repr(value)[:64]
