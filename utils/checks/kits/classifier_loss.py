"""The training loss of a classifier that knows how noisy its input is. Labs 1 and 3 ask for one each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge, Mistakes
from utils.checks.kits.draws import judge_noise
from utils.checks.kits.requirements import require_gradient
from utils.checks.stubs import PreparedClassifier, RandomField, Recorder, StubClassifier, StubData, forget_repeats

CALLS, BATCH, CLASSES = 8, 128, 3
CERTAINTIES = {"certain": 30.0, "clueless": 0.0}  # run: the logit of the right class; the others have 0


@dataclass(frozen=True)
class Sizes:
    """The sizes of one call of the loss.

    Args:
        shape: The shape of one sample.
        dtype: The type of the samples and of the model.
        batch: How many samples the call asks for.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    batch: int


def sizes_of_runs(shape: tuple[int, ...], long: tuple[int, ...], single: tuple[int, ...]) -> dict[str, Sizes]:
    """Return the sizes of each run: many calls alike, a batch of one, long samples, and float32.

    Args:
        shape: The shape of one sample in `call0`, `call1`, … and `one`.
        long: The shape of one sample in `long`.
        single: The shape of one sample in `single`, the run in float32.
    """
    return {
        **{f"call{i}": Sizes(shape, torch.float64, BATCH) for i in range(CALLS)},
        "one": Sizes(shape, torch.float64, 1),
        "long": Sizes(long, torch.float64, 8),
        "single": Sizes(single, torch.float32, 16),
    }


@dataclass(frozen=True)
class Inputs:
    """What the data hands out in one run, fixed by the challenge."""

    x0: Tensor  # (batch, *shape) clean samples
    y: Tensor  # (batch,) labels, int64

    @classmethod
    def of(cls, challenge: Challenge, run: str, sizes: Sizes) -> Inputs:
        """Return the first batch that the run's stub of the data hands out."""
        data = stub_data(challenge, run, sizes)
        return cls(data.points[: sizes.batch], data.labels[: sizes.batch])


@dataclass(frozen=True)
class Stubs:
    """The stubs from which a trainer is built."""

    challenge: Challenge
    dtype: torch.dtype
    model: torch.nn.Module  # model(x, t)
    data: StubData  # data.sample(n)
    noising: Recorder  # noising(x0, t, noise)


@dataclass(frozen=True)
class ClassifierLoss:
    """What differs between the exercises that ask for such a loss.

    Args:
        trainer: The name of the graded class.
        build: Builds a trainer from the student's class and the stubs.
        runs: The sizes of each run.
        time_axes: The axes of t after the batch: `(1, 1)` for t of shape (b, 1, 1), `()` for (b,).
        require_time_distribution: Fails unless t of all calls, (calls, batch), has the right distribution.
        other_times: Code, message and value of known wrong times for the model, from the right ones, (b,).
        rtol: The relative tolerance in float64.
        require_time: Fails unless t of a single call is as it must be, such as integers.
    """

    trainer: str
    build: Callable[[type, Stubs], Any]
    runs: dict[str, Sizes]
    time_axes: tuple[int, ...]
    require_time_distribution: Callable[[Judge, Tensor], None]
    other_times: Callable[[Tensor], Mistakes]
    rtol: float
    require_time: Callable[[Judge, Tensor], None] | None = None

    def tolerance(self, run: str) -> float:
        """Return the relative tolerance of a run; float32 needs a larger one."""
        return self.rtol if self.runs[run].dtype == torch.float64 else 1e-4


@dataclass(frozen=True)
class Call:
    """One call as the evidence shows it, in float64."""

    x: Tensor  # (b, *shape) what the model saw, recomputed from t and noise
    t: Tensor  # the times, in the shape that the exercise asks for
    noise: Tensor  # (b, *shape)
    y: Tensor  # (b,) labels


def stub_data(challenge: Challenge, run: str, sizes: Sizes) -> StubData:
    """Return the stub of the data of one run."""
    return StubData(challenge, run, sizes.shape, CLASSES, sizes.dtype)


def stub_noising(challenge: Challenge) -> RandomField:
    """Return the function that replaces `add_noise(x0, t, noise)`."""
    return RandomField(challenge, "noising")


def recorded_noising(challenge: Challenge) -> Recorder:
    """Return `stub_noising` with every call recorded."""
    return Recorder(stub_noising(challenge), ("x0", "t", "noise"))


# --- the probe


