"""Random numbers by counting: independent of the batch, uniform, and drawn from the right distribution."""

from __future__ import annotations

import pytest
import torch

from inference.engines.sampling import SamplerRows, choose, uniforms

CPU = torch.device("cpu")


def rows(*parameters: tuple[int, int, float, float]) -> SamplerRows:
    return SamplerRows.of(parameters, CPU)


def test_uniforms_are_splitmix64() -> None:
    """Against a plain-integer implementation of the same hash."""

    def mix(x: int) -> int:
        mask = (1 << 64) - 1
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    for seed in (0, 1, 12345, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
        for position in (0, 1, 77):
            state = (mix(seed) + (position + 1) * 0x9E3779B97F4A7C15) & ((1 << 64) - 1)
            made = rows((seed, position, 1.0, 1.0))
            assert uniforms(made.seeds, made.positions).item() == (mix(state) >> 11) * 2.0**-53


def test_uniforms_are_uniform_over_seeds_and_positions() -> None:
    for seeds, positions in ((torch.arange(20_000), torch.zeros(20_000)), (torch.zeros(20_000), torch.arange(20_000))):
        values = uniforms(seeds.long(), positions.long())
        counts = torch.histc(values.float(), bins=20, min=0, max=1)
        assert ((counts - 1000).abs() < 150).all()
        assert abs(torch.corrcoef(torch.stack([values[1:], values[:-1]]))[0, 1]) < 0.03


def test_choices_follow_the_distribution() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]]).expand(20_000, 4)
    tokens, _ = choose(logits, rows(*((seed, 3, 0.7, 1.0) for seed in range(20_000))))
    expected = (logits[0] / 0.7).softmax(-1)
    assert (tokens.bincount(minlength=4) / 20_000 - expected).abs().max() < 0.015


def test_top_p_keeps_the_smallest_sufficient_set() -> None:
    logits = torch.tensor([[0.1, 0.5, 0.15, 0.25]]).log().expand(5_000, 4)
    tokens, _ = choose(logits, rows(*((seed, 0, 1.0, 0.7) for seed in range(5_000))))
    assert set(tokens.tolist()) == {1, 3}
    assert (tokens == 1).float().mean().item() == pytest.approx(2 / 3, abs=0.03)


def test_temperature_zero_is_greedy_and_logprobs_are_at_temperature_one() -> None:
    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    tokens, logprobs = choose(logits, rows(*((5, 0, heat, 1.0) for heat in (0.0, 0.0, 1.0, 2.0, 0.5, 0.0))))
    greedy = logits.argmax(-1)
    assert [tokens[index] == greedy[index] for index in (0, 1, 5)] == [True] * 3
    assert torch.allclose(logprobs, logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0], atol=1e-5)


def test_a_choice_does_not_depend_on_the_neighbours() -> None:
    logits = torch.randn(64, 200, generator=torch.Generator().manual_seed(1))
    parameters = [(seed * 7919, seed % 5, (0.0, 0.7, 1.0)[seed % 3], (1.0, 0.8)[seed % 2]) for seed in range(64)]
    together, _ = choose(logits, rows(*parameters))
    alone = [choose(logits[i : i + 1], rows(parameters[i]))[0].item() for i in range(64)]
    assert together.tolist() == alone
    backwards, _ = choose(logits.flip(0), rows(*reversed(parameters)))
    assert backwards.flip(0).tolist() == alone


def test_a_token_without_weight_is_never_chosen() -> None:
    logits = torch.full((3_000, 8), -torch.inf)
    logits[:, 3] = 0.0
    tokens, logprobs = choose(logits, rows(*((seed, 0, 1.5, 1.0) for seed in range(3_000))))
    assert set(tokens.tolist()) == {3}
    assert logprobs.abs().max() == 0
