"""What a graded function leaves behind: modes, gradients, flags, seeds and settings that its caller did not ask for."""

from __future__ import annotations

import contextlib
import hashlib
import random
import zlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.settings import restore, settings

# kind of change: code and message of the finding; {what} names the setting or the object
FINDINGS = {
    "mode": (
        "mode_left",
        "Your code switches {what}, or a part of it, between training and evaluation mode and leaves it so. "
        "The caller decides the mode of each part: do not change it, or restore it part by part.",
    ),
    "gradient": (
        "gradient_left",
        "Your code leaves a gradient behind in {what}. An optimiser would take it for its own. "
        "`torch.autograd.grad` returns a gradient without storing it anywhere.",
    ),
    "cleared": (
        "gradient_cleared",
        "Your code removes a gradient that was stored in {what}. The caller may be accumulating it: leave it there.",
    ),
    "flag": (
        "requires_grad_left",
        "Your code changes `requires_grad` of {what}, which belongs to the caller. Work on `.detach()` of it, "
        "or restore the flag.",
    ),
    "value": ("parameter_changed", "Your code changes the numbers of {what}. Only the optimiser may do that."),
    "seed": (
        "seed_left",
        "Your code seeds {what} for the whole program, so what is drawn later no longer follows the caller's seed. "
        "Remove the seed.",
    ),
    "setting": (
        "setting_left",
        "Your code changes {what} for the whole program and does not restore it.",
    ),
}


def flags_of(name: str, watched: Tensor | nn.Module) -> dict[tuple[str, str], object]:
    """Return what must stay as it is of one object of the caller.

    Args:
        name: How messages call the object.
        watched: A tensor, or a module with all its parts.

    Returns:
        Values by (kind of change, name of the part).
    """
    if isinstance(watched, Tensor):
        return {("flag", name): watched.requires_grad, ("gradient", name): numbers(watched.grad)}
    found: dict[tuple[str, str], object] = {("mode", name): tuple(module.training for module in watched.modules())}
    parameters = dict(watched.named_parameters())
    found["flag", f"parameters of {name}"] = {key: p.requires_grad for key, p in parameters.items()}
    found["gradient", f"parameters of {name}"] = {key: numbers(p.grad) for key, p in parameters.items()}
    found["value", f"parameters of {name}"] = {key: numbers(p) for key, p in parameters.items()}
    return found


def numbers(tensor: Tensor | None) -> object:
    """Return something that is equal for equal tensors; None for None, and the shape on the device meta."""
    if tensor is None or tensor.device.type == "meta":
        return None if tensor is None else tuple(tensor.shape)
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def is_empty(gradients: object) -> bool:
    """Return whether there is no gradient among those of a tensor or of the parameters of a module."""
    values = gradients.values() if isinstance(gradients, dict) else [gradients]
    return all(value is None or (isinstance(value, bytes) and not any(value)) for value in values)


@contextlib.contextmanager
def collected_gradients(watched: Iterable[Tensor | nn.Module]) -> Iterator[None]:
    """Store a gradient in what has none, as a caller does who accumulates them, and remove it at the end.

    A function that clears gradients changes something only where there are some.

    Args:
        watched: Modules, whose parameters are meant, and tensors.

    Returns:
        A context manager.
    """
    tensors = [t for thing in watched for t in (thing.parameters() if isinstance(thing, nn.Module) else [thing])]
    without = [tensor for tensor in tensors if tensor.requires_grad and tensor.is_leaf and tensor.grad is None]
    for tensor in without:
        tensor.grad = torch.ones_like(tensor)
    try:
        yield
    finally:
        for tensor in without:
            tensor.grad = None


def start_streams(run: str) -> None:
    """Give the global generators of NumPy and Python a new start that differs from run to run.

    A stream that is at the same place after two runs, although it started at two places, was seeded in between.

    Args:
        run: The name of the run.
    """
    start = np.random.randint(2**31) ^ zlib.crc32(run.encode())
    np.random.seed(start)
    random.seed(start)


def streams() -> dict[str, object]:
    """Return the state of NumPy's and of Python's global generator, without the position in it."""
    return {"numpy": np.random.get_state()[1].tobytes(), "random": random.getstate()[1][:-1]}  # type: ignore[index]


def fingerprint(state: object) -> str:
    """Return a short text that differs for different states of a generator."""
    return hashlib.sha256(repr(state).encode()).hexdigest()[:16]


@contextlib.contextmanager
def watching(evidence: Evidence, run: str, **watched: Tensor | nn.Module) -> Iterator[None]:
    """Record what the student's code in a `with` block leaves changed.

    `run/left_behind` lists what changed, and is empty if nothing did. Global settings and seeds are always compared.
    Settings are restored; changed objects stay changed. While the block runs, parameters and tensors that require a
    gradient have one (`collected_gradients`), so that a function that clears gradients shows.

    Args:
        evidence: Takes the record.
        run: The name of the run. Each run of a probe has another name.
        **watched: Objects that belong to the caller, by the names that messages give them: `model=model`.

    Returns:
        A context manager.

    Example:
        >>> evidence, model = Evidence("lab4.cfg_drift"), nn.Linear(1, 1)
        >>> with watching(evidence, "run", model=model):
        ...     _ = model.eval()
        >>> evidence.values["run/left_behind.0"]
        'mode: model'
    """
    start_streams(run)
    with collected_gradients(watched.values()):
        flags = flags_of_all(watched)
        before, seed, started = settings(), torch.initial_seed(), streams()
        try:
            yield
        finally:
            after, ended = settings(), streams()
            restore(before)
            left = [f"setting: {name}" for name in before if before[name] != after[name]]
            left += ["seed: torch"] * (torch.initial_seed() != seed)
            left += [
                f"{'cleared' if kind == 'gradient' and is_empty(value) else kind}: {name}"
                for (kind, name), value in flags_of_all(watched).items()
                if value != flags[kind, name]
            ]
            evidence.put(f"{run}/left_behind", left)
            # Only a stream that was drawn from, or seeded, has moved.
            moved = {key: fingerprint(ended[key]) for key in started if ended[key] != started[key]}
            evidence.put(f"{run}/streams", moved)


def flags_of_all(watched: Mapping[str, Tensor | nn.Module]) -> dict[tuple[str, str], object]:
    """Return `flags_of` for all objects together."""
    return {key: value for name, thing in watched.items() for key, value in flags_of(name, thing).items()}


def require_nothing_left(judge: Judge, runs: Iterable[str]) -> None:
    """Fail if a run left settings, seeds, modes, gradients or flags changed.

    Args:
        judge: The judge of the exercise.
        runs: The names of the runs that `watching` recorded.
    """
    ends: dict[tuple[str, object], str] = {}
    for run in runs:
        for index in range(judge.value(f"{run}/left_behind.length", int)):
            kind, _, what = judge.value(f"{run}/left_behind.{index}", str).partition(": ")
            code, message = FINDINGS.get(kind, FINDINGS["setting"])
            judge.fail(code, message.format(what=what))
        for stream in ("numpy", "random"):
            end = judge.evidence.values.get(f"{run}/streams.{stream}")
            if end is not None and (stream, end) in ends:
                code, message = FINDINGS["seed"]
                judge.fail(code, message.format(what=stream))
            ends[stream, end] = run
