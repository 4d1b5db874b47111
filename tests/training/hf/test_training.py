"""Whole runs on tiny models: what is learnt from, what is written, and that our engines load it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
)

from domain.errors import ConfigurationError
from domain.ports import SampleRequest, ScoreRequest
from inference.checks import Head
from inference.engines.factory import load_policy
from inference.verifiers.factory import load_verifier
from tests.support.training_files import chains_file, labels_file, labels_line, make_llama, problems_file
from training.artifacts.checksums import verify_sums
from training.hf.adapters import with_adapter
from training.hf.files import read_chains
from training.hf.orm import train_orm
from training.hf.prm import train_prm
from training.hf.reviser import reviser_rows, train_reviser
from training.hf.settings import Settings
from training.hf.sft import train_sft

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def settings(**changes: Any) -> Settings:
    return Settings(**{"max_steps": 3, "batch_size": 4, "device": "cpu", "learning_rate": 1e-3} | changes)


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


@pytest.fixture(scope="module")
def prm(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prm")
    return train_prm(str(llama), labels_file(folder / "labels.jsonl"), folder / "out", settings(), command="c")


def test_the_first_loss_is_the_mean_over_all_solution_tokens_of_the_step(qwen: Path, tmp_path: Path) -> None:
    """Whatever the micro-batches: 2 of 3 rows and 3 of 2 rows are one step of 6 rows."""
    problems = problems_file(tmp_path / "p.jsonl", 6)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(qwen), AutoTokenizer.from_pretrained(qwen)
    losses = []
    for line in problems.read_text().splitlines():
        record = json.loads(line)
        turns = [
            {"role": "system", "content": "Please reason step by step, and put your final answer within \\boxed{}."}
        ]
        turns += [{"role": "user", "content": record["problem"]}]
        prompt = tokenizer(tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))[
            "input_ids"
        ]
        ids = prompt + tokenizer(record["solution"])["input_ids"] + [tokenizer.eos_token_id]
        with torch.no_grad():
            logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        losses += [-logs[at - 1, ids[at]].item() for at in range(len(prompt), len(ids))]
    for accumulate in (2, 3):
        chosen = settings(max_steps=1, batch_size=6 // accumulate, accumulate=accumulate)
        out = train_sft(str(qwen), problems, tmp_path / f"out{accumulate}", chosen, command="c")
        assert manifest_of(out)["results"]["first_loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-4)


def test_a_published_policy_is_whole_and_samples(qwen: Path, tmp_path: Path) -> None:
    problems = problems_file(tmp_path / "p.jsonl")
    out = train_sft(str(qwen), problems, tmp_path / "out", settings(), command="deliberate train sft")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "p.jsonl"]
    assert {path.name for path in out.iterdir()} >= {
        "README.md", "SHA256SUMS", "config.json", "loss.csv", "loss.png", "manifest.json", "model.safetensors",
    }  # fmt: skip
    assert verify_sums(out)
    assert (out / "model.safetensors").stat().st_mode & 0o777 == 0o644
    assert (out / "loss.csv").read_text().count("\n") == 1 + 3
    card = (out / "README.md").read_text()
    assert "`deliberate train sft`" in card
    assert "base_model" not in card
    engine = load_policy(str(out), threads=1, device="cpu", rows=1)
    engine.add(SampleRequest("k", "What is 1 + 10?", "", seed=1, max_tokens=5))
    results = []
    while engine.pending:
        results += engine.step()
    assert [result.key for result in results] == ["k"]


def test_a_policy_learns_its_problems_and_then_to_end(llama: Path, tmp_path: Path) -> None:
    problems = problems_file(tmp_path / "p.jsonl", 1)
    chosen = settings(max_steps=60, batch_size=1, learning_rate=1e-2)
    out = train_sft(str(llama), problems, tmp_path / "out", chosen, command="c")
    engine = load_policy(str(out), threads=1, device="cpu", rows=1)
    record = json.loads(problems.read_text())
    engine.add(SampleRequest("k", record["problem"], "", seed=1, max_tokens=80, temperature=0.0))
    results = []
    while engine.pending:
        results += engine.step()
    assert (results[0].text, results[0].finish) == (record["solution"], "end")


def test_a_reviser_learns_revisions_and_first_attempts(llama: Path, tmp_path: Path) -> None:
    chains = chains_file(tmp_path / "c.jsonl", 6)
    out = train_reviser(str(llama), chains, tmp_path / "out", settings(), command="c")
    manifest = manifest_of(out)
    assert manifest["results"]["rows"] == 6 + 6
    assert manifest["recipe"]["settings"]["first_attempts"] is True

    class Start:
        tokenizer, end = AutoTokenizer.from_pretrained(llama), 2

    rows = list(reviser_rows(read_chains(chains), Start, 256, first_attempts=False))  # type: ignore[arg-type]
    assert len(rows) == 6
    assert all("Tried:" in Start.tokenizer.decode(row.ids).replace(" ", "") for row in rows if row is not None)


def test_a_trained_verifier_gives_the_scores_of_an_independent_path(prm: Path) -> None:
    line = labels_line(3)
    tokenizer = AutoTokenizer.from_pretrained(prm)
    model = AutoModelForTokenClassification.from_pretrained(prm).eval()
    assert model.config.id2label == {0: "wrong", 1: "right"}
    ids, expected = [tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(list(f"Q: {line['problem']}\nA:\n"))], []
    for step in line["steps"]:
        ids += tokenizer.convert_tokens_to_ids([*step, "\n", "\n"])
        with torch.inference_mode():
            wrong, right = model(torch.tensor([ids])).logits[0, -1].double().exp().tolist()
        expected.append(right / (wrong + right))
    verifier = load_verifier(str(prm), threads=1, device="cpu")
    verifier.add(ScoreRequest("k", line["problem"], "\n\n".join(line["steps"])))
    (result,) = verifier.step()
    assert list(result.scores) == pytest.approx(expected, abs=1e-4)
    assert len({round(score, 6) for score in result.scores}) == 2


def test_verifiers_learn_their_labels(llama: Path, tmp_path: Path) -> None:
    """Two solutions of one problem: the wrong one falls at its last step, in the process model only there."""
    rows = [labels_line(2), labels_line(2, answer="2", right=False, labels=[0.75, 0.0])]
    rows[1]["steps"] = [rows[0]["steps"][0], "So \\boxed{2}."]
    labels = tmp_path / "l.jsonl"
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = settings(max_steps=60, learning_rate=3e-3)
    for kind, train, first_step in (("prm", train_prm, 0.75), ("orm", train_orm, None)):
        verifier = load_verifier(
            str(train(str(llama), labels, tmp_path / kind, chosen, command="c")), threads=1, device="cpu"
        )
        for key, row in enumerate(rows):
            verifier.add(ScoreRequest(str(key), row["problem"], "\n\n".join(row["steps"])))
        right, wrong = sorted(verifier.step(), key=lambda result: result.key)
        assert right.scores[1] > 0.9
        assert wrong.scores[1] < 0.1
        if first_step is not None:
            assert right.scores[0] == wrong.scores[0] == pytest.approx(first_step, abs=0.1)


def test_a_verifier_is_trained_on_and_its_separator_may_be_chosen(qwen: Path, tmp_path: Path) -> None:
    labels = labels_file(tmp_path / "l.jsonl")
    out = train_orm(str(qwen), labels, tmp_path / "first", settings(max_steps=1), separator="\n", command="c")
    again = train_orm(str(out), labels, tmp_path / "second", settings(max_steps=1), separator="\n", command="c")
    assert json.loads((again / "config.json").read_text())["step_separator"] == "\n"
    one, two = (load_file(folder / "model.safetensors") for folder in (out, again))
    assert not torch.equal(one["score.weight"], two["score.weight"])
    assert torch.allclose(one["score.weight"], two["score.weight"], atol=1e-2)  # it went on, it was not drawn anew


def test_a_merged_adapter_changes_its_targets_only(llama: Path, tmp_path: Path) -> None:
    problems = problems_file(tmp_path / "p.jsonl")
    out = train_sft(str(llama), problems, tmp_path / "out", settings(lora=4), command="c")
    before, after = load_file(llama / "model.safetensors"), load_file(out / "model.safetensors")
    assert set(before) == set(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if any(part in name for part in LINEAR)}
    results = manifest_of(out)["results"]
    assert results["trained_parameters"] < manifest_of(out)["parameters"]
    assert manifest_of(out)["parameters"] == sum(weights.numel() for weights in before.values())
    _, report = AutoModelForCausalLM.from_pretrained(out, output_loading_info=True)
    assert not any(report.values())


def test_an_adapter_is_put_on_the_transposed_layers_of_gpt2_and_not_on_its_output() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=2, n_positions=8))
    adapted = with_adapter(model, Head.CAUSAL_LM, settings(lora=2))
    found = {name.split(".lora_A")[0].rpartition(".")[2] for name, _ in adapted.named_parameters() if "lora_A" in name}
    assert found == {"c_attn", "c_proj", "c_fc"}


def test_a_kept_adapter_merges_to_the_same_weights(llama: Path, tmp_path: Path) -> None:
    labels = labels_file(tmp_path / "l.jsonl")
    merged = train_prm(str(llama), labels, tmp_path / "merged", settings(lora=4), command="c")
    kept = train_prm(str(llama), labels, tmp_path / "kept", settings(lora=4, keep_adapter=True), command="c")
    assert not (kept / "model.safetensors").exists()
    base = AutoModelForTokenClassification.from_pretrained(llama, num_labels=2)
    with pytest.warns(FutureWarning, match="is_gradient_checkpointing"):
        joined = peft.PeftModel.from_pretrained(base, kept).merge_and_unload().state_dict()
    expected = load_file(merged / "model.safetensors")
    assert set(joined) == set(expected)
    assert all(torch.allclose(joined[name], expected[name], atol=1e-6) for name in expected)


def test_the_number_format_of_the_policy_is_kept(tmp_path: Path) -> None:
    folder = make_llama(tmp_path / "base")
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    out = train_sft(str(folder), problems_file(tmp_path / "p"), tmp_path / "out", settings(max_steps=1), command="c")
    assert {weights.dtype for weights in load_file(out / "model.safetensors").values()} == {torch.bfloat16}


def test_what_is_too_long_is_left_out_and_never_cut(llama: Path, tmp_path: Path) -> None:
    problems = tmp_path / "p.jsonl"
    problems_file(problems, 3)
    long = json.loads(problems.read_text().splitlines()[0]) | {"id": "long", "problem": "word " * 60}
    problems.write_text(problems.read_text() + json.dumps(long) + "\n")
    out = train_sft(str(llama), problems, tmp_path / "out", settings(max_steps=1), command="c")
    results = manifest_of(out)["results"]
    assert (results["rows"], results["left_out"]) == (3, 1)
    assert "1 more were too long" in (out / "README.md").read_text()


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_no_model(tmp_path: Path) -> None:
    folder = make_llama(tmp_path / "base")
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"].fill_(float("inf"))
    torch_save(weights, folder / "model.safetensors")
    with pytest.raises(ConfigurationError, match="the loss of step 1 is no number: lower --learning-rate"):
        train_sft(str(folder), problems_file(tmp_path / "p"), tmp_path / "out", settings(), command="c")
    assert not (tmp_path / "out").exists()


def torch_save(weights: dict[str, torch.Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file(weights, path, metadata={"format": "pt"})
