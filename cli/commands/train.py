"""`deliberate train`: models of one's own from problems alone, by the pipeline that made ours.

Each command goes on where it was when the same one is given again after a kill. Several GPUs:
`accelerate launch -m cli.main train …`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.train_options import (
    Force,
    MaxTokens,
    Out,
    Policy,
    Rollouts,
    Samples,
    Seed,
    Separator,
    Temperature,
    Test,
    Workers,
    command_of,
    with_settings,
)
from domain.errors import InvalidRequest

if TYPE_CHECKING:
    from training.hf.settings import Settings
else:
    Settings = object  # the decorator puts options in its place, and startup stays light

app = typer.Typer(
    help="Train policies, revisers and verifiers from problems, without human labels.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Problems = Annotated[Path | None, typer.Option(help="A problem file; see `deliberate problems check`.")]
Sampler = Annotated[str | None, typer.Option(help="The model whose steps are judged; left out: the policy itself.")]


@app.command()
@with_settings
def sft(
    policy: Policy,
    problems: Annotated[Path, typer.Option(help="A problem file with a `solution` on each line.")],
    out: Out,
    settings: Settings,
    command: str,
    test: Test = None,
    force: Force = False,
) -> None:
    """Fine-tune a policy on worked solutions."""
    from training.hf.sft import train_sft

    typer.echo(train_sft(policy, problems, out, settings, test=test, command=command, force=force))


@app.command()
@with_settings
def reviser(
    policy: Policy,
    out: Out,
    settings: Settings,
    command: str,
    chains: Annotated[Path | None, typer.Option(help="Attempts to revise, from `train chains`.")] = None,
    problems: Problems = None,
    first_attempts: Annotated[bool, typer.Option(help="Learn the right solutions as first attempts, too.")] = True,
    samples: Samples = None,
    workers: Workers = 1,
    test: Test = None,
    force: Force = False,
) -> None:
    """Teach a policy to mend wrong attempts; with --problems alone, they are sampled first, into OUT.chains.jsonl."""
    from training.hf.reviser import train_reviser
    from training.hf.samples import chains_for

    source = _one_source(chains, problems, "chains")
    if chains is None:
        chains = chains_for(policy, source, out, settings, samples=samples, workers=workers, test=test, force=force)
    trained = train_reviser(
        policy, chains, out, settings, first_attempts=first_attempts, test=test, command=command, force=force
    )
    typer.echo(trained)


@app.command()
@with_settings
def prm(
    policy: Policy,
    out: Out,
    settings: Settings,
    command: str,
    labels: Annotated[Path | None, typer.Option(help="Labelled steps, from `train labels`.")] = None,
    problems: Problems = None,
    sampler: Sampler = None,
    samples: Samples = None,
    rollouts: Rollouts = None,
    workers: Workers = 1,
    separator: Separator = None,
    test: Test = None,
    force: Force = False,
) -> None:
    """Train a process reward model; with --problems alone, labels are made first, into OUT.labels.jsonl."""
    from training.hf.prm import train_prm
    from training.hf.samples import labels_for

    source = _one_source(labels, problems, "labels")
    if labels is None:
        labels = labels_for(
            policy, sampler, source, out, settings,
            samples=samples, rollouts=rollouts, workers=workers, test=test, force=force,
        )  # fmt: skip
    typer.echo(train_prm(policy, labels, out, settings, separator=separator, test=test, command=command, force=force))


@app.command()
@with_settings
def orm(
    policy: Policy,
    out: Out,
    settings: Settings,
    command: str,
    labels: Annotated[Path | None, typer.Option(help="Labelled steps, from `train labels`.")] = None,
    problems: Problems = None,
    sampler: Sampler = None,
    samples: Samples = None,
    workers: Workers = 1,
    separator: Separator = None,
    test: Test = None,
    force: Force = False,
) -> None:
    """Train an outcome reward model; with --problems alone, solutions are sampled first, into OUT.labels.jsonl."""
    from training.hf.orm import train_orm
    from training.hf.samples import labels_for

    source = _one_source(labels, problems, "labels")
    if labels is None:
        labels = labels_for(
            policy, sampler, source, out, settings,
            samples=samples, rollouts=1, workers=workers, test=test, force=force,
        )  # fmt: skip
    typer.echo(train_orm(policy, labels, out, settings, separator=separator, test=test, command=command, force=force))


@app.command()
def labels(
    policy: Policy,
    problems: Annotated[Path, typer.Option(help="A problem file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    samples: Samples = 4,
    rollouts: Rollouts = 4,
    temperature: Temperature = 1.0,
    max_tokens: MaxTokens = 256,
    stop_at_zero: Annotated[bool, typer.Option("--stop-at-zero", help="Label 0 whatever follows a 0.")] = False,
    seed: Seed = 0,
    workers: Workers = 1,
    test: Test = None,
) -> None:
    """Label the steps of sampled solutions by how often the policy ends right from there."""
    from training.hf.problems import read_disjoint
    from training.labels.monte_carlo import LabelSettings, make_labels

    records = read_disjoint(problems, test)
    settings = LabelSettings(
        samples=samples or 4,
        rollouts=rollouts or 4,
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        stop_at_zero=stop_at_zero,
    )
    typer.echo(make_labels(policy, records, settings, out, workers=workers))


@app.command()
def chains(
    policy: Policy,
    problems: Annotated[Path, typer.Option(help="A problem file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    samples: Samples = 16,
    temperature: Temperature = 1.0,
    max_tokens: MaxTokens = 256,
    seed: Seed = 0,
    workers: Workers = 1,
    test: Test = None,
) -> None:
    """Sample attempts and put a right solution behind wrong ones, for training a reviser."""
    from training.hf.problems import read_disjoint
    from training.labels.revisions import ChainSettings, make_chains

    records = read_disjoint(problems, test)
    settings = ChainSettings(samples=samples or 16, temperature=temperature, max_tokens=max_tokens, seed=seed)
    typer.echo(make_chains(policy, records, settings, out, workers=workers))


@app.command()
def graded(
    policy: Policy,
    problems: Annotated[Path, typer.Option(help="A problem file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    verifier: Annotated[str | None, typer.Option(help="Model folder or id; left out: no scores.")] = None,
    samples: Samples = 64,
    temperature: Temperature = 0.8,
    max_tokens: MaxTokens = 256,
    seed: Seed = 0,
    workers: Workers = 1,
    test: Test = None,
) -> None:
    """Sample solutions, grade and score them: what `deliberate calibrate` and its benchmarks read."""
    from training.hf.problems import read_disjoint
    from training.labels.graded import GradedSettings, make_graded

    records = read_disjoint(problems, test)
    settings = GradedSettings(samples=samples or 64, temperature=temperature, max_tokens=max_tokens, seed=seed)
    typer.echo(make_graded(policy, verifier, records, settings, out, workers=workers))


@app.command("all")
def run_all(
    context: typer.Context,
    config: Annotated[Path, typer.Option(help="A recipe, such as recipes/nano-cpu.toml.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder for the models; left out: trained/RECIPE.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="The whole pipeline at tiny sizes, within minutes.")] = False,
    work: Annotated[Path | None, typer.Option(help="The folder for what is kept on the way.")] = None,
    workers: Workers = 1,
    force: Force = False,
) -> None:
    """Train everything that a service needs from nothing: policy, reviser, verifiers, and data for confidence."""
    from training.pipeline.run import run_all

    target = out or Path("trained") / (f"{config.stem}-smoke" if smoke else config.stem)
    made = run_all(
        config,
        target,
        smoke=smoke,
        work=work,
        workers=workers,
        force=force,
        command=command_of(context),
    )
    for folder in made:
        typer.echo(folder)


@app.command()
def cards(
    results: Annotated[Path, typer.Option(help="The JSON that `python -m evaluation.models` wrote.")],
    models: Annotated[Path, typer.Option(help="The folder that `train all` wrote.")] = Path("models"),
) -> None:
    """Put measured numbers into the model cards, and renew the checksums."""
    from training.pipeline.cards import write_cards

    for folder in write_cards(models, results):
        typer.echo(folder)


def _one_source(made: Path | None, problems: Path | None, name: str) -> Path:
    if (made is None) == (problems is None):
        raise InvalidRequest(f"either --{name} or --problems is needed: give one of them", param=name)
    return made or problems or Path()
