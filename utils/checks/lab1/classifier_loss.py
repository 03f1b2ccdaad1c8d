"""Exercise 1.5: the loss of a noise-aware classifier, with times uniform on [t_min, 1]."""

from __future__ import annotations

from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge, Mistakes
from utils.checks.kits.classifier_loss import ClassifierLoss, Stubs, check_loss, probe_loss, sizes_of_runs
from utils.checks.kits.draws import judge_times
from utils.checks.student import Student

T_MIN = 0.2  # far from the lab's own, so that a constant in the code shows


def build(trainer: type, stubs: Stubs) -> object:
    """Build the student's trainer from stubs."""
    return trainer(model=stubs.model, data=stubs.data, add_noise=stubs.noising, t_min=T_MIN)


def require_uniform_times(judge: Judge, t: Tensor) -> None:
    """Fail unless t of all calls, (calls, batch), is uniform on [t_min, 1]."""
    judge_times(judge, t, T_MIN)


def other_times(t: Tensor) -> Mistakes:
    """Return known wrong times for the model, from the right ones, (b,)."""
    return [("time_reversed", "The model gets 1 - t, but the noise was added for time t.", 1 - t)]


LOSS = ClassifierLoss(
    trainer="ClassifierTrainer",
    build=build,
    runs=sizes_of_runs(shape=(4, 2), long=(11, 1), single=(5, 1)),  # (sites, d)
    time_axes=(1, 1),
    require_time_distribution=require_uniform_times,
    other_times=other_times,
    rtol=1e-9,
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
    version=4,
    names=(LOSS.trainer,),
    probe=probe,
    public=check,
)
