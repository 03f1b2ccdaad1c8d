"""Exercise 2.3: requirements on the calls of the loss, from the dataset to the noise to the model.

Numbers that agree to the precision of float32 count as equal: the exercise asks for no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits import regression_loss as regression
from utils.checks.kits.draws import judge_independence, judge_noise, require_continuous
from utils.checks.kits.independence import are_columns_dependent, are_dependent
from utils.checks.kits.ring import on_ring
from utils.checks.kits.statistics import is_normal, is_uniform, reaches_ends
from utils.checks.kits.time_draws import judge_times
from utils.checks.lab2.score_loss_stubs import StubAtoms, StubSchedule

PLACE = 5e-6  # two places that are nearer on the ring are the same one, with the rounding of float32
TIME = 1e-5  # two times that are nearer are the same one
MANY_LEVEL = 5e-8  # chance that one of the tests of a large batch rejects right draws
SAME_TIME = 1.2e-7  # more than the chance of 2**-23 that two right times are equal in float32

STUBS = {
    "data": ("data_not_sampled", "In one call of your loss, `self.data.sample` was not called."),
    "noised": (
        "schedule_not_used",
        "In one call of your loss, `self.schedule.add_noise` was not called. The schedule decides how noise is added, "
        "and it need not be the one from 2.2.",
    ),
    "model": ("model_not_called", "In one call of your loss, `self.model` was not called."),
}
KEPT = ("batch_kept", "Your loss uses states of an earlier call. Draw new states in every call.")


@dataclass(frozen=True)
class Stubs:
    """What the requirements know of one run."""

    batch: int
    data: StubAtoms  # all states, drawn or not
    schedule: StubSchedule


@dataclass(frozen=True)
class Call:
    """One call of the loss, rebuilt from what the stubs recorded, in float64. All rows are in the model's order."""

    x: Tensor  # (b, 2) what the model saw
    other_x: Tensor  # (b, 2) another noised state of the same data, if there was one
    x0: Tensor  # (b, 2)
    t: Tensor  # (b, 1)
    noise: Tensor  # (b, 2)
    sigma: Tensor  # (b, 1)
    order: Tensor  # (b,) the place of each row in the order in which the noise was drawn


@dataclass(frozen=True)
class Noised:
    """All that went into the calls of `add_noise` in one run, joined along the batch."""

    x0: Tensor  # (rows, 2)
    t: Tensor  # (rows, 1)
    noise: Tensor  # (rows, 2)


def require_call(judge: Judge, run: str, stubs: Stubs) -> Call:
    """Return one call of the loss. Fails unless data, noised state and time reach the model as the exercise says."""
    require_stubs_used(judge, run, stubs.batch)
    x_model = require_x_of_model(judge, run, stubs.batch)
    noised = require_noised(judge, run, stubs)
    call = require_noised_x(judge, x_model, noised, stubs)
    require_states_of_data(judge, run, call.x0, stubs)
    require_same_time(judge, run, call)
    judge.require(
        not judge.value(f"{run}/states_moved", bool),
        "states_altered",
        "Your code overwrote the states that the dataset returned. The atoms of a dataset kept in memory would "
        "drift away.",
    )
    return call


def require_stubs_used(judge: Judge, run: str, batch: int) -> None:
    """Fail unless dataset, schedule and model were called."""
    judge.require(  # before the error that it leads to
        judge.evidence.values.get(f"{run}/noised/t.shape") != [batch] or batch == 1,
        "time_shape",
        f"t has shape ({batch},), expected ({batch}, 1): one time for each sample, with an axis to broadcast along.",
    )
    judge.attempt(run)
    regression.require_called(judge, run, STUBS)


def require_x_of_model(judge: Judge, run: str, batch: int) -> Tensor:
    """Return the x that the model saw in one call of the loss, (b, 2). Fails if it saw more or fewer states."""
    name, what = f"{run}/model/x", "The x that the model sees"
    x = judge.tensor(name, None, what)
    judge.require(
        x.dim() != 2 or x.shape[1] != 2 or len(x) <= batch,
        "model_sees_more_states",
        f"In one call of your loss, with a batch of {batch}, the model was evaluated at {len(x)} states. The loss "
        "contains its output at the noised x of each sample, and at nothing else.",
    )
    return judge.tensor(name, (batch, 2), what)


