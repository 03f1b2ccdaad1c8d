"""Exercise 1.4, hidden half: how a score goes wrong."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, evaluated
from autograder.exercises.kits.noised_mixture import NoisedMixture, possible
from utils.checks.judging import Judge, Mistakes
from utils.checks.kits.left_behind import require_nothing_left
from utils.checks.kits.noised_words import RUNS, Inputs, require_digits, require_letters, require_samples_apart
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import require_layout_ignored
from utils.checks.lab1.conditional_score import (
    require_closed_form,
    require_finite_score,
    wrong_score,
)


def mean_of_sites(m: NoisedMixture) -> Tensor:
    """The mean of x_0 if every site had shares of the components of its own."""
    log_weights = m.setting.weights[m.y].log()[..., None]
    shares = torch.softmax(log_weights + m.log_sites().logsumexp(-1), dim=1)
    return torch.einsum("bcl,bcld->bld", shares, m.component_means())


def mean_with_shares_of_class(m: NoisedMixture) -> Tensor:
    """The mean of x_0 if x carried no information about the component."""
    return torch.einsum("bc,bcld->bld", m.setting.weights[m.y], m.component_means())


def mean_of_best_component(m: NoisedMixture) -> Tensor:
    """The mean of x_0 in the likeliest component."""
    return m.component_means()[torch.arange(len(m.x)), m.component_shares().argmax(-1)]


def mean_before_x(m: NoisedMixture) -> Tensor:
    """The mean of x_0 if x carried no information about the letters."""
    return torch.einsum("bc,cld->bld", m.component_shares(), m.setting.probs @ m.setting.points)


MISTAKES = [
    Mistake(
        "variance_not_squared",
        lambda m: m.score() * m.sigma,
        "You divide by sigma. The score has the unit 1/x, so divide by sigma².",
    ),
    Mistake("wrong_sign", lambda m: -m.score(), "Your score points away from the data."),
    Mistake(
        "not_divided",
        lambda m: m.alpha * m.mean() - m.x,
        "You do not divide by the variance sigma².",
    ),
    Mistake(
        "a_missing",
        lambda m: (m.mean() - m.x) / m.sigma**2,
        "The factor alpha is missing before the mean: the Gaussians are centred at alpha(t) times the data.",
    ),
    Mistake(
        "unconditional",
        lambda m: m.score(m.mean_of_all()),
        "This is the score of all classes together. Use the components' shares given the class y.",
    ),
    Mistake(
        "gradient_of_posterior",
        lambda m: m.alpha * (m.mean() - m.mean_of_all()) / m.sigma**2,
        "This is the gradient of log p(y | x), which a classifier would give. "
        "The exercise asks for the gradient of log p_t(x | y), so do not normalise over the classes.",
    ),
    Mistake(
        "shares_per_site",
        lambda m: m.score(mean_of_sites(m)),
        "Every site has its own shares of the components, but a sample has one component for all its sites. "
        "Add the sites' logarithms before the softmax over the components.",
    ),
    Mistake(
        "shares_not_updated",
        lambda m: m.score(mean_with_shares_of_class(m)),
        "You weight the components with their shares in the class. "
        "Given x, some are more probable than others: use p(component | x, y).",
    ),
    Mistake(
        "weights_missing",
        lambda m: m.score(m.mean(weights=possible(m.setting.weights))),
        "You weight the components by their likelihood alone. Their shares in the class count too.",
    ),
    Mistake(
        "weights_missing",
        lambda m: m.score(m.mean(weights=torch.ones_like(m.setting.weights))),
        "You weight all components by their likelihood, even those that this class does not have.",
    ),
    Mistake(
        "letters_missing",
        lambda m: m.score(m.mean(probs=possible(m.setting.probs))),
        "The mean of a site given x leaves out the probabilities of its letters.",
    ),
    Mistake(
        "half_exponent",
        lambda m: m.score(m.mean(variance=m.sigma**2 / 2)),
        "The exponent in the softmax over the letters is twice too large. "
        "The difference of two Gaussians' logarithms has alpha / sigma².",
    ),
    Mistake(
        "half_exponent",
        lambda m: m.score(m.mean(variance=m.sigma)),
        "The softmax over the letters has the wrong exponent: the variance is sigma².",
    ),
    Mistake(
        "distance_averaged",
        lambda m: m.score(m.mean(variance=m.sigma**2 * m.setting.points.shape[1])),
        "You average the squared distance to a letter over its d coordinates. A Gaussian's exponent has their sum.",
    ),
    Mistake(
        "classes_limited",
        lambda m: m.of_classes(m.y.clamp(max=1)).score(),
        "Samples of a class above 1 get the score of class 1. A world may have more than two classes.",
    ),
    Mistake(
        "hard_component",
        lambda m: m.score(mean_of_best_component(m)),
        "You take the score of the best component. "
        "The score of a mixture is the mean of its components' scores under p(component | x, y).",
    ),
    Mistake(
        "prior_mean",
        lambda m: m.score(mean_before_x(m)),
        "You use each component's own mean, as if x carried no information about the letters. "
        "Given x, p(letter | x) takes the place of p(letter).",
    ),
    Mistake(
        "guess_instead",
        lambda m: m.mean(),
        "You return the best guess of x_0. The score contains it: (alpha times the guess - x) / sigma².",
    ),
    Mistake(
        "noise_instead",
        lambda m: -m.score() * m.sigma,
        "You return the noise, not the score. They differ by the factor -1 / sigma.",
    ),
]


# In these runs mistakes look alike. They come last; the public check, which names no mistake, starts with them.
SIMPLE = ("odds", "letter", "word")


def verdict(judge: Judge) -> None:
    """Compare every run with Tweedie's formula in float64."""
    with judge.part("score", points=2):
        require_nothing_left(judge, RUNS)
        inputs = {run: Inputs.of(judge.challenge, run) for run in RUNS}
        mixtures = {run: NoisedMixture(inputs[run]) for run in RUNS}
        require_letters(
            judge, lambda run, score: is_close(judge, run, score, mixtures[run].score()), wrong_score("letter")
        )
        scores = {run: require_finite_score(judge, run, inputs[run]) for run in RUNS}
        for run in RUNS:  # first, because a world or a label that was changed gives wrong numbers, too
            require_unchanged(judge, f"{run}/inputs_kept")
        require_closed_form(judge)
        require_digits(judge)
        expected = {run: mixture.score() for run, mixture in mixtures.items()}
        sizes = {run: size_of(score) for run, score in expected.items()}
        wrong = [run for run in RUNS if not is_close(judge, run, scores[run], expected[run])]
        named = explaining(judge, wrong, scores, mixtures, sizes)
        for run in sorted(RUNS, key=SIMPLE.__contains__):
            judge.compare(
                scores[run] / sizes[run],
                expected[run] / sizes[run],
                partial(scaled_mistakes, mixtures[run], sizes[run], named) if run not in (*SIMPLE, "balanced") else [],
                wrong_score(wrong[0]) if wrong[:1] != ["odds"] else ALREADY_WRONG,
                accuracy(run),
                0.0,
            ) if wrong else None
        judge.attempt("no_grad")
        require_layout_ignored(judge, "letters")
        require_samples_apart(judge, "conditional_score")
        judge.device()


