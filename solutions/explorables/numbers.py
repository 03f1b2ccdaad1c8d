"""Python's numbers for the explorables, from the labs' own answers and from densities: in float64.

The browser computes the same from closed forms; tests compare the two. Stills are drawn from these.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from utils.atoms import CENTRES, IMAGES, SIGMA_D, SIGMA_MAX, SIGMA_MIN
from utils.diffusion import Schedule
from utils.mixture import Mixture
from utils.toy_problems import all_down, ferromagnet, up_spin_pmf
from utils.up_spins import tilted_pmf
from utils.vp import alpha, sigma

WORLDS = (ferromagnet, all_down)
CORNERS = torch.tensor([90.0, 210.0, 330.0], dtype=torch.float64) * math.pi / 180
PLANE = Mixture(1.6 * torch.stack([CORNERS.cos(), CORNERS.sin()], dim=1), torch.full((3,), 0.35, dtype=torch.float64))
CLASS = 2  # the lower right cloud
ALONG = PLANE.means[CLASS] / PLANE.means[CLASS].norm()
STEPS, FRAMES = 1000, 100
MASK = 2**32 - 1


@cache
def answers(lab: str) -> dict[str, Any]:
    """Return the names of a solved lab."""
    return SolvedLab(find_lab(lab)).namespace


def vector(*numbers: float) -> Tensor:
    """Return numbers as float64."""
    return torch.tensor(numbers, dtype=torch.float64)


class Random:
    """The explorables' random numbers: mulberry32, then Box and Muller.

    Args:
        seed: an integer.
    """

    def __init__(self, seed: int):
        self.state, self.spare = seed, None

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        self.state = (self.state + 0x6D2B79F5) & MASK
        z = (self.state ^ self.state >> 15) * (1 | self.state) & MASK
        z = ((z + ((z ^ z >> 7) * (61 | z) & MASK)) & MASK) ^ z
        return (z ^ z >> 14) / 2**32

    def normal(self) -> float:
        """Return a standard normal number."""
        if self.spare is not None:
            kept, self.spare = self.spare, None
            return kept
        radius, angle = math.sqrt(-2 * math.log(1 - self.uniform())), 2 * math.pi * self.uniform()
        self.spare = radius * math.sin(angle)
        return radius * math.cos(angle)

    def normals(self, *shape: int) -> Tensor:
        """Return standard normal numbers, float64."""
        return vector(*(self.normal() for _ in range(math.prod(shape)))).reshape(shape)


def two_gaussians(t: float, w: float, x: float) -> dict[str, float]:
    """Return the scores of the explorable at one point, by automatic differentiation of the log densities."""
    time, place = vector(t), vector(x).requires_grad_()
    std = (alpha(time) ** 2 * 0.25 + sigma(time) ** 2).sqrt()
    each = torch.distributions.Normal(torch.cat([alpha(time), -alpha(time)]), std).log_prob(place)
    log_all, log_class = (each + math.log(0.5)).logsumexp(0), each[0]
    score, class_score = (float(torch.autograd.grad(log, place, retain_graph=True)[0]) for log in (log_all, log_class))
    log_all, log_class = log_all.detach(), log_class.detach()
    return {
        "density": float(log_all.exp()),
        "of_class": float(log_class.exp()) / 2,
        "posterior": float((log_class + math.log(0.5) - log_all).exp()),
        "score": score,
        "class_score": class_score,
        "guided": score + w * (class_score - score),
    }


def up_spins(world: int, w: float) -> dict[str, Any]:
    """Return the distribution of the number of up spins in class 0, and the one tilted by w."""
    problem = WORLDS[world]()
    tilted = tilted_pmf(problem, 0, w)
    of_class, mean = up_spin_pmf(problem)[0].tolist(), float(tilted @ torch.arange(len(tilted)).double())
    return {"of_class": of_class, "tilted": tilted.tolist(), "none_up": float(tilted[0]), "mean": mean}


def ring_score(x: Tensor, level: float, images: tuple[int, ...] = IMAGES) -> Tensor:
    """Return lab 2's exact score of states (b, 2) at one noise level, with the given copies."""
    score = answers("lab2")["analytic_score"]
    names = score.__globals__
    kept, names["IMAGES"] = names["IMAGES"], images
    try:
        return score(x, torch.full((len(x), 1), level, dtype=x.dtype), SIGMA_D)
    finally:
        names["IMAGES"] = kept


