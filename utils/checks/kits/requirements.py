"""Requirements that many exercises share. The public check and the hidden verdict run the same functions."""

from __future__ import annotations

from utils.checks.judging import Judge


def require_unchanged(judge: Judge, name: str) -> None:
    """Fail if the probe saw that the student's code changed one of its inputs.

    Args:
        judge: The judge of the exercise.
        name: The boolean evidence, such as `main/inputs_kept`.
    """
    judge.require(
        judge.value(name, bool),
        "input_altered",
        "Your code changed one of its inputs in place. The caller still needs it: build a new tensor.",
    )


def require_gradient(judge: Judge, name: str) -> None:
    """Fail if the loss of this name is cut off from the model.

    Args:
        judge: The judge of the exercise.
        name: The loss, such as `call0/loss`.
    """
    gradient = judge.evidence.kinds.get(f"{name.rpartition('/')[0]}/grad")  # None if no path leads to the parameter
    judge.require(
        judge.evidence.values.get(f"{name}.requires_grad") and gradient != "NoneType",
        "detached",
        "No gradient flows from your loss to the model: nothing would be learned.",
    )
