"""A model in training mode with a part in evaluation mode, or the other way round: a mode that is changed shows."""

from __future__ import annotations

from torch import nn


def add_parts(model: nn.Module) -> None:
    """Give a model two parts that compute nothing, `parts`, whose modes `mix_modes` sets.

    Args:
        model: A stub.
    """
    model.parts = nn.ModuleList([nn.Identity(), nn.Identity()])


def mix_modes(model: nn.Module, call: int) -> None:
    """Set the modes before a call: training in even calls, evaluation in odd ones, and the first part the opposite.

    Args:
        model: A stub with parts.
        call: The number of the call.
    """
    model.train(call % 2 == 0)
    first = next(iter(model.get_submodule("parts").children()))
    first.train(call % 2 == 1)
