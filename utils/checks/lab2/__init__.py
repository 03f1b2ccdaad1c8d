"""Lab 2, two atoms on a ring: its exercises in the notebook's order."""

from utils.checks.exercise import Exercise

EXERCISES = [
    "analytic_score",
    "add_noise",
    "score_loss",
    "predictor_corrector",
    "fokker_planck",
    "consistency",
    Exercise(
        "lab2.regulariser_essay",
        points=2,
        title="Which regulariser helps where, and where sampling starts",
        manual=True,
    ),
]
