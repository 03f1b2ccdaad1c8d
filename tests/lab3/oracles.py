"""Lab 3's truths by other ways than the lab's: one noising step after the other, Gaussian conditioning, derivatives by machine."""

from __future__ import annotations

import torch
from scipy.integrate import quad, solve_ivp
from torch import Tensor

from utils.checks import lab3
from utils.checks.challenge import Challenge
from utils.checks.stubs import StubClassifier
from utils.diffusion import Schedule


def chain(schedule: Schedule) -> tuple[Tensor, Tensor]:
    """What is left of the data after each step and the variance of its noise, (T + 1,): index 0 is the data itself."""
    shares, variances = [1.0], [0.0]
    for beta in schedule.betas.tolist():
        shares.append((1 - beta) ** 0.5 * shares[-1])
        variances.append((1 - beta) * variances[-1] + beta)
    return torch.tensor(shares, dtype=torch.float64), torch.tensor(variances, dtype=torch.float64)


def spread(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(len(values), *[1] * (x.dim() - 1))


def noised(x0: Tensor, t: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
    shares, variances = chain(schedule)
    return spread(shares[t + 1], x0) * x0 + spread(variances[t + 1].sqrt(), x0) * noise


def sigmas(t: Tensor, schedule: Schedule) -> dict[str, Tensor]:
    """The posterior by conditioning one Gaussian on another: Var(a | b) = Var a - Cov(a, b)² / Var b."""
    _, variances = chain(schedule)
    before, after = variances[t], variances[t + 1]
    covariance = (1 - schedule.betas[t]).sqrt() * before
    return {
        "step": schedule.betas[t].sqrt(),
        "total": after.sqrt(),
        "posterior": (before - covariance**2 / after).clamp(min=0).sqrt(),
    }


def score(noise: Tensor, t: Tensor, schedule: Schedule) -> Tensor:
    """The gradient of log N(x; 0, v) at x = sqrt(v) noise, by automatic differentiation: data at 0."""
    variance = spread(chain(schedule)[1][t + 1], noise)
    x = (variance.sqrt() * noise).requires_grad_()
    return torch.autograd.grad(torch.distributions.Normal(0.0, variance.sqrt()).log_prob(x).sum(), x)[0]


def noise_of(wanted: Tensor, t: Tensor, schedule: Schedule) -> Tensor:
    """The noise whose score is `wanted`; the score is proportional to the noise."""
    return wanted / score(torch.ones_like(wanted), t, schedule)


def gradient(classifier: StubClassifier, x: Tensor, t: Tensor, y: Tensor, h: float = 1e-5) -> Tensor:
    """Central differences of log p(y | x), one coordinate at a time."""
    flat = x.flatten(1)
    columns = []
    for i in range(flat.shape[1]):
        ends = []
        for side in (h, -h):
            moved = flat.clone()
            moved[:, i] += side
            logits = classifier.compute(moved.reshape(x.shape), t).detach()
            ends.append((logits - logits.logsumexp(1, keepdim=True))[torch.arange(len(y)), y])
        columns.append((ends[0] - ends[1]) / (2 * h))
    return torch.stack(columns, dim=1).reshape(x.shape)


def guided(noise: Tensor, g: Tensor, t: Tensor, w: float, schedule: Schedule) -> Tensor:
    return noise_of(score(noise, t, schedule) + w * g, t, schedule)


def ddpm(x: Tensor, t: Tensor, noise_estimate: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
    """The mean of x one step before, given x and the data that the estimate implies, by Gaussian conditioning."""
    shares, variances = chain(schedule)
    share, before_share = spread(shares[t + 1], x), spread(shares[t], x)
    after, before = spread(variances[t + 1], x), spread(variances[t], x)
    x0 = (x - after.sqrt() * noise_estimate) / share
    root = spread((1 - schedule.betas[t]).sqrt(), x)
    mean = before_share * x0 + root * before / after * (x - share * x0)
    return mean + spread(schedule.betas[t].sqrt() * (t > 0), x) * noise


def ddim(x: Tensor, t: Tensor, t_prev: Tensor, noise_estimate: Tensor, schedule: Schedule) -> Tensor:
    """The data and the noise behind x, mixed again for t_prev; index -1 + 1 is the data itself."""
    shares, variances = chain(schedule)
    x0 = (x - spread(variances[t + 1].sqrt(), x) * noise_estimate) / spread(shares[t + 1], x)
    return spread(shares[t_prev + 1], x) * x0 + spread(variances[t_prev + 1].sqrt(), x) * noise_estimate


def variances(S: float, s: float, w: float) -> dict[str, float]:
    """Tilt by quadrature of p^(1-w) p(.|y)^w; ode and sde by solving their equations from far out."""
    import math

    def density(x: float) -> float:
        return math.exp(-(x**2) * ((1 - w) / S + w / s) / 2)

    edge = 12 * s**0.5
    tilt = quad(lambda x: x**2 * density(x), -edge, edge)[0] / quad(density, -edge, edge)[0]
    far = 1e6 * S

    def slope(kind):
        def of(log_tau, log_U):
            # in the logarithms of tau and of U the equations are tame
            tau, U = math.exp(log_tau), math.exp(log_U[0])
            rate = (1 - w) / (S + tau) + w / (s + tau)
            return [tau * rate] if kind == "ode" else [tau * (2 * rate - 1 / U)]

        return of

    out = {"tilt": tilt}
    for kind in ("ode", "sde"):
        ends = (math.log(far), math.log(1e-7 * s))
        solved = solve_ivp(slope(kind), ends, [math.log(far)], rtol=1e-10, atol=1e-12, method="LSODA")
        out[kind] = math.exp(solved.y[0, -1])
    return out


# --- the numbers that the public checks compare with


def public_numbers() -> dict[str, dict[str, float]]:
    numbers: dict[str, dict[str, float]] = {}

    def put(table: str, exercise: str, name: str, value: Tensor) -> None:
        numbers.setdefault(table, {})[name] = lab3.along(Challenge.public(exercise), name, value)

    def doubled(inputs: dict) -> dict:
        return {k: v.double() if isinstance(v, Tensor) and v.is_floating_point() else v for k, v in inputs.items()}

    for name in lab3.RUNS:
        this = Challenge.public("lab3.schedule")
        given = doubled(lab3.tensors(this, name, "x0", "noise"))
        x = noised(given["x0"], given["t"], given["noise"], lab3.made_up_schedule(this))
        put("PUBLIC_NOISED", "lab3.schedule", f"{name}_noised", x)
        this = Challenge.public("lab3.score_and_noise")
        given = doubled(lab3.tensors(this, name, "noise_estimate"))
        result = score(given["noise_estimate"], given["t"], lab3.made_up_schedule(this))
        put("PUBLIC_SCORES", "lab3.score_and_noise", f"{name}_score", result)
        given = doubled(lab3.tensors(this, name, "score"))
        result = noise_of(given["score"], given["t"], lab3.made_up_schedule(this))
        put("PUBLIC_NOISES", "lab3.score_and_noise", f"{name}_noise", result)
        this = Challenge.public("lab3.guided_ddpm_step")
        given = doubled(lab3.guided_setting(this, name))
        result = guided(given["noise_estimate"], given["gradient"], given["t"], given["w"], lab3.made_up_schedule(this))
        put("PUBLIC_GUIDED", "lab3.guided_ddpm_step", f"{name}_guided", result)
        given = doubled(lab3.ddpm_setting(this, name)) | {"schedule": lab3.made_up_schedule(this)}
        put("PUBLIC_STEPS", "lab3.guided_ddpm_step", f"{name}_step", ddpm(**given))
        this = Challenge.public("lab3.ddim_step")
        given = doubled(lab3.ddim_setting(this, name)) | {"schedule": lab3.made_up_schedule(this)}
        put("PUBLIC_DDIM", "lab3.ddim_step", name, ddim(**given))
    this = Challenge.public("lab3.schedule")
    values = sigmas(lab3.draw_t(this, "points", lab3.RUNS["points"][0][0]), lab3.made_up_schedule(this))
    numbers["PUBLIC_SIGMAS"] = {label: lab3.along(this, f"{label} sigma", value) for label, value in values.items()}
    for name, (_, _, amplitude, _) in lab3.GRADIENT_RUNS.items():
        this = Challenge.public("lab3.classifier_gradient")
        _, x, t, y = lab3.gradient_setting(this, name)
        stub = StubClassifier(this, lab3.GRADIENT_CLASSES, torch.float64, mixed=True, amplitude=amplitude)
        put("PUBLIC_GRADIENTS", "lab3.classifier_gradient", name, gradient(stub, x.double(), t, y))
    return numbers


if __name__ == "__main__":
    for table, values in public_numbers().items():
        rows = "".join(f'    "{name}": {value:.7f},\n' for name, value in values.items())
        print(f"{table}: dict[str, float] = {{\n{rows}}}")
