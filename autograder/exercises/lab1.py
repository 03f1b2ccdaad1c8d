"""Lab 1: hidden verdicts."""

from __future__ import annotations

from functools import partial

import torch
from scipy import stats
from torch import Tensor

from autograder.exercises.kits.cross_entropy import judge_cross_entropy
from autograder.exercises.kits.scales import other_scale
from autograder.exercises.registry import verdict
from utils import vp
from utils.checks.cross_entropy import stub_noising
from utils.checks.judging import Judge
from utils.checks.kits.draws import judge_noise, judge_times
from utils.checks.kits.statistics import is_binomial
from utils.checks.lab1 import (
    CLASSES,
    COMPONENTS,
    ENSEMBLE_RUNS,
    ENSEMBLE_SAMPLES,
    LAW_RUNS,
    MAJORITY_SAMPLES,
    MAJORITY_SITES,
    NOISE_RUNS,
    PROBE_T_MIN,
    STEP_RUNS,
    TRAIN_CALLS,
    TRAIN_CLASSES,
    TRAIN_RUNS,
    WHERE,
    ensemble_label,
    ensemble_setting,
    law_setting,
    majority_ratio,
    noise_setting,
    step_setting,
)
from utils.checks.stubs import StubClassifier, StubData
from utils.settings import Setting


def kept(judge: Judge, name: str) -> None:
    judge.require(
        judge.value(f"{name}/inputs_kept", bool),
        "input_altered",
        "Your code changed one of its inputs in place. The caller still needs it: build a new tensor.",
    )


FRESH_NOISE = "Called twice with the same noise, your function gave two different results. Use the noise that you are given, and draw none."


def same_when_strided(judge: Judge, name: str) -> None:
    """The answer for `name` again, from inputs whose numbers do not lie side by side in memory."""
    seen, before = judge.tensor("strided/value"), judge.tensor(f"{name}/value")
    judge.require(
        judge.close(seen, before, 1e-9),
        "memory_layout",
        "The same inputs gave another answer when their numbers lay apart in memory, as after a slice or a transpose. Do not look at memory: index, broadcast and reshape.",
    )


# --- 1.1


@verdict("lab1.sample_ensemble")
def sample_ensemble(judge: Judge) -> None:
    with judge.part("ensemble", points=1.5):
        one = judge.tensor("one/letters", (1, ENSEMBLE_RUNS["spins"][0]), "A sample of size 1")
        judge.require(not one.is_floating_point(), "not_integers", NOT_INTEGERS)
        for name in (*ENSEMBLE_RUNS, "marked"):
            judge_letters(judge, name)
        judge_generator(judge)
    with judge.part("majority", points=0.5):
        judge.tensor("majority/one", (1, MAJORITY_SITES), "A sample of size 1 of majority_down")
        seen = judge.tensor("majority/letters", (MAJORITY_SAMPLES, MAJORITY_SITES), "Your sample of majority_down")
        judge.require(
            not seen.is_floating_point(), "not_integers", "Your lattices hold floating-point numbers. Return int64."
        )
        judge.require(
            bool(((seen == 0) | (seen == 1)).all()),
            "not_spins",
            "The lattices hold 0 for down and 1 for up, and nothing else.",
        )
        ratio, ups, total = majority_ratio(judge.challenge), int(seen.sum()), seen.numel()
        if not is_binomial(ups, total, 1 - ratio, judge.level(1e-7)):
            if is_binomial(ups, total, ratio, 1e-7):
                judge.fail(
                    "majority_up",
                    f"{ups / total:.0%} of the spins point up, though the majority should point down. Print the mean of a class before you believe its name.",
                )
            judge.fail(
                "majority_share",
                f"{ups / total:.0%} of the spins point up, and with the ratio {ratio:.0%} it should be {1 - ratio:.0%}.",
            )
        per_lattice = seen.double().mean(dim=1)
        judge.require(
            per_lattice.unique().numel() > 2,
            "sites_tied",
            "In your lattices all sites agree, or their number never varies. Each site is down on its own.",
        )
        down = torch.tensor([ratio, 1 - ratio], dtype=torch.float64).expand(MAJORITY_SITES, 2)
        judge.require(
            pairs_agree(seen, down, judge.level(1e-7)),
            "sites_tied",
            "In your lattices neighbouring sites agree more often, or less often, than chance allows. Each site is down on its own.",
        )
        judge_generator_of(judge, "majority", "`majority_down`")


NOT_INTEGERS = "Your letters are floating-point numbers. They index the rows of `setting.points`: return int64."


