"""A folder that can't work is refused in one line that names it and the remedy; ids follow the content."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from domain.errors import ConfigurationError
from inference.checks import Head, check_model_folder, weight_files
from inference.engines.factory import load_policy
from inference.identity import folder_id
from inference.loading import eos_ids, load
from inference.verifiers.factory import load_verifier
from tests.support.tiny_models import character_tokenizer, tiny_config

Damage = Callable[[Path], None]


def remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)  # type: ignore[func-returns-value]


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def other_head(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))


def missing_shard(folder: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


DAMAGES: list[tuple[Damage, str]] = [
    (remove("config.json"), "no config.json"),
    (write("config.json", b"{not json"), "can't be read as JSON"),
    (write("config.json", b"{}"), "names no model_type"),
    (remove("model.safetensors"), "no model.safetensors: copy"),
    (pickled, "convert its .bin weights"),
    (missing_shard, "no model-1.safetensors"),
    (cut, "cut short or damaged"),
    (write("model.safetensors", b""), "cut short or damaged"),
    (write("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"),
    (remove("tokenizer.json"), "no tokenizer"),
    (other_head, "BertForMaskedLM, which is not a causal language model"),
]


@pytest.fixture
def folder(policy_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(policy_folder, tmp_path / "model"))


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_folder_is_refused_in_one_line(folder: Path, damage: Damage, message: str) -> None:
    check_model_folder(str(folder), Head.CAUSAL_LM)
    damage(folder)
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_policy(str(folder), threads=1, device="cpu")
    assert "\n" not in caught.value.message
    assert str(folder) in caught.value.message


def test_a_missing_folder_is_refused_without_loading_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom domain.errors import ConfigurationError\nfrom inference.engines.factory import load_policy\n"
        f"try: load_policy({str(tmp_path / 'nowhere')!r}, threads=1)\n"
        "except ConfigurationError as error: print(error.message)\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "does not exist" in result.stdout


def test_a_policy_is_no_verifier_and_the_other_way_round(policy_folder: Path, verifier_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a token-classification model"):
        load_verifier(str(policy_folder), threads=1, device="cpu")
    with pytest.raises(ConfigurationError, match="not a causal language model"):
        load_policy(str(verifier_folder), threads=1, device="cpu")


def test_a_head_without_weights_is_refused(folder: Path) -> None:
    """transformers itself would fill it with random numbers and only warn."""
    path = folder / "model.safetensors"
    weights = {name: value for name, value in load_file(path).items() if name != "lm_head.weight"}
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match="no weights for lm_head"):
        load_policy(str(folder), threads=1, device="cpu")


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "no_such_model"}))
    with pytest.raises(ConfigurationError) as caught:
        load_policy(str(folder), threads=1, device="cpu")
    assert "\n" not in caught.value.message


def test_cuda_without_cuda_is_refused(policy_folder: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ConfigurationError, match="use 'cpu' or 'auto'"):
        load_policy(str(policy_folder), threads=1, device="cuda")


def test_the_id_changes_with_the_weights_only(folder: Path) -> None:
    before = folder_id("spec", folder, weight_files(folder))
    path = folder / "model.safetensors"
    path.touch()
    assert folder_id("spec", folder, weight_files(folder)) == before
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert folder_id("spec", folder, weight_files(folder)) != before
    assert before.startswith("spec@")


def test_the_same_content_elsewhere_has_the_same_checksum(policy_folder: Path, folder: Path) -> None:
    first, second = (load_policy(str(path), threads=1, device="cpu").info.id for path in (policy_folder, folder))
    assert first.split("@")[1] == second.split("@")[1]


@pytest.mark.parametrize(
    ("generation", "config", "expected"), [([2, 20], 5, {2, 20}), (7, 5, {7}), (None, 5, {5}), (None, None, {2})]
)
def test_end_of_sequence_falls_back(
    policy_folder: Path, generation: object, config: object, expected: set[int]
) -> None:
    loaded = load(str(policy_folder), Head.CAUSAL_LM, threads=1, device="cpu")
    loaded.model.generation_config.eos_token_id = generation
    loaded.model.config.eos_token_id = config
    assert eos_ids(loaded, "tiny") == expected


def test_a_model_without_any_end_of_sequence_is_refused(policy_folder: Path) -> None:
    loaded = load(str(policy_folder), Head.CAUSAL_LM, threads=1, device="cpu")
    loaded.model.generation_config.eos_token_id = loaded.model.config.eos_token_id = None
    loaded.tokenizer.eos_token = None
    with pytest.raises(ConfigurationError, match="set eos_token_id"):
        eos_ids(loaded, "tiny")


def test_models_load_in_several_threads_at_once(tmp_path: Path) -> None:
    """`from_pretrained` by itself loses tied weights then."""
    tokenizer = character_tokenizer()
    LlamaForCausalLM(tiny_config(tie_word_embeddings=True)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load, str(tmp_path), Head.CAUSAL_LM, threads=1, device="cpu") for _ in range(8)]
    assert len({one.result().info.id for one in loads}) == 1
