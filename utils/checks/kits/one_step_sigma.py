"""Name the confusion that lab 3 warns of: the noise of one step in the place of all the noise."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits.step_functions import Inputs, StepFunction
from utils.diffusion import gather_per_sample


def explain_sigma(
    judge: Judge, function: StepFunction, result: Callable[[Inputs, Tensor], Tensor]
) -> Callable[[str, Tensor, Callable[[Tensor], bool]], None]:
    """Return an `explain` of `judge_function` that fails where a result has the sigma of one step.

    Args:
        judge: The judge of the exercise.
        function: The graded function.
        result: Returns what the function would return with another sigma, in float64.
    """

    def explain(run: str, actual: Tensor, same: Callable[[Tensor], bool]) -> None:
        inputs = function.inputs(judge.challenge, run)
        sigma = gather_per_sample(inputs.schedule.betas.double(), inputs.t, actual).sqrt()
        if same(result(inputs, sigma)):
            judge.fail(
                "sigma_of_one_step",
                f"`{function.name}` takes the sigma of one step, sqrt(beta_t). "
                "Which of the three sigmas is that of all the noise in x_t?",
            )

    return explain
