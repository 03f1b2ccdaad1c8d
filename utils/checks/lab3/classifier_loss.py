"""Exercise 3.3, the loss of a noise-aware classifier: `NoisyClassifierTrainer.get_train_loss`."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.cross_entropy import (
    CERTAINTIES,
    require_known_losses,
    require_learning_loss,
    require_noised_input,
    require_normal_noise,
    require_same_time,
    stub_noising,
)
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.schedules import MADE_UP_STEPS, made_up_schedule
from utils.checks.stubs import PreparedClassifier, Recorder, StubClassifier, StubData, forget_repeats
from utils.checks.student import Student

TRAIN_CALLS, TRAIN_BATCH, TRAIN_CLASSES = 8, 128, 3
TRAIN_RUNS = {
    # attempt: shape of one sample, dtype, batch size
    **{f"call{i}": ((1, 4, 2), torch.float64, TRAIN_BATCH) for i in range(TRAIN_CALLS)},
    "one": ((1, 4, 2), torch.float64, 1),
    "long": ((11,), torch.float64, 8),
    "single": ((3, 2, 2), torch.float32, 16),
}


def record_noising(challenge: Challenge) -> tuple[Recorder, object]:
    """The recorder, and what the student calls: add_noise(x0, t, noise, schedule)."""
    recorder = Recorder(stub_noising(challenge), ("x0", "t", "noise"))

    def add_noise(x0, t, noise, schedule):
        if not isinstance(schedule, tuple) or len(schedule) != 3:
            raise ValueError("add_noise was called with something else than the schedule")
        return recorder(x0, t, noise)

    return recorder, add_noise


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    Trainer = student.method("NoisyClassifierTrainer", "get_train_loss", "batch_size")
    for name, (shape, dtype, batch) in TRAIN_RUNS.items():
        data = StubData(challenge, name, shape, TRAIN_CLASSES, dtype)
        model = StubClassifier(challenge, TRAIN_CLASSES, dtype)
        recorder, add_noise = record_noising(challenge)
        with evidence.attempt(name):
            trainer = Trainer(model=model, data=data, schedule=made_up_schedule(challenge, dtype), add_noise=add_noise)
            loss = trainer.get_train_loss(batch_size=batch)
            evidence.put(f"{name}/loss", loss)
            if isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1:
                loss.backward()
                evidence.put(f"{name}/grad", model.gain.grad)
        forget_repeats(model.record)
        forget_repeats(recorder)
        recorder.report(evidence, f"{name}/noising")
        model.record.report(evidence, f"{name}/model")
        evidence.put(f"{name}/data_kept", all(data.kept()))
    for name, certainty in CERTAINTIES.items():
        with evidence.attempt(name):
            data = StubData(challenge, name, (1, 4, 2), TRAIN_CLASSES, torch.float64)
            trainer = Trainer(
                model=PreparedClassifier(data.labels, certainty, TRAIN_CLASSES), data=data,
                schedule=made_up_schedule(challenge), add_noise=record_noising(challenge)[1],
            )  # fmt: skip
            evidence.put(f"{name}/loss", trainer.get_train_loss(batch_size=TRAIN_BATCH))
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        Trainer(
            model=StubClassifier(meta, TRAIN_CLASSES, torch.float32),
            data=StubData(meta, "device", (1, 4, 2), TRAIN_CLASSES, torch.float32),
            schedule=made_up_schedule(meta, torch.float32), add_noise=record_noising(meta)[1],
        ).get_train_loss(batch_size=4)  # fmt: skip


def check(judge: Judge) -> None:
    with judge.part("properties", 2):
        require_learning_loss(judge)
        t = judge.tensor("call0/noising/t", what="The time t")
        judge.require(t.shape == (TRAIN_BATCH,), "time_shape", f"t has shape {tuple(t.shape)}, expected (b,).")
        judge.require(not t.is_floating_point(), "time_not_integer", "t is the index of a step, so it is an integer.")
        judge.require(
            ((t >= 0) & (t < MADE_UP_STEPS)).all(),
            "time_out_of_range",
            "Some of your t are no index of the schedule: they run from 0 to T - 1.",
        )
        judge.require(t.unique().numel() > 1, "time_shared", "All samples of a batch share one t. Each needs its own.")
        all_t = torch.cat([judge.tensor(f"call{i}/noising/t") for i in range(TRAIN_CALLS)])
        judge.require(
            all_t.min() == 0 and all_t.max() == MADE_UP_STEPS - 1,
            "time_ends",
            f"In {len(all_t):,} draws your t ran from {all_t.min():.0f} to {all_t.max():.0f}; this schedule has steps 0 to {MADE_UP_STEPS - 1}.",
        )
        require_normal_noise(judge, (TRAIN_BATCH, 1, 4, 2))
        require_same_time(judge, t)
        require_noised_input(judge)
        require_known_losses(judge, TRAIN_CLASSES)
        judge.require(judge.value("call0/data_kept", bool), "data_altered", "The data's own images or labels changed.")
        judge.device()


EXERCISE = Exercise(
    "lab3.classifier_loss",
    points=2,
    title="A classifier that can read noise",
    version=3,
    names=("NoisyClassifierTrainer",),
    probe=probe,
    public=check,
)
