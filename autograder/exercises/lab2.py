"""Lab 2: hidden verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from autograder.exercises.registry import verdict
from utils.atoms import CENTRES, SIGMA_D
from utils.checks.judging import Judge
from utils.checks.kits.draws import judge_times
from utils.checks.kits.statistics import is_normal
from utils.checks.lab2 import (
    LOSS_CALLS,
    LOSS_RUNS,
    NOISE_RUNS,
    RESIDUAL_RUNS,
    SCORE_RUNS,
    STEP_RUNS,
    TARGET_RUNS,
    StubAtoms,
    StubSchedule,
    noise_setting,
    on_circle,
    residual_setting,
    score_setting,
    step_setting,
    target_setting,
)
from utils.checks.stubs import Nonsense

Formula = Callable[..., Tensor]
FLOAT32 = 1e-3  # the tolerance where float32 was asked for
WIDE = torch.arange(-9, 10, dtype=torch.float64)  # more copies of the cell than anybody asks for
NEAR = torch.arange(-1, 2, dtype=torch.float64)
HERE = torch.zeros(1, dtype=torch.float64)


ALTERED = "Your code changed one of its inputs in place. The caller still needs it: build a new tensor."


def kept(judge: Judge, name: str, message: str = ALTERED) -> None:
    judge.require(judge.value(name, bool), "input_altered", message)


# --- the wrapped normal distribution, and what can go wrong with it


def wrapped(u: Tensor, variance: Tensor, images: Tensor = WIDE) -> tuple[Tensor, Tensor]:
    """Logarithm of the wrapped normal density at u (up to a constant), and its derivative. Variance broadcasts to u."""
    places = u[..., None] + images
    exponents = -(places**2) / (2 * variance[..., None])
    shares = exponents.softmax(-1)
    return exponents.logsumexp(-1), -(shares * places).sum(-1) / variance


def atoms_score(
    x: Tensor, variance: Tensor, images: Tensor = WIDE, share: str = "exact", short: bool = False
) -> Tensor:
    """The score of the two atoms. `share` says how the two orders are weighted; `short` takes the nearest image first."""
    centres = torch.tensor(CENTRES, dtype=torch.float64)
    orders = [centres, centres.flip(0)]
    gaps = [on_circle(x - c) if short else x - c for c in orders]
    logs, pulls = zip(*(wrapped(gap, variance.expand_as(x), images) for gap in gaps))
    logs, pulls = torch.stack(logs), torch.stack(pulls)  # (order, b, atom)
    if share == "first":
        return pulls[0]
    if share == "half":
        return pulls.mean(0)
    if share == "sum":
        return pulls.sum(0)
    if share == "each atom":
        return (logs.softmax(0) * pulls).sum(0)
    weights = logs.sum(-1, keepdim=True)
    if share == "nearest":
        return pulls.gather(0, weights.argmax(0, keepdim=True).expand(1, *x.shape))[0]
    if share == "batch":
        return (weights.transpose(0, 1).softmax(0).transpose(0, 1) * pulls).sum(0)
    return (weights.softmax(0) * pulls).sum(0)


def kernel_mistakes(u: Tensor, variance: Tensor) -> list[tuple[str, str, Tensor]]:
    """Ways to get the derivative of the log of one wrapped normal density wrong."""
    return [
        (
            "not_wrapped",
            "Your pull is the plain difference of two places, as on a line. Across the cell's edge it is wrong by one whole turn: sum over the periodic copies, each with its share.",
            wrapped(u, variance, HERE)[1],
        ),
        (
            "nearest_image_only",
            "You use the nearest periodic copy only. The others count too, each by its share: halfway around the ring yours jumps from one side to the other.",
            wrapped(on_circle(u), variance, HERE)[1],
        ),
        (
            "few_images",
            "Your sum over periodic copies is too short: at large noise more than the nearest three count. `IMAGES` has them all.",
            wrapped(u, variance, NEAR)[1],
        ),
        (
            "few_images",
            "Your sum over periodic copies is too short: at large noise more than the nearest three count. `IMAGES` has them all.",
            wrapped(on_circle(u), variance, NEAR)[1],
        ),
    ]


# --- 2.1


def score_mistakes(x: Tensor, sigma: Tensor, sigma_d: float) -> list[tuple[str, str, Tensor]]:
    variance = sigma**2 + sigma_d**2
    exact = atoms_score(x, variance)
    return [
        (
            "wrong_sign",
            "Your score points away from the atoms' places. It is the gradient of the log density: it points uphill.",
            -exact,
        ),
        (
            "data_width_missing",
            "You use the noise's variance alone. Where data of width sigma_d get noise of width sigma, the variances add up.",
            atoms_score(x, sigma**2),
        ),
        (
            "noise_width_missing",
            "You use sigma_d alone: your score does not know how much noise there is.",
            atoms_score(x, torch.full_like(sigma, sigma_d**2)),
        ),
        (
            "widths_added",
            "You add sigma and sigma_d. For independent Gaussian numbers the variances add up, not the widths.",
            atoms_score(x, (sigma + sigma_d) ** 2),
        ),
        (
            "not_wrapped",
            "You use plain Gaussians. The score jumps at the cell's edge: sum over the periodic copies.",
            atoms_score(x, variance, HERE),
        ),
        (
            "nearest_image_only",
            "You use the nearest periodic copy only. The others count too, each by its share.",
            atoms_score(x, variance, HERE, short=True),
        ),
        (
            "few_images",
            "Your sum over periodic copies is too short: at large noise more than the nearest three count. `IMAGES` has them all.",
            atoms_score(x, variance, NEAR),
        ),
        (
            "few_images",
            "Your sum over periodic copies is too short: at large noise more than the nearest three count. `IMAGES` has them all.",
            atoms_score(x, variance, NEAR, short=True),
        ),
        (
            "one_order_only",
            "Your score knows one order of the atoms only. Either atom may sit near 0.25: swap the two, and the density is the same.",
            atoms_score(x, variance, share="first"),
        ),
        (
            "orders_averaged",
            "You average the scores of the two orders with weight 1/2. The gradient of log(a + b) weighs them by their shares of the density at x: at one order's place, the other must not pull.",
            atoms_score(x, variance, share="half"),
        ),
        (
            "orders_averaged",
            "You add the scores of the two orders. The gradient of log(a + b) weighs them by their shares of the density at x.",
            atoms_score(x, variance, share="sum"),
        ),
        (
            "nearest_order",
            "You take the more probable order only, so that your score jumps where the two atoms meet. Weigh both orders by their shares.",
            atoms_score(x, variance, share="nearest"),
        ),
        (
            "atoms_independent",
            "Each of your atoms chooses its place for itself. Then both may sit near 0.25. The order is chosen once, for both atoms together: multiply the atoms' densities before you weigh the orders.",
            atoms_score(x, variance, share="each atom"),
        ),
        (
            "rows_mixed",
            "The samples of a batch talk to each other: the softmax runs over the batch, not over the orders.",
            atoms_score(x, variance, share="batch"),
        ),
        (
            "normalised_score",
            "You return sigma times the score. That is what the network will learn; here the score itself is asked for.",
            exact * sigma,
        ),
        (
            "normalised_score",
            "You return the score times its width sqrt(sigma² + sigma_d²). Divide by the variance, not by the width.",
            exact * variance.sqrt(),
        ),
        (
            "not_divided",
            "Your pull is not divided by the variance.",
            exact * variance,
        ),
        (
            "half_missing",
            "The exponent of a Gaussian is the squared distance over twice the variance. You forgot the two in the weights.",
            atoms_score(x, variance / 2) / 2,
        ),
        (
            "half_missing",
            "The exponent of a Gaussian is the squared distance over twice the variance. You forgot the two.",
            atoms_score(x, variance / 2),
        ),
        (
            "one_sigma_for_all",
            "You use the first sample's sigma for all. Each row has its own.",
            atoms_score(x, variance[:1].expand_as(variance)),
        ),
        (
            "one_sigma_for_all",
            "You use the mean sigma for all samples. Each row has its own.",
            atoms_score(x, (sigma.mean() ** 2 + sigma_d**2).expand_as(variance)),
        ),
        (
            "density_gradient",
            "You return the gradient of the density. The score is the gradient of its logarithm: divide by the density.",
            exact * density(x, variance),
        ),
    ]  # fmt: skip


def density(x: Tensor, variance: Tensor) -> Tensor:
    """p(x) of the two atoms, shape (b, 1)."""
    centres = torch.tensor(CENTRES, dtype=torch.float64)
    logs = [wrapped(x - c, variance.expand_as(x))[0].sum(-1, keepdim=True) for c in (centres, centres.flip(0))]
    return torch.logsumexp(torch.stack(logs), 0).exp() / (4 * math.pi * variance)


def judge_scores(judge: Judge, names: tuple[str, ...]) -> None:
    """Compare these runs. A mistake is named if it explains every one of them."""
    good, lost, explained = True, False, None
    for name in names:
        x, sigma, sigma_d = score_setting(judge.challenge, name)
        seen = judge.tensor(f"{name}/score", x.shape, "The score", finite=False)
        judge.precise(f"{name}/score", x.dtype, "The score")
        kept(judge, f"{name}/inputs_kept")
        rtol = FLOAT32 if x.dtype == torch.float32 else 1e-6  # seven periodic copies are enough for that
        x, sigma = x.double(), sigma.double()
        variance = sigma**2 + sigma_d**2
        exact, width = atoms_score(x, variance), variance.sqrt()
        judge.require(
            torch.isfinite(seen).all(),
            "not_finite",
            "Your score contains NaN or infinity. Far from the atoms every Gaussian is smaller than the smallest number: work with logarithms, `logsumexp` and `softmax`.",
        )
        # each row in units of its own width, so that every noise level counts alike
        if judge.close(seen * width, exact * width, rtol, 1e-12):
            continue
        good = False
        large = exact.abs() * width > 1
        vanished = seen[large].abs() < 1e-9 * exact[large].abs()
        lost = lost or vanished.double().mean() > 1 / 3  # a few may be 0 by symmetry
        apart = (
            x[:, 0] - x[:, 1]
        ).abs() > 1e-6  # where both orders are equally likely, rounding decides which is taken
        fits = {
            (code, message)
            for code, message, wrong in score_mistakes(x, sigma, sigma_d)
            if judge.close((seen * width)[apart], (wrong * width)[apart], max(rtol, 1e-7), 1e-12)
        }
        order = [(code, message) for code, message, _ in score_mistakes(x, sigma, sigma_d)]
        explained = fits if explained is None else explained & fits
        if not explained:
            break
    if good:
        return
    for finding in order:
        if finding in (explained or ()):
            judge.fail(*finding)
    judge.require(
        not lost,
        "score_vanishes",
        "Far from the atoms your score is nearly 0, where it should be largest: the densities there have become 0. Work with logarithms, `logsumexp` and `softmax`.",
    )
    judge.fail(
        "wrong_score",
        "Your score is not the gradient of the log density. Compare it with `torch.autograd` on the logarithm of the density, at one x in the middle of the cell and at one near its edge.",
    )


@verdict("lab2.analytic_score")
def analytic_score(judge: Judge) -> None:
    with judge.part("score", points=3):
        judge_scores(judge, ("large", "middle", "mixed", "one", "single"))
        judge.device()
    with judge.part("extremes", points=1):
        judge_scores(judge, ("widest", "small", "tiny", "narrow"))


assert set(SCORE_RUNS) == {"large", "middle", "mixed", "one", "single", "widest", "small", "tiny", "narrow"}

# --- 2.2


@verdict("lab2.add_noise")
def add_noise(judge: Judge) -> None:
    with judge.part("sigma", points=1):
        for name, (_, dtype) in NOISE_RUNS.items():
            _, t, _, low, high = noise_setting(judge.challenge, name)
            t = t.double()
            judge.compare(
                judge.tensor(f"{name}_sigma/value", t.shape, "sigma(t)"),
                low * (high / low) ** t,
                [
                    (
                        "linear",
                        "Your sigma grows linearly. It has to grow by the same *factor* in equal times.",
                        low + (high - low) * t,
                    ),
                    (
                        "time_reversed",
                        "Your sigma falls with time. Data are at t = 0, where the noise is smallest.",
                        high * (low / high) ** t,
                    ),
                    (
                        "variance_linear",
                        "Your variance grows linearly. sigma has to grow by the same *factor* in equal times.",
                        (low**2 + (high**2 - low**2) * t).sqrt(),
                    ),
                    (
                        "variance_instead",
                        "You return the variance sigma². The standard deviation is asked for.",
                        (low * (high / low) ** t) ** 2,
                    ),
                    (
                        "root_instead",
                        "You return the root of sigma.",
                        (low * (high / low) ** t).sqrt(),
                    ),
                    (
                        "constants_instead",
                        "You use the lab's 0.001 and 0.2. Use `self.sigma_min` and `self.sigma_max`: here they were others.",
                        0.001 * 200.0**t,
                    ),
                    (
                        "start_missing",
                        "At t = 0 your sigma is 1. The factor sigma_min is missing.",
                        (high / low) ** t,
                    ),
                    (
                        "log_of_sigma",
                        "What you return is the logarithm of sigma.",
                        math.log(low) + math.log(high / low) * t,
                    ),
                    (
                        "factor_not_divided",
                        "Your growth factor is sigma_max. It is sigma_max / sigma_min: at t = 1, sigma must be sigma_max.",
                        low * high**t,
                    ),
                ],
                (
                    "wrong_sigma",
                    "Your sigma(t) is not sigma_min (sigma_max / sigma_min)^t. Look at t = 0, t = 1 and t = 1/2, where it is the geometric mean of both.",
                ),
                FLOAT32 if dtype == torch.float32 else 1e-9,
            )  # fmt: skip
        judge.device()
    with judge.part("noise", points=1):
        for name in NOISE_RUNS:
            judge_noised(judge, name)


def judge_noised(judge: Judge, name: str) -> None:
    x0, t, noise, low, high = noise_setting(judge.challenge, name)
    rtol = 1e-5 if x0.dtype == torch.float32 else 1e-9
    seen = judge.tensor(f"{name}_noised/value", x0.shape, "The noised state")
    kept(judge, f"{name}/inputs_kept")
    x0, t, noise = x0.double(), t.double(), noise.double()
    right = low * (high / low) ** t
    sigma = own_sigma(judge, name, right)

    def on_ring(wrong: Tensor) -> bool:
        return bool(on_circle(seen - wrong).abs().max() <= rtol)

    mistakes = [
        ("wrong_sign", "You subtract the noise. As a law it is the same, but not with the noise that you were given.", x0 - sigma * noise),
        ("variance_for_width", "You multiply the noise by sigma². Its standard deviation is sigma.", x0 + sigma**2 * noise),
        ("root_for_width", "You multiply the noise by the root of sigma. Its standard deviation is sigma.", x0 + sigma.sqrt() * noise),
        ("no_sigma", "You add the noise without its width sigma(t).", x0 + noise),
        ("no_noise", "Your noised state is the clean one.", x0),
        ("time_for_sigma", "You multiply the noise by t. Its width is sigma(t).", x0 + t * noise),
        ("data_shrunk", "You shrink the data, as a variance-preserving path does. On a ring nothing is shrunk: add the noise, and wrap.", (1 - sigma**2).clamp(min=0).sqrt() * x0 + sigma * noise),
        ("data_shrunk", "You shrink the data by 1 - t. On a ring nothing is shrunk: add the noise, and wrap.", (1 - t) * x0 + sigma * noise),
        ("sigma_max_always", "You use sigma_max at every time. The width is sigma(t).", x0 + high * noise),
    ]  # fmt: skip
    if on_ring(x0 + sigma * noise):
        judge.require(
            seen.min() >= 0 and seen.max() <= 1,
            "not_wrapped",
            f"Your noised state runs from {seen.min():.2f} to {seen.max():.2f}. It has to be put back into the cell [0, 1).",
        )
        return
    again = judge.tensor("again/value", what="The noised state")
    first = judge.tensor("main_noised/value", what="The noised state")
    judge.require(
        judge.close(again, first),
        "fresh_noise",
        "Called twice with the same noise, your method returns two different states. It must not draw noise of its own.",
    )
    plain = x0 + sigma * noise
    for wrong in (plain.clamp(0, 1), plain.abs(), 1 - (1 - plain.abs()).abs()):
        judge.require(
            not judge.close(seen, wrong, rtol),
            "walls",
            "Your atoms stop at the cell's edge or bounce off it. A ring has no edge: what leaves at 1 comes back at 0.",
        )
    for code, message, wrong in mistakes:
        judge.require(not on_ring(wrong), code, message)
    judge.fail(
        "wrong_noise", "The noised state is not x0 plus sigma(t) times the noise, put back into the cell [0, 1)."
    )


def own_sigma(judge: Judge, name: str, right: Tensor) -> Tensor:
    """The student's own sigma(t), if it can be one: a wrong schedule shall not cost the noise as well."""
    seen = judge.evidence.tensors.get(f"{name}_sigma/value")
    if seen is None or seen.shape != right.shape or not bool(torch.isfinite(seen).all()):
        return right
    seen = seen.double()
    if not bool((seen > 0).all()) or (len(seen) > 2 and float(seen.std()) < 1e-3 * float(seen.max())):
        return right
    if float(seen.max()) < 1e-3 * float(right.max()):  # so little noise that none could be told from it
        return right
    return seen


