"""Lab 3: hidden verdicts."""

from __future__ import annotations

import torch
from scipy import stats
from torch import Tensor

from autograder.exercises.kits.cross_entropy import judge_cross_entropy
from autograder.exercises.kits.scales import other_scale
from autograder.exercises.registry import verdict
from utils.checks.cross_entropy import stub_noising
from utils.checks.judging import Judge
from utils.checks.kits.draws import judge_noise
from utils.checks.lab3 import (
    GRADIENT_CLASSES,
    GRADIENT_RUNS,
    MADE_UP_STEPS,
    RUNS,
    SAMPLER_SCALE,
    SAMPLER_SHAPE,
    SAMPLER_STEPS,
    SCHEDULE_LENGTHS,
    TRAIN_CALLS,
    TRAIN_CLASSES,
    TRAIN_RUNS,
    VARIANCE_RUNS,
    WHERE,
    Guiding,
    ddim_setting,
    ddpm_setting,
    draw_t,
    gradient_setting,
    guided_setting,
    made_up_schedule,
    sampler_setting,
    seen_guiding,
    tensors,
    variance_setting,
)
from utils.checks.stubs import StubClassifier, StubData
from utils.diffusion import Schedule, at

Mistakes = list[tuple[str, str, Tensor]]


def tolerance(dtype: torch.dtype) -> float:
    """In float64 a constant of 1e-8 in a denominator, a habit that does no harm, is let through."""
    return 1e-6 if dtype == torch.float64 else 1e-4


def kept(judge: Judge, name: str) -> None:
    judge.require(
        judge.value(f"{name}/inputs_kept", bool),
        "input_altered",
        "Your code changed one of its inputs in place. The caller still needs it: build a new tensor.",
    )


class Here:
    """The schedule at the times of one run, as factors that are broadcast over x, in float64."""

    def __init__(self, challenge, t: Tensor, x: Tensor, schedule: Schedule | None = None):
        schedule = made_up_schedule(challenge) if schedule is None else schedule
        self.beta, self.alpha, self.bar = (at(values, t, x).double() for values in schedule)
        self.sigma = (1 - self.bar).sqrt()
        before = torch.cat([torch.ones(1, dtype=torch.float64), schedule.alpha_bars.double()[:-1]])
        self.posterior = (self.beta * (1 - at(before, t, x)) / (1 - self.bar)).sqrt()
        self.moving = (t > 0).double().reshape(self.beta.shape)


# --- 3.1


@verdict("lab3.schedule")
def schedule(judge: Judge) -> None:
    with judge.part("schedule", points=0.5):
        for name, steps in SCHEDULE_LENGTHS.items():
            judge_schedule(judge, name, steps)
    with judge.part("noise", points=1):
        for name, (shape, dtype) in RUNS.items():
            given = tensors(judge.challenge, name, "x0", "noise")
            x0, noise = given["x0"].double(), given["noise"].double()
            here = Here(judge.challenge, given["t"], x0)
            judge.compare(
                judge.tensor(f"{name}_noised/value", shape, "The noised sample"), here.bar.sqrt() * x0 + here.sigma * noise,
                noising_mistakes(judge, name, given["t"], x0, noise, here),
                ("wrong_mixture", f"Your sample is not sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) noise (seen {WHERE[name]}). Compare the variance of each half with that formula."),
                tolerance(dtype),
            )  # fmt: skip
            kept(judge, f"{name}_noised")
        judge.device()
    with judge.part("sigmas", points=0.5):
        for name in ("points", "one"):
            batch = RUNS[name][0][0]
            t = draw_t(judge.challenge, name, batch)
            here = Here(judge.challenge, t, torch.zeros(batch))
            right = {"step": here.beta.sqrt(), "total": here.sigma, "posterior": here.posterior}
            for label, expected in right.items():
                others = [
                    ("variance_for_sigma", f"Your '{label}' is a variance. A sigma is its root.", expected**2),
                    *[
                        ("sigmas_swapped", f"Where '{label}' was asked for, you return '{other}'.", value)
                        for other, value in right.items() if other != label
                    ],
                    ("posterior_of_beta_only", "Your posterior's variance is beta_t (1 - alpha_bar_t) / (1 - alpha_bar_t): the bar in the numerator belongs to t - 1.", here.beta.sqrt()),
                    ("alpha_for_alpha_bar", "The noise of x_t has built up over all steps: the product alpha_bar_t, not the last factor.", (1 - here.alpha).sqrt()),
                ]  # fmt: skip
                judge.compare(
                    judge.tensor(f"{name}_sigmas/{label}", (batch,), f"The sigma called '{label}'"), expected, others,
                    ("wrong_sigma", f"Your sigma '{label}' differs from the table. Look at t = 0 and at the last t by hand."),
                )  # fmt: skip
            kept(judge, f"{name}_sigmas")


