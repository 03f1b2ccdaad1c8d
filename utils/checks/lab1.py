"""Lab 1: probes and public verdicts. What the grader looks at, never what should come out."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.cross_entropy import (
    CERTAINTIES,
    require_known_losses,
    require_learning_loss,
    require_noised_input,
    require_normal_noise,
    require_same_time,
    stub_noising,
)
from utils.checks.evidence import Evidence
from utils.checks.exercise import exercise
from utils.checks.judging import Judge
from utils.checks.stubs import PreparedClassifier, Recorder, StubClassifier, StubData, forget_repeats
from utils.checks.student import Student
from utils.settings import SPINS, Setting
from utils.vp import T_MIN

# --- worlds made for the grader: every site has probabilities of its own, some letters are impossible, shares are unequal

COMPONENTS, CLASSES = 4, 3

# What is special about a run, for messages.
WHERE = {
    "spins": "on spins",
    "letters": "on one-hot letters",
    "integers": "on data of integers",
    "marked": "where the first letter tells the component",
    "clear": "where there is hardly any noise",
    "far": "where x is far from every word",
    "long": "on 80 sites",
    "impossible": "near words that no class can make",
    "late": "near t = 1",
    "one": "in a batch of one",
    "single": "in float32",
    "equal": "where both scores are the same",
    "w0": "at w = 0",
    "w1": "at w = 1",
    "w3": "at w = 3",
    "whalf": "at w = 0.5",
    "wnegative": "at w = -1",
    "w8": "at w = 8",
    "last": "where the step ends at the last time",
}


def made_up_setting(challenge: Challenge, name: str, sites: int, letters: int, dtype=torch.float64) -> Setting:
    """A world that no formula for one special case fits. Two letters are spins; more are one-hot vectors."""
    cpu = challenge.on("cpu")
    probs = cpu.rand(f"{name} probs", (COMPONENTS, sites, letters)) ** 2 + 0.02
    probs[0, :, 1:] = 0  # component 0 knows one letter only
    probs[1, ::2, 0] = 0
    probs = probs / probs.sum(-1, keepdim=True)
    weights = cpu.rand(f"{name} weights", (CLASSES, COMPONENTS)) + 0.1
    weights[0, 1] = weights[1, 0] = 0  # no class has all components
    prior = cpu.rand(f"{name} prior", (CLASSES,)) + 0.2
    points = torch.tensor(SPINS).double() if letters == 2 else torch.eye(letters).double()
    setting = Setting(name, probs, weights / weights.sum(-1, keepdim=True), prior / prior.sum(), points).to(dtype)
    if challenge.device == "cpu":
        return setting
    return Setting(
        name, *(v.to(challenge.device) for v in (setting.probs, setting.weights, setting.prior, setting.points))
    )


# --- 1.1 sampling an ensemble

ENSEMBLE_SAMPLES = 4000
ENSEMBLE_RUNS = {"spins": (7, 2), "letters": (5, 4)}  # attempt: sites, letters
MAJORITY_SITES, MAJORITY_SAMPLES = 9, 1000


def marked_setting(challenge: Challenge, name: str) -> Setting:
    """A made-up world whose first site tells the component: the draws can be read. Needs as many letters as components."""
    setting = made_up_setting(challenge, name, 6, COMPONENTS)
    probs = setting.probs.clone()
    probs[:, 0] = torch.eye(COMPONENTS, dtype=probs.dtype)
    return Setting(name, probs, setting.weights, setting.prior, setting.points)


def ensemble_setting(challenge: Challenge, name: str) -> Setting:
    if name == "marked":
        return marked_setting(challenge, name)
    return made_up_setting(challenge, name, *ENSEMBLE_RUNS[name])


def ensemble_label(challenge: Challenge, name: str) -> int:
    return challenge.integer(f"{name} label", 0, CLASSES)


def majority_ratio(challenge: Challenge) -> float:
    return challenge.number("ratio", 0.79, 0.88)  # not the lab's, so that a constant shows


def probe_sample_ensemble(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    sample_ensemble = student.function("sample_ensemble", "setting", "label", "n", "generator")
    for name in (*ENSEMBLE_RUNS, "marked"):
        setting, label = ensemble_setting(challenge, name), ensemble_label(challenge, name)
        with evidence.attempt(name):
            evidence.put(
                f"{name}/letters", sample_ensemble(setting, label, ENSEMBLE_SAMPLES, challenge.generator(name))
            )
        with evidence.attempt(f"{name}_again"):
            before, source = torch.random.get_rng_state(), challenge.generator(name)
            evidence.put(f"{name}_again/letters", sample_ensemble(setting, label, 64, source))
            evidence.put(f"{name}_again/next", sample_ensemble(setting, label, 64, source))
            evidence.put(f"{name}_again/twice", sample_ensemble(setting, label, 64, challenge.generator(name)))
            evidence.put(f"{name}_again/global_used", not torch.equal(before, torch.random.get_rng_state()))
    with evidence.attempt("one"):
        evidence.put(
            "one/letters", sample_ensemble(ensemble_setting(challenge, "spins"), 0, 1, challenge.generator("one"))
        )
    with evidence.attempt("majority"):
        majority_down = student.function("majority_down", "n", "sites", "ratio", "generator")
        drawn = majority_down(
            MAJORITY_SAMPLES, MAJORITY_SITES, majority_ratio(challenge), challenge.generator("majority")
        )
        evidence.put("majority/letters", drawn)
        evidence.put("majority/one", majority_down(1, MAJORITY_SITES, 0.7, challenge.generator("majority one")))
    with evidence.attempt("majority_again"):
        majority_down = student.function("majority_down", "n", "sites", "ratio", "generator")
        before = torch.random.get_rng_state()
        for name in ("letters", "twice"):
            source = challenge.generator("majority again")
            evidence.put(f"majority_again/{name}", majority_down(64, MAJORITY_SITES, 0.7, source))
        evidence.put("majority_again/next", majority_down(64, MAJORITY_SITES, 0.7, source))
        evidence.put("majority_again/global_used", not torch.equal(before, torch.random.get_rng_state()))


def public_sample_ensemble(judge: Judge) -> None:
    with judge.part("ensemble", 1.5):
        for name in (*ENSEMBLE_RUNS, "marked"):
            setting, label = ensemble_setting(judge.challenge, name), ensemble_label(judge.challenge, name)
            letters = judge.tensor(f"{name}/letters", (ENSEMBLE_SAMPLES, setting.sites), "Your sample")
            judge.require(
                not letters.is_floating_point(), "not_integers", "Letters are integers: they index `setting.points`."
            )
            letters = letters.long()
            judge.require(
                letters.min() >= 0 and letters.max() < setting.letters,
                "no_such_letter",
                f"Your sample contains letters outside 0 to {setting.letters - 1}.",
            )
            possible = (setting.weights[label][:, None, None] * setting.probs).sum(0) > 0
            judge.require(
                possible[torch.arange(setting.sites), letters].all(),
                "impossible_letter",
                "Your sample contains letters that have probability 0 at their site in this class.",
            )
            seen = torch.stack([(letters == k).double().mean(0) for k in range(setting.letters)], dim=-1)
            promised = torch.einsum("c,clk->lk", setting.weights[label], setting.probs.double())
            site, letter = divmod(int((seen - promised).abs().argmax()), setting.letters)
            judge.require(
                abs(float(seen[site, letter] - promised[site, letter])) < 0.05,
                "letter_shares",
                f"At site {site}, {seen[site, letter]:.0%} of your samples show letter {letter}; in this class it is {promised[site, letter]:.0%}.",
            )
            if name == "marked":
                component = letters[:, 0].long()  # the first letter tells it
                of_component = setting.probs[component[:, None], torch.arange(setting.sites), letters.long()]
                judge.require(
                    (of_component > 0).all(),
                    "components_mixed",
                    "One sample contains letters that no single component can make together.",
                )
            twice = judge.tensor(f"{name}_again/letters"), judge.tensor(f"{name}_again/twice")
            judge.require(
                torch.equal(*twice),
                "generator_ignored",
                "The same generator, set up in the same way, gave two different samples.",
            )
    with judge.part("majority", 0.5):
        seen = judge.tensor("majority/letters", (MAJORITY_SAMPLES, MAJORITY_SITES), "Your sample of majority_down")
        mean = float(seen.double().mean())
        judge.require(
            mean < 0.5,
            "majority_up",
            f"{mean:.0%} of the spins of your *majority down* point up. Print the mean of a class before you use it.",
        )
        judge.require(
            torch.equal(judge.tensor("majority_again/letters"), judge.tensor("majority_again/twice")),
            "generator_ignored",
            "The same generator, set up in the same way, gave two different lattices of `majority_down`.",
        )


exercise(
    "lab1.sample_ensemble",
    points=2,
    title="Draw from a mixture of independent sites",
    version=3,
    names=("sample_ensemble", "majority_down"),
    probe=probe_sample_ensemble,
    public=public_sample_ensemble,
)

# --- 1.2 noise

NOISE_RUNS = {
    # attempt: shape of x0, dtype, kind
    "spins": ((12, 9, 1), torch.float64, "spins"),
    "letters": ((10, 5, 4), torch.float64, "letters"),
    "one": ((1, 4, 1), torch.float64, "spins"),
    "integers": ((8, 6, 3), torch.float64, "integers"),
    "single": ((6, 4, 1), torch.float32, "spins"),
}


def noise_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """x0, t, noise. The first times are the ends of the statement's range."""
    shape, dtype, kind = NOISE_RUNS[name]
    if kind == "spins":
        x0 = (2 * challenge.randint(f"{name} x0", 0, 2, shape) - 1).to(dtype)
    else:
        corners = torch.eye(shape[2], dtype=torch.int64, device=challenge.device)
        x0 = corners[challenge.randint(f"{name} x0", 0, shape[2], shape[:2])]
        x0 = x0 if kind == "integers" else x0.to(dtype)
    t = challenge.rand(f"{name} t", (shape[0], 1, 1), T_MIN, 1.0, dtype=dtype)
    if shape[0] > 2:
        t[0], t[1] = T_MIN, 1.0
    return x0, t, challenge.randn(f"{name} noise", shape, dtype)


