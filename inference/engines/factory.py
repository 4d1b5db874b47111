"""From a spec to a policy engine. Heavy imports happen here and only for specs that need them."""

from __future__ import annotations

from inference.engines.base import Engine


def load_policy(spec: str, *, threads: int, device: str = "auto", rows: int | None = None) -> Engine:
    """`scripted:…`, `recorded:FILE`, or the path or id of a Hugging Face causal language model.

    The latter takes the fast CPU path or the plain one (`inference.engines.paths`). `rows` bounds the batch
    (None: 64 on a CPU, 256 on a GPU). Raises ConfigurationError.
    """
    if spec.startswith("scripted"):
        from inference.engines.script import parse_script
        from inference.engines.scripted import ScriptedEngine

        return ScriptedEngine(parse_script(spec), spec)
    if spec.startswith("recorded:"):
        from inference.engines.recorded import load_recorded

        return load_recorded(spec)
    from inference.checks import Head, check_model_folder, is_local

    if is_local(spec):
        check_model_folder(spec, Head.CAUSAL_LM)  # before the heavy import
    from inference.engines.admission import Limits
    from inference.engines.paths import policy_engine
    from inference.loading import load

    loaded = load(spec, Head.CAUSAL_LM, threads=threads, device=device)
    gpu = loaded.device.type == "cuda"
    limits = Limits(rows or 256, 1 << 20, 1 << 16) if gpu else Limits(rows or 64)
    return policy_engine(loaded, spec, limits)
