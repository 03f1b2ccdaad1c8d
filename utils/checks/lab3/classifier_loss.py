"""Exercise 3.3: the loss of a noise-aware classifier, with steps drawn uniformly from the schedule."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge, Mistakes
from utils.checks.kits.classifier_loss import check_loss, probe_loss
from utils.checks.kits.classifier_loss_sessions import CLASSES, ClassifierLoss, Stubs, sessions
from utils.checks.kits.dealt_data import DealtData
from utils.checks.kits.draws import repeats_a_call, require_continuous, require_separate_rows
from utils.checks.kits.left_behind import watching
from utils.checks.kits.places import require_alike_places, require_separate_places
from utils.checks.kits.schedules import LAB_STEPS, MADE_UP_STEPS, hard_schedule, made_up_schedule
from utils.checks.kits.statistics import is_uniform
from utils.checks.stubs import Recorder, StubClassifier, as_batch, forget_repeats
from utils.checks.student import Student

# The number of steps; a schedule has no more than this many, so that a constant in the code shows.
KNOBS = {"main": MADE_UP_STEPS, "crowd": MADE_UP_STEPS, "long": 7, "single": 12}
ARRANGED_LEVEL = 1e-9  # chance that independent steps look arranged, in one of two ways
PLACES, PLACE_BATCH = 24, 4  # calls with small batches that show how each place of a batch is treated
LAB_BATCH = 10_000  # of one call with as many steps as the lab has
LAB_LEVEL = 1e-8  # chance that right steps of that call look uneven
DRAWS = {"places": (MADE_UP_STEPS, (PLACE_BATCH,) * PLACES), "lab": (LAB_STEPS, (LAB_BATCH,))}  # T, batch sizes
LAB_LIKE = KNOBS["single"]  # this schedule reaches as little noise and as little data as the lab's own


def build(trainer: type, stubs: Stubs) -> object:
    """Build the student's trainer from stubs and a made-up schedule."""

    def add_noise(x0, t, noise, schedule):
        if not isinstance(schedule, tuple) or len(schedule) != 3:
            raise ValueError("add_noise was called with something else than the schedule")
        return stubs.noising(x0, t, noise)

    steps = int(stubs.knob)
    if steps == LAB_LIKE:
        schedule = hard_schedule(stubs.challenge, "hard", steps, stubs.dtype)
    else:
        schedule = made_up_schedule(stubs.challenge, stubs.dtype, steps)
    return trainer(model=stubs.model, data=stubs.data, schedule=schedule, add_noise=add_noise)


def require_steps(judge: Judge, t: Tensor, knob: float) -> None:
    """Fail unless t of one call, (b,), holds integer steps of the schedule."""
    judge.require(
        not t.is_floating_point(),
        "time_not_integer",
        "Your t are floating-point numbers, but t is the index of a step: an integer from 0 to T - 1.",
    )
    judge.require(
        ((t >= 0) & (t < knob)).all(),
        "time_out_of_range",
        f"Your t run from {int(t.min())} to {int(t.max())}, but this schedule has the steps 0 to {knob - 1:g}. "
        "Take the number of steps from `self.schedule`.",
    )


def require_uniform_steps(judge: Judge, session: str, times: list[Tensor]) -> None:
    """Fail unless the steps of a session are uniform on 0 to T - 1."""
    from scipy import special

    steps, size = int(KNOBS[session]), max(len(t) for t in times)
    t = torch.stack([t for t in times if len(t) == size])
    judge.require(
        t[0].unique().numel() > 1,
        "time_shared",
        "All samples of a batch share one t. Draw one for each sample.",
    )
    judge.require(
        not torch.equal(t[0], t[1]),  # arranged steps may be the same in another order
        "times_kept",
        "Two calls used the same times. Draw them at random: neither fix a seed nor restore the state of a generator "
        "in the loss.",
    )
    if session != "crowd":
        return
    require_unarranged(judge, t, steps)
    require_places(judge, steps)
    counts, usual = torch.bincount(t.flatten(), minlength=steps), t.numel() / steps
    # 20,000 draws miss one of 24 values with probability 1e-370
    judge.require(counts[-1] > 0, "last_step_missing", "The noisiest step, t = T - 1, is never drawn.")
    judge.require(counts[0] > 0, "first_step_missing", "The first step, t = 0, is never drawn.")
    judge.require(
        special.chdtrc(steps - 1, float((counts - usual).square().sum() / usual)) >= judge.spend_alpha(1e-7),
        "time_distribution",
        f"Your t are not uniform on 0 to T - 1. t = 0 comes {counts[0] / t.numel():.1%} of the time, t = T - 1 "
        f"{counts[-1] / t.numel():.1%}, the lower half {(t < steps // 2).double().mean():.1%}. Each step should come "
        f"{1 / steps:.1%} of the time.",
    )
    require_many_steps(judge)


