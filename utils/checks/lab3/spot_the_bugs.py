"""Exercise 3.7, repair the sampler: `guided_sampler`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.copies import copied, unchanged
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.lab3.sampler_guidance import Guidance, read_guidance
from utils.checks.lab3.spot_the_bugs_inputs import (
    RUNS,
    STEPS,
    Inputs,
    SamplerStubs,
    as_function,
)
from utils.checks.student import Student

ORDER = torch.arange(STEPS - 1, -1, -1)
SINGLE = 1e-5  # relative: x may go through float32
RTOL = 1e-4  # of a factor: float32 rounds it to 1e-6
ALIGNED = 0.8  # the least cosine from which guidance that is not a multiple of the gradient has a sign
NOISE_MATTERS = 1e-3  # relative: what of the guidance may lie beside the gradient
STUBS = {
    # evidence: how a message names the function
    "model": "the model",
    "gradients": "classifier_gradient",
    "steps": "ddpm_step",
}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Run the sampler with recording stubs, at several scales."""
    names = ("x", "y", "w", "model", "classifier", "schedule", "classifier_gradient", "ddpm_step", "noises")
    guided_sampler = student.function("guided_sampler", *names)

    def sample(run: str, inputs: Inputs, stubs: SamplerStubs) -> object:
        return guided_sampler(
            inputs.x, inputs.y, RUNS[run].w, stubs.given_model, stubs.classifier, inputs.schedule,
            as_function(stubs.classifier_gradient), as_function(stubs.ddpm_step), inputs.noises,
        )  # fmt: skip

    for run in RUNS:
        inputs, stubs = Inputs.of(challenge, run), SamplerStubs(challenge, run)
        with evidence.attempt(run):
            copies = Inputs(*map(copied, vars(inputs).values()))
            with watching(evidence, run, x=copies.x, y=copies.y, noises=copies.noises, **stubs.modules):
                value = sample(run, copies, stubs)
            evidence.put(f"{run}/value", value)
            evidence.put(f"{run}/inputs_kept", unchanged(vars(copies).values(), vars(inputs).values()))
        stubs.model.report(evidence, f"{run}/model")
        stubs.gradients.report(evidence, f"{run}/gradients")
        stubs.steps.report(evidence, f"{run}/steps", output="result")
        evidence.put(f"{run}/differentiable", stubs.differentiable)
    with other_device(evidence, challenge) as there:
        stubs = SamplerStubs(there, "main")
        put_device(evidence, sample("main", Inputs.of(there, "main"), stubs))
        evidence.put("device/model_calls", len(stubs.model.calls))


def require_flow(judge: Judge, run: str) -> Guidance:
    """Fail unless each step calls each function once, as the text says; return the guidance of the sampler."""
    form = RUNS[run]
    judge.tensor(f"{run}/value", form.shape, "The sample")
    judge.require(
        judge.evidence.values.get("device/model_calls") != 0,
        "result_kept",
        "In a later call with other inputs your sampler calls no model, and returns a result of an earlier call. "
        "Keep nothing from call to call.",
    )
    stubs = stubs_of(judge, run)
    for stub, words in stubs.items():
        count = judge.value(f"{run}/{stub}/count", int)
        judge.require(
            count == STEPS,
            "wrong_number_of_calls",
            f"Your sampler calls {words} {count} times, and the schedule has {STEPS} steps.",
        )
    x = judge.tensor(f"{run}/steps/x", form.all_steps, "The x of the steps").reshape(STEPS, *form.shape)
    t = judge.tensor(f"{run}/steps/t", form.all_steps[:1], "The t of the steps").reshape(STEPS, form.shape[0])
    judge.require(
        torch.equal(t, ORDER[:, None].expand_as(t)),
        "wrong_order",
        "Your steps do not go from t = T - 1 down to t = 0, one by one.",
    )
    for stub in stubs:
        judge.require(
            not judge.tensor(f"{run}/{stub}/t").is_floating_point(),
            "time_not_integer",
            "Your t are floating-point numbers. A step is an index into the schedule, so it is an integer.",
        )
    require_nothing_left(judge, [run])
    judge.require(
        judge.value(f"{run}/differentiable", bool),
        "inference_mode",
        "You call classifier_gradient in inference mode, where nothing can be differentiated: the one of 3.4 raises an "
        "error there. `torch.no_grad` does not disturb it.",
    )
    require_unchanged(judge, f"{run}/inputs_kept")
    require_given_tensors(judge, run, x, t)
    guidance = read_guidance(judge, run)
    judge.require(
        guidance.start_ends or judge.close(x[0], Inputs.of(judge.challenge, run).x),
        "other_start",
        "Your first step starts from another x than the given one.",
    )
    return guidance