# --- 2.3


@verdict("lab2.score_loss")
def score_loss(judge: Judge) -> None:
    with judge.part("loss", points=3):
        runs = {name: read_run(judge, name) for name in LOSS_RUNS}
        calls = [runs[f"call{i}"] for i in range(LOSS_CALLS)]
        judge_times(judge, torch.stack([run["t"].flatten() for run in calls]))
        judge_noise(judge, calls)
        for name, run in runs.items():
            judge_loss(judge, name, run)
        judge.device()


def read_run(judge: Judge, name: str) -> dict[str, Tensor]:
    """Check the flow of one call (data to noise to model), and return its rebuilt tensors."""
    dtype, batch = LOSS_RUNS[name]
    data, schedule = StubAtoms(judge.challenge, name, dtype), StubSchedule(judge.challenge)
    flat = judge.evidence.values.get(f"{name}/noised/t.shape") == [batch]
    judge.require(  # before the error that it leads to
        not flat,
        "time_shape",
        f"t has shape ({batch},), expected ({batch}, 1): one time for each sample, with an axis to broadcast along.",
    )
    judge.attempt(name)
    for stub, code, message in (
        ("data", "data_not_sampled", "Your loss never calls `self.data.sample`."),
        (
            "noised",
            "schedule_not_used",
            "Your loss never calls `self.schedule.add_noise`. How noise is added is the schedule's business: here it was another schedule than yours.",
        ),
        ("model", "model_not_called", "Your loss never calls `self.model`."),
    ):
        judge.require(judge.value(f"{name}/{stub}/count", int) > 0, code, message)
    x_model = judge.tensor(f"{name}/model/x", (batch, 2), "The x that the model sees")
    x0_all = judge.tensor(f"{name}/noised/x0", what="The clean state x0")
    t_all = judge.tensor(f"{name}/noised/t", what="The time t")
    noise_all = judge.tensor(f"{name}/noised/noise", what="The noise")
    judge.require(
        x0_all.dim() == 2 and x0_all.shape[1] == 2 and batch <= len(x0_all) <= len(data.states),
        "wrong_shape",
        f"The x0 that goes into add_noise has shape {tuple(x0_all.shape)}, expected ({batch}, 2).",
    )
    rows = len(x0_all)
    if t_all.numel() == judge.value(f"{name}/noised/count", int) and rows > t_all.numel():
        judge.fail("time_shared", "All samples of a batch share one time t. Each needs its own.")
    judge.require(
        t_all.shape == (rows, 1),
        "time_shape",
        f"t has shape {tuple(t_all.shape)}, expected ({batch}, 1): one time for each sample, with an axis to broadcast along.",
    )
    judge.require(
        noise_all.shape != (rows, 1) and noise_all.shape != (rows,),
        "noise_shared",
        "Both atoms of a sample get the same noise. Each coordinate needs its own.",
    )
    judge.require(
        noise_all.shape[-1] == 2 and noise_all.numel() in (2 * rows, 2),
        "wrong_shape",
        f"The noise has shape {tuple(noise_all.shape)}, expected ({batch}, 2).",
    )
    judge.require(
        noise_all.numel() == 2 * rows,
        "noise_shared",
        "All samples of a batch share one noise. Each needs its own.",
    )
    noise_all = noise_all.reshape(rows, 2)
    # the tolerance of numbers that went through float32, because t or the data were drawn so
    single = dtype == torch.float32 or any(
        judge.evidence.values.get(f"{name}/noised/{key}.dtype") == "float32" for key in ("x0", "t", "noise")
    )
    rtol = 1e-4 if single else 1e-9
    x_all = schedule.noised(x0_all, t_all, noise_all)
    starts = range(0, rows - batch + 1, batch)
    start = next((s for s in starts if near(x_model, x_all[s : s + batch], rtol)), None)
    if start is None:
        if near(x_model, x0_all[:batch], rtol):
            judge.fail("model_sees_x0", "The model is given the clean state x0. It must be asked at the noised x.")
        judge.fail("model_sees_other_x", "The x that the model sees is not the x that `add_noise` returned.")
    other = next((x_all[s : s + batch] for s in starts if s != start), x_all[start : start + batch])
    x, x0, t, noise = (a[start : start + batch] for a in (x_all, x0_all, t_all, noise_all))
    drawn = data.states.double()
    places = range(0, len(drawn) - batch + 1)
    judge.require(
        any(judge.close(x0, drawn[s : s + batch]) for s in places),
        "not_the_data",
        "The states that go into `add_noise` are not those that the dataset returned.",
    )
    t_model = judge.tensor(f"{name}/model/t", what="The time that the model sees")
    judge.require(
        t_model.shape == (batch, 1),
        "time_shape",
        f"The model sees t of shape {tuple(t_model.shape)}, expected ({batch}, 1).",
    )
    judge.compare(
        t_model.reshape(-1, 1),
        t,
        [
            ("model_sees_sigma", "The model is given sigma where it expects the time t.", schedule.wave(t)),
            ("time_reversed", "The model sees 1 - t where the noise saw t.", 1 - t),
        ],
        ("time_differs", "The model sees another time than the noise. Draw t once, and pass the same t to both."),
        rtol,
    )
    if judge.value(f"{name}/states_moved", bool):
        judge.note(
            "states_altered",
            "The states that the dataset returned were overwritten in place. With a dataset kept in memory, its atoms drift away.",
            cost=1.0,
        )
    return {
        "x": x,
        "other": other,
        "x0": x0,
        "t": t,
        "noise": noise,
        "sigma": schedule.wave(t),
        "rtol": torch.tensor(rtol),
    }


