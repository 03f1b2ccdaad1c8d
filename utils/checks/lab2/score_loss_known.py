"""Exercise 2.3: losses that are known beforehand, because all atoms are pushed by the same distance."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from utils.atoms import SIGMA_MIN
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits import regression_loss as regression
from utils.checks.kits.requirements import require_gradient
from utils.checks.lab2.score_loss_stubs import (
    LARGEST_SIGMA,
    ConstantModel,
    PushBySigma,
    PushByTwoSigmas,
    PushEitherWay,
    PushForward,
    SideModel,
    StubAtoms,
    TwoTimesModel,
)

# run: how far atoms are pushed and with which sigma, what the model says of each atom, whether all stay in the cell
PUSHED = {
    "inside": (0.02, 0.01, (1.0, -5.0), True),
    "ideal": (0.02, 0.01, (-2.0, -2.0), False),
    "least": (2 * SIGMA_MIN, SIGMA_MIN, (-2.0, -2.0), False),
    "twice": (0.02, 0.01, (4.0, -8.0), True),
    "halfway": (0.5, 0.35, (0.0, 0.0), False),
    "far": (0.3, 0.35, (0.0, 0.0), False),
    "rare": (0.09, 0.01, (-9.0, -9.0), False),
    "alone": (0.02, 0.01, (1.0, -5.0), True),
    "outlier": (0.02, 0.01, (298.0, -302.0), True),
    "around": (0.96, LARGEST_SIGMA, (0.0, 0.0), False),
    "around_back": (0.04, LARGEST_SIGMA, (0.0, 0.0), False),
}
# run: where the states are, so that no atom crosses the edge and x - x0 is 0.96, or all do and it is -0.96
NEAR_EDGE = {"around": (0.0, 0.04), "around_back": (0.96, 1.0)}
TWO_SIGMAS = "two_sigmas"  # each atom by 0.3, with one of two sigmas
DISTANCE, EARLY_SIGMA, LATE_SIGMA = 0.3, 0.2, 0.4
BATCHES = {"alone": 1}  # 64 in all other runs
VARYING = {"varying": 64, "varying_pair": 2}  # each atom by twice its own sigma; the batch size
UNEVEN, UNEVEN_ERRORS = "uneven", (3.0, 6.0)  # as `two_sigmas`, with a model that is off by these
VARYING_SIGMAS = 0.005, 0.015
LARGE_LOSS = 9e4  # of the run `outlier`, where the model is off by 300
EITHER_WAY = "either_way"  # forward or backward at random

# The loss of a model that says 0 where atoms were pushed by 0.3 and sigma is 0.35, by automatic differentiation of
# log K in float64: tests/exercises/lab2/test_score_loss.py makes this number again.
PUBLIC_LOSS_FAR = 0.155311368
# The same where |x - x0| is 0.96 and sigma is 0.5, and the targets at 0.3 for the two sigmas.
PUBLIC_LOSS_AROUND = 1.22841455e-4
PUBLIC_TARGETS = -1.46653576, -0.208629740
SMALL_TARGET = 0.01  # relative tolerance of that loss: copies cancel but for a hundredth, and so their digits are lost
ROUNDING = 1e-4  # relative: a loss that is right to the precision of float32 is right
SMALL_ERROR = 0.05  # relative error of a target that leaves the loss of 9 unchanged to `ROUNDING`
GROWTH = 0.4  # how far the growth of the gradient may be from 1, where the target varies from sample to sample
SUMS = (2, 64, 128)  # how much faster the gradient grows if atoms, samples or both are summed
ZERO = 1e-7  # a loss of 0 with the rounding of float32 in places and target


def probe_known(Trainer, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the loss where every atom was pushed by the same distance, or forward and backward at random."""
    for run, (distance, sigma, says, inside) in PUSHED.items():
        with evidence.attempt(run):
            model, data = ConstantModel(*says), StubAtoms(challenge, run, torch.float64)
            if inside:
                data.states[:] = 0.2 + 0.6 * data.states
            if run in NEAR_EDGE:
                low, high = NEAR_EDGE[run]
                data.states[:] = low + (high - low) * (0.01 + 0.98 * data.states)
            trainer = Trainer(schedule=PushForward(distance, sigma), model=model, data=data)
            regression.record_loss(evidence, run, trainer.get_train_loss(BATCHES.get(run, 64)), model.values)
    for run, batch in VARYING.items():
        with evidence.attempt(run):
            model, data = ConstantModel(-2.0, -2.0), StubAtoms(challenge, run, torch.float64)
            trainer = Trainer(schedule=PushBySigma(*VARYING_SIGMAS), model=model, data=data)
            regression.record_loss(evidence, run, trainer.get_train_loss(batch_size=batch), model.values)
    for run, errors in {TWO_SIGMAS: (0.0, 0.0), UNEVEN: UNEVEN_ERRORS}.items():
        with evidence.attempt(run):
            pair = TwoTimesModel(*(target + error for target, error in zip(PUBLIC_TARGETS, errors)))
            data = StubAtoms(challenge, run, torch.float64)
            trainer = Trainer(schedule=PushByTwoSigmas(DISTANCE, EARLY_SIGMA, LATE_SIGMA), model=pair, data=data)
            regression.record_loss(evidence, run, trainer.get_train_loss(batch_size=64), pair.values)
            evidence.put(f"{run}/late", pair.late / max(pair.rows, 1))
    with evidence.attempt(EITHER_WAY):
        data = StubAtoms(challenge, EITHER_WAY, torch.float64)
        data.states[:] = data.states[0].clone()
        side = SideModel(data.states[0].clone(), 2.0)
        trainer = Trainer(schedule=PushEitherWay(0.02, 0.01), model=side, data=data)
        regression.record_loss(evidence, EITHER_WAY, trainer.get_train_loss(batch_size=64), side.values)