def judge_letters(judge: Judge, name: str) -> None:
    setting, label = ensemble_setting(judge.challenge, name), ensemble_label(judge.challenge, name)
    seen = judge.tensor(f"{name}/letters", (ENSEMBLE_SAMPLES, setting.sites), "Your sample")
    judge.require(not seen.is_floating_point(), "not_integers", NOT_INTEGERS)
    seen = seen.long()  # int16 is an integer, too; torch does not index with it
    judge.require(
        bool((seen >= 0).all() and (seen < setting.letters).all()),
        "no_such_letter",
        f"Your sample contains letters outside 0 to {setting.letters - 1}. Letters are numbered from 0.",
    )
    weights = setting.weights[label]
    law = torch.einsum("c,clk->lk", weights, setting.probs)
    share = torch.stack([(seen == k).double().mean(0) for k in range(setting.letters)], dim=-1)
    level = judge.level(1e-7) / law.numel()
    if all(
        is_binomial(round(float(s) * len(seen)), len(seen), min(float(p), 1.0), level)
        for s, p in zip(share.flatten(), law.flatten())
    ):
        judge_joint(judge, name, setting, weights, seen)
        return
    near = sorted((float((share - o).abs().max()), code, words) for code, words, o in ensemble_mistakes(setting, label))
    best, code, words = near[0]
    others = [apart for apart, other, _ in near if other != code]
    if best < 0.03 and min(others) > 2 * best:  # a share of 4,000 has a standard deviation of 0.008 at most
        judge.fail(code, words)
    judge.fail(
        "site_frequencies",
        f"Letters appear in other shares than the specification says: at one site by {float((share - law).abs().max()):.0%} (seen {WHERE[name]}).",
    )


def ensemble_mistakes(setting: Setting, label: int) -> list[tuple[str, str, Tensor]]:
    present = (setting.weights[label] > 0).double()
    by_weights = {
        "weights_ignored": present / present.sum(),
        "weights_of_all": torch.full((COMPONENTS,), 1 / COMPONENTS, dtype=torch.float64),
        "label_ignored": setting.prior @ setting.weights,
    }
    words = {
        "weights_ignored": "Every component of the class appears equally often. Their shares are `setting.weights[label]`.",
        "weights_of_all": "All components appear, also those that this class does not have. Their shares are `setting.weights[label]`.",
        "label_ignored": "Your sample is drawn from all classes together. Look at where `label` enters.",
    }
    alone = "Only one component appears in your sample. Draw the component anew for every sample, with the shares of its class."
    if bool(present.all()):  # then it is the same mistake
        del by_weights["weights_of_all"]
    others = [("one_component", alone, law) for law in setting.probs]
    others += [(k, words[k], torch.einsum("c,clk->lk", w, setting.probs)) for k, w in by_weights.items()]
    for other in set(range(CLASSES)) - {label}:
        law = torch.einsum("c,clk->lk", setting.weights[other], setting.probs)
        others.append(("label_ignored", words["label_ignored"], law))
    law = torch.einsum("c,clk->lk", setting.weights[label], setting.probs)
    others.append(
        (
            "letters_reversed",
            "Your letters are numbered backwards: check which column of `probs` is letter 0.",
            law.flip(-1),
        )
    )
    others.append(
        (
            "sites_ignored",
            "All sites follow the probabilities of one site. `probs[c, i]` differs from site to site.",
            law[:1].expand_as(law),
        )
    )
    return others


def judge_joint(judge: Judge, name: str, setting: Setting, weights: Tensor, seen: Tensor) -> None:
    """The shares are right; are the draws? In `marked` the first letter tells the component."""
    if name != "marked":
        return
    component = seen[:, 0]
    law = torch.einsum("c,clk->lk", weights, setting.probs)
    own = 0.0
    for c in component.unique().tolist():
        rows = seen[component == c]
        expected = torch.stack([setting.probs[c, i, rows[:, i]] for i in range(1, setting.sites)], dim=1)
        if bool((expected == 0).any()):
            judge.fail(
                "sites_from_other_components",
                "Within one sample, sites come from different components. Draw the component once for a whole sample, then its sites.",
            )
        own += float(torch.log(expected).sum())
    mixed = float(torch.log(torch.stack([law[i, seen[:, i]] for i in range(1, setting.sites)], dim=1)).sum())
    judge.require(
        own > mixed,
        "sites_from_other_components",
        "Within one sample, sites come from different components. Draw the component once for a whole sample, then its sites.",
    )
    counts = torch.bincount(component, minlength=COMPONENTS)
    judge.require(
        is_runs_random(component, judge.level(1e-7)),
        "draws_depend",
        "Neighbouring samples share their component more often, or less often, than chance allows. Draw it anew, independently, for every sample.",
    )
    counts[0] = 0  # component 0 knows one word only
    most = int(counts.argmax())
    rows = seen[component == most][:, 1:]
    judge.require(
        len(torch.unique(rows, dim=0)) > 1,
        "draws_depend",
        "All samples of a component are the same word. Draw the letters anew for every sample.",
    )
    judge.require(
        pairs_agree(rows, setting.probs[most, 1:], judge.level(1e-7)),
        "sites_tied",
        "Within a component, neighbouring sites tell each other's letters. Each site draws its letter on its own: one random number for each sample *and* site.",
    )


