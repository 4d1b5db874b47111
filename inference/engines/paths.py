"""Which way through a Hugging Face model: the fast CPU path where it is covered, else the plain one."""

from __future__ import annotations

import logging
import os

from domain.errors import ConfigurationError
from inference.engines.admission import Limits
from inference.engines.base import Engine
from inference.loading import Loaded

logger = logging.getLogger(__name__)

VARIABLE = "DELIBERATE_ENGINE"
_CHOICES = ("auto", "fast", "plain")


def chosen_path() -> str:
    """`auto`, `fast` or `plain`, from the environment. Raises ConfigurationError."""
    choice = os.environ.get(VARIABLE, "").strip().lower() or "auto"
    if choice not in _CHOICES:
        raise ConfigurationError(f"{VARIABLE} must be one of {', '.join(_CHOICES)}")
    return choice


def takes_fast_path(loaded: Loaded, spec: str) -> bool:
    """Says in the log when a model has to take the plain path. Raises ConfigurationError where `fast` can't be had."""
    choice = chosen_path()
    if choice == "plain" or (choice == "auto" and loaded.device.type != "cpu"):
        return False
    from inference.engines.fast.weights import why_not

    obstacle = "devices other than the CPU" if loaded.device.type != "cpu" else why_not(loaded.model)
    if obstacle is None:
        return True
    if choice == "fast":
        raise ConfigurationError(f"the fast path does not cover {obstacle} (model {spec}): set {VARIABLE}=auto")
    logger.warning("the fast path does not cover %s: %s takes the plain one", obstacle, spec)
    return False


def policy_engine(loaded: Loaded, spec: str, limits: Limits) -> Engine:
    if takes_fast_path(loaded, spec):
        from inference.engines.fast.engine import FastEngine

        return FastEngine(loaded, spec, limits)
    from inference.engines.transformers_engine import TransformersEngine

    return TransformersEngine(loaded, spec, limits)
