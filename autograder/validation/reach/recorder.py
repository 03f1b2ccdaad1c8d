"""Record every call of graded functions and methods."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, MutableMapping
from types import FunctionType

import torch
from torch import Tensor

from autograder.validation.reach.observe import Known, draws_of, observe
from autograder.validation.reach.record import ArgumentRecord, Records

CALLS = "(calls)"  # stands for the calls themselves, among the names of the arguments
Table = dict[str, Records]  # by graded function, such as `add_noise` or `CFGTrainer.get_train_loss`


class Recorder:
    """Put wrappers around graded functions and methods, which record their arguments.

    Attributes:
        table: what was recorded, by function.
    """

    def __init__(self) -> None:
        self.table: Table = {}
        self.by_object: dict[tuple[str, int], tuple[object, list[tuple]]] = {}
        self.restore: list[Callable[[], None]] = []

    def wrap(self, namespace: MutableMapping[str, object], names: tuple[str, ...]) -> None:
        """Put wrappers around the functions and the classes of these names, unless they have one already."""
        for name in names:
            thing = namespace.get(name)
            if isinstance(thing, type):
                self.wrap_class(name, thing)
            elif isinstance(thing, FunctionType) and not hasattr(thing, "records_calls"):
                namespace[name] = self.wrapped(name, thing, method=False)
                self.restore.append(functools.partial(namespace.__setitem__, name, thing))

    def wrap_class(self, name: str, owner: type) -> None:
        """Put wrappers around the methods that a class defines itself."""
        for method, function in list(vars(owner).items()):
            if isinstance(function, FunctionType) and not hasattr(function, "records_calls"):
                setattr(owner, method, self.wrapped(f"{name}.{method}", function, method=True))
                self.restore.append(functools.partial(setattr, owner, method, function))

    def unwrap(self) -> None:
        """Remove all wrappers."""
        while self.restore:
            self.restore.pop()()

    def wrapped(self, name: str, function: Callable, method: bool) -> Callable:
        """Return the function with a wrapper that records its arguments."""
        signature = inspect.signature(function)
        real = frozenset(p.name for p in signature.parameters.values() if p.annotation in (float, "float"))

        @functools.wraps(function)
        def wrapper(*inputs, **named):
            try:
                arguments = dict(signature.bind(*inputs, **named).arguments)
            except TypeError:
                return function(*inputs, **named)  # which raises the error that the caller expects
            owner = arguments.pop(next(iter(signature.parameters)), None) if method else None
            with torch.no_grad():
                self.record(name, arguments, owner, set(named), real)
            return function(*inputs, **named)

        wrapper.records_calls = True  # type: ignore[attr-defined]
        return wrapper

    def record(
        self, name: str, arguments: dict[str, object], owner: object, named: set[str], real: frozenset[str]
    ) -> None:
        """Record one call.

        Args:
            name: the function's name.
            arguments: what was passed, by name.
            owner: the object, for a method.
            named: the arguments that were passed by keyword.
            real: the arguments that are real numbers by their annotation.
        """
        records = self.table.setdefault(name, {})
        known = Known(arguments, owner, real)
        for argument, value in arguments.items():
            observe(records, argument, value, known)
            records[argument].note("passed", "by keyword" if argument in named else "by position")
            for method in draws_of(value):
                self.record_draws(records, f"{argument}.{method}()", value, method, known)
        calls = records.setdefault(CALLS, ArgumentRecord())
        if name.endswith(".__init__"):
            return
        _, shapes = self.by_object.setdefault((name, id(owner)), (owner, []))
        shapes.append(tuple(map(size_of, arguments.values())))
        del shapes[:-2]
        if len(shapes) > 1:
            calls.note("calls", "several on one object" if owner is not None else "several")
            if shapes[0] != shapes[1]:
                calls.note("shapes", "several on one object" if owner is not None else "several")

    def record_draws(self, records: Records, path: str, source: object, method: str, known: Known) -> None:
        """Record what an object returns from now on when a graded method asks it for data."""
        draw, own = getattr(source, method), vars(source).get(method)
        if hasattr(draw, "records_calls"):
            return

        def wrapper(*inputs, **named):
            result = draw(*inputs, **named)
            with torch.no_grad():
                observe(records, path, result, known)
            return result

        wrapper.records_calls = True  # type: ignore[attr-defined]
        setattr(source, method, wrapper)
        self.restore.append(lambda: delattr(source, method) if own is None else setattr(source, method, own))


def size_of(value: object) -> object:
    """Return the shape of a tensor, and a count such as a batch size as it is."""
    return value.shape if isinstance(value, Tensor) else value if isinstance(value, int) else None


@contextlib.contextmanager
def recording(namespace: MutableMapping[str, object], names: tuple[str, ...]) -> Iterator[Recorder]:
    """Record the calls of graded names in a namespace, for the duration of a `with` block."""
    recorder = Recorder()
    recorder.wrap(namespace, names)
    try:
        yield recorder
    finally:
        recorder.unwrap()
