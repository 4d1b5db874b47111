"""The models of the settings, looked at before anything starts: a wrong folder is said at once, not after loading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from domain.settings import NO_VERIFIER, Settings
from inference.checks import REVISER, check_policy_folder, check_verifier_folder, has_reviser, is_local


def check_policy(settings: Settings) -> str:
    """What the policy is. Raises ConfigurationError with the remedy."""
    said = _check(settings.policy, check_policy_folder)
    return f"{said}, and its {REVISER}" if has_reviser(settings.policy) else said


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
