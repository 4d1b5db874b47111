"""Tiny policies, made once a session."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.training_files import make_llama, make_qwen


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="session")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_qwen(tmp_path_factory.mktemp("models") / "qwen")


@pytest.fixture(scope="session", autouse=True)
def imports_are_no_garbage() -> Iterator[None]:
    """Every run begins with a collection of garbage by accelerate, which need not look at all modules each time."""
    import peft
    import transformers

    assert peft.PeftModel
    assert transformers.Trainer
    gc.freeze()
    yield
    gc.unfreeze()