def near(a: Tensor, b: Tensor, rtol: float) -> bool:
    """Equal as places on the ring."""
    return a.shape == b.shape and bool(on_circle(a.double() - b.double()).abs().max() <= max(rtol, 1e-9))


def judge_noise(judge: Judge, runs: list[dict[str, Tensor]]) -> None:
    noise = torch.stack([run["noise"] for run in runs])  # (call, b, 2)
    judge.require(
        noise[0].unique(dim=0).shape[0] > 1,
        "noise_shared",
        "All samples of a batch share one noise. Each needs its own.",
    )
    judge.require(
        not torch.equal(noise[0], noise[1]),
        "seeded",
        "Two calls used the same noise. Do not fix a seed inside the loss.",
    )
    pairs = noise.reshape(-1, 2)
    # for independent normal numbers, r sqrt(n) is nearly standard normal: beyond 5.5 with a chance below 1e-7
    judge.level(1e-7)
    correlation = float(torch.corrcoef(pairs.T)[0, 1])
    judge.require(
        abs(correlation) * math.sqrt(len(pairs)) < 5.5,
        "noise_shared",
        "The noise of the first atom tells that of the second. Each coordinate needs its own.",
    )
    judge.require(
        is_normal(noise, judge.level(1e-7)),
        "noise_not_normal",
        f"Your noise is not standard normal: its mean is {noise.mean():.2f}, its standard deviation {noise.std():.2f}, its smallest value {noise.min():.2f}.",
    )
    judge.level(1e-7)
    t = torch.stack([run["t"] for run in runs]).reshape(-1)
    tied = float(torch.corrcoef(torch.stack([t, pairs[:, 0]]))[0, 1])
    judge.require(
        abs(tied) * math.sqrt(len(pairs)) < 5.5,
        "noise_tied_to_time",
        "Noise and time are not independent. Do not use one random number for both.",
    )


