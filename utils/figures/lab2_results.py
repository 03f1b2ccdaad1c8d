"""The measurements and tables of lab 2 that use the student's own functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from utils.atoms import SIGMA_D, SIGMA_MIN, NoiseSchedule, TwoAtoms, generate, states_on_a_grid, uniform_states
from utils.board import print_board
from utils.experiments import Experiment
from utils.experiments.measurements import error_by_time, noised_states, total_variation
from utils.runtime import seed_everything
from utils.uncertainty import with_error

Function = Callable[..., Tensor]  # one of the student's answers


class ExactNetwork(nn.Module):
    """A network that knows the answer: sigma times the exact score. Like any network it has a parameter, unused.

    Args:
        schedule: the size of the noise.
        analytic_score: the answer to 2.1.
    """

    def __init__(self, schedule: NoiseSchedule, analytic_score: Function):
        super().__init__()
        self.schedule, self.analytic_score = schedule, analytic_score
        self.unused = nn.Parameter(torch.zeros(1))  # a loss may ask the first parameter for the device

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return sigma times the score.

        Args:
            x: states, shape (b, 2).
            t: times, shape (b, 1).

        Returns:
            The products, shape (b, 2).
        """
        sigma = self.schedule.sigma(t)
        return sigma * self.analytic_score(x, sigma, SIGMA_D)


@torch.no_grad()
def loss_of_exact_score(trainer: type, schedule: NoiseSchedule, analytic_score: Function, batch: int) -> float:
    """Return the loss of the exact score, which no symmetric network can beat.

    Args:
        trainer: the answer to 2.3, a class.
        schedule: the answer to 2.2.
        analytic_score: the answer to 2.1.
        batch: how many states.

    Returns:
        The loss.
    """
    return float(trainer(schedule, ExactNetwork(schedule, analytic_score), TwoAtoms()).get_train_loss(batch))


def print_residual(residual: Function, analytic_score: Function, schedule: NoiseSchedule) -> None:
    """Print the Fokker-Planck residual of the exact score beside its time derivative, in float64.

    Args:
        residual: the answer to 2.5.
        analytic_score: the answer to 2.1.
        schedule: the answer to 2.2.
    """
    x = states_on_a_grid(40, dtype=torch.float64)

    def score(x: Tensor, t: Tensor) -> Tensor:
        return analytic_score(x, schedule.sigma(t), SIGMA_D)

    lines = ["   t    largest time derivative    largest residual    ratio"]
    for time in (0.1, 0.3, 0.5, 0.7, 0.9):
        t = torch.full((len(x), 1), time, dtype=torch.float64)
        left = residual(score, x, t, schedule.sigma).detach().abs().max()
        change = ((score(x, t + 1e-5) - score(x, t - 1e-5)) / 2e-5).abs().max()
        lines.append(f"  {time:.1f}    {change:23.1f}    {left:16.1e}    {left / change:.0e}")
    print("\n".join(lines))


@torch.no_grad()
def print_targets(
    model: nn.Module,
    schedule: NoiseSchedule,
    predictor_step: Function,
    consistency_target: Function,
    analytic_score: Function,
    walks: int,
) -> None:
    """Print the mean target of consistency after walks of 1, 5 and 20 steps, at a place where the network is wrong.

    Args:
        model: a trained network.
        schedule: the answer to 2.2.
        predictor_step: the answer to 2.4.
        consistency_target: the answer to 2.6.
        analytic_score: the answer to 2.1.
        walks: how many walks are averaged.
    """
    seed_everything(0)
    device = next(model.parameters()).device
    x, t = torch.tensor([[0.1, 0.45]], device=device).repeat(walks, 1), torch.full((walks, 1), 0.95, device=device)
    exact = schedule.sigma(t[:1]) * analytic_score(x[:1], schedule.sigma(t[:1]), SIGMA_D)
    lines = ["sigma · score of the first atom at x = (0.1, 0.45), t = 0.95", "  steps    mean target"]
    for steps in (1, 5, 20):
        y, later = x, t
        for i in range(steps):
            now, later = schedule.sigma(t - i / 100), schedule.sigma(t - (i + 1) / 100)
            y = predictor_step(y, model(y, t - i / 100) / now, now, later, torch.randn_like(y))
        target = consistency_target(x, y, schedule.sigma(t), later)[:, 0]
        lines.append(f"  {steps:>5}    {with_error(float(target.mean()), float(target.std()) / math.sqrt(walks))}")
    print("\n".join(lines))
    print(f"the network says {float(model(x[:1], t[:1])[0, 0]):.3f}, the exact value is {float(exact[0, 0]):.3f}")


def distances_to_forward(
    make_schedule: Callable[[float, float], NoiseSchedule],
    analytic_score: Function,
    predictor_step: Function,
    corrector_step: Function,
    states: int,
    steps: int,
) -> tuple[dict[float, Sequence[float]], list[float]]:
    """Count how far walks with the exact score are from the forward process, at six times.

    Args:
        make_schedule: the answer to 2.2, a class.
        analytic_score: the answer to 2.1.
        predictor_step: the answer to 2.4.
        corrector_step: the other answer to 2.4.
        states: the number of walks.
        steps: the number of steps, a multiple of 5.

    Returns:
        The total variation at six times for each sigma_max, and what chance alone does (at the largest sigma_max).
    """
    seed_everything(0)
    curves: dict[float, Sequence[float]] = {}
    chance: list[float] = []
    for sigma_max in (0.2, 0.3, 0.5):
        schedule = make_schedule(SIGMA_MIN, sigma_max)
        score = lambda x, t, s=schedule: analytic_score(x, s.sigma(t), SIGMA_D)  # noqa: E731
        options = dict(correctors=1, every=steps // 5)
        _, walk = generate(score, schedule, predictor_step, corrector_step, uniform_states(states), steps, **options)
        one, other = ([noised_states(schedule, 1 - i / 5, states, SIGMA_D, "cpu") for i in range(6)] for _ in range(2))
        curves[sigma_max] = [total_variation(a, b) for a, b in zip(walk, one)]
        chance = [total_variation(a, b) for a, b in zip(one, other)]
    return curves, chance


def print_price(mine: Experiment, plain: Experiment, pace: Experiment, grid: int = 50) -> None:
    """Print error and cost of an experiment beside the plain one, and the line to share: lab 2's open exercise.

    Args:
        mine: the reader's experiment.
        plain: the experiment without a regulariser.
        pace: a short training like plain's, made at the same time as `mine`. Plain itself was trained earlier, when the
            machine may have been faster or slower, so its cost is its number of steps at this pace.
        grid: the side of the grid on which errors are measured.
    """
    errors = {}
    seconds = {"yours": mine.seconds, "plain": len(plain.history) * pace.milliseconds_a_step / 1000}
    for name, one in (("yours", mine), ("plain", plain)):
        rows = error_by_time(one, grid=grid)["uniform"]
        errors[name] = float(rows.square().mean().sqrt())
        print(f"{name}: error anywhere, over all times {errors[name]:.2f}; training takes {seconds[name]:.1f} s")
    price = seconds["yours"] / max(seconds["plain"], 1e-9)
    if errors["yours"] > errors["plain"]:
        print("\nYour error is larger than the plain one, so this price does not count yet.")
        return
    print_board({"plain": 1.0, f"yours, {mine.title}": price}, "training time at equal error", False)
    settings = f"{mine.name}, weight {mine.config.weight:g}, {mine.config.steps} steps, batch {mine.config.batch}"
    print(f"\nshare this line:  {price:.2f} ({settings}; error {errors['yours']:.2f}, plain {errors['plain']:.2f})")
