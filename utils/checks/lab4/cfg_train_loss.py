"""Exercise 4.2: the training loss of classifier-free guidance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits import regression_loss as regression
from utils.checks.kits.left_behind import watching
from utils.checks.kits.mixed_modes import add_parts, mix_modes
from utils.checks.kits.other_device import other_device
from utils.checks.kits.regression_loss import ROUNDING
from utils.checks.lab4.cfg_train_loss_calls import require_calls
from utils.checks.lab4.cfg_train_loss_inputs import (
    END,
    EXTRA_RUNS,
    LARGE_OFFSET,
    MANY,
    OFFSET,
    PLACES,
    RATES,
    RUNS,
    SAME_TRAINER,
    TOY_RUNS,
    Inputs,
    Listener,
    OffsetModel,
    PlainPath,
    toy_error,
)
from utils.checks.stubs import Recorder, StubModel, as_batch, forget_repeats
from utils.checks.student import Student


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Compute the loss in every run, and record what path, model and target are given."""
    Trainer = student.method("CFGTrainer", "get_train_loss", "batch_size")
    probe_one_trainer(Trainer, challenge, evidence)
    for run in RUNS:
        if run not in SAME_TRAINER:
            inputs = Inputs.of(challenge, run)
            model = stub_model(challenge, inputs)
            probe_call(evidence, run, partial(inputs.trainer, Trainer, model), inputs, model)
    for run in TOY_RUNS:
        inputs = Inputs.of(challenge, run)
        target = inputs.path.target
        regress = Recorder(lambda x, z, t, target=target: target(x, t), ("x", "z", "t"))
        inputs.path.conditional_vector_field, inputs.data.start_again = regress, True
        with evidence.attempt(run), watching(evidence, run):
            toy = OffsetModel(target, run)
            loss = inputs.trainer(Trainer, toy).get_train_loss(batch_size=inputs.batch)
            regression.record_loss(evidence, run, loss, toy.gain)
            evidence.put(f"{run}/t", torch.cat(toy.times))
    probe_places(Trainer, challenge, evidence)
    probe_rates(Trainer, challenge, evidence)
    with other_device(evidence, challenge) as there, watching(evidence, "device"):
        inputs = Inputs.of(there, "device")
        inputs.trainer(Trainer, StubModel(there, dtype=torch.float32)).get_train_loss(batch_size=inputs.batch)


def probe_one_trainer(Trainer: type, challenge: Challenge, evidence: Evidence) -> None:
    """Call one trainer with one batch size after another, at last with so many samples that only draws are recorded."""
    inputs = Inputs.of(challenge, "trainer")
    model = stub_model(challenge, inputs)
    trainer = cache(partial(inputs.trainer, Trainer, model))  # built in the first call
    for number, run in enumerate(SAME_TRAINER):
        mix_modes(model, number)
        probe_call(evidence, run, trainer, replace(inputs, batch=RUNS[run][2]), model)
    with evidence.attempt("many"), watching(evidence, "many", model=model):
        model.record.calls.clear()
        inputs.data.start_again = True
        trainer().get_train_loss(batch_size=MANY)
        forget_repeats(model.record)
        t, y = (torch.cat([as_batch(call[0][i]) for call in model.record.calls]) for i in (1, 2))
        evidence.put("many/t", t.float())
        evidence.put("many/null", y == inputs.null_label)


def probe_places(Trainer: type, challenge: Challenge, evidence: Evidence) -> None:
    """Record the times and the dropped labels of many small batches."""
    inputs, model = Inputs.of(challenge, "places"), Listener()
    inputs.data.start_again = True
    with evidence.attempt("places"), watching(evidence, "places"):
        plain: Any = PlainPath(inputs.data)
        trainer = replace(inputs, path=plain).trainer(Trainer, model)
        for _ in range(PLACES):
            trainer.get_train_loss(batch_size=inputs.batch)
        evidence.put("places/t", torch.cat(model.times).flatten())
        evidence.put("places/null", torch.cat(model.labels).flatten() == inputs.null_label)


def probe_rates(Trainer: type, challenge: Challenge, evidence: Evidence) -> None:
    """Record which labels are dropped in a large batch, for each eta of `RATES`."""
    inputs = Inputs.of(challenge, "rates")
    inputs.data.start_again = True
    plain: Any = PlainPath(inputs.data)
    for number, eta in enumerate(RATES):
        with evidence.attempt(f"rate{number}"), watching(evidence, f"rate{number}"):
            model = Listener()
            replace(inputs, path=plain, eta=eta).trainer(Trainer, model).get_train_loss(batch_size=inputs.batch)
            evidence.put(f"rate{number}/null", torch.cat(model.labels).flatten() == inputs.null_label)


def stub_model(challenge: Challenge, inputs: Inputs) -> StubModel:
    """Return the recording model of a run, with parts whose modes can differ from its own."""
    model = StubModel(challenge, dtype=inputs.dtype)
    add_parts(model)
    return model


