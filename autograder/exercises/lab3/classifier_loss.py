"""Exercise 3.3: the hidden verdict."""

from __future__ import annotations

import torch
from scipy import stats
from torch import Tensor

from autograder.exercises.kits.cross_entropy import judge_cross_entropy
from autograder.exercises.kits.tolerance import tolerance
from utils.checks.cross_entropy import stub_noising
from utils.checks.judging import Judge
from utils.checks.kits.draws import judge_noise
from utils.checks.kits.schedules import MADE_UP_STEPS
from utils.checks.lab3.classifier_loss import TRAIN_CALLS, TRAIN_CLASSES, TRAIN_RUNS
from utils.checks.stubs import StubClassifier, StubData


def verdict(judge: Judge) -> None:
    with judge.part("loss", points=2):
        runs = {name: read_run(judge, name) for name in TRAIN_RUNS}
        calls = [runs[f"call{i}"] for i in range(TRAIN_CALLS)]
        judge_times(judge, torch.stack([run["t"] for run in calls]))
        judge_noise(judge, torch.stack([run["noise"] for run in calls]))
        for name, run in runs.items():
            dtype = TRAIN_RUNS[name][1]
            model = StubClassifier(judge.challenge, TRAIN_CLASSES, torch.float64)
            logits = model.compute(run["x"].to(dtype).double(), run["t"])
            judge_cross_entropy(judge, name, logits, run["y"], run["t"].double(), tolerance(dtype))
        judge.device()


def read_run(judge: Judge, name: str) -> dict[str, Tensor]:
    """Check the flow of one call (data to noise to model), and return its rebuilt tensors."""
    shape, dtype, batch = TRAIN_RUNS[name]
    rows, rtol = (batch, *shape), tolerance(dtype)
    data = StubData(judge.challenge, name, shape, TRAIN_CLASSES, dtype)
    judge.attempt(name)
    x0, y = data.points[:batch], data.labels[:batch]
    judge.require(
        judge.value(f"{name}/model/count", int) > 0, "model_not_called", "Your loss never calls `self.model`."
    )
    x_model = judge.tensor(f"{name}/model/x", what="The x that the model sees")
    if judge.value(f"{name}/noising/count", int) == 0:
        if x_model.shape == x0.shape and judge.close(x_model, x0, rtol):
            judge.fail(
                "model_sees_clean",
                "The model is given clean images. While sampling it will be asked about noisy x at all times.",
            )
        judge.fail(
            "not_noised", "Your loss never calls `self.add_noise`. The classifier has to be trained on noisy images."
        )
    t = judge.tensor(f"{name}/noising/t", what="The time t")
    if t.numel() == 1 and batch > 1:
        judge.fail("time_shared", "All samples of a batch share one t. Each needs its own.")
    judge.require(
        t.shape == (batch,), "time_shape", f"t has shape {tuple(t.shape)}, expected {(batch,)}: one index a sample."
    )
    judge.require(
        not t.is_floating_point(),
        "time_not_integer",
        "Your t are floating-point numbers. A step has an index: integers from 0 to T - 1.",
    )
    judge.require(
        ((t >= 0) & (t < MADE_UP_STEPS)).all(),
        "time_out_of_range",
        f"Some of your t are no index of this schedule, which has {MADE_UP_STEPS} steps. Take their number from `self.schedule`.",
    )
    noise = judge.tensor(f"{name}/noising/noise", what="The noise")
    judge.require(
        noise.shape == rows,
        "noise_shape",
        f"The noise has shape {tuple(noise.shape)}, expected {rows}: each number gets its own.",
    )
    judge.compare(
        judge.tensor(f"{name}/noising/x0", rows, "The data that is noised"), x0, (),
        ("not_the_data", "What is noised is not what the data returned."), rtol,
    )  # fmt: skip
    x = stub_noising(judge.challenge)(x0, t, noise.to(dtype)).double()
    if x_model.shape != x.shape or not judge.close(x_model, x, rtol):
        if x_model.shape == x0.shape and judge.close(x_model, x0, rtol):
            judge.fail("model_sees_clean", "The model is given the clean images. It must be asked at the noisy x.")
        judge.fail("model_sees_other_x", "The x that the model sees is not the x that add_noise returned.")
    t_model = judge.tensor(f"{name}/model/t", what="The time that the model sees")
    judge.require(
        t_model.numel() == batch,
        "time_shape",
        f"The model sees t of shape {tuple(t_model.shape)}, expected {(batch,)}.",
    )
    judge.compare(
        t_model.reshape(-1).double(), t.double(),
        [
            ("time_reversed", "The model sees the times in reversed order: T - 1 - t where the noise saw t.", MADE_UP_STEPS - 1 - t.double()),
            ("time_zero", "The model always hears t = 0. It has to know how noisy its input is.", torch.zeros(batch, dtype=torch.float64)),
            ("time_scaled", "The model sees t / T. It takes the index itself.", t.double() / MADE_UP_STEPS),
        ],
        ("time_differs", "The model sees another t than the noise. Draw t once and pass the same t to both."), rtol,
    )  # fmt: skip
    judge.require(
        judge.value(f"{name}/data_kept", bool),
        "data_altered",
        "The images or labels that the data returned were changed in place.",
    )
    return {"x": x, "t": t, "noise": noise, "y": y}


def judge_times(judge: Judge, t: Tensor) -> None:
    """(calls, batch): independent, and uniform on 0 to T - 1."""
    judge.require(t[0].unique().numel() > 1, "time_shared", "All samples of a batch share one t. Each needs its own.")
    judge.require(
        not torch.equal(t[0].sort().values, t[1].sort().values),
        "seeded",
        "Two calls used the same times. Draw them at random, and do not fix a seed inside the loss.",
    )
    counts = torch.bincount(t.flatten(), minlength=MADE_UP_STEPS)
    # 1,024 draws miss one of 24 values with probability 1e-19
    judge.require(counts[-1] > 0, "last_step_missing", "The noisiest step, t = T - 1, is never drawn.")
    judge.require(counts[0] > 0, "first_step_missing", "The first step, t = 0, is never drawn.")
    judge.require(
        stats.chisquare(counts.numpy()).pvalue >= judge.level(1e-7),
        "time_distribution",
        f"Your t are not uniform on 0 to T - 1: their mean is {t.double().mean():.1f}, and {(MADE_UP_STEPS - 1) / 2:.1f} was expected.",
    )