def ring_density(x: Tensor, level: float) -> Tensor:
    """Return the density of two atoms on a ring, shape (b,)."""
    std = math.hypot(level, SIGMA_D)
    centres = torch.tensor([CENTRES, CENTRES[::-1]], dtype=x.dtype)
    offsets = (x[:, None] - centres)[..., None] + torch.tensor(IMAGES)
    wrapped = torch.distributions.Normal(0.0, std).log_prob(offsets).exp().sum(-1)  # (b, order, atom)
    return wrapped.prod(-1).mean(-1)


def ring_walk(start: Tensor, noise: Tensor) -> Tensor:
    """Return all states of one walk (63 + 1, 2) from its start (2,) and its noise (63, 2), by lab 2's own steps."""
    lab = answers("lab2")
    x, states, source = start[None], [start], iter(noise)
    levels = [vector(SIGMA_MIN * (SIGMA_MAX / SIGMA_MIN) ** (1 - i / 21)) for i in range(22)]
    for now, later in zip(levels, levels[1:]):
        x = lab["predictor_step"](x, ring_score(x, float(now)), now[None], later[None], next(source)[None])
        states.append(x[0])
        for _ in range(2):
            size = (0.12 * later[None]) ** 2 / 2
            x = lab["corrector_step"](x, ring_score(x, float(later)), size, next(source)[None])
            states.append(x[0])
    return torch.stack(states)


def schedule() -> Schedule:
    """Return lab 3's linear schedule in float64."""
    betas = torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64)
    return Schedule(betas, 1 - betas, (1 - betas).cumprod(0))


def cloud_times() -> list[int]:
    """Return the times of DDIM's steps; -1 is the data."""
    return [*torch.linspace(STEPS - 1, 0, FRAMES, dtype=torch.float64).round().int().tolist(), -1]


def guided_estimate(x: Tensor, t: Tensor, w: float) -> Tensor:
    """Return the guided noise estimate on the plane, by lab 3's own functions."""
    lab, plan = answers("lab3"), schedule()
    y = torch.full((len(x),), CLASS)
    gradient = lab["classifier_gradient"](lambda a, b: PLANE.logits(a, b, plan), x, t, y)
    return lab["guided_noise"](PLANE.noise(x, t, plan), gradient, t, w, plan)


def cloud_ode(x: Tensor, w: float) -> list[Tensor]:
    """Return the states of DDIM at `cloud_times`, from x of shape (b, 2)."""
    states, times = [x], cloud_times()
    for now, then in zip(times, times[1:]):
        t, before = torch.full((len(x),), now), torch.full((len(x),), then)
        states.append(
            answers("lab3")["ddim_step"](states[-1], t, before, guided_estimate(states[-1], t, w), schedule())
        )
    return states


def cloud_sde(x: Tensor, w: float, noise: Tensor) -> dict[int, Tensor]:
    """Return the states of DDPM at `cloud_times`, from x (b, 2) and the noise of all steps (1000, b, 2)."""
    kept, wanted = {}, set(cloud_times())
    for i, step in enumerate(reversed(range(STEPS))):
        if step in wanted:
            kept[step] = x
        t = torch.full((len(x),), step)
        x = answers("lab3")["ddpm_step"](x, t, guided_estimate(x, t, w), noise[i], schedule())
    return kept | {-1: x}


def tilted_density(t: int, w: float, n: int) -> tuple[Tensor, Tensor]:
    """Return n × n places (n², 2) of the plane and p_t(x) p_t(y | x)^w there, up to a factor."""
    side = -3.2 + 6.4 * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    places = torch.cartesian_prod(side, side)
    if t < 0:
        plan, t = Schedule(vector(0.0), vector(1.0), vector(1.0)), 0
    else:
        plan = schedule()
    logits = PLANE.logits(places, torch.full((len(places),), t), plan)
    log = logits.logsumexp(1) + w * logits.log_softmax(1)[:, CLASS]
    return places, (log - log.max()).exp()


def spread(places: Tensor, weights: Tensor | None = None) -> dict[str, float]:
    """Return mean and standard deviation along the direction of the class, of places (b, 2) with weights (b,)."""
    along = places @ ALONG
    weights = torch.ones_like(along) if weights is None else weights
    weights = weights / weights.sum()
    mean = weights @ along
    return {"mean": float(mean), "sd": float((weights @ (along - mean) ** 2).sqrt())}
