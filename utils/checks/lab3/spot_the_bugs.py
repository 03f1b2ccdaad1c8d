"""Exercise 3.7, repair the sampler: `guided_sampler`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.copies import copied, unchanged
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.schedules import made_up_schedule
from utils.checks.stubs import RandomField, Recorder
from utils.checks.student import Student
from utils.diffusion import Schedule

STEPS, SHAPE, SCALE, CLASSES = 6, (4, 1, 2, 3), 1.7, 4
ALL_STEPS = (STEPS * SHAPE[0], *SHAPE[1:])  # the x of all steps, joined along the batch
ORDER = torch.arange(STEPS - 1, -1, -1)
STUBS = {
    # evidence: how a message names the function
    "model": "the model",
    "gradients": "classifier_gradient",
    "steps": "ddpm_step",
}


@dataclass(frozen=True)
class Inputs:
    """The tensors that the sampler gets."""

    x: Tensor  # SHAPE, where sampling starts
    y: Tensor  # (b,) labels
    schedule: Schedule
    noises: Tensor  # (STEPS, *SHAPE)

    @classmethod
    def of(cls, challenge: Challenge) -> Inputs:
        """Return the inputs of the only run."""
        return cls(
            x=challenge.randn("sampler x", SHAPE),
            y=challenge.randint("sampler y", 0, CLASSES, SHAPE[:1]),
            schedule=made_up_schedule(challenge, steps=STEPS),
            noises=challenge.randn("sampler noises", (STEPS, *SHAPE)),
        )


def stub_model(challenge: Challenge) -> RandomField:
    """Return a random field in place of the noise model."""
    return RandomField(challenge, "model")


def stub_gradient(challenge: Challenge) -> RandomField:
    """Return a random field in place of the classifier's gradient."""
    return RandomField(challenge, "gradient")


def stub_step(challenge: Challenge) -> RandomField:
    """Return a random field in place of the DDPM step."""
    return RandomField(challenge, "step", amplitude=2.5)


class SamplerStubs:
    """Recording stubs for the model, the classifier's gradient and the DDPM step."""

    def __init__(self, challenge: Challenge):
        self.classifier = object()
        self.model = Recorder(stub_model(challenge), ("x", "t"))
        self.gradients = Recorder(stub_gradient(challenge), ("x", "t", "y"))
        self.steps = Recorder(stub_step(challenge), ("x", "t", "noise_estimate", "noise"))

    def classifier_gradient(self, classifier, x, t, y):
        """Return the stub's gradient, with the shape of x, and record the call."""
        if classifier is not self.classifier:
            raise ValueError("classifier_gradient was called with something else than the classifier")
        return self.gradients(x, t, y)

    def ddpm_step(self, x, t, noise_estimate, noise, schedule):
        """Return the stub's next state, with the shape of x, and record the call."""
        if not isinstance(schedule, tuple) or len(schedule) != 3:
            raise ValueError("ddpm_step was called with something else than the schedule")
        return self.steps(x, t, noise_estimate, noise)


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Run the sampler once with recording stubs."""
    names = ("x", "y", "w", "model", "classifier", "schedule", "classifier_gradient", "ddpm_step", "noises")
    guided_sampler = student.function("guided_sampler", *names)

    def sample(inputs: Inputs, stubs: SamplerStubs) -> object:
        return guided_sampler(
            inputs.x, inputs.y, SCALE, stubs.model, stubs.classifier, inputs.schedule, stubs.classifier_gradient,
            stubs.ddpm_step, inputs.noises,
        )  # fmt: skip

    inputs, stubs = Inputs.of(challenge), SamplerStubs(challenge)
    with evidence.attempt("main"):
        copies = Inputs(*map(copied, vars(inputs).values()))
        evidence.put("main/value", sample(copies, stubs))
        evidence.put("main/inputs_kept", unchanged(vars(copies).values(), vars(inputs).values()))
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        sample(Inputs.of(meta), SamplerStubs(meta))
    stubs.model.report(evidence, "main/model")
    stubs.gradients.report(evidence, "main/gradients")
    stubs.steps.report(evidence, "main/steps", output="result")


@dataclass(frozen=True)
class Guidance:
    """How a sampler moves x along the classifier's gradient: all steps, the noisiest first."""

    moved: Tensor  # (STEPS, *SHAPE) what is added to x after the DDPM step
    inside: bool  # the noise estimate is guided
    clamped: bool  # x is cut off at -1 and 1
    factor: Tensor  # (STEPS,) the factor of the gradient, in units of the noise estimate or else of x

    @property
    def rtol(self) -> float:
        """The precision of the factor: guidance after the step is blurred by a clamp, so only its size is known."""
        return 0.3 if self.clamped and not self.inside else 1e-6


