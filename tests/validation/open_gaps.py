"""What the validation asks for and is not done yet. Tests fail for anything new, and for an entry that is closed."""

from __future__ import annotations

# Inputs that a lab passes and a probe does not, as `autograder validate --reach` names them.
REACH: set[str] = set()

# Exercises with fewer than ten right answers besides the model's: how many they have.
RIGHT_ANSWERS: dict[str, int] = {}
