"""Lab 2: probes and public verdicts. What the grader looks at, never what should come out."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from utils.atoms import SIGMA_MIN
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import exercise
from utils.checks.judging import Judge
from utils.checks.stubs import Nonsense, Recorder, StubModel, forget_repeats
from utils.checks.student import Student


def on_circle(difference: Tensor) -> Tensor:
    """The same difference of two places on the ring, between -1/2 and 1/2."""
    return difference - difference.round()


# --- 2.1 the analytic score

SCORE_RUNS = {
    # attempt: lowest and highest sigma, dtype, batch size
    "narrow": (0.001, 0.002, torch.float64, 60),  # and a crystal so narrow that far away every probability underflows
    "tiny": (0.001, 0.002, torch.float64, 60),
    "small": (0.01, 0.02, torch.float64, 60),
    "middle": (0.04, 0.08, torch.float64, 60),
    "large": (0.15, 0.25, torch.float64, 60),
    "widest": (0.4, 0.5, torch.float64, 60),
    "mixed": (0.001, 0.5, torch.float64, 60),
    "one": (0.05, 0.1, torch.float64, 1),
    "single": (0.01, 0.2, torch.float32, 40),
}


def score_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, float]:
    """x, sigma and sigma_d of one run. One sigma for all but `mixed` and `single`; the first rows are the hard places."""
    low, high, dtype, batch = SCORE_RUNS[name]
    x = challenge.rand(f"{name} x", (batch, 2), dtype=dtype)
    if batch > 30:
        x[0], x[1], x[2] = (torch.tensor(row) for row in ([0.25, 0.75], [0.75, 0.25], [0.0, 1.0]))
        x[3:6, 0], x[6:9, 1] = 0.0, 1 - 1e-7
        x[9:15, 1] = x[9:15, 0]  # the diagonal, where both orders are equally likely
        x[15:20, 1] = x[15:20, 0] + 1e-3
        x[20:30] = challenge.randn(f"{name} near", (10, 2), dtype) * 0.02 + x[0]
    logs = challenge.rand(f"{name} sigma", (batch if name in ("mixed", "single") else 1, 1), dtype=dtype)
    sigma = (low * (high / low) ** logs).expand(batch, 1).contiguous()
    return x, sigma, 0.005 if name == "narrow" else challenge.number("sigma_d", 0.012, 0.03)


def probe_analytic_score(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    analytic_score = student.function("analytic_score", "x", "sigma", "sigma_d")
    for name in SCORE_RUNS:
        x, sigma, sigma_d = score_setting(challenge, name)
        inputs = x.clone(), sigma.clone()
        with evidence.attempt(name):
            evidence.put(f"{name}/score", analytic_score(*inputs, sigma_d))
        evidence.put(f"{name}/inputs_kept", torch.equal(inputs[0], x) and torch.equal(inputs[1], sigma))
    with evidence.attempt("device"):
        x, sigma, sigma_d = score_setting(challenge, "single")
        analytic_score(x.to("meta"), sigma.to("meta"), sigma_d)


def score_probe(challenge: Challenge, name: str) -> Tensor:
    """Random directions, scaled so that every noise level counts alike."""
    x, sigma, sigma_d = score_setting(challenge, name)
    return challenge.randn(f"{name} score probe", tuple(x.shape)) * (sigma.double() ** 2 + sigma_d**2).sqrt()


# The mean of score times `score_probe` on the public challenge. An oracle made the numbers: automatic differentiation of
# the log density in float64; tests/lab2 makes them again.
PUBLIC_SCORES = {
    "narrow": -2.5367984,
    "tiny": 0.1407837,
    "small": -0.8114075,
    "middle": 0.1269344,
    "large": 0.0656261,
    "widest": 0.0002976,
    "mixed": -0.1134703,
    "one": 0.3570035,
    "single": -0.2473614,
}


def public_analytic_score(judge: Judge) -> None:
    with judge.part("score", 4):
        for name, number in PUBLIC_SCORES.items():
            x, _, _ = score_setting(judge.challenge, name)
            seen = judge.tensor(f"{name}/score", x.shape, "The score")
            judge.precise(f"{name}/score", x.dtype, "The score")
            mean = float(seen.mul(score_probe(judge.challenge, name)).mean())
            tolerance = 2e-3 if name == "single" else 1e-6
            judge.require(
                abs(mean - number) <= tolerance * max(1.0, abs(number)),
                "not_the_gradient",
                f"Your score is not the gradient of the log density of the two atoms (seen where sigma is at most {SCORE_RUNS[name][1]:g}).",
            )
            judge.require(
                judge.value(f"{name}/inputs_kept", bool), "input_altered", "Your function changed x or sigma in place."
            )
        judge.device()


exercise(
    "lab2.analytic_score",
    points=4,
    title="The score you can write down",
    version=2,
    names=("analytic_score",),
    probe=probe_analytic_score,
    public=public_analytic_score,
)

# --- 2.2 the noise schedule and noise on the ring

NOISE_RUNS = {
    # attempt: shape of x0, dtype
    "main": ((40, 2), torch.float64),
    "wide": ((17, 5), torch.float64),
    "one": ((1, 2), torch.float64),
    "single": ((12, 2), torch.float32),
}


def noise_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, Tensor, float, float]:
    """x0, t, noise, sigma_min and sigma_max: not the lab's, so that a constant shows. The first times are 0 and 1."""
    shape, dtype = NOISE_RUNS[name]
    x0, noise = challenge.rand(f"{name} x0", shape, dtype=dtype), challenge.randn(f"{name} noise", shape, dtype)
    t = challenge.rand(f"{name} t", (shape[0], 1), dtype=dtype)
    if shape[0] > 2:
        t[0], t[1] = 0.0, 1.0
        noise[1, 0], noise[1, 1] = 3.0, -3.0  # more than once around the ring
    return x0, t, noise, challenge.number("sigma_min", 0.004, 0.02), challenge.number("sigma_max", 0.5, 0.9)


