"""Which way through a process reward model: with kept beginnings on the fast CPU path, else the plain one."""

from __future__ import annotations

from inference.engines.paths import takes_fast_path
from inference.loading import Loaded
from inference.verifiers.token_classification import Limits, TokenClassificationVerifier


def verifier_on(loaded: Loaded, spec: str, limits: Limits) -> TokenClassificationVerifier:
    if takes_fast_path(loaded, spec):
        from inference.verifiers.kept_prefix import KeptPrefixVerifier

        return KeptPrefixVerifier(loaded, spec, limits)
    return TokenClassificationVerifier(loaded, spec, limits)
