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
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.mixed_modes import add_parts, mix_modes
from utils.checks.kits.other_device import other_device
from utils.checks.kits.requirements import require_gradient
from utils.checks.lab2.score_loss_calls import Call, Stubs, require_calls, require_many_draws, require_new_draws
from utils.checks.lab2.score_loss_known import check_known_losses, probe_known
from utils.checks.lab2.score_loss_stubs import StubAtoms, StubSchedule
from utils.checks.stubs import StubModel, forget_repeats
from utils.checks.student import Student

CALLS, BATCH = 8, 128
MANY = 20_000  # the batch of one more call, of which only what goes into the noising is kept
ALIKE = [f"call{i}" for i in range(CALLS)]
TRAINERS = {
    # trainer: dtype, and the batch size of each of its calls in their order
    "double": (
        torch.float64,
        {**dict.fromkeys(ALIKE[:4], BATCH), "two": 2, **dict.fromkeys(ALIKE[4:], BATCH), "one": 1, "one_again": 1},
    ),
    "single": (torch.float32, {"single": 16, "single_again": 5}),
}
RUNS = {run: (trainer, batch) for trainer, (_, batches) in TRAINERS.items() for run, batch in batches.items()}
BUILT = tuple(f"built_{trainer}" for trainer in TRAINERS)
NO_GRAD = "without_gradients"  # one more call, of which only what it leaves behind is kept
STATES = 3200  # of the dataset, three times as many as all calls of a trainer need


@dataclass(frozen=True)
class Inputs:
    """What one trainer is made of, all fixed by the challenge."""

    data: StubAtoms
    schedule: StubSchedule
    model: StubModel

    @classmethod
    def of(cls, challenge: Challenge, trainer: str, states: int = STATES) -> Inputs:
        """Build the stubs of a trainer."""
        dtype, _ = TRAINERS[trainer]
        model = StubModel(challenge, dtype=dtype, arguments=("x", "t"))
        return cls(StubAtoms(challenge, trainer, dtype, states), StubSchedule(challenge), model)


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the loss of every run on recording stubs, then on schedules for which the loss is known."""
    Trainer = student.method("ScoreTrainer", "get_train_loss", "batch_size")
    for name, (_, batches) in TRAINERS.items():
        inputs = Inputs.of(challenge, name)
        with evidence.attempt(f"built_{name}"), watching(evidence, f"built_{name}", model=inputs.model):
            trainer = Trainer(schedule=inputs.schedule, model=inputs.model, data=inputs.data)
        if f"built_{name}" in evidence.errors:
            continue
        add_parts(inputs.model)
        for number, (run, batch) in enumerate(batches.items()):
            mix_modes(inputs.model, number)
            probe_call(trainer, inputs, evidence, run, batch)
    probe_known(Trainer, challenge, evidence)
    with evidence.attempt("many"):
        inputs = Inputs.of(challenge, "double", 3 * MANY)
        Trainer(schedule=inputs.schedule, model=inputs.model, data=inputs.data).get_train_loss(batch_size=MANY)
        inputs.schedule.add_noise.report(evidence, "many/noised")
    probe_without_gradients(Trainer, challenge, evidence)
    with other_device(evidence, challenge) as there:
        inputs = Inputs.of(there, "single", 512)
        Trainer(schedule=inputs.schedule, model=inputs.model, data=inputs.data).get_train_loss(batch_size=4)


def probe_without_gradients(Trainer, challenge: Challenge, evidence: Evidence) -> None:
    """Call the loss inside of `torch.no_grad()`, as the lab does, to see whether gradient recording stays off.

    The exercise does not say that it works there, so an error is not a mistake.
    """
    inputs = Inputs.of(challenge, "double", 6)
    with evidence.attempt(f"{NO_GRAD}_call"), torch.no_grad(), watching(evidence, NO_GRAD):
        Trainer(schedule=inputs.schedule, model=inputs.model, data=inputs.data).get_train_loss(batch_size=2)


def probe_call(trainer, inputs: Inputs, evidence: Evidence, run: str, batch: int) -> None:
    """Call the loss once, and record what the stubs saw, the gradient, and what the call left behind."""
    data, schedule, model = inputs.data, inputs.schedule, inputs.model
    for recorder in (data.record, schedule.add_noise, schedule.sigma, model.record):
        recorder.calls = []
    before, first = data.states.clone(), data.next
    with evidence.attempt(run):
        with watching(evidence, run, model=model):
            loss = trainer.get_train_loss(batch_size=batch)
        evidence.put(f"{run}/loss", loss)
    model.gain.grad = None  # of the call before
    with evidence.attempt(f"{run}_backward"):
        if run not in evidence.errors and isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1:
            loss.backward()
            evidence.put(f"{run}/grad", model.gain.grad)
    forget_repeats(model.record)
    data.record.report(evidence, f"{run}/data")
    schedule.add_noise.report(evidence, f"{run}/noised")
    model.record.report(evidence, f"{run}/model")
    evidence.put(f"{run}/drawn", [first, data.next])
    evidence.put(f"{run}/states_moved", not torch.equal(before, data.states))


def require_properties(judge: Judge) -> dict[str, Call]:
    """Return all calls by run. Fails unless the exercise's requirements on them hold."""
    inputs = {trainer: Inputs.of(judge.challenge, trainer) for trainer in TRAINERS}
    stubs = {run: Stubs(batch, inputs[name].data, inputs[name].schedule) for run, (name, batch) in RUNS.items()}
    for built in BUILT:
        judge.attempt(built)
    if not any(run in judge.evidence.errors for run in RUNS):
        require_nothing_left(judge, [*BUILT, *RUNS, NO_GRAD])
    calls = require_calls(judge, stubs, ALIKE)
    require_new_draws(judge, calls["one"], calls["one_again"])
    require_many_draws(judge, "many", MANY)
    for run in RUNS:
        regression.require_scalar(judge, run, "atoms")
        require_gradient(judge, f"{run}/loss")
        judge.attempt(f"{run}_backward")
    return calls


def check(judge: Judge) -> None:
    """Run all requirements on the public challenge, and compare the losses that are known."""
    with judge.part("properties", 1):
        require_properties(judge)
        check_known_losses(judge)
        judge.device()


EXERCISE = Exercise(
    "lab2.score_loss",
    points=3,
    title="Denoising score matching on a ring",
    names=("ScoreTrainer",),
    probe=probe,
    public=check,
    version=10,
)
