"""Exercise 1.1: draw from a mixture of independent sites; and a colleague's function with a bug."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.discrete_draws import is_runs_random, pairs_agree
from utils.checks.kits.given_generator import require_generator_used
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.random_problems import COMPONENTS, WHERE, same_problem
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.statistics import are_binomial, is_binomial
from utils.checks.kits.words_together import (
    are_separate_streams,
    are_sites_uncorrelated,
    probe_together,
    require_independent_words,
)
from utils.checks.lab1.majority_down import is_integer, kind_of, probe_majority, require_majority
from utils.checks.lab1.sample_ensemble_inputs import SAMPLES, SIZES, WIDE_SAMPLES, WIDE_SITES, Inputs
from utils.checks.student import Student

SITES_DIFFER = 0.04  # only names what `site_frequencies` has found
COMPONENTS_DIFFER = 0.05  # only names what `site_frequencies` has found: six standard deviations of 4,000 samples


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
        evidence.put(f"{run}/inputs_kept", same_problem(inputs.setting, Inputs.of(challenge, run).setting))
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
    for run in SIZES:
        require_unchanged(judge, f"{run}/inputs_kept")
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


def require_integers(judge: Judge, letters: Tensor) -> None:
    """Fail if the letters are floating-point numbers or booleans."""
    judge.require(
        is_integer(letters),
        "not_integers",
        f"Your letters are no integers but {kind_of(letters)}, and they index the rows of `setting.points`. "
        "Return integers, such as int64.",
    )


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
    word = inputs.setting.probs[inputs.shares.argmax()].argmax(-1)
    judge.require(
        torch.equal(letters[0].long(), word),
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
    if bool((letters != letters[:1]).any()):  # one and the same word lacks letters for another reason
        require_every_letter(judge, run, expected, actual)
    if run == "marked":
        require_components(judge, inputs, actual[0])
    site, letter = divmod(int((actual - expected).abs().argmax()), inputs.setting.letters)
    judge.fail(
        "site_frequencies",
        f"At site {site}, {actual[site, letter]:.1%} of your samples show letter {letter}, but in this class its "
        f"probability is {expected[site, letter]:.1%} (seen {WHERE[run]}). Each component of the class has a share in "
        "that probability.",
    )


def require_every_letter(judge: Judge, run: str, expected: Tensor, actual: Tensor) -> None:
    """Fail if a letter is missing at all sites. It only names what `require_frequencies` has found.

    Args:
        judge: The judge of the exercise.
        run: The run.
        expected: The probability of each letter at each site, (sites, letters).
        actual: Its share among the samples, (sites, letters).
    """
    for letter in range(expected.shape[1]):
        site = int(expected[:, letter].argmax())
        judge.require(
            bool(actual[:, letter].any()),
            "letter_never_drawn",
            f"Letter {letter} appears at no site of your samples, but in this class its probability at site {site} is "
            f"{expected[site, letter]:.1%} (seen {WHERE[run]}). Among how many letters does your code draw?",
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
        )
        and are_sites_uncorrelated(letters, component, inputs.setting.probs, judge.spend_alpha(1e-8)),
        "sites_tied",
        "Within a component, the letter of one site depends on that of another. "
        "Draw each site independently, with one random number for each sample *and* site.",
    )
    judge.require(
        are_separate_streams(letters, component, inputs.setting, inputs.shares, judge.spend_alpha(1e-8)),
        "draws_depend",
        "The components of some samples and the letters of others depend on each other. "
        "Draw each with random numbers of its own.",
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
    version=9,
    names=("sample_ensemble", "majority_down"),
    probe=probe,
    public=check,
)
