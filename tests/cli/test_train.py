"""`deliberate train`: a run by the command, and one line for whatever is wrong, with nothing written."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForMaskedLM, T5Config

from cli.main import BAD_INPUT, run
from tests.support.tiny_models import character_tokenizer
from tests.support.training_files import (
    chain_line,
    chains_file,
    labels_file,
    labels_line,
    make_llama,
    problem_line,
    problems_file,
    write_lines,
)
from training.artifacts.checksums import write_sums
from training.labels import monte_carlo, revisions

FEW = ["--max-steps", "1", "--batch-size", "2", "--device", "cpu"]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("models") / "llama")


def train(*arguments: Any) -> int:
    return run(["train", *map(str, arguments)])


def refused(capsys: pytest.CaptureFixture[str], out: Path, *arguments: Any) -> str:
    """The one line that a refused command says; nothing is written beside it."""
    capsys.readouterr()
    before = {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()}
    assert train(*arguments, "--out", out) == BAD_INPUT
    said, err = capsys.readouterr()
    assert said == ""
    assert err.count("\n") == 1, err
    assert {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()} == before
    return err.removeprefix("deliberate: ").strip()


def test_a_run_and_its_command(llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems, out = problems_file(tmp_path / "p.jsonl"), tmp_path / "out put"
    arguments = ["--policy", llama, "--problems", problems, "--out", out, *FEW, "--lora", 2, "--learning-rate", 0.01]
    assert train("sft", *arguments) == 0
    assert capsys.readouterr().out.split("\n")[-2] == str(out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["command"] == (
        f"deliberate train sft --policy {llama} --problems {problems} --out '{out}'"
        " --max-steps 1 --batch-size 2 --learning-rate 0.01 --lora 2 --device cpu"
    )
    assert manifest["recipe"]["settings"]["learning_rate"] == 0.01
    assert train("sft", *arguments) == BAD_INPUT
    assert train("sft", *arguments, "--force") == 0


def test_data_is_made_where_only_problems_are_given(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = problems_file(tmp_path / "p.jsonl")
    asked: list[Any] = []

    def labels(policy: str, records: Any, settings: Any, out: Path, *, workers: int) -> Path:
        asked.append((policy, len(records), settings.samples, settings.rollouts, settings.seed, workers))
        return labels_file(out)

    def chains(policy: str, records: Any, settings: Any, out: Path, *, workers: int) -> Path:
        asked.append((policy, len(records), settings.samples, settings.seed, workers))
        return chains_file(out)

    monkeypatch.setattr(monte_carlo, "make_labels", labels)
    monkeypatch.setattr(revisions, "make_chains", chains)
    common = ["--policy", llama, "--problems", problems, *FEW, "--seed", 5, "--workers", 2, "--samples", 3]
    assert train("prm", *common, "--rollouts", 6, "--sampler", "other", "--out", tmp_path / "prm") == 0
    assert train("reviser", *common, "--no-first-attempts", "--out", tmp_path / "rev") == 0
    assert asked == [("other", 12, 3, 6, 5, 2), (str(llama), 12, 3, 5, 2)]
    assert (tmp_path / "prm.labels.jsonl").is_file()
    assert (tmp_path / "rev.chains.jsonl").is_file()
    assert json.loads((tmp_path / "rev" / "manifest.json").read_text())["results"]["rows"] == 12


def test_labels_and_chains_have_commands_of_their_own(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(monte_carlo, "make_labels", lambda *given, workers: asked.append(given[2:]))
    monkeypatch.setattr(revisions, "make_chains", lambda *given, workers: asked.append(given[2:]))
    common = [
        "--policy",
        llama,
        "--problems",
        problems_file(tmp_path / "p"),
        "--out",
        tmp_path / "o",
        "--max-tokens",
        9,
    ]
    assert train("labels", *common, "--rollouts", 7, "--temperature", 0.5, "--stop-at-zero") == 0
    assert train("chains", *common, "--samples", 7) == 0
    assert asked == [
        (monte_carlo.LabelSettings(rollouts=7, temperature=0.5, max_tokens=9, stop_at_zero=True), tmp_path / "o"),
        (revisions.ChainSettings(samples=7, max_tokens=9), tmp_path / "o"),
    ]


def test_graded_traces_have_a_command(llama: Path, tmp_path: Path) -> None:
    given = ["--policy", llama, "--problems", problems_file(tmp_path / "p"), "--samples", 2, "--max-tokens", 4]
    assert train("graded", *given, "--out", tmp_path / "g") == 0
    rows = [json.loads(line) for line in (tmp_path / "g").read_text().splitlines()]
    assert len(rows) == 12
    assert all(len(row["samples"]) == 2 for row in rows)
    assert all(one["prm_step_scores"] is None for row in rows for one in row["samples"])


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ({"id": "x", "problem": "p", "answer": "1"}, ":2: the field 'solution' is missing"),
        (problem_line(7, solution=None), ":2: the field 'solution' is null: write it in quotes"),
        (problem_line(7, answer=r"\frac{1}{2"), ":2: the answer can't be read"),
        (problem_line(7, solution="So \\boxed{3}."), ":2: the solution ends in another answer"),
        (problem_line(0), ":2: the id stands in line 1 already"),
    ],
)
def test_a_bad_problem_is_named(
    llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: Any, part: str
) -> None:
    problems = write_lines(tmp_path / "p.jsonl", [problem_line(0), line])
    said = refused(capsys, tmp_path / "out", "sft", "--policy", llama, "--problems", problems)
    assert said.startswith(f"{problems}{part}")


def test_a_bad_line_of_samples_is_named(llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, wrong = tmp_path / "out", [labels_line(0), labels_line(1, labels=[1.0])]
    labels = write_lines(tmp_path / "l.jsonl", wrong)
    for kind in ("prm", "orm"):
        said = refused(capsys, out, kind, "--policy", llama, "--labels", labels)
        assert said == f"{labels}:2: 2 steps have 1 labels: give one for each step"
    write_lines(labels, [labels_line(1), labels_line(3)])
    assert "none of the 2 solutions is right" in refused(capsys, out, "prm", "--policy", llama, "--labels", labels)
    write_lines(labels, [labels_line(0), labels_line(2)])
    assert "all 2 solutions are right: add wrong" in refused(capsys, out, "orm", "--policy", llama, "--labels", labels)
    write_lines(labels, [labels_line(0, labels=[1.0, 1.0]), labels_line(2, labels=[1, 1])])
    assert "all steps have the label 1" in refused(capsys, out, "prm", "--policy", llama, "--labels", labels)
    chains = write_lines(tmp_path / "c.jsonl", [chain_line(0, solution="none")])
    assert ":1: the solution names no answer" in refused(capsys, out, "reviser", "--policy", llama, "--chains", chains)


def test_an_overlap_with_the_test_file_is_named(
    llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = problems_file(tmp_path / "test.jsonl", 3, first=9)
    for kind, option, make in (
        ("sft", "--problems", problems_file),
        ("prm", "--labels", labels_file),
        ("orm", "--labels", labels_file),
        ("reviser", "--chains", chains_file),
        ("labels", "--problems", problems_file),
        ("prm", "--problems", problems_file),
    ):
        data = make(tmp_path / "data.jsonl")
        said = refused(capsys, tmp_path / "out", kind, "--policy", llama, option, data, "--test", test)
        assert said == f"{data}:10: the same problem stands in {test}:1: delete one of them"


def test_models_that_can_t_be_trained(llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems, labels = problems_file(tmp_path / "p.jsonl"), labels_file(tmp_path / "l.jsonl")
    encoder, pair = tmp_path / "bert", tmp_path / "t5"
    config = BertConfig(vocab_size=104, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    BertForMaskedLM(config).save_pretrained(encoder)
    character_tokenizer().save_pretrained(encoder)
    shutil.copytree(llama, pair)
    T5Config(architectures=["T5ForConditionalGeneration"]).save_pretrained(pair)
    for kind, option, data in (("sft", "--problems", problems), ("prm", "--labels", labels)):
        for folder, name in ((encoder, "BertForMaskedLM"), (pair, "T5ForConditionalGeneration")):
            said = refused(capsys, tmp_path / "out", kind, "--policy", folder, option, data)
            assert name in said
            assert "is not a causal language model: choose another" in said
    said = refused(capsys, tmp_path / "out", "sft", "--policy", tmp_path / "none", "--problems", problems)
    assert "none does not exist" in said


def test_a_damaged_model_is_named(llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, problems = tmp_path / "policy", problems_file(tmp_path / "p.jsonl")
    shutil.copytree(llama, folder)
    write_sums(folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    said = refused(capsys, tmp_path / "out", "sft", "--policy", folder, "--problems", problems)
    assert said.startswith(f"{folder}/model.safetensors has another checksum than SHA256SUMS says: copy the file again")
    (folder / "SHA256SUMS").unlink()
    (folder / "model.safetensors").write_bytes(weights[:-8])
    said = refused(capsys, tmp_path / "out", "sft", "--policy", folder, "--problems", problems)
    assert said.endswith("model.safetensors is cut short or damaged: copy the file again")


def test_missing_weights_are_named(llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.torch import save_file

    folder, problems = tmp_path / "policy", problems_file(tmp_path / "p.jsonl")
    shutil.copytree(llama, folder)
    weights: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for kind, option, data in (("sft", "--problems", problems), ("prm", "--labels", labels_file(tmp_path / "l"))):
        said = refused(capsys, tmp_path / "out", kind, "--policy", folder, option, data, *FEW)
        assert "has no weights for model.layers.1.mlp.up_proj.weight" in said


def test_a_separator_without_a_token_is_refused(
    llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = labels_file(tmp_path / "l.jsonl")
    for separator in ("ки", ""):
        said = refused(
            capsys, tmp_path / "out", "prm", "--policy", llama, "--labels", labels, "--separator", separator, *FEW
        )
        expected = f"the tokenizer of {llama} has no token for the step separator {separator!r}: name another"
        assert said.startswith(expected)


def test_too_little_disk(
    llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = problems_file(tmp_path / "p.jsonl")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))
    said = refused(capsys, tmp_path / "out", "sft", "--policy", llama, "--problems", problems, *FEW)
    assert "has 0.00 GB free and this training needs 0.07 GB: free some space" in said


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--max-steps", "0"], "--max-steps 0 is too small"),
        (["--lora", "0"], "--lora 0 is no rank"),
        (["--keep-adapter"], "--keep-adapter needs an adapter: add --lora RANK"),
        (["--learning-rate", "0"], "--learning-rate 0 must be above 0"),
        (["--device", "tpu"], "--device tpu is not known: choose auto or cpu"),
        (["--max-length", "5"], "none of the 12 rows fits into 5 tokens: raise --max-length"),
    ],
)
def test_settings_that_can_t_be(
    llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], part: str
) -> None:
    problems = problems_file(tmp_path / "p.jsonl")
    assert part in refused(capsys, tmp_path / "out", "sft", "--policy", llama, "--problems", problems, *options)


def test_one_source_of_data(llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, problems = tmp_path / "out", problems_file(tmp_path / "p.jsonl")
    assert "either --labels or --problems is needed" in refused(capsys, out, "prm", "--policy", llama)
    said = refused(capsys, out, "reviser", "--policy", llama, "--problems", problems, "--chains", problems)
    assert "either --chains or --problems is needed" in said


def test_what_would_be_refused_is_refused_before_sampling(
    llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = problems_file(tmp_path / "p.jsonl")
    (tmp_path / "out").mkdir()
    assert "exists already" in refused(capsys, tmp_path / "out", "prm", "--policy", llama, "--problems", problems)
    monkeypatch.setenv("WORLD_SIZE", "2")
    said = refused(capsys, tmp_path / "new", "orm", "--policy", llama, "--problems", problems)
    assert "make it with `deliberate train labels` before" in said
