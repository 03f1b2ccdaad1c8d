"""Exercise 1.3, hidden half: how a posterior goes wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, compare
from autograder.exercises.kits.noised_mixture import NoisedMixture, possible
from utils.checks.judging import Judge
from utils.checks.kits.left_behind import require_nothing_left
from utils.checks.kits.noised_words import (
    RUNS,
    UNDERFLOWING,
    WHERE,
    Inputs,
    require_digits,
    require_letters,
    require_samples_apart,
)
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import require_layout_ignored
from utils.checks.lab1.class_posterior import (
    EARLY_RATIO,
    GRADIENT,
    NOT_NORMALISED,
    early_growth,
    is_normalised,
    require_finite_posterior,
    require_gradient_of_posterior,
    require_linear_odds,
    require_width,
    wrong_posterior,
)


def sites_before_components(m: NoisedMixture) -> Tensor:
    """Average the components site by site, and multiply the sites then."""
    probs = torch.einsum("yc,clk->ylk", m.setting.weights, m.setting.probs)
    return m.normalised(m.log_components(probs=probs))


def sites_averaged(m: NoisedMixture) -> Tensor:
    """Average the log densities of the sites, where they should be added."""
    averages = m.log_sites().logsumexp(-1).mean(-1)
    return m.normalised((m.setting.weights.log() + averages[:, None]).logsumexp(-1))


def best_component(m: NoisedMixture) -> Tensor:
    """Take the maximum over the components in place of their sum."""
    return m.normalised((m.setting.weights.log() + m.log_components()[:, None]).amax(-1))


def best_letter(m: NoisedMixture) -> Tensor:
    """Take the maximum over the letters in place of their sum."""
    return m.normalised((m.setting.weights.log() + m.log_sites().amax(-1).sum(-1)[:, None]).logsumexp(-1))


# In these runs mistakes look alike. They come last; the public check, which names no mistake, starts with them.
SIMPLE = ("odds", "letter", "word")

MISTAKES = [
    Mistake(
        "prior_missing",
        lambda m: m.posterior(prior=possible(m.setting.prior)),
        "Your posterior leaves out the prior p(y). At t = 1 nothing but the prior must be left.",
    ),
    Mistake(
        "weights_missing",
        lambda m: m.posterior(weights=possible(m.setting.weights)),
        "The components of a class count equally in your posterior. Their shares are `setting.weights[y]`.",
    ),
    Mistake(
        "letters_missing",
        lambda m: m.posterior(probs=possible(m.setting.probs)),
        "You leave out the probabilities of the letters, so every letter that is possible counts equally.",
    ),
    Mistake(
        "variance_not_squared",
        lambda m: m.posterior(variance=m.sigma),
        "You divide by 2 sigma, but the exponent of a Gaussian has 2 sigma².",
    ),
    Mistake(
        "half_missing",
        lambda m: m.posterior(variance=m.sigma**2 / 2),
        "Your exponent is twice too large. The exponent of a Gaussian has a factor one half.",
    ),
    Mistake(
        "distance_averaged",
        lambda m: m.posterior(variance=m.sigma**2 * m.setting.points.shape[1]),
        "You average the squared distance to a letter over its d coordinates. A Gaussian's exponent has their sum.",
    ),
    Mistake(
        "data_not_scaled",
        lambda m: m.posterior(alpha=torch.ones_like(m.alpha)),
        "Your Gaussians are centred at the letters. At time t they are centred at alpha(t) times the letters.",
    ),
    Mistake(
        "a_squared",
        lambda m: m.posterior(alpha=m.alpha**2),
        "Your Gaussians are centred at alpha² times the letters, but the factor is alpha(t).",
    ),
    Mistake(
        "unit_variance",
        lambda m: m.posterior(variance=torch.ones_like(m.alpha)),
        "Your Gaussians have width 1, but their width is sigma(t).",
    ),
    Mistake(
        "sites_before_components",
        sites_before_components,
        "You average the components site by site and then multiply the sites. "
        "A sample has one component for all its sites: multiply first, and average then.",
    ),
    Mistake(
        "likelihood",
        lambda m: m.setting.prior.expand(len(m.x), -1),
        "You return the prior. It must be weighted with the likelihood of x.",
    ),
    Mistake(
        "sites_averaged",
        sites_averaged,
        "You average over the sites. Independent densities are multiplied, so their logarithms are added.",
    ),
    Mistake(
        "logs_averaged",
        lambda m: m.normalised(m.log_components() @ m.setting.weights.T),
        "You average the logarithms of the components' densities. "
        "A mixture averages the densities themselves, so the logarithm comes after the sum.",
    ),
    Mistake("logs_returned", lambda m: m.posterior().log(), "You return logarithms of probabilities."),
    Mistake(
        "joint_returned",
        lambda m: (m.setting.prior.log() + m.log_classes()).exp(),
        "You return the joint density p(x, y). Divide it by its sum over the classes.",
    ),
    Mistake(
        "hard_component",
        best_component,
        "You take the best component of each class, but a class is the weighted sum of all its components.",
    ),
    Mistake(
        "hard_letter",
        best_letter,
        "You take the best letter of each site, but a site is the weighted sum over all letters.",
    ),
    Mistake(
        "wrong_axis",
        lambda m: torch.softmax(m.setting.prior.log() + m.log_classes(), dim=0),
        "Your probabilities add up to 1 over the batch. Normalise over the classes.",
    ),
]


ALL_DIGITS = 1e-10  # how far a posterior in float64 may be from the exact one on letters; float32 misses by 1e-8
SMALLEST = 1e-290  # below, a float64 may be 0
IN_LOGARITHMS = 1e-4  # how exact the logarithm of a posterior must be


def require_logarithms(judge: Judge, posterior: Tensor, expected: Tensor, run: str) -> None:
    """Fail unless small probabilities are right relative to their size."""
    counts = expected > SMALLEST
    error = (posterior[counts].log() - expected[counts].log()).abs()
    place = int(error.nan_to_num(float("inf")).argmax())
    actual, right = float(posterior[counts][place]), float(expected[counts][place])
    judge.require(
        bool(error.max() < IN_LOGARITHMS),
        "limited",
        f"Small probabilities are wrong: one should be {right:.6g}, but yours is {actual:.6g} (seen {WHERE[run]}). "
        "Later cells take their logarithm. Do not limit probabilities, and add no constant.",
    )


def verdict(judge: Judge) -> None:
    """Compare every run with Bayes' rule in float64, and its derivative with the difference of two scores."""
    with judge.part("posterior", points=4):
        require_nothing_left(judge, RUNS)
        mixtures = {run: NoisedMixture(Inputs.of(judge.challenge, run)) for run in RUNS}
        require_letters(
            judge,
            lambda run, posterior: judge.close(posterior, mixtures[run].posterior(), 0.0, accuracy(run)),
            wrong_posterior("letter"),
        )
        posteriors = {run: require_finite_posterior(judge, run) for run in RUNS}
        for run in RUNS:  # first, because a world that was changed gives wrong numbers, too
            require_unchanged(judge, f"{run}/inputs_kept")
        require_digits(judge)
        require_linear_odds(judge)
        otherwise = simplest_failure(judge, posteriors, mixtures)
        for run in sorted(RUNS, key=SIMPLE.__contains__):
            posterior, expected = posteriors[run], mixtures[run].posterior()
            mistakes = MISTAKES if run not in (*SIMPLE, "balanced") else []
            compare(judge, posterior, expected, mistakes, mixtures[run], otherwise, 0.0, accuracy(run))
            if RUNS[run].dtype == torch.float64:
                require_logarithms(judge, posterior, expected, run)
        require_width(judge)
        error = float((posteriors["letters"] - mixtures["letters"].posterior()).abs().max())
        judge.require(
            error < ALL_DIGITS,
            "digits_lost",
            f"Your posterior is wrong by {error:.1g}, but float64 has more digits. Is a number of the setting "
            "converted to float32?",
        )
        expected = mixtures[GRADIENT].score() - mixtures[GRADIENT].score(mixtures[GRADIENT].mean_of_all())
        finding = ("wrong_gradient", "The values of your posterior are right, but its derivative is not.")
        judge.compare(require_gradient_of_posterior(judge), expected, (), finding, 1e-5)
        require_nothing_left(judge, ["gradient"])
        require_layout_ignored(judge, "letters")
        require_samples_apart(judge, "class_posterior")
        judge.device()