def stubs_of(judge: Judge, run: str) -> dict[str, str]:
    """Return the functions that a step has to call in a run: at w = 0 a sampler may do without the gradient."""
    idle = RUNS[run].w == 0 and judge.value(f"{run}/gradients/count", int) == 0
    return {stub: words for stub, words in STUBS.items() if stub != "gradients" or not idle}


def require_given_tensors(judge: Judge, run: str, x: Tensor, t: Tensor) -> None:
    """Fail unless all functions of a step receive its noise, the labels, and the same x and t.

    The noise at t = 0 may be any, because a DDPM step does not use it there.
    """
    form, inputs = RUNS[run], Inputs.of(judge.challenge, run)
    shape = (STEPS, *form.shape)
    used = judge.tensor(f"{run}/steps/noise", form.all_steps, "The noise of the steps").reshape(shape)
    judge.require(
        judge.close(used[:-1], inputs.noises[ORDER[:-1]]),
        "wrong_noise",
        "Your steps use other noise than the given one. Step t has to use `noises[t]`.",
    )
    for stub in stubs_of(judge, run):
        judge.require(
            judge.close(judge.tensor(f"{run}/{stub}/x", form.all_steps, f"The x of {STUBS[stub]}").reshape(shape), x),
            "other_x",
            "The model, classifier_gradient and ddpm_step do not receive the same x in the same step.",
        )
        judge.require(
            torch.equal(judge.tensor(f"{run}/{stub}/t", form.all_steps[:1]).reshape(t.shape), t),
            "other_t",
            "The model, classifier_gradient and ddpm_step do not receive the same t in the same step.",
        )
        judge.require(
            stub != "gradients" or torch.equal(judge.tensor(f"{run}/gradients/y"), inputs.y.repeat(STEPS)),
            "wrong_labels",
            "classifier_gradient receives other labels than y.",
        )


def is_equivalent(judge: Judge, guidance: Guidance, shift: Tensor, blur: float) -> bool:
    """Return whether guidance after the step moves x exactly as far as right guidance in the noise estimate does."""
    seen = guidance.readable
    exact = guidance.beside < NOISE_MATTERS
    return exact and judge.close(guidance.factor[seen], shift[seen], RTOL, blur)


def judge_glue(judge: Judge, shifts: Callable[[str], Tensor]) -> None:
    """Judge three of the four bugs. The check and the grader both call this.

    Args:
        judge: The judge of the exercise.
        shifts: Returns how far right guidance moves x in each step of a run, as factors of the gradient, (STEPS,).
    """
    with judge.part("inside", 0.5):
        for run in RUNS:
            guidance = require_flow(judge, run)
            if not is_unguided(run, guidance):
                judge_inside(judge, run, guidance, shifts(run))
            elif run == "main":
                fail_unguided(judge, run)
        judge.device()
    with judge.part("clamp", 0.5):
        for run in RUNS:
            guidance = require_flow(judge, run)
            judge.require(
                not guidance.clamped,
                "clamped",
                "x is still kept between -1 and 1 after a step. Sampling starts from pure noise, "
                "and a third of its pixels lie outside."
                if guidance.ends in ((), (-1, 1))
                else f"x is cut off at {in_words(guidance.ends)} after a step. Leave x as ddpm_step returns it.",
            )
            judge.require(
                not guidance.start_ends,
                "clamped",
                f"x is cut off at {in_words(guidance.start_ends)} before the first step. "
                "Sampling starts from pure noise: leave it as it is given.",
            )
    with judge.part("sign", 0.5):
        for run, form in RUNS.items():
            guidance = require_flow(judge, run)
            if form.w == 0:
                continue  # the size of the factor says it all
            if is_unguided(run, guidance):
                fail_unguided(judge, run)
            if abs(guidance.alignment) < ALIGNED:
                require_readable_factor(judge, guidance)
            factor = guidance.factor[guidance.readable]
            judge.require(
                factor.numel() == 0
                or (factor * form.w).median() >= -form.blur,  # what cuts off an estimate turns the sign of single steps
                "wrong_sign",
                "Your guidance moves away from the class: log p(y | x) falls as w rises. "
                "Remember that score and noise have opposite signs."
                if run != "negative"
                else "At a negative w your guidance still moves towards the class. Use w with its sign.",
            )


