"""Lab 4: probes and public verdicts. What the grader looks at, never what should come out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import exercise
from utils.checks.judging import Judge
from utils.checks.stubs import Nonsense, Recorder, StubModel
from utils.checks.student import Student

# --- 4.2 the training loss of classifier-free guidance

TRAIN_CALLS, TRAIN_BATCH = 24, 128  # 3,072 labels: enough to tell eta from 1 - eta, and from 2 eta
TRAIN_RUNS = {
    # attempt: image shape, dtype, batch size
    **{f"call{i}": ((1, 2, 3), torch.float64, TRAIN_BATCH) for i in range(TRAIN_CALLS)},
    "one": ((1, 2, 3), torch.float64, 1),
    "wide": ((3, 4, 2), torch.float64, 8),
    "single": ((1, 2, 2), torch.float32, 16),
    "eta0": ((1, 1, 2), torch.float64, 64),
    "eta1": ((1, 1, 2), torch.float64, 64),
}


class StubData:
    """Labelled nonsense images. `sample` returns views of its own storage, so that a label changed in place shows."""

    def __init__(self, challenge: Challenge, name: str, shape: tuple[int, ...], dtype: torch.dtype, classes: int):
        self.images = challenge.randn(f"{name} images", (1024, *shape), dtype)
        self.labels = challenge.randint(f"{name} labels", 0, classes, (1024,))
        self.next = 0
        self.sample = Recorder(self.draw, ("num_samples",))

    def draw(self, num_samples: int) -> tuple[Tensor, Tensor]:
        rows = slice(self.next, self.next + num_samples)
        if rows.stop > len(self.images):
            raise ValueError(f"asked for {rows.stop} samples; {len(self.images)} are enough for this exercise")
        self.next = rows.stop
        return self.images[rows], self.labels[rows]


class StubPath(nn.Module):
    """A path of nonsense with the interface of `GaussianPath`: x mixes z, t and noise; the target mixes x, z and t."""

    def __init__(self, challenge: Challenge, name: str, data: StubData):
        super().__init__()
        self.p_data = data
        self.mix = Nonsense(challenge, "path x")
        self.noise = challenge.randn(f"{name} noise", data.images.shape, data.images.dtype)
        self.target = Nonsense(challenge, "path target", amplitude=2.0)
        self.next = 0
        self.sample_conditional_path = Recorder(self.draw, ("z", "t"))
        self.conditional_vector_field = Recorder(self.regress, ("x", "z", "t"))

    def sample_conditioning_variable(self, num_samples: int) -> tuple[Tensor, Tensor]:
        return self.p_data.sample(num_samples)

    def draw(self, z: Tensor, t: Tensor) -> Tensor:
        rows = slice(self.next, self.next + len(z))
        self.next = rows.stop
        return self.mix(z, t) + 0.5 * self.noise[rows]

    def regress(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return self.target(x, t, z)


def train_setting(challenge: Challenge) -> tuple[int, int, float]:
    """Number of classes, null label, eta: unlike the lab's 10, 10 and 0.1, so that a constant shows."""
    classes = challenge.integer("classes", 3, 8)
    return classes, classes + challenge.integer("null", 3, 9), challenge.number("eta", 0.2, 0.4)


