"""The training loss of a classifier that knows how noisy its input is. Labs 1 and 3 ask for one each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.classifier_loss_sessions import (
    CLASSES,
    ClassifierLoss,
    Session,
    Stubs,
    recorded_noising,
    stub_noising,
)
from utils.checks.kits.dealt_data import DealtData, find_rows
from utils.checks.kits.draws import judge_noise
from utils.checks.kits.known_losses import SPARE, probe_known_losses, require_known_losses
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.mixed_modes import add_parts, mix_modes
from utils.checks.kits.noised_calls import Call, require_independence, require_new_numbers, require_tails
from utils.checks.kits.other_device import other_device
from utils.checks.kits.requirements import require_gradient
from utils.checks.stubs import Recorder, StubClassifier, forget_repeats

OFFSET_LEVEL = 2e-8  # chance that the sums of right noise look too large or too small
TOLERANCE = 1e-4  # relative; float32 is accurate to about 1e-6 here


# --- the probe


def probe_loss(trainer: type, loss: ClassifierLoss, challenge: Challenge, evidence: Evidence) -> None:
    """Call the loss in every session, with classifiers whose loss is known, and on another device.

    Args:
        trainer: The student's class.
        loss: The exercise.
        challenge: Fixes the data and the stubs.
        evidence: Receives `CALL/loss`, `CALL/grad`, `CALL/noising/…`, `CALL/model/…`, `CALL/dealt`,
            `CALL/time_without_axis` and `CALL/data_kept`.
    """
    for name, session in loss.sessions.items():
        probe_session(trainer, loss, challenge, evidence, name, session)
    main = loss.sessions["main"]

    def known(model: torch.nn.Module, data: DealtData, noising: Callable) -> Any:
        recorder = Recorder(noising, ("x0", "t", "noise"))
        return loss.build(trainer, Stubs(challenge, main.dtype, model, data, recorder, main.knob))

    probe_known_losses(evidence, challenge, main.shape, CLASSES, known)
    with other_device(evidence, challenge) as there:
        dtype = torch.float32
        data = DealtData(there, "device", main.shape, CLASSES, dtype, SPARE)
        stubs = Stubs(there, dtype, StubClassifier(there, CLASSES, dtype), data, recorded_noising(there), main.knob)
        loss.build(trainer, stubs).get_train_loss(batch_size=4)


def probe_session(
    trainer: type, loss: ClassifierLoss, challenge: Challenge, evidence: Evidence, name: str, session: Session
) -> None:
    """Record one trainer's calls: the loss, its gradient, and what the noising and the model were called with."""
    data, model = session.data(challenge, name), StubClassifier(challenge, CLASSES, session.dtype)
    noising = recorded_noising(challenge)
    add_parts(model)
    built = None
    for index, batch in enumerate(session.batches):
        call = f"{name}{index}"
        first, model.record.calls, noising.calls = data.next, [], []
        mix_modes(model, index)
        with evidence.attempt(call), watching(evidence, call, model=model):
            if built is None:
                built = loss.build(trainer, Stubs(challenge, session.dtype, model, data, noising, session.knob))
                first = data.next
            value = built.get_train_loss(batch_size=batch)
            evidence.put(f"{call}/loss", value)
            if isinstance(value, Tensor) and value.requires_grad and value.numel() == 1:
                (gradient,) = torch.autograd.grad(value.reshape(()), model.gain, allow_unused=True)
                evidence.put(f"{call}/grad", gradient)
        forget_repeats(model.record)
        forget_repeats(noising)
        noising.report(evidence, f"{call}/noising", "x")
        model.record.report(evidence, f"{call}/model")
        times = [made[0][1] for recorder in (noising, model.record) for made in recorder.calls if len(made[0]) > 1]
        evidence.put(f"{call}/time_without_axis", any(isinstance(t, Tensor) and t.dim() == 0 for t in times))
        evidence.put(f"{call}/dealt", [first, data.next])
        evidence.put(f"{call}/data_kept", data.kept())


# --- requirements


def require_calls(judge: Judge, loss: ClassifierLoss) -> list[Call]:
    """Return all calls, and fail unless data, times and noise reach the model as the exercise says."""
    for call in loss.calls:
        judge.attempt(call)
    require_nothing_left(judge, loss.calls)
    found: dict[str, list[Call]] = {name: [] for name in loss.sessions}
    for call, (name, batch) in loss.calls.items():
        found[name].append(require_call(judge, loss, call, name, batch))
    main, crowd = found["main"], found["crowd"]
    for name in ("main", "crowd"):  # times on a grid come again in later calls, too, so the grid is named first
        loss.require_times(judge, name, [call.t for call in found[name]])
    judge_noise(judge, torch.stack([call.noise for call in crowd]))
    require_new_numbers(judge, main)
    require_tails(judge, torch.stack([call.noise for call in crowd]))
    require_no_offset(judge, found["long"])
    require_independence(judge, *crowd)
    return [call for calls in found.values() for call in calls]


