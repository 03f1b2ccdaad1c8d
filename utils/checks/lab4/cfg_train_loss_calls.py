"""Requirements on the recorded calls of exercise 4.2: from the dataset to the path, the model and the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits import label_dropout as dropout
from utils.checks.kits import regression_loss as regression
from utils.checks.kits.draws import judge_time_independence
from utils.checks.kits.left_behind import require_nothing_left
from utils.checks.kits.places import require_alike_places, require_separate_coins
from utils.checks.kits.regression_loss import ROUNDING
from utils.checks.kits.requirements import require_gradient
from utils.checks.kits.statistics import is_binomial, is_uniform, reaches_ends
from utils.checks.kits.time_draws import judge_times
from utils.checks.lab4.cfg_train_loss_inputs import (
    CALLS,
    EDGES,
    LEVEL,
    MANY,
    PLACE_BATCH,
    PLACES,
    RATE_BATCH,
    RATES,
    RUNS,
    Inputs,
    inputs_to_compare,
)

RATE_LEVEL = 1e-8  # the chance that one of the tests of `RATES` rejects right coins

STUBS = {
    "path": ("path_not_sampled", "Your loss never calls `self.path.sample_conditional_path`."),
    "model": ("model_not_called", "Your loss never calls `self.model`."),
    "target": (
        "target_not_used",
        "Your loss never calls `self.path.conditional_vector_field`. "
        "The path defines the target: with another path your own formula would be wrong.",
    ),
}


@dataclass(frozen=True)
class Call:
    """One recorded call of the loss, rebuilt from the challenge and the evidence; tensors in float64."""

    x: Tensor  # (b, c, h, w) what the model saw
    z: Tensor  # (b, c, h, w) the images
    t: Tensor  # (b, 1, 1, 1) the times
    y: Tensor  # (b,) the labels of the dataset
    y_model: Tensor  # (b,) the labels that the model saw
    null: Tensor  # (b,) which of them are null


def require_call(judge: Judge, run: str) -> Call:
    """Follow one call from the dataset to the path, the model and the target; return what was recorded.

    Args:
        judge: The judge of the exercise.
        run: A run of `RUNS`.
    """
    inputs = inputs_to_compare(judge.challenge, run)
    judge.attempt(run)
    regression.require_called(judge, run, STUBS)
    require_data_kept(judge, run)
    x, z, t = require_path(judge, run, inputs)
    y = require_data(judge, run, inputs, z)
    require_model_time(judge, run, inputs, t)
    y_model = require_model_labels(judge, run, inputs, y)
    require_target_inputs(judge, run, {"x": x, "z": z, "t": t})
    return Call(x, z, t, y, y_model, y_model == inputs.null_label)


def require_data_kept(judge: Judge, run: str) -> None:
    """Fail if the loss overwrote the dataset's own labels or images."""
    judge.require(
        judge.value(f"{run}/labels_kept", bool),
        "labels_altered",
        "The labels that the dataset returned were overwritten in place. With a dataset kept in memory, more and "
        "more of its labels become the null label. Work on a copy, or use `torch.where`.",
    )
    judge.require(
        judge.value(f"{run}/images_kept", bool),
        "images_altered",
        "The images that the dataset returned were overwritten in place.",
    )


def read_calls(judge: Judge, name: str, what: str) -> Tensor:
    """Return an argument of all calls of a stub; fail if the calls had arguments that cannot be joined."""
    judge.require(
        judge.kind(name) != "list",
        "calls_differ",
        f"{what} has another shape or type in one call than in the next. One call for the whole batch is enough.",
    )
    return judge.tensor(name, what=what)


