"""Fixtures that are shared with the tests of whole classes."""

from tests.scale.conftest import lab4  # noqa: F401