def loss_mistakes(run: dict[str, Tensor], out: Tensor, pull: Tensor) -> list[tuple[str, str, Tensor]]:
    """What the known mistakes make of one call. `pull` is grad log K."""
    x, x0, t, sigma, noise = (run[key] for key in ("x", "x0", "t", "sigma", "noise"))
    variance, batch = (sigma**2).expand_as(x), len(x)
    error = out - sigma * pull
    square = error**2

    def loss(target: Tensor) -> Tensor:
        return (out - target).square().mean()

    reductions = [
        ("summed_atoms", "Squared errors are summed over the two atoms. The statement asks for the mean over batch and atoms.", square.sum() / batch),
        ("summed_batch", "Squared errors are summed over the batch. The statement asks for the mean over batch and atoms.", square.sum() / 2),
        ("summed_all", "Squared errors are summed over everything. The statement asks for the mean over batch and atoms.", square.sum()),
        ("absolute_error", "Your loss is the mean absolute error. Only the squared error has the mean pull, which is the score, as its minimiser.", error.abs().mean()),
        ("root_of_error", "You take the root of the squared error. The mean of norms has another minimiser than the mean of squares.", square.sum(1).sqrt().mean()),
        ("root_of_error", "You take the root of the mean squared error. Return the mean itself.", square.mean().sqrt()),
        ("sum_before_square", "Errors are averaged before they are squared, so that they cancel. Square first.", error.mean() ** 2),
        ("sum_before_square", "Errors of the two atoms are added up before they are squared, so that they cancel. Square first.", error.sum(1).square().mean()),
        ("half", "Your loss is half the mean squared error.", square.mean() / 2),
    ]  # fmt: skip
    kernels = [(code, message, loss(sigma * wrong)) for code, message, wrong in kernel_mistakes(x - x0, variance)]
    targets = [
        (
            "noise_resampled",
            "The target was computed at another x than the model saw. Add noise once, and use the same x for both.",
            loss(sigma * wrapped(run["other"] - x0, variance)[1]),
        ),
        ("target_sign", "Your target points from x0 to x. The score points back: where the density is higher.", loss(-sigma * pull)),
        ("sigma_missing", "Your target is the score itself, which is about 1 / sigma: small times would drown all others. The network learns sigma times the score.", loss(pull)),
        ("sigma_squared", "Your target is sigma² times the score. The network learns sigma times the score, which is about 1 at every time.", loss(sigma**2 * pull)),
        ("weighted_twice", "Your loss is weighted by sigma², but the network's output already holds the factor sigma: that counts it twice.", (sigma**2 * square).mean()),
        ("weighted_twice", "You multiply the network's output by sigma. It is sigma times the score already.", (sigma * out - sigma * pull).square().mean()),
        ("weighted_twice", "You divide by sigma: small times would drown all others.", (square / sigma**2).mean()),
        ("weighted_by_time", "Your loss is weighted by the time t. The statement asks for equal weights.", (square * t).mean()),
        ("target_is_noise", "Your target is minus the noise. On a line that is the same; on a ring the noise may have gone around, and x does not tell how often. Take the score of the wrapped Gaussian at x - x0.", loss(-noise)),
        ("target_is_noise", "Your target is the noise, as in a network that predicts noise. Here it is sigma times the score.", loss(noise)),
        ("target_is_x0", "You regress on the clean state x0. That is a denoiser; the statement asks for the score.", loss(x0)),
        ("variance_for_width", "Your Gaussian has the variance sigma. sigma is its width: the variance is sigma².", loss(sigma * wrapped(x - x0, sigma.expand_as(x))[1])),
        ("half_missing", "The exponent of a Gaussian is the squared distance over twice the variance. You forgot the two.", loss(sigma * wrapped(x - x0, variance / 2)[1])),
        ("half_missing", "The exponent of a Gaussian is the squared distance over twice the variance. You forgot the two in the weights.", loss(sigma * wrapped(x - x0, variance / 2)[1] / 2)),
        ("data_width_added", "Your Gaussian has the variance sigma² + sigma_d². That belongs to all data together; here x0 is known, and only the noise is wide.", loss(sigma * wrapped(x - x0, variance + SIGMA_D**2)[1])),
        ("argument_reversed", "The Gaussian is evaluated at x0, not at x - x0.", loss(sigma * wrapped(x, variance)[1])),
    ]  # fmt: skip
    return reductions + kernels + targets