def check_known_losses(judge: Judge) -> None:
    """Compare losses of constant models: first the reduction, then the target, then the periodic copies."""
    losses = {run: float(regression.require_scalar(judge, run, "atoms")) for run in [*PUSHED, EITHER_WAY]}
    for run in PUSHED:
        require_gradient(judge, f"{run}/loss")
    gradients = {run: judge.tensor(f"{run}/grad", (2,), "The gradient of the model's parameter") for run in PUSHED}
    check_reduction(judge, losses, gradients)
    check_target(judge, losses["inside"], gradients["inside"])
    check_zero(
        judge,
        losses["ideal"],
        "ideal_not_zero",
        "Every atom was pushed forward by 2 sigma, some of them across the cell's edge, and the model returned -2. "
        "Your loss is {loss:.3g}, not 0. Where no atom crosses the edge, your target is right.",
    )
    check_zero(
        judge,
        losses["least"],
        "least_not_zero",
        f"Every atom was pushed forward by 2 sigma, where sigma is {SIGMA_MIN:g}, and the model returned -2. Your loss "
        "is {loss:.3g}, not 0. At sigma = 0.01 it is right.",
    )
    check_zero(
        judge,
        losses["halfway"],
        "halfway_not_zero",
        "Every atom was pushed halfway around the ring, where the pulls to both sides cancel, and the model returned "
        "0. Your loss is {loss:.3g}, not 0: do all periodic copies count, each by its share?",
    )
    judge.require(
        abs(losses["far"] / PUBLIC_LOSS_FAR - 1) < ROUNDING,
        "wrong_loss",
        f"Every atom was pushed by 0.3 where sigma is 0.35, and the model returned 0. Your loss is "
        f"{losses['far']:.7g}, not {PUBLIC_LOSS_FAR:.7g}: look at the shares of the periodic copies.",
    )
    for run in NEAR_EDGE:
        judge.require(
            abs(losses[run] / PUBLIC_LOSS_AROUND - 1) < SMALL_TARGET,
            "copies_missing",
            f"Every atom was pushed so that |x - x0| is 0.96, where sigma is {LARGEST_SIGMA:g}, "
            f"and the model returned 0. Your loss is {losses[run]:.5g}, not {PUBLIC_LOSS_AROUND:.5g}: do all periodic "
            "copies count?",
        )
    check_zero(
        judge,
        losses[EITHER_WAY],
        "noise_resampled",
        "Atoms were pushed forward or backward at random by 2 sigma, and the model returned -2 or 2 accordingly. "
        "Your loss is {loss:.3g}, not 0: does the target use the same noised x as the model?",
    )
    check_gradient(judge, gradients["inside"] / torch.tensor([3.0, -3.0]))
    require_extremes(judge)