def judge_schedule(judge: Judge, name: str, steps: int) -> None:
    seen = {
        label: judge.tensor(f"{name}/{label}", (steps,), f"The field {label}")
        for label in ("betas", "alphas", "alpha_bars")
    }
    betas = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64)
    judge.compare(
        seen["betas"], betas,
        [
            ("backwards", "Your betas fall. Little noise comes first, at t = 0.", betas.flip(0)),
            ("quadratic", "Your betas are not equally spaced.", torch.linspace(1e-2, 0.02**0.5, steps, dtype=torch.float64) ** 2),
            ("other_ends", "Your betas have the ends of another schedule.", betas * 1000 / steps if steps != 1000 else betas * 10),
            ("end_left_out", "Your last beta falls short of 0.02: both ends belong to the schedule.", 1e-4 + (0.02 - 1e-4) * torch.arange(steps).double() / steps),
        ],
        ("wrong_betas", f"Your betas are not {steps} equally spaced numbers from 0.0001 to 0.02."), 1e-5,
    )  # fmt: skip
    judge.compare(
        seen["alphas"], 1 - betas, [("root_of_alpha", "Your alphas are square roots. alpha is 1 - beta, a share of the variance.", (1 - betas).sqrt())],
        ("wrong_alphas", "Your alphas are not 1 - betas."), 1e-6,
    )  # fmt: skip
    bars = (1 - betas).cumprod(0)
    shifted = torch.cat([torch.ones(1, dtype=torch.float64), bars[:-1]])
    judge.compare(
        seen["alpha_bars"], bars,
        [
            ("no_product", "Your alpha_bars are the alphas. The bar is the product of all of them up to t.", 1 - betas),
            ("sum_for_product", "Your alpha_bars add up where they should multiply.", (1 - betas).cumsum(0)),
            ("one_minus_sum", "Your alpha_bars are 1 minus the sum of the betas. That is the product's first term only.", 1 - betas.cumsum(0)),
            ("bars_shifted", "Your alpha_bars begin with 1. The product at t contains the factor of step t itself.", shifted),
            ("root_of_bars", "Your alpha_bars are square roots of the products.", bars.sqrt()),
            ("bars_backwards", "Your products run from the last step to the first.", (1 - betas).flip(0).cumprod(0).flip(0)),
            ("product_of_betas", "You multiply betas. The bar is the product of the alphas.", betas.cumprod(0)),
        ],
        ("wrong_alpha_bars", "Your alpha_bars are not the running products of the alphas."), 1e-4,
    )  # fmt: skip


def noising_mistakes(judge: Judge, name: str, t: Tensor, x0: Tensor, noise: Tensor, here: Here) -> Mistakes:
    mistakes = [
        ("no_root", "You multiply by alpha_bar and 1 - alpha_bar. These are variances: take roots.", here.bar * x0 + (1 - here.bar) * noise),
        ("no_root_on_data", "The data is multiplied by alpha_bar. That is a share of the variance: take the root.", here.bar * x0 + here.sigma * noise),
        ("no_root_on_noise", "The noise is multiplied by a variance. Take the root.", here.bar.sqrt() * x0 + (1 - here.bar) * noise),
        ("alpha_for_alpha_bar", "You use alpha_t, the factor of one step. After t steps it is the product of all of them.", here.alpha.sqrt() * x0 + (1 - here.alpha).sqrt() * noise),
        ("sigma_of_one_step", "Your noise is that of one step, sqrt(beta_t). In x_t all steps have left theirs.", here.bar.sqrt() * x0 + here.beta.sqrt() * noise),
        ("swapped", "Data and noise carry each other's factor.", here.sigma * x0 + here.bar.sqrt() * noise),
        ("noise_missing", "There is no noise in your x_t.", here.bar.sqrt() * x0 + 0 * noise),
        ("noise_not_scaled", "Your noise has its full size at every time.", here.bar.sqrt() * x0 + noise),
        ("data_not_scaled", "Your data keeps its full size: the variance grows above 1.", x0 + here.sigma * noise),
        ("noise_subtracted", "The noise is subtracted. That has the same law, but this noise was given: add it.", here.bar.sqrt() * x0 - here.sigma * noise),
        ("one_minus_root", "1 - sqrt(alpha_bar) is not sqrt(1 - alpha_bar).", here.bar.sqrt() * x0 + (1 - here.bar.sqrt()) * noise),
    ]  # fmt: skip
    if name == "square":
        bar = made_up_schedule(judge.challenge).alpha_bars[t]
        mistakes.append(
            ("not_broadcast", "Each *pixel* got the time of another sample: (b,) was broadcast along the last axis. Give it the axes (b, 1, …, 1).", bar.sqrt() * x0 + (1 - bar).sqrt() * noise)
        )  # fmt: skip
    return mistakes


# --- 3.2


@verdict("lab3.score_and_noise")
def score_and_noise(judge: Judge) -> None:
    for label, argument in (("score", "noise_estimate"), ("noise", "score")):
        with judge.part(label, points=0.5):
            for name, (shape, dtype) in RUNS.items():
                given = tensors(judge.challenge, name, argument)
                value = given[argument].double()
                here = Here(judge.challenge, given["t"], value)

                def by(sigma: Tensor, value=value, label=label) -> Tensor:
                    return -value / sigma if label == "score" else -value * sigma

                judge.compare(
                    judge.tensor(f"{name}_{label}/value", shape, "The result"), by(here.sigma),
                    [
                        ("wrong_sign", "The sign is missing: the noise points away from the data, the score towards it.", -by(here.sigma)),
                        ("sigma_of_one_step", "You use sqrt(beta_t), the noise of one step. That is right at t = 0 only; x_t carries the noise of all steps.", by(here.beta.sqrt())),
                        ("variance_for_sigma", "You use the variance 1 - alpha_bar where its root belongs.", by(1 - here.bar)),
                        ("alpha_for_alpha_bar", "You use alpha_t, the factor of one step. The noise in x_t has the variance 1 - alpha_bar_t.", by((1 - here.alpha).sqrt())),
                        ("root_of_bar", "You use sqrt(alpha_bar), the factor of the data. Take that of the noise.", by(here.bar.sqrt())),
                        ("inverted", "Score and noise are the wrong way round: one is divided by sigma, the other multiplied.", -value * here.sigma if label == "score" else -value / here.sigma),
                        ("inverted", "Sigma stands on the wrong side, and the sign is missing.", value * here.sigma if label == "score" else value / here.sigma),
                        ("sigma_missing", "Only the sign is changed. The size of the noise has to enter.", -value),
                    ],
                    (f"wrong_{label}", f"Score and noise are one another's multiple, with minus the standard deviation of the noise in x_t between them; yours are not (seen {WHERE[name]})."),
                    tolerance(dtype),
                )  # fmt: skip
                kept(judge, f"{name}_{label}")
            if label == "score":
                judge.device()


