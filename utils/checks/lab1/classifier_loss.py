"""Exercise 1.5: the loss of a noise-aware classifier, with times uniform on [t_min, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge, Mistakes
from utils.checks.kits.classifier_loss import check_loss, probe_loss
from utils.checks.kits.classifier_loss_sessions import ClassifierLoss, Stubs, sessions
from utils.checks.kits.statistics import is_binomial
from utils.checks.kits.time_draws import judge_times
from utils.checks.student import Student
from utils.vp import T_MIN

# Far from the lab's own, so that a constant in the code shows; and smaller ones, where large batches reach them.
KNOBS = {"main": 0.2, "crowd": T_MIN / 100, "long": 0.4, "single": 0.1}
END = 0.005  # the share of the interval at each end in which times are counted


def build(trainer: type, stubs: Stubs) -> object:
    """Build the student's trainer from stubs. The noising is a plain function, as in the lab."""

    def add_noise(x0: Tensor, t: Tensor, noise: Tensor) -> object:
        return stubs.noising(x0, t, noise)

    return trainer(model=stubs.model, data=stubs.data, add_noise=add_noise, t_min=stubs.knob)


def require_uniform_times(judge: Judge, session: str, times: list[Tensor]) -> None:
    """Fail unless the times of a session are uniform on [t_min, 1]."""
    size = max(len(t) for t in times)
    low, t = KNOBS[session], torch.stack([t for t in times if len(t) == size])
    judge_times(judge, t, low)
    share = (t - low) / (1 - low)
    ends = int(((share < END) | (share > 1 - END)).sum())
    judge.require(
        is_binomial(ends, t.numel(), 2 * END, judge.spend_alpha(1e-8)),
        "time_ends",
        f"Of your {t.numel():,} times {ends} lie within {END:.1%} of an end of [self.t_min, 1]. Of uniform ones "
        f"{2 * END * t.numel():.0f} are expected there.",
    )


def other_times(t: Tensor, t_min: float) -> Mistakes:
    """Return known wrong times for the model, from the right ones, (b,)."""
    return [("time_reversed", "The model gets 1 - t, but the noise was added for time t.", 1 - t)]


LOSS = ClassifierLoss(
    trainer="ClassifierTrainer",
    build=build,
    sessions=sessions(shape=(4, 2), long=(11, 1), single=(5, 1), knobs=KNOBS),  # (sites, d)
    time_axes=(1, 1),
    require_times=require_uniform_times,
    other_times=other_times,
    keeps_dtype=True,
)


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `get_train_loss` with recording stubs."""
    probe_loss(student.method(LOSS.trainer, "get_train_loss", "batch_size"), LOSS, challenge, evidence)


def check(judge: Judge) -> None:
    """Check the properties of the loss on the public challenge."""
    check_loss(judge, LOSS, 3)


EXERCISE = Exercise(
    "lab1.classifier_loss",
    points=3,
    title="The loss of a classifier that knows about noise",
    version=10,
    names=(LOSS.trainer,),
    probe=probe,
    public=check,
)
