"""Lab 4: probes and public verdicts. What the grader looks at, never what should come out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import exercise
from utils.checks.judging import Judge
from utils.checks.stubs import Nonsense, Recorder, StubData, StubModel, forget_repeats
from utils.checks.student import Student
from utils.distributions import GaussianClasses
from utils.dynamics import ODE
from utils.paths import Alpha, Beta, LinearAlpha, LinearBeta

# --- 4.1 the conditional vector field and the conditional score

FIELD_LAST = 1 - 1e-3  # the statement's last time
FIELD_RUNS = {
    # attempt: shape of z without the batch, dtype, batch size, schedule
    "bent": ((1, 3, 4), torch.float64, 24, "bent"),
    "linear": ((1, 3, 4), torch.float64, 24, "linear"),
    "vectors": ((5,), torch.float64, 7, "bent"),
    "one": ((3, 2, 2), torch.float64, 1, "bent"),
    "single": ((1, 2, 2), torch.float32, 6, "bent"),
}


# What is special about a run, for messages.
WHERE = {
    "bent": "on a bent schedule",
    "linear": "on the straight path",
    "vectors": "for vectors",
    "one": "in a batch of one",
    "single": "in float32",
}


class BentAlpha(Alpha):
    """t + a t (1 - t): rises from 0 to 1, but not at a constant rate."""

    def __init__(self, bend: float):
        self.bend = bend

    def __call__(self, t: Tensor) -> Tensor:
        return t + self.bend * t * (1 - t)

    def dt(self, t: Tensor) -> Tensor:
        return 1 + self.bend * (1 - 2 * t)


class BentBeta(Beta):
    """(1 - t) (1 + b t): falls from 1 to 0; not 1 - alpha, and not a root of 1 - alpha²."""

    def __init__(self, bend: float):
        self.bend = bend

    def __call__(self, t: Tensor) -> Tensor:
        return (1 - t) * (1 + self.bend * t)

    def dt(self, t: Tensor) -> Tensor:
        return -(1 + self.bend * t) + self.bend * (1 - t)


def field_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, Tensor, Alpha, Beta]:
    """z, noise, t and the schedules of one run. The first times are the ends of the statement's range."""
    shape, dtype, batch, kind = FIELD_RUNS[name]
    z = challenge.randn(f"{name} z", (batch, *shape), dtype)
    noise = challenge.randn(f"{name} noise", (batch, *shape), dtype)
    t = challenge.rand(f"{name} t", (batch, *[1] * len(shape)), 0.0, FIELD_LAST, dtype=dtype)
    if batch > 2:
        t[0], t[1] = 0.0, FIELD_LAST
    if kind == "linear":
        return z, noise, t, LinearAlpha(), LinearBeta()
    bends = challenge.number("alpha", 0.4, 0.9), challenge.number("beta", 0.3, 0.8)
    return z, noise, t, BentAlpha(bends[0]), BentBeta(bends[1])