def pairs_agree(rows: Tensor, probs: Tensor, level: float) -> bool:
    """Neighbouring sites show their likeliest letters together as often as independent ones do."""
    hits, p = rows == probs.argmax(-1), probs.amax(-1)
    pairs = range(len(p) - 1)
    together = [int((hits[:, i] & hits[:, i + 1]).sum()) for i in pairs]
    return all(is_binomial(together[i], len(rows), float(p[i] * p[i + 1]), level / len(pairs)) for i in pairs)


def is_runs_random(component: Tensor, level: float) -> bool:
    """How often neighbours agree, against a binomial law; it holds for independent draws, given the counts, up to O(1/n)."""
    shares = torch.bincount(component).double() / len(component)
    agree = int((component[1:] == component[:-1]).sum())
    p = float((shares**2).sum())
    n = len(component) - 1
    spread = (
        n * p * (1 - p) + 1
    ) ** 0.5 * 1.5  # neighbouring pairs overlap: the variance is up to twice the binomial one
    return 2 * stats.norm.sf(abs(agree - n * p) / spread) >= level


def judge_generator(judge: Judge) -> None:
    for name in (*ENSEMBLE_RUNS, "marked"):
        judge_generator_of(judge, name, "`sample_ensemble`")
    spins = judge.tensor("spins/letters")
    judge.require(
        not torch.equal(spins[:64], spins[64:128]),
        "seeded",
        "Your sample repeats itself. Do not seed the generator inside the function.",
    )


def judge_generator_of(judge: Judge, name: str, function: str) -> None:
    """All chance comes from the generator that was passed in."""
    first, second = judge.tensor(f"{name}_again/letters"), judge.tensor(f"{name}_again/twice")
    judge.require(
        torch.equal(first, second),
        "generator_ignored",
        f"The same generator, set up in the same way, gave two different samples of {function}. Pass `generator=generator` to every random call.",
    )
    judge.require(
        not judge.value(f"{name}_again/global_used", bool),
        "generator_ignored",
        f"{function} used torch's global random numbers. Pass `generator=generator` to every random call.",
    )
    judge.level(1e-9)  # 64 samples that are alike by chance: far below
    judge.require(
        not torch.equal(first, judge.tensor(f"{name}_again/next")),
        "seeded",
        f"Two calls of {function}, one after the other with the same generator, gave the same sample. The caller seeds the generator: draw from it as it is, and set no seed inside.",
    )


# --- 1.2


@verdict("lab1.add_noise")
def add_noise(judge: Judge) -> None:
    with judge.part("noise", points=2):
        for name, (_, dtype, _) in NOISE_RUNS.items():
            x0, t, noise = noise_setting(judge.challenge, name)
            x0, t, noise = x0.double(), t.double(), noise.double()
            a, s, b = vp.a(t), vp.sigma(t), vp.beta(t)
            seen = judge.tensor(f"{name}/value", noise.shape, "The noised sample")
            judge.precise(f"{name}/value", dtype, "The noised sample")
            if name == "spins":
                again = judge.tensor("again/value", noise.shape, "The noised sample")
                judge.require(torch.equal(seen, again), "fresh_noise", FRESH_NOISE)
            judge.compare(
                seen,
                a * x0 + s * noise,
                [
                    ("swapped", "Data and noise carry each other's factor: at t = 0 you return noise.", s * x0 + a * noise),
                    ("variance_for_sigma", "You multiply the noise by its variance. sigma(t) is already the standard deviation.", a * x0 + s**2 * noise),
                    ("root_of_sigma", "You take a square root of sigma(t). It is a standard deviation, not a variance.", a * x0 + s.sqrt() * noise),
                    ("a_squared", "You multiply the data by a². The factor is a(t); a² is what it does to a variance.", a**2 * x0 + s * noise),
                    ("root_of_a", "You take a square root of a(t). The data is multiplied by a(t) itself.", a.sqrt() * x0 + s * noise),
                    ("data_not_scaled", "Your data keeps its full size, so the variance grows above 1: noise of this kind shrinks the data.", x0 + s * noise),
                    ("noise_not_scaled", "Your noise has its full size at every time.", a * x0 + noise),
                    ("linear", "You mix with 1 - t and t. The schedule is a(t) and sigma(t).", (1 - t) * x0 + t * noise),
                    ("one_minus_a", "sigma(t) is sqrt(1 - a²), not 1 - a.", a * x0 + (1 - a) * noise),
                    ("time_reversed", "With your factors the noise grows as t falls. In this lab the data is at t = 0.", vp.a(1 - t) * x0 + vp.sigma(1 - t) * noise),
                    ("noise_subtracted", "The noise is subtracted. That has the same law, but this noise was given: add it.", a * x0 - s * noise),
                    ("beta_for_sigma", "You multiply the noise by a root of beta(t). beta is the rate at which noise comes in, not what has come in.", a * x0 + b.sqrt() * noise),
                    ("rotated", "The noise is multiplied with the data.", a * x0 + s * noise * x0),
                ],
                ("wrong_mixture", f"Your sample is not a(t) x_0 + sigma(t) noise (seen {WHERE[name]}). Compare at a time where both factors count, such as t = 0.3."),
                1e-9 if dtype == torch.float64 else 1e-4,
            )  # fmt: skip
            kept(judge, name)
        same_when_strided(judge, "letters")
        judge.device()


