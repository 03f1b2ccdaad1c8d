"""Exercise 4.2: the training loss of classifier-free guidance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits import label_dropout as dropout
from utils.checks.kits import regression_loss as regression
from utils.checks.kits.draws import judge_times
from utils.checks.kits.requirements import require_gradient
from utils.checks.stubs import RandomField, Recorder, StubData, StubModel, forget_repeats
from utils.checks.student import Student

BATCH = 256
CALLS = [f"call{i}" for i in range(8)]  # 2,048 labels: enough to tell eta from 1 - eta, and from 2 eta
RUNS = {
    # run: image shape, dtype, batch size
    **{call: ((1, 2, 3), torch.float64, BATCH) for call in CALLS},
    "one": ((1, 2, 3), torch.float64, 1),
    "wide": ((3, 4, 2), torch.float64, 8),
    "single": ((1, 2, 2), torch.float32, 16),
    "eta0": ((1, 1, 2), torch.float64, 64),
    "eta1": ((1, 1, 2), torch.float64, 64),
}
OFFSET = 3.0
TOY_RUNS = {"ideal": 0.0, "off": OFFSET, "off_null": OFFSET}  # how far the toy model is off
EXTRA_RUNS = {
    **{run: ((1, 4, 4), torch.float64, 32) for run in TOY_RUNS},
    "device": ((1, 2, 2), torch.float32, 4),
}
EDGES = {"eta0": 0.0, "eta1": 1.0}  # runs in which chance decides nothing
ETAS = {**EDGES, "off_null": 1.0}
STUBS = {
    "path": ("path_not_sampled", "Your loss never calls `self.path.sample_conditional_path`."),
    "model": ("model_not_called", "Your loss never calls `self.model`."),
    "target": (
        "target_not_used",
        "Your loss never calls `self.path.conditional_vector_field`. "
        "The path defines the target: with another path your own formula would be wrong.",
    ),
}


class StubPath(nn.Module):
    """A random path with the interface of `GaussianPath`: x mixes z, t and noise; the target mixes x, z and t."""

    def __init__(self, challenge: Challenge, run: str, data: StubData):
        super().__init__()
        self.p_data = data
        self.mix = RandomField(challenge, "path x")
        self.noise = challenge.randn(f"{run} noise", data.points.shape, data.points.dtype)
        self.target = RandomField(challenge, "path target", amplitude=2.0)
        self.next = 0
        self.sample_conditional_path = Recorder(self.draw, ("z", "t"))
        self.conditional_vector_field = Recorder(self.regress, ("x", "z", "t"))

    def sample_conditioning_variable(self, n: int) -> tuple[Tensor, Tensor]:
        """Return n images (n, ...) and their labels (n,)."""
        return self.p_data.sample(n)

    def draw(self, z: Tensor, t: Tensor) -> Tensor:
        """Return a noisy state for images z (b, ...) at times t (b, 1, ..., 1), with the shape of z."""
        rows = slice(self.next, self.next + len(z))
        self.next = rows.stop
        return self.mix(z, t) + 0.5 * self.noise[rows]

    def regress(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """Return the target at state x for images z and times t, with the shape of x."""
        return self.target(x, t, z)


class OffsetModel(nn.Module):
    """Returns a target of x and t plus an offset, whose sign alternates from pixel to pixel; its loss is offset²."""

    def __init__(self, target: RandomField, offset: float):
        super().__init__()
        self.offset = nn.Parameter(torch.full((), offset, dtype=torch.float64))
        self.target = target

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Return the target plus the offset, with the shape of x."""
        signs = 1 - 2 * (torch.arange(x[0].numel()) % 2).reshape(x.shape[1:])
        return self.target(x, t) + self.offset * signs


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge.

    Neither the number of classes, nor the null label, nor eta is the lab's 10, 10 and 0.1, so that a constant shows.
    """

    shape: tuple[int, ...]  # of one image
    dtype: torch.dtype
    batch: int
    null_label: int
    eta: float
    data: StubData
    path: StubPath

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS` or `EXTRA_RUNS`, with a new dataset and a new path."""
        shape, dtype, batch = (RUNS | EXTRA_RUNS)[run]
        classes = challenge.integer("classes", 3, 8)
        null_label = dropout.draw_null_label(challenge, classes)
        eta = ETAS.get(run, challenge.number("eta", 0.2, 0.4))
        data = StubData(challenge, run, shape, classes, dtype)
        return cls(shape, dtype, batch, null_label, eta, data, StubPath(challenge, run, data))

    @property
    def rtol(self) -> float:
        """The relative tolerance of numbers in this run's dtype."""
        return regression.EXACT[self.dtype]

    def loss(self, Trainer: type, model: nn.Module) -> object:
        """Return the loss of one batch from the student's trainer."""
        trainer = Trainer(path=self.path, model=model, eta=self.eta, null_label=self.null_label)
        return trainer.get_train_loss(batch_size=self.batch)


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Compute the loss in every run, and record what path, model and target are given."""
    Trainer = student.method("CFGTrainer", "get_train_loss", "batch_size")
    for run in RUNS:
        inputs = Inputs.of(challenge, run)
        data, path, model = inputs.data, inputs.path, StubModel(challenge, dtype=inputs.dtype)
        with evidence.attempt(run):
            regression.record_loss(evidence, run, inputs.loss(Trainer, model), model.gain)
        for recorder in (model.record, path.conditional_vector_field):
            forget_repeats(recorder)
        path.sample_conditional_path.report(evidence, f"{run}/path")
        model.record.report(evidence, f"{run}/model")
        path.conditional_vector_field.report(evidence, f"{run}/target")
        evidence.put(f"{run}/labels_after", data.labels)
        evidence.put(f"{run}/images_moved", not data.kept()[0])
    for run, offset in TOY_RUNS.items():
        inputs = Inputs.of(challenge, run)
        target = inputs.path.target
        regress = Recorder(lambda x, z, t, target=target: target(x, t), ("x", "z", "t"))
        inputs.path.conditional_vector_field = regress
        with evidence.attempt(run):
            toy = OffsetModel(target, offset)
            evidence.put(f"{run}/loss", inputs.loss(Trainer, toy))
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        Inputs.of(meta, "device").loss(Trainer, StubModel(meta, dtype=torch.float32))


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
    inputs = Inputs.of(judge.challenge, run)
    judge.attempt(run)
    regression.require_called(judge, run, STUBS)
    x, z, t = require_path(judge, run, inputs)
    y = require_data(judge, inputs, z)
    require_model_time(judge, run, inputs, t)
    y_model = require_model_labels(judge, run, inputs, y)
    require_target_inputs(judge, run, inputs, {"x": x, "z": z, "t": t})
    note_changes(judge, run, inputs)
    return Call(x, z, t, y, y_model, y_model == inputs.null_label)


def require_path(judge: Judge, run: str, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """Return x, z and t of the batch that the model saw; fail unless the path made this x from a time for each z."""
    rows = (inputs.batch, *inputs.shape)
    z = judge.tensor(f"{run}/path/z", what="The image z that goes into the path")
    t = judge.tensor(f"{run}/path/t", what="The time t")
    wrong_shape = f"The z that goes into the path should have the shape {rows}, and came with {tuple(z.shape)}."
    judge.require(z.dim() == len(rows), "wrong_shape", wrong_shape)
    calls = judge.value(f"{run}/path/count", int)
    regression.require_one_time_each(judge, t, calls, len(z), (inputs.batch, 1, 1, 1))
    x_model = require_one_evaluation(judge, run, rows)
    whole = z.shape[1:] == inputs.shape and inputs.batch <= len(z) <= len(inputs.data.points)
    judge.require(whole, "wrong_shape", wrong_shape)
    x = inputs.path.draw(z.to(inputs.dtype), t.to(inputs.dtype)).double()

    def same(one: Tensor, other: Tensor) -> bool:
        return judge.close(one, other, inputs.rtol)

    # A path that was sampled twice has more rows than the batch: the model's x says which of them count.
    start = regression.find_rows(x_model, x, inputs.batch, same)
    if start is None and same(x_model, z[: inputs.batch]):
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


def require_data(judge: Judge, inputs: Inputs, z: Tensor) -> Tensor:
    """Return the labels of the images z, (b,); fail if the dataset never returned these images."""
    start = regression.find_rows(z, inputs.data.points.double(), inputs.batch, judge.close)
    if start is None:
        judge.fail("not_the_data", "The images that go into the path are not those that the dataset returned.")
    return inputs.data.labels[start : start + inputs.batch]


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
        inputs.rtol,
    )


def require_model_labels(judge: Judge, run: str, inputs: Inputs, y: Tensor) -> Tensor:
    """Return the labels that the model saw, (b,); fail unless each is the sample's own or the null label."""
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
    judge.require(
        run in EDGES or not changed.numel(),
        "labels_wrong",
        "Some labels that the model sees are neither the sample's own label nor the null label.",
    )
    return labels