def in_words(ends: tuple[float, ...]) -> str:
    """Return where x is cut off, as a message says it."""
    return " and ".join(f"{end:.3g}" for end in ends)


def is_unguided(run: str, guidance: Guidance) -> bool:
    """Return whether the gradient has no effect at the scale of a run, and that scale is not 0."""
    readable = guidance.factor[guidance.readable].abs()  # empty where everything is cut off
    nothing = readable.numel() > 0 and float(readable.max()) <= RUNS[run].blur
    return RUNS[run].w != 0 and (guidance.nowhere or nothing)


def fail_unguided(judge: Judge, run: str) -> None:
    """Fail because the gradient has no effect in a run."""
    judge.fail("unguided", f"At w = {RUNS[run].w:g} the gradient has no effect on your samples.")


def judge_inside(judge: Judge, run: str, guidance: Guidance, shift: Tensor) -> None:
    """Fail unless the step is computed for the guided estimate, or moves x exactly as if it were."""
    blur = RUNS[run].blur
    judge.require(
        not (guidance.inside and guidance.beside > NOISE_MATTERS),
        "not_along_gradient" if guidance.limit is None else "estimate_cut_off",
        f"Your noise estimate is cut off at -{guidance.limit:g} and {guidance.limit:g}. Noise knows no bounds."
        if guidance.limit is not None
        else "What you add to the model's estimate is not the gradient times one number in each step.",
    )
    judge.require(
        guidance.inside or is_equivalent(judge, guidance, shift, blur),
        "guidance_outside",
        "You add guidance to x after the step, while ddpm_step still gets the model's plain estimate, and x is "
        "moved by another amount than a guided estimate would move it. Put the guidance into the estimate.",
    )
    judge.require(
        not guidance.inside
        or guidance.clamped
        or float(guidance.moved.abs().max()) < max(blur, SINGLE * guidance.size),
        "guidance_twice",
        "Guidance is in the noise estimate, and x is moved again after the step.",
    )


def require_readable_factor(judge: Judge, guidance: Guidance) -> None:
    """Fail if the gradient has no factor in the noise estimate, because something else than a multiple is added."""
    judge.require(
        not guidance.inside or guidance.limit is not None or guidance.beside <= NOISE_MATTERS,
        "no_factor",
        "The gradient has no single factor in each step, so neither its sigma nor its sign can be told. "
        "Add a multiple of the gradient.",
    )


def guidance_with_a_size(judge: Judge) -> Iterator[tuple[str, Guidance]]:
    """Yield the runs whose guidance has a size to compare. The part `sign` judges those without guidance.

    Args:
        judge: The judge of the exercise.

    Returns:
        Name and guidance of each run.
    """
    for run, form in RUNS.items():
        guidance = require_flow(judge, run)
        if is_unguided(run, guidance):
            if run == "main":
                fail_unguided(judge, run)
            continue
        # At w = 0 something else may move x after the step, which the part `inside` judges.
        if form.w != 0 or guidance.inside or guidance.beside <= NOISE_MATTERS:
            yield run, guidance