def probe_vector_field(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    Path = student.method("GaussianConditionalPath", "conditional_vector_field", "x", "z", "t")
    student.method("GaussianConditionalPath", "conditional_score", "x", "z", "t")
    for name, (shape, dtype, _, _) in FIELD_RUNS.items():
        z, noise, t, alpha, beta = field_setting(challenge, name)
        x = alpha(t) * z + beta(t) * noise
        inputs = {"x": x.clone(), "z": z.clone(), "t": t.clone()}
        for part, method in (("field", "conditional_vector_field"), ("score", "conditional_score")):
            with evidence.attempt(f"{name}_{part}"):
                path = Path(GaussianClasses(torch.zeros(2, *shape, dtype=dtype)), shape, alpha, beta)
                evidence.put(f"{name}_{part}/value", getattr(path, method)(inputs["x"], inputs["z"], inputs["t"]))
        kept = all(torch.equal(inputs[key], value) for key, value in (("x", x), ("z", z), ("t", t)))
        evidence.put(f"{name}/inputs_kept", kept)
    with evidence.attempt("device"):
        z, noise, t, alpha, beta = field_setting(challenge.on("meta"), "single")
        path = Path(GaussianClasses(torch.zeros(2, *z.shape[1:])), z.shape[1:], alpha, beta)
        path.conditional_vector_field(z + noise, z, t)
        path.conditional_score(z + noise, z, t)


def public_vector_field(judge: Judge) -> None:
    with judge.part("field", 2):
        for name in FIELD_RUNS:
            z, noise, t, alpha, beta = (
                v.double() if isinstance(v, Tensor) else v for v in field_setting(judge.challenge, name)
            )
            seen = judge.tensor(f"{name}_field/value", z.shape, "The vector field")
            h = 1e-5  # a point that rides on the path, a moment later and a moment earlier
            later, earlier = (alpha(t + s) * z + beta(t + s) * noise for s in (h, -h))
            judge.require(
                judge.close(seen, (later - earlier) / (2 * h), rtol=1e-3),
                "not_the_velocity",
                f"A point that rides along x_t = alpha(t) z + beta(t) eps has another velocity than your field says (seen {WHERE[name]}).",
            )
            judge.require(
                judge.value(f"{name}/inputs_kept", bool), "input_altered", "Your methods changed x, z or t in place."
            )
    with judge.part("score", 1):
        for name, number in PUBLIC_SCORES.items():
            shape = (FIELD_RUNS[name][2], *FIELD_RUNS[name][0])
            seen = judge.tensor(f"{name}_score/value", shape, "The score")
            judge.require(
                abs(float(seen.mul(score_probe(judge.challenge, name)).mean()) - number) < 1e-4,
                "not_the_gradient",
                f"Your score is not the gradient of log N(x; alpha z, beta² I) in x (seen {WHERE[name]}).",
            )
        judge.device()


# The mean of score times `score_probe` on the public challenge. An oracle made the numbers: automatic differentiation of
# torch's normal log density in float64; tests/lab4 makes them again.
PUBLIC_SCORES = {"bent": 0.0279257, "linear": -0.1092703, "vectors": 0.0742626, "one": 0.1845002, "single": 0.2397269}


def score_probe(challenge: Challenge, name: str) -> Tensor:
    """Random directions, larger where the noise is larger, so that every time counts alike."""
    z, _, t, _, beta = field_setting(challenge, name)
    return challenge.randn(f"{name} score probe", tuple(z.shape)) * beta(t).double()


exercise(
    "lab4.vector_field",
    points=3,
    title="The velocity and the score of a Gaussian path",
    names=("GaussianConditionalPath",),
    probe=probe_vector_field,
    public=public_vector_field,
)

# --- 4.2 the training loss of classifier-free guidance

TRAIN_CALLS, TRAIN_BATCH = 8, 256  # 2,048 labels: enough to tell eta from 1 - eta, and from 2 eta
TRAIN_RUNS = {
    # attempt: image shape, dtype, batch size
    **{f"call{i}": ((1, 2, 3), torch.float64, TRAIN_BATCH) for i in range(TRAIN_CALLS)},
    "one": ((1, 2, 3), torch.float64, 1),
    "wide": ((3, 4, 2), torch.float64, 8),
    "single": ((1, 2, 2), torch.float32, 16),
    "eta0": ((1, 1, 2), torch.float64, 64),
    "eta1": ((1, 1, 2), torch.float64, 64),
}


class StubPath(nn.Module):
    """A path of nonsense with the interface of `GaussianPath`: x mixes z, t and noise; the target mixes x, z and t."""

    def __init__(self, challenge: Challenge, name: str, data: StubData):
        super().__init__()
        self.p_data = data
        self.mix = Nonsense(challenge, "path x")
        self.noise = challenge.randn(f"{name} noise", data.points.shape, data.points.dtype)
        self.target = Nonsense(challenge, "path target", amplitude=2.0)
        self.next = 0
        self.sample_conditional_path = Recorder(self.draw, ("z", "t"))
        self.conditional_vector_field = Recorder(self.regress, ("x", "z", "t"))

    def sample_conditioning_variable(self, n: int) -> tuple[Tensor, Tensor]:
        return self.p_data.sample(n)

    def draw(self, z: Tensor, t: Tensor) -> Tensor:
        rows = slice(self.next, self.next + len(z))
        self.next = rows.stop
        return self.mix(z, t) + 0.5 * self.noise[rows]

    def regress(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return self.target(x, t, z)


def null_label_for(challenge: Challenge, classes: int) -> int:
    """A null label that is neither a class nor the lab's 10, so that a constant shows."""
    label = classes + challenge.integer("null", 3, 9)
    return label if label != 10 else 17


def train_setting(challenge: Challenge) -> tuple[int, int, float]:
    """Number of classes, null label, eta: unlike the lab's 10, 10 and 0.1, so that a constant shows."""
    classes = challenge.integer("classes", 3, 8)
    return classes, null_label_for(challenge, classes), challenge.number("eta", 0.2, 0.4)


def probe_cfg_train_loss(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    Trainer = student.method("CFGTrainer", "get_train_loss", "batch_size")
    classes, null_label, eta = train_setting(challenge)
    for name, (shape, dtype, batch) in TRAIN_RUNS.items():
        data = StubData(challenge, name, shape, classes, dtype)
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
        for recorder in (model.record, path.conditional_vector_field):
            forget_repeats(recorder)
        path.sample_conditional_path.report(evidence, f"{name}/path")
        model.record.report(evidence, f"{name}/model")
        path.conditional_vector_field.report(evidence, f"{name}/target")
        evidence.put(f"{name}/labels_after", data.labels)
        evidence.put(f"{name}/images_moved", not data.kept()[0])
    ideal_model_runs(Trainer, challenge, evidence)
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        path = StubPath(meta, "device", StubData(meta, "device", (1, 2, 2), classes, torch.float32))
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
        path = StubPath(challenge, name, StubData(challenge, name, (1, 4, 4), classes, torch.float64))
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
            times.dim() == 0 or len(times) <= TRAIN_BATCH,
            "x_drawn_twice",
            f"Of a batch of {TRAIN_BATCH} you drew x for {times.shape[:1].numel()}. Draw x once, and use it for the model and for the target.",
        )
        judge.require(
            times.shape == (TRAIN_BATCH, 1, 1, 1),
            "time_shape",
            f"t has shape {tuple(times.shape)}, expected (b, 1, 1, 1).",
        )
        judge.require(
            ((times >= 0) & (times <= 1)).all(), "time_out_of_range", "Some of your times lie outside [0, 1]."
        )
        judge.require(
            times.unique().numel() > TRAIN_BATCH - 5,
            "time_repeated",
            f"A batch of {TRAIN_BATCH} has {times.unique().numel()} different times. Each sample draws its own.",
        )
        labels = torch.cat(
            [
                judge.tensor(f"call{i}/model/y", (TRAIN_BATCH,), "The labels that the model sees")
                for i in range(TRAIN_CALLS)
            ]
        )
        dropped = float((labels == null_label).double().mean())
        judge.require(
            abs(dropped - eta) < 0.08,
            "dropped_fraction",
            f"The model saw the null label in {dropped:.0%} of the samples, and eta was {eta:.0%}.",
        )
        shape, dtype, _ = TRAIN_RUNS["call0"]
        before = StubData(judge.challenge, "call0", shape, train_setting(judge.challenge)[0], dtype).labels
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
        judge.device()


exercise(
    "lab4.cfg_train_loss",
    points=4,
    title="The training loss of classifier-free guidance",
    version=4,
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
    null_label = null_label_for(challenge, classes)
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
        judge.device()


exercise(
    "lab4.cfg_drift",
    points=2,
    title="The guided velocity",
    names=("CFGVectorFieldODE",),
    probe=probe_cfg_drift,
    public=public_cfg_drift,
)

# --- 4.4 Euler's step and Heun's step

STEP_RUNS = {
    # attempt: shape without the batch, dtype, batch size, sign of time
    "main": ((1, 3, 2), torch.float64, 9, 1.0),
    "one": ((2, 2, 2), torch.float64, 1, 1.0),
    "backwards": ((1, 2, 2), torch.float64, 5, -1.0),
    "vectors": ((4,), torch.float64, 6, 1.0),
    "single": ((1, 2, 2), torch.float32, 5, 1.0),
}
SIMULATORS = {"euler": "EulerSimulator", "heun": "HeunSimulator"}
WALK_POINTS, ORDER_STEPS = 8, (16, 32)


class StubODE(ODE):
    """A drift of nonsense in x, t and the labels y. Every call is recorded."""

    def __init__(self, challenge: Challenge):
        self.drift_coefficient = Recorder(Nonsense(challenge, "drift"), ("x", "t", "y"))

    def drift_coefficient(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Replaced by the recorder for each instance."""


class Growth(ODE):
    """dx/dt = 2 t x: from x to e x between t = 0 and t = 1."""

    def drift_coefficient(self, x: Tensor, t: Tensor, **kwargs) -> Tensor:
        return 2 * t * x


def step_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, t, h, y of one step. Every sample has its own time and its own step size."""
    shape, dtype, batch, sign = STEP_RUNS[name]
    ones = [1] * len(shape)
    x = challenge.randn(f"{name} x", (batch, *shape), dtype)
    low, high = (0.2, 0.6) if sign > 0 else (0.4, 0.8)  # t + h stays in [0, 1]
    t = challenge.rand(f"{name} t", (batch, *ones), low, high, dtype=dtype)
    h = sign * challenge.rand(f"{name} h", (batch, *ones), 0.1, 0.35, dtype=dtype)
    return x, t, h, challenge.randint(f"{name} y", 0, 5, (batch,))


def walk_setting(challenge: Challenge) -> tuple[Tensor, Tensor, Tensor]:
    """x, a bent grid of times, y of a short simulation."""
    grid = challenge.bent_grid("grid", 0.0, 1.0, WALK_POINTS)
    return challenge.randn("walk x", (6, 1, 2, 2)), grid, challenge.randint("walk y", 0, 5, (6,))


def probe_euler_heun(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    classes = {}
    for short, name in SIMULATORS.items():  # one may be answered without the other
        with evidence.attempt(f"{short}_found"):
            classes[short] = student.method(name, "step", "x", "t", "h")
    for short, Simulator in classes.items():
        for name in STEP_RUNS:
            x, t, h, y = step_setting(challenge, name)
            ode = StubODE(challenge)
            with evidence.attempt(f"{short}_{name}"):
                evidence.put(f"{short}_{name}/state", Simulator(ode).step(x, t, h, y=y))
            ode.drift_coefficient.report(evidence, f"{short}_{name}/drift")
            before = step_setting(challenge, name)
            kept = all(torch.equal(new, old) for new, old in zip((x, t, h, y), before, strict=True))
            evidence.put(f"{short}_{name}/inputs_kept", kept)
        with evidence.attempt(f"{short}_walk"):
            x, grid, y = walk_setting(challenge)
            evidence.put(f"{short}_walk/state", Simulator(StubODE(challenge)).simulate(x, grid, y=y))
        with evidence.attempt(f"{short}_order"):
            start = torch.ones(1, 1, 1, 1, dtype=torch.float64)
            for steps in ORDER_STEPS:
                grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
                evidence.put(f"{short}_order/{steps}", Simulator(Growth()).simulate(start, grid))
        with evidence.attempt(f"{short}_device"):
            meta = challenge.on("meta")
            x, t, h, y = step_setting(meta, "single")
            Simulator(StubODE(meta)).step(x, t, h, y=y)


LABELS_LOST = "The labels y do not reach every call of the drift. Pass the keyword arguments on: `drift_coefficient(x, t, **kwargs)`."


def require_labels(judge: Judge, run: str) -> None:
    """Each time that the drift was asked, y was with it."""
    if judge.value(f"{run}/drift/count", int) == 0:
        return
    states, labels = (judge.evidence.tensors.get(f"{run}/drift/{name}") for name in ("x", "y"))
    judge.require(labels is not None, "labels_lost", LABELS_LOST)
    rows = len(states) if states is not None and states.dim() else 0
    judge.require(labels.numel() >= rows, "labels_lost", LABELS_LOST)


def public_euler_heun(judge: Judge) -> None:
    exact = torch.e
    for short, points, order in (("euler", 1, 1), ("heun", 2, 2)):
        with judge.part(short, points):
            judge.attempt(f"{short}_found")
            for name in STEP_RUNS:
                judge.tensor(f"{short}_{name}/state", step_setting(judge.challenge, name)[0].shape, "The new state")
                judge.require(
                    judge.value(f"{short}_{name}/inputs_kept", bool),
                    "input_altered",
                    "Your step changes x, t, h or y in place. Return a new tensor.",
                )
            calls = judge.value(f"{short}_main/drift/count", int)
            judge.require(calls >= order, "drift_calls", f"One step needs {order} slope(s); yours asked for {calls}.")
            _, t, _, y = step_setting(judge.challenge, "main")
            require_labels(judge, f"{short}_main")
            reached = judge.tensor(f"{short}_main/drift/y", what="The labels that reach the drift").reshape(-1)
            judge.require(torch.equal(reached[: len(y)], y), "labels_lost", LABELS_LOST)
            asked = judge.tensor(f"{short}_main/drift/t", what="The time that reaches the drift")
            judge.require(
                order > 1 or judge.close(asked, t),
                "other_time",
                "Euler's slope belongs to the place and the time where the step starts; yours was asked at another time.",
            )
            coarse, fine = (
                abs(judge.number(f"{short}_order/{steps}", "The state at t = 1") - exact) for steps in ORDER_STEPS
            )
            gain = coarse / max(fine, 1e-12)
            judge.require(
                0.85 * 2**order < gain < 1.2 * 2**order and coarse < 0.3,
                "order",
                f"{SIMULATORS[short]}: with twice as many steps the error at t = 1 shrinks {gain:.2f} times ({coarse:.2g} to {fine:.2g}); for this method it should be about {2**order} times.",
            )
            judge.device(f"{short}_device")


exercise(
    "lab4.euler_heun",
    points=3,
    title="Two ways to take a step",
    names=("EulerSimulator", "HeunSimulator"),
    probe=probe_euler_heun,
    version=2,
    public=public_euler_heun,
)

# --- 4.5 written

exercise("lab4.unet_essay", points=2, title="Two parts of the U-Net", manual=True)

# --- 4.6 conditional accuracy for every guidance scale

SWEEP_RUNS = {
    # attempt: number of images, null rows among them, number of scales, dtype
    "main": (90, 15, 6, torch.float64),
    "no_null": (40, 0, 3, torch.float64),
    "mostly_null": (30, 24, 2, torch.float64),
    "one_scale": (25, 5, 1, torch.float64),
    "single": (20, 4, 2, torch.float32),
}


class StubClassifier:
    """Logits of nonsense, one number a class, computed row by row."""

    def __init__(self, challenge: Challenge, classes: int):
        self.parts = [Nonsense(challenge, f"logit {i}") for i in range(classes)]
        self.record = Recorder(self.compute, ("images",))

    def compute(self, images: Tensor) -> Tensor:
        return torch.stack([part(images).flatten(1).mean(dim=1) for part in self.parts], dim=1)

    def __call__(self, images: Tensor) -> Tensor:
        return self.record(images)


def stub_sample(challenge: Challenge, noise: Tensor, labels: Tensor, scale: float) -> Tensor:
    """Images of nonsense from noise, labels and guidance scale, row by row."""
    scale = torch.as_tensor(scale, dtype=noise.dtype, device=noise.device)
    return Nonsense(challenge, "sampler")(noise, labels, scale)


def sweep_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, list[float], int, int]:
    """noise, labels, scales, null label and number of classes of one run."""
    n, nulls, count, dtype = SWEEP_RUNS[name]
    classes = challenge.integer("classes", 3, 5)
    null_label = null_label_for(challenge, classes)
    labels = challenge.randint(f"{name} labels", 0, classes, (n,))
    labels[challenge.rand(f"{name} order", (n,)).argsort()[:nulls]] = null_label
    # One scale from each of `count` intervals, in any order: two equal ones would be one key of the dictionary.
    # The intervals are equal in the logarithm, from 0.3 to 9: the smallest scale of several is below 1.
    parts = torch.arange(count) + 0.9 * challenge.on("cpu").rand(f"{name} scales", (count,))
    parts = parts[challenge.on("cpu").rand(f"{name} order of scales", (count,)).argsort()]
    scales = [round(0.3 * 30 ** (float(part) / count), 3) for part in parts]
    if count > 2 and scales == sorted(scales):  # never in order, or sorting them in place would not show
        scales.reverse()
    return challenge.randn(f"{name} noise", (n, 1, 3, 3), dtype), labels, scales, null_label, classes


def probe_accuracy_sweep(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    arguments = ("sample", "classify", "labels", "scales", "noise", "null_label")
    conditional_accuracy = student.function("conditional_accuracy", *arguments)
    for name in SWEEP_RUNS:
        noise, labels, scales, null_label, classes = sweep_setting(challenge, name)
        before, given = (noise.clone(), labels.clone()), list(scales)
        sampler = Recorder(lambda *inputs: stub_sample(challenge, *inputs), ("noise", "labels", "w"))
        classifier = StubClassifier(challenge, classes)
        with evidence.attempt(name):
            result = conditional_accuracy(sampler, classifier, labels, given, noise, null_label)
            evidence.put(f"{name}/result", result if not isinstance(result, dict) else None)
            evidence.put(f"{name}/type", "dict" if isinstance(result, dict) else type(result).__name__)
            if isinstance(result, dict):
                evidence.put(f"{name}/scales", [key if isinstance(key, str) else float(key) for key in result][:64])
                evidence.put(f"{name}/accuracy", list(result.values())[:64])
                evidence.put(f"{name}/found", sum(w in result for w in scales))
        sampler.report(evidence, f"{name}/sample")
        evidence.put(f"{name}/scales_asked", [float(call[0][2]) for call in sampler.calls if len(call[0]) == 3][:64])
        kept = torch.equal(noise, before[0]) and torch.equal(labels, before[1]) and given == scales
        evidence.put(f"{name}/inputs_kept", kept)


def few(numbers: list[float]) -> str:
    """The first numbers of a list, for a message."""
    return ", ".join(f"{number:g}" for number in numbers[:6]) + (", …" if len(numbers) > 6 else "")


def judge_samples(judge: Judge, name: str, noise: Tensor, labels: Tensor, null_label: int) -> None:
    """Every row that the sampler was given is a row of the noise, with the label of that row."""
    used = judge.tensor(f"{name}/sample/noise", what="The noise that the sampler is given")
    judge.require(
        used.dim() == noise.dim() and used.shape[1:] == noise.shape[1:],
        "noise_shape",
        f"The sampler is given noise of shape {tuple(used.shape)}; the noise has shape {tuple(noise.shape)}.",
    )
    distance, row = torch.cdist(used.double().flatten(1), noise.double().flatten(1)).min(dim=1)
    judge.require(
        bool((distance < 1e-4).all()),
        "fresh_noise",
        "Your function draws noise of its own. Give the sampler the noise of the argument, the same for every scale: only then is w all that differs.",
    )
    asked = judge.tensor(f"{name}/sample/labels", (len(used),), "The labels that the sampler is given")
    judge.require(
        not bool((asked == null_label).all()),
        "labels_not_passed",
        "The samples were drawn with the null label. Give the sampler the labels.",
    )
    judge.require(
        torch.equal(asked.long(), labels[row]),
        "rows_mixed",
        "The sampler is given noise and labels that do not belong together. If you drop rows of one, drop the same rows of the other.",
    )


def public_accuracy_sweep(judge: Judge) -> None:
    with judge.part("properties", 2):
        for name in SWEEP_RUNS:
            noise, labels, scales, null_label, _ = sweep_setting(judge.challenge, name)
            judge.attempt(name)
            kind = judge.value(f"{name}/type", str)
            judge.require(
                kind == "dict", "not_a_dict", f"Return a dictionary from scale to accuracy; yours is a {kind}."
            )
            length = judge.value(f"{name}/scales.length", int)
            seen = sorted(judge.number(f"{name}/scales.{i}") for i in range(length))
            judge.require(
                seen == sorted(scales),
                "wrong_scales",
                f"The keys are {few(seen)}, and the scales were {few(sorted(scales))}.",
            )
            judge.require(
                judge.value(f"{name}/inputs_kept", bool), "input_altered", "Your function changed noise or labels."
            )
            judge.require(
                judge.value(f"{name}/sample/count", int) > 0,
                "sampler_not_called",
                "Your function never calls `sample`.",
            )
            judge_samples(judge, name, noise, labels, null_label)
            rows = int((labels != null_label).sum())
            for i in range(length):
                value = judge.number(f"{name}/accuracy.{i}", "An accuracy")
                judge.require(0 <= value <= 1, "not_a_fraction", f"An accuracy is {value:g}; it lies between 0 and 1.")
                judge.require(
                    abs(value * rows - round(value * rows)) < 1e-4,
                    "wrong_rows",
                    f"{rows} samples have a class, so an accuracy is a multiple of 1/{rows}; {value:.4f} is not.",
                )


exercise(
    "lab4.accuracy_sweep",
    points=2,
    title="Accuracy by guidance scale",
    names=("conditional_accuracy",),
    probe=probe_accuracy_sweep,
    version=4,
    public=public_accuracy_sweep,
)

# --- 4.7 written

exercise("lab4.guidance_essay", points=2, title="What does the guidance scale change, and why?", manual=True)