def require_target_inputs(judge: Judge, run: str, inputs: Inputs, expected: Mapping[str, Tensor]) -> None:
    """Fail unless the target was computed at the x, z and t of the batch that the model saw."""
    for name, value in expected.items():
        actual = judge.tensor(f"{run}/target/{name}", what=f"The {name} in the target")
        if actual.numel() == value.numel():
            actual = actual.reshape(value.shape)
        if judge.close(actual, value, inputs.rtol):
            continue
        if name == "x":
            judge.fail(
                "noise_resampled",
                "The target was computed at another x than the model saw. Draw x once, and use it for both.",
            )
        if name == "t" and judge.close(actual, 1 - value, inputs.rtol):
            judge.fail("time_reversed", "The target sees 1 - t where the path saw t.")
        judge.fail("target_inputs", f"The {name} in the target is not the {name} that made x.")


def note_changes(judge: Judge, run: str, inputs: Inputs) -> None:
    """Note if the loss overwrote the dataset's own labels or images: this costs all points."""
    after = judge.tensor(f"{run}/labels_after", what="The dataset's labels")
    if not torch.equal(after, inputs.data.labels):
        judge.note(
            "labels_altered",
            "The labels that the dataset returned were overwritten in place. With a dataset kept in memory, more and "
            "more of its labels become the null label. Work on a copy, or use `torch.where`.",
            deduct=1.0,
        )
    if judge.value(f"{run}/images_moved", bool):
        judge.note("images_altered", "The images that the dataset returned were overwritten in place.", deduct=1.0)


