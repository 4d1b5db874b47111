"""From a spec to a policy engine. Heavy imports happen here and only for specs that need them."""

from __future__ import annotations

from inference.engines.base import Engine


def load_policy(spec: str, *, threads: int, device: str = "auto", rows: int | None = None) -> Engine:
    """`scripted:…`, `recorded:FILE`, or the path or id of a Hugging Face causal language model.

    The latter takes the fast CPU path or the plain one (`inference.engines.paths`). A folder with a `reviser` in it is
    two models: that one revises (`inference.engines.revising`). `rows` bounds the batch of each model (None: 64 on a
    CPU, 256 on a GPU). Raises ConfigurationError.
    """
    if spec.startswith("scripted"):
        from inference.engines.script import parse_script
        from inference.engines.scripted import ScriptedEngine

        return ScriptedEngine(parse_script(spec), spec)
    if spec.startswith("recorded:"):
        from inference.engines.recorded import load_recorded

        return load_recorded(spec)
    from inference.checks import REVISER, check_policy_folder, has_reviser, is_local

    if is_local(spec):
        check_policy_folder(spec)  # before the heavy import
    policy = _load(spec, threads, device, rows)
    if not has_reviser(spec):
        return policy
    from inference.engines.revising import RevisingEngine

    return RevisingEngine(policy, _load(f"{spec}/{REVISER}", threads, device, rows))


def _load(spec: str, threads: int, device: str, rows: int | None) -> Engine:
    from inference.checks import Head
    from inference.engines.admission import Limits
    from inference.engines.paths import policy_engine
    from inference.loading import load

    loaded = load(spec, Head.CAUSAL_LM, threads=threads, device=device)
    gpu = loaded.device.type == "cuda"
    limits = Limits(rows or 256, 1 << 20, 1 << 16) if gpu else Limits(rows or 64)
    return policy_engine(loaded, spec, limits)