# --- 3.3


@verdict("lab3.classifier_loss")
def classifier_loss(judge: Judge) -> None:
    with judge.part("loss", points=2):
        runs = {name: read_run(judge, name) for name in TRAIN_RUNS}
        calls = [runs[f"call{i}"] for i in range(TRAIN_CALLS)]
        judge_times(judge, torch.stack([run["t"] for run in calls]))
        judge_noise(judge, torch.stack([run["noise"] for run in calls]))
        for name, run in runs.items():
            dtype = TRAIN_RUNS[name][1]
            model = StubClassifier(judge.challenge, TRAIN_CLASSES, torch.float64)
            logits = model.compute(run["x"].to(dtype).double(), run["t"])
            judge_cross_entropy(judge, name, logits, run["y"], run["t"].double(), tolerance(dtype))
        judge.device()


def read_run(judge: Judge, name: str) -> dict[str, Tensor]:
    """Check the flow of one call (data to noise to model), and return its rebuilt tensors."""
    shape, dtype, batch = TRAIN_RUNS[name]
    rows, rtol = (batch, *shape), tolerance(dtype)
    data = StubData(judge.challenge, name, shape, TRAIN_CLASSES, dtype)
    judge.attempt(name)
    x0, y = data.points[:batch], data.labels[:batch]
    judge.require(
        judge.value(f"{name}/model/count", int) > 0, "model_not_called", "Your loss never calls `self.model`."
    )
    x_model = judge.tensor(f"{name}/model/x", what="The x that the model sees")
    if judge.value(f"{name}/noising/count", int) == 0:
        if x_model.shape == x0.shape and judge.close(x_model, x0, rtol):
            judge.fail(
                "model_sees_clean",
                "The model is given clean images. While sampling it will be asked about noisy x at all times.",
            )
        judge.fail(
            "not_noised", "Your loss never calls `self.add_noise`. The classifier has to be trained on noisy images."
        )
    t = judge.tensor(f"{name}/noising/t", what="The time t")
    if t.numel() == 1 and batch > 1:
        judge.fail("time_shared", "All samples of a batch share one t. Each needs its own.")
    judge.require(
        t.shape == (batch,), "time_shape", f"t has shape {tuple(t.shape)}, expected {(batch,)}: one index a sample."
    )
    judge.require(
        not t.is_floating_point(),
        "time_not_integer",
        "Your t are floating-point numbers. A step has an index: integers from 0 to T - 1.",
    )
    judge.require(
        ((t >= 0) & (t < MADE_UP_STEPS)).all(),
        "time_out_of_range",
        f"Some of your t are no index of this schedule, which has {MADE_UP_STEPS} steps. Take their number from `self.schedule`.",
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
    x = stub_noising(judge.challenge)(x0, t, noise.to(dtype)).double()
    if x_model.shape != x.shape or not judge.close(x_model, x, rtol):
        if x_model.shape == x0.shape and judge.close(x_model, x0, rtol):
            judge.fail("model_sees_clean", "The model is given the clean images. It must be asked at the noisy x.")
        judge.fail("model_sees_other_x", "The x that the model sees is not the x that add_noise returned.")
    t_model = judge.tensor(f"{name}/model/t", what="The time that the model sees")
    judge.require(
        t_model.numel() == batch,
        "time_shape",
        f"The model sees t of shape {tuple(t_model.shape)}, expected {(batch,)}.",
    )
    judge.compare(
        t_model.reshape(-1).double(), t.double(),
        [
            ("time_reversed", "The model sees the times in reversed order: T - 1 - t where the noise saw t.", MADE_UP_STEPS - 1 - t.double()),
            ("time_zero", "The model always hears t = 0. It has to know how noisy its input is.", torch.zeros(batch, dtype=torch.float64)),
            ("time_scaled", "The model sees t / T. It takes the index itself.", t.double() / MADE_UP_STEPS),
        ],
        ("time_differs", "The model sees another t than the noise. Draw t once and pass the same t to both."), rtol,
    )  # fmt: skip
    judge.require(
        judge.value(f"{name}/data_kept", bool),
        "data_altered",
        "The images or labels that the data returned were changed in place.",
    )
    return {"x": x, "t": t, "noise": noise, "y": y}


def judge_times(judge: Judge, t: Tensor) -> None:
    """(calls, batch): independent, and uniform on 0 to T - 1."""
    judge.require(t[0].unique().numel() > 1, "time_shared", "All samples of a batch share one t. Each needs its own.")
    judge.require(
        not torch.equal(t[0].sort().values, t[1].sort().values),
        "seeded",
        "Two calls used the same times. Draw them at random, and do not fix a seed inside the loss.",
    )
    counts = torch.bincount(t.flatten(), minlength=MADE_UP_STEPS)
    # 1,024 draws miss one of 24 values with probability 1e-19
    judge.require(counts[-1] > 0, "last_step_missing", "The noisiest step, t = T - 1, is never drawn.")
    judge.require(counts[0] > 0, "first_step_missing", "The first step, t = 0, is never drawn.")
    judge.require(
        stats.chisquare(counts.numpy()).pvalue >= judge.level(1e-7),
        "time_distribution",
        f"Your t are not uniform on 0 to T - 1: their mean is {t.double().mean():.1f}, and {(MADE_UP_STEPS - 1) / 2:.1f} was expected.",
    )


# --- 3.4


@verdict("lab3.classifier_gradient")
def classifier_gradient(judge: Judge) -> None:
    with judge.part("gradient", points=3):
        for name, (shape, dtype, amplitude, under_no_grad) in GRADIENT_RUNS.items():
            error = judge.evidence.errors.get(name)
            if under_no_grad and error and "does not require grad" in str(error.get("message", "")):
                judge.fail(
                    "needs_enable_grad",
                    "Called under `torch.no_grad()`, as samplers do, your function raises: nothing inside it builds a graph. Open a `with` block that switches gradients on.",
                )
            seen = judge.tensor(f"{name}/value", shape, "The gradient")
            judge_calls(judge, name)
            _, x, t, y = gradient_setting(judge.challenge, name)
            stub = StubClassifier(judge.challenge, GRADIENT_CLASSES, torch.float64, mixed=True, amplitude=amplitude)
            stub.requires_grad_(False)
            mistakes = gradient_mistakes(stub, x.double(), t, y)
            judge.compare(
                seen, mistakes.pop(0)[2], mistakes,
                ("wrong_gradient", f"Your result is not the gradient in x of log p(y | x), sample by sample (seen {WHERE[name]}). Check one number of it by a difference quotient."),
                tolerance(dtype) if name != "sure" else 3e-3,
            )  # fmt: skip
            judge.require(
                not judge.value(f"{name}/parameter_grad", bool),
                "parameters_touched",
                "Your call leaves gradients in the classifier's parameters: `backward()` fills every leaf. `torch.autograd.grad` asks for one.",
            )
            judge.require(
                not judge.evidence.values.get(f"{name}/value.requires_grad"),
                "graph_kept",
                "Your result still hangs on its graph. Over many steps that fills the memory.",
            )
            judge.require(
                judge.value(f"{name}/mode_kept", bool),
                "grad_mode_left",
                "After your call gradients are switched on, or off, for everything that follows. Use a `with` block: it switches back.",
            )
            judge.require(
                not judge.value(f"{name}/x_marked", bool),
                "x_marked",
                "Your call leaves a mark on the caller's x: it requires gradients now, or carries one. Work on a detached copy.",
            )
            kept(judge, name)
        judge.device()


def judge_calls(judge: Judge, name: str) -> None:
    """Was the classifier asked about this x at this t?"""
    _, x, t, _ = gradient_setting(judge.challenge, name)
    judge.require(
        judge.value(f"{name}/classifier/count", int) > 0, "classifier_not_called", "The classifier is never asked."
    )
    seen = judge.tensor(f"{name}/classifier/x", what="The x that the classifier sees")
    times = judge.tensor(f"{name}/classifier/t", what="The t that the classifier sees")
    if seen.shape != x.shape or times.numel() != t.numel():
        return  # called in pieces or more than once: the values decide
    judge.require(
        not bool((times == 0).all()),
        "time_zero",
        "The classifier always hears t = 0: at high noise it has never seen such inputs as clean ones.",
    )
    judge.require(
        torch.equal(times.reshape(-1).double(), t.double()), "time_differs", "The classifier is asked at another t."
    )
    judge.require(judge.close(seen, x, 1e-6), "other_x", "The classifier is asked about another x than the given one.")


def gradient_mistakes(stub: StubClassifier, x: Tensor, t: Tensor, y: Tensor) -> Mistakes:
    """The right gradient first, then wrong ones. One graph serves them all."""
    x = x.detach().requires_grad_()
    logits = stub.compute(x, t)
    rows = torch.arange(len(y))
    logs = torch.log_softmax(logits, 1)
    right = logs[rows, y].sum()

    def of(value: Tensor) -> Tensor:
        return torch.autograd.grad(value, x, retain_graph=True)[0]

    g = of(right)
    norm = g.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.dim() - 1))
    return [
        ("", "", g),
        ("batch_mean", "Your gradient is divided by the batch size: double the batch, and your guidance halves. Sum over the samples.", g / len(y)),
        ("wrong_sign", "You walk down log p(y | x). A loss has a minus that the gradient of a log-probability has not.", -g),
        ("wrong_sign", "You walk down log p(y | x), and divide by the batch size too.", -g / len(y)),
        ("raw_logit", "You differentiate the logit. Add a constant to all logits: the probabilities stay, and your gradient should too.", of(logits[rows, y].sum())),
        ("probability", "You differentiate the probability, not its logarithm. Where the class is improbable, nothing would be left to follow.", of(logs.exp()[rows, y].sum())),
        ("over_batch", "Your softmax runs over the batch. It belongs over the classes: one sample must not know of the others.", of(torch.log_softmax(logits, 0)[rows, y].sum())),
        ("samples_mixed", "`[:, y]` picks every sample's label for every sample. One label belongs to one row.", of(logs[:, y].sum())),
        ("all_classes", "You differentiate the sum over all classes. Only the wanted one counts.", of(logs.sum())),
        ("best_class", "You follow the class that the classifier believes in, not the one that was asked for.", of(logs.max(1).values.sum())),
        ("entropy", "You differentiate the entropy of the prediction. The label has to enter.", of((logs.exp() * logs).sum())),
        ("normalised", "Your gradient has been scaled to length 1. Its size matters: it says how much there is to gain.", g / norm),
        ("sign_only", "You return signs. The size of the gradient matters.", g.sign()),
        ("labels_shifted", "Your labels are off by one sample.", of(logs[rows, y.roll(1)].sum())),
    ]  # fmt: skip


