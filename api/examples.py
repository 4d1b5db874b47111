"""An example for every body in /openapi.json: the model's own where it has one, else one made from its schema.

A test holds that each fits its schema, so that none can go stale.
"""

from __future__ import annotations

from typing import Any

JSON = "json"
_DEEPEST = 12
_ULID = "01k9x4w2m3e8r7t6y5h4g3f2d1"
_AT = 1_763_640_000
_BY_NAME: dict[str, Any] = {
    "answer": "391",
    "why": "5 of 5 solutions agree.",
    "solution": "17 * 23 = 17 * 20 + 17 * 3\n\n= 340 + 51\n\n\\boxed{391}",
    "confidence": 0.93,
    "stop_reason": "complete",
    "status_code": 200,
    "attempts": 1,
    "url": "https://example.com/hook",
    "webhook_url": "https://example.com/hook",
    "name": "hook",
    "error": None,
    "last_error": None,
    "failing_since": None,
    "disabled_reason": None,
    "deadline": None,
    "queue_position": None,
    "has_more": False,
    "next_after": 12,
    "seed": 7,
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "signing_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "signing_secret_hint": "whsec_…LaSw",
    "job_id": f"job_{_ULID}",
    "endpoint_id": f"whe_{_ULID}",
    "webhook_endpoint_id": f"whe_{_ULID}",
}
_PREFIXES = {"after": "job", "last_id": "job", "first_id": "job", "request_id": "req"}


def with_examples(document: dict[str, Any]) -> dict[str, Any]:
    """The document with an example in each JSON body that has a schema and no example yet."""
    schemas = document.get("components", {}).get("schemas", {})
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                _complete(operation, schemas)
    return document


def _complete(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    bodies = [operation.get("requestBody", {}), *operation.get("responses", {}).values()]
    for body in bodies:
        for kind, content in body.get("content", {}).items():
            if JSON in kind and content.get("schema") and "example" not in content and "examples" not in content:
                content["example"] = example_of(content["schema"], schemas)


def example_of(schema: dict[str, Any], schemas: dict[str, Any], name: str = "", depth: int = 0) -> Any:
    """A value that fits this JSON Schema; `name` is the member that holds it."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas, name, depth)
    for given in ("example", "const"):
        if given in schema:
            return schema[given]
    for given in ("examples", "enum"):
        if schema.get(given):
            return schema[given][0]
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return _of_choice(choices, schemas, name, depth)
    if "allOf" in schema:
        return example_of(schema["allOf"][0], schemas, name, depth)
    return _of_type(schema, schemas, name, depth)


def _of_choice(choices: list[dict[str, Any]], schemas: dict[str, Any], name: str, depth: int) -> Any:
    may_be_null = any(choice.get("type") == "null" for choice in choices)
    if may_be_null and (depth > _DEEPEST or (name in _BY_NAME and _BY_NAME[name] is None)):
        return None
    return example_of(next(choice for choice in choices if choice.get("type") != "null"), schemas, name, depth)


def _of_type(schema: dict[str, Any], schemas: dict[str, Any], name: str, depth: int) -> Any:
    match schema.get("type"):
        case "object":
            members = schema.get("properties", {})
            return {key: example_of(inner, schemas, key, depth + 1) for key, inner in members.items()}
        case "array":
            fits = depth <= _DEEPEST or schema.get("minItems", 0) > 0
            return [example_of(schema.get("items", {}), schemas, name, depth + 1)] if fits else []
        case "boolean":
            return bool(_BY_NAME.get(name, True))
        case "integer" | "number":
            return _number(schema, name)
        case "string":
            return _text(schema, name)
        case "null":
            return None
    return _BY_NAME.get(name)


def _number(schema: dict[str, Any], name: str) -> float | int:
    known = _BY_NAME.get(name, _AT if name.endswith("_at") else None)
    value = known if isinstance(known, int | float) else schema.get("default") or 1
    value = max(value, schema.get("minimum", value))
    value = min(value, schema.get("maximum", value))
    return value if schema["type"] == "number" else int(value)


def _text(schema: dict[str, Any], name: str) -> str:
    pattern = schema.get("pattern", "")
    if isinstance(_BY_NAME.get(name), str):
        return str(_BY_NAME[name])
    if pattern.startswith("^") and pattern.endswith("_"):
        return f"{pattern[1:]}{_ULID}"
    if name in _PREFIXES or name == "id":
        return f"{_PREFIXES.get(name, 'job')}_{_ULID}"
    if name.endswith("_url"):
        return f"http://127.0.0.1:8080/v1/reasoning/jobs/job_{_ULID}"
    return str(schema.get("default") or name.replace("_", " ") or "text")
