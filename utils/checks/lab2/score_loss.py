"""Exercise 2.3, public half: the loss of denoising score matching on a ring."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits import regression_loss as regression
from utils.checks.kits.correlation import are_correlated
from utils.checks.kits.draws import judge_times
from utils.checks.kits.requirements import require_gradient
from utils.checks.kits.ring import same_place
from utils.checks.kits.statistics import is_normal
from utils.checks.lab2.score_loss_stubs import (
    ConstantModel,
    PushEitherWay,
    PushForward,
    SideModel,
    StubAtoms,
    StubSchedule,
)
from utils.checks.stubs import StubModel, forget_repeats
from utils.checks.student import Student

CALLS, BATCH = 8, 256
RUNS = {
    # run: dtype, batch size
    **{f"call{i}": (torch.float64, BATCH) for i in range(CALLS)},
    "one": (torch.float64, 1),
    "small": (torch.float64, 7),
    "single": (torch.float32, 16),
}


STUBS = {
    "data": ("data_not_sampled", "Your loss never calls `self.data.sample`."),
    "noised": (
        "schedule_not_used",
        "Your loss never calls `self.schedule.add_noise`. The schedule decides how noise is added, and it need "
        "not be the one from 2.2.",
    ),
    "model": ("model_not_called", "Your loss never calls `self.model`."),
}

# Runs of the check alone: how far atoms are pushed and with which sigma, what the model says of each atom.
PUSHED = {
    "ideal": (0.02, 0.01, (-2.0, -2.0)),
    "off": (0.02, 0.01, (1.0, -5.0)),
    "halfway": (0.5, 0.35, (0.0, 0.0)),
    "far": (0.3, 0.35, (0.0, 0.0)),
}


@dataclass(frozen=True)
class Inputs:
    """What the loss works with in one run, all fixed by the challenge."""

    data: StubAtoms
    schedule: StubSchedule
    model: StubModel

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Build the stubs of a run."""
        dtype, _ = RUNS[run]
        model = StubModel(challenge, dtype=dtype, arguments=("x", "t"))
        return cls(StubAtoms(challenge, run, dtype), StubSchedule(challenge), model)


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the loss of every run on recording stubs, then on schedules for which the loss is known."""
    Trainer = student.method("ScoreTrainer", "get_train_loss", "batch_size")
    for run, (_, batch) in RUNS.items():
        inputs = Inputs.of(challenge, run)
        before = inputs.data.states.clone()
        with evidence.attempt(run):
            trainer = Trainer(schedule=inputs.schedule, model=inputs.model, data=inputs.data)
            regression.record_loss(evidence, run, trainer.get_train_loss(batch_size=batch), inputs.model.gain)
        forget_repeats(inputs.model.record)
        inputs.data.sample.report(evidence, f"{run}/data")
        inputs.schedule.add_noise.report(evidence, f"{run}/noised")
        inputs.schedule.sigma.report(evidence, f"{run}/sigma")
        inputs.model.record.report(evidence, f"{run}/model")
        evidence.put(f"{run}/states_moved", not torch.equal(before, inputs.data.states))
    for run, (distance, sigma, says) in PUSHED.items():
        with evidence.attempt(run):
            model, data = ConstantModel(*says), StubAtoms(challenge, run, torch.float64)
            trainer = Trainer(schedule=PushForward(distance, sigma), model=model, data=data)
            regression.record_loss(evidence, run, trainer.get_train_loss(batch_size=64), model.values)
    with evidence.attempt("either_way"):
        data = StubAtoms(challenge, "either_way", torch.float64)
        data.states[:] = data.states[0].clone()
        side = SideModel(data.states[0].clone(), 2.0)
        trainer = Trainer(schedule=PushEitherWay(0.02, 0.01), model=side, data=data)
        regression.record_loss(evidence, "either_way", trainer.get_train_loss(batch_size=64), side.values)
    with evidence.attempt("device"):
        inputs = Inputs.of(challenge.on("meta"), "single")
        Trainer(schedule=inputs.schedule, model=inputs.model, data=inputs.data).get_train_loss(batch_size=4)


# --- requirements on one call: data to noise to model


@dataclass(frozen=True)
class Call:
    """One call of the loss, rebuilt from what the stubs recorded, in float64."""

    x: Tensor  # (b, 2) what the model saw
    other_x: Tensor  # (b, 2) another noised state of the same data, if there was one
    x0: Tensor  # (b, 2)
    t: Tensor  # (b, 1)
    noise: Tensor  # (b, 2)
    sigma: Tensor  # (b, 1)
    rtol: float  # tolerance, larger where a part of the inputs was drawn in float32


@dataclass(frozen=True)
class Noised:
    """All that went into the calls of `add_noise` in one run, joined along the batch."""

    x0: Tensor  # (rows, 2)
    t: Tensor  # (rows, 1)
    noise: Tensor  # (rows, 2)


def require_call(judge: Judge, run: str) -> Call:
    """Return one call of the loss. Fails unless data, noised state and time reach the model as the exercise says."""
    _, batch = RUNS[run]
    require_stubs_used(judge, run)
    x_model = judge.tensor(f"{run}/model/x", (batch, 2), "The x that the model sees")
    noised = require_noised(judge, run)
    call = require_noised_x(judge, run, x_model, noised)
    require_states_of_data(judge, run, call.x0)
    require_same_time(judge, run, call)
    if judge.value(f"{run}/states_moved", bool):
        judge.note(
            "states_altered",
            "Your code overwrote the states that the dataset returned. The atoms of a dataset kept in memory would "
            "drift away.",
            deduct=1.0,
        )
    return call


def require_stubs_used(judge: Judge, run: str) -> None:
    """Fail unless dataset, schedule and model were called."""
    _, batch = RUNS[run]
    judge.require(  # before the error that it leads to
        judge.evidence.values.get(f"{run}/noised/t.shape") != [batch],
        "time_shape",
        f"t has shape ({batch},), expected ({batch}, 1): one time for each sample, with an axis to broadcast along.",
    )
    judge.attempt(run)
    regression.require_called(judge, run, STUBS)


def require_noised(judge: Judge, run: str) -> Noised:
    """Return what went into `add_noise`.

    Fails unless each sample has its own time and each coordinate its own noise.
    """
    _, batch = RUNS[run]
    x0 = judge.tensor(f"{run}/noised/x0", what="The clean state x0")
    t = judge.tensor(f"{run}/noised/t", what="The time t")
    noise = judge.tensor(f"{run}/noised/noise", what="The noise")
    states = len(Inputs.of(judge.challenge, run).data.states)
    judge.require(
        x0.dim() == 2 and x0.shape[1] == 2 and batch <= len(x0) <= states,
        "wrong_shape",
        f"The x0 that goes into add_noise has shape {tuple(x0.shape)}, expected ({batch}, 2).",
    )
    rows = len(x0)
    regression.require_one_time_each(judge, t, judge.value(f"{run}/noised/count", int), rows, (batch, 1))
    judge.require(
        noise.shape not in ((rows, 1), (rows,)),
        "noise_shared",
        "Both atoms of a sample get the same noise. Each coordinate needs its own.",
    )
    judge.require(
        noise.shape[-1] == 2 and noise.numel() in (2 * rows, 2),
        "wrong_shape",
        f"The noise has shape {tuple(noise.shape)}, expected ({batch}, 2).",
    )
    judge.require(
        noise.numel() == 2 * rows,
        "noise_shared",
        "All samples of a batch share one noise. Each needs its own.",
    )
    return Noised(x0, t, noise.reshape(rows, 2))


def require_noised_x(judge: Judge, run: str, x_model: Tensor, noised: Noised) -> Call:
    """Return the call whose noised state is the x that the model saw. Fails if there is none."""
    dtype, batch = RUNS[run]
    schedule = Inputs.of(judge.challenge, run).schedule
    single = dtype == torch.float32 or any(  # did a part of the numbers go through float32?
        judge.evidence.values.get(f"{run}/noised/{key}.dtype") == "float32" for key in ("x0", "t", "noise")
    )
    rtol = regression.EXACT[torch.float32 if single else torch.float64]
    x = schedule.noised(noised.x0, noised.t, noised.noise)
    start = regression.find_rows(x_model, x, batch, lambda one, other: same_place(one, other, rtol))
    if start is None:
        if same_place(x_model, noised.x0[:batch], rtol):
            judge.fail("model_sees_x0", "The model is given the clean state x0. Evaluate it at the noised x.")
        judge.fail("model_sees_other_x", "The x that the model sees is not the x that `add_noise` returned.")
    rows = slice(start, start + batch)
    other = next((x[s : s + batch] for s in range(0, len(x) - batch + 1, batch) if s != start), x[rows])
    t = noised.t[rows]
    return Call(x[rows], other, noised.x0[rows], t, noised.noise[rows], schedule.wave(t), rtol)


def require_states_of_data(judge: Judge, run: str, x0: Tensor) -> None:
    """Fail unless the clean states are consecutive states of the dataset."""
    drawn = Inputs.of(judge.challenge, run).data.states.double()
    judge.require(
        regression.find_rows(x0, drawn, 1, judge.close) is not None,
        "not_the_data",
        "The states that go into `add_noise` are not those that the dataset returned.",
    )


def require_same_time(judge: Judge, run: str, call: Call) -> None:
    """Fail unless the model saw the time at which noise was added."""
    t = judge.tensor(f"{run}/model/t", what="The time that the model sees")
    judge.require(
        t.shape == call.t.shape,
        "time_shape",
        f"The model sees t of shape {tuple(t.shape)}, expected {tuple(call.t.shape)}.",
    )
    judge.compare(
        t,
        call.t,
        [
            ("model_sees_sigma", "The model is given sigma where it expects the time t.", call.sigma),
            ("time_reversed", "The model sees 1 - t, but noise was added at time t.", 1 - call.t),
        ],
        ("time_differs", "The model sees another time than the noise. Draw t once, and pass the same t to both."),
        call.rtol,
    )


# --- requirements on all calls, and on the loss

NORMAL_ALARM = 1e-7


def require_draws(judge: Judge, calls: list[Call]) -> None:
    """Fail unless times are uniform and noise is standard normal, all of them independent."""
    t = torch.stack([call.t.flatten() for call in calls])  # (call, b)
    judge_times(judge, t)
    noise = torch.stack([call.noise for call in calls])  # (call, b, 2)
    judge.require(
        noise[0].unique(dim=0).shape[0] > 1,
        "noise_shared",
        "All samples of a batch share one noise. Each needs its own.",
    )
    judge.require(
        not torch.equal(noise[0], noise[1]),
        "seeded",
        "Two calls used the same noise. Do not fix a seed inside the loss.",
    )
    first, second = noise.reshape(-1, 2).T
    judge.require(
        not are_correlated(judge, first, second),
        "noise_shared",
        "The noise of the second atom depends on that of the first. Each coordinate needs its own.",
    )
    judge.require(
        is_normal(noise, judge.spend_alpha(NORMAL_ALARM)),
        "noise_not_normal",
        f"Your noise is not standard normal: its mean is {noise.mean():.2f}, its standard deviation "
        f"{noise.std():.2f}, its smallest value {noise.min():.2f}.",
    )
    judge.require(
        not are_correlated(judge, t.flatten(), first),
        "noise_tied_to_time",
        "Noise and time are not independent. Do not use one random number for both.",
    )


# --- the public check

# The loss of a model that says 0 where atoms were pushed by 0.3 and sigma is 0.35, by automatic differentiation of
# log K in float64: tests/exercises/lab2/test_score_loss.py makes this number again.
PUBLIC_LOSS_FAR = 0.155311368


def check_known_losses(judge: Judge) -> None:
    """Compare losses of constant models where every atom was pushed by the same distance."""
    ideal, off, halfway, far = (float(regression.require_scalar(judge, run, "atoms")) for run in PUSHED)
    judge.require(
        abs(ideal) < 1e-9,
        "ideal_not_zero",
        "Every atom was pushed forward by 2 sigma, some of them across the cell's edge, and the model returned -2. "
        f"Your loss is {ideal:.3g}, not 0.",
    )
    judge.require(
        abs(off - 9) < 1e-6,
        "off_by_three",
        f"For a model that is off by +3 for one atom and by -3 for the other your loss is {off:.7g}, not 9.",
    )
    judge.require(
        abs(halfway) < 1e-9,
        "halfway_not_zero",
        "Every atom was pushed halfway around the ring, where the pulls to both sides cancel, and the model returned "
        f"0. Your loss is {halfway:.3g}, not 0: do all periodic copies count, each by its share?",
    )
    judge.require(
        abs(far / PUBLIC_LOSS_FAR - 1) < 1e-5,
        "wrong_loss",
        f"Every atom was pushed by 0.3 where sigma is 0.35, and the model returned 0. Your loss is {far:.7g}, not "
        f"{PUBLIC_LOSS_FAR:.7g}: look at the shares of the periodic copies.",
    )
    either_way = float(regression.require_scalar(judge, "either_way", "atoms"))
    judge.require(
        abs(either_way) < 1e-9,
        "noise_resampled",
        "Atoms were pushed forward or backward at random by 2 sigma, and the model returned -2 or 2 accordingly. "
        f"Your loss is {either_way:.3g}, not 0: does the target use the same noised x as the model?",
    )
    gradient = judge.tensor("off/grad", (2,), "The gradient of the model's parameter")
    judge.require(
        judge.close(gradient, torch.tensor([3.0, -3.0])),
        "wrong_gradient",
        "The loss is right, but its gradient is not: a part of it is cut off from the model.",
    )


def check(judge: Judge) -> None:
    """Run all requirements on the public challenge, and compare the losses that are known."""
    with judge.part("properties", 1):
        calls = {run: require_call(judge, run) for run in RUNS}
        require_draws(judge, [calls[f"call{i}"] for i in range(CALLS)])
        for run in RUNS:
            regression.require_scalar(judge, run, "atoms")
            require_gradient(judge, f"{run}/loss")
        check_known_losses(judge)
        judge.device()


EXERCISE = Exercise(
    "lab2.score_loss",
    points=3,
    title="Denoising score matching on a ring",
    names=("ScoreTrainer",),
    probe=probe,
    public=check,
    version=3,
)
