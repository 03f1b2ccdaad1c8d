"""Times and noise of a training loss: independent ones pass, each known dependence is found by its name."""

from __future__ import annotations

import pytest
import torch

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import FALSE_ALARM, Judge
from utils.checks.kits.draws import judge_independence, judge_noise
from utils.checks.kits.independence import are_columns_dependent, are_dependent
from utils.checks.kits.time_draws import judge_times

CALLS, BATCH = 8, 256


def findings(t: torch.Tensor, noise: torch.Tensor) -> list[str]:
    """Return the codes of all findings about these draws."""
    judge = Judge(Challenge.public("lab2.score_loss"), Evidence("lab2.score_loss"))
    with judge.part("draws", points=1):
        judge_times(judge, t)
        judge_noise(judge, noise)
        judge_independence(judge, t, noise)
    assert judge.false_alarm < FALSE_ALARM / 2
    return [finding.code for finding in judge.findings]


def draws(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return independent times, (calls, batch), and noise of this shape for each sample."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.rand(CALLS, BATCH, generator=generator, dtype=torch.float64)
    return t, torch.randn(CALLS, BATCH, *shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 4, 3)])
def test_independent_draws_pass(shape):
    for seed in range(20):
        assert findings(*draws(*shape, seed=seed)) == []


def mixed(numbers: torch.Tensor, dim: int) -> torch.Tensor:
    """Return normal numbers of which each is correlated with the one before along an axis."""
    rows = list(numbers.unbind(dim))
    for i in range(1, len(rows)):
        rows[i] = 0.5 * rows[i - 1] + 0.75**0.5 * rows[i]
    return torch.stack(rows, dim)


def same_seed(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return times and noise of which each call starts at the same seed."""
    t, noise = [], []
    with torch.random.fork_rng(devices=[]):
        for call in range(CALLS):
            torch.manual_seed(call)
            t.append(torch.rand(BATCH, dtype=dtype).double())
            torch.manual_seed(call)
            noise.append(torch.randn(BATCH, 2, dtype=dtype).double())
    return torch.stack(t), torch.stack(noise)


t, noise = draws(2)
half = BATCH // 2
DEPENDENT = {
    "antithetic noise": ("noise_mirrored", t, torch.cat([noise[:, :half], -noise[:, :half]], 1)),
    "antithetic times": ("time_mirrored", torch.cat([t[:, :half], 1 - t[:, :half]], 1), noise),
    "stratified times": ("time_stratified", (torch.arange(BATCH) + t)[:, torch.randperm(BATCH)] / BATCH, noise),
    "sorted times": ("samples_tied", t.sort(1).values, noise),
    "noise like its neighbour": ("samples_tied", t, mixed(noise, 1)),
    "noise like that of the call before": ("batches_tied", t, mixed(noise, 0)),
    "the noise of a call comes again": ("seeded", t, torch.cat([noise[:5], noise[2:5]])),
    "atoms alike": ("noise_shared", t, mixed(noise, 2)),
    "time from one atom": ("noise_tied_to_time", torch.special.ndtr(noise[..., 1]), noise),
    "time from both atoms": ("noise_tied_to_time", torch.special.ndtr(noise.sum(2) / 2**0.5), noise),
    "time from the size": ("noise_tied_to_time", 2 * torch.special.ndtr(noise[..., 0].abs()) - 1, noise),
    "one seed for both": ("noise_tied_to_time", *same_seed(torch.float64)),
    "one seed for both in float32": ("noise_tied_to_time", *same_seed(torch.float32)),
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_dependent_draws_are_found(name):
    code, times, numbers = DEPENDENT[name]
    assert findings(times, numbers) == [code]


def test_the_level_bounds_the_rate_of_false_alarms():
    """At a level of 5 % far fewer than 5 % of independent tables are rejected: the bound is not sharp."""
    generator = torch.Generator().manual_seed(0)
    tables = torch.rand(400, 2, 512, 2, generator=generator, dtype=torch.float64)
    assert sum(are_dependent(one, other, level=0.05) for one, other in tables) < 20
    assert sum(are_columns_dependent(one, level=0.05) for one, _ in tables) < 20
    assert all(are_dependent(one, one.flip(1), level=1e-8) for one, _ in tables)