# --- 1.3 and 1.4


class Law:
    """Everything about x_t of a world, in float64: the densities, posteriors and scores that the student writes."""

    def __init__(self, x: Tensor, t: Tensor, setting: Setting):
        self.setting, self.x, self.t = setting.to(torch.float64), x.double(), t.double()
        self.a, self.s = vp.a(self.t), vp.sigma(self.t)

    def log_sites(self, a: Tensor | None = None, variance: Tensor | None = None, probs: Tensor | None = None) -> Tensor:
        """log of probability times density for every component, site and letter, (b, components, sites, letters)."""
        a = self.a if a is None else a
        variance = self.s**2 if variance is None else variance
        distance = (self.x[:, :, None, :] - a[..., None] * self.setting.points).square().sum(-1)
        probs = self.setting.probs if probs is None else probs
        return probs.log() - (distance / (2 * variance))[:, None]

    def log_components(self, **changes: Tensor) -> Tensor:
        return self.log_sites(**changes).logsumexp(-1).sum(-1)

    def log_classes(self, weights: Tensor | None = None, **changes: Tensor) -> Tensor:
        weights = self.setting.weights if weights is None else weights
        return (weights.log() + self.log_components(**changes)[:, None]).logsumexp(-1)

    def posterior(self, prior: Tensor | None = None, **changes: Tensor) -> Tensor:
        prior = self.setting.prior if prior is None else prior
        return torch.softmax(prior.log() + self.log_classes(**changes), dim=-1)

    def component_means(self, **changes: Tensor) -> Tensor:
        """The mean of x_0 given x_t and the component, (b, components, sites, d)."""
        return torch.softmax(self.log_sites(**changes), dim=-1) @ self.setting.points

    def mean(self, y: Tensor, weights: Tensor | None = None, **changes: Tensor) -> Tensor:
        weights = self.setting.weights if weights is None else weights
        shares = torch.softmax(weights[y].log() + self.log_components(**changes), dim=-1)
        return torch.einsum("bc,bcld->bld", shares, self.component_means(**changes))


def possible(tensor: Tensor) -> Tensor:
    """1 for all that is possible: what leaving out a factor means."""
    return (tensor > 0).double()


@verdict("lab1.class_posterior")
def class_posterior(judge: Judge) -> None:
    with judge.part("posterior", points=4):
        for name, (*_, dtype, batch, _) in LAW_RUNS.items():
            x, t, _, setting = law_setting(judge.challenge, name)
            law = Law(x, t, setting)
            seen = judge.tensor(f"{name}/value", what="The posterior", finite=False)
            if seen.shape == (batch,):
                judge.fail(
                    "one_class_only",
                    "You return the probability of one class. The statement asks for all of them, (b, classes).",
                )
            judge.require(
                seen.shape == (batch, CLASSES),
                "wrong_shape",
                f"The posterior has shape {tuple(seen.shape)}, expected {(batch, CLASSES)}.",
            )
            if not bool(seen.isfinite().all()):
                if name in ("clear", "far", "long", "impossible"):
                    judge.fail(
                        "underflow",
                        "Where there is little noise, or where there are many sites, you return NaN or infinity: every density underflows to 0. Add logarithms, and sum with logsumexp.",
                    )
                judge.fail(
                    "not_finite",
                    "The posterior contains NaN or infinity. Some probabilities of a setting are exactly 0.",
                )
            rtol = 1e-7 if dtype == torch.float64 else 2e-3
            expected = law.posterior()
            judge.compare(
                seen, expected, partial(posterior_mistakes, law), posterior_otherwise(seen, expected, name), 0.0, rtol
            )
            kept(judge, name)
        same_when_strided(judge, "letters")
        judge.device()


