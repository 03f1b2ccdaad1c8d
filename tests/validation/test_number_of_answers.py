"""Every exercise of the finished labs is tested on enough right and wrong answers."""

from __future__ import annotations

import pytest

from autograder.exercises.kits import mutants
from tests.syllabus import FINISHED
from utils.checks.exercise import load

# The end of an exercise's name: least right answers besides the model answer, least wrong ones. The first that fits.
MINIMUM = {"_loss": (10, 35), "": (10, 15)}


@pytest.mark.parametrize("lab", FINISHED)
def test_every_exercise_has_enough_answers(lab):
    few = []
    for name in (entry.name for entry in load(lab) if not entry.manual):
        right, wrong = next(least for end, least in MINIMUM.items() if name.endswith(end))
        mine = [mutant.right for mutant in mutants.load(lab) if mutant.exercise == name]
        if sum(mine) < right or len(mine) - sum(mine) < wrong:
            few.append(f"{name}: {sum(mine)} of {right} right ones, {len(mine) - sum(mine)} of {wrong} wrong ones")
    assert not few, "\n".join(few)
