"""Exercise 1.1: draw from a mixture of independent sites; and a colleague's function with a bug."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.discrete_draws import are_binomial, is_runs_random, pairs_agree
from utils.checks.kits.given_generator import require_generator_used
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.random_problems import CLASSES, COMPONENTS, WHERE, random_problem, with_probs
from utils.checks.kits.same_answer import strided
from utils.checks.kits.statistics import is_binomial
from utils.checks.kits.words_together import probe_together, require_independent_words, rows_agree_by_chance
from utils.checks.student import Student
from utils.toy_problems import ToyProblem

SAMPLES = 4000
SIZES = {"marked": (6, COMPONENTS), "spins": (7, 2), "letters": (5, 4)}  # run: sites, letters
LABELS = {"spins": 0, "letters": CLASSES - 1}  # both ends in every challenge; elsewhere it is 0 or 1
WIDE_SITES, WIDE_SAMPLES = 36, 500  # as many sites as the lab's lattices have, so that no repetition is too long
MAJORITY_SITES, MAJORITY_SAMPLES = 9, 4000
MINORITY = 0.25  # a ratio with which most spins point up
SITES_DIFFER = 0.04  # only names what `site_frequencies` has found
COMPONENTS_DIFFER = 0.05  # only names what `site_frequencies` has found: six standard deviations of 4,000 samples


@dataclass(frozen=True)
class Inputs:
    """The toy problem and the class of one run, fixed by the challenge."""

    setting: ToyProblem
    label: int

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return a random toy problem.

        In `marked` the first letter of a sample tells its component. In `letters` the probabilities are not contiguous
        in memory.
        """
        setting = random_problem(challenge, run, *SIZES[run])
        if run == "marked":
            probs = setting.probs.clone()
            probs[:, 0] = torch.eye(COMPONENTS, dtype=probs.dtype)
            setting = with_probs(setting, probs)
        if run == "letters":
            setting = with_probs(setting, strided(setting.probs))
        return cls(setting, LABELS.get(run, challenge.integer(f"{run} label", 0, 2)))  # these lack a component

    @classmethod
    def certain(cls, challenge: Challenge) -> Inputs:
        """Return a toy problem in which each class has one component, and each component one word."""
        sites, letters = SIZES["letters"]
        words = challenge.randint("certain words", 0, letters, (COMPONENTS, sites))
        setting = with_probs(random_problem(challenge, "certain", sites, letters), torch.eye(letters).double()[words])
        return cls(replace(setting, weights=torch.eye(CLASSES, COMPONENTS).double()), CLASSES - 1)

    @classmethod
    def wide(cls, challenge: Challenge) -> Inputs:
        """Return a toy problem of many sites in which each class has one component, without rare letters."""
        setting = random_problem(challenge, "wide", WIDE_SITES, 2)
        down = challenge.on("cpu").rand("wide down", (COMPONENTS, WIDE_SITES), 0.3, 0.7)
        setting = with_probs(setting, torch.stack([down, 1 - down], dim=-1))
        return cls(replace(setting, weights=torch.eye(CLASSES, COMPONENTS).double()), 1)

    @property
    def shares(self) -> Tensor:
        """The share of each component in the class, (components,)."""
        return self.setting.weights[self.label]

    def site_probs(self, shares: Tensor) -> Tensor:
        """Return each letter's probability at each site, (sites, letters), where components have these shares."""
        return torch.einsum("c,clk->lk", shares, self.setting.probs)


def majority_ratio(challenge: Challenge) -> float:
    """Return the probability of a down spin: not the lab's own, and far from all twentieths, so that rounding shows."""
    return challenge.number("ratio", 0.82, 0.83)


