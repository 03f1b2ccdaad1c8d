"""The exercises of lab 4, in the order of the notebook."""

from __future__ import annotations

from utils.checks.exercise import Exercise

EXERCISES = [
    "vector_field",
    "cfg_train_loss",
    "cfg_drift",
    "euler_heun",
    Exercise("lab4.unet_essay", points=2, title="Two parts of the U-Net", manual=True),
    "accuracy_sweep",
    Exercise("lab4.guidance_essay", points=2, title="What does the guidance scale change, and why?", manual=True),
]
