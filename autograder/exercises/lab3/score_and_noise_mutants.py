"""Exercise 3.2: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab3.score_and_noise")

SCORE = "-noise_estimate / (1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)).sqrt()"
NOISE = "-score * (1 - gather_per_sample(schedule.alpha_bars, t, score)).sqrt()"
for name, finds, old, new in (
    ("score_sign", "wrong_sign", SCORE, SCORE[1:]),
    ("noise_sign", "wrong_sign", NOISE, NOISE[1:]),
    ("score_beta", "sigma_of_one_step", "1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)",
     "gather_per_sample(schedule.betas, t, noise_estimate)"),
    ("noise_beta", "sigma_of_one_step", "1 - gather_per_sample(schedule.alpha_bars, t, score)",
     "gather_per_sample(schedule.betas, t, score)"),
    ("score_variance", "variance_for_sigma", "noise_estimate)).sqrt()", "noise_estimate))"),
    ("noise_variance", "variance_for_sigma", "score)).sqrt()", "score))"),
    ("score_alpha", ("alpha_for_alpha_bar", "sigma_of_one_step"), "gather_per_sample(schedule.alpha_bars, t, noise",
     "gather_per_sample(schedule.alphas, t, noise"),
    ("noise_alpha", ("alpha_for_alpha_bar", "sigma_of_one_step"), "gather_per_sample(schedule.alpha_bars, t, score",
     "gather_per_sample(schedule.alphas, t, score"),
    ("score_bar", "root_of_bar", "(1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate))",
     "gather_per_sample(schedule.alpha_bars, t, noise_estimate)"),
    ("score_inverted", "inverted", "-noise_estimate / (1", "-noise_estimate * (1"),
    ("noise_inverted", "inverted", "-score * (1", "-score / (1"),
    ("score_plain", "sigma_missing", SCORE, "-noise_estimate"),
    ("noise_plain", "sigma_missing", NOISE, "-score"),
    ("score_not_broadcast", ("wrong_score", "raised"), "gather_per_sample(schedule.alpha_bars, t, noise_estimate)",
     "schedule.alpha_bars[t]"),
    ("score_in_place", "input_altered", SCORE,
     "noise_estimate.neg_().div_((1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)).sqrt())"),
    ("none", "returned_none", f"return {SCORE}", SCORE),
    ("last_t", "wrong_noise", "gather_per_sample(schedule.alpha_bars, t, score)",
     "gather_per_sample(schedule.alpha_bars, t - 1, score)"),
    ("on_the_cpu", "hard_coded_device", f"return {SCORE}",
     f"noise_estimate = noise_estimate * torch.ones(noise_estimate.shape)\n    return {SCORE}"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
right(
    "small_constant",
    edit=(SCORE, "-noise_estimate / ((1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)).sqrt() + 1e-8)"),
)
right(
    "power",
    edit=[
        (SCORE, "-noise_estimate * (1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)) ** -0.5"),
        (NOISE, "-((1 - gather_per_sample(schedule.alpha_bars, t, score)) ** 0.5) * score"),
    ],
)
right(
    "double",
    edit=(
        SCORE,
        "-(noise_estimate.double() / (1 - gather_per_sample(schedule.alpha_bars.double(), t, noise_estimate)).sqrt())"
        ".to(noise_estimate.dtype)",
    ),
)
right("loops", source='''
def score_from_noise(noise_estimate, t, schedule):
    return torch.stack([-n / torch.sqrt(1 - schedule.alpha_bars[i]) for n, i in zip(noise_estimate, t)])

def noise_from_score(score, t, schedule):
    return torch.stack([-n * torch.sqrt(1 - schedule.alpha_bars[i]) for n, i in zip(score, t)])
''')  # fmt: skip
right("helper", source='''
def total_sigma(t, schedule, like):
    return torch.sqrt(1 - schedule.alpha_bars)[t].view(-1, *[1] * (like.dim() - 1))

def score_from_noise(noise_estimate, t, schedule):
    return torch.div(noise_estimate, total_sigma(t, schedule, noise_estimate)).neg()

def noise_from_score(score, t, schedule):
    return torch.mul(score, total_sigma(t, schedule, score)).neg()
''')  # fmt: skip
right("einsum", edit=(NOISE, "-torch.einsum('b,b...->b...', (1 - schedule.alpha_bars[t]).sqrt(), score)"))