def require_path(judge: Judge, run: str, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """Return x, z and t of the batch that the model saw; fail unless the path made this x from a time for each z."""
    rows = (inputs.batch, *inputs.shape)
    z = read_calls(judge, f"{run}/path/z", "The image z that goes into the path")
    t = read_calls(judge, f"{run}/path/t", "The time t that goes into the path")
    wrong_shape = f"The z that goes into the path should have the shape {rows}, and came with {tuple(z.shape)}."
    judge.require(z.dim() == len(rows), "wrong_shape", wrong_shape)
    calls = judge.value(f"{run}/path/count", int)
    regression.require_one_time_each(judge, t, calls, len(z), (inputs.batch, 1, 1, 1))
    x_model = require_one_evaluation(judge, run, rows)
    judge.require(z.shape[1:] == inputs.shape and inputs.batch <= len(z), "wrong_shape", wrong_shape)
    first = int(judge.number(f"{run}/drawn.1"))
    x = inputs.path.noisy(z.to(inputs.dtype), t.to(inputs.dtype), first).double()
    # A path that was sampled twice has more rows than the batch: the model's x says which of them count.
    start = regression.find_rows(x_model, x, inputs.batch, lambda one, other: judge.close(one, other, ROUNDING))
    if start is None and judge.close(x_model, z[: inputs.batch], ROUNDING):
        judge.fail("model_sees_z", "The model is given the clean image z. Evaluate it at the noisy x.")
    if start is None:
        judge.fail("model_sees_other_x", "The x that the model sees is not the x that the path returned.")
    batch = slice(start, start + inputs.batch)
    return x[batch], z[batch], t[batch]


def require_one_evaluation(judge: Judge, run: str, rows: tuple[int, ...]) -> Tensor:
    """Return the x that the model saw; fail if the model was evaluated several times for each sample."""
    evaluated = judge.tensor(f"{run}/model/x", what="The x that the model sees")
    times, rest = divmod(len(evaluated) if evaluated.dim() == len(rows) else 0, rows[0])
    if times > 1 and rest == 0:
        judge.fail(
            "model_asked_twice",
            f"Your loss evaluates the model {times} times for every sample. Training evaluates it once, with the "
            "possibly dropped label; two velocities are combined in sampling only.",
        )
    return judge.tensor(f"{run}/model/x", rows, "The x that the model sees")


def require_data(judge: Judge, run: str, inputs: Inputs, z: Tensor) -> Tensor:
    """Return the labels of the images z, (b,); fail unless they are different images that this call has drawn."""
    first, last = max(0, int(judge.number(f"{run}/drawn.0"))), judge.value(f"{run}/data_until", int)
    far = ROUNDING * z.abs().max()
    distance, row = nearest(z, inputs.data.points[first:last])
    row = row + first
    if not bool((distance < far).all()):  # not among the images of this call: perhaps those of an earlier one
        distance, row = nearest(z, inputs.data.points[:last])
    judge.require(
        bool((distance < far).all()),
        "not_the_data",
        "The images that go into the path are not those that the dataset returned.",
    )
    judge.require(
        bool((row >= first).all()),
        "batch_kept",
        "The images are those of an earlier call. Draw new images in every call.",
    )
    judge.require(
        row.unique().numel() == len(row),
        "rows_repeated",
        "Some of the images that the dataset returned occur several times in your batch, others not at all.",
    )
    return inputs.data.labels[row]


def nearest(z: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distance of each row of z to the nearest image, and the row of that image; both (b,)."""
    if not len(images):
        return torch.full((len(z),), torch.inf), torch.zeros(len(z), dtype=torch.int64)
    distances = torch.cdist(z.flatten(1), images.double().flatten(1))
    return distances.min(dim=1)


def require_model_time(judge: Judge, run: str, inputs: Inputs, t: Tensor) -> None:
    """Fail unless the model saw the times t that the path saw."""
    actual = judge.tensor(f"{run}/model/t", what="The time that the model sees")
    expected = (inputs.batch, 1, 1, 1)
    judge.require(
        actual.shape == expected,
        "time_shape",
        f"The model sees t of shape {tuple(actual.shape)}, expected {expected}.",
    )
    judge.compare(
        actual.reshape(-1),
        t.reshape(-1),
        [
            (
                "time_reversed",
                "The model sees 1 - t where the path saw t. Flow time has noise at 0 and data at 1.",
                1 - t.reshape(-1),
            )
        ],
        ("time_differs", "The model sees another time than the path. Draw t once and pass the same t to both."),
        ROUNDING,
    )


def require_model_labels(judge: Judge, run: str, inputs: Inputs, y: Tensor) -> Tensor:
    """Return the labels that the model saw, (b,); fail unless each is the sample's own or the null label."""
    judge.require(
        judge.evidence.values.get(f"{run}/model/y.length") != 0,
        "label_missing",
        "The model is called without labels: `self.model(x, t, y)`.",
    )
    labels = judge.tensor(f"{run}/model/y", what="The labels that the model sees")
    dtype = judge.evidence.values.get(f"{run}/model/y.dtype")
    judge.require(
        str(dtype).startswith("int"),
        "label_dtype",
        f"The model sees labels of dtype {dtype}. Labels index an embedding, so keep them int64.",
    )
    judge.require(
        labels.shape == (inputs.batch,),
        "label_shape",
        f"The model sees labels of shape {tuple(labels.shape)}, expected ({inputs.batch},).",
    )
    changed = labels[(labels != inputs.null_label) & (labels != y)]
    if run not in EDGES and changed.unique().numel() == 1:
        judge.fail(
            "wrong_null_label",
            f"Dropped labels became {int(changed[0])}, but self.null_label is {inputs.null_label}. "
            "With a constant, the null label can be mistaken for a class.",
        )
    if run not in EDGES and changed.numel():
        own = labels[labels != inputs.null_label].long()
        counts = own.clamp(min=0).bincount(minlength=int(y.max()) + 1)[: int(y.max()) + 1]
        if bool((own <= y.max()).all()) and bool((counts <= y.bincount()).all()):
            judge.fail(
                "labels_of_other_rows",
                "The model sees the labels in another order than their images: they belong to other rows.",
            )
        judge.fail(
            "labels_wrong",
            "Some labels that the model sees are neither the sample's own label nor the null label.",
        )
    return labels


def require_target_inputs(judge: Judge, run: str, expected: Mapping[str, Tensor]) -> None:
    """Fail unless the target was computed at the x, z and t of the batch that the model saw."""
    for name, value in expected.items():
        actual = judge.tensor(f"{run}/target/{name}", what=f"The {name} in the target")
        if actual.numel() == value.numel():
            actual = actual.reshape(value.shape)
        if judge.close(actual, value, ROUNDING):
            continue
        if name == "x":
            judge.fail(
                "noise_resampled",
                "The target was computed at another x than the model saw. Draw x once, and use it for both.",
            )
        if name == "t" and judge.close(actual, 1 - value, ROUNDING):
            judge.fail("time_reversed", "The target sees 1 - t where the path saw t.")
        judge.fail("target_inputs", f"The {name} in the target is not the {name} that made x.")


def require_calls(judge: Judge) -> dict[str, Call]:
    """Return all recorded calls; fail unless data, times and dropped labels are used as the exercise asks."""
    calls = {run: require_call(judge, run) for run in CALLS}
    require_nothing_left(judge, CALLS)
    edges = {run: require_call(judge, run) for run in EDGES}
    require_draws(judge, calls, edges)
    calls |= edges
    calls |= {run: require_call(judge, run) for run in RUNS if run not in calls}
    require_nothing_left(judge, [*RUNS, "many", "places"])
    require_places(judge)
    for run, edge in EDGES.items():
        dropout.require_edge(judge, edges[run].null, edge)
    require_rates(judge)
    for run in RUNS:
        regression.require_scalar(judge, run, "pixels")
        judge.require_precision(f"{run}/loss", torch.float32, "The loss")
        require_gradient(judge, f"{run}/loss")
    return calls


def require_places(judge: Judge) -> None:
    """Fail if a sample of a batch has another's time or coin, or draws them otherwise than the rest."""
    rows = (PLACES * PLACE_BATCH,)
    times = judge.tensor("places/t", rows, "The times that the model sees in many calls")
    null = judge.tensor("places/null", rows, "The labels that the model sees in many calls")
    require_alike_places(judge, times.reshape(PLACES, PLACE_BATCH))
    require_separate_coins(judge, null.reshape(PLACES, PLACE_BATCH))


def require_rates(judge: Judge) -> None:
    """Fail unless labels are dropped with probability eta, also where eta is very small or large."""
    for number, eta in enumerate(RATES):
        null = judge.tensor(f"rate{number}/null", (RATE_BATCH,), "The labels that the model sees in a large batch")
        dropped, level = int(null.sum()), judge.spend_alpha(RATE_LEVEL)
        judge.require(
            # A float32 number of a generator may be 0, so some are at most eta = 0: three of 6,000 in 1e-11 of batches.
            is_binomial(dropped, RATE_BATCH, eta, level) or (eta == 0 and dropped <= 2),
            "other_rate",
            f"With eta = {eta:g} the model saw the null label in {dropped:,} of {RATE_BATCH:,} samples; about "
            f"{eta * RATE_BATCH:,.0f} were expected. Use eta as it is, however small or large.",
        )


def require_drops_in_each_call(judge: Judge, null: Tensor) -> None:
    """Fail if some calls of `CALLS` drop no label at all; a right answer does so with a chance below 1e-30."""
    without = ~null.any(dim=1)
    evaluation = torch.arange(len(null)) % 2 == 1  # see `mix_modes`
    where = (
        "these are the calls with the model in evaluation mode"
        if torch.equal(without, evaluation)
        else "in others some were"
    )
    judge.require(
        not bool(without.any()),
        "dropped_in_some_calls",
        f"In {int(without.sum())} of {len(null)} calls with the same eta no label was dropped; {where}. "
        "In every call each label is dropped with probability eta.",
    )


def require_draws(judge: Judge, calls: Mapping[str, Call], edges: Mapping[str, Call]) -> None:
    """Fail unless times are uniform and independent, and every label has a coin of its own in every call."""
    null, t, y = (torch.stack([getattr(call, key).flatten() for call in calls.values()]) for key in ("null", "t", "y"))
    eta = inputs_to_compare(judge.challenge, "trainer").eta
    at_zero, at_one = (edges[run] for run in EDGES)
    judge_times(judge, t)
    dropout.require_some_dropped(judge, null, at_one.null, eta)
    many = judge.tensor("many/t", (MANY, 1, 1, 1), f"The time that the model sees in a batch of {MANY:,}")
    judge.require(
        is_uniform(many, judge.spend_alpha(LEVEL)),
        "time_distribution",
        f"The {MANY:,} times of a large batch are not uniform on [0, 1]: their mean is {many.mean():.3f} and their "
        f"standard deviation {many.std():.3f} ({1 / 2:.3f} and {12**-0.5:.3f} expected).",
    )
    many_null = judge.tensor("many/null", (MANY,), f"The label that the model sees in a batch of {MANY:,}")
    dropout.require_coins_within_labels(judge, null, y)
    require_drops_in_each_call(judge, null)
    dropout.require_independent_coins(judge, null)
    dropout.require_every_label_dropped(judge, at_one.null, at_one.y)
    dropout.require_unrelated_coins(judge, null, t, y)
    dropout.require_unrelated_times(judge, t, y)
    dropout.require_drop_rate(judge, many_null, at_zero.null, eta)
    judge_time_independence(judge, t)
    judge.require(
        reaches_ends(many, judge.spend_alpha(LEVEL)),
        "time_cut_off",
        f"Your {MANY:,} times lie between {many.min():.4f} and {many.max():.4f}. Uniform ones come closer to 0 and 1, "
        "and what is never drawn is never learned.",
    )
