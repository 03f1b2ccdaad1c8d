"""What lab 2's text says of the regularisers, for networks with other seeds than the notebook's."""

from __future__ import annotations

import pytest

from autograder.course.labs import find_lab
from utils.experiments import Answers, run
from utils.experiments.measurements import TIMES, error_by_time

NAMES = ("no_regularizer", "analytical_regression", "fokker_planck", "consistency")
PRINTED = [TIMES.index(t) for t in (0.2, 0.4, 0.6, 0.8)]
AT_THE_END = TIMES.index(1.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_verdict_on_the_regularisers_holds_for_other_seeds(seed, monkeypatch):
    monkeypatch.setenv("LAB_BUDGET", "cpu")
    answers = Answers.from_notebook(find_lab("lab2").solution)
    errors = {name: error_by_time(run(name, answers, [f"seed={seed}"], runs=None)) for name in NAMES}
    plain, oracle, fokker_planck, consistency = errors.values()
    for i in PRINTED:
        assert oracle["uniform"][i] < 0.35 * plain["uniform"][i]
        assert fokker_planck["uniform"][i] > 1.15 * plain["uniform"][i]
        assert 0.8 < consistency["uniform"][i] / plain["uniform"][i] < 1.2
    for i in PRINTED[1:]:
        assert fokker_planck["weighted"][i] > 1.1 * plain["weighted"][i]
    assert oracle["weighted"][AT_THE_END] > 1.2 * max(e["weighted"][AT_THE_END] for e in (plain, fokker_planck))