# --- the probe


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Draw samples of every toy problem, and of `majority_down`; and draw again with the same generator."""
    sample_ensemble = student.function("sample_ensemble", "setting", "label", "n", "generator")
    for run in SIZES:
        inputs = Inputs.of(challenge, run)
        with evidence.attempt(run), watching(evidence, run):
            letters = sample_ensemble(inputs.setting, inputs.label, SAMPLES, challenge.generator(run))
            evidence.put(f"{run}/letters", letters)
        with evidence.attempt(f"{run}_again"):
            before, source = torch.random.get_rng_state(), challenge.generator(run)
            evidence.put(f"{run}_again/letters", sample_ensemble(inputs.setting, inputs.label, 64, source))
            evidence.put(f"{run}_again/next", sample_ensemble(inputs.setting, inputs.label, 64, source))
            source = challenge.generator(run)
            evidence.put(f"{run}_again/twice", sample_ensemble(inputs.setting, inputs.label, 64, source))
            evidence.put(f"{run}_again/global_used", not torch.equal(before, torch.random.get_rng_state()))
    with evidence.attempt("one"):
        inputs = Inputs.certain(challenge)
        evidence.put("one/letters", sample_ensemble(inputs.setting, inputs.label, 1, challenge.generator("one")))
    with evidence.attempt("wide"):
        inputs = Inputs.wide(challenge)
        letters = sample_ensemble(inputs.setting, inputs.label, WIDE_SAMPLES, challenge.generator("wide"))
        evidence.put("wide/letters", letters)
    marked = Inputs.of(challenge, "marked")
    probe_together(evidence, challenge, lambda n, source: sample_ensemble(marked.setting, marked.label, n, source))
    probe_majority(student, challenge, evidence)


def probe_majority(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Draw many lattices, one lattice, and twice with the same generator."""
    with evidence.attempt("majority"), watching(evidence, "majority"):
        majority_down = student.function("majority_down", "n", "sites", "ratio", "generator")
        ratio, source = majority_ratio(challenge), challenge.generator("majority")
        evidence.put("majority/letters", majority_down(MAJORITY_SAMPLES, MAJORITY_SITES, ratio, source))
        evidence.put("majority/one", majority_down(1, MAJORITY_SITES, 0.7, challenge.generator("majority one")))
        evidence.put("majority/all", majority_down(5, MAJORITY_SITES, 1.0, challenge.generator("majority all")))
        evidence.put("majority/none", majority_down(5, MAJORITY_SITES, 0.0, challenge.generator("majority none")))
        source = challenge.generator("majority wide")
        evidence.put("majority/wide", majority_down(WIDE_SAMPLES, WIDE_SITES, MINORITY, source))
    with evidence.attempt("majority_again"):
        majority_down = student.function("majority_down", "n", "sites", "ratio", "generator")
        before = torch.random.get_rng_state()
        for name in ("letters", "twice"):
            source = challenge.generator("majority again")
            evidence.put(f"majority_again/{name}", majority_down(64, MAJORITY_SITES, 0.7, source))
        evidence.put("majority_again/next", majority_down(64, MAJORITY_SITES, 0.7, source))
        evidence.put("majority_again/global_used", not torch.equal(before, torch.random.get_rng_state()))


# --- requirements of `sample_ensemble`


def require_ensemble(judge: Judge, diagnose: Callable[[Judge, Inputs, Tensor], None] | None = None) -> None:
    """Run every requirement on `sample_ensemble`.

    Args:
        judge: The judge of the exercise.
        diagnose: Called if shares are wrong, with a run's inputs and the share of each letter at each site,
            (sites, letters). It may fail with a more precise finding.
    """
    for run in SIZES:
        judge.attempt(run)
    require_nothing_left(judge, SIZES)
    one = judge.tensor("one/letters", (1, SIZES["letters"][0]), "A sample of size 1")
    require_integers(judge, one)
    for run in SIZES:
        inputs = Inputs.of(judge.challenge, run)
        letters = require_letters(judge, run, inputs)
        require_frequencies(judge, run, inputs, letters, diagnose)
        if run == "marked":
            require_one_component(judge, inputs, letters)
            require_independent_draws(judge, inputs, letters)
        else:
            judge.require(
                pairs_agree(letters, inputs.setting.probs, judge.spend_alpha(2e-8), inputs.shares),
                "sites_tied",
                "Two sites show some letters together more often, or less often, than chance allows for one component "
                f"and independent sites (seen {WHERE[run]}). Use one random number for each sample *and* site.",
            )
    require_wide(judge)
    require_only_word(judge, one)
    for run in SIZES:
        require_generator_used(judge, run, "sample_ensemble")
    spins = judge.tensor("spins/letters")
    judge.require(
        not torch.equal(spins[:64], spins[64:128]),
        "seeded",
        "Your sample repeats itself. Do not seed the generator inside the function.",
    )
    inputs = Inputs.of(judge.challenge, "marked")
    require_independent_words(judge, inputs.setting, inputs.shares)