def probe_call(evidence: Evidence, run: str, trainer: Callable[[], Any], inputs: Inputs, model: StubModel) -> None:
    """Record one call of a trainer, which the run may have to build first."""
    data, path = inputs.data, inputs.path
    recorders = {"path": path.sample_conditional_path, "model": model.record, "target": path.conditional_vector_field}
    for recorder in recorders.values():
        recorder.calls.clear()
    evidence.put(f"{run}/drawn", [data.next, path.next])
    with evidence.attempt(run):
        with watching(evidence, run, model=model, path=path, images=data.points):
            loss = trainer().get_train_loss(batch_size=inputs.batch)
        regression.record_loss(evidence, run, loss, model.gain)
    for name, recorder in recorders.items():
        if name != "path":
            forget_repeats(recorder)
        recorder.report(evidence, f"{run}/{name}")
    evidence.put(f"{run}/data_until", data.next)
    images_kept, labels_kept = data.kept()
    evidence.put(f"{run}/images_kept", images_kept)
    evidence.put(f"{run}/labels_kept", labels_kept)


def check(judge: Judge) -> None:
    """Run all requirements, and compare the loss of toy models with the known numbers."""
    with judge.part("properties", 4):
        require_calls(judge)
        check_toy_losses(judge)
        judge.device()


def check_toy_losses(judge: Judge) -> None:
    """Compare the losses of models that are right, or off by a known error everywhere, and their gradients."""
    loss = {run: judge.number(f"{run}/loss", "The loss") for run in TOY_RUNS}
    judge.require(
        abs(loss["ideal"]) < 1e-6,
        "ideal_not_zero",
        f"For a model that returns its target exactly your loss is {loss['ideal']:.3g}, not 0.",
    )
    judge.require(
        loss["opposite"] > 1e-6,
        "target_sign",
        "For a model that returns its target with the opposite sign your loss is 0: look at the sign of the target.",
    )
    require_square(judge, loss["off"])
    judge.require(
        abs(loss["off_null"] / OFFSET**2 - 1) < ROUNDING,
        "null_rows_dropped",
        f"Where all labels are null, and the model is off by {OFFSET:g} at every pixel, your loss is "
        f"{loss['off_null']:.4g}, not {OFFSET**2:g}. Samples with the null label count like all others.",
    )
    require_equal_weights(judge, loss, "uneven", "whose errors grow with t, and differ from pixel to pixel,")
    require_equal_weights(judge, loss, "ends", f"that errs at times below {END:g} and above {1 - END:g} only")
    judge.require(
        abs(loss["far_off"] / LARGE_OFFSET**2 - 1) < ROUNDING,
        "large_numbers",
        f"For images with numbers of some hundreds, and a model that is off by {LARGE_OFFSET:g}, your loss is "
        f"{loss['far_off']:.7g}, not {LARGE_OFFSET**2:g}. For ordinary images, and a model that is off by {OFFSET:g}, "
        "it is right. Limit no number, and square each error, however large it is.",
    )
    for run in ("off", "off_null", "uneven", "far_off", "ends"):
        judge.require(
            abs(judge.number(f"{run}/grad", "The gradient of the model's parameter") / loss[run] - 2) < 2 * ROUNDING,
            "wrong_gradient",
            "The loss is right, but its gradient is not: a part of it is cut off from the model.",
        )


def require_equal_weights(judge: Judge, losses: Mapping[str, float], run: str, model: str) -> None:
    """Fail unless a loss is the mean of the squared errors that the toy model makes at the times of its run.

    Args:
        judge: The judge of the exercise.
        losses: The loss of each toy run.
        run: The run.
        model: How the message describes the model.
    """
    times = judge.tensor(f"{run}/t", what="The time that the model sees")
    expected = float(toy_error(run, times, EXTRA_RUNS[run][0]).square().mean())
    judge.require(
        abs(losses[run] - expected) <= ROUNDING * expected,
        "weighted",
        f"For a model {model} your loss is {losses[run]:.5g}, and the mean of the squared errors is {expected:.5g}. "
        "All samples and all pixels have the same weight.",
    )


def require_square(judge: Judge, loss: float) -> None:
    """Fail unless the loss of a model that is off by `OFFSET` everywhere is the square of it; say what it looks like.

    Args:
        judge: The judge of the public check.
        loss: The loss in the run "off".
    """
    square = OFFSET**2
    ratio = loss / square
    found = (
        f"For a model that is {OFFSET:g} too high at every other pixel, and {OFFSET:g} too low at the rest, your loss"
    )
    if abs(ratio - 1) < ROUNDING:
        return
    judge.require(
        abs(ratio) > ROUNDING,
        "errors_cancel",
        f"{found} is {loss:.3g}, not {square:g}. Square each error before anything is averaged.",
    )
    power = judge.number("off/grad", "The gradient of the model's parameter") / loss
    judge.require(
        abs(power - 1) > 0.01,
        "not_squared",
        f"{found} is {loss:.5g}, not {square:g}. It grows like the error itself, not like its square.",
    )
    judge.require(
        abs(power - 2) < 0.01,
        "other_power",
        f"{found} is {loss:.5g}, not {square:g}. It does not grow like the square of the error.",
    )
    message = f"{found} is {loss:.5g}, not {square:g}. That is {ratio:.5g} times the mean of the squared errors."
    if ratio >= 2 - ROUNDING:
        code = "loss_twice" if ratio < 2 + ROUNDING else "loss_too_large"
        judge.fail(code, f"{message} The batch has 32 images with 2 channels of 8 pixels.")
    judge.fail("wrong_weights", f"{message} Each error counts once, and with weight 1.")


EXERCISE = Exercise(
    "lab4.cfg_train_loss",
    points=4,
    title="The training loss of classifier-free guidance",
    version=9,
    names=("CFGTrainer",),
    probe=probe,
    public=check,
)
