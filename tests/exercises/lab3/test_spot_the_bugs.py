"""Exercise 3.7: the factors of the gradient that grade, and those of the public check, against the oracle."""

import pytest
import torch

from autograder.exercises.kits.mutants import load
from autograder.exercises.lab3.spot_the_bugs import Factors, schedule_in_float64
from autograder.validation.kill_matrix import namespace_of, solved_lab, verdicts
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.lab3.spot_the_bugs import EXERCISE, FACTORS, ORDER
from utils.checks.lab3.spot_the_bugs_inputs import RUNS


def factors(challenge: Challenge, run: str, w: float) -> dict[str, torch.Tensor]:
    """The factor of a unit gradient in the guided estimate, and the shift of x that it makes in a DDPM step."""
    schedule, one = schedule_in_float64(challenge, run), torch.ones(len(ORDER), dtype=torch.float64)
    estimate = oracles.guided(0 * one, one, ORDER, w, schedule)
    return {"inside": -estimate, "outside": oracles.ddpm(0 * one, ORDER, estimate, 0 * one, schedule)}


@pytest.mark.parametrize(("table", "run"), [("made up", "main"), ("hard", "honest")])
def test_the_factors_of_the_public_check(table, run):
    for name, expected in factors(Challenge.public("lab3.spot_the_bugs"), run, 1.0).items():
        assert FACTORS[table][name] == pytest.approx(expected.tolist(), abs=2e-6), name


@pytest.mark.parametrize("run", RUNS)
def test_the_factors_of_the_grader(run):
    challenge = Challenge("lab3.test", b"a key")
    graded = Factors.of(challenge, run)
    expected = factors(challenge, run, abs(RUNS[run].w)).values()
    for actual, values in zip((graded.expected, graded.shift), expected, strict=True):
        assert torch.allclose(actual, values, atol=1e-11)


@pytest.mark.parametrize(
    "mutant",
    [m for m in load("lab3") if m.exercise == EXERCISE.name and m.name.startswith("cut_")],
    ids=lambda m: m.name,
)
def test_a_clamp_costs_its_own_points_only(mutant):
    for verdict in verdicts(EXERCISE, namespace_of(solved_lab("lab3"), mutant), 5):
        assert (verdict.points, [finding.code for finding in verdict.findings]) == (1.5, ["clamped"])
