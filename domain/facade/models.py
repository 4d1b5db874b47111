"""The names that `model` takes: the policy of this service, and each effort preset as a model of its own.

`deliberate` is the policy at its default effort, `deliberate-high` at that effort; the policy's own name is the same
policy. An operator may give further names to them (DELIBERATE_MODEL_ALIASES); `*` stands for every other name, so that
programs that name a model of somebody else work unchanged. A response always names the model that it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.effort import EFFORTS
from domain.errors import UnknownModel
from domain.facade.refusals import refused
from domain.settings import SERVICE_MODEL, Settings, model_aliases

OWNER = "deliberate"
CREATED = 1_795_132_800
"""20 November 2026: when the presets were set."""
ANY_NAME = "*"


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    effort: str | None
    """None: the default effort."""


class Catalogue:
    def __init__(self, settings: Settings) -> None:
        self._models = _models(policy_name(settings.policy))
        self._aliases = model_aliases(settings.model_aliases)

    def all(self) -> list[Model]:
        return list(self._models.values())

    def find(self, name: str) -> Model:
        """The model of exactly this name, or one that the operator named so. Raises UnknownModel."""
        model = self._models.get(self._aliases.get(name, name))
        if model is None:
            message = f"the model {name[:64]!r} does not exist: GET /v1/models lists what there is"
            raise UnknownModel(message, param="model")
        return model

    def resolve(self, value: object) -> Model:
        """The model for the `model` of a request. Raises InvalidRequest, UnknownModel."""
        if value is None:
            return self._models[SERVICE_MODEL]
        if not isinstance(value, str) or not value:
            raise refused("model must be the name of a model", "model")
        if value in self._models or value in self._aliases or self._is_ours(value) or ANY_NAME not in self._aliases:
            return self.find(value)
        return self.find(self._aliases[ANY_NAME])

    def _is_ours(self, name: str) -> bool:
        """Misspelt, it must not become another model silently."""
        return name == SERVICE_MODEL or name.startswith(SERVICE_MODEL + "-")


def policy_name(policy: str) -> str:
    """What may be shown of the policy's setting: a Hugging Face id, the last part of a path, or `scripted`."""
    if policy.partition(":")[0] == "scripted":
        return "scripted"
    if policy.startswith(("/", ".", "~")):
        return policy.rstrip("/").rpartition("/")[2] or "policy"
    return policy


def model_view(model: Model) -> dict[str, Any]:
    return {"id": model.name, "object": "model", "created": CREATED, "owned_by": OWNER}


def _models(policy: str) -> Mapping[str, Model]:
    presets = {f"{SERVICE_MODEL}-{effort}": effort for effort in EFFORTS}
    names: dict[str, str | None] = {SERVICE_MODEL: None, **presets}
    names.setdefault(policy, None)
    return {name: Model(name, effort) for name, effort in names.items()}