def judge_loss(judge: Judge, name: str, run: dict[str, Tensor]) -> None:
    rtol = max(float(run["rtol"]), 1e-9)
    seen = judge.tensor(f"{name}/loss", what="The loss")
    judge.require(
        seen.shape == (),
        "no_reduction",
        f"Your loss has shape {tuple(seen.shape)}. Average it over batch and atoms to one number, a tensor without axes.",
    )
    x, x0, t, sigma = (run[key] for key in ("x", "x0", "t", "sigma"))
    out = Nonsense(judge.challenge, "model")(x, t).double()
    variance = (sigma**2).expand_as(x)
    pull = wrapped(x - x0, variance)[1]  # grad log K
    error = out - sigma * pull
    square = error**2

    wrong = not judge.close(seen.reshape(()), square.mean(), rtol, 1e-12)
    judge.compare(
        seen.reshape(()),
        square.mean(),
        loss_mistakes(run, out, pull) if wrong else (),
        (
            "wrong_loss",
            "Given your x0, t and noise, the mean squared difference between the model's output and sigma grad log K(x | x0) is another number. Compare your last lines with the formula.",
        ),
        rtol,
        1e-12,
    )
    judge.require(
        judge.evidence.values.get(f"{name}/loss.requires_grad") is True,
        "detached",
        "No gradient flows from your loss to the model. Look for `detach`, `item` or `no_grad`.",
    )
    # d loss / d gain at gain = 1, where the model's output is gain times the nonsense. The terms cancel: they set the tolerance.
    terms, rtol = 2 * error * out, max(rtol, 1e-7)
    judge.compare(
        judge.tensor(f"{name}/grad", (), "The gradient of the model's parameter"),
        terms.mean(),
        otherwise=(
            "wrong_gradient",
            "The loss is right, but its gradient is not: a part of it is cut off from the model.",
        ),
        rtol=rtol,
        atol=rtol * float(terms.abs().mean()),
    )