def require_noised(judge: Judge, run: str, stubs: Stubs) -> Noised:
    """Return what went into `add_noise`.

    Fails unless each sample has its own time and each coordinate its own noise.
    """
    batch = stubs.batch
    x0 = judge.tensor(f"{run}/noised/x0", what="The clean state x0")
    t = judge.tensor(f"{run}/noised/t", what="The time t")
    noise = judge.tensor(f"{run}/noised/noise", what="The noise")
    judge.require(
        x0.dim() == 2 and x0.shape[1] == 2 and batch <= len(x0) <= len(stubs.data.states),
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


def nearest_places(places: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each place the nearest candidate on the ring.

    Args:
        places: (b, n).
        candidates: (m, n).

    Returns:
        The candidate's row, (b,), and its distance, (b,): the largest of the n differences.
    """
    gaps = on_ring(places[:, None] - candidates).abs().amax(2)
    distance, row = gaps.min(1)
    return row, distance


def require_noised_x(judge: Judge, x_model: Tensor, noised: Noised, stubs: Stubs) -> Call:
    """Return the call whose noised states the model saw, in whatever order. Fails if there is none."""
    batch, schedule = stubs.batch, stubs.schedule
    x = schedule.noised(noised.x0, noised.t, noised.noise)
    rows, distance = nearest_places(x_model, x)
    in_cell = x_model.min() > -PLACE and x_model.max() < 1 + PLACE
    if not in_cell or distance.max() > PLACE or rows.unique().numel() < batch:
        _, from_clean = nearest_places(x_model, noised.x0)
        if in_cell and from_clean.max() <= PLACE:
            judge.fail("model_sees_x0", "The model is given the clean state x0. Evaluate it at the noised x.")
        judge.fail("model_sees_other_x", "The x that the model sees is not the x that `add_noise` returned.")
    unseen = torch.ones(len(x), dtype=torch.bool)
    unseen[rows] = False
    other = x[unseen][:batch] if int(unseen.sum()) >= batch else x[rows]
    t = noised.t[rows]
    return Call(x[rows], other, noised.x0[rows], t, noised.noise[rows], schedule.wave(t), rows)


def require_states_of_data(judge: Judge, run: str, x0: Tensor, stubs: Stubs) -> None:
    """Fail unless the clean states are states that the dataset returned in this call, each once."""
    first, last = (judge.value(f"{run}/drawn.{i}", int) for i in range(2))
    judge.require(first < last <= len(stubs.data.states), *STUBS["data"])
    states = stubs.data.states.double()
    rows, distance = nearest_places(x0, states[first:last])
    if distance.max() > PLACE:
        if first and nearest_places(x0, states[:first])[1].max() <= PLACE:
            judge.fail(*KEPT)
        judge.fail(
            "not_the_data", "The states that go into `add_noise` are not those that the dataset returned in this call."
        )
    judge.require(
        rows.unique().numel() == len(rows),
        "states_repeated",
        "Your loss uses some of the states that the dataset returned several times, and others never.",
    )


def require_same_time(judge: Judge, run: str, call: Call) -> None:
    """Fail unless the model saw the time at which noise was added."""
    t = judge.tensor(f"{run}/model/t", what="The time that the model sees")
    judge.require(
        t.shape == call.t.shape,
        "model_time_shape",
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
        0.0,
        TIME,
    )


def require_draws(judge: Judge, calls: list[Call]) -> None:
    """Fail unless times are uniform and noise is standard normal, all of them independent.

    Args:
        judge: The judge of the exercise.
        calls: Calls of one trainer, with equal batches.
    """
    drawn = [call.order.argsort() for call in calls]  # as they were drawn: neighbours may depend on each other
    t = torch.stack([call.t.flatten()[order] for call, order in zip(calls, drawn, strict=True)])
    noise = torch.stack([call.noise[order] for call, order in zip(calls, drawn, strict=True)])
    judge_times(judge, t)
    judge_noise(judge, noise)
    judge_independence(judge, t, noise)


def require_new_draws(judge: Judge, first: Call, second: Call) -> None:
    """Fail if two calls with batches of one have the same time or the same noise."""
    judge.spend_alpha(SAME_TIME)
    same = [name for name in ("t", "noise") if torch.equal(getattr(first, name), getattr(second, name))]
    judge.require(
        not same,
        "fixed_for_one_sample",
        f"In two calls with batches of one, your {'times are' if 't' in same else 'noise is'} the same. "
        "Draw new numbers in every call, whatever the batch size is.",
    )


def require_many_draws(judge: Judge, run: str, batch: int) -> None:
    """Fail unless times and noise of a large batch are right: small differences show in many numbers only.

    Args:
        judge: The judge of the exercise.
        run: The call with the large batch, with what went into `add_noise`.
        batch: The size of the batch.
    """
    judge.attempt(run)
    t = judge.tensor(f"{run}/noised/t", what="The time t").flatten()
    x0, noise = (judge.tensor(f"{run}/noised/{name}", (len(t), 2), f"The {name}")[:batch] for name in ("x0", "noise"))
    t = t[:batch]  # of the first noising, if there are several
    different = t.unique().numel()
    judge.require(
        different > 0.9 * len(t),
        "time_discrete",
        f"In a batch of {len(t):,} only {different:,} times are different. Each sample draws its own, uniformly.",
    )
    judge.require(
        reaches_ends(t, judge.spend_alpha(MANY_LEVEL)),
        "time_ends",
        f"Your {t.numel():,} times lie between {t.min():.5f} and {t.max():.5f}. Uniform ones come much closer "
        "to both ends of [0, 1], and what is never drawn is never learned.",
    )
    judge.require(
        is_uniform(t, judge.spend_alpha(MANY_LEVEL)),
        "time_distribution",
        f"The {len(t):,} times of a large batch are not uniform on [0, 1]: their mean is {t.mean():.3f}, and "
        f"{(t < 0.5).double().mean():.1%} lie below 1/2.",
    )
    require_continuous(judge, noise)
    judge.require(
        is_normal(noise, judge.spend_alpha(MANY_LEVEL)),
        "noise_law",
        f"The noise of a batch of {len(t):,} is not standard normal. Its mean is {noise.mean():.3f}, its standard "
        f"deviation {noise.std():.3f}, and {(noise.abs() < 1).double().mean():.1%} of it lies between -1 and 1 "
        "(68.3% expected).",
    )
    uniform = torch.cat([x0, t[:, None], torch.special.ndtr(noise)], dim=1)
    pairs = uniform[: len(t) // 2 * 2, 2:]
    judge.require(
        not are_dependent(pairs[::2], pairs[1::2], judge.spend_alpha(MANY_LEVEL)),
        "samples_tied",
        "The time or the noise of one sample depends on that of its neighbour in the batch. Draw them independently.",
    )
    judge.require(
        not are_columns_dependent(uniform, judge.spend_alpha(MANY_LEVEL)),
        "draws_tied",
        f"In a batch of {len(t):,}, two of these depend on each other: the states x0, the times, the noise of the "
        "first atom, and that of the second. Draw times and noise independently of all else.",
    )


def require_calls(judge: Judge, runs: Mapping[str, Stubs], alike: list[str]) -> dict[str, Call]:
    """Return all calls by run. Fails unless each is as the exercise says, and all draws are independent.

    Args:
        judge: The judge of the exercise.
        runs: The stubs of each run.
        alike: The runs with one trainer and equal batches.
    """
    calls = {run: require_call(judge, run, stubs) for run, stubs in runs.items()}
    require_draws(judge, [calls[run] for run in alike])
    return calls
