"""A stand-in for `google.colab`, so that notebooks made in Colab run: it accepts every call and does nothing.

Without it, `from google.colab import files` at the top of an answer would cost the whole answer.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Iterator


class StandIn(types.ModuleType):
    """A package, function, object and empty collection in one. Attributes and calls give the same object again."""

    def __init__(self, name: str):
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> StandIn:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: object, **__: object) -> StandIn:
        """Accept any call."""
        return self

    def __getitem__(self, _: object) -> StandIn:
        return self

    def __iter__(self) -> Iterator[object]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class ColabFinder:
    """Makes `google.colab` and its submodules importable; and `google`, where nothing else provides it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a stand-in, or None for every other module."""
        if name == "google" or f"{name}.".startswith("google.colab."):
            return importlib.util.spec_from_loader(name, self, is_package=True)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return the stand-in; `google` itself is an empty package."""
        return types.ModuleType(spec.name) if spec.name == "google" else StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: a stand-in has no code."""


def offer_colab() -> None:
    """Let the cells of this process import `google.colab`. A real one comes first."""
    sys.meta_path.append(ColabFinder())