def require_no_offset(judge: Judge, calls: list[Call]) -> None:
    """Fail if the numbers of a long sample share a part of their noise: the sum of each sample is then too large.

    Args:
        judge: The judge of the exercise.
        calls: Calls with samples of one shape. Their noise is standard normal, number by number.
    """
    from scipy import special

    noise = torch.cat([call.noise for call in calls]).flatten(1)
    count, size = noise.shape
    squares = float((noise.sum(1) / size**0.5).square().sum())  # of so many standard normal numbers
    judge.require(
        2 * min(special.chdtr(count, squares), special.chdtrc(count, squares)) >= judge.spend_alpha(OFFSET_LEVEL),
        "noise_depends",
        f"The mean of the noise of a sample with {size} numbers varies by {(squares / count / size) ** 0.5:.2g}. "
        f"With independent numbers it varies by {size**-0.5:.2g}, so yours depend on each other.",
    )


def require_call(judge: Judge, loss: ClassifierLoss, call: str, name: str, batch: int) -> Call:
    """Follow one call from the data to the noise to the model, and return its tensors."""
    session = loss.sessions[name]
    judge.require(
        judge.value(f"{call}/data_kept", bool),
        "data_altered",
        "Your loss changed the samples or labels of `self.data` in place. Later batches need them: build new tensors.",
    )
    require_noised_once(judge, loss, call, batch)
    x_model = require_noised_input(judge, call, batch, session)
    t = require_time(judge, loss, call, batch, session)
    x0, y = require_dealt_rows(judge, call, batch, session.data(judge.challenge, name))
    noise = judge.tensor(f"{call}/noising/noise", what="The noise")
    if loss.keeps_dtype:
        require_dtype(judge, call)
    judge.require(
        noise.shape == x0.shape,
        "noise_shape",
        f"The noise has shape {tuple(noise.shape)}, expected {tuple(x0.shape)}. "
        "Each number of each sample gets its own noise.",
    )
    x = stub_noising(judge.challenge)(x0.double(), t.double(), noise.double())
    order = require_model_input(judge, call, x_model, x, x0.double())
    t = t.reshape(-1)[order]
    require_same_time(judge, loss, call, t, session)
    return Call(call, x0[order].double(), y[order], x[order], t, noise[order])


def require_dtype(judge: Judge, call: str) -> None:
    """Fail unless times and noise have the dtype of the samples."""
    expected = judge.evidence.values.get(f"{call}/noising/x0.dtype")
    for name, what in (
        ("noising/t", "your times are"),
        ("noising/noise", "your noise is"),
        ("model/t", "the times that the model sees are"),
    ):
        actual = judge.evidence.values.get(f"{call}/{name}.dtype")
        judge.require(
            actual == expected,
            "wrong_dtype",
            f"The samples are {expected}, and {what} {actual}. New tensors have the dtype of the samples.",
        )


def require_noised_once(judge: Judge, loss: ClassifierLoss, call: str, batch: int) -> None:
    """Fail if the whole batch was noised several times."""
    count = judge.value(f"{call}/noising/count", int)
    if count < 2 or batch == 1:
        return
    t = judge.tensor(f"{call}/noising/t", what="The time t")
    judge.require(
        t.numel() != count * batch or t.dim() != 1 + len(loss.time_axes),
        "noised_twice",
        f"Your loss adds noise {count} times to a batch, with different times or noise. Draw them once, and give the "
        "model what that one call of `self.add_noise` returned.",
    )


def require_noised_input(judge: Judge, call: str, batch: int, session: Session) -> Tensor:
    """Return the x that the model saw; fail if the model or the noising was never called."""
    count = judge.value(f"{call}/model/count", int)
    judge.require(count > 0, "model_not_called", "Your loss never calls `self.model`.")
    if judge.value(f"{call}/noising/count", int) == 0:
        judge.fail(
            "not_noised",
            "Your loss never calls `self.add_noise`. While sampling, the classifier is evaluated at noisy x at all "
            "times, so train it on what that function returns.",
        )
    x = judge.tensor(f"{call}/model/x", what="The x that the model sees")
    expected = (batch, *session.shape)
    judge.require(
        count == 1 or len(x) <= batch,
        "model_called_again",
        f"For a batch of {batch} samples your loss calls the model {count} times, with {len(x)} samples in all. "
        "Each sample of the batch reaches the model once, with its noise.",
    )
    judge.require(
        x.shape == expected, "wrong_shape", f"The model sees x of shape {tuple(x.shape)}, expected {expected}."
    )
    if session.dtype == torch.float32:
        judge.require(
            judge.evidence.values.get(f"{call}/model/x.dtype") != "float64",
            "wrong_dtype",
            "The data is float32, but the model sees a float64 x: one of your new tensors is float64. "
            "The lab's networks have float32 weights and would raise an error.",
        )
    return x