def probe_add_noise(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    Noise = student.method("ExponentialNoise", "sigma", "t")
    student.method("ExponentialNoise", "add_noise", "x0", "t", "noise")
    for name in NOISE_RUNS:
        x0, t, noise, low, high = noise_setting(challenge, name)
        inputs = x0.clone(), t.clone(), noise.clone()
        with evidence.attempt(f"{name}_sigma"):
            evidence.put(f"{name}_sigma/value", Noise(low, high).sigma(inputs[1]))
        with evidence.attempt(f"{name}_noised"):
            evidence.put(f"{name}_noised/value", Noise(low, high).add_noise(*inputs))
        kept = all(torch.equal(a, b) for a, b in zip(inputs, (x0, t, noise)))
        evidence.put(f"{name}/inputs_kept", kept)
    with evidence.attempt("again"):  # the same inputs once more: own random numbers show
        x0, t, noise, low, high = noise_setting(challenge, "main")
        evidence.put("again/value", Noise(low, high).add_noise(x0, t, noise))
    with evidence.attempt("device"):
        x0, t, noise, low, high = noise_setting(challenge.on("meta"), "single")
        Noise(low, high).add_noise(x0, t, noise)


def public_add_noise(judge: Judge) -> None:
    _, _, _, low, high = noise_setting(judge.challenge, "main")
    with judge.part("sigma", 1):
        for name in NOISE_RUNS:
            _, t, _, _, _ = noise_setting(judge.challenge, name)
            sigma = judge.tensor(f"{name}_sigma/value", t.shape, "sigma(t)")
            order = t.double().flatten().argsort()
            t, log = t.double().flatten()[order], sigma.flatten()[order].clamp(min=1e-300).log()
            if len(t) > 2:
                ends = float(sigma[0]), float(sigma[1])
                judge.require(
                    abs(ends[0] / low - 1) < 1e-4 and abs(ends[1] / high - 1) < 1e-4,
                    "wrong_ends",
                    f"At t = 0 and t = 1 your sigma is {ends[0]:.4g} and {ends[1]:.4g}; self.sigma_min and self.sigma_max were {low:.4g} and {high:.4g}.",
                )
                slopes = log.diff() / t.diff()
                judge.require(
                    float(slopes.max() / slopes.min()) < 1.01,
                    "not_exponential",
                    "The logarithm of your sigma does not rise evenly with time.",
                )
    with judge.part("noise", 1):
        for name in NOISE_RUNS:
            x0, _, noise, _, _ = noise_setting(judge.challenge, name)
            x = judge.tensor(f"{name}_noised/value", x0.shape, "The noised state")
            judge.require(
                ((x >= 0) & (x <= 1)).all(), "not_wrapped", "Some noised coordinates lie outside the cell [0, 1)."
            )
            sigma = judge.tensor(f"{name}_sigma/value", what="sigma(t)")
            gap = on_circle(x - x0.double() - sigma * noise.double()).abs().max()
            judge.require(
                gap < 1e-5,
                "wrong_noise",
                "The noised state is not x0 plus your sigma(t) times the noise, also on the ring.",
            )
            judge.require(
                judge.value(f"{name}/inputs_kept", bool), "input_altered", "Your method changed an input in place."
            )


exercise(
    "lab2.add_noise",
    points=2,
    title="Noise on a ring",
    names=("ExponentialNoise",),
    probe=probe_add_noise,
    version=2,
    public=public_add_noise,
)

# --- 2.3 denoising score matching

LOSS_CALLS, LOSS_BATCH = 8, 256
LOSS_RUNS = {
    # attempt: dtype, batch size
    **{f"call{i}": (torch.float64, LOSS_BATCH) for i in range(LOSS_CALLS)},
    "one": (torch.float64, 1),
    "small": (torch.float64, 7),
    "single": (torch.float32, 16),
}


class StubAtoms:
    """States of nonsense. `sample` returns views of its own storage, so that a state changed in place shows."""

    def __init__(self, challenge: Challenge, name: str, dtype: torch.dtype):
        self.states = challenge.rand(f"{name} states", (512, 2), dtype=dtype)
        self.next = 0
        self.sample = Recorder(self.draw, ("n",))

    def draw(self, n: int) -> tuple[Tensor, None]:
        rows = slice(self.next, self.next + n)
        if rows.stop > len(self.states):
            raise ValueError(f"asked for {rows.stop} states; {len(self.states)} are enough for this exercise")
        self.next = rows.stop
        return self.states[rows], None


class StubSchedule:
    """A schedule of nonsense: sigma waves between 0.05 and 0.35, and the noised state mixes everything."""

    def __init__(self, challenge: Challenge):
        cpu = challenge.on("cpu")
        self.speed, self.phase = cpu.number("stub speed", 4.0, 7.0), cpu.number("stub phase", 0.0, 6.0)
        self.sigma_min, self.sigma_max = 0.05, 0.35
        self.mix = Nonsense(challenge, "noised")
        self.sigma = Recorder(self.wave, ("t",))
        self.add_noise = Recorder(self.noised, ("x0", "t", "noise"))

    def wave(self, t: Tensor) -> Tensor:
        return 0.2 + 0.15 * torch.sin(self.speed * t + self.phase)

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        return (x0 + 0.2 * self.mix(noise, t, x0)) % 1.0


class PushForward:
    """Every atom moves forward by 0.02, whatever the noise; sigma is 0.01."""

    sigma_min = sigma_max = 0.01

    def sigma(self, t: Tensor) -> Tensor:
        return torch.full_like(t, 0.01)

    def add_noise(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        return (x0 + 0.02) % 1.0


class ConstantModel(nn.Module):
    def __init__(self, value: float):
        super().__init__()
        self.value = nn.Parameter(torch.full((), value, dtype=torch.float64))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.value.expand(x.shape)


def probe_score_loss(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    Trainer = student.method("ScoreTrainer", "get_train_loss", "batch_size")
    for name, (dtype, batch) in LOSS_RUNS.items():
        data, schedule = StubAtoms(challenge, name, dtype), StubSchedule(challenge)
        model = StubModel(challenge, dtype=dtype, arguments=("x", "t"))
        before = data.states.clone()
        with evidence.attempt(name):
            loss = Trainer(schedule=schedule, model=model, data=data).get_train_loss(batch_size=batch)
            evidence.put(f"{name}/loss", loss)
            if isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1:
                loss.backward()
                evidence.put(f"{name}/grad", model.gain.grad)
        forget_repeats(model.record)
        data.sample.report(evidence, f"{name}/data")
        schedule.add_noise.report(evidence, f"{name}/noised")
        schedule.sigma.report(evidence, f"{name}/sigma")
        model.record.report(evidence, f"{name}/model")
        evidence.put(f"{name}/states_moved", not torch.equal(before, data.states))
    for name, value in (("ideal", -2.0), ("off", 1.0)):
        with evidence.attempt(name):
            model, data = ConstantModel(value), StubAtoms(challenge, name, torch.float64)
            trainer = Trainer(schedule=PushForward(), model=model, data=data)
            evidence.put(f"{name}/loss", trainer.get_train_loss(batch_size=64))
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        model = StubModel(meta, dtype=torch.float32, arguments=("x", "t"))
        data = StubAtoms(meta, "device", torch.float32)
        Trainer(schedule=StubSchedule(meta), model=model, data=data).get_train_loss(batch_size=4)


def public_score_loss(judge: Judge) -> None:
    with judge.part("properties", 1):
        judge.number("call0/loss", "The loss")
        judge.require(
            judge.evidence.values.get("call0/loss.requires_grad"),
            "detached",
            "No gradient flows from your loss to the model.",
        )
        for stub, code, words in (
            ("noised", "schedule_not_used", "`self.schedule.add_noise`"),
            ("model", "model_not_called", "`self.model`"),
        ):
            judge.require(judge.value(f"call0/{stub}/count", int) > 0, code, f"Your loss never calls {words}.")
        t = judge.tensor("call0/noised/t", (LOSS_BATCH, 1), "The time t")
        judge.require(((t >= 0) & (t <= 1)).all(), "time_out_of_range", "Some of your times lie outside [0, 1].")
        judge.require(t.unique().numel() > 1, "time_shared", "All samples of a batch share one time t.")
        clean, asked = judge.tensor("call0/noised/x0"), judge.tensor("call0/model/x", what="The x that the model sees")
        judge.require(
            not judge.close(asked, clean),
            "model_sees_x0",
            "The model is asked at the clean states, not at what `self.schedule.add_noise` returned.",
        )
        noise = judge.tensor("call0/noised/noise", (LOSS_BATCH, 2), "The noise")
        judge.require(
            abs(float(noise.mean())) < 0.4 and 0.7 < float(noise.std()) < 1.3,
            "noise_not_normal",
            f"Your noise has mean {noise.mean():.2f} and standard deviation {noise.std():.2f}; it is standard normal.",
        )
        ideal, off = judge.number("ideal/loss", "The loss"), judge.number("off/loss", "The loss")
        judge.require(
            abs(ideal) < 1e-9,
            "ideal_not_zero",
            f"Every atom was pushed forward by 2 sigma, some of them across the cell's edge, and the model said -2: the loss is {ideal:.3g}, not 0.",
        )
        judge.require(
            abs(off - 9) < 1e-6, "off_by_three", f"A model that is off by 3 everywhere has the loss {off:.4g}, not 9."
        )
        judge.device()


exercise(
    "lab2.score_loss",
    points=3,
    title="Denoising score matching on a ring",
    version=3,
    names=("ScoreTrainer",),
    probe=probe_score_loss,
    public=public_score_loss,
)

# --- 2.4 one step of the predictor, one of the corrector

STEP_RUNS = {
    # attempt: shape of x, dtype
    "main": ((40, 2), torch.float64),
    "wide": ((9, 4), torch.float64),
    "last": ((6, 2), torch.float64),
    "one": ((1, 2), torch.float64),
    "single": ((12, 2), torch.float32),
}


def step_setting(challenge: Challenge, name: str) -> dict[str, Tensor]:
    """Everything that the two steps take. Steps go far enough to leave the cell on both sides.

    In `last` they end at the lab's least noise, or without any.
    """
    shape, dtype = STEP_RUNS[name]
    later = challenge.rand(f"{name} later", (shape[0], 1), 0.05, 0.3, dtype)
    gap = challenge.rand(f"{name} gap", (shape[0], 1), 0.05, 0.3, dtype)
    if shape[0] > 2:  # one of the last steps, with little noise left
        later[0], gap[0] = later[0] / 10, gap[0] / 10
    if name == "last":
        later, gap = torch.full_like(later, SIGMA_MIN), gap / 10
        later[0] = 0.0
    return {
        "x": challenge.rand(f"{name} x", shape, dtype=dtype),
        "score": 4 * challenge.randn(f"{name} score", shape, dtype),
        "sigma": later + gap,
        "sigma_next": later,
        "step": challenge.rand(f"{name} step", (shape[0], 1), 0.01, 0.1, dtype),
        "noise": challenge.randn(f"{name} noise", shape, dtype),
    }


STEP_ARGUMENTS = {
    "predictor": ("x", "score", "sigma", "sigma_next", "noise"),
    "corrector": ("x", "score", "step", "noise"),
}


def probe_predictor_corrector(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    for short, arguments in STEP_ARGUMENTS.items():
        with evidence.attempt(f"{short}_found"):
            student.function(f"{short}_step", *arguments)
        for name in STEP_RUNS:
            setting = step_setting(challenge, name)
            inputs = {key: setting[key].clone() for key in arguments}
            with evidence.attempt(f"{short}_{name}"):
                evidence.put(f"{short}_{name}/state", student[f"{short}_step"](*inputs.values()))
            kept = all(torch.equal(inputs[key], setting[key]) for key in arguments)
            evidence.put(f"{short}_{name}/inputs_kept", kept)
        with evidence.attempt(f"{short}_still"):  # no score, no noise: nothing moves
            setting = step_setting(challenge, "main")
            setting |= {"score": 0 * setting["score"], "noise": 0 * setting["noise"]}
            evidence.put(f"{short}_still/state", student[f"{short}_step"](*(setting[key] for key in arguments)))
        with evidence.attempt(f"{short}_again"):  # the same inputs once more: own random numbers show
            setting = step_setting(challenge, "main")
            evidence.put(f"{short}_again/state", student[f"{short}_step"](*(setting[key] for key in arguments)))
        with evidence.attempt(f"{short}_device"):
            setting = step_setting(challenge.on("meta"), "single")
            student[f"{short}_step"](*(setting[key] for key in arguments))


def public_predictor_corrector(judge: Judge) -> None:
    for short, points in (("predictor", 2), ("corrector", 1)):
        with judge.part(short, points):
            judge.attempt(f"{short}_found")
            x = step_setting(judge.challenge, "main")["x"]
            still = judge.tensor(f"{short}_still/state", x.shape, "The new state")
            again, first = (judge.tensor(f"{short}_{run}/state", x.shape, "The new state") for run in ("again", "main"))
            judge.require(
                judge.close(again, first),
                "fresh_noise",
                f"Called twice with the same noise, your {short} gave two different states. It is given its noise.",
            )
            judge.require(
                judge.close(on_circle(still - x), torch.zeros_like(x)),
                "moves_by_itself",
                f"With no score and no noise your {short} moves the atoms.",
            )
            for name in STEP_RUNS:
                setting = step_setting(judge.challenge, name)
                state = judge.tensor(f"{short}_{name}/state", setting["x"].shape, "The new state")
                judge.require(
                    ((state >= 0) & (state <= 1)).all(),
                    "not_wrapped",
                    f"Your {short} leaves atoms outside the cell [0, 1).",
                )
                judge.require(
                    judge.value(f"{short}_{name}/inputs_kept", bool),
                    "input_altered",
                    f"Your {short} changed an input in place.",
                )
                if (short, name) in PUBLIC_STEPS:
                    wave = torch.cos(2 * math.pi * state).mean()
                    judge.require(
                        abs(float(wave) - PUBLIC_STEPS[short, name]) < 1e-4,
                        "wrong_step",
                        f"Given this score and this noise, your {short} leads to another state than the formula. Look at one term at a time: is its factor a variance or a width?",
                    )
            judge.device(f"{short}_device")


# The mean of cos(2 pi x) after a step on the public challenge, computed by hand-written numpy in tests/lab2.
PUBLIC_STEPS = {
    ("predictor", "main"): 0.0428960,
    ("predictor", "wide"): -0.1382208,
    ("predictor", "last"): -0.1277399,
    ("predictor", "one"): 0.9004979,
    ("predictor", "single"): 0.1685034,
    ("corrector", "main"): 0.1393905,
    ("corrector", "wide"): -0.0360228,
    ("corrector", "last"): 0.1001052,
    ("corrector", "one"): 0.3599183,
    ("corrector", "single"): 0.1244398,
}

exercise(
    "lab2.predictor_corrector",
    points=3,
    title="Predictor and corrector",
    names=("predictor_step", "corrector_step"),
    probe=probe_predictor_corrector,
    version=3,
    public=public_predictor_corrector,
)

# --- 2.5 the Fokker-Planck residual

RESIDUAL_RUNS = {
    # attempt: coordinates, dtype, batch size, field
    "waves": (2, torch.float64, 24, "potential"),
    "three": (3, torch.float64, 10, "potential"),
    "one": (2, torch.float64, 1, "potential"),
    "solution": (2, torch.float64, 24, "heat"),
    "single": (2, torch.float32, 12, "potential"),
}


class Waves(nn.Module):
    """A gradient field of nonsense: the gradient of gain · sum_k a_k cos(2 pi m_k x + w_k t + p_k)."""

    def __init__(self, challenge: Challenge, name: str, d: int, dtype: torch.dtype):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=dtype, device=challenge.device))
        self.m = challenge.randint(f"{name} m", -2, 3, (4, d)).to(dtype)
        self.m[0], self.m[1] = 1.0, torch.arange(d) % 2  # never all zero
        self.a = challenge.rand(f"{name} a", (4,), 0.02, 0.08, dtype)
        self.w = challenge.rand(f"{name} w", (4,), 1.0, 4.0, dtype)
        self.p = challenge.rand(f"{name} p", (4,), 0.0, 6.0, dtype)

    def angles(self, x: Tensor, t: Tensor) -> Tensor:
        return 2 * math.pi * x @ self.m.T + t * self.w + self.p

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return -self.gain * 2 * math.pi * (self.a * torch.sin(self.angles(x, t))) @ self.m


class Heat(nn.Module):
    """The score of a density of a few Fourier modes that diffuses as the noise grows. Not the lab's density."""

    def __init__(self, challenge: Challenge, name: str, d: int, dtype: torch.dtype, sigma):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=dtype, device=challenge.device))
        self.sigma = sigma
        self.m = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=dtype, device=challenge.device)
        self.a = challenge.rand(f"{name} a", (3,), 0.2, 0.4, dtype)
        self.p = challenge.rand(f"{name} p", (3,), 0.0, 6.0, dtype)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angles = 2 * math.pi * x @ self.m.T + self.p
        fading = self.a * torch.exp(-2 * math.pi**2 * self.m.square().sum(1) * self.sigma(t) ** 2)
        slope = -2 * math.pi * (fading * torch.sin(angles)) @ self.m
        return self.gain * slope / (1 + (fading * torch.cos(angles)).sum(dim=1, keepdim=True))