def is_integer(tensor: Tensor) -> bool:
    """Return whether a tensor holds integers of any length. Booleans are none: as an index they are a mask."""
    return not tensor.is_floating_point() and tensor.dtype != torch.bool


def require_integers(judge: Judge, letters: Tensor) -> None:
    """Fail if the letters are floating-point numbers or booleans."""
    judge.require(
        is_integer(letters),
        "not_integers",
        f"Your letters are no integers but {kind_of(letters)}, and they index the rows of `setting.points`. "
        "Return integers, such as int64.",
    )


def kind_of(tensor: Tensor) -> str:
    """Return what a tensor without integers holds."""
    return "booleans" if tensor.dtype == torch.bool else "floating-point numbers"


def require_wide(judge: Judge) -> None:
    """Fail if any two of many sites depend on each other, or if letters come in too even numbers."""
    inputs = Inputs.wide(judge.challenge)
    letters = judge.tensor("wide/letters", (WIDE_SAMPLES, WIDE_SITES), "Your sample of words of 36 spins").long()
    probs = inputs.setting.probs[inputs.label]
    ups = (letters == 1).double().sum(0)
    judge.require(
        are_binomial(ups, WIDE_SAMPLES, probs[:, 1], judge.spend_alpha(2e-8)),
        "many_sites",
        "In words of 36 spins, some sites show their letters too often or too rarely. In shorter words they do not.",
    )
    # The chance is below 0.11 at each site: three numbers, of which none has a chance above 0.04.
    judge.spend_alpha(1e-30)
    judge.require(
        bool(((ups - WIDE_SAMPLES * probs[:, 1]).abs() > 1).any()),
        "letters_dealt",
        f"In {WIDE_SAMPLES} words of 36 spins, each letter comes as often as expected at every site, to within one. "
        "Chance is never so even: draw the letters of each word independently.",
    )
    judge.require(
        pairs_agree(letters, probs, judge.spend_alpha(2e-8)),
        "sites_tied",
        "In words of 36 spins, the letter of one site depends on that of another. "
        "Draw each site independently, with one random number for each sample *and* site.",
    )


def require_only_word(judge: Judge, letters: Tensor) -> None:
    """Fail if a sample of a class that has one word only is another word."""
    inputs = Inputs.certain(judge.challenge)
    same = torch.equal(letters[0].long(), inputs.setting.probs[inputs.label].argmax(-1))
    judge.require(
        same,
        "not_the_word",
        "The last class has one component, and that component one word, because all other letters have probability 0. "
        f"Your sample of size 1 is another word: {letters[0].tolist()}.",
    )


def require_letters(judge: Judge, run: str, inputs: Inputs) -> Tensor:
    """Return the sample of a run as int64, (samples, sites); fail unless it holds letters of the toy problem."""
    letters = judge.tensor(f"{run}/letters", (SAMPLES, inputs.setting.sites), "Your sample")
    require_integers(judge, letters)
    letters = letters.long()  # int16 is an integer type too, but torch does not index with it
    judge.require(
        bool((letters >= 0).all() and (letters < inputs.setting.letters).all()),
        "no_such_letter",
        f"Your sample contains letters outside 0 to {inputs.setting.letters - 1}. Letters are numbered from 0.",
    )
    return letters


def require_frequencies(
    judge: Judge,
    run: str,
    inputs: Inputs,
    letters: Tensor,
    diagnose: Callable[[Judge, Inputs, Tensor], None] | None,
) -> None:
    """Fail unless each letter appears at each site as often as the class says."""
    expected = inputs.site_probs(inputs.shares)
    actual = torch.stack([(letters == k).double().mean(0) for k in range(inputs.setting.letters)], dim=-1)
    level = judge.spend_alpha(1e-7) / expected.numel()
    if all(
        is_binomial(round(float(share) * len(letters)), len(letters), min(float(p), 1.0), level)
        for share, p in zip(actual.flatten(), expected.flatten())
    ):
        return
    if diagnose is not None:
        diagnose(judge, inputs, actual)
    judge.require(
        float((actual - actual.mean(0)).abs().max()) > SITES_DIFFER,
        "sites_alike",
        "Your samples show each letter equally often at all sites, but `setting.probs[c, i]` differs from site to "
        f"site (seen {WHERE[run]}).",
    )
    if run == "marked":
        require_components(judge, inputs, actual[0])
    site, letter = divmod(int((actual - expected).abs().argmax()), inputs.setting.letters)
    judge.fail(
        "site_frequencies",
        f"At site {site}, {actual[site, letter]:.1%} of your samples show letter {letter}, but in this class its "
        f"probability is {expected[site, letter]:.1%} (seen {WHERE[run]}). Each component of the class has a share in "
        "that probability.",
    )


