"""Exercise 3.1: the formulas that grade, and the numbers of the public check, against the oracle."""

import numpy as np
import pytest
import torch

from autograder.exercises.lab3.schedule import Noising, sigmas_of, spaced
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.batches import BATCHES, draw_steps
from utils.checks.kits.schedules import LEAST_DATA, LEAST_NOISE
from utils.checks.kits.second_schedule import SECOND, schedule_of_run
from utils.checks.lab3 import three_sigmas
from utils.checks.lab3.schedule import FACTORS
from utils.diffusion import Schedule

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.schedule")
RUNS_OF_SIGMAS = [run for run in three_sigmas.RUNS if run in BATCHES]


def factors(challenge: Challenge, run: str) -> dict[str, torch.Tensor]:
    t, schedule = draw_steps(challenge, run), schedule_of_run(challenge, run, torch.float64)
    return oracles.factors(oracles.noised, ["x0", "noise"], len(t), t=t, schedule=schedule)


def sigmas(challenge: Challenge, run: str) -> dict[str, torch.Tensor]:
    return oracles.sigmas(draw_steps(challenge, run), schedule_of_run(challenge, run, torch.float64))


def test_the_factors_of_the_public_check():
    oracles.assert_table(FACTORS, {run: factors(PUBLIC, run) for run in BATCHES})


def test_the_sigmas_of_the_public_check():
    expected = {run: sigmas(PUBLIC, run) for run in RUNS_OF_SIGMAS}
    for run, values in expected.items():
        for label, value in values.items():
            assert three_sigmas.NUMBERS[run][label] == pytest.approx(value.tolist(), rel=1e-6, abs=1e-7), (run, label)


@pytest.mark.parametrize("run", BATCHES)
def test_the_factors_of_the_grader(run):
    actual = Noising.of(CHALLENGE, run).factors
    for name, expected in factors(CHALLENGE, run).items():
        assert torch.allclose(actual[name], expected, atol=1e-11)


@pytest.mark.parametrize("run", RUNS_OF_SIGMAS)
def test_the_sigmas_of_the_grader(run):
    actual = sigmas_of(CHALLENGE, run)
    for label, expected in sigmas(CHALLENGE, run).items():
        assert torch.allclose(actual[label], expected, rtol=1e-6, atol=1e-7), label
    assert bool((actual["posterior"][draw_steps(CHALLENGE, run) == 0] == 0).all())


def test_the_schedules_of_the_probe_reach_as_far_as_the_lab():
    betas = spaced(LEAST_NOISE, 0.02, 1000)
    assert float((1 - betas).prod()) == pytest.approx(LEAST_DATA, rel=0.02)
    for run in [run for run in BATCHES if run != SECOND]:
        for challenge in (CHALLENGE, PUBLIC):
            schedule = schedule_of_run(challenge, run, torch.float64)
            assert float(schedule.betas[0]) <= LEAST_NOISE and float(schedule.alpha_bars[-1]) <= LEAST_DATA
            assert bool((schedule.betas > 0).all()) and bool((schedule.betas < 1).all())
            shares, _ = oracles.chain(Schedule(*(torch.from_numpy(np.asarray(v)) for v in schedule)))
            assert torch.allclose(shares[1:] ** 2, schedule.alpha_bars, rtol=1e-9)
