"""Lab 3: probes and public verdicts. What the grader looks at, never what should come out."""

from __future__ import annotations

from dataclasses import dataclass

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
from utils.checks.exercise import exercise
from utils.checks.judging import Judge
from utils.checks.stubs import Nonsense, PreparedClassifier, Recorder, StubClassifier, StubData, forget_repeats
from utils.checks.student import Student
from utils.diffusion import Schedule

# --- what several exercises share: a made-up schedule, noisy and short, so that a constant of the lab's own shows

MADE_UP_STEPS = 24


def made_up_schedule(challenge: Challenge, dtype: torch.dtype = torch.float64, steps: int = MADE_UP_STEPS) -> Schedule:
    """Random betas in no order, and what the notation table says about the rest. Same numbers for every attempt."""
    betas = challenge.on("cpu").rand("betas", (steps,), 0.01, 0.25)
    alphas = 1 - betas
    return Schedule(betas, alphas, alphas.cumprod(0)).to(dtype).to(challenge.device)


RUNS = {
    # attempt: shape of x, dtype
    "images": ((10, 1, 4, 3), torch.float64),
    "points": ((8, 2), torch.float64),
    "square": ((6, 6), torch.float64),  # as many samples as pixels: a missing reshape raises nothing here
    "one": ((1, 3, 2, 2), torch.float64),
    "single": ((7, 1, 3, 3), torch.float32),
    "strided": ((6, 2, 3, 4), torch.float64),  # not contiguous
}


WHERE = {
    # how a message names a run
    "images": "on pictures, each at a t of its own",
    "points": "on points in the plane",
    "square": "where there are as many samples as numbers in a row",
    "one": "in a batch of one",
    "single": "in float32",
    "strided": "on a tensor whose axes were swapped",
    "plain": "with gradients switched on",
    "sampling": "under no_grad",
    "sure": "with a classifier that is very sure of itself",
}


def draw_t(challenge: Challenge, name: str, batch: int) -> Tensor:
    """(b,) integers; the first three are the ends and the step after the first."""
    t = challenge.randint(f"{name} t", 0, MADE_UP_STEPS, (batch,))
    if batch > 2:
        t[0], t[1], t[2] = 0, MADE_UP_STEPS - 1, 1
    return t


def tensors(challenge: Challenge, name: str, *wanted: str) -> dict[str, Tensor]:
    """Random tensors of the run's shape by their names, and `t`."""
    shape, dtype = RUNS[name]
    out = {"t": draw_t(challenge, name, shape[0])}
    for thing in wanted:
        value = challenge.randn(f"{name} {thing}", shape, dtype)
        out[thing] = value.transpose(-1, -2).contiguous().transpose(-1, -2) if name == "strided" else value
    return out


def call_kept(evidence: Evidence, name: str, function, inputs: dict, label: str = "value") -> None:
    """Call with copies of the inputs; put the result, and whether the copies stayed as they were."""
    copies = {k: copied(v) for k, v in inputs.items()}
    with evidence.attempt(name):
        evidence.put(f"{name}/{label}", function(**copies))
    evidence.put(f"{name}/inputs_kept", all(alike(copies[k], v) for k, v in inputs.items()))


def copied(thing: object) -> object:
    """A tensor, or a schedule of tensors, that may be changed without harm."""
    if isinstance(thing, Schedule):
        return Schedule(*(values.clone() for values in thing))
    return thing.clone() if isinstance(thing, Tensor) else thing


