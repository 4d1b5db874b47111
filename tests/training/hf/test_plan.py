"""Which rows each step reads: all of them, each once a pass, the same for the same seed."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from training.hf.plan import plan
from training.hf.settings import Settings

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=60)


@given(LENGTHS, st.integers(1, 3), st.integers(1, 9), st.none() | st.integers(1, 200), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_every_row_is_read_once_a_pass(
    lengths: list[int], epochs: int, size: int, tokens: int | None, accumulate: int
) -> None:
    chosen = Settings(epochs=epochs, batch_size=size, batch_tokens=tokens, accumulate=accumulate)
    batches = plan(lengths, chosen, devices=2)
    assert len(batches) % (2 * accumulate) == 0
    assert all(batches)
    counts = Counter(index for batch in batches for index in batch)
    assert set(counts) == set(range(len(lengths)))
    assert min(counts.values()) >= epochs
    for batch in batches:
        longest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or (len(batch) <= size if tokens is None else len(batch) * longest <= tokens)


def test_whole_passes_when_they_fill_whole_steps() -> None:
    batches = plan([3] * 12, Settings(epochs=2, batch_size=3, accumulate=2))
    assert Counter(index for batch in batches for index in batch) == dict.fromkeys(range(12), 2)


def test_max_steps_is_the_number_of_steps_however_little_data_there_is() -> None:
    assert len(plan([5, 6], Settings(max_steps=7, batch_size=1, accumulate=3), devices=2)) == 42


def test_the_order_follows_from_the_seed_and_differs_from_pass_to_pass() -> None:
    lengths = list(range(1, 41))
    once = plan(lengths, Settings(epochs=2, batch_size=4))
    assert once == plan(lengths, Settings(epochs=2, batch_size=4))
    assert once != plan(lengths, Settings(epochs=2, batch_size=4, seed=1))
    assert once[:10] != once[10:]
    assert plan(lengths, Settings(max_steps=12, batch_size=4)) == once[:12]


def test_rows_of_one_batch_have_about_one_length() -> None:
    lengths = [1 + 7 * index % 64 for index in range(64)]
    batches = plan(lengths, Settings(batch_size=4))
    spread = [max(lengths[at] for at in batch) - min(lengths[at] for at in batch) for batch in batches]
    assert max(spread) <= 8