ALREADY_WRONG = (
    "pull_wrong",
    "Your score is wrong already for one spin that the class fixes, where it is (alpha x_0 - x) / sigma².",
)


def accuracy(run: str) -> float:
    """Return the relative tolerance of a run."""
    return 1e-6 if RUNS[run].dtype == torch.float64 else 2e-3


def size_of(score: Tensor) -> Tensor:
    """Return the size of each sample's score, (b, 1, 1). Near the data scores are thousands of times larger."""
    return score.abs().amax((1, 2), keepdim=True)


def is_close(judge: Judge, run: str, score: Tensor, expected: Tensor) -> bool:
    """Return whether the score of a run is right, each sample compared by its own size."""
    if score.shape != expected.shape:
        return False
    size = size_of(expected)
    return judge.close(score / size, expected / size, accuracy(run), 0.0)


def scaled_mistakes(mixture: NoisedMixture, size: Tensor, named: set[str]) -> Mistakes:
    """Return code, message and scaled score of each mistake whose message is among the named ones."""
    return [item for item in all_scaled(mixture, size) if item[1] in named]


def all_scaled(mixture: NoisedMixture, size: Tensor) -> Mistakes:
    """Return code, message and scaled score of each mistake."""
    return [(code, message, value / size) for code, message, value in evaluated(MISTAKES, mixture)]


def explaining(
    judge: Judge,
    runs: list[str],
    scores: dict[str, Tensor],
    mixtures: dict[str, NoisedMixture],
    sizes: dict[str, Tensor],
) -> set[str]:
    """Return the messages of the mistakes that explain every wrong run: in one run several look alike.

    In a simple run a mistake need not give the same score, but it must not give the right one. Scores are in units of
    the right one's size: two that are far smaller are the same.
    """
    messages = {mistake.message for mistake in MISTAKES if isinstance(mistake.message, str)}
    for run in runs:
        given, right = scores[run] / sizes[run], mixtures[run].score() / sizes[run]
        for _, message, value in all_scaled(mixtures[run], sizes[run]):
            same = judge.close(given, value, accuracy(run), accuracy(run))
            harmless = judge.close(right, value, accuracy(run), 0.0)
            if harmless or not (same or run in SIMPLE):
                messages.discard(message)
    return messages
