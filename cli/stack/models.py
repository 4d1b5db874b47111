"""The models of the settings, looked at before anything starts: a wrong folder is said at once, not after loading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from domain.settings import NO_VERIFIER, Settings
from inference.checks import Head, check_model_folder, check_verifier_folder, is_local


def check_policy(settings: Settings) -> str:
    """What the policy is. Raises ConfigurationError with the remedy."""
    return _check(settings.policy, lambda spec: check_model_folder(spec, Head.CAUSAL_LM))


def check_verifier(settings: Settings) -> str:
    """What the verifier is. Raises ConfigurationError with the remedy."""
    if settings.verifier == NO_VERIFIER:
        return "none: only strategies that need no verifier"
    return _check(settings.verifier, check_verifier_folder)


def _check(spec: str, folder: Callable[[str], Path]) -> str:
    if spec.startswith("scripted"):
        return f"{spec} (no model)"
    if spec.startswith("recorded:"):
        return f"{spec} (recorded solutions)"
    if not is_local(spec):
        return f"{spec} (downloaded at the first start)"
    return str(folder(spec))