def read_guidance(judge: Judge) -> Guidance:
    """Compute the guidance from the recorded calls and the stubs' outputs."""
    shape, challenge = (STEPS, *SHAPE), judge.challenge
    estimates = judge.tensor("main/steps/noise_estimate", ALL_STEPS, "The noise estimates of all steps")
    x = judge.tensor("main/steps/x", ALL_STEPS, "The x of all steps")
    t = judge.tensor("main/steps/t", ALL_STEPS[:1], "The t of all steps")
    used = judge.tensor("main/steps/noise", ALL_STEPS, "The noise of all steps")
    value = judge.tensor("main/value", SHAPE, "The sample")
    shift = (estimates - stub_model(challenge)(x, t)).reshape(shape)
    gradient = stub_gradient(challenge)(x, t, Inputs.of(challenge).y.repeat(STEPS)).reshape(shape)
    results = stub_step(challenge)(x, t, estimates, used).reshape(shape)
    after = torch.cat([x.reshape(shape)[1:], value[None]])
    moved = after - results
    inside = float(shift.abs().max()) > 1e-9
    clamped = float(after.abs().max()) <= 1 + 1e-9 and float(results.abs().max()) > 1 + 1e-6
    if inside:
        along, free = -shift, torch.ones_like(after)  # a lower noise estimate is a higher x
    else:
        along, free = moved, (after.abs() < 1 - 1e-6).double()  # where a clamp hides nothing
    weight = (gradient.square() * free).flatten(1).sum(1)
    factor = (along * gradient * free).flatten(1).sum(1) / weight.clamp(min=1e-12)
    return Guidance(moved, inside, clamped, factor)


def require_flow(judge: Judge) -> Guidance:
    """Fail unless each step calls each function once, as the text says; return the guidance of the sampler."""
    judge.tensor("main/value", SHAPE, "The sample")
    for stub, words in STUBS.items():
        count = judge.value(f"main/{stub}/count", int)
        judge.require(
            count == STEPS,
            "wrong_number_of_calls",
            f"Your sampler calls {words} {count} times, and the schedule has {STEPS} steps.",
        )
    x = judge.tensor("main/steps/x", ALL_STEPS, "The x of the steps").reshape(STEPS, *SHAPE)
    t = judge.tensor("main/steps/t", ALL_STEPS[:1], "The t of the steps").reshape(STEPS, SHAPE[0])
    judge.require(
        torch.equal(t, ORDER[:, None].expand_as(t)),
        "wrong_order",
        "Your steps do not go from t = T - 1 down to t = 0, one by one.",
    )
    for stub in STUBS:
        judge.require(
            not judge.tensor(f"main/{stub}/t").is_floating_point(),
            "time_not_integer",
            "Your t are floating-point numbers. A step is an index into the schedule, so it is an integer.",
        )
    require_unchanged(judge, "main/inputs_kept")
    require_given_tensors(judge, x, t)
    return read_guidance(judge)