def require_calls(judge: Judge) -> dict[str, Call]:
    """Return all recorded calls; fail unless data, times and dropped labels are used as the exercise asks."""
    runs = {run: require_call(judge, run) for run in RUNS}
    null, t, y = (torch.stack([getattr(runs[call], key).flatten() for call in CALLS]) for key in ("null", "t", "y"))
    eta = Inputs.of(judge.challenge, CALLS[0]).eta
    judge_times(judge, t)
    dropout.require_some_dropped(judge, null, runs["eta1"].null, eta)
    dropout.require_drop_rate(judge, null, runs["eta0"].null, eta)
    dropout.require_independent_coins(judge, null)
    dropout.require_unrelated_coins(judge, null, t, y)
    for run, edge in EDGES.items():
        dropout.require_edge(judge, runs[run].null, edge)
    return runs


def check(judge: Judge) -> None:
    """Run all requirements, and compare the loss of two toy models with the known numbers."""
    with judge.part("properties", 1):
        for run in require_calls(judge):
            regression.require_scalar(judge, run, "pixels")
            require_gradient(judge, f"{run}/loss")
        check_toy_losses(judge)
        judge.device()


def check_toy_losses(judge: Judge) -> None:
    """Compare the losses of models that are right, or off by the same amount everywhere."""
    ideal, off, off_null = (judge.number(f"{run}/loss", "The loss") for run in TOY_RUNS)
    judge.require(
        abs(ideal) < 1e-9,
        "ideal_not_zero",
        f"For a model that returns its target exactly your loss is {ideal:.3g}, not 0.",
    )
    judge.require(
        abs(off - OFFSET**2) < 1e-6,
        "off_by_three",
        f"For a model that is off by {OFFSET:g} at every pixel, too high at one and too low at the next, your loss is "
        f"{off:.4g}, not {OFFSET**2:g}.",
    )
    judge.require(
        abs(off_null - OFFSET**2) < 1e-6,
        "null_rows_dropped",
        f"Where all labels are null, and the model is off by {OFFSET:g} at every pixel, your loss is {off_null:.4g}, "
        f"not {OFFSET**2:g}. Samples with the null label count like all others.",
    )


EXERCISE = Exercise(
    "lab4.cfg_train_loss",
    points=4,
    title="The training loss of classifier-free guidance",
    version=4,
    names=("CFGTrainer",),
    probe=probe,
    public=check,
)