# --- 2.4


@verdict("lab2.predictor_corrector")
def predictor_corrector(judge: Judge) -> None:
    with judge.part("predictor", points=2):
        judge_step(judge, "predictor", predictor_mistakes)
        judge.device("predictor_device")
    with judge.part("corrector", points=1):
        judge_step(judge, "corrector", corrector_mistakes)
        judge.device("corrector_device")


def predictor_mistakes(x, score, sigma, sigma_next, noise, **_) -> tuple[Tensor, list[tuple[str, str, Tensor]]]:
    g2 = sigma**2 - sigma_next**2
    g, gap = g2.sqrt(), sigma - sigma_next
    return x + g2 * score + g * noise, [
        ("wrong_sign", "You go against the score. It points to where the density is higher, and there you want to go.", x - g2 * score + g * noise),
        ("noise_not_rooted", "You multiply the noise by g². Its variance is g², so its width is g.", x + g2 * score + g2 * noise),
        ("score_rooted", "You multiply the score by g. The drift has the factor g².", x + g * score + g * noise),
        ("widths_subtracted", "You use (sigma - sigma_next)². Variances subtract, widths do not: g² = sigma² - sigma_next².", x + gap**2 * score + gap * noise),
        ("widths_subtracted", "You use sigma - sigma_next for g². Variances subtract, widths do not: g² = sigma² - sigma_next².", x + gap * score + gap.sqrt() * noise),
        ("half_drift", "Your drift is g² / 2. That belongs to the ODE, which adds no noise; with noise the whole g² is needed.", x + g2 / 2 * score + g * noise),
        ("no_noise", "Your step adds no noise.", x + g2 * score),
        ("no_noise", "Your step adds no noise.", x + g2 / 2 * score),
        ("no_drift", "Your step ignores the score.", x + g * noise),
        ("double_noise", "Your noise has the variance 2 g². That belongs to the corrector.", x + g2 * score + (2 * g2).sqrt() * noise),
        ("sigma_for_g", "You use sigma² for g². Only the difference to the next noise level is taken away in one step.", x + sigma**2 * score + sigma * noise),
        ("sigma_for_g", "You use sigma_next² for g².", x + sigma_next**2 * score + sigma_next * noise),
        ("score_normalised", "You divide the score by sigma. The score that comes in is the score itself.", x + g2 * score / sigma + g * noise),
        ("score_normalised", "You multiply the score by sigma. The score that comes in is the score itself.", x + g2 * score * sigma + g * noise),
        ("posterior_noise", "Your noise has the variance of the posterior, g² sigma_next² / sigma². The statement asks for g².", x + g2 * score + g * sigma_next / sigma * noise),
    ]  # fmt: skip


def corrector_mistakes(x, score, step, noise, **_) -> tuple[Tensor, list[tuple[str, str, Tensor]]]:
    return x + step * score + (2 * step).sqrt() * noise, [
        ("wrong_sign", "You go against the score. It points to where the density is higher, and there you want to go.", x - step * score + (2 * step).sqrt() * noise),
        ("two_missing", "Your noise has the variance `step`. For the density to stay as it is, noise and drift must balance: the variance is 2 · step.", x + step * score + step.sqrt() * noise),
        ("noise_not_rooted", "You multiply the noise by 2 · step, which is its variance. The width is the root.", x + step * score + 2 * step * noise),
        ("noise_not_rooted", "You multiply the noise by `step`. The variance is 2 · step, and the width its root.", x + step * score + step * noise),
        ("root_too_small", "The two stands outside of the root.", x + step * score + 2 * step.sqrt() * noise),
        ("half_step", "Your drift is step / 2 and your noise has the variance `step`: that is half the step that the statement asks for.", x + step / 2 * score + step.sqrt() * noise),
        ("half_step", "Your drift is step / 2. The statement has the whole step.", x + step / 2 * score + (2 * step).sqrt() * noise),
        ("double_step", "Your drift is 2 · step. The two belongs under the root of the noise.", x + 2 * step * score + (2 * step).sqrt() * noise),
        ("step_squared", "You square the step. It is a size already.", x + step**2 * score + math.sqrt(2) * step * noise),
        ("no_noise", "Your step adds no noise: it climbs to the top of the density and stays there.", x + step * score),
        ("no_drift", "Your step ignores the score.", x + (2 * step).sqrt() * noise),
    ]  # fmt: skip


def judge_step(judge: Judge, short: str, formula: Callable) -> None:
    judge.attempt(f"{short}_found")
    for name in STEP_RUNS:
        setting = step_setting(judge.challenge, name)
        # a float32 score of 10 times a step leaves 1e-6 of rounding
        rtol = 1e-5 if setting["x"].dtype == torch.float32 else 1e-9
        seen = judge.tensor(f"{short}_{name}/state", setting["x"].shape, "The new state", finite=False)
        judge.require(
            torch.isfinite(seen).all(),
            "not_finite",
            f"The new state of your {short} contains NaN or infinity. Is it the root of a negative number? sigma is larger than sigma_next.",
        )
        kept(judge, f"{short}_{name}/inputs_kept")
        setting = {key: value.double() for key, value in setting.items()}
        right, mistakes = formula(**setting)
        if name == "last":
            at_the_end = "The step to the least noise leaves its own noise out in yours. It is one like the others."
            mistakes[:0] = [
                ("no_noise_at_the_end", at_the_end, formula(**(setting | {"noise": 0 * setting["noise"]}))[0])
            ]
        if on_circle(seen - right).abs().max() <= rtol:
            judge.require(
                seen.min() >= 0 and seen.max() <= 1,
                "not_wrapped",
                f"After your {short} states run from {seen.min():.2f} to {seen.max():.2f}. They have to be put back into the cell [0, 1).",
            )
            continue
        again, first = (judge.tensor(f"{short}_{run}/state", what="The new state") for run in ("again", "main"))
        judge.require(
            judge.close(again, first),
            "fresh_noise",
            f"Called twice with the same noise, your {short} returns two different states. It must not draw noise of its own.",
        )
        judge.require(
            not judge.close(seen, right.clamp(0, 1), rtol),
            "walls",
            "Your atoms stop at the cell's edge. A ring has no edge: what leaves at 1 comes back at 0.",
        )
        for code, message, wrong in mistakes:
            judge.require(on_circle(seen - wrong).abs().max() > rtol, code, message)
        judge.fail(
            "wrong_step",
            f"Given this score and this noise, your {short} leads to another state than the formula. Set the score to zero first, then the noise: which of the two terms is wrong?",
        )


