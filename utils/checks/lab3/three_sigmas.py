"""The part `three_sigmas` of exercise 3.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.batches import BATCHES, draw_steps
from utils.checks.kits.copies import copied, unchanged
from utils.checks.kits.factors import Place, relation
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.second_schedule import SECOND, require_given_schedule, schedule_of_run
from utils.checks.kits.step_functions import FLAT, RTOL
from utils.checks.student import Student
from utils.diffusion import Schedule

SIGMAS = ("step", "total", "posterior")  # as `three_sigmas` returns them
# The run: the batch from which its steps come. "part" leaves t = 0 and T - 1 out.
RUNS = {run: run for run in ("images", SECOND, "again", "single", "one", "zero", "together")}
RUNS |= {"part": "images", "reversed": "images", "repeat": "images"}
SPECIAL = 2  # the first steps of "images"
WHERE = {
    "images": "in a batch of different t",
    SECOND: "with a second schedule of as many steps",
    "again": "with another schedule",
}  # how a message names a run, if not as its batch
# Of `step` at t = 0, below which a posterior counts as 0: the root of what a dtype's rounding leaves of 0.
ZERO = {torch.float64: 1e-5, torch.float32: 0.02}

Sigmas = Mapping[str, Tensor]
Explain = Callable[[str, str, Sigmas, Callable[[Tensor], bool]], None]


def inputs_of(challenge: Challenge, run: str) -> tuple[Tensor, Schedule]:
    """Return t and the schedule of a run of `RUNS`."""
    t, schedule = draw_steps(challenge, RUNS[run]), schedule_of_run(challenge, RUNS[run])
    return t.flip(0) if run == "reversed" else t[SPECIAL:] if run == "part" else t, schedule


def probe_sigmas(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `three_sigmas` on several batches of steps, and on another device."""
    for run in RUNS:
        name = f"{run}_sigmas"
        with evidence.attempt(name):
            three_sigmas = student.function("three_sigmas", "t", "schedule")
            given = inputs_of(challenge, run)
            copies = [copied(thing) for thing in given]
            with watching(evidence, name):
                step, total, posterior = three_sigmas(*copies)
            evidence.put(f"{name}/inputs_kept", unchanged(copies, given))
            for label, value in zip(SIGMAS, (step, total, posterior)):
                evidence.put(f"{name}/{label}", value)
    with other_device(evidence, challenge, "device_sigmas") as there:
        put_device(evidence, student["three_sigmas"](*inputs_of(there, "single")), "device_sigmas")


def require_sigma(judge: Judge, run: str, label: str) -> Tensor:
    """Return one of the three sigmas of a run; fail unless it is a tensor of shape (b,)."""
    name, what = f"{run}_sigmas/{label}", f"The sigma called '{label}'"
    if judge.kind(name) == "array":
        judge.fail("not_a_tensor", f"{what} is a NumPy array, where a tensor was asked for.")
    size = BATCHES[RUNS[run]].shape[0] - (SPECIAL if run == "part" else 0)
    value = judge.tensor(name, (size,), what)
    judge.require_precision(name, torch.float32, what)
    return value


def require_sound(judge: Judge) -> None:
    """Fail unless all sigmas have the right form, and depend on their own t alone."""
    for run in RUNS:
        for label in SIGMAS:
            require_sigma(judge, run, label)
        require_unchanged(judge, f"{run}_sigmas/inputs_kept")
    require_nothing_left(judge, [f"{run}_sigmas" for run in RUNS])
    for label in SIGMAS:
        first, again, turned, part = (
            require_sigma(judge, run, label) for run in ("images", "repeat", "reversed", "part")
        )
        judge.require(
            judge.close(again, first, 1e-6)
            and judge.close(turned.flip(0), first, 1e-6)
            and judge.close(part, first[SPECIAL:], 1e-6),
            "samples_mixed",
            f"The sigma called '{label}' depends on the order of t, on the other t of the batch, or on an earlier "
            "call. Each number may depend on its own t only.",
        )


def agree(actual: Tensor, expected: Tensor, t: Tensor, schedule: Schedule) -> bool:
    """Return whether sigmas, (b,), are the expected ones to the precision of float32."""
    left = 1 - schedule.alpha_bars.double()
    least = torch.minimum(left[t], left[(t - 1).clamp(min=0)])
    zero = ZERO[schedule.betas.dtype]
    near_zero = torch.where(expected == 0, zero * schedule.betas.double()[t].sqrt(), 0.0)
    return bool(((actual - expected).abs() <= (RTOL + 2 * FLAT / least) * expected + near_zero).all())