# --- 3.5


@verdict("lab3.guided_ddpm_step")
def guided_ddpm_step(judge: Judge) -> None:
    with judge.part("guided", points=1):
        for name, (shape, dtype) in RUNS.items():
            given = guided_setting(judge.challenge, name)
            noise, g, w = given["noise_estimate"].double(), given["gradient"].double(), given["w"]
            here = Here(judge.challenge, given["t"], noise)
            seen = judge.tensor(f"{name}_guided/value", shape, "The guided noise estimate")
            mistakes = [
                *([] if name == "images" else [other_scale(seen, noise, -here.sigma * g, w)]),  # the images, at w = 3, were right
                ("wrong_sign", "Your guidance adds to the noise what it should take away: p(y | x) would fall with w. Score and noise have opposite signs.", noise + w * here.sigma * g),
                ("sigma_of_one_step", "You use sqrt(beta_t), the noise of one step. That guides ten times too little in the middle; the score was divided by sqrt(1 - alpha_bar_t).", noise - w * here.beta.sqrt() * g),
                ("variance_for_sigma", "You multiply by the variance 1 - alpha_bar_t. Take its root.", noise - w * here.sigma**2 * g),
                ("root_of_bar", "You multiply by sqrt(alpha_bar_t), the factor of the data. Take that of the noise.", noise - w * here.bar.sqrt() * g),
                ("alpha_for_alpha_bar", "You use alpha_t, the factor of one step, not the product alpha_bar_t.", noise - w * (1 - here.alpha).sqrt() * g),
                ("sigma_missing", "The gradient is subtracted as it is. It is a score: turn it into noise first.", noise - w * g),
                ("inverted", "You divide by sigma. That turns noise into score; you need the other way.", noise - w * g / here.sigma),
                ("posterior_sigma", "You use the posterior's sigma. Among the three, take that of the noise in x_t.", noise - w * here.posterior * g),
                ("difference", "Your estimate is mixed as (1 - w) noise + w guidance. Nothing is taken from the estimate itself.", (1 - w) * noise - w * here.sigma * g),
                ("everything_scaled", "The whole estimate is multiplied by w. Only the gradient is.", w * (noise - here.sigma * g)),
                ("one_more", "You guide by 1 + w. At w = 0 nothing may change.", noise - (1 + w) * here.sigma * g),
                ("noise_missing", "The noise estimate itself is missing.", -w * here.sigma * g),
                ("twice", "Your guidance is twice as strong as w says.", noise - 2 * w * here.sigma * g),
                ("scale_clipped", "Your guidance scale is limited to [0, 1]. Beyond 1 is where it gets interesting.", noise - min(max(w, 0.0), 1.0) * here.sigma * g),
                ("unguided", "The gradient has no effect.", noise),
            ]  # fmt: skip
            judge.compare(
                seen, noise - w * here.sigma * g, mistakes,
                ("wrong_guidance", f"Your estimate does not belong to the score s + w g (seen {WHERE[name]}). Write that down, and turn it into noise by exercise 3.2."),
                tolerance(dtype),
            )  # fmt: skip
            kept(judge, f"{name}_guided")
    with judge.part("step", points=2):
        for name, (shape, dtype) in RUNS.items():
            given = ddpm_setting(judge.challenge, name)
            x, e, z = (given[k].double() for k in ("x", "noise_estimate", "noise"))
            here = Here(judge.challenge, given["t"], x)
            judge.compare(
                judge.tensor(f"{name}_step/value", shape, "The new x"), ddpm(x, e, z, here), ddpm_mistakes(x, e, z, here),
                ("wrong_step", f"Your step is not (x - beta_t / sqrt(1 - alpha_bar_t) noise_estimate) / sqrt(alpha_t) + sqrt(beta_t) noise (seen {WHERE[name]}). Try it with noise 0, then with noise_estimate 0: which term is off?"),
                tolerance(dtype),
            )  # fmt: skip
            kept(judge, f"{name}_step")
        judge.device()


