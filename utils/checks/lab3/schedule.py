"""Exercise 3.1, schedule and noise: `linear_schedule`, `add_noise` and `three_sigmas`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.batches import BATCHES, draw_batch, draw_steps
from utils.checks.kits.copies import call_with_copies, copied, unchanged
from utils.checks.kits.projections import require_projection
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.schedules import made_up_schedule
from utils.checks.student import Student
from utils.diffusion import Schedule

LENGTHS = {"long": 1000, "short": 37}  # attempt: the T of `linear_schedule`
FIELDS = Schedule._fields
SIGMA_RUNS = ("points", "one")
SIGMAS = ("step", "total", "posterior")  # as `three_sigmas` returns them


@dataclass(frozen=True)
class Inputs:
    """The inputs of `add_noise` in one run; `three_sigmas` gets the same t and schedule."""

    x0: Tensor  # (b, …) data
    t: Tensor  # (b,) steps, integers
    noise: Tensor  # (b, …)
    schedule: Schedule

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `BATCHES`."""
        return cls(
            x0=draw_batch(challenge, run, "x0"),
            t=draw_steps(challenge, run),
            noise=draw_batch(challenge, run, "noise"),
            schedule=made_up_schedule(challenge, BATCHES[run].dtype),
        )


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Make two schedules; then noise batches and look up sigmas on another schedule."""
    linear_schedule = student.function("linear_schedule", "T")
    for name, steps in LENGTHS.items():
        with evidence.attempt(name):
            schedule = linear_schedule(steps)
            betas, alphas, alpha_bars = schedule
            for field, values in zip(FIELDS, (betas, alphas, alpha_bars)):
                evidence.put(f"{name}/{field}", values)
            evidence.put(f"{name}/has_fields", all(hasattr(schedule, field) for field in FIELDS))
    for run in BATCHES:
        with evidence.attempt(f"{run}_noised"):
            add_noise = student.function("add_noise", "x0", "t", "noise", "schedule")
            call_with_copies(evidence, f"{run}_noised", add_noise, vars(Inputs.of(challenge, run)))
    for run in SIGMA_RUNS:
        with evidence.attempt(f"{run}_sigmas"):
            three_sigmas = student.function("three_sigmas", "t", "schedule")
            inputs = Inputs.of(challenge, run)
            given = inputs.t, inputs.schedule
            copies = [copied(thing) for thing in given]
            step, total, posterior = three_sigmas(*copies)
            evidence.put(f"{run}_sigmas/inputs_kept", unchanged(copies, given))
            for label, value in zip(SIGMAS, (step, total, posterior)):
                evidence.put(f"{run}_sigmas/{label}", value)
    with evidence.attempt("device"):
        inputs = Inputs.of(challenge.on("meta"), "single")
        student["add_noise"](**vars(inputs))
        student["three_sigmas"](inputs.t, inputs.schedule)


def require_fields(judge: Judge, name: str) -> dict[str, Tensor]:
    """Return the three fields of a schedule; fail unless each is a tensor of shape (T,)."""
    return {field: judge.tensor(f"{name}/{field}", (LENGTHS[name],), f"The field `{field}`") for field in FIELDS}


def require_noised(judge: Judge, run: str) -> Tensor:
    """Return the noised sample of a run; fail unless it has the shape of x0."""
    return judge.tensor(f"{run}_noised/value", BATCHES[run].shape, "The noised sample")


def require_sigma(judge: Judge, run: str, label: str) -> Tensor:
    """Return one of the three sigmas of a run; fail unless its shape is (b,)."""
    return judge.tensor(f"{run}_sigmas/{label}", BATCHES[run].shape[:1], f"The sigma called '{label}'")


def check(judge: Judge) -> None:
    """Judge the public challenge by known properties, and by the projections below."""
    with judge.part("schedule", 0.5):
        for name in LENGTHS:
            check_schedule(judge, name)
        if not judge.value("long/has_fields", bool):
            judge.note(
                "fields_without_names",
                "Your function returns a tuple whose fields have no names. The grader accepts it, but later cells read "
                "`schedule.alpha_bars`: return a `Schedule`.",
            )
    with judge.part("noise", 1):
        for run in BATCHES:
            require_noised(judge, run)
            require_unchanged(judge, f"{run}_noised/inputs_kept")
        for run, batch in BATCHES.items():
            require_projection(
                judge, f"{run}_noised", require_noised(judge, run), NOISED[run],
                ("wrong_mixture", f"Data and noise are not mixed as in the formula for x_t (seen {batch.where}). "
                 "Compare the variance of each of the two terms with that formula."),
            )  # fmt: skip
        judge.device()
    with judge.part("sigmas", 0.5):
        check_sigmas(judge)


def check_schedule(judge: Judge, name: str) -> None:
    """Require properties of one schedule: its ends, its spacing, and how its three fields are related."""
    fields, steps = require_fields(judge, name), LENGTHS[name]
    betas, alphas, alpha_bars = fields["betas"], fields["alphas"], fields["alpha_bars"]
    judge.require(
        abs(float(betas[0]) - 1e-4) < 3e-7 and abs(float(betas[-1]) - 0.02) < 1e-5,
        "wrong_ends",
        f"Your betas go from {betas[0]:.6g} to {betas[-1]:.6g}, and should go from 0.0001 to 0.02.",
    )
    spacing = betas.diff()
    judge.require(
        (spacing / spacing.mean() - 1).abs().max() < 0.05,
        "wrong_betas",
        "Your betas start and end where they should, but they are not equally spaced in between.",
    )
    judge.require((alphas + betas - 1).abs().max() < 2e-6, "wrong_alphas", "Your alphas and betas do not add up to 1.")
    judge.require(
        (alpha_bars.diff() < 0).all(),
        "not_falling",
        "Your alpha_bars do not fall from step to step. Each step adds noise, so each leaves less of the data.",
    )
    judge.require(
        name != "long" or alpha_bars[-1] < 1e-3,
        "data_left",
        f"After all 1,000 steps {float(alpha_bars[-1]):.3g} of the data's variance is left. "
        "It should be almost nothing.",
    )
    require_projection(
        judge, f"{name} alpha_bars", alpha_bars, ALPHA_BARS[name],
        ("wrong_alpha_bars", f"Your alpha_bars are not the running products of the alphas (seen for T = {steps}). "
         "Compute the first two by hand."),
    )  # fmt: skip


def check_sigmas(judge: Judge) -> None:
    """Require properties of the three sigmas: their order, their values at t = 0, and how they are related."""
    for run in SIGMA_RUNS:
        for label in SIGMAS:
            require_sigma(judge, run, label)
        require_unchanged(judge, f"{run}_sigmas/inputs_kept")
    t = Inputs.of(judge.challenge, "points").t
    sigmas = {label: require_sigma(judge, "points", label) for label in SIGMAS}
    step, total, posterior = sigmas.values()
    judge.require(
        abs(float(posterior[t == 0].max())) < 1e-9,
        "posterior_at_zero",
        "Your posterior's sigma is not 0 at t = 0. Before step 0 there is only the data, without noise.",
    )
    judge.require(
        (posterior <= step + 1e-9).all() and (step <= total + 1e-9).all(),
        "wrong_order",
        "At every t the sigmas satisfy posterior <= step <= total, and yours do not. "
        "Either two of them are swapped, or one is a variance.",
    )
    for label, value in sigmas.items():
        require_projection(
            judge, f"{label} sigma", value, SIGMA_PROJECTIONS[label],
            ("wrong_sigma", f"The sigma called '{label}' differs from the table in the text. Compute it by hand "
             "for t = 0 and t = 1."),
        )  # fmt: skip


# From the oracle in tests/exercises/lab3: one noising step after another, and conditioning of Gaussians.
ALPHA_BARS = {"long": 0.0104930, "short": 0.0540381}
NOISED = {
    "images": -0.0250919,
    "points": -0.4288668,
    "square": 0.0189547,
    "one": -0.1838866,
    "single": -0.2072303,
    "strided": -0.0296968,
}
SIGMA_PROJECTIONS = {"step": -0.0422738, "total": 0.0990704, "posterior": -0.0597271}

EXERCISE = Exercise(
    "lab3.schedule",
    points=2,
    title="Noise, step by step, and in one jump",
    names=("linear_schedule", "add_noise", "three_sigmas"),
    probe=probe,
    public=check,
    version=2,
)
