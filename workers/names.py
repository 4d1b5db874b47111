"""How orchestrators find engines: by the names of their Ray actors, in one namespace.

A name holds a digest of the model that it serves, so that engines started with another model never answer for this one.
"""

from __future__ import annotations

import hashlib

NAMESPACE = "deliberate"
POLICY = "policy"
VERIFIER = "verifier"
KINDS = (POLICY, VERIFIER)


def prefix(kind: str, model: str) -> str:
    """What the names of all replicas of this model begin with."""
    return f"{kind}-{hashlib.blake2b(model.encode(), digest_size=4).hexdigest()}-"


def replica(kind: str, model: str, index: int) -> str:
    return f"{prefix(kind, model)}{index}"