def probe_loss(trainer: type, loss: ClassifierLoss, challenge: Challenge, evidence: Evidence) -> None:
    """Call the loss in every run, with two classifiers whose loss is known, and on the meta device.

    Args:
        trainer: The student's class.
        loss: The exercise.
        challenge: Fixes the data and the stubs.
        evidence: Receives `RUN/loss`, `RUN/grad`, `RUN/noising/…`, `RUN/model/…` and `RUN/data_kept`.
    """
    for run, sizes in loss.runs.items():
        probe_run(trainer, loss, challenge, evidence, run, sizes)
    for run, certainty in CERTAINTIES.items():
        with evidence.attempt(run):
            sizes = loss.runs["call0"]
            data = stub_data(challenge, run, sizes)
            model = PreparedClassifier(data.labels, certainty, CLASSES)
            stubs = Stubs(challenge, sizes.dtype, model, data, recorded_noising(challenge))
            evidence.put(f"{run}/loss", loss.build(trainer, stubs).get_train_loss(batch_size=sizes.batch))
    with evidence.attempt("device"):
        meta, dtype = challenge.on("meta"), torch.float32
        data = StubData(meta, "device", loss.runs["call0"].shape, CLASSES, dtype)
        stubs = Stubs(meta, dtype, StubClassifier(meta, CLASSES, dtype), data, recorded_noising(meta))
        loss.build(trainer, stubs).get_train_loss(batch_size=4)


def probe_run(
    trainer: type, loss: ClassifierLoss, challenge: Challenge, evidence: Evidence, run: str, sizes: Sizes
) -> None:
    """Record one run: the loss, its gradient, and what the noising and the model were called with."""
    data, model = stub_data(challenge, run, sizes), StubClassifier(challenge, CLASSES, sizes.dtype)
    noising = recorded_noising(challenge)
    with evidence.attempt(run):
        built = loss.build(trainer, Stubs(challenge, sizes.dtype, model, data, noising))
        value = built.get_train_loss(batch_size=sizes.batch)
        evidence.put(f"{run}/loss", value)
        if isinstance(value, Tensor) and value.requires_grad and value.numel() == 1:
            value.backward()
            evidence.put(f"{run}/grad", model.gain.grad)
    forget_repeats(model.record)
    forget_repeats(noising)
    noising.report(evidence, f"{run}/noising")
    model.record.report(evidence, f"{run}/model")
    evidence.put(f"{run}/data_kept", all(data.kept()))


# --- requirements


def require_calls(judge: Judge, loss: ClassifierLoss) -> dict[str, Call]:
    """Return all calls by run, and fail unless data, times and noise reach the model as the exercise says."""
    calls = {run: require_call(judge, loss, run) for run in loss.runs}
    alike = [calls[f"call{i}"] for i in range(CALLS)]
    loss.require_time_distribution(judge, torch.stack([call.t.flatten() for call in alike]))
    judge_noise(judge, torch.stack([call.noise for call in alike]))
    return calls


def require_call(judge: Judge, loss: ClassifierLoss, run: str) -> Call:
    """Follow one call from the data to the noise to the model, and return its tensors."""
    sizes, rtol = loss.runs[run], loss.tolerance(run)
    inputs = Inputs.of(judge.challenge, run, sizes)
    rows = tuple(inputs.x0.shape)
    judge.attempt(run)
    x_model = require_noised_input(judge, run, inputs, rtol)
    t = require_time(judge, loss, run)
    noise = judge.tensor(f"{run}/noising/noise", what="The noise")
    judge.require(
        noise.shape == rows,
        "noise_shape",
        f"The noise has shape {tuple(noise.shape)}, expected {rows}. Each number of each sample gets its own noise.",
    )
    judge.compare(
        judge.tensor(f"{run}/noising/x0", rows, "The data given to `self.add_noise`"),
        inputs.x0,
        (),
        (
            "not_the_data",
            "`self.add_noise` was called with something else than the samples that `self.data` returned.",
        ),
        rtol,
    )
    x = stub_noising(judge.challenge)(inputs.x0, t.to(sizes.dtype), noise.to(sizes.dtype)).double()
    if not judge.close(x_model, x, rtol):
        if judge.close(x_model, inputs.x0, rtol):
            judge.fail("model_sees_clean", "The model sees the clean data. Give it what `self.add_noise` returned.")
        judge.fail("model_sees_other_x", "The model sees another x than the one that `self.add_noise` returned.")
    require_same_time(judge, loss, run, t)
    judge.require(
        judge.value(f"{run}/data_kept", bool),
        "data_altered",
        "Your loss changed the samples or labels of `self.data` in place. Later batches need them: build new tensors.",
    )
    return Call(x, t, noise, inputs.y)