def ddpm(x: Tensor, e: Tensor, z: Tensor, here: Here) -> Tensor:
    mean = (x - here.beta / here.sigma * e) / here.alpha.sqrt()
    return mean + here.moving * here.beta.sqrt() * z


def ddpm_mistakes(x: Tensor, e: Tensor, z: Tensor, here: Here) -> Mistakes:
    kick = here.moving * here.beta.sqrt() * z

    def mean(factor: Tensor, root: Tensor | None = None) -> Tensor:
        return (x - factor * e) / (here.alpha.sqrt() if root is None else root)

    right = mean(here.beta / here.sigma)
    return [
        ("noise_at_the_end", "You add noise at t = 0. The last step ends on the data: nothing is added there.", right + here.beta.sqrt() * z),
        ("noise_missing", "The noise is missing. Without it the variance of the samples shrinks from step to step.", right),
        ("posterior_variance", "You use the posterior's variance. That is a fair choice too; this exercise asks for beta_t.", right + here.moving * here.posterior * z),
        ("variance_for_sigma", "The noise is multiplied by beta_t, its variance. Take the root.", right + here.moving * here.beta * z),
        ("total_sigma", "You add the noise of all steps, sqrt(1 - alpha_bar_t). One step adds sqrt(beta_t).", right + here.moving * here.sigma * z),
        ("noise_unscaled", "The noise is added at full size.", right + here.moving * z),
        ("noise_subtracted", "The noise is subtracted. That has the same law, but this noise was given: add it.", right - kick),
        ("factor_missing", "The whole noise estimate is taken out. One step takes out a part: beta_t / sqrt(1 - alpha_bar_t).", mean(torch.ones_like(here.beta)) + kick),
        ("no_root", "You divide by 1 - alpha_bar_t. Its root belongs there.", mean(here.beta / here.sigma**2) + kick),
        ("one_minus_alpha", "1 - alpha_t stands where 1 - alpha_bar_t belongs, in the denominator.", mean(here.beta / (1 - here.alpha).sqrt()) + kick),
        ("sigma_of_one_step", "You take out sqrt(beta_t) times the estimate.", mean(here.beta.sqrt()) + kick),
        ("total_sigma", "You take out sqrt(1 - alpha_bar_t) times the estimate: all noise in one step.", mean(here.sigma) + kick),
        ("beta_only", "You take out beta_t times the estimate, and do not divide by the size of the noise.", mean(here.beta) + kick),
        ("alpha_bar_root", "You divide by sqrt(alpha_bar_t). One step undoes the shrinking of one step: sqrt(alpha_t).", mean(here.beta / here.sigma, here.bar.sqrt()) + kick),
        ("alpha_no_root", "You divide by alpha_t. Its root belongs there: N(0, 1) data must stay N(0, 1).", mean(here.beta / here.sigma, here.alpha) + kick),
        ("not_rescaled", "You do not divide by sqrt(alpha_t): the data would stay shrunk.", mean(here.beta / here.sigma, torch.ones_like(here.alpha)) + kick),
        ("multiplied", "You multiply by sqrt(alpha_t) where you should divide.", mean(here.beta / here.sigma, 1 / here.alpha.sqrt()) + kick),
        ("wrong_sign", "The noise estimate is added. It has to come out.", mean(-here.beta / here.sigma) + kick),
        ("clamped", "Your new x is cut off at -1 and 1. Noise is larger than that: at the start a third of all pixels would be cut.", (right + kick).clamp(-1, 1)),
        ("clean_estimate", "You return the estimate of the clean data. One step goes only a part of the way.", (x - here.sigma * e) / here.bar.sqrt()),
    ]  # fmt: skip