def require_same_in_all_steps(judge: Judge, guidance: Guidance, ratio: Tensor) -> None:
    """Fail if the factor of the gradient is right at T - 1, and wrong later.

    Args:
        judge: The judge of the exercise.
        guidance: The guidance of the run.
        ratio: The factor divided by the right one in the readable steps, the noisiest first.
    """
    wrong = (ratio - 1).abs() > 1e-3
    if not guidance.inside or bool(wrong[0]) or not bool(wrong.any()):
        return
    steps = ", ".join(str(step) for step in ORDER[guidance.readable][wrong].tolist())
    ends = dict.fromkeys(f"{float(end):.3g}" for end in (ratio[wrong].min(), ratio[wrong].max()))
    judge.fail(
        "not_in_all_steps",
        f"At t = {STEPS - 1} the size of the gradient's factor is right, but at t = {steps} it is "
        f"{' to '.join(ends)} times the right one. "
        "Is the same formula used in every step, with the same w and without a limit?",
    )


def check(judge: Judge) -> None:
    """Judge the public challenge: the requirements, and the factors of the gradient below."""
    judge_glue(judge, lambda run: RUNS[run].w * public_factors(run)["outside"])
    with judge.part("sigma", 0.5):
        for run, guidance in guidance_with_a_size(judge):
            judge_sigma(judge, run, guidance)


def public_factors(run: str) -> dict[str, Tensor]:
    """Return the factors of `FACTORS` for the schedule of a run."""
    table = FACTORS["hard" if RUNS[run].hard else "made up"]
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in table.items()}


def judge_sigma(judge: Judge, run: str, guidance: Guidance) -> None:
    """Fail unless the size of the factor in a run is the one of the table, or for x the one of published code."""
    w, per_unit = abs(RUNS[run].w), public_factors(run)
    seen = guidance.readable
    betas = Inputs.of(judge.challenge, run).schedule.betas.double()[ORDER]
    known = [per_unit["inside"]] if guidance.inside else [*per_unit.values(), betas]
    factor = guidance.factor.abs()[seen]
    if any(judge.close(factor, w * numbers[seen], RTOL, RUNS[run].blur) for numbers in known):
        return
    require_readable_factor(judge, guidance)
    judge.require(w > 0, "guided_at_0", "At w = 0 the gradient still changes your samples.")
    judge.require(
        float(factor.max() - factor.min()) > 1e-3 * float(factor.max()),
        "sigma_missing",
        f"At w = {w:g} the size of the gradient's factor is {float(factor[0]):.3g} in every step. It should fall from "
        "step to step as the noise in x_t does.",
    )
    judge.require(
        guidance.inside,
        "wrong_sigma",
        "The size of the gradient's factor is not w times the right sigma, which falls from step to step as the noise "
        "in x_t does: which of the three sigmas is that?",
    )
    ratio = factor / (w * per_unit["inside"][seen])
    judge.require(
        float(ratio.max() - ratio.min()) > 1e-3,
        "wrong_scale",
        f"At w = {w:g} the size of the gradient's factor is {float(ratio[0]):.3g} times the right one, "
        "in every step. Is w used as it is given?",
    )
    require_same_in_all_steps(judge, guidance, ratio)
    judge.fail(
        "wrong_sigma",
        f"The size of the gradient's factor is between {float(ratio.min()):.3g} and {float(ratio.max()):.3g} "
        f"times w times the right sigma (at w = {w:g}). "
        "It should fall from step to step as the noise in x_t does: which of the three sigmas is that?",
    )


# The factor of the gradient at T - 1, …, 0 for w = 1: in the noise estimate, and as the shift of x that the same
# guidance makes. By schedule; from the oracle in tests/exercises/lab3.
FACTORS = {
    "made up": {
        "inside": (0.60174382, 0.58747333, 0.55912613, 0.49540084, 0.42518988, 0.1942073),
        "outside": (0.026256881, 0.048444539, 0.093308164, 0.08220928, 0.16113815, 0.038448517),
    },
    "hard": {
        "inside": (0.99999212, 0.999669, 0.99309696, 0.89334033, 0.69915256, 0.0098308417),
        "outside": (6.3260618, 4.3398944, 3.5701398, 0.96248854, 0.68358051, 9.6650119e-05),
    },
}

EXERCISE = Exercise(
    "lab3.spot_the_bugs",
    points=2,
    title="Four faults in a plausible sampler",
    names=("guided_sampler",),
    probe=probe,
    public=check,
    version=7,
)
