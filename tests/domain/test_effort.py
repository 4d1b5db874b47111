"""One word for how hard to try, and what wins over it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.effort import DEFAULT_EFFORT, EFFORTS, adaptive_for, parse_search
from domain.errors import InvalidRequest
from domain.recipe import DEFAULT_STRATEGY, SPECS, parse_strategy
from domain.specs.adaptive import Adaptive
from domain.specs.parallel import SelfConsistency


def test_without_an_effort_the_strategy_is_what_was_asked_for() -> None:
    assert parse_search(None, None) == SPECS[DEFAULT_STRATEGY]()
    assert parse_search({"name": "self_consistency", "n": 3}, None) == SelfConsistency(n=3)
    assert parse_search("adaptive", None) == Adaptive() == adaptive_for(DEFAULT_EFFORT)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("strategy", [None, "adaptive", {"name": "adaptive"}], ids=str)
def test_an_effort_alone_is_its_preset(effort: str, strategy: object) -> None:
    assert parse_search(strategy, effort) == adaptive_for(effort)


@pytest.mark.parametrize("effort", EFFORTS)
def test_each_named_parameter_wins_over_the_preset_even_where_it_is_the_default(effort: str) -> None:
    default = Adaptive()
    for name in ("n", "probe", "price", "confidence", "temperature"):
        value = getattr(default, name)
        assert parse_search({"name": "adaptive", name: value}, effort) == replace(adaptive_for(effort), **{name: value})


@pytest.mark.parametrize(
    ("strategy", "effort", "param"),
    [
        (None, "heroic", "effort"),
        (None, "", "effort"),
        (None, "LOW", "effort"),
        (None, 3, "effort"),
        (None, True, "effort"),
        (None, ["low"], "effort"),
        ("best_of_n", "low", "effort"),
        ({"name": "compute_optimal"}, "low", "effort"),
        ("magic", "low", "strategy.name"),
        ({"n": 4}, "low", "strategy.name"),
        ({"name": "adaptive", "n": 0}, "low", "strategy.n"),
        ({"name": "adaptive", "width": 2}, "low", "strategy.width"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_in_one_line(strategy: object, effort: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_search(strategy, effort)
    assert caught.value.param == param
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("default", SPECS)
def test_the_default_can_be_any_strategy(monkeypatch: pytest.MonkeyPatch, default: str) -> None:
    monkeypatch.setattr("domain.recipe.DEFAULT_STRATEGY", default)
    assert parse_strategy(None) == parse_search(None, None) == SPECS[default]()
    assert parse_search(None, "low") == adaptive_for("low")