# --- 3.6


@verdict("lab3.ddim_step")
def ddim_step(judge: Judge) -> None:
    with judge.part("step", points=2):
        for name, (shape, dtype) in RUNS.items():
            given = ddim_setting(judge.challenge, name)
            x, e = given["x"].double(), given["noise_estimate"].double()
            bars = made_up_schedule(judge.challenge).alpha_bars
            bar = at(bars, given["t"], x)
            padded = torch.cat([bars, torch.ones(1, dtype=torch.float64)])  # index -1 is the data
            before = at(padded, given["t_prev"], x)
            judge.compare(
                judge.tensor(f"{name}/value", shape, "The new x"), ddim(x, e, bar, before),
                ddim_mistakes(x, e, bar, before, at(bars, given["t_prev"], x), given["t"], bars),
                ("wrong_step", f"Your step is not sqrt(alpha_bar_prev) x_0 + sqrt(1 - alpha_bar_prev) noise_estimate, with the x_0 that x and the estimate imply (seen {WHERE[name]}). Compute that x_0 first."),
                tolerance(dtype),
            )  # fmt: skip
            kept(judge, name)
        judge.device()


def ddim(x: Tensor, e: Tensor, bar: Tensor, before: Tensor) -> Tensor:
    x0 = (x - (1 - bar).sqrt() * e) / bar.sqrt()
    return before.sqrt() * x0 + (1 - before).sqrt() * e