# --- 2.5


def wave_terms(field, x: Tensor, t: Tensor) -> dict[str, Tensor]:
    """The score of `Waves` and its derivatives, written down by hand: the field is a sum of sines."""
    m, a, w, p = (value.double() for value in (field.m, field.a, field.w, field.p))
    angle = 2 * math.pi * x @ m.T + t * w + p  # (b, wave)
    sine, cosine, tau = a * torch.sin(angle), a * torch.cos(angle), 2 * math.pi
    s = -tau * sine @ m
    jacobian = -(tau**2) * torch.einsum("bk,ki,kj->bij", cosine, m, m)
    return {
        "s": s,
        "s_dt": -tau * (w * cosine) @ m,
        "laplacian": tau**3 * (m.square().sum(1) * sine) @ m,
        "flow": 2 * (jacobian @ s[..., None])[..., 0],  # the gradient of |s|²
        "divergence": jacobian.diagonal(dim1=1, dim2=2).sum(1, keepdim=True),
        "mixed": tau**3 * (m.sum(1).square() * sine) @ m,  # the gradient of the sum over the whole Jacobian
    }


def sigma_terms(sigma, t: Tensor) -> tuple[Tensor, Tensor]:
    """sigma and its derivative of `StubSigma`."""
    angle = sigma.speed * t + sigma.phase
    return 0.2 + 0.1 * torch.sin(angle), 0.1 * sigma.speed * torch.cos(angle)


@verdict("lab2.fokker_planck")
def fokker_planck(judge: Judge) -> None:
    with judge.part("residual", points=3):
        for name, (_, _, _, kind) in RESIDUAL_RUNS.items():
            if kind == "potential":
                judge_residual(judge, name)
        judge_solution(judge)
        judge.device()


MARKED = "Your function changed x or t, or left `requires_grad` set on them. The caller still needs them as they were: work on `x.detach().requires_grad_()`."


def judge_residual(judge: Judge, name: str) -> None:
    x, t, field, sigma = residual_setting(judge.challenge, name)
    rtol = FLOAT32 if x.dtype == torch.float32 else 1e-7
    x, t = x.double(), t.double()
    judge.require(
        "second time" not in str(judge.evidence.errors.get(name, {}).get("message")),
        "graph_freed",
        "Training on your residual fails: a derivative that was taken without `create_graph=True` has thrown away a graph that the residual still needs. Give it to every `grad`.",
    )
    judge.require(
        name != "three" or name not in judge.evidence.errors,  # that of two coordinates was judged before
        "two_coordinates_only",
        "Your function works for two coordinates and fails for three. `x` may have any number of them: let nothing count to 2.",
    )
    seen = judge.tensor(f"{name}/residual", None, "The residual")
    judge.require(
        seen.numel() > 1 or x.numel() == 1,
        "no_reduction_wanted",
        "You return one number. The residual itself is asked for, one for each sample and coordinate: the loss will square and average it.",
    )
    judge.require(
        seen.shape == x.shape,
        "wrong_shape",
        f"The residual has shape {tuple(seen.shape)}, expected {tuple(x.shape)}: the equation of the *score* has one line for each coordinate.",
    )
    kept(judge, f"{name}/inputs_kept", MARKED)
    terms = wave_terms(field, x, t)
    s, s_dt, laplacian, flow, divergence, mixed = terms.values()
    width, width_dt = sigma_terms(sigma, t)
    half = width * width_dt  # half the growth of the variance
    right = s_dt - half * (laplacian + flow)
    mistakes = [
        ("two_missing", "The gradient of |s|² is twice the transposed Jacobian times s. The two is missing: on an exact score your residual would be thousands, not zero.", s_dt - half * (laplacian + flow / 2)),
        ("wrong_sign", "The two sides have to be subtracted: with your sign the residual of an exact score is twice its time derivative.", s_dt + half * (laplacian + flow)),
        ("wrong_sign", "The term of |s|² has the wrong sign.", s_dt - half * (laplacian - flow)),
        ("wrong_sign", "The term of the divergence has the wrong sign.", s_dt - half * (flow - laplacian)),
        ("time_derivative_summed", "Your time derivative is that of the sum of all coordinates, the same number for each. Every coordinate of the score has its own.", s_dt.sum(1, keepdim=True) - half * (laplacian + flow)),
        ("not_the_divergence", "You differentiate the sum of all coordinates and add up. The divergence has only the derivative of each coordinate in itself, the diagonal of the Jacobian.", s_dt - half * (mixed + flow)),
        ("time_derivative_missing", "The time derivative of the score is missing.", -half * (laplacian + flow)),
        ("only_time_derivative", "Only the time derivative is left of your residual.", s_dt + 0 * flow),
        ("divergence_missing", "The gradient of the divergence is missing.", s_dt - half * flow),
        ("square_missing", "The gradient of |s|² is missing. Without it the equation would be that of the density, not of the score.", s_dt - half * laplacian),
        ("variance_growth_doubled", "You multiply by the growth of the variance. The equation has half of it: sigma times its derivative.", s_dt - 2 * half * (laplacian + flow)),
        ("sigma_not_differentiated", "You multiply by sigma² / 2. It is the *growth* of sigma²: differentiate it in time.", s_dt - width**2 / 2 * (laplacian + flow)),
        ("sigma_not_differentiated", "You multiply by sigma². It is the *growth* of sigma² that counts: differentiate it in time.", s_dt - width**2 * (laplacian + flow)),
        ("sigma_missing", "You multiply by the derivative of sigma alone. The growth of sigma² is 2 sigma times that.", s_dt - width_dt * (laplacian + flow)),
        ("sigma_missing", "You multiply by half the derivative of sigma. The growth of sigma² is 2 sigma times that.", s_dt - width_dt / 2 * (laplacian + flow)),
        ("sigma_missing", "The factor of sigma is missing.", s_dt - (laplacian + flow)),
        ("sigma_missing", "The factor of sigma is missing.", s_dt - (laplacian + flow) / 2),
        ("sigma_exponential", "You take sigma' = sigma · log(sigma_max / sigma_min), which holds for the exponential schedule alone. Differentiate the function `sigma` that you are given.", s_dt - width**2 * math.log(200.0) * (laplacian + flow)),
        ("normalised_score", "Your residual is that of sigma times the score. That product obeys another equation: the score itself has to enter.", (width_dt * s + width * s_dt) - half * (width * laplacian + width**2 * flow)),
        ("density_equation", "Yours is the equation of log p. Its gradient, one line for each coordinate, is asked for.", s_dt - half * (divergence + s.square().sum(1, keepdim=True))),
        ("squared", "You return the square of the residual. Squaring is the loss's business.", right**2),
        ("absolute", "You return the absolute value of the residual.", right.abs()),
        ("sign_of_residual", "You return minus the residual. As a loss that is the same, but the statement has the time derivative first.", -right),
    ]  # fmt: skip
    judge.compare(
        seen,
        right,
        mistakes,
        (
            "wrong_residual",
            "For a field of sines, whose derivatives can be written down, your residual is another one. Check each term alone: the time derivative, the gradient of the divergence, the gradient of |s|².",
        ),
        rtol,
    )
    judge.require(
        judge.evidence.values.get(f"{name}/residual.requires_grad") is True,
        "detached",
        "No gradient flows from your residual to the network's parameters, so it cannot be trained on. Every `grad` whose result counts needs `create_graph=True`.",
    )
    # the derivative of the mean square in the field's gain, at gain = 1: |s|² has the gain squared
    terms, rtol = 2 * right * (right - half * flow), max(rtol, 1e-7)
    judge.compare(
        judge.tensor(f"{name}/grad", (), "The gradient of the network's parameter"),
        terms.mean(),
        otherwise=(
            "partly_detached",
            "The residual is right, but a part of it is cut off from the network's parameters. Every `grad` whose result counts needs `create_graph=True`.",
        ),
        rtol=rtol,
        atol=rtol * float(terms.abs().mean()),
    )