def strided(tensor: Tensor) -> Tensor:
    """The same numbers, but not side by side in memory."""
    return tensor.repeat_interleave(2, dim=0)[::2]


def probe_add_noise(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    add_noise = student.function("add_noise", "x0", "t", "noise")
    for name in NOISE_RUNS:
        originals = noise_setting(challenge, name)
        inputs = [v.clone() for v in originals]
        with evidence.attempt(name):
            evidence.put(f"{name}/value", add_noise(*inputs))
        evidence.put(f"{name}/inputs_kept", all(torch.equal(v, w) for v, w in zip(inputs, originals)))
    with evidence.attempt("again"):
        evidence.put("again/value", add_noise(*noise_setting(challenge, "spins")))
    with evidence.attempt("strided"):
        evidence.put("strided/value", add_noise(*(strided(v) for v in noise_setting(challenge, "letters"))))
    with evidence.attempt("device"):
        add_noise(*noise_setting(challenge.on("meta"), "single"))


def public_add_noise(judge: Judge) -> None:
    with judge.part("noise", 2):
        for name in NOISE_RUNS:
            x0, t, noise = noise_setting(judge.challenge, name)
            seen = judge.tensor(f"{name}/value", noise.shape, "The noised sample")
            judge.precise(f"{name}/value", noise.dtype, "The noised sample")
            if name == "spins":
                judge.require(
                    torch.equal(seen, judge.tensor("again/value", noise.shape, "The noised sample")),
                    "fresh_noise",
                    "Called twice with the same noise, your function gave two different samples. It is given its noise.",
                )
            if len(t) > 2:
                judge.require(
                    (seen[0] - x0[0]).abs().max() < 0.2,
                    "not_data_at_zero",
                    "At t = 0.001 hardly anything should have happened to the data.",
                )
                judge.require(
                    (seen[1] - noise[1]).abs().max() < 0.2,
                    "not_noise_at_one",
                    "At t = 1 only the noise that was given should be left.",
                )
            judge.require(
                judge.value(f"{name}/inputs_kept", bool), "input_altered", "Your function changed one of its inputs."
            )
        for name, number in PUBLIC_NOISED.items():
            x0, _, noise = noise_setting(judge.challenge, name)
            probe = judge.challenge.randn(f"{name} noised probe", tuple(noise.shape))
            mean = float(judge.tensor(f"{name}/value").mul(probe).mean())
            judge.require(
                abs(mean - number) < 1e-4,
                "wrong_mixture",
                f"Data and noise are not mixed as x_t = a(t) x_0 + sigma(t) noise (seen {WHERE[name]}). Which is a standard deviation, which a variance?",
            )
        judge.device()


# The mean of x_t times random directions on the public challenge, by numerical solution of the two ordinary differential
# equations for mean and variance, da/dt = -beta a / 2 and dv/dt = beta (1 - v); tests/lab1 makes them again.
PUBLIC_NOISED = {
    "spins": -0.1083035,
    "letters": 0.0655032,
    "one": 0.3994621,
    "integers": -0.0005974,
    "single": -0.0532779,
}

exercise(
    "lab1.add_noise",
    points=2,
    title="Noise that forgets slowly",
    version=2,
    names=("add_noise",),
    probe=probe_add_noise,
    public=public_add_noise,
)

# --- 1.3 and 1.4 posterior and score

LAW_RUNS = {
    # attempt: sites, letters, lowest and highest t, dtype, batch size, where x lies
    "spins": (9, 2, 0.05, 0.9, torch.float64, 24, "data"),
    "letters": (5, 3, 0.05, 0.9, torch.float64, 24, "data"),
    "clear": (9, 2, T_MIN, 0.01, torch.float64, 12, "data"),
    "far": (9, 2, T_MIN, 0.005, torch.float64, 12, "anywhere"),
    "long": (80, 2, 0.01, 0.2, torch.float64, 4, "data"),
    "impossible": (6, 3, T_MIN, 0.005, torch.float64, 12, "impossible"),
    "late": (5, 3, 0.999, 1.0, torch.float64, 12, "data"),
    "one": (6, 4, 0.1, 0.6, torch.float64, 1, "data"),
    "single": (6, 2, 0.2, 0.9, torch.float32, 12, "data"),
}


def forbidding_setting(challenge: Challenge, name: str, sites: int, dtype: torch.dtype) -> Setting:
    """A made-up world of three letters, one of which is forbidden at each site: letter (site + component) mod 3."""
    setting = made_up_setting(challenge, name, sites, 3)
    probs = challenge.on("cpu").rand(f"{name} allowed", (COMPONENTS, sites, 3), 0.1, 1.0)
    component, site = torch.arange(COMPONENTS)[:, None], torch.arange(sites)
    probs[component, site, (site + component) % 3] = 0
    probs = (probs / probs.sum(-1, keepdim=True)).to(setting.probs)
    return Setting(name, probs, setting.weights, setting.prior, setting.points).to(dtype)


def law_setting(challenge: Challenge, name: str) -> tuple[Tensor, Tensor, Tensor, Setting]:
    """x, t, labels and the world of one run. `x` is a noised random word, or anywhere."""
    sites, letters, low, high, dtype, batch, where = LAW_RUNS[name]
    setting = made_up_setting(challenge, name, sites, letters, dtype)
    t = challenge.rand(f"{name} t", (batch, 1, 1), low, high, dtype=dtype)
    noise = challenge.randn(f"{name} noise", (batch, sites, setting.points.shape[1]), dtype)
    labels = challenge.randint(f"{name} labels", 0, CLASSES, (batch,))
    if where == "anywhere":
        return 1.5 * noise, t, labels, setting
    words = challenge.randint(f"{name} words", 0, letters, (batch, sites))
    if where == "impossible":  # every component has to make equally many letters that are forbidden to it
        setting = forbidding_setting(challenge, name, sites, dtype)
        words = (2 * torch.arange(sites, device=words.device) + words[:, :1]) % 3
        return (1 - t) * setting.embed(words) + 0.5 * t.sqrt() * noise, t, labels, setting
    words[: batch // 3] = 0  # the word of component 0, which cannot make another
    return (1 - t) * setting.embed(words) + 0.5 * t.sqrt() * noise, t, labels, setting


def same_worlds(one: Setting, other: Setting) -> bool:
    return all(torch.equal(getattr(one, key), getattr(other, key)) for key in ("probs", "weights", "prior", "points"))


def probe_class_posterior(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    class_posterior = student.function("class_posterior", "x", "t", "setting")
    for name in LAW_RUNS:
        x, t, _, setting = law_setting(challenge, name)
        inputs = x.clone(), t.clone()
        with evidence.attempt(name):
            evidence.put(f"{name}/value", class_posterior(*inputs, setting))
        kept = torch.equal(inputs[0], x) and torch.equal(inputs[1], t)
        evidence.put(f"{name}/inputs_kept", kept and same_worlds(setting, law_setting(challenge, name)[3]))
    with evidence.attempt("strided"):
        x, t, _, setting = law_setting(challenge, "letters")
        evidence.put("strided/value", class_posterior(strided(x), strided(t), setting))
    with evidence.attempt("device"):
        x, t, _, setting = law_setting(challenge.on("meta"), "single")
        class_posterior(x, t, setting)


def public_class_posterior(judge: Judge) -> None:
    with judge.part("posterior", 4):
        for name in LAW_RUNS:
            x, _, _, _ = law_setting(judge.challenge, name)
            seen = judge.tensor(f"{name}/value", (len(x), CLASSES), "The posterior", finite=False)
            judge.require(
                seen.isfinite().all(),
                "not_finite",
                f"The posterior contains NaN or infinity (seen {WHERE[name]}). Where densities are tiny, `exp` gives 0: does any step leave the logarithms too early?",
            )
            judge.require(
                (seen >= -1e-6).all(), "negative", f"Some of your probabilities are negative (seen {WHERE[name]})."
            )
            judge.require(
                (seen.sum(1) - 1).abs().max() < 1e-4,
                "not_normalised",
                f"Your probabilities do not add up to 1 over the classes (seen {WHERE[name]}).",
            )
            judge.require(
                judge.value(f"{name}/inputs_kept", bool),
                "input_altered",
                "Your function changed x, t or the setting in place.",
            )
        prior = made_up_setting(judge.challenge, "late", *LAW_RUNS["late"][:2]).prior
        judge.require(
            (judge.tensor("late/value") - prior).abs().max() < 0.1,
            "not_the_prior",
            "At t = 1 nothing is known about x_0: the posterior must be the prior p(y), and yours is not. Does the prior enter, and what do your Gaussians stand around when a(t) is nearly 0?",
        )
        for name, number in PUBLIC_POSTERIORS.items():
            seen = judge.tensor(f"{name}/value")
            probe = judge.challenge.randn(f"{name} posterior probe", tuple(seen.shape))
            judge.require(
                abs(float((seen * probe).mean()) - number) < 1e-5,
                "not_bayes",
                f"Your posterior is not p(y | x_t) (seen {WHERE[name]}). Write it for one site and one component first, and compare by hand.",
            )
        judge.device()


# The mean of the posterior times random directions on the public challenge. An oracle that adds up all words of the alphabet,
# one by one, made the numbers, and decimal arithmetic without logarithms that of `long`; tests/lab1 makes them again.
PUBLIC_POSTERIORS = {
    "spins": 0.0330976,
    "letters": -0.0113154,
    "clear": 0.0625538,
    "far": 0.0969154,
    "impossible": 0.0282806,
    "long": 0.0147087,
    "late": -0.0092999,
    "one": -0.1745042,
    "single": -0.0344671,
}

exercise(
    "lab1.class_posterior",
    points=4,
    title="Who made this? The exact posterior",
    version=3,
    names=("class_posterior",),
    probe=probe_class_posterior,
    public=public_class_posterior,
)


def probe_conditional_score(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    conditional_score = student.function("conditional_score", "x", "t", "y", "setting")
    for name in LAW_RUNS:
        x, t, labels, setting = law_setting(challenge, name)
        inputs = x.clone(), t.clone(), labels.clone()
        with evidence.attempt(name):
            evidence.put(f"{name}/value", conditional_score(*inputs, setting))
        kept = all(torch.equal(v, w) for v, w in zip(inputs, (x, t, labels)))
        evidence.put(f"{name}/inputs_kept", kept and same_worlds(setting, law_setting(challenge, name)[3]))
    with evidence.attempt("strided"):
        x, t, labels, setting = law_setting(challenge, "letters")
        evidence.put("strided/value", conditional_score(strided(x), strided(t), strided(labels), setting))
    with evidence.attempt("device"):
        x, t, labels, setting = law_setting(challenge.on("meta"), "single")
        conditional_score(x, t, labels, setting)


def score_probe(challenge: Challenge, name: str) -> Tensor:
    """Random directions, larger where the noise is larger, so that every time counts alike."""
    x, t, _, _ = law_setting(challenge, name)
    return challenge.randn(f"{name} score probe", tuple(x.shape)) * t.double()


def public_conditional_score(judge: Judge) -> None:
    with judge.part("score", 2):
        for name in LAW_RUNS:
            x, _, _, _ = law_setting(judge.challenge, name)
            judge.tensor(f"{name}/value", x.shape, "The score")
            judge.require(
                judge.value(f"{name}/inputs_kept", bool),
                "input_altered",
                "Your function changed x, t, y or the setting in place.",
            )
        for name, number in PUBLIC_SCORES.items():
            seen = judge.tensor(f"{name}/value")
            judge.require(
                abs(float((seen * score_probe(judge.challenge, name)).mean()) - number) < 1e-4 * max(1.0, abs(number)),
                "not_the_gradient",
                f"Your score is not the gradient of log p_t(x | y) in x (seen {WHERE[name]}). Check it by automatic differentiation of the log density.",
            )
        judge.device()


# The mean of score times `score_probe` on the public challenge: central differences of the log of a sum over all words;
# tests/lab1 makes them again.
PUBLIC_SCORES = {
    "spins": 0.0120667,
    "letters": 0.0069176,
    "clear": 0.0451352,
    "far": -0.1126247,
    "impossible": -0.2353676,
    "late": 0.0305089,
    "one": -0.0286397,
    "single": 0.0565437,
}

exercise(
    "lab1.conditional_score",
    points=2,
    title="The exact score of a class",
    version=3,
    names=("conditional_score",),
    probe=probe_conditional_score,
    public=public_conditional_score,
)

# --- 1.5 the loss of a noise-aware classifier

TRAIN_CALLS, TRAIN_BATCH = 8, 128
TRAIN_RUNS = {
    # attempt: sites, d, dtype, batch size
    **{f"call{i}": (4, 2, torch.float64, TRAIN_BATCH) for i in range(TRAIN_CALLS)},
    "one": (4, 2, torch.float64, 1),
    "long": (11, 1, torch.float64, 8),
    "single": (5, 1, torch.float32, 16),
}
TRAIN_CLASSES = 3
PROBE_T_MIN = 0.2  # far from the lab's, so that a constant shows


def probe_classifier_loss(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    Trainer = student.method("ClassifierTrainer", "get_train_loss", "batch_size")
    for name, (sites, d, dtype, batch) in TRAIN_RUNS.items():
        data, model = (
            StubData(challenge, name, (sites, d), TRAIN_CLASSES, dtype),
            StubClassifier(challenge, TRAIN_CLASSES, dtype),
        )
        add_noise = Recorder(stub_noising(challenge), ("x0", "t", "noise"))
        with evidence.attempt(name):
            trainer = Trainer(model=model, data=data, add_noise=add_noise, t_min=PROBE_T_MIN)
            loss = trainer.get_train_loss(batch_size=batch)
            evidence.put(f"{name}/loss", loss)
            if isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1:
                loss.backward()
                evidence.put(f"{name}/grad", model.gain.grad)
        forget_repeats(model.record)
        forget_repeats(add_noise)
        add_noise.report(evidence, f"{name}/noising")
        model.record.report(evidence, f"{name}/model")
        evidence.put(f"{name}/data_kept", all(data.kept()))
    for name, certainty in CERTAINTIES.items():
        with evidence.attempt(name):
            data = StubData(challenge, name, (4, 2), TRAIN_CLASSES, torch.float64)
            trainer = Trainer(
                model=PreparedClassifier(data.labels, certainty, TRAIN_CLASSES), data=data,
                add_noise=Recorder(stub_noising(challenge), ("x0", "t", "noise")),
                t_min=PROBE_T_MIN,
            )  # fmt: skip
            evidence.put(f"{name}/loss", trainer.get_train_loss(batch_size=TRAIN_BATCH))
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        Trainer(
            model=StubClassifier(meta, TRAIN_CLASSES, torch.float32),
            data=StubData(meta, "device", (4, 2), TRAIN_CLASSES, torch.float32),
            add_noise=stub_noising(meta), t_min=PROBE_T_MIN,
        ).get_train_loss(batch_size=4)  # fmt: skip


def public_classifier_loss(judge: Judge) -> None:
    with judge.part("properties", 3):
        require_learning_loss(judge)
        times = judge.tensor("call0/noising/t", what="The time t")
        judge.require(
            times.shape == (TRAIN_BATCH, 1, 1), "time_shape", f"t has shape {tuple(times.shape)}, expected (b, 1, 1)."
        )
        judge.require(
            ((times >= PROBE_T_MIN) & (times <= 1)).all(),
            "time_out_of_range",
            f"Some of your times lie outside [self.t_min, 1]; here t_min was {PROBE_T_MIN:g}.",
        )
        judge.require(
            times.unique().numel() > TRAIN_BATCH - 5,
            "time_repeated",
            f"A batch of {TRAIN_BATCH} has {times.unique().numel()} different times. Each sample draws its own, uniformly.",
        )
        require_normal_noise(judge, (TRAIN_BATCH, 4, 2))
        require_same_time(judge, times)
        require_noised_input(judge)
        require_known_losses(judge, TRAIN_CLASSES)
        judge.require(judge.value("call0/data_kept", bool), "data_altered", "The data's own points or labels changed.")
        judge.device()


exercise(
    "lab1.classifier_loss",
    points=3,
    title="The loss of a classifier that knows about noise",
    version=4,
    names=("ClassifierTrainer",),
    probe=probe_classifier_loss,
    public=public_classifier_loss,
)

# --- 1.6 a guided step

STEP_SCALES = {"w0": 0.0, "w1": 1.0, "w3": 3.0, "whalf": 0.5, "wnegative": -1.0, "w8": 8.0}
STEP_RUNS = {
    # attempt: shape, dtype
    "equal": ((10, 4, 2), torch.float64),
    **{name: ((10, 4, 2), torch.float64) for name in STEP_SCALES},
    "last": ((6, 4, 2), torch.float64),
    "one": ((1, 5, 1), torch.float64),
    "single": ((6, 3, 1), torch.float32),
}


def step_setting(challenge: Challenge, name: str) -> dict[str, Tensor | float]:
    """The arguments of one step. Every sample has a time and a step size of its own; in `equal` w plays no part.

    In `last` the step ends where sampling ends, or at the data.
    """
    shape, dtype = STEP_RUNS[name]
    times = challenge.rand(f"{name} times", (shape[0], 1, 1), 0.05, 1.0, dtype=dtype)
    steps = times * challenge.rand(f"{name} h", (shape[0], 1, 1), 0.02, 0.2, dtype=dtype)
    if name == "last":
        steps = times - T_MIN
        steps[0] = times[0]
    score = challenge.randn(f"{name} score", shape, dtype)
    return {
        "x": challenge.randn(f"{name} x", shape, dtype),
        "t": times,
        "h": steps,
        "score": score,
        "class_score": score.clone() if name == "equal" else challenge.randn(f"{name} class score", shape, dtype),
        "w": STEP_SCALES.get(name, challenge.number("w", 1.5, 2.5)),
        "noise": challenge.randn(f"{name} noise", shape, dtype),
    }


def probe_guided_step(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    guided_step = student.function("guided_step", "x", "t", "h", "score", "class_score", "w", "noise")
    for name in STEP_RUNS:
        originals = step_setting(challenge, name)
        inputs = {k: v.clone() if isinstance(v, Tensor) else v for k, v in originals.items()}
        with evidence.attempt(name):
            evidence.put(f"{name}/value", guided_step(**inputs))
        kept = all(torch.equal(inputs[k], v) for k, v in originals.items() if isinstance(v, Tensor))
        evidence.put(f"{name}/inputs_kept", kept)
    with evidence.attempt("again"):
        evidence.put("again/value", guided_step(**step_setting(challenge, "equal")))
    with evidence.attempt("strided"):
        inputs = step_setting(challenge, "w3").items()
        evidence.put("strided/value", guided_step(**{k: strided(v) if isinstance(v, Tensor) else v for k, v in inputs}))
    with evidence.attempt("device"):
        guided_step(**step_setting(challenge.on("meta"), "single"))


def public_guided_step(judge: Judge) -> None:
    with judge.part("step", 3):
        values = {}
        for name in STEP_RUNS:
            inputs = step_setting(judge.challenge, name)
            values[name] = judge.tensor(f"{name}/value", inputs["x"].shape, "The new x")
            judge.require(
                judge.value(f"{name}/inputs_kept", bool),
                "input_altered",
                "Your step changed one of its inputs in place.",
            )
        judge.require(
            torch.equal(values["equal"], judge.tensor("again/value", what="The new x")),
            "fresh_noise",
            "Called twice with the same noise, your step gave two different states. It is given its noise.",
        )
        for name, number in PUBLIC_STEPS.items():
            probe = judge.challenge.randn(f"{name} step probe", tuple(values[name].shape))
            judge.require(
                abs(float((values[name] * probe).mean()) - number) < 1e-5,
                *(
                    (
                        "wrong_step",
                        "Both scores were the same here, so the guided score is that score, whatever w is; and yet yours is not one step of Euler and Maruyama back in time. Set the noise to 0, then both scores: which term is off, or does w still show?",
                    )
                    if name == "equal"
                    else (
                        "wrong_guidance",
                        f"With two equal scores your step is right, but it is not {WHERE[name]}. At w = 0 only `score` may count, at w = 1 only `class_score`.",
                    )
                ),
            )
        judge.device()


# The mean of the new x times random directions on the public challenge: the mean and the spread of the step, worked out
# from the drift and the diffusion of the reverse equation separately; tests/lab1 makes them again.
PUBLIC_STEPS = {
    "equal": 0.2741072,
    "w0": -0.1765880,
    "w1": 0.4438068,
    "w3": -1.0373638,
    "whalf": -0.3937689,
    "wnegative": 0.0497089,
    "w8": 1.8525063,
    "last": 3.7756375,
    "one": -1.3773855,
    "single": -0.0468722,
}

exercise(
    "lab1.guided_step",
    points=3,
    title="One guided step towards the data",
    version=3,
    names=("guided_step",),
    probe=probe_guided_step,
    public=public_guided_step,
)

exercise("lab1.negative_control_essay", points=2, title="The negative control", manual=True)
