"""What a class predicted, beside what happened. It is part of the class report, and no part of any grade.

A prediction is an item like an exercise: its difficulty is the share of right choices, and its discrimination is the
correlation of a right choice with the points of the exercises (the point-biserial correlation).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autograder.course.labs import Lab
from autograder.feedback.item_analysis import discrimination
from utils.predictions import predictions


def class_predictions(
    lab: Lab, choices: Sequence[dict[str, str]], points: Sequence[float | None] | None = None
) -> list[dict]:
    """Return the counts of each prediction that was made, in the order of the lab.

    Args:
        lab: The lab.
        choices: The choices of each student: the prediction's name and a letter.
        points: The points of each student in the exercises, in the same order; None for a student without a grade.
    """
    rows = []
    points = [None] * len(choices) if points is None else points
    for name, prediction in predictions(lab.short).items():
        counts = Counter(one[name] for one in choices if name in one)
        made = counts.total()
        if made:
            graded = [(one[name], value) for one, value in zip(choices, points) if name in one and value is not None]
            right = [float(letter == prediction.answer) for letter, _ in graded]
            value, undefined = discrimination(right, [earned for _, earned in graded])
            rows.append(
                {
                    "name": name,
                    "question": prediction.question,
                    "made": made,
                    "right": counts[prediction.answer] / made,
                    "discrimination": value,
                    "undefined": undefined.replace("earned the same points here", "chose alike"),
                    "choices": [
                        {
                            "letter": letter,
                            "text": text,
                            "students": counts[letter],
                            "share": counts[letter] / made,
                            "happens": letter == prediction.answer,
                        }
                        for letter, text in prediction.choices.items()
                    ],
                }
            )
    return rows
