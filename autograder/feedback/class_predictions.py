"""What a class predicted, beside what happened. It is part of the class report, and no part of any grade."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autograder.course.labs import Lab
from utils.predictions import predictions


def class_predictions(lab: Lab, choices: Sequence[dict[str, str]]) -> list[dict]:
    """Return the counts of each prediction that was made, in the order of the lab.

    Args:
        lab: The lab.
        choices: The choices of each student: the prediction's name and a letter.
    """
    rows = []
    for name, prediction in predictions(lab.short).items():
        counts = Counter(one[name] for one in choices if name in one)
        made = counts.total()
        if made:
            rows.append(
                {
                    "name": name,
                    "question": prediction.question,
                    "made": made,
                    "right": counts[prediction.answer] / made,
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