def require_noised_input(judge: Judge, run: str, inputs: Inputs, rtol: float) -> Tensor:
    """Return the x that the model saw; fail if the model or the noising was never called."""
    judge.require(judge.value(f"{run}/model/count", int) > 0, "model_not_called", "Your loss never calls `self.model`.")
    x = judge.tensor(f"{run}/model/x", what="The x that the model sees")
    if judge.value(f"{run}/noising/count", int) == 0:
        if judge.close(x, inputs.x0, rtol):
            judge.fail(
                "model_sees_clean",
                "The model sees clean data, because your loss never calls `self.add_noise`. "
                "While sampling, the classifier is evaluated at noisy x at all times.",
            )
        judge.fail(
            "not_noised", "Your loss never calls `self.add_noise`. Train the classifier on what that function returns."
        )
    judge.require(
        x.shape == inputs.x0.shape,
        "wrong_shape",
        f"The model sees x of shape {tuple(x.shape)}, expected {tuple(inputs.x0.shape)}.",
    )
    return x


def require_time(judge: Judge, loss: ClassifierLoss, run: str) -> Tensor:
    """Return the t that the noising was called with; fail unless it holds one time a sample."""
    batch = loss.runs[run].batch
    shape = (batch, *loss.time_axes)
    t = judge.tensor(f"{run}/noising/t", what="The time t")
    if t.numel() == 1 and batch > 1:
        judge.fail("time_shared", "All samples of a batch share one time t. Draw one for each sample.")
    judge.require(
        t.shape == shape, "time_shape", f"t has shape {tuple(t.shape)}, expected {shape}: one time for each sample."
    )
    if loss.require_time is not None:
        loss.require_time(judge, t)
    return t


def require_same_time(judge: Judge, loss: ClassifierLoss, run: str, t: Tensor) -> None:
    """Fail unless the model got the same times as the noising."""
    t_model = judge.tensor(f"{run}/model/t", what="The time that the model sees")
    judge.require(
        t_model.numel() == t.numel(),
        "time_shape",
        f"The model sees t of shape {tuple(t_model.shape)}, expected {tuple(t.shape)}.",
    )
    t = t.reshape(-1).double()
    always_zero = (
        "time_zero",
        "The model always gets t = 0. It has to know how noisy its input is.",
        torch.zeros_like(t),
    )
    judge.compare(
        t_model.reshape(-1).double(),
        t,
        [*loss.other_times(t), always_zero],
        ("time_differs", "The model sees another time than the noise. Draw t once, and pass the same t to both."),
        loss.tolerance(run),
    )


def require_scalar_loss(judge: Judge, run: str) -> Tensor:
    """Return the loss of a run, a tensor with one number; fail if it still has an axis."""
    loss = judge.tensor(f"{run}/loss", what="The loss")
    if loss.numel() > 1:
        judge.fail("no_reduction", f"Your loss has shape {tuple(loss.shape)}. Average it over the batch to one number.")
    if run == "one" and loss.dim() > 0:
        judge.fail("wrong_shape", f"Your loss has shape {tuple(loss.shape)}, expected a tensor without axes.")
    return loss


def require_known_losses(judge: Judge) -> None:
    """Compare with two losses that are known beforehand: of a sure and right classifier, and of a clueless one."""
    certain = judge.number("certain/loss", "The loss")
    judge.require(
        abs(certain) < 1e-6,
        "certain_not_zero",
        f"A classifier that gives the right class a logit of 30 and the others 0 has a loss of almost 0, "
        f"but yours is {certain:.3g}.",
    )
    clueless, expected = judge.number("clueless/loss", "The loss"), math.log(CLASSES)
    judge.require(
        abs(clueless - expected) < 1e-6,
        "clueless_not_log",
        f"A classifier that gives all {CLASSES} classes the same logit has the loss log {CLASSES} = {expected:.3f} "
        f"for every batch size, but yours is {clueless:.4g}.",
    )


# --- the public check


def check_loss(judge: Judge, loss: ClassifierLoss, points: float) -> None:
    """Run all requirements on the public challenge, and look at losses that are known beforehand."""
    with judge.part("properties", points):
        require_calls(judge, loss)
        for run in loss.runs:
            require_scalar_loss(judge, run)
        judge.require(
            judge.number("call0/loss", "The loss") > 0,
            "not_positive",
            "Your loss is not positive, but a cross-entropy always is.",
        )
        require_gradient(judge, "call0/loss")
        require_known_losses(judge)
        judge.device()
