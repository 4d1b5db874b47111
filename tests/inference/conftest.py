"""Folders of tiny random models, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig, LlamaForCausalLM, LlamaForTokenClassification

from tests.support.tiny_models import character_tokenizer, tiny_config


@pytest.fixture(scope="session")
def policy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    torch.manual_seed(0)
    model = LlamaForCausalLM(tiny_config())
    model.generation_config = GenerationConfig(eos_token_id=[2, 20], pad_token_id=0)
    model.save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def verifier_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verifier")
    torch.manual_seed(1)
    LlamaForTokenClassification(tiny_config(num_labels=2)).save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    return folder