def accuracy(run: str) -> float:
    """Return how far a right posterior may be from the exact one. In `balanced`, exponents have a size of 10^9."""
    if run == "balanced":
        return 1e-4
    return 1e-7 if RUNS[run].dtype == torch.float64 else 2e-3


def simplest_failure(
    judge: Judge, posteriors: dict[str, Tensor], mixtures: dict[str, NoisedMixture]
) -> tuple[str, str]:
    """Return code and message of the simplest run whose posterior is wrong, for mistakes that are not in the table."""
    for run, posterior in posteriors.items():
        if not judge.close(posterior, mixtures[run].posterior(), 0.0, accuracy(run)):
            if not is_normalised(posterior):
                return NOT_NORMALISED
            if all(is_off_by_the_prior(posteriors[name], mixtures[name]) for name in ("letters", "late")):
                return OTHER_PRIOR
            if run in UNDERFLOWING and grows_too_little(judge):
                require_width(judge)
            return wrong_posterior(run) if run != "odds" else ALREADY_WRONG
    return "wrong_posterior", "Your posterior is not p(y | x_t)."


def grows_too_little(judge: Judge) -> bool:
    """Return whether the odds are 0 where there is hardly any noise, or grow, but less than they must."""
    growth = early_growth(judge, finite=False)
    return growth == 0 or 0.99 < growth < EARLY_RATIO


def is_off_by_the_prior(posterior: Tensor, mixture: NoisedMixture) -> bool:
    """Return whether a posterior, (b, classes), is right but for one factor of each class, the same in all samples."""
    factors = posterior.log() - mixture.posterior().log()
    factors = factors - factors.mean(1, keepdim=True)
    return bool((factors - factors[:1]).abs().max() < 1e-6 < factors.abs().max())


OTHER_PRIOR = (
    "other_prior",
    "Your posterior is right but for one factor of each class, which is the same in all samples: it contains another "
    "prior. The prior of class y is `setting.prior[y]`.",
)
ALREADY_WRONG = (
    "odds_wrong",
    "Your posterior is wrong already for one spin that is -1 in class 0 and +1 in class 1, with equal priors. "
    "Its log odds are 2 alpha x / sigma².",
)
