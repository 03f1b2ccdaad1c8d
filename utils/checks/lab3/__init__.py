"""Lab 3, classifier guidance: the exercises in the order of the notebook."""

from utils.checks.exercise import Exercise

EXERCISES = [
    "schedule",
    "score_and_noise",
    "classifier_loss",
    "classifier_gradient",
    "guided_ddpm_step",
    "ddim_step",
    "spot_the_bugs",
    "what_guidance_samples",
    Exercise("lab3.tradeoff_essay", points=2, title="Quality against diversity", manual=True),
]