def posterior_otherwise(seen: Tensor, expected: Tensor, name: str) -> tuple[str, str]:
    if float((seen.sum(1) - 1).abs().max()) > 1e-4:
        return "not_normalised", "Your probabilities do not add up to 1 over the classes."
    if name in ("clear", "far", "long", "impossible"):
        return (
            "underflow",
            "Where there is little noise, or where there are many sites, your posterior is wrong: densities underflow to 0 there. Add logarithms, and sum with logsumexp; a small constant inside a logarithm is no cure.",
        )
    return (
        "wrong_posterior",
        f"Your posterior is off by up to {float((seen - expected).abs().max()):.2g} (seen {WHERE[name]}). Write down one site and one component first: a sum over its letters of probability times Gaussian.",
    )


def posterior_mistakes(law: Law) -> list[tuple[str, str, Tensor]]:
    setting, one = law.setting, torch.ones_like(law.a)
    mixed_sites = torch.einsum("yc,clk->ylk", setting.weights, setting.probs)
    shuffled = (law.log_sites(probs=mixed_sites).logsumexp(-1)).sum(-1)
    sums = (setting.weights.log() + law.log_sites().logsumexp(-1).mean(-1)[:, None]).logsumexp(-1)
    return [
        ("prior_missing", "Your posterior leaves out the prior p(y). At t = 1 it must come back to it.", law.posterior(prior=possible(setting.prior))),
        ("weights_missing", "The components of a class count equally in your posterior. Their shares are `setting.weights[y]`.", law.posterior(weights=possible(setting.weights))),
        ("letters_missing", "You leave out the probabilities of the letters: every letter that is possible counts equally.", law.posterior(probs=possible(setting.probs))),
        ("variance_not_squared", "You divide by 2 sigma. The exponent of a Gaussian has 2 sigma².", law.posterior(variance=law.s)),
        ("half_missing", "The exponent of a Gaussian has a factor one half.", law.posterior(variance=law.s**2 / 2)),
        ("data_not_scaled", "The Gaussians stand around the letters themselves. At time t they stand around a(t) times the letters.", law.posterior(a=one)),
        ("a_squared", "The Gaussians stand around a² times the letters. It is a(t) times the letters.", law.posterior(a=law.a**2)),
        ("unit_variance", "The width of the Gaussians is sigma(t), not 1.", law.posterior(variance=one)),
        (
            "sites_before_components",
            "You average the components site by site and then multiply the sites. A sample has one component for all its sites: multiply first, average then.",
            torch.softmax(setting.prior.log() + shuffled, dim=-1),
        ),
        ("likelihood", "You return the prior. It has to be weighed with the likelihood of x.", setting.prior.expand(len(law.x), -1)),
        ("sites_averaged", "You average over the sites. Independent densities are multiplied: their logarithms are added up.", torch.softmax(setting.prior.log() + sums, dim=-1)),
        (
            "logs_averaged",
            "You average the logarithms of the components' densities. A mixture averages the densities themselves: the logarithm comes after the sum.",
            torch.softmax(setting.prior.log() + law.log_components() @ setting.weights.T, dim=-1),
        ),
        ("logs_returned", "You return logarithms of probabilities.", law.posterior().log()),
        ("joint_returned", "You return p(x, y). Divide by the sum over the classes.", (setting.prior.log() + law.log_classes()).exp()),
        (
            "hard_component",
            "You take the best component of each class in place of their weighted sum.",
            torch.softmax(setting.prior.log() + (setting.weights.log() + law.log_components()[:, None]).amax(-1), dim=-1),
        ),
        (
            "hard_letter",
            "You take the best letter of each site in place of the sum over the letters.",
            torch.softmax(setting.prior.log() + (setting.weights.log() + law.log_sites().amax(-1).sum(-1)[:, None]).logsumexp(-1), dim=-1),
        ),
        ("wrong_axis", "Your probabilities add up to 1 over the batch. Normalise over the classes.", torch.softmax(setting.prior.log() + law.log_classes(), dim=0)),
    ]  # fmt: skip


@verdict("lab1.conditional_score")
def conditional_score(judge: Judge) -> None:
    with judge.part("score", points=2):
        for name, (*_, dtype, _, _) in LAW_RUNS.items():
            x, t, y, setting = law_setting(judge.challenge, name)
            law = Law(x, t, setting)
            a, s, x = law.a, law.s, law.x
            mean = law.mean(y)
            seen = judge.tensor(f"{name}/value", x.shape, "The score", finite=False)
            judge.require(
                bool(seen.isfinite().all()), "not_finite",
                f"Your score contains NaN or infinity (seen {WHERE[name]}). Probabilities may be exactly 0, and densities underflow: stay with logarithms and softmax.",
            )  # fmt: skip
            judge.compare(
                seen,
                (a * mean - x) / s**2,
                partial(score_mistakes, law, y),
                ("wrong_score", f"Your score is not the gradient of log p_t(x | y) in x (seen {WHERE[name]}). Check it with automatic differentiation of the log density."),
                1e-7 if dtype == torch.float64 else 2e-3,
            )  # fmt: skip
            kept(judge, name)
        same_when_strided(judge, "letters")
        judge.device()