def require_many_steps(judge: Judge) -> None:
    """Fail unless steps are also uniform on as many as the lab has: limits and remainders of small numbers show."""
    t = judge.tensor("lab/t", (LAB_BATCH,), "The t of a large call")
    require_steps(judge, t, LAB_STEPS)
    level = judge.spend_alpha(LAB_LEVEL) / 10  # steps change the statistic by 1 / (2 T): tenfold
    judge.require(
        is_uniform((t.double() + 0.5) / LAB_STEPS, level),
        "time_distribution",
        f"With T = {LAB_STEPS} your t are not uniform on 0 to T - 1. In {LAB_BATCH:,} draws they run from "
        f"{int(t.min())} to {int(t.max())}, with a mean of {float(t.double().mean()):.0f}.",
    )


def require_places(judge: Judge, steps: int) -> None:
    """Fail if a sample has another's step or noise, or draws its step otherwise than the rest of the batch."""
    t = judge.tensor("places/t", (PLACES * PLACE_BATCH,), "The t of many calls").reshape(PLACES, PLACE_BATCH)
    require_alike_places(judge, (t.double() + 0.5) / steps)
    require_separate_places(judge, t, steps)
    noise = judge.tensor("places/noise", (PLACES * PLACE_BATCH, 1, 1, CLASSES), "The noise of many calls")
    noise = noise.reshape(PLACES, PLACE_BATCH, CLASSES)
    judge.require(
        not repeats_a_call(noise),
        "seeded",
        f"Two of {PLACES} calls with small batches used the same noise. Draw new noise in every call, and do not seed "
        "it with something that comes again.",
    )
    require_continuous(judge, noise.flatten(0, 1))  # a few values come again by chance
    require_separate_rows(judge, noise)


def require_unarranged(judge: Judge, t: Tensor, steps: int) -> None:
    """Fail if the steps of a batch are mirrored, or dealt out so that all come equally often.

    Args:
        judge: The judge of the exercise.
        t: The steps of large calls, (calls, b).
        steps: The number of steps, even.
    """
    from scipy import special

    counts = torch.stack([torch.bincount(row, minlength=steps) for row in t]).double()
    first, second = counts[:, : steps // 2], counts[:, steps // 2 :].flip(1)
    mirrored = (first - second).square().sum(1) / t.shape[1] * steps / 2  # the sum of steps / 2 squared normal numbers
    even = (counts - t.shape[1] / steps).square().sum(1) / t.shape[1] * steps
    for statistics, freedom, code, found in (
        (even, steps - 1, "time_stratified", "In a batch every step comes equally often"),
        (mirrored, steps / 2, "time_mirrored", "In a batch t and T - 1 - t come equally often"),
    ):
        level = judge.spend_alpha(ARRANGED_LEVEL) / len(t)
        judge.require(
            special.chdtr(freedom, float(statistics.min())) >= level,
            code,
            f"{found}, more exactly than random steps do. The steps of two samples are independent: draw each of them.",
        )


def other_times(t: Tensor, steps: float) -> Mistakes:
    """Return known wrong times for the model, from the right ones, (b,)."""
    return [
        ("time_reversed", "The model gets T - 1 - t, but the noise was added for t.", steps - 1 - t),
        ("time_scaled", "The model gets t / T, but it takes the index t itself.", t / steps),
    ]


LOSS = ClassifierLoss(
    trainer="NoisyClassifierTrainer",
    build=build,
    sessions=sessions(shape=(1, 4, 2), long=(512,), single=(3, 2, 2), knobs=KNOBS),
    time_axes=(),
    require_times=require_uniform_steps,
    other_times=other_times,
    require_time=require_steps,
)


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `get_train_loss` with recording stubs, many times with small batches, and with many steps."""
    Trainer = student.method(LOSS.trainer, "get_train_loss", "batch_size")
    probe_loss(Trainer, LOSS, challenge, evidence)
    for name in DRAWS:
        probe_draws(Trainer, challenge, evidence, name)


def probe_draws(trainer: type, challenge: Challenge, evidence: Evidence, name: str) -> None:
    """Record the steps and the noise of the calls of `DRAWS`."""
    steps, batches = DRAWS[name]
    with evidence.attempt(name), watching(evidence, name):
        noising = Recorder(lambda x0, t, noise: x0, ("x0", "t", "noise"))
        data = DealtData(challenge, name, (1, 1, CLASSES), CLASSES, torch.float64, 4 * sum(batches))
        model = StubClassifier(challenge, CLASSES, data.points.dtype)
        built: Any = build(trainer, Stubs(challenge, data.points.dtype, model, data, noising, steps))
        for batch in batches:
            built.get_train_loss(batch_size=batch)
        forget_repeats(noising)
        for place, label in enumerate(("t", "noise"), start=1):
            evidence.put(f"{name}/{label}", torch.cat([as_batch(call[0][place]) for call in noising.calls]))


def check(judge: Judge) -> None:
    """Check the properties of the loss on the public challenge."""
    check_loss(judge, LOSS, 1)


EXERCISE = Exercise(
    "lab3.classifier_loss",
    points=1,
    title="A classifier that can read noise",
    version=10,
    names=(LOSS.trainer,),
    probe=probe,
    public=check,
)