def ddim_mistakes(x, e, bar, before, wrapped, t, bars) -> Mistakes:
    x0 = (x - (1 - bar).sqrt() * e) / bar.sqrt()
    one_back = torch.cat([bars, torch.ones(1, dtype=torch.float64)])[t - 1].reshape(bar.shape)
    return [
        ("wrapped", "alpha_bars[-1] is the *last* element, the noisiest. At t_prev = -1 there is no noise: alpha_bar is 1 there.", ddim(x, e, bar, wrapped)),
        ("clamped_index", "At t_prev = -1 you use alpha_bar of t = 0. The data itself has alpha_bar = 1.", ddim(x, e, bar, torch.where(before == 1, bars[0], before))),
        ("data_too_early", "At t_prev = 0 you return the data. A little noise is left there: only t_prev = -1 is the data.", ddim(x, e, bar, torch.where(before == bars[0], 1.0, before))),
        ("single_steps", "You step to t - 1 whatever t_prev says. Large jumps are what DDIM is for.", ddim(x, e, bar, one_back)),
        ("clean_estimate", "You return the estimate of the data. The noise that is left at t_prev has to be put back.", x0),
        ("noise_not_put_back", "The noise of t_prev is missing: you only shrink the estimate of the data.", before.sqrt() * x0),
        ("data_not_scaled", "At t_prev the data has the factor sqrt(alpha_bar_prev). Yours has its full size.", x0 + (1 - before).sqrt() * e),
        ("no_root", "You use alpha_bar_prev and 1 - alpha_bar_prev as they are. These are variances: take roots.", before * x0 + (1 - before) * e),
        ("noise_not_removed", "You take no noise out of x before you scale it.", before.sqrt() * x / bar.sqrt() + (1 - before).sqrt() * e),
        ("not_rescaled", "The estimate of the data is not divided by sqrt(alpha_bar_t).", before.sqrt() * (x - (1 - bar).sqrt() * e) + (1 - before).sqrt() * e),
        ("variance_for_sigma", "You take (1 - alpha_bar_t) times the noise out. Its root belongs there.", before.sqrt() * (x - (1 - bar) * e) / bar.sqrt() + (1 - before).sqrt() * e),
        ("divided_by_bar", "You divide by alpha_bar_t where its root belongs.", before.sqrt() * (x - (1 - bar).sqrt() * e) / bar + (1 - before).sqrt() * e),
        ("wrong_sign", "The noise estimate is added where it has to come out.", before.sqrt() * (x + (1 - bar).sqrt() * e) / bar.sqrt() + (1 - before).sqrt() * e),
        ("noise_subtracted", "The noise of t_prev is subtracted. The point goes on along the same noise: add it.", before.sqrt() * x0 - (1 - before).sqrt() * e),
        ("swapped", "t and t_prev stand in each other's place: you add noise.", ddim(x, e, before, bar)),
        ("old_noise", "You put back the noise of t, not that of t_prev.", before.sqrt() * x0 + (1 - bar).sqrt() * e),
        ("clamped", "Your estimate of the data is cut off at -1 and 1. Often wise; this exercise asks for the plain step.", before.sqrt() * x0.clamp(-1, 1) + (1 - before).sqrt() * e),
    ]  # fmt: skip


# --- 3.7


@verdict("lab3.spot_the_bugs")
def spot_the_bugs(judge: Judge) -> None:
    with judge.part("inside", points=0.5):
        guiding = read_sampler(judge)
        judge.require(
            guiding.inside,
            "guidance_outside",
            "Guidance is applied to x, beside the step: ddpm_step still gets the model's plain estimate. It belongs into the estimate, or the step is computed for another x than it moves.",
        )
        if not guiding.clamped:
            judge.require(
                float(guiding.moved.abs().max()) < 1e-9,
                "guidance_twice",
                "Guidance is in the noise estimate, and x is moved beside the step as well.",
            )
        judge.device()
    with judge.part("clamp", points=0.5):
        judge.require(
            not read_sampler(judge).clamped,
            "clamped",
            "x is still cut off at -1 and 1 after each step. At the start it is pure noise, and a third of its pixels lie outside.",
        )
    with judge.part("sign", points=0.5):
        factor = read_sampler(judge).factor
        judge.require(float(factor.abs().max()) > 1e-9, "unguided", "The gradient has no effect on your samples.")
        judge.require(
            bool((factor >= 0).all()),
            "wrong_sign",
            "Your guidance walks away from the class: log p(y | x) falls with w. Mind that score and noise have opposite signs.",
        )
    with judge.part("sigma", points=0.5):
        guiding, schedule = read_sampler(judge), sampler_setting(judge.challenge)[3]
        factor, order = guiding.factor.abs(), torch.arange(SAMPLER_STEPS - 1, -1, -1)
        w, bar, beta = SAMPLER_SCALE, schedule.alpha_bars[order], schedule.betas[order]
        wanted = w * (1 - bar).sqrt()
        # beside the step a clamp blurs the factor: only its size can be judged there
        rtol = 0.3 if guiding.clamped and not guiding.inside else 1e-6
        if not guiding.inside:
            # that it stands there has a part of its own; the sigma may be right, or the shift that a step makes
            shift = w * beta / schedule.alphas[order].sqrt()
            wanted = shift if judge.close(factor, shift, rtol) else wanted
        judge.compare(
            factor, wanted,
            [
                ("sigma_of_one_step", "The gradient is still multiplied by sqrt(beta_t), the noise of one step. In x_t all steps have left theirs: which of the three sigmas is that?", w * beta.sqrt()),
                ("scale_missing", "The guidance scale w has no effect.", wanted / w),
                ("sigma_missing", "The gradient is taken as it is, without a sigma.", w * torch.ones_like(beta)),
                ("variance_for_sigma", "The gradient is multiplied by a variance. Take the root.", w * (1 - bar)),
            ],
            ("wrong_sigma", "The factor before the gradient is another one than in your `guided_noise`. Compare the two."), rtol,
        )  # fmt: skip


