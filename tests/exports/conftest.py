"""What is exported is the graded course of the gradebook's tests."""

from tests.gradebook.conftest import course, postgres, quick_gradebook  # noqa: F401
