"""Exercise 1.6, hidden half: how a guided step goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, evaluated
from autograder.exercises.kits.scales import other_scale
from utils import vp
from utils.checks.judging import Judge, Mistakes
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import require_layout_ignored
from utils.checks.lab1.guided_step import RUNS, Inputs, require_samples_apart, require_states, require_terms
from utils.vp import T_MIN


@dataclass(frozen=True)
class Terms:
    """The arguments of a step in float64, and beta at its time."""

    x: Tensor  # (b, sites, d), as both scores and the noise
    h: Tensor  # (b, 1, 1), as t and beta
    t: Tensor
    beta: Tensor
    score: Tensor
    class_score: Tensor
    w: float
    noise: Tensor

    @classmethod
    def of(cls, inputs: Inputs) -> Terms:
        """Return the terms of one run."""
        doubles = {name: tensor.double() for name, tensor in inputs.tensors().items()}
        return cls(w=inputs.w, beta=vp.beta(doubles["t"]), **doubles)

    @property
    def guided(self) -> Tensor:
        """The guided score."""
        return self.score + self.w * (self.class_score - self.score)

    @property
    def kick(self) -> Tensor:
        """The standard deviation of the noise in one step."""
        return torch.sqrt(self.beta * self.h)

    def step(self, score: Tensor | None = None, kick: Tensor | None = None, drift: Tensor | None = None) -> Tensor:
        """Return the new x, with another score, size of the noise or drift if they are given."""
        if drift is None:
            drift = self.beta * self.x / 2 + self.beta * (self.guided if score is None else score)
        return self.x + drift * self.h + (self.kick if kick is None else kick) * self.noise


def one(s: Terms) -> Tensor:
    """A factor of 1 for each sample."""
    return torch.ones_like(s.h)


MISTAKES_OF_STEPS = [
    Mistake(
        "noise_times_h",
        lambda s: s.step(kick=s.beta.sqrt() * s.h),
        "You multiply the noise by sqrt(beta) h. Its *variance* grows with h, so its size is sqrt(beta h).",
    ),
    Mistake(
        "no_root",
        lambda s: s.step(kick=s.beta * s.h),
        "You multiply the noise by beta h, which is its variance. Take the square root.",
    ),
    Mistake(
        "noise_without_beta",
        lambda s: s.step(kick=s.h.sqrt()),
        "You multiply the noise by sqrt(h) only. It comes in at the rate beta.",
    ),
    Mistake(
        "noise_unscaled",
        lambda s: s.step(kick=one(s)),
        "You add the noise at full size. A short step brings little noise: sqrt(beta h).",
    ),
    Mistake(
        "noise_missing",
        lambda s: s.step(kick=0 * s.h),
        "The noise is missing. An equation without noise exists, but it has half the score.",
    ),
    Mistake(
        "noise_subtracted",
        lambda s: s.step(kick=-s.kick),
        "You subtract the noise. The result has the same distribution, but this noise was given: add it.",
    ),
    Mistake(
        "noise_doubled",
        lambda s: s.step(kick=torch.sqrt(2 * s.beta * s.h)),
        "The noise is too large by a factor sqrt(2). It is sqrt(beta h); the 2 belongs to Langevin dynamics.",
    ),
    Mistake(
        "forward_drift",
        lambda s: s.step(drift=-s.beta * s.x / 2 + s.beta * s.guided),
        "The drift has the sign of the forward equation, where x shrinks. Back in time x grows: + beta x / 2.",
    ),
    Mistake(
        "wrong_sign",
        lambda s: s.step(score=-s.guided),
        "The score has the wrong sign, so you walk away from the data.",
    ),
    Mistake(
        "ode_half",
        lambda s: s.step(score=s.guided / 2),
        "You multiply the score by beta / 2. That is right for the flow without noise; with noise the factor is beta.",
    ),
    Mistake(
        "drift_not_halved",
        lambda s: s.step(drift=s.beta * s.x + s.beta * s.guided),
        "The linear drift is beta x, which is twice too much.",
    ),
    Mistake(
        "no_linear_drift",
        lambda s: s.step(drift=s.beta * s.guided),
        "The term beta x / 2 is missing. It undoes the shrinking of the data.",
    ),
    Mistake(
        "score_without_beta",
        lambda s: s.step(drift=s.beta * s.x / 2 + s.guided),
        "The score is not multiplied by beta.",
    ),
    Mistake(
        "h_missing",
        lambda s: s.step(drift=(s.beta * s.x / 2 + s.beta * s.guided) / s.h),
        "The drift is not multiplied by the step size h.",
    ),
    Mistake(
        "wrong_time",
        lambda s: replace(s, beta=vp.beta(s.t - s.h)).step(),
        "You use beta at t - h, but the step uses the rate at the time where it starts.",
    ),
    Mistake(
        "forwards",
        lambda s: s.step(drift=-(s.beta * s.x / 2 + s.beta * s.guided)),
        "Your step has a negative size: it goes from data to noise.",
    ),
]

MISTAKES_OF_GUIDANCE = [
    Mistake(
        "scales_swapped",
        lambda s: s.step(s.class_score + s.w * (s.score - s.class_score)),
        "The two scores have each other's weight. What must be left at w = 0, and what at w = 1?",
    ),
    Mistake(
        "other_convention",
        lambda s: s.step((1 + s.w) * s.class_score - s.w * s.score),
        "You use (1 + w) class score - w score. In this course w = 1 is the plain conditional score.",
    ),
    Mistake(
        "not_extrapolated",
        lambda s: s.step(s.score + s.w * s.class_score),
        "You add w times the class score to the score. The classifier's gradient is the *difference* of the two.",
    ),
    Mistake(
        "difference_only",
        lambda s: s.step(s.w * (s.class_score - s.score)),
        "You use only the difference of the scores. The score itself is missing.",
    ),
    Mistake("unguided", lambda s: s.step(s.score), "The guidance scale has no effect."),
    Mistake(
        "unguided",
        lambda s: s.step(s.class_score),
        "The guidance scale has no effect: you always use the class score.",
    ),
    Mistake(
        "scale_on_everything",
        lambda s: s.step(s.w * s.class_score),
        "You multiply the whole conditional score by w.",
    ),
    Mistake(
        "wrong_difference",
        lambda s: s.step(s.score - s.w * (s.class_score - s.score)),
        "The difference of the scores has the wrong sign, so the step avoids the class.",
    ),
    Mistake(
        "scale_clipped",
        lambda s: s.step(s.score + min(max(s.w, 0.0), 1.0) * (s.class_score - s.score)),
        "You limit the guidance scale to [0, 1], but guidance begins beyond 1.",
    ),
    Mistake(
        "drift_guided_twice",
        lambda s: s.step(drift=s.w * s.beta * s.x / 2 + s.beta * s.guided),
        "You multiply the linear drift by w as well. Only the difference of the scores is multiplied by w.",
    ),
]

# In these runs mistakes of the guidance can look like each other, so only mistakes of the step are tried.
# They come last.
PLAIN = ("equal", "w0", "w1")


TOLERANCE = 1e-5  # relative; float32 inside is right


def verdict(judge: Judge) -> None:
    """Compare every run with one step of the reverse equation."""
    with judge.part("step", points=3):
        states = require_states(judge)
        for run in sorted(RUNS, key=PLAIN.__contains__):
            terms = Terms.of(Inputs.of(judge.challenge, run))
            judge.compare(
                states[run],
                terms.step(),
                partial(mistakes_in, run, states[run], terms),
                (
                    "wrong_step",
                    f"Your step is not x + (beta x / 2 + beta s_w) h + sqrt(beta h) noise (seen {RUNS[run].where}). "
                    "Try it with noise 0, and then with h = 0: which of the terms is wrong?",
                ),
                TOLERANCE,
            )
            require_unchanged(judge, f"{run}/inputs_kept")
        require_layout_ignored(judge, "w3")
        require_samples_apart(judge, states)
        require_terms(judge)
        judge.device()


def mistakes_in(run: str, state: Tensor, terms: Terms) -> Mistakes:
    """Return code, message and new x of each mistake that is tried in a run, the most specific first."""
    if run in PLAIN:
        return list(evaluated(MISTAKES_OF_STEPS, terms))
    mistakes = list(evaluated([*MISTAKES_OF_STEPS, *MISTAKES_OF_GUIDANCE], terms))
    if run != "w3":  # that run comes first, so the step is known to be right at w = 3
        unguided, conditional = terms.step(terms.score), terms.step(terms.class_score)
        mistakes.insert(0, other_scale(state, unguided, conditional - unguided, terms.w))
    message = "Your step that ends at the last time leaves the noise out, but it is a step like the others."
    early = (terms.t - terms.h > 1.5 * T_MIN).double()
    mistakes.insert(0, ("no_noise_at_the_end", message, terms.step(kick=early * terms.kick)))
    return mistakes