def score_mistakes(law: Law, y: Tensor) -> list[tuple[str, str, Tensor]]:
    a, s, x, mean = law.a, law.s, law.x, law.mean(y)
    shares = torch.softmax(law.setting.weights[y].log() + law.log_components(), dim=-1)
    everything = torch.einsum(
        "by,byld->bld",
        law.posterior(),
        torch.stack([law.mean(torch.full_like(y, k)) for k in range(CLASSES)], 1),
    )
    site_shares = torch.softmax(law.setting.weights[y].log()[..., None] + law.log_sites().logsumexp(-1), dim=1)
    by_site = torch.einsum("bcl,bcld->bld", site_shares, law.component_means())
    plain = torch.einsum("bc,bcld->bld", law.setting.weights[y], law.component_means())
    hard = law.component_means()[torch.arange(len(x)), shares.argmax(-1)]
    prior_mean = torch.einsum("bc,cld->bld", shares, law.setting.probs @ law.setting.points)
    return [
        ("variance_not_squared", "You divide by sigma. The score has the unit 1/x: divide by sigma².", (a * mean - x) / s),
        ("wrong_sign", "Your score points away from the data.", (x - a * mean) / s**2),
        ("not_divided", "The difference has to be divided by the variance sigma².", a * mean - x),
        ("a_missing", "The Gaussians stand around a(t) times the data: the factor a is missing before the mean.", (mean - x) / s**2),
        ("unconditional", "This is the score of all classes together. Use the components' shares given the class y.", (a * everything - x) / s**2),
        ("gradient_of_posterior", "This is the gradient of log p(y | x), what a classifier would say. The gradient of log p_t(x | y) is asked for: do not normalise over the classes.", a * (mean - everything) / s**2),
        ("shares_per_site", "Every site has its own shares of the components. A sample has one component for all its sites: add up their logarithms before the softmax over the components.", (a * by_site - x) / s**2),
        ("shares_not_updated", "You weigh the components with their shares in the class. Having seen x, some are more probable than others: use p(component | x, y).", (a * plain - x) / s**2),
        ("weights_missing", "You weigh the components by their likelihood alone. Their shares in the class count too.", (a * law.mean(y, weights=possible(law.setting.weights)) - x) / s**2),
        ("weights_missing", "You weigh all components by their likelihood, even those that this class does not have.", (a * law.mean(y, weights=torch.ones_like(law.setting.weights)) - x) / s**2),
        ("letters_missing", "The mean of a site given x leaves out the probabilities of its letters.", (a * law.mean(y, probs=possible(law.setting.probs)) - x) / s**2),
        ("half_exponent", "The softmax over the letters has the wrong exponent: the difference of two Gaussians' logarithms has a / sigma², neither half nor twice that.", (a * law.mean(y, variance=law.s**2 / 2) - x) / s**2),
        ("half_exponent", "The softmax over the letters has the wrong exponent: the variance is sigma².", (a * law.mean(y, variance=law.s) - x) / s**2),
        ("hard_component", "You take the score of the best component. The score of a mixture is the mean of its components' scores under p(component | x, y).", (a * hard - x) / s**2),
        ("prior_mean", "You use each component's own mean. Having seen x, a site's mean is another: p(letter | x) takes the place of p(letter).", (a * prior_mean - x) / s**2),
        ("noise_instead", "What you return is the noise, not the score: they differ by the factor -1 / sigma.", (x - a * mean) / s),
    ]  # fmt: skip


# --- 1.5


@verdict("lab1.classifier_loss")
def classifier_loss(judge: Judge) -> None:
    with judge.part("loss", points=3):
        runs = {name: read_run(judge, name) for name in TRAIN_RUNS}
        calls = [runs[f"call{i}"] for i in range(TRAIN_CALLS)]
        judge_times(judge, torch.stack([run["t"].flatten() for run in calls]), PROBE_T_MIN)
        judge_noise(judge, torch.stack([run["noise"] for run in calls]))
        for name, run in runs.items():
            judge_loss(judge, name, run)
        judge.device()