class StubSigma:
    """sigma(t) of nonsense, between 0.1 and 0.3: not exponential."""

    def __init__(self, challenge: Challenge):
        cpu = challenge.on("cpu")
        self.speed, self.phase = cpu.number("sigma speed", 1.0, 2.0), cpu.number("sigma phase", 0.0, 6.0)

    def __call__(self, t: Tensor) -> Tensor:
        return 0.2 + 0.1 * torch.sin(self.speed * t + self.phase)


def residual_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, nn.Module, StubSigma]:
    d, dtype, batch, kind = RESIDUAL_RUNS[name]
    sigma = StubSigma(challenge)
    x, t = challenge.rand(f"{name} x", (batch, d), dtype=dtype), challenge.rand(f"{name} t", (batch, 1), dtype=dtype)
    field = Waves(challenge, name, d, dtype) if kind == "potential" else Heat(challenge, name, d, dtype, sigma)
    return x, t, field, sigma


def probe_fokker_planck(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    residual_of = student.function("fokker_planck_residual", "score", "x", "t", "sigma")
    for name in RESIDUAL_RUNS:
        x, t, field, sigma = residual_setting(challenge, name)
        inputs = x.clone(), t.clone()
        with evidence.attempt(name):
            residual = residual_of(field, *inputs, sigma)
            evidence.put(f"{name}/residual", residual)
            if isinstance(residual, Tensor) and residual.requires_grad:
                residual.square().mean().backward()
                evidence.put(f"{name}/grad", field.gain.grad)
        kept = torch.equal(inputs[0], x) and torch.equal(inputs[1], t)
        kept = kept and not inputs[0].requires_grad and not inputs[1].requires_grad
        evidence.put(f"{name}/inputs_kept", kept)
    with evidence.attempt("device"):
        x, t, _, sigma = residual_setting(challenge.on("meta"), "single")
        residual_of(lambda x, t: torch.sin(x * t) + x**3, x, t, sigma)


def public_fokker_planck(judge: Judge) -> None:
    with judge.part("residual", 3):
        judge.require(
            "waves" in judge.evidence.errors or "three" not in judge.evidence.errors,
            "two_coordinates_only",
            "Your function works for two coordinates and fails for three. `x` may have any number of them.",
        )
        x, t, field, _ = residual_setting(judge.challenge, "solution")
        seen = judge.tensor("solution/residual", x.shape, "The residual")
        with torch.no_grad():  # how fast this score changes in time: the size to compare with
            change = (field(x, t + 1e-5) - field(x, t - 1e-5)) / 2e-5
        judge.require(
            float(seen.abs().max()) < 1e-8 * float(change.abs().max()),
            "solution_not_zero",
            f"For the score of a density that diffuses, the residual is zero. Yours reaches {float(seen.abs().max()):.2g}, and the time derivative {float(change.abs().max()):.2g}. Check each term alone: its shape, its sign and its factor.",
        )
        for name in RESIDUAL_RUNS:
            x, _, _, _ = residual_setting(judge.challenge, name)
            seen = judge.tensor(f"{name}/residual", x.shape, "The residual")
            judge.require(
                judge.evidence.values.get(f"{name}/residual.requires_grad"),
                "detached",
                "No gradient flows from your residual to the network's parameters, so it cannot be trained on.",
            )
            judge.require(
                name == "solution" or float(seen.abs().max()) > 1e-3,
                "always_zero",
                "For a field that is no solution the residual is zero too.",
            )
            judge.require(
                judge.value(f"{name}/inputs_kept", bool),
                "input_altered",
                "Your function changed x or t, or left requires_grad set on them. Work on `x.detach().requires_grad_()`.",
            )
        judge.device()


exercise(
    "lab2.fokker_planck",
    points=3,
    title="The Fokker-Planck residual",
    names=("fokker_planck_residual",),
    probe=probe_fokker_planck,
    public=public_fokker_planck,
)

# --- 2.6 the target of consistency

TARGET_RUNS = {
    # attempt: shape of x, dtype
    "main": ((40, 2), torch.float64),
    "wide": ((9, 4), torch.float64),
    "one": ((1, 2), torch.float64),
    "single": ((12, 2), torch.float32),
}


def target_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, y, sigma_start and sigma_end, per sample."""
    shape, dtype = TARGET_RUNS[name]
    end = challenge.rand(f"{name} end", (shape[0], 1), 0.05, 0.25, dtype)
    start = end + challenge.rand(f"{name} gap", (shape[0], 1), 0.05, 0.25, dtype)
    x, y = (challenge.rand(f"{name} {which}", shape, dtype=dtype) for which in ("x", "y"))
    return x, y, start, end


def probe_consistency(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    target = student.function("consistency_target", "x", "y", "sigma_start", "sigma_end")
    for name in TARGET_RUNS:
        setting = target_setting(challenge, name)
        inputs = [value.clone() for value in setting]
        with evidence.attempt(name):
            evidence.put(f"{name}/target", target(*inputs))
        evidence.put(f"{name}/inputs_kept", all(torch.equal(a, b) for a, b in zip(inputs, setting)))
    with evidence.attempt("device"):
        target(*target_setting(challenge.on("meta"), "single"))


def public_consistency(judge: Judge) -> None:
    with judge.part("target", 1):
        for name in TARGET_RUNS:
            x, y, _, _ = target_setting(judge.challenge, name)
            seen = judge.tensor(f"{name}/target", x.shape, "The target")
            toward = on_circle(y - x).double()
            judge.require(
                bool(((seen * toward >= 0) | (toward.abs() < 1e-4)).all()),
                "points_away",
                "Your target does not point from x to y by the shorter way around the ring.",
            )
            judge.require(
                judge.value(f"{name}/inputs_kept", bool), "input_altered", "Your function changed an input in place."
            )
            if name in PUBLIC_CONSISTENCY:
                size = float(seen.abs().mean())
                judge.require(
                    abs(size / PUBLIC_CONSISTENCY[name] - 1) < 1e-4,
                    "wrong_size",
                    f"The mean size of your target is {size:.4f}; it should be {PUBLIC_CONSISTENCY[name]:.4f}.",
                )
        judge.device()


# The mean absolute target on the public challenge, by automatic differentiation of log K in tests/lab2.
PUBLIC_CONSISTENCY = {"main": 1.0342498, "wide": 0.6215008, "one": 1.5738744, "single": 0.6240779}

exercise(
    "lab2.consistency",
    points=1,
    title="Scores at two times have to agree",
    names=("consistency_target",),
    probe=probe_consistency,
    public=public_consistency,
)

# --- 2.7 written

exercise(
    "lab2.regulariser_essay", points=2, title="Which regulariser helps where, and where sampling starts", manual=True
)