def require_time(judge: Judge, loss: ClassifierLoss, call: str, batch: int, session: Session) -> Tensor:
    """Return the t that the noising was called with; fail unless it holds one time a sample."""
    shape = (batch, *loss.time_axes)
    t = judge.tensor(f"{call}/noising/t", what="The time t")
    if t.numel() == 1 and batch > 1:
        judge.fail("time_shared", "All samples of a batch share one time t. Draw one for each sample.")
    judge.require(
        t.shape == shape, "time_shape", f"t has shape {tuple(t.shape)}, expected {shape}: one time for each sample."
    )
    judge.require(
        not judge.value(f"{call}/time_without_axis", bool),
        "time_shape",
        f"In a batch of {batch} your t has no axis, expected the shape {shape}: one time for each sample.",
    )
    if loss.require_time is not None:
        loss.require_time(judge, t, session.knob)
    return t


def require_dealt_rows(judge: Judge, call: str, batch: int, data: DealtData) -> tuple[Tensor, Tensor]:
    """Return the samples that were noised and their labels; fail unless they are those of this call's batch."""
    x0 = judge.tensor(f"{call}/noising/x0", what="The data given to `self.add_noise`")
    expected = (batch, *data.points.shape[1:])
    judge.require(
        x0.shape == expected,
        "wrong_shape",
        f"`self.add_noise` got samples of shape {tuple(x0.shape)}, expected {expected}.",
    )
    first, last = (judge.value(f"{call}/dealt.{i}", int) for i in (0, 1))
    rows = find_rows(x0, data.points[first:last])
    if rows is not None and len(rows.unique()) == batch:
        return data.points[first:last][rows], data.labels[first:last][rows]
    if find_rows(x0, data.points) is not None:
        judge.fail(
            "batch_kept",
            "Your loss uses samples of an earlier call, or the same sample several times. "
            "Draw a new batch from `self.data` in each call, and use each of its samples once.",
        )
    judge.fail(
        "not_the_data",
        "`self.add_noise` was called with something else than the samples that `self.data` returned.",
    )


def require_model_input(judge: Judge, call: str, x_model: Tensor, x: Tensor, x0: Tensor) -> Tensor:
    """Return the order in which the model saw the noised samples; fail if it saw something else."""
    if judge.close(x_model, x, TOLERANCE):
        return torch.arange(len(x))
    order = find_rows(x_model, judge.tensor(f"{call}/noising/x", what="What `self.add_noise` returned"))
    if order is not None and len(order.unique()) == len(x) and judge.close(x_model, x[order], TOLERANCE):
        return order
    if judge.close(x_model, x0, TOLERANCE):
        judge.fail("model_sees_clean", "The model sees the clean data. Give it what `self.add_noise` returned.")
    judge.fail("model_sees_other_x", "The model sees another x than the one that `self.add_noise` returned.")


def require_same_time(judge: Judge, loss: ClassifierLoss, call: str, t: Tensor, session: Session) -> None:
    """Fail unless the model got the same times as the noising, in the same order and shape."""
    t_model = judge.tensor(f"{call}/model/t", what="The time that the model sees")
    shape = (len(t), *loss.time_axes)
    judge.require(
        t_model.shape == shape, "time_shape", f"The model sees t of shape {tuple(t_model.shape)}, expected {shape}."
    )
    t = t.double()
    always_zero = (
        "time_zero",
        "The model always gets t = 0. It has to know how noisy its input is.",
        torch.zeros_like(t),
    )
    judge.compare(
        t_model.reshape(-1).double(),
        t,
        [*loss.other_times(t, session.knob), always_zero] if len(t) > 1 else (),
        ("time_differs", "The model sees another time than the noise. Draw t once, and pass the same t to both."),
        TOLERANCE,
    )


def require_scalar_loss(judge: Judge, call: str, finite: bool = True) -> Tensor:
    """Return the loss of a call, a tensor with one number; fail if it still has an axis, or if it must be finite."""
    loss = judge.tensor(f"{call}/loss", what="The loss", finite=finite)
    if loss.numel() > 1:
        judge.fail("no_reduction", f"Your loss has shape {tuple(loss.shape)}. Average it over the batch to one number.")
    judge.require(
        loss.dim() == 0, "wrong_shape", f"Your loss has shape {tuple(loss.shape)}, expected a tensor without axes."
    )
    return loss


# --- the public check


def check_loss(judge: Judge, loss: ClassifierLoss, points: float) -> None:
    """Run all requirements on the public challenge, and look at losses that are known beforehand."""
    with judge.part("properties", points):
        require_calls(judge, loss)
        for call, (_, batch) in loss.calls.items():
            require_scalar_loss(judge, call, finite=batch > 1)  # the known losses show why a single sample has none
            require_gradient(judge, f"{call}/loss")
        require_known_losses(judge, loss.sessions["main"].shape, CLASSES)
        for call in loss.calls:
            require_scalar_loss(judge, call)
        judge.device()