def probe_cfg_train_loss(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    Trainer = student.method("CFGTrainer", "get_train_loss", "batch_size")
    classes, null_label, eta = train_setting(challenge)
    for name, (shape, dtype, batch) in TRAIN_RUNS.items():
        data = StubData(challenge, name, shape, dtype, classes)
        path, model = StubPath(challenge, name, data), StubModel(challenge, dtype=dtype)
        with evidence.attempt(name):
            trainer = Trainer(
                path=path, model=model, eta={"eta0": 0.0, "eta1": 1.0}.get(name, eta), null_label=null_label
            )
            loss = trainer.get_train_loss(batch_size=batch)
            evidence.put(f"{name}/loss", loss)
            if isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1:
                loss.backward()
                evidence.put(f"{name}/grad", model.gain.grad)
        evidence.put(f"{name}/draws", data.sample.calls and [call[0][0] for call in data.sample.calls][:64])
        path.sample_conditional_path.report(evidence, f"{name}/path")
        model.record.report(evidence, f"{name}/model")
        path.conditional_vector_field.report(evidence, f"{name}/target")
        evidence.put(f"{name}/labels_after", data.labels)
        evidence.put(
            f"{name}/images_moved", bool((data.images != StubData(challenge, name, shape, dtype, classes).images).any())
        )
    ideal_model_runs(Trainer, challenge, evidence)
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        path = StubPath(meta, "device", StubData(meta, "device", (1, 2, 2), torch.float32, classes))
        Trainer(path=path, model=StubModel(meta, dtype=torch.float32), eta=eta, null_label=null_label).get_train_loss(
            batch_size=4
        )


class IdealModel(nn.Module):
    """Returns the target of its own x and t, plus an offset: its loss can be said without knowing the formula."""

    def __init__(self, field: Nonsense, offset: float, dtype: torch.dtype):
        super().__init__()
        self.offset = nn.Parameter(torch.full((), offset, dtype=dtype))
        self.field = field

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        return self.field(x, t) + self.offset


def ideal_model_runs(Trainer: type, challenge: Challenge, evidence: Evidence) -> None:
    classes, null_label, eta = train_setting(challenge)
    for name, offset in (("ideal", 0.0), ("off", 3.0)):
        path = StubPath(challenge, name, StubData(challenge, name, (1, 4, 4), torch.float64, classes))
        path.conditional_vector_field = lambda x, z, t, field=path.target: field(x, t)
        with evidence.attempt(name):
            trainer = Trainer(
                path=path, model=IdealModel(path.target, offset, torch.float64), eta=eta, null_label=null_label
            )
            evidence.put(f"{name}/loss", trainer.get_train_loss(batch_size=32))


def public_cfg_train_loss(judge: Judge) -> None:
    _, null_label, eta = train_setting(judge.challenge)
    with judge.part("properties", 1):
        loss = judge.number("call0/loss", "The loss")
        judge.require(
            judge.evidence.values.get("call0/loss.requires_grad"),
            "detached",
            "No gradient flows from your loss to the model.",
        )
        times = judge.tensor("call0/path/t", what="The time t")
        judge.require(
            times.shape == (TRAIN_BATCH, 1, 1, 1),
            "time_shape",
            f"t has shape {tuple(times.shape)}, expected (b, 1, 1, 1).",
        )
        judge.require(
            ((times >= 0) & (times <= 1)).all(), "time_out_of_range", "Some of your times lie outside [0, 1]."
        )
        labels = torch.cat(
            [judge.tensor(f"call{i}/model/y", what="The labels that the model sees") for i in range(TRAIN_CALLS)]
        )
        dropped = float((labels == null_label).double().mean())
        judge.require(
            abs(dropped - eta) < 0.08,
            "dropped_fraction",
            f"The model saw the null label in {dropped:.0%} of the samples, and eta was {eta:.0%}.",
        )
        before = StubData(judge.challenge, "call0", *TRAIN_RUNS["call0"][:2], train_setting(judge.challenge)[0]).labels
        after = judge.tensor("call0/labels_after")
        judge.require(
            torch.equal(before, after),
            "labels_altered",
            "The dataset's own labels changed while your loss was computed.",
        )
        ideal, off = judge.number("ideal/loss", "The loss"), judge.number("off/loss", "The loss")
        judge.require(
            abs(ideal) < 1e-9,
            "ideal_not_zero",
            f"A model that returns its target exactly has the loss {ideal:.3g}, not 0.",
        )
        judge.require(
            abs(off - 9) < 1e-6,
            "off_by_three",
            f"A model that is off by 3 at every pixel has the loss {off:.4g}, not 9.",
        )
        judge.require(loss > 0, "not_positive", "A squared error cannot be negative or zero here.")


exercise(
    "lab4.cfg_train_loss",
    points=4,
    title="The training loss of classifier-free guidance",
    names=("CFGTrainer",),
    probe=probe_cfg_train_loss,
    public=public_cfg_train_loss,
)

# --- 4.3 the guided velocity

DRIFT_SCALES = {"w0": 0.0, "w1": 1.0, "w2": 2.0, "whalf": 0.5, "wlarge": 100.0, "wnegative": -1.5}
DRIFT_RUNS = {
    **{name: ((1, 3, 2), torch.float64, 12) for name in DRIFT_SCALES},
    "random": ((1, 3, 2), torch.float64, 12),
    "one": ((1, 3, 2), torch.float64, 1),
    "wide": ((3, 2, 5), torch.float64, 7),
    "single": ((1, 2, 2), torch.float32, 5),
}


def drift_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, Tensor, float, int]:
    """x, t, y (some of them null), guidance scale and null label of one run."""
    shape, dtype, batch = DRIFT_RUNS[name]
    classes = challenge.integer("classes", 4, 8)
    null_label = classes + challenge.integer("null", 3, 9)
    x = challenge.randn(f"{name} x", (batch, *shape), dtype)
    t = challenge.rand(f"{name} t", (batch, 1, 1, 1), dtype=dtype)
    y = challenge.randint(f"{name} y", 1, classes, (batch,))
    if batch > 4:
        y[3] = null_label
    return x, t, y, DRIFT_SCALES.get(name, challenge.number(f"{name} w", 1.5, 4.0)), null_label


