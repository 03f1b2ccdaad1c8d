"""The student's side of a probe: graded objects, found by name and called under fixed conditions."""

from __future__ import annotations

import contextlib
import inspect
import io
import random
import warnings
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch

from utils.checks.challenge import Challenge
from utils.checks.evidence import MissingName, WrongSignature
from utils.checks.settings import restore, settings


class Student:
    """A notebook's namespace. `student["CFGTrainer"]` is the object of that name, in whichever cell it is defined.

    Args:
        namespace: the notebook's objects by name.
    """

    def __init__(self, namespace: Mapping[str, object]):
        self.namespace = namespace

    def __contains__(self, name: str) -> bool:
        return name in self.namespace

    def __getitem__(self, name: str):
        if name not in self.namespace:
            raise MissingName(name)
        return self.namespace[name]

    def function(self, name: str, *parameters: str) -> Callable:
        """Return a graded function.

        Args:
            name: its name.
            *parameters: the arguments that it must accept by position.

        Returns:
            The function.

        Raises:
            MissingName: the notebook does not define it.
            WrongSignature: it is not callable, or not with these arguments.
        """
        thing = self[name]
        require_signature(thing, name, *parameters)
        return thing

    def method(self, class_name: str, method: str, *parameters: str) -> type:
        """Return a graded class after checking one of its methods.

        Args:
            class_name: the class's name.
            method: the method's name.
            *parameters: the arguments, besides self, that it must accept by position.

        Returns:
            The class.

        Raises:
            MissingName: the class or the method does not exist.
            WrongSignature: the method cannot be called with these arguments.
        """
        owner = self[class_name]
        function = getattr(owner, method, None)
        if function is None:
            raise MissingName(f"{class_name}.{method}")
        require_signature(function, f"{class_name}.{method}", "self", *parameters)
        return owner


def require_signature(thing: object, name: str, *parameters: str) -> None:
    """Raise unless an object can be called with these arguments by position.

    Args:
        thing: any object.
        name: how messages call it.
        *parameters: the names of the arguments.

    Raises:
        WrongSignature: it cannot.
    """
    if not callable(thing):
        raise WrongSignature(f"{name} is a {type(thing).__name__}, not something that can be called")
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return  # builtins say nothing about themselves: the call will tell
    try:
        signature.bind(*parameters)
    except TypeError as error:
        expected = ", ".join(parameters)
        raise WrongSignature(f"{name} is called as {name}({expected}), but {error}") from None


@contextlib.contextmanager
def pinned(challenge: Challenge) -> Iterator[None]:
    """Fix the seeds, the CPU and float32 as defaults, record gradients, and hide all output, in a `with` block.

    Args:
        challenge: gives the seed.

    Returns:
        A context manager. Afterwards, everything is as before.
    """
    numpy_state, python_state, before = np.random.get_state(), random.getstate(), settings()
    seed = challenge.seed("student's random numbers")
    with (
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
        torch.enable_grad(),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        if before["torch's default device"] != "cpu":  # to set it where it is set already would slow torch down
            torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
        torch.autograd.set_detect_anomaly(False)
        torch.default_generator.manual_seed(seed)  # of the CPU alone: all others would be slow
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            restore(before)
            np.random.set_state(numpy_state)
            random.setstate(python_state)