def read_sampler(judge: Judge) -> Guiding:
    """Check the flow of all steps, and return what the sampler did beside the given functions."""
    shape = (SAMPLER_STEPS, *SAMPLER_SHAPE)
    batch, flat = SAMPLER_SHAPE[0], (SAMPLER_STEPS * SAMPLER_SHAPE[0], *SAMPLER_SHAPE[1:])
    x_start, y, noises, _ = sampler_setting(judge.challenge)
    judge.tensor("main/value", SAMPLER_SHAPE, "The sample")
    for stub, words in (("model", "the model"), ("gradients", "classifier_gradient"), ("steps", "ddpm_step")):
        count = judge.value(f"main/{stub}/count", int)
        judge.require(
            count == SAMPLER_STEPS,
            "wrong_number_of_calls",
            f"Your sampler calls {words} {count} times, and the schedule has {SAMPLER_STEPS} steps.",
        )
    x = judge.tensor("main/steps/x", flat, "The x of the steps").reshape(shape)
    t = judge.tensor("main/steps/t", flat[:1], "The t of the steps").reshape(SAMPLER_STEPS, batch)
    order = torch.arange(SAMPLER_STEPS - 1, -1, -1)
    judge.require(
        torch.equal(t, order[:, None].expand_as(t)),
        "wrong_order",
        "Your steps do not go from t = T - 1 down to t = 0, one by one.",
    )
    for stub in ("model", "gradients", "steps"):
        judge.require(
            not judge.tensor(f"main/{stub}/t").is_floating_point(),
            "time_not_integer",
            "Your t are floating-point numbers. A step has an index, and the schedule is looked up with it.",
        )
    judge.require(
        judge.value("main/inputs_kept", bool),
        "input_altered",
        "Your sampler changes one of its arguments in place. The caller needs x, the noises and the schedule again, for the next w.",
    )
    used = judge.tensor("main/steps/noise", flat, "The noise of the steps").reshape(shape)
    judge.require(judge.close(used, noises[order]), "wrong_noise", "Step t has to use `noises[t]`.")
    judge.require(
        torch.equal(judge.tensor("main/gradients/y", flat[:1], "The labels"), y.repeat(SAMPLER_STEPS)),
        "wrong_labels",
        "classifier_gradient is asked about other labels.",
    )
    asked = judge.tensor("main/gradients/x", flat, "The x of classifier_gradient").reshape(shape)
    seen = judge.tensor("main/model/x", flat, "The x of the model").reshape(shape)
    judge.require(
        judge.close(asked, seen) and judge.close(seen[0], x_start) and judge.close(seen, x),
        "other_x",
        "The model, classifier_gradient and ddpm_step are not asked about the same x in the same step.",
    )
    for stub in ("model", "gradients"):
        judge.require(
            torch.equal(judge.tensor(f"main/{stub}/t", flat[:1]).reshape(t.shape), t), "other_t", "Not all are asked at the same t."
        )  # fmt: skip
    return seen_guiding(judge)


# --- 3.8


@verdict("lab3.what_guidance_samples")
def what_guidance_samples(judge: Judge) -> None:
    with judge.part("variances", points=1):
        for name in VARIANCE_RUNS:
            S, s, w = variance_setting(judge.challenge, name)
            tilt, ode, sde = variances(S, s, w)
            S, s, w = (torch.tensor(float(v), dtype=torch.float64) for v in (S, s, w))
            for label, expected in (("tilt", tilt), ("ode", ode), ("sde", sde)):
                value = judge.number(f"{name}/{label}", f"The variance called '{label}'")
                others = {"tilt": tilt, "ode": ode, "sde": sde}
                mistakes = [
                    (f"{other}_for_{label}", f"Where '{label}' was asked for, you return the variance of '{other}'.", number)
                    for other, number in others.items() if other != label
                ] + [
                    ("root_for_variance", f"Your '{label}' is a standard deviation. Return the variance.", expected.sqrt()),
                    ("precisions_averaged", "You add w / s to 1 / S. The tilt takes from p(x) once and from p(y | x) w times: which precision does p(y | x) have alone?", 1 / (1 / S + w / s)),
                    ("variances_averaged", "You average the variances, not the precisions.", (1 - w) * S + w * s),
                    ("exponents_swapped", "Your exponents stand the wrong way round: at w = 0 it has to be S.", S**w * s ** (1 - w)),
                ]  # fmt: skip
                if label == "sde":
                    mistakes.append(("noise_forgotten", "Your SDE loses variance, but gains none: the noise term is missing.", S ** (2 - 2 * w) * s ** (2 * w)))  # fmt: skip
                judge.compare(
                    torch.tensor(value, dtype=torch.float64), expected, mistakes,
                    (f"wrong_{label}", f"For S = {float(S):.3g}, s = {float(s):.3g}, w = {float(w):.3g} your '{label}' is {value:.4g}. Check it at w = 0 and w = 1 by hand, then solve the equation again."),
                    1e-5,
                )  # fmt: skip


def variances(S: float, s: float, w: float) -> tuple[Tensor, Tensor, Tensor]:
    S, s, w = (torch.tensor(float(v), dtype=torch.float64) for v in (S, s, w))
    tilt = S * s / (s + w * (S - s))
    ode = S ** (1 - w) * s**w
    sde = (S * s - S ** (2 - 2 * w) * s ** (2 * w)) / ((S - s) * (2 * w - 1))
    return tilt, ode, sde