def probe_cfg_drift(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    ODE = student.method("CFGVectorFieldODE", "drift_coefficient", "x", "t", "y")
    for name in DRIFT_RUNS:
        x, t, y, w, null_label = drift_setting(challenge, name)
        net = StubModel(challenge, "net", dtype=x.dtype)
        with evidence.attempt(name):
            ode = ODE(net=net, guidance_scale=w, null_label=null_label)
            evidence.put(f"{name}/drift", ode.drift_coefficient(x, t, y=y))
        net.record.report(evidence, f"{name}/net")
        for label, tensor in (("x", x), ("t", t), ("y", y)):
            evidence.put(f"{name}/{label}_after", tensor)
    with evidence.attempt("device"):
        x, t, y, w, null_label = drift_setting(challenge.on("meta"), "single")
        ode = ODE(net=StubModel(challenge.on("meta"), "net", dtype=x.dtype), guidance_scale=w, null_label=null_label)
        ode.drift_coefficient(x, t, y=y)


def public_cfg_drift(judge: Judge) -> None:
    net = Nonsense(judge.challenge, "net")
    with judge.part("properties", 1):
        for name, label in (("w0", "null"), ("w1", "y")):
            x, t, y, w, null_label = drift_setting(judge.challenge, name)
            drift = judge.tensor(f"{name}/drift", x.shape, what="The drift")
            expected = net(x, t, torch.full_like(y, null_label) if label == "null" else y)
            judge.require(
                judge.close(drift, expected),
                f"scale_{w:g}",
                f"At w = {w:g} the drift is not the velocity for the label {label}.",
            )
            judge.require(
                torch.equal(judge.tensor(f"{name}/y_after"), y),
                "input_altered",
                "Your function changed the labels it was given.",
            )
        for name in DRIFT_RUNS:
            x, _, y, _, null_label = drift_setting(judge.challenge, name)
            drift = judge.tensor(f"{name}/drift", x.shape, what="The drift")
            null = y == null_label
            x_null, t_null = x[null], drift_setting(judge.challenge, name)[1][null]
            judge.require(
                judge.close(drift[null], net(x_null, t_null, y[null]).double(), rtol=1e-4),
                "null_row_depends_on_scale",
                "For a sample whose label is already null, guidance has nothing to add, whatever w is.",
            )


exercise(
    "lab4.cfg_drift",
    points=2,
    title="The guided velocity",
    names=("CFGVectorFieldODE",),
    probe=probe_cfg_drift,
    public=public_cfg_drift,
)

exercise("lab4.guidance_essay", points=2, title="What does the guidance scale change, and why?", manual=True)
