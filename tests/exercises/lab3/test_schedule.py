"""Exercise 3.1: the formulas that grade, and the numbers of the public check, against the oracle."""

import numpy as np
import pytest
import torch

from autograder.exercises.kits.noise_levels import NoiseLevels
from autograder.exercises.lab3.schedule import Noising
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.batches import BATCHES
from utils.checks.kits.schedules import MADE_UP_STEPS, made_up_schedule
from utils.checks.lab3.schedule import ALPHA_BARS, LENGTHS, NOISED, SIGMA_PROJECTIONS, Inputs
from utils.diffusion import Schedule

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.schedule")


def test_the_numbers_of_the_public_check():
    schedule = made_up_schedule(PUBLIC)
    noised = {}
    for run in BATCHES:
        given = oracles.doubled(Inputs.of(PUBLIC, run))
        noised[f"{run}_noised"] = oracles.noised(given["x0"], given["t"], given["noise"], schedule)
    expected = {f"{run}_noised": number for run, number in NOISED.items()}
    assert oracles.projections(PUBLIC.exercise, noised) == pytest.approx(expected, abs=2e-6)
    sigmas = oracles.sigmas(Inputs.of(PUBLIC, "points").t, schedule)
    sigmas = {f"{label} sigma": value for label, value in sigmas.items()}
    expected = {f"{label} sigma": number for label, number in SIGMA_PROJECTIONS.items()}
    assert oracles.projections(PUBLIC.exercise, sigmas) == pytest.approx(expected, abs=2e-6)


def test_the_alpha_bars_of_the_public_check():
    bars = {}
    for name, steps in LENGTHS.items():
        betas = torch.from_numpy(np.linspace(1e-4, 0.02, steps))
        shares, _ = oracles.chain(Schedule(betas, betas, betas))
        bars[f"{name} alpha_bars"] = shares[1:] ** 2
    expected = {f"{name} alpha_bars": number for name, number in ALPHA_BARS.items()}
    assert oracles.projections(PUBLIC.exercise, bars) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("run", [run for run, batch in BATCHES.items() if batch.dtype == torch.float64])
def test_the_noised_sample_of_the_grader(run):
    terms, inputs = Noising.of(CHALLENGE, run), Inputs.of(CHALLENGE, run)
    expected = oracles.noised(inputs.x0, inputs.t, inputs.noise, inputs.schedule)
    assert torch.allclose(terms.mix(terms.levels.alpha_bar.sqrt(), terms.levels.total), expected, atol=1e-11)


def test_the_sigmas_of_the_grader():
    t, schedule = torch.arange(MADE_UP_STEPS), made_up_schedule(CHALLENGE)
    levels, truth = NoiseLevels.of(schedule, t, torch.zeros(len(t))), oracles.sigmas(t, schedule)
    assert torch.allclose(levels.step, truth["step"], atol=1e-12)
    assert torch.allclose(levels.total, truth["total"], atol=1e-12)
    assert torch.allclose(levels.posterior, truth["posterior"], atol=1e-7)
    assert float(levels.posterior[0]) == 0