def require_given_tensors(judge: Judge, x: Tensor, t: Tensor) -> None:
    """Fail unless all functions of a step receive its noise, the labels, and the same x and t."""
    shape, inputs = (STEPS, *SHAPE), Inputs.of(judge.challenge)
    used = judge.tensor("main/steps/noise", ALL_STEPS, "The noise of the steps").reshape(shape)
    judge.require(
        judge.close(used, inputs.noises[ORDER]),
        "wrong_noise",
        "Your steps use other noise than the given one. Step t has to use `noises[t]`.",
    )
    judge.require(
        torch.equal(judge.tensor("main/gradients/y", ALL_STEPS[:1], "The labels"), inputs.y.repeat(STEPS)),
        "wrong_labels",
        "classifier_gradient receives other labels than y.",
    )
    x_of_gradients = judge.tensor("main/gradients/x", ALL_STEPS, "The x of classifier_gradient").reshape(shape)
    x_of_model = judge.tensor("main/model/x", ALL_STEPS, "The x of the model").reshape(shape)
    judge.require(
        judge.close(x_of_gradients, x_of_model) and judge.close(x_of_model[0], inputs.x) and judge.close(x_of_model, x),
        "other_x",
        "The model, classifier_gradient and ddpm_step do not receive the same x in the same step.",
    )
    for stub in ("model", "gradients"):
        judge.require(
            torch.equal(judge.tensor(f"main/{stub}/t", ALL_STEPS[:1]).reshape(t.shape), t),
            "other_t",
            "The model, classifier_gradient and ddpm_step do not receive the same t in the same step.",
        )


def judge_glue(judge: Judge) -> None:
    """Judge three of the four bugs, which can be seen without the answer. The check and the grader both call this."""
    with judge.part("inside", 0.5):
        guidance = require_flow(judge)
        judge.require(
            guidance.inside,
            "guidance_outside",
            "You add guidance to x after the step, while ddpm_step still gets the model's plain estimate. "
            "Put it into the estimate: otherwise the step is computed for another x than the one it moves.",
        )
        judge.require(
            guidance.clamped or float(guidance.moved.abs().max()) < 1e-9,
            "guidance_twice",
            "Guidance is in the noise estimate, and x is moved again after the step.",
        )
        judge.device()
    with judge.part("clamp", 0.5):
        judge.require(
            not require_flow(judge).clamped,
            "clamped",
            "x is still cut off at -1 and 1 after each step. Sampling starts from pure noise, "
            "and a third of its pixels lie outside.",
        )
    with judge.part("sign", 0.5):
        factor = require_flow(judge).factor
        judge.require(float(factor.abs().max()) > 1e-9, "unguided", "The gradient has no effect on your samples.")
        judge.require(
            (factor >= 0).all(),
            "wrong_sign",
            "Your guidance moves away from the class: log p(y | x) falls as w rises. "
            "Remember that score and noise have opposite signs.",
        )


def check(judge: Judge) -> None:
    """Judge the public challenge: the requirements, and the factors of the gradient below."""
    judge_glue(judge)
    with judge.part("sigma", 0.5):
        guidance = require_flow(judge)
        known = [FACTORS["inside"]] if guidance.inside else [FACTORS["inside"], FACTORS["outside"]]
        factor, rtol = guidance.factor.abs(), max(guidance.rtol, 1e-5)
        judge.require(
            any(judge.close(factor, torch.tensor(numbers, dtype=torch.float64), rtol) for numbers in known),
            "wrong_sigma",
            "The factor of the gradient is not w times the right sigma. "
            "It should fall from step to step as the noise in x_t does: which of the three sigmas is that?",
        )


# The size of the factor at T - 1, …, 0: in the noise estimate, and as the shift of x that the same guidance makes.
# From the oracle in tests/exercises/lab3.
FACTORS = {
    "inside": (1.0229645, 0.9987047, 0.9505144, 0.8421814, 0.7228228, 0.3301524),
    "outside": (0.0446367, 0.0823557, 0.1586239, 0.1397558, 0.2739348, 0.0653625),
}

EXERCISE = Exercise(
    "lab3.spot_the_bugs",
    points=2,
    title="Four faults in a plausible sampler",
    names=("guided_sampler",),
    probe=probe,
    public=check,
    version=2,
)
