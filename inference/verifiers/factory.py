"""From a spec to a verifier. Heavy imports happen here and only for specs that need them."""

from __future__ import annotations

from inference.engines.base import Scorer

DEFAULT_ROWS = 64


def load_verifier(spec: str, *, threads: int, device: str = "auto", rows: int | None = None) -> Scorer:
    """`scripted:…`, `recorded:FILE`, or the path or id of a Hugging Face process reward model.

    A folder with `verifier.json` names its format there (see `step_likelihood`); any other is a token classifier.
    `rows` bounds the batch (None: 64). Raises ConfigurationError.
    """
    if spec.startswith("scripted"):
        from inference.engines.script import parse_script
        from inference.verifiers.scripted import ScriptedVerifier

        return ScriptedVerifier(parse_script(spec), spec)
    if spec.startswith("recorded:"):
        from inference.verifiers.recorded import load_recorded_verifier

        return load_recorded_verifier(spec)
    from inference.checks import VERIFIER_FORMAT, Head, check_verifier_folder, is_local

    # Before the heavy imports.
    if is_local(spec) and (check_verifier_folder(spec) / VERIFIER_FORMAT).is_file():
        from inference.verifiers.step_likelihood import load_step_likelihood

        return load_step_likelihood(spec, threads=threads, device=device, rows=rows or DEFAULT_ROWS)
    from inference.loading import load
    from inference.verifiers.paths import verifier_on
    from inference.verifiers.token_classification import Limits

    loaded = load(spec, Head.TOKEN_CLASSIFICATION, threads=threads, device=device)
    return verifier_on(loaded, spec, Limits(rows=rows or DEFAULT_ROWS))
