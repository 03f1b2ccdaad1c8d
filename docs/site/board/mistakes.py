"""The board of mistakes: which wrong answers of the grader's own tests it shows, and its page.

The titles are what the grader says about these answers, found by grading them while the site is built. The pictures are
drawn by `draw.py` and kept in `pictures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from autograder.exercises.kits import mutants
from autograder.exercises.kits.mutants import Mutant
from autograder.validation.kill_matrix import namespace_of, solved_lab, verdicts
from utils.checks.exercise import find

PICTURES = Path(__file__).parent / "pictures"
REFERENCES = {False: "right_sampler", True: "right_loss"}


@dataclass(frozen=True)
class Mistake:
    """One entry of the board.

    Args:
        exercise: such as "lab4.cfg_train_loss".
        name: the name of the mutant.
        see: what the picture shows, and why.
    """

    exercise: str
    name: str
    see: str

    @property
    def key(self) -> str:
        """The name of the picture."""
        return f"{self.exercise.split('.')[1]}-{self.name}"

    @property
    def of_loss(self) -> bool:
        """Whether the mistake is made in training."""
        return self.exercise == "lab4.cfg_train_loss"

    @cached_property
    def mutant(self) -> Mutant:
        """The wrong answer, as the grader's own tests define it."""
        return next(m for m in mutants.load("lab4") if (m.exercise, m.name) == (self.exercise, self.name))

    def source(self) -> str:
        """Return the code of the wrong answer."""
        return self.mutant.answer(solved_lab("lab4").answers[self.exercise])

    def message(self) -> str:
        """Return what the grader says about the answer."""
        namespace = namespace_of(solved_lab("lab4"), self.mutant)
        (verdict,) = verdicts(find(self.exercise), namespace, challenges=1)
        return next(f.message for f in verdict.findings if f.code in self.mutant.finds)


@dataclass(frozen=True)
class Group:
    """Mistakes in one exercise.

    Args:
        title: the heading.
        text: how the pictures were made.
        right: what the picture of the right answer shows.
        mistakes: the entries.
    """

    title: str
    text: str
    right: str
    mistakes: tuple[Mistake, ...]

    @property
    def of_loss(self) -> bool:
        """Whether the mistakes are made in training."""
        return self.mistakes[0].of_loss


def group(title: str, text: str, right: str, exercise: str, **see: str) -> Group:
    """Make a group from what each mutant's picture shows."""
    return Group(title, text, right, tuple(Mistake(exercise, name, text) for name, text in see.items()))


GROUPS = (
    group(
        "Mistakes in the guided velocity",
        "The network is lab 4's checkpoint, which is right. The digits 0 to 9 are requested at $w = 3$.",
        "Ten clear digits, in order.",
        "lab4.cfg_drift",
        swapped="The digits are steered away from their labels: the four stands where the zero should be.",
        missing_one_minus_w="The weights add up to four, so that every step is too long: thin, hard strokes. "
        "It looks like a style, and is a mistake.",
        only_difference="What both velocities have in common is gone, and with it everything that removes noise.",
        only_conditional="Digits without guidance. Some are hard to read, and the scale w does nothing.",
        one_plus_w="Nearly right: these are the digits of w = 4. The picture does not tell; the formula does.",
        null_is_zero="Every digit is steered away from zero. Only the zero itself is not guided at all.",
    ),
    group(
        "Mistakes in a step",
        "The same network and the same digits, with a wrong step of Euler's method.",
        "The same ten digits.",
        "lab4.euler_heun",
        euler_without_h="Twenty steps, each twenty times too long. Clipped to black and white they still look like "
        "digits, so that a picture alone would pass.",
        euler_minus="Every step leads away from the data. What is left is noise that has grown with every step.",
        euler_h_is_t="Together the steps are about ten times too long. Clipped to black and white, the digits do not "
        "show it.",
        euler_increment="Only the last step is left, and that is a twentieth of a velocity: grey paper.",
    ),
    group(
        "Mistakes in the loss",
        "A small network is trained with the wrong loss, for 2,500 steps on three blobs in the plane. A hundred points "
        "are sampled for each label; crosses mark the middles of the blobs. Left $w = 1$, right $w = 3$.",
        "Each colour finds its own cross. At w = 3 the points lie beyond it, away from the other classes.",
        "lab4.cfg_train_loss",
        mask_inverted="At w = 1 all looks well. But the network has seen only one label in ten and knows their effect "
        "less precisely, so that the blobs lose their shape at w = 3.",
        never_drops="At w = 1 all looks well. The velocity without a label was never learned. At w = 3 it is "
        "subtracted twice, and two of the three blobs leave the picture.",
        null_is_zero="Blue is label 0, which now also means no label: some blue points go to other blobs. The null "
        "label that is used in sampling was never trained, so that all points go astray at w = 3.",
        labels_shuffled="A label says nothing about its sample. So the network ignores labels, guidance has nothing to "
        "exaggerate, and each colour is everywhere.",
        target_displacement="The velocity dies away before the points arrive: at w = 1 they stop halfway. Guidance "
        "pushes them on to the crosses, and hides the mistake at w = 3.",
        sign="The velocity leads away from the data: each colour ends on the far side of its cross, and at w = 3 "
        "nearly all points have left the picture.",
        time_reversed="The network was told the wrong time. The blobs end beside their crosses and lose their shape at "
        "w = 3, yet at w = 1 a quick look would pass them.",
        model_sees_z="The network has never seen a noisy point, so that its velocities there mean nothing. The noise "
        "stays noise.",
        fixed_noise="The network knows a single noise. From every other one it goes astray, and most points have left "
        "the picture.",
        square_of_sum="Errors of opposite sign cancel, so that the network learns rough averages: each colour finds "
        "its side of the plane, and none finds its blob.",
    ),
)


def all_mistakes() -> list[Mistake]:
    """Return the entries of all groups."""
    return [mistake for group in GROUPS for mistake in group.mistakes]