def require_components(judge: Judge, inputs: Inputs, actual: Tensor) -> None:
    """Fail if components come too often or too rarely.

    Args:
        judge: The judge of the exercise.
        inputs: The inputs of the run `marked`.
        actual: The share of each component among the samples, (components,).
    """
    start = "In this world the first letter of a word tells its component. Your samples show "
    for c, (share, expected) in enumerate(zip(actual.tolist(), inputs.shares.tolist())):
        found = f"{start}component {c} in {share:.1%} of them, where the class gives it {expected:.1%}. "
        judge.require(
            expected > 0 or share == 0,
            "component_of_another_class",
            f"{found}What has the probability 0 never appears.",
        )
        judge.require(
            expected == 0 or share > 0,
            "component_never_drawn",
            f"{found}Every sample draws a component of its own.",
        )
    c = int((actual - inputs.shares).abs().argmax())
    judge.require(
        float((actual - inputs.shares).abs().max()) < COMPONENTS_DIFFER,
        "component_shares",
        f"{start}component {c} in {actual[c]:.1%} of them, where the class gives it {inputs.shares[c]:.1%}.",
    )


def require_one_component(judge: Judge, inputs: Inputs, letters: Tensor) -> None:
    """Fail if the sites of one sample come from different components. The first letter tells the component."""
    code, message = (
        "sites_from_other_components",
        "Within one sample, sites come from different components. "
        "Draw the component once for a whole sample, then its sites.",
    )
    probs, component = inputs.setting.probs, letters[:, 0]
    own = 0.0
    for c in component.unique().tolist():
        rows = letters[component == c]
        of_component = torch.stack([probs[c, i, rows[:, i]] for i in range(1, inputs.setting.sites)], dim=1)
        judge.require(not bool((of_component == 0).any()), code, message)
        own += float(torch.log(of_component).sum())
    averaged = inputs.site_probs(inputs.shares)
    of_class = torch.stack([averaged[i, letters[:, i]] for i in range(1, inputs.setting.sites)], dim=1)
    judge.require(own > float(torch.log(of_class).sum()), code, message)


def require_independent_draws(judge: Judge, inputs: Inputs, letters: Tensor) -> None:
    """Fail unless samples, and the sites of one sample, are independent. The first letter tells the component."""
    component = letters[:, 0]
    judge.require(
        is_runs_random(component, judge.spend_alpha(1e-7)),
        "draws_depend",
        "Neighbouring samples share their component more often, or less often, than chance allows. "
        "Draw the component independently for every sample.",
    )
    counts = torch.bincount(component, minlength=COMPONENTS)
    counts[0] = 0  # component 0 has one word only
    most = int(counts.argmax())
    rows = letters[component == most][:, 1:]
    judge.require(
        len(torch.unique(rows, dim=0)) > 1,
        "draws_depend",
        "All samples of a component are the same word. Draw the letters independently for every sample.",
    )
    level = judge.spend_alpha(1e-7) / (COMPONENTS - 1)
    judge.require(
        all(
            pairs_agree(letters[component == c][:, 1:], inputs.setting.probs[c, 1:], level)
            for c in range(1, COMPONENTS)
        ),
        "sites_tied",
        "Within a component, the letter of one site depends on that of another. "
        "Draw each site independently, with one random number for each sample *and* site.",
    )


# --- requirements of `majority_down`, and of both