def judge_solution(judge: Judge) -> None:
    """On the score of a density that diffuses, the residual is zero: no matter how it is written."""
    x, t, field, _ = residual_setting(judge.challenge, "solution")
    seen = judge.tensor("solution/residual", x.shape, "The residual")
    with torch.no_grad():
        change = (field(x, t + 1e-5) - field(x, t - 1e-5)) / 2e-5
    judge.require(
        seen.abs().max() < 1e-8 * change.abs().max(),
        "solution_not_zero",
        f"For the score of a density that diffuses, the residual is zero; yours reaches {float(seen.abs().max()):.2g}. Time enters this score through sigma(t) too.",
    )
    kept(judge, "solution/inputs_kept", MARKED)


# --- 2.6


@verdict("lab2.consistency")
def consistency(judge: Judge) -> None:
    with judge.part("target", points=1):
        for name in TARGET_RUNS:
            x, y, start, end = target_setting(judge.challenge, name)
            rtol = FLOAT32 if x.dtype == torch.float32 else 1e-9
            seen = judge.tensor(f"{name}/target", x.shape, "The target", finite=False)
            judge.require(
                torch.isfinite(seen).all(),
                "not_finite",
                "Your target contains NaN or infinity. Is it the root of a negative number? sigma_start is larger than sigma_end.",
            )
            kept(judge, f"{name}/inputs_kept")
            x, y, start, end = (value.double() for value in (x, y, start, end))
            variance = (start**2 - end**2).expand_as(x)

            def pull(variance: Tensor, u: Tensor = x - y) -> Tensor:
                return wrapped(u, variance.expand_as(u))[1]

            judge.compare(
                seen,
                start * pull(variance),
                [
                    ("widths_subtracted", "The Gaussian from y to x has the variance sigma_start² - sigma_end². You use (sigma_start - sigma_end)²: variances subtract, widths do not.", start * pull((start - end) ** 2)),
                    ("variances_added", "You add the two variances. From the end of the walk to its start the noise grows by their difference.", start * pull(start**2 + end**2)),
                    ("wrong_width", "Your Gaussian has the width sigma_start. At y some noise is in already: subtract its variance.", start * pull(start**2)),
                    ("wrong_width", "Your Gaussian has the width sigma_end.", start * pull(end**2)),
                    ("wrong_scale", "You multiply by the width of the Gaussian. The network returns sigma_start times the score: multiply by sigma_start.", variance.sqrt() * pull(variance)),
                    ("wrong_scale", "You multiply by sigma_end. The target is for the network at the *start* of the walk.", end * pull(variance)),
                    ("scale_missing", "Your target is the score. The network returns sigma_start times the score.", pull(variance)),
                    ("wrong_sign", "Your target points from y to x. The score at x points back to y.", -start * pull(variance)),
                    ("half_missing", "The exponent of a Gaussian is the squared distance over twice the variance. You forgot the two.", start * pull(variance / 2)),
                    ("half_missing", "The exponent of a Gaussian is the squared distance over twice the variance. You forgot the two in the weights.", start * pull(variance / 2) / 2),
                    *((code, message, start * wrong) for code, message, wrong in kernel_mistakes(x - y, variance)),
                    ("averaged", "You return one number for the whole batch. One target for each sample and atom is asked for.", (start * pull(variance)).mean().expand_as(x)),
                ],
                (
                    "wrong_target",
                    "Your target is not sigma_start times the gradient in x of log K(x - y), with the variance sigma_start² - sigma_end².",
                ),
                rtol,
            )  # fmt: skip
        judge.device()
