"""Lab 1: its exercises, in the order of the notebook."""

from __future__ import annotations

from utils.checks.exercise import Exercise

EXERCISES = [
    "sample_ensemble",
    "add_noise",
    "class_posterior",
    "conditional_score",
    "classifier_loss",
    "guided_step",
    Exercise("lab1.negative_control_essay", points=2, title="The negative control", manual=True),
]