def require_extremes(judge: Judge) -> None:
    """Fail unless the loss is right for a sigma of each sample's own, for rare noise, and for large errors."""
    runs = (*VARYING, TWO_SIGMAS, "rare", "outlier", "alone")
    varying, varying_pair, two_sigmas, rare, outlier, alone = (
        float(regression.require_scalar(judge, run, "atoms")) for run in runs
    )
    check_zero(
        judge,
        varying,
        "sigma_of_another",
        "Every atom was pushed forward by twice the sigma of its own time, and the model returned -2. Your loss is "
        "{loss:.3g}, not 0. Where sigma is the same at all times it is right: the width of each sample is "
        "`self.schedule.sigma(t)` at its own t, whatever the schedule is.",
    )
    check_zero(
        judge,
        two_sigmas,
        "shares_of_another",
        f"Every atom was pushed by {DISTANCE:g}, where sigma is {EARLY_SIGMA:g} for some samples and {LATE_SIGMA:g} "
        "for others, and the model returned the right target of each. Your loss is {loss:.3g}, not 0. Where all "
        "samples have the same sigma, it is right.",
    )
    check_zero(
        judge,
        varying_pair,
        "wrong_for_two_samples",
        "In a batch of two, every atom was pushed forward by twice the sigma of its own time, and the model returned "
        "-2. Your loss is {loss:.3g}, not 0. In a batch of 64 it is right.",
    )
    check_weights(judge)
    check_zero(
        judge,
        rare,
        "rare_not_zero",
        "Every atom was pushed forward by 9 sigma, and the model returned -9. Your loss is {loss:.3g}, not 0, "
        "though at 2 sigma it is right. Limit no target.",
    )
    judge.require(
        abs(outlier / LARGE_LOSS - 1) < ROUNDING,
        "large_errors",
        f"For a model that is off by 300 your loss is {outlier:.7g}, not {LARGE_LOSS:.7g}. Where it is off by 3 and by "
        "6, it is right. Limit no error: square it, however large it is.",
    )
    judge.require(
        math.isclose(alone, 9, rel_tol=ROUNDING),
        "wrong_for_one_sample",
        f"For a model that is off by +3 for one atom and by -3 for the other your loss of one sample is {alone:.7g}, "
        "not 9. For 64 samples it is right.",
    )


def check_weights(judge: Judge) -> None:
    """Fail if samples with different sigmas have different weights."""
    loss, late = float(regression.require_scalar(judge, UNEVEN, "atoms")), judge.number(f"{UNEVEN}/late")
    early_error, late_error = UNEVEN_ERRORS
    expected = (1 - late) * early_error**2 + late * late_error**2
    judge.require(
        math.isclose(loss, expected, rel_tol=ROUNDING),
        "samples_weighted",
        f"A model was off by {early_error:g} where sigma is {EARLY_SIGMA:g}, and by {late_error:g} where it is "
        f"{LATE_SIGMA:g}, which are {late:.0%} of the samples. Your loss is {loss:.5g}, and the mean squared error "
        f"{expected:.5g}. All samples have the weight 1, whatever their t and sigma.",
    )


def check_zero(judge: Judge, loss: float, code: str, message: str) -> None:
    """Fail unless a loss is 0."""
    judge.require(abs(loss) < ZERO, code, message.format(loss=loss))


def check_reduction(judge: Judge, losses: dict[str, float], gradients: dict[str, Tensor]) -> None:
    """Fail if the loss is no mean squared error.

    Two models are off by 3 and by 6, upwards for one atom and downwards for the other. Their gradients differ by 3,
    whatever the target is.
    """
    off, twice = losses["inside"], losses["twice"]
    growths = (gradients["twice"] - gradients["inside"]) / torch.tensor([3.0, -3.0])
    growth = float(growths.mean())
    if math.isclose(off, 9, rel_tol=ROUNDING) and math.isclose(twice, 36, rel_tol=ROUNDING):
        check_gradient(judge, growths)
    if abs(growth - 1) < GROWTH:
        return
    seen = (
        f"For a model that is off by +3 for one atom and by -3 for the other your loss is {off:.7g}, not 9; "
        f"where it is off by 6, {twice:.7g}, not 36. "
    )
    if abs(off) < ZERO:
        judge.fail("errors_cancel", f"{seen}Errors of the two atoms cancel. Square them first.")
    if math.isclose(off, 3, rel_tol=ROUNDING):
        judge.fail("not_squared", f"{seen}Twice the error gives twice the loss: square it, and take no root.")
    if math.isclose(twice, 2 * off, rel_tol=ROUNDING):
        judge.fail("norm_not_squared", f"{seen}Twice the error gives twice the loss, as a norm does. Square it.")
    if growth > 1 and not any(math.isclose(growth, factor, rel_tol=1e-3) for factor in SUMS):
        judge.fail(
            "growth_too_large",
            f"{seen}The gradient grows {growth:.4g} times as fast as that of a mean square. It depends on more than "
            "the error: does your target?",
        )
    if growth > 1:
        judge.fail("summed", f"{seen}Average over the 64 samples and the 2 atoms, and do not sum.")
    if abs(growth) < ROUNDING / 10:
        judge.fail("not_a_square", f"{seen}Twice the error must give four times the loss.")
    if growth < 0.01:
        judge.fail("far_too_small", f"{seen}A power of sigma multiplies the error. All errors have the weight 1.")
    judge.fail("scaled", f"{seen}Something multiplies the squared error. All errors have the weight 1.")