def require_majority(judge: Judge) -> None:
    """Run every requirement on `majority_down`."""
    judge.attempt("majority")
    require_nothing_left(judge, ["majority"])
    judge.tensor("majority/one", (1, MAJORITY_SITES), "A sample of size 1 of majority_down")
    spins = judge.tensor("majority/letters", (MAJORITY_SAMPLES, MAJORITY_SITES), "Your sample of majority_down")
    judge.require(
        is_integer(spins),
        "not_integers",
        f"Your lattices hold {kind_of(spins)}. Return integers, such as int64.",
    )
    judge.require(
        bool(((spins == 0) | (spins == 1)).all()),
        "not_spins",
        "Your lattices hold other numbers than 0 for down and 1 for up.",
    )
    judge.require(
        bool((spins != spins[:1]).any()),
        "samples_tied",
        "All your lattices are the same. Draw each of them independently.",
    )
    ups = spins.sum(1).unique()
    judge.require(
        ups.numel() > 1 or int(ups) in (0, MAJORITY_SITES),
        "sites_tied",
        f"In every one of your lattices {int(ups[0])} of {MAJORITY_SITES} spins point up. "
        "Draw each site independently: then that number varies.",
    )
    require_majority_share(judge, spins)
    judge.require(
        ups.numel() > 2,
        "sites_tied",
        "In each of your lattices all sites agree, or the number of up spins hardly varies. "
        "Draw each site independently.",
    )
    up = judge.tensor("majority/all", (5, MAJORITY_SITES), "A sample of majority_down with ratio = 1")
    judge.require(not up.any(), "not_all_down", "With ratio = 1 every spin points down, but some of yours point up.")
    up = judge.tensor("majority/none", (5, MAJORITY_SITES), "A sample of majority_down with ratio = 0")
    judge.require(bool((up == 1).all()), "not_all_up", "With ratio = 0 no spin points down, but some of yours do.")
    require_minority(judge)
    ratio = majority_ratio(judge.challenge)
    judge.require(
        rows_agree_by_chance(spins, ratio**2 + (1 - ratio) ** 2, judge.spend_alpha(3e-8)),
        "samples_tied",
        "Two of your lattices agree in more spins, or in fewer, than chance allows. Draw each of them independently.",
    )
    probs = torch.tensor([ratio, 1 - ratio], dtype=torch.float64).expand(MAJORITY_SITES, 2)
    judge.require(
        pairs_agree(spins, probs, judge.spend_alpha(1e-7)),
        "sites_tied",
        "In your lattices two sites agree more often, or less often, than chance allows. Draw each site independently.",
    )
    require_generator_used(judge, "majority", "majority_down")


def require_minority(judge: Judge) -> None:
    """Fail unless many sites are independent, with a ratio below one half."""
    spins = judge.tensor("majority/wide", (WIDE_SAMPLES, WIDE_SITES), "A sample of majority_down with 36 sites").long()
    down = 1 - float(spins.double().mean())
    judge.spend_alpha(1e-30)  # 0.1 is more than 30 standard deviations
    judge.require(
        abs(down - MINORITY) < 0.1,
        "minority_share",
        f"With ratio = {MINORITY:g}, {down:.0%} of the spins point down. "
        "The ratio is the probability of a down spin, below one half, too.",
    )
    probs = torch.tensor([MINORITY, 1 - MINORITY], dtype=torch.float64).expand(WIDE_SITES, 2)
    judge.require(
        pairs_agree(spins, probs, judge.spend_alpha(2e-8)),
        "sites_tied",
        "In your lattices of 36 sites two of them agree more often, or less often, than chance allows. "
        "Draw each site independently.",
    )


def require_majority_share(judge: Judge, spins: Tensor) -> None:
    """Fail unless the share of down spins is the ratio that was asked for."""
    ratio, ups, total = majority_ratio(judge.challenge), int(spins.sum()), spins.numel()
    if is_binomial(ups, total, 1 - ratio, judge.spend_alpha(1e-7)):
        return
    if is_binomial(ups, total, ratio, 1e-7):
        judge.fail(
            "majority_up",
            f"{ups / total:.0%} of the spins point up, but the majority should point down. "
            "Print the mean of what `majority_down` returns before you trust its name.",
        )
    judge.fail(
        "majority_share",
        f"{1 - ups / total:.0%} of the spins point down, but the ratio was {ratio:.0%}. "
        "Use the argument `ratio`, which is the probability of a down spin.",
    )


# --- the public check


def check(judge: Judge) -> None:
    """Run all requirements on the public challenge."""
    with judge.part("ensemble", 1.5):
        require_ensemble(judge)
    with judge.part("majority", 0.5):
        require_majority(judge)


EXERCISE = Exercise(
    "lab1.sample_ensemble",
    points=2,
    title="Draw from a mixture of independent sites",
    version=7,
    names=("sample_ensemble", "majority_down"),
    probe=probe,
    public=check,
)