def public_sigmas(run: str) -> Sigmas:
    """Return the right sigmas of a run of the public challenge, (b,) each."""
    return {label: torch.tensor(values).double() for label, values in NUMBERS[run].items()}


def judge_sigmas(
    judge: Judge, sigmas_of: Callable[[str], Sigmas] | None = None, explain: Explain | None = None
) -> None:
    """Fail unless the three sigmas are right. The check and the grader both call this.

    Args:
        judge: The judge of the exercise.
        sigmas_of: Returns the right sigmas of a run, (b,) each; without it, the public ones.
        explain: Fails with a known mistake that explains a wrong sigma, if there is one.
    """
    sigmas_of = sigmas_of or public_sigmas

    def is_right(run: str, label: str) -> bool:
        return agree(require_sigma(judge, run, label), sigmas_of(run)[label], *inputs_of(judge.challenge, run))

    require_sound(judge)
    runs = [run for run in RUNS if run in BATCHES]
    for run in runs:
        t, schedule = inputs_of(judge.challenge, run)
        right = sigmas_of(run)
        special = {"0": ("0", 0), "1": ("1", 1), "last": ("T - 1", schedule.steps - 1)}
        places = [Place(code, f"at t = {words}", t == step) for code, (words, step) in special.items()]
        for label in SIGMAS:
            actual = require_sigma(judge, run, label)
            if is_right(run, label):
                continue
            if explain is not None:
                explain(run, label, right, lambda wrong: agree(actual, wrong, t, schedule))  # noqa: B023
            require_given_schedule(judge, "three_sigmas", run, runs, partial(is_right, label=label))
            first = {label: right[label], **right}
            code, sentence = relation(label, actual, first, right["total"], places)
            sentence = sentence.replace("The factor of", "Your sigma").replace("factor", "sigma")
            judge.fail(f"{label}_{code}", f"{sentence} (Seen {WHERE.get(run, BATCHES[run].where)}.)")
    judge.device("device_sigmas")


# The right sigmas of each sample, from the oracle in tests/exercises/lab3: conditioning of Gaussians.
NUMBERS: dict[str, dict[str, tuple[float, ...]]] = {
    "images": {
        "step": (0.0089719532, 0.82725109, 0.48009457, 0.72284959, 0.67063221, 0.85266071),
        "total": (0.0089719532, 0.99999196, 0.48015907, 0.79536017, 0.89321669, 0.97201613),
        "posterior": (0.0, 0.82723667, 0.0089707479, 0.43638442, 0.59716098, 0.78353717),
    },
    "points": {
        "step": (0.21649287, 0.36711691, 0.36998217, 0.25918218, 0.48644425),
        "total": (0.88019293, 0.36711691, 0.50320248, 0.829561, 0.79142007),
        "posterior": (0.21493963, 0.0, 0.26992457, 0.25491843, 0.43917032),
    },
    "again": {
        "step": (0.98711686, 0.60924188, 0.0089674047, 0.95685669, 0.68219097, 0.82370206),
        "total": (0.99998216, 0.60928338, 0.0089674047, 0.99930294, 0.81476856, 0.99171202),
        "posterior": (0.98644638, 0.0089667939, 0.0, 0.94958821, 0.51014194, 0.80898297),
    },
    "single": {
        "step": (0.0096537812, 0.011052844, 0.14273924, 0.062423128, 0.088506902, 0.034313216, 0.11643055, 0.112711),
        "total": (0.0096537812, 0.01467479, 0.99998332, 0.56002948, 0.88385813, 0.1842701, 0.99472926, 0.99079554),
        "posterior": (0.0, 0.0072710913, 0.14273919, 0.062155354, 0.088408992, 0.033732931, 0.11642205, 0.11269747),
    },
    "one": {"step": (0.98711686,), "total": (0.99998216,), "posterior": (0.98644638,)},
    "zero": {"step": (0.0089719532,), "total": (0.0089719532,), "posterior": (0.0,)},
    "together": {
        "step": (0.0089719532, 0.0089719532, 0.0089719532),
        "total": (0.0089719532, 0.0089719532, 0.0089719532),
        "posterior": (0.0, 0.0, 0.0),
    },
}