def read_run(judge: Judge, name: str) -> dict[str, Tensor]:
    """Check the flow of one call (data to noise to model), and return its rebuilt tensors."""
    sites, d, dtype, batch = TRAIN_RUNS[name]
    data = StubData(judge.challenge, name, (sites, d), TRAIN_CLASSES, dtype)
    rows, rtol = (batch, sites, d), 1e-9 if dtype == torch.float64 else 1e-4
    judge.attempt(name)
    x0, y = data.points[:batch].double(), data.labels[:batch]
    judge.require(
        judge.value(f"{name}/model/count", int) > 0, "model_not_called", "Your loss never calls `self.model`."
    )
    x_model = judge.tensor(f"{name}/model/x", what="The x that the model sees")
    if judge.value(f"{name}/noising/count", int) == 0:
        if x_model.shape == x0.shape and judge.close(x_model, x0, rtol):
            judge.fail(
                "model_sees_clean",
                "The model is given clean data. While sampling it will be asked about noisy x at all times.",
            )
        judge.fail(
            "not_noised", "Your loss never calls `self.add_noise`. The classifier has to be trained on noisy data."
        )
    judge.require(
        x_model.shape == rows, "wrong_shape", f"The model sees x of shape {tuple(x_model.shape)}, expected {rows}."
    )
    t = judge.tensor(f"{name}/noising/t", what="The time t")
    if t.numel() == 1 and batch > 1:
        judge.fail("time_shared", "All samples of a batch share one time t. Each needs its own.")
    judge.require(
        t.shape == (batch, 1, 1),
        "time_shape",
        f"t has shape {tuple(t.shape)}, expected {(batch, 1, 1)}: one time a sample, ready to be broadcast.",
    )
    noise = judge.tensor(f"{name}/noising/noise", what="The noise")
    judge.require(
        noise.shape == rows,
        "noise_shape",
        f"The noise has shape {tuple(noise.shape)}, expected {rows}: each number gets its own.",
    )
    judge.compare(
        judge.tensor(f"{name}/noising/x0", rows, "The data that is noised"), x0, (),
        ("not_the_data", "What is noised is not what the data returned."), rtol,
    )  # fmt: skip
    x = stub_noising(judge.challenge)(data.points[:batch], t.to(dtype), noise.to(dtype)).double()
    if not judge.close(x_model, x, rtol):
        if judge.close(x_model, x0, rtol):
            judge.fail("model_sees_clean", "The model is given the clean data. It must be asked at the noisy x.")
        judge.fail("model_sees_other_x", "The x that the model sees is not the x that add_noise returned.")
    t_model = judge.tensor(f"{name}/model/t", what="The time that the model sees")
    judge.require(
        t_model.numel() == batch,
        "time_shape",
        f"The model sees t of shape {tuple(t_model.shape)}, expected {(batch, 1, 1)}.",
    )
    judge.compare(
        t_model.reshape(-1), t.reshape(-1),
        [
            ("time_reversed", "The model sees 1 - t where the noise saw t.", 1 - t.reshape(-1)),
            ("time_zero", "The model always hears t = 0. It has to know how noisy its input is.", torch.zeros(batch, dtype=torch.float64)),
        ],
        ("time_differs", "The model sees another time than the noise. Draw t once and pass the same t to both."), rtol,
    )  # fmt: skip
    judge.require(
        judge.value(f"{name}/data_kept", bool),
        "data_altered",
        "The points or labels that the data returned were changed in place.",
    )
    return {"x": x, "t": t, "noise": noise, "y": y}


def judge_loss(judge: Judge, name: str, run: dict[str, Tensor]) -> None:
    dtype = TRAIN_RUNS[name][2]
    model = StubClassifier(judge.challenge, TRAIN_CLASSES, torch.float64)
    logits = model.compute(run["x"].to(dtype).double(), run["t"].to(dtype).double())
    judge_cross_entropy(judge, name, logits, run["y"], run["t"].flatten(), 1e-9 if dtype == torch.float64 else 1e-4)


# --- 1.6


@verdict("lab1.guided_step")
def guided_step(judge: Judge) -> None:
    with judge.part("step", points=3):
        seen = {name: judge.tensor(f"{name}/value", STEP_RUNS[name][0], "The new x") for name in STEP_RUNS}
        again = judge.tensor("again/value", STEP_RUNS["equal"][0], "The new x")
        judge.require(torch.equal(seen["equal"], again), "fresh_noise", FRESH_NOISE)
        plain = ("equal", "w0", "w1")  # there mistakes of the combination can hide behind each other
        for name in sorted(STEP_RUNS, key=plain.__contains__):
            _, dtype = STEP_RUNS[name]
            parts = {
                k: v.double() if isinstance(v, Tensor) else v for k, v in step_setting(judge.challenge, name).items()
            }
            mistakes = step_mistakes(parts, name in plain)
            if name not in (*plain, "w3"):  # w = 3 was right
                unguided, conditional = (new_x(**(parts | {"w": w})) for w in (0.0, 1.0))
                mistakes[:0] = [other_scale(seen[name], unguided, conditional - unguided, parts["w"])]
            if name == "last":
                still = new_x(**(parts | {"noise": 0 * parts["noise"]}))
                mistakes[:0] = [
                    (
                        "no_noise_at_the_end",
                        "Your step that ends at the last time leaves the noise out. It is one like the others.",
                        still,
                    )
                ]
            judge.compare(
                seen[name], new_x(**parts), mistakes,
                ("wrong_step", f"Your step is not x + (beta x / 2 + beta s_w) h + sqrt(beta h) noise (seen {WHERE[name]}). Try it with noise 0, then with h = 0: which of the terms is off?"),
                1e-9 if dtype == torch.float64 else 1e-4,
            )  # fmt: skip
            kept(judge, name)
        same_when_strided(judge, "w3")
        judge.device()


