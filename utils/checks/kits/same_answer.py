"""Requirements that an answer stays the same when it is computed again, or from inputs laid out otherwise in memory."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.judging import Judge

SAME = 1e-5  # relative: two results that are nearer are the same, in float32, too


def strided(tensor: Tensor) -> Tensor:
    """Return the same numbers, but not contiguous in memory.

    Args:
        tensor: At least one axis.

    Returns:
        A tensor of the same shape that is a view of every other row of a larger one.
    """
    return tensor.repeat_interleave(2, dim=0)[::2]


COPIES = 3  # of one sample in a batch whose samples are all alike


def alike(tensor: Tensor, row: int) -> Tensor:
    """Return one sample of a batch several times: a sampler calls functions with batches whose times are all equal.

    Args:
        tensor: A batch, (b, …).
        row: The place of the sample.

    Returns:
        (COPIES, …).
    """
    return tensor[[row]].repeat_interleave(COPIES, dim=0)


def require_alike(judge: Judge, name: str, whole: Tensor, row: int, function: str) -> None:
    """Fail if a sample gets another result in a batch of its copies than among other samples.

    So a decision shows that is taken for the whole batch, such as `if (t == 0).all()`. Ask it last.

    Args:
        judge: The judge of the exercise.
        name: The result for the batch of copies.
        whole: The results for the batch that the sample comes from, (b, …).
        row: Its place there.
        function: The name of the graded function.
    """
    value = judge.tensor(name, (COPIES, *whole.shape[1:]))
    judge.require(
        judge.close(value, whole[[row]].expand_as(value), SAME),
        "samples_mixed",
        f"In a batch whose samples are all alike, `{function}` gives them another result than the same sample gets "
        "among others. Each result may depend on its own row of the inputs only, not on the whole batch.",
    )


def require_given_noise(judge: Judge, first: Tensor, second: Tensor) -> None:
    """Fail if two calls with the same inputs, noise included, gave two different results.

    Args:
        judge: The judge of the exercise.
        first: The result of one call.
        second: The result of another call with the same inputs.
    """
    judge.require(
        torch.equal(first, second),
        "fresh_noise",
        "Two calls with the same noise gave two different results. Use the noise that you are given, and draw none.",
    )


def require_layout_ignored(judge: Judge, name: str) -> None:
    """Fail if `strided/value` differs from the value of the run whose inputs it repeats.

    Args:
        judge: The judge of the exercise.
        name: The run, such as `letters`.
    """
    judge.require(
        judge.close(judge.tensor("strided/value"), judge.tensor(f"{name}/value"), 1e-9),
        "memory_layout",
        "The same inputs gave a different result when they were not contiguous in memory, as after a transpose. "
        "Use indexing, broadcasting and reshape, which do not depend on the memory layout.",
    )


def require_own_rows(judge: Judge, first: Tensor, backwards: Tensor, function: str) -> None:
    """Fail if the samples of a batch get other results when they come in reverse order.

    So a value shows that is kept from an earlier call under the shape of its inputs. Ask it last: mistakes that have a
    finding of their own, such as the time of the first sample for all, show here too.

    Args:
        judge: The judge of the exercise.
        first: The results of a batch, (b, …).
        backwards: The results of the same samples in reverse order, (b, …).
        function: The name of the graded function.
    """
    judge.require(
        judge.close(backwards.flip(0), first),
        "samples_mixed",
        f"With the samples of a batch in reverse order, `{function}` gives them other results. Each result may depend "
        "on its own row of the inputs only: not on the first row, on the whole batch, or on an earlier call.",
    )