def check_gradient(judge: Judge, ratios: Tensor) -> None:
    """Fail unless the gradient of a right loss is right.

    Args:
        judge: The judge of the exercise.
        ratios: The gradient with respect to the model's output for each atom, or its growth from one model to the
            other, divided by the right one, (2,).
    """
    seen = "For two models that are off by 3 and by 6 your loss is right, but its gradient is not. "
    first, second = (ratios + 0.0).tolist()  # no "-0"
    judge.require(
        math.isclose(first, second, rel_tol=ROUNDING, abs_tol=ROUNDING),
        "atoms_not_alike",
        f"{seen}With respect to the output for the first atom it is {first:.4g} times that of the mean square, and for "
        f"the second atom {second:.4g} times. Both atoms of all samples count alike.",
    )
    judge.require(
        abs(first - 1) < ROUNDING,
        "wrong_gradient",
        f"{seen}It is {first:.4g} times that of the mean square: a part of the loss is "
        f"{'cut off from the model' if first < 1 else 'used twice'}.",
    )


def check_target(judge: Judge, loss: float, gradient: Tensor) -> None:
    """Fail if the target has the wrong sign or size, as the gradient of a mean squared error tells.

    Every atom was pushed forward by 2 sigma inside of the cell, and the model was off by 3 and by -3.
    """
    if not math.isfinite(loss):
        return
    weight = loss / 9
    judge.require(
        abs(weight - 1) < ROUNDING or not judge.close(gradient, weight * torch.tensor([3.0, -3.0]), ROUNDING),
        "weights_vary",
        f"For a model that is off by +3 for one atom and by -3 for the other your loss is {loss:.5g}, not 9, and its "
        f"gradient is {weight:.4g} times that of the mean square. Your target is right, but errors are weighted: all "
        "have the weight 1, at every time.",
    )
    target = torch.tensor(PUSHED["inside"][2], dtype=torch.float64) - gradient  # mean target of each atom
    if math.isclose(loss, 9, rel_tol=ROUNDING):
        ratio = float(target.mean()) / -2  # a small error of the target hardly changes the loss
        if ROUNDING < abs(ratio - 1) < SMALL_ERROR:
            fail_by_ratio(judge, ratio)
        return
    spread = max(0.0, loss - float(gradient.square().mean())) ** 0.5
    if spread > 1e-2 * (1 + float(target.abs().mean())):
        judge.fail(
            "target_varies" if spread < 2 else "target_varies_widely",
            "Every atom was pushed forward by 2 sigma, so the target is the same number for all of them. Yours "
            f"differ with a standard deviation of {spread:.2g}: they contain something else than x - x0 and sigma. "
            "If that is the noise: on a ring it may have gone around.",
        )
    fail_by_ratio(judge, float(target.mean()) / -2)


def fail_by_ratio(judge: Judge, ratio: float) -> None:
    """Fail with the ratio of the target to the right one, in size and sign."""
    seen = (
        f"Every atom was pushed forward by 2 sigma, where sigma is 0.01. Your target is {ratio:.6g} times the right one"
    )
    power = "Look at the power of sigma in front of the mean offset."
    if not any(math.isclose(ratio, 0.01**-exponent, rel_tol=1e-3) for exponent in (0.5, 1, 2, 3)):
        power = "Look at the factors in front of the mean offset, and at the sum of the shares of its copies."
    if ratio < 0:
        judge.fail("target_sign", f"{seen}: its sign is wrong. In which direction is the density higher?")
    if ratio > 1:
        judge.fail("target_too_large", f"{seen}. {power}")
    if ratio < 0.1:
        judge.fail("target_far_too_small", f"{seen}. Look at the power of sigma, and keep the samples apart.")
    if ratio < 0.8:
        judge.fail("target_too_small", f"{seen}. Is the variance of the Gaussian sigma², and no number cut off?")
    judge.fail("target_slightly_small", f"{seen}. Is something added to sigma, or to the loss?")