def alike(one: object, other: object) -> bool:
    if isinstance(one, Schedule):
        return all(torch.equal(a, b) for a, b in zip(one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else True


def public_kept(judge: Judge, name: str) -> None:
    judge.require(
        judge.value(f"{name}/inputs_kept", bool), "input_altered", "Your code changed one of its inputs in place."
    )


def along(challenge: Challenge, name: str, value: Tensor) -> float:
    """The mean of the value times random directions: one number that stands for all."""
    return float((value * challenge.randn(f"{name} directions", tuple(value.shape))).mean())


def public_numbers(judge: Judge, numbers: dict[str, float], code: str, message: str) -> None:
    for name, number in numbers.items():
        seen = along(judge.challenge, name, judge.tensor(f"{name}/value"))
        judge.require(
            abs(seen - number) < 1e-4 * max(1.0, abs(number)), code, message.format(where=WHERE[name.split("_")[0]])
        )


# --- 3.1 schedule

SCHEDULE_LENGTHS = {"long": 1000, "short": 37}


def probe_schedule(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    linear_schedule = student.function("linear_schedule", "T")
    for name, steps in SCHEDULE_LENGTHS.items():
        with evidence.attempt(name):
            betas, alphas, alpha_bars = linear_schedule(steps)
            evidence.put(f"{name}/betas", betas)
            evidence.put(f"{name}/alphas", alphas)
            evidence.put(f"{name}/alpha_bars", alpha_bars)
    for name, (_, dtype) in RUNS.items():
        with evidence.attempt(f"{name}_noised"):
            add_noise = student.function("add_noise", "x0", "t", "noise", "schedule")
            inputs = tensors(challenge, name, "x0", "noise") | {"schedule": made_up_schedule(challenge, dtype)}
            call_kept(evidence, f"{name}_noised", add_noise, inputs)
    for name in ("points", "one"):
        with evidence.attempt(f"{name}_sigmas"):
            three_sigmas = student.function("three_sigmas", "t", "schedule")
            t = draw_t(challenge, name, RUNS[name][0][0])
            given = t, made_up_schedule(challenge)
            copies = [copied(thing) for thing in given]
            step, total, posterior = three_sigmas(*copies)
            evidence.put(f"{name}_sigmas/inputs_kept", all(map(alike, copies, given)))
            for label, value in (("step", step), ("total", total), ("posterior", posterior)):
                evidence.put(f"{name}_sigmas/{label}", value)
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        student["add_noise"](**tensors(meta, "single", "x0", "noise"), schedule=made_up_schedule(meta, torch.float32))
        student["three_sigmas"](tensors(meta, "single")["t"], made_up_schedule(meta, torch.float32))


def public_schedule(judge: Judge) -> None:
    with judge.part("schedule", 0.5):
        for name, steps in SCHEDULE_LENGTHS.items():
            betas, alphas, alpha_bars = (
                judge.tensor(f"{name}/{label}", (steps,), label) for label in ("betas", "alphas", "alpha_bars")
            )
            judge.require(
                abs(float(betas[0]) - 1e-4) < 1e-7 and abs(float(betas[-1]) - 0.02) < 1e-5,
                "wrong_ends",
                f"Your betas go from {betas[0]:.6g} to {betas[-1]:.6g}, and should go from 0.0001 to 0.02.",
            )
            judge.require(
                (alphas + betas - 1).abs().max() < 1e-6, "wrong_alphas", "alphas and betas do not add up to 1."
            )
            judge.require((alpha_bars.diff() < 0).all(), "not_falling", "alpha_bars must fall: each step adds noise.")
        last = float(judge.tensor("long/alpha_bars")[-1])
        judge.require(
            last < 1e-3,
            "data_left",
            f"After all 1,000 steps {last:.3g} of the data's variance is left. It should be nothing.",
        )
    with judge.part("noise", 1):
        for name in RUNS:
            judge.tensor(f"{name}_noised/value", RUNS[name][0], "The noised sample")
            public_kept(judge, f"{name}_noised")
        public_numbers(
            judge, PUBLIC_NOISED, "wrong_mixture", "Data and noise are not mixed as the formula says (seen {where})."
        )  # fmt: skip
        judge.device()
    with judge.part("sigmas", 0.5):
        t = draw_t(judge.challenge, "points", 8)
        step, total, posterior = (
            judge.tensor(f"points_sigmas/{label}", (8,), f"The sigma called '{label}'")
            for label in ("step", "total", "posterior")
        )
        judge.require(
            abs(float(posterior[t == 0].max())) < 1e-9, "posterior_at_zero", "At t = 0 the posterior's sigma is 0."
        )
        judge.require(
            (posterior <= step + 1e-9).all() and (step <= total + 1e-9).all(),
            "wrong_order",
            "For each t: posterior <= step <= total. Two of yours stand in each other's place, or one is a variance.",
        )
        for label, value in (("step", step), ("total", total), ("posterior", posterior)):
            seen, number = along(judge.challenge, f"{label} sigma", value), PUBLIC_SIGMAS[label]
            judge.require(
                abs(seen - number) < 1e-5, "wrong_sigma", f"The sigma called '{label}' is not what the table says."
            )


exercise(
    "lab3.schedule",
    points=2,
    title="Noise, step by step, and in one jump",
    names=("linear_schedule", "add_noise", "three_sigmas"),
    probe=probe_schedule,
    version=2,
    public=public_schedule,
)

# --- 3.2 score and noise

SCORE_WORDS = {
    "score": "The score is the gradient of log N(x_t; sqrt(alpha_bar) x_0, (1 - alpha_bar) I); what `score_from_noise` returns is not",
    "noise": "`noise_from_score` has to undo `score_from_noise`, and does not give back the noise that made this score",
}


def probe_score_and_noise(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    for function, argument, label in (
        ("score_from_noise", "noise_estimate", "score"),
        ("noise_from_score", "score", "noise"),
    ):
        for name, (_, dtype) in RUNS.items():
            with evidence.attempt(f"{name}_{label}"):
                student.function(function, argument, "t", "schedule")
                inputs = tensors(challenge, name, argument) | {"schedule": made_up_schedule(challenge, dtype)}
                call_kept(evidence, f"{name}_{label}", student[function], inputs)
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        inputs = tensors(meta, "single", "noise_estimate") | {"schedule": made_up_schedule(meta, torch.float32)}
        student["score_from_noise"](**inputs)
        student["noise_from_score"](score=inputs["noise_estimate"], t=inputs["t"], schedule=inputs["schedule"])


def public_score_and_noise(judge: Judge) -> None:
    for label, points in (("score", 0.5), ("noise", 0.5)):
        with judge.part(label, points):
            for name in RUNS:
                judge.tensor(f"{name}_{label}/value", RUNS[name][0], "The result")
                public_kept(judge, f"{name}_{label}")
            numbers = PUBLIC_SCORES if label == "score" else PUBLIC_NOISES
            public_numbers(
                judge, numbers, f"wrong_{label}", SCORE_WORDS[label] + " (seen {where}).",
            )  # fmt: skip
            if label == "score":
                judge.device()


exercise(
    "lab3.score_and_noise",
    points=1,
    title="The score and the noise are the same thing",
    names=("score_from_noise", "noise_from_score"),
    probe=probe_score_and_noise,
    version=2,
    public=public_score_and_noise,
)

# --- 3.3 the loss of a noise-aware classifier

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


def probe_classifier_loss(student: Student, challenge: Challenge, evidence: Evidence) -> None:
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


def public_classifier_loss(judge: Judge) -> None:
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


exercise(
    "lab3.classifier_loss",
    points=2,
    title="A classifier that can read noise",
    version=3,
    names=("NoisyClassifierTrainer",),
    probe=probe_classifier_loss,
    public=public_classifier_loss,
)

# --- 3.4 the gradient of the classifier

GRADIENT_CLASSES = 4
GRADIENT_RUNS = {
    # attempt: shape of x, dtype, amplitude of the logits, under no_grad
    "plain": ((9, 1, 3, 3), torch.float64, 2.0, False),
    "sampling": ((9, 1, 3, 3), torch.float64, 2.0, True),
    "sure": ((8, 5), torch.float32, 90.0, True),  # logits so far apart that a softmax underflows
    "one": ((1, 2, 3), torch.float64, 2.0, True),
    "single": ((6, 1, 3, 2), torch.float32, 2.0, True),
}


def gradient_setting(challenge: Challenge, name: str) -> tuple[StubClassifier, Tensor, Tensor, Tensor]:
    shape, dtype, amplitude, _ = GRADIENT_RUNS[name]
    classifier = StubClassifier(challenge, GRADIENT_CLASSES, dtype, mixed=True, amplitude=amplitude)
    x = challenge.randn(f"{name} x", shape, dtype)
    t = challenge.randint(f"{name} t", 1, MADE_UP_STEPS, (shape[0],))
    return classifier, x, t, challenge.randint(f"{name} y", 0, GRADIENT_CLASSES, (shape[0],))


def probe_classifier_gradient(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    classifier_gradient = student.function("classifier_gradient", "classifier", "x", "t", "y")
    for name, (_, _, _, under_no_grad) in GRADIENT_RUNS.items():
        classifier, x, t, y = gradient_setting(challenge, name)
        copies = [v.clone() for v in (x, t, y)]
        with evidence.attempt(name), torch.set_grad_enabled(not under_no_grad):
            evidence.put(f"{name}/value", classifier_gradient(classifier, *copies))
            evidence.put(f"{name}/mode_kept", torch.is_grad_enabled() is not under_no_grad)
        classifier.record.report(evidence, f"{name}/classifier")
        kept = all(torch.equal(v, w) for v, w in zip(copies, (x, t, y)))
        evidence.put(f"{name}/inputs_kept", kept)
        evidence.put(f"{name}/x_marked", copies[0].requires_grad or copies[0].grad is not None)
        evidence.put(f"{name}/parameter_grad", classifier.gain.grad is not None)
    with evidence.attempt("device"):
        classifier_gradient(*gradient_setting(challenge.on("meta"), "single"))


def public_classifier_gradient(judge: Judge) -> None:
    with judge.part("gradient", 3):
        for name, (shape, _, _, under_no_grad) in GRADIENT_RUNS.items():
            judge.tensor(f"{name}/value", shape, "The gradient" + " (called under no_grad)" * under_no_grad)
            public_kept(judge, name)
            judge.require(
                not judge.value(f"{name}/parameter_grad", bool),
                "parameters_touched",
                "After your call the classifier's parameters carry gradients. Nobody is training here.",
            )
            judge.require(
                not judge.evidence.values.get(f"{name}/value.requires_grad"),
                "graph_kept",
                "Your result still carries a graph: a thousand steps of it would fill the memory.",
            )
            judge.require(
                not judge.value(f"{name}/x_marked", bool),
                "x_marked",
                "After your call the caller's own x requires gradients, or carries one. Work on a detached copy.",
            )
        public_numbers(
            judge, PUBLIC_GRADIENTS, "wrong_gradient",
            "Your result is not the gradient of log p(y | x_t), sample by sample (seen {where}): small steps of x change log p by another amount.",
        )  # fmt: skip
        judge.device()


exercise(
    "lab3.classifier_gradient",
    points=3,
    title="Which way to the class?",
    names=("classifier_gradient",),
    probe=probe_classifier_gradient,
    version=2,
    public=public_classifier_gradient,
)

# --- 3.5 the guided noise and a step of DDPM

STEP_SCALES = {"images": 3.0, "points": 1.0, "square": 0.0, "one": 2.0, "single": 1.5, "strided": -0.5}


def guided_setting(challenge: Challenge, name: str) -> dict:
    inputs = tensors(challenge, name, "noise_estimate", "gradient")
    return inputs | {"w": STEP_SCALES[name], "schedule": made_up_schedule(challenge, RUNS[name][1])}


def ddpm_setting(challenge: Challenge, name: str) -> dict:
    inputs = tensors(challenge, name, "x", "noise_estimate", "noise")
    return inputs | {"schedule": made_up_schedule(challenge, RUNS[name][1])}


def probe_guided_ddpm_step(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    for name in RUNS:
        with evidence.attempt(f"{name}_guided"):
            guided_noise = student.function("guided_noise", "noise_estimate", "gradient", "t", "w", "schedule")
            call_kept(evidence, f"{name}_guided", guided_noise, guided_setting(challenge, name))
        with evidence.attempt(f"{name}_step"):
            ddpm_step = student.function("ddpm_step", "x", "t", "noise_estimate", "noise", "schedule")
            call_kept(evidence, f"{name}_step", ddpm_step, ddpm_setting(challenge, name))
    with evidence.attempt("device"):
        student["guided_noise"](**guided_setting(challenge.on("meta"), "single"))
        student["ddpm_step"](**ddpm_setting(challenge.on("meta"), "single"))


def public_guided_ddpm_step(judge: Judge) -> None:
    with judge.part("guided", 1):
        for name in RUNS:
            seen = judge.tensor(f"{name}_guided/value", RUNS[name][0], "The guided noise estimate")
            public_kept(judge, f"{name}_guided")
            if STEP_SCALES[name] == 0:
                plain = guided_setting(judge.challenge, name)["noise_estimate"]
                judge.require(judge.close(seen, plain), "not_plain_at_zero", "At w = 0 nothing may change.")
        public_numbers(
            judge, PUBLIC_GUIDED, "wrong_guidance",
            "Your estimate does not belong to the score s + w g (seen {where}). Turn both into scores by 3.2 and compare.",
        )  # fmt: skip
    with judge.part("step", 2):
        for name in RUNS:
            judge.tensor(f"{name}_step/value", RUNS[name][0], "The new x")
            public_kept(judge, f"{name}_step")
        public_numbers(
            judge, PUBLIC_STEPS, "wrong_step",
            "Your step is not x = mean + sqrt(beta_t) noise with the mean of the statement (seen {where}). Where t = 0, no noise is added.",
        )  # fmt: skip
        judge.device()


exercise(
    "lab3.guided_ddpm_step",
    points=3,
    title="One guided step towards the data",
    names=("guided_noise", "ddpm_step"),
    probe=probe_guided_ddpm_step,
    version=2,
    public=public_guided_ddpm_step,
)

# --- 3.6 a step of DDIM


def ddim_setting(challenge: Challenge, name: str) -> dict:
    """Every sample jumps from a time of its own to another one; some land on the data, t_prev = -1, and one on t_prev = 0."""
    inputs = tensors(challenge, name, "x", "noise_estimate")
    jump = challenge.randint(f"{name} jump", 1, 12, inputs["t"].shape)
    t_prev = (inputs["t"] - jump).clamp(min=-1)
    t_prev = torch.where(torch.arange(len(t_prev), device=t_prev.device) == 2, torch.full_like(t_prev, -1), t_prev)
    if len(t_prev) > 3:
        inputs["t"][3], t_prev[3] = inputs["t"][3].clamp(min=1), 0
    return inputs | {"t_prev": t_prev, "schedule": made_up_schedule(challenge, RUNS[name][1])}


def probe_ddim_step(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    ddim_step = student.function("ddim_step", "x", "t", "t_prev", "noise_estimate", "schedule")
    for name in RUNS:
        call_kept(evidence, name, ddim_step, ddim_setting(challenge, name))
    with evidence.attempt("device"):
        ddim_step(**ddim_setting(challenge.on("meta"), "single"))


def public_ddim_step(judge: Judge) -> None:
    with judge.part("step", 2):
        for name in RUNS:
            judge.tensor(f"{name}/value", RUNS[name][0], "The new x")
            public_kept(judge, name)
        public_numbers(
            judge, PUBLIC_DDIM, "wrong_step",
            "Your step does not carry x_t to x at t_prev along its own estimate of the data (seen {where}). Mind t_prev = -1: no noise is left there.",
        )  # fmt: skip
        judge.device()


exercise(
    "lab3.ddim_step",
    points=2,
    title="Large steps without noise",
    names=("ddim_step",),
    probe=probe_ddim_step,
    version=2,
    public=public_ddim_step,
)

# --- 3.7 spot the bugs

SAMPLER_STEPS, SAMPLER_SHAPE, SAMPLER_SCALE = 6, (4, 1, 2, 3), 1.7


def step_stub(challenge: Challenge) -> Nonsense:
    return Nonsense(challenge, "step", amplitude=2.5)


class SamplerStubs:
    """Model, classifier's gradient and DDPM step of nonsense, each recorded."""

    def __init__(self, challenge: Challenge):
        self.classifier = object()
        self.model = Recorder(Nonsense(challenge, "model"), ("x", "t"))
        self.gradients = Recorder(Nonsense(challenge, "gradient"), ("x", "t", "y"))
        self.steps = Recorder(step_stub(challenge), ("x", "t", "noise_estimate", "noise"))

    def classifier_gradient(self, classifier, x, t, y):
        if classifier is not self.classifier:
            raise ValueError("classifier_gradient was called with something else than the classifier")
        return self.gradients(x, t, y)

    def ddpm_step(self, x, t, noise_estimate, noise, schedule):
        if not isinstance(schedule, tuple) or len(schedule) != 3:
            raise ValueError("ddpm_step was called with something else than the schedule")
        return self.steps(x, t, noise_estimate, noise)


def sampler_setting(challenge: Challenge) -> tuple[Tensor, Tensor, Tensor, Schedule]:
    """x, y, noises and a schedule."""
    x = challenge.randn("sampler x", SAMPLER_SHAPE)
    y = challenge.randint("sampler y", 0, GRADIENT_CLASSES, SAMPLER_SHAPE[:1])
    noises = challenge.randn("sampler noises", (SAMPLER_STEPS, *SAMPLER_SHAPE))
    return x, y, noises, made_up_schedule(challenge, steps=SAMPLER_STEPS)


def probe_spot_the_bugs(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    names = ("x", "y", "w", "model", "classifier", "schedule", "classifier_gradient", "ddpm_step", "noises")
    guided_sampler = student.function("guided_sampler", *names)
    x, y, noises, schedule = sampler_setting(challenge)
    stubs = SamplerStubs(challenge)
    with evidence.attempt("main"):
        given = (x, y, schedule, noises)
        start, labels, levels, draws = copies = [copied(thing) for thing in given]
        result = guided_sampler(
            start, labels, SAMPLER_SCALE, stubs.model, stubs.classifier, levels,
            stubs.classifier_gradient, stubs.ddpm_step, draws,
        )  # fmt: skip
        evidence.put("main/value", result)
        evidence.put("main/inputs_kept", all(map(alike, copies, given)))
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        x, y, noises, schedule = sampler_setting(meta)
        on_meta = SamplerStubs(meta)
        guided_sampler(
            x, y, SAMPLER_SCALE, on_meta.model, on_meta.classifier, schedule, on_meta.classifier_gradient,
            on_meta.ddpm_step, noises,
        )  # fmt: skip
    stubs.model.report(evidence, "main/model")
    stubs.gradients.report(evidence, "main/gradients")
    stubs.steps.report(evidence, "main/steps", output="result")


@dataclass
class Guiding:
    """What a sampler does to x along the classifier's gradient: (steps, b, …), noisiest first."""

    shift: Tensor  # added to the model's noise estimate
    moved: Tensor  # added to x beside the step
    after: Tensor  # x after each step
    inside: bool  # the noise estimate is guided
    clamped: bool  # x is cut off at -1 and 1
    factor: Tensor  # (steps,): how far each step goes along the gradient, in units of the noise estimate or of x


def seen_guiding(judge: Judge) -> Guiding:
    """From the record of all steps. The stubs are made again; only what the student chose is read."""
    shape = (SAMPLER_STEPS, *SAMPLER_SHAPE)
    flat = (SAMPLER_STEPS * SAMPLER_SHAPE[0], *SAMPLER_SHAPE[1:])
    estimates = judge.tensor("main/steps/noise_estimate", flat, "The noise estimates of all steps")
    x = judge.tensor("main/steps/x", flat, "The x of all steps")
    t = judge.tensor("main/steps/t", flat[:1], "The t of all steps")
    used = judge.tensor("main/steps/noise", flat, "The noise of all steps")
    value = judge.tensor("main/value", SAMPLER_SHAPE, "The sample")
    y = sampler_setting(judge.challenge)[1].repeat(SAMPLER_STEPS)
    shift = (estimates - Nonsense(judge.challenge, "model")(x, t)).reshape(shape)
    gradient = Nonsense(judge.challenge, "gradient")(x, t, y).reshape(shape)
    results = step_stub(judge.challenge)(x, t, estimates, used).reshape(shape)
    after = torch.cat([x.reshape(shape)[1:], value[None]])
    moved = after - results
    inside = float(shift.abs().max()) > 1e-9
    clamped = float(after.abs().max()) <= 1 + 1e-9 and float(results.abs().max()) > 1 + 1e-6
    if inside:
        along, free = -shift, torch.ones_like(after)  # a lower noise estimate is a higher x
    else:
        along, free = moved, (after.abs() < 1 - 1e-6).double()  # a clamp hides the rest
    weight = (gradient.square() * free).flatten(1).sum(1)
    factor = (along * gradient * free).flatten(1).sum(1) / weight.clamp(min=1e-12)
    return Guiding(shift, moved, after, inside, clamped, factor)


def public_spot_the_bugs(judge: Judge) -> None:
    with judge.part("inside", 0.5):
        judge.require(
            seen_guiding(judge).inside,
            "guidance_outside",
            "ddpm_step gets the model's plain estimate. Guidance belongs into the estimate, before the step.",
        )
        judge.device()
    with judge.part("sign", 0.5):
        factor = seen_guiding(judge).factor
        judge.require(factor.abs().max() > 1e-9, "unguided", "The gradient has no effect on your samples.")
        judge.require(
            (factor > 0).all(),
            "wrong_sign",
            "Your guidance lowers log p(y | x). The score and the noise have opposite signs.",
        )
    with judge.part("sigma", 0.5):
        judge.require(
            (seen_guiding(judge).factor.abs().diff() < 0).all(),
            "wrong_sigma",
            "The factor before the gradient should fall from step to step, as the noise in x_t does. Which of the three sigmas is that?",
        )
    with judge.part("clamp", 0.5):
        judge.require(
            not seen_guiding(judge).clamped,
            "clamped",
            "Everything that comes out of your steps lies in [-1, 1], though noise does not.",
        )


exercise(
    "lab3.spot_the_bugs",
    points=2,
    title="Four faults in a plausible sampler",
    names=("guided_sampler",),
    probe=probe_spot_the_bugs,
    version=2,
    public=public_spot_the_bugs,
)

# --- 3.8 what guidance samples

VARIANCE_RUNS = {
    # attempt: S, s, w; None is drawn
    "example": (4.0, 1.0, 3.0),
    "plain": (3.0, 0.5, 0.0),
    "honest": (3.0, 0.5, 1.0),
    "drawn0": None,
    "drawn1": None,
    "drawn2": None,
    "weak": (3.0, 0.5, 0.3),
    "nearly_honest": (3.0, 0.5, 0.8),
    "close": (2.0, 1.9, 2.0),
    "whole": (5, 2, 4),  # integers
}


def variance_setting(challenge: Challenge, name: str) -> tuple[float, float, float]:
    if VARIANCE_RUNS[name] is not None:
        return VARIANCE_RUNS[name]
    S = challenge.number(f"{name} S", 1.5, 6.0)
    return S, S * challenge.number(f"{name} ratio", 0.2, 0.8), challenge.number(f"{name} w", 1.2, 6.0)


def probe_what_guidance_samples(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    what_guidance_samples = student.function("what_guidance_samples", "S", "s", "w")
    for name in VARIANCE_RUNS:
        with evidence.attempt(name):
            variances = what_guidance_samples(*variance_setting(challenge, name))
            tilt, ode, sde = (None,) * 3 if variances is None else variances
            for label, value in (("tilt", tilt), ("ode", ode), ("sde", sde)):
                evidence.put(f"{name}/{label}", value)


def public_what_guidance_samples(judge: Judge) -> None:
    with judge.part("variances", 1):
        for name, w in (("plain", 0.0), ("honest", 1.0)):
            S, s, _ = variance_setting(judge.challenge, name)
            wanted = S if w == 0 else s
            for label in ("tilt", "ode", "sde"):
                value = judge.number(f"{name}/{label}", f"The variance called '{label}'")
                judge.require(
                    abs(value - wanted) < 1e-6,
                    "wrong_at_the_ends",
                    f"At w = {w:g} all three variances are {wanted:g}; your '{label}' is {value:.4g}.",
                )
        for label, simulated in SIMULATED.items():
            value = judge.number(f"example/{label}", f"The variance called '{label}'")
            judge.require(
                abs(value / simulated - 1) < 0.03,
                f"wrong_{label}",
                f"For S = 4, s = 1, w = 3 a simulation gives {simulated:.3g} for '{label}', and your formula {value:.3g}.",
            )


# By Monte Carlo and by a thousand small steps; tests/lab3 makes them again.
SIMULATED = {"tilt": 0.4, "ode": 0.0625, "sde": 0.2664}

exercise(
    "lab3.what_guidance_samples",
    points=1,
    title="What guidance samples",
    names=("what_guidance_samples",),
    probe=probe_what_guidance_samples,
    version=2,
    public=public_what_guidance_samples,
)

exercise("lab3.tradeoff_essay", points=2, title="Quality against diversity", manual=True)

# --- the numbers that the public checks compare with

# The mean of each result times random directions, on the public challenge. They were made by other ways than the lab's:
# step by step noising, automatic differentiation of log densities, difference quotients. tests/lab3 makes them again.
PUBLIC_NOISED: dict[str, float] = {
    "images_noised": -0.0250919,
    "points_noised": -0.4288668,
    "square_noised": 0.0189547,
    "one_noised": -0.1838866,
    "single_noised": -0.2072303,
    "strided_noised": -0.0296968,
}
PUBLIC_SCORES: dict[str, float] = {
    "images_score": -0.0588687,
    "points_score": 0.4212246,
    "square_score": -1.6682272,
    "one_score": 0.2129538,
    "single_score": -0.6926997,
    "strided_score": -0.0972440,
}
PUBLIC_NOISES: dict[str, float] = {
    "images_noise": -0.0016237,
    "points_noise": -0.1585989,
    "square_noise": 0.0360636,
    "one_noise": -0.0727504,
    "single_noise": 0.0263805,
    "strided_noise": 0.0057781,
}
PUBLIC_GUIDED: dict[str, float] = {
    "images_guided": 0.1253561,
    "points_guided": 0.1738379,
    "square_guided": -0.0368024,
    "one_guided": -0.6413468,
    "single_guided": 0.1205046,
    "strided_guided": -0.0124293,
}
PUBLIC_STEPS: dict[str, float] = {
    "images_step": 0.0110383,
    "points_step": 0.3792876,
    "square_step": -0.2517540,
    "one_step": -0.1035600,
    "single_step": 0.0350117,
    "strided_step": 0.0556644,
}
PUBLIC_DDIM: dict[str, float] = {
    "images": 0.3005873,
    "points": 0.1619668,
    "square": -0.4854003,
    "one": -0.3439272,
    "single": -0.1766984,
    "strided": -0.0587748,
}
PUBLIC_SIGMAS: dict[str, float] = {
    "step": -0.0422738,
    "total": 0.0990704,
    "posterior": -0.0597271,
}
PUBLIC_GRADIENTS: dict[str, float] = {
    "plain": 0.7134418,
    "sampling": -0.1073535,
    "sure": -12.6575196,
    "one": 0.2941158,
    "single": -0.2487515,
}