def new_x(x, t, h, score, class_score, w, noise) -> Tensor:
    beta = vp.beta(t)
    s = score + w * (class_score - score)
    return x + (beta * x / 2 + beta * s) * h + torch.sqrt(beta * h) * noise


def step_mistakes(p: dict, plain: bool = False) -> list[tuple[str, str, Tensor]]:
    x, h, noise, beta = p["x"], p["h"], p["noise"], vp.beta(p["t"])
    s, c, w = p["score"], p["class_score"], p["w"]
    guided = s + w * (c - s)

    def step(score: Tensor = guided, kick: Tensor | None = None, drift: Tensor | None = None) -> Tensor:
        drift = beta * x / 2 + beta * score if drift is None else drift
        return x + drift * h + (torch.sqrt(beta * h) if kick is None else kick) * noise

    of_steps = [
        ("noise_times_h", "The noise is multiplied by sqrt(beta) h. Its *variance* grows with h: its size is sqrt(beta h).", step(kick=beta.sqrt() * h)),
        ("no_root", "The noise is multiplied by beta h. That is its variance; take the square root.", step(kick=beta * h)),
        ("noise_without_beta", "The noise is multiplied by sqrt(h) only. It comes in at the rate beta.", step(kick=h.sqrt())),
        ("noise_unscaled", "The noise is added at full size. In a short step little noise comes in: sqrt(beta h).", step(kick=torch.ones_like(h))),
        ("noise_missing", "The noise is missing. Without it this is another equation, with half the score.", step(kick=torch.zeros_like(h))),
        ("noise_subtracted", "The noise is subtracted. That has the same law, but this noise was given: add it.", step(kick=-torch.sqrt(beta * h))),
        ("noise_doubled", "The noise is too large by a factor sqrt(2). It is sqrt(beta h); the 2 belongs to Langevin dynamics.", step(kick=torch.sqrt(2 * beta * h))),
        ("forward_drift", "The drift has the sign of the forward equation: x shrinks. Back in time it grows, + beta x / 2.", step(drift=-beta * x / 2 + beta * guided)),
        ("wrong_sign", "The score has the wrong sign: you walk away from the data.", step(drift=beta * x / 2 - beta * guided)),
        ("ode_half", "The score is multiplied by beta / 2. That is right for the flow without noise; with noise it is beta.", step(drift=beta * x / 2 + beta * guided / 2)),
        ("drift_not_halved", "The linear drift is beta x, twice too much.", step(drift=beta * x + beta * guided)),
        ("no_linear_drift", "The term beta x / 2 is missing: it undoes the shrinking of the data.", step(drift=beta * guided)),
        ("score_without_beta", "The score is not multiplied by beta.", step(drift=beta * x / 2 + guided)),
        ("h_missing", "The drift is not multiplied by the step size h.", step(drift=(beta * x / 2 + beta * guided) / h)),
        ("wrong_time", "You use beta at t - h. The step uses the rate at the time where it starts.", new_x(**(p | {"t": p["t"] - h}))),
        ("forwards", "Your step has a negative size: it goes from data to noise.", x - (beta * x / 2 + beta * guided) * h + torch.sqrt(beta * h) * noise),
    ]  # fmt: skip
    if plain:
        return of_steps
    return [
        *of_steps,
        ("scales_swapped", "The two scores carry each other's weight. Test it in your head: what must be left at w = 0, and at w = 1?", step(c + w * (s - c))),
        ("other_convention", "You use (1 + w) class score - w score. In this course w = 1 is the plain conditional score.", step((1 + w) * c - w * s)),
        ("not_extrapolated", "You add w times the class score to the score. The classifier's gradient is the *difference* of the two.", step(s + w * c)),
        ("difference_only", "You use only the difference of the scores. The score itself is missing.", step(w * (c - s))),
        ("unguided", "The guidance scale has no effect.", step(s)),
        ("unguided", "The guidance scale has no effect: you always use the class score.", step(c)),
        ("scale_on_everything", "The whole conditional score is multiplied by w.", step(w * c)),
        ("wrong_difference", "The difference of the scores is the wrong way round: the class is avoided.", step(s - w * (c - s))),
        ("scale_clipped", "Your guidance scale is limited to [0, 1]. Beyond 1 is where guidance begins.", step(s + min(max(w, 0.0), 1.0) * (c - s))),
        ("drift_guided_twice", "The linear drift is multiplied by w as well. Only the difference of the scores is.", step(drift=w * beta * x / 2 + beta * guided)),
    ]  # fmt: skip
