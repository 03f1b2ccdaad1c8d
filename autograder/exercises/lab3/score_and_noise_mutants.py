"""Exercise 3.2: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.factor_codes import small
from autograder.exercises.kits.habit_mutants import SETUP, right_habits, wrong_habits
from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab3.score_and_noise")

finds: str | tuple[str, ...]  # of every loop below

SCORE = "-noise_estimate / (1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)).sqrt()"
NOISE = "-score * (1 - gather_per_sample(schedule.alpha_bars, t, score)).sqrt()"
SCORE_DOC = '"""Return the score of an estimate of the noise."""'
NOISE_DOC = '"""Return the noise estimate of a score."""'
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
    ("noise_bar", "root_of_bar", "(1 - gather_per_sample(schedule.alpha_bars, t, score))",
     "gather_per_sample(schedule.alpha_bars, t, score)"),
    ("score_inverted", "inverted", "-noise_estimate / (1", "-noise_estimate * (1"),
    ("noise_inverted", "inverted", "-score * (1", "-score / (1"),
    ("score_plain", "sigma_missing", SCORE, "-noise_estimate"),
    ("noise_plain", "sigma_missing", NOISE, "-score"),
    ("score_untouched", "wrong_sign", SCORE, "noise_estimate / (1 - gather_per_sample(schedule.alpha_bars, t, "
     "noise_estimate)) ** 0.5"),
    ("score_not_broadcast", ("wrong_score", "raised"), "gather_per_sample(schedule.alpha_bars, t, noise_estimate)",
     "schedule.alpha_bars[t]"),
    ("score_three_axes", ("wrong_shape", "raised"), "gather_per_sample(schedule.alpha_bars, t, noise_estimate)",
     "schedule.alpha_bars[t][:, None, None, None]"),
    ("score_in_place", "input_altered", SCORE,
     "noise_estimate.neg_().div_((1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)).sqrt())"),
    ("none", "returned_none", f"return {SCORE}", SCORE),
    ("last_t", ("score_size", "score_only_at_last", "score_too_large"),
     "gather_per_sample(schedule.alpha_bars, t, score)", "gather_per_sample(schedule.alpha_bars, t - 1, score)"),
    ("next_t", ("raised", "score_size"), "gather_per_sample(schedule.alpha_bars, t, score)",
     "gather_per_sample(schedule.alpha_bars, t + 1, score)"),
    ("whole_schedule", ("noise_estimate_size", "noise_estimate_too_large", *small("noise_estimate")),
     "gather_per_sample(schedule.alpha_bars, t, noise_estimate)", "schedule.alpha_bars.mean()"),
    ("on_the_cpu", "hard_coded_device", f"return {SCORE}",
     f"noise_estimate = noise_estimate * torch.ones(noise_estimate.shape)\n    return {SCORE}"),
    # floors and cuts that show only where the lab's first or last steps are reached
    ("variance_floor", "noise_estimate_at_0", "noise_estimate)).sqrt()", "noise_estimate)).clamp(min=1e-3).sqrt()"),
    ("sigma_floor", "noise_estimate_at_0", "noise_estimate)).sqrt()", "noise_estimate)).sqrt().clamp(min=0.02)"),
    ("variance_plus", "noise_estimate_at_0", "(1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate))",
     "(1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate) + 1e-5)"),
    ("noise_variance_floor", "score_at_0", "score)).sqrt()", "score)).clamp(min=1e-3).sqrt()"),
    ("bar_ceiling", "score_at_0", "gather_per_sample(schedule.alpha_bars, t, score)",
     "gather_per_sample(schedule.alpha_bars, t, score).clamp(max=0.999)"),
    ("score_cut", "not_a_sum", f"return {SCORE}", f"return ({SCORE}).clamp(-100, 100)"),
    # cuts and zeros that show only at the lab's largest and smallest numbers
    ("estimate_cut", "not_a_sum", SCORE, SCORE.replace("-noise_estimate /", "-noise_estimate.clamp(-8, 8) /")),
    ("given_score_cut", "not_a_sum", NOISE, NOISE.replace("-score *", "-score.clamp(-4, 4) *")),
    ("over_itself", "not_finite", SCORE, SCORE.replace("-noise_estimate /", "-noise_estimate**2 / noise_estimate /")),
    ("zero_at_first", ("noise_estimate_at_0", "noise_estimate_size"), f"return {SCORE}",
     f"return ({SCORE}) * gather_per_sample((t > 0).to(noise_estimate), torch.arange(len(t), device=t.device), "
     "noise_estimate)"),
    ("gather_on_cpu", "hard_coded_device", "gather_per_sample(schedule.alpha_bars, t, noise_estimate)",
     "schedule.alpha_bars.gather(-1, t.cpu()).reshape(-1, *[1] * (noise_estimate.dim() - 1))"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
for doc, result, tensor, prefix in (
    (SCORE_DOC, SCORE, "noise_estimate", "score"),
    (NOISE_DOC, NOISE, "score", "noise"),
):
    for name, finds, edits in wrong_habits(doc, result, tensor, prefix):
        wrong(name, finds, edit=edits, setup=SETUP)
    for name, edits in right_habits(doc, result, (tensor,), prefix):
        right(name, edit=edits)
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
right("vmap", source='''
def score_from_noise(noise_estimate, t, schedule):
    return torch.func.vmap(lambda e, bar: -e * torch.rsqrt(1 - bar))(noise_estimate, schedule.alpha_bars[t])

def noise_from_score(score, t, schedule):
    return torch.func.vmap(lambda s, bar: -s * torch.sqrt(1 - bar))(score, schedule.alpha_bars[t])
''')  # fmt: skip
right("other_names", source='''
def score_from_noise(eps, step, sched):
    sigma = three_sigmas_total(step, sched)
    return -eps / sigma.reshape(sigma.shape + (1,) * (eps.ndim - 1))

def noise_from_score(s, step, sched):
    sigma = three_sigmas_total(step, sched)
    return -s * sigma.reshape(sigma.shape + (1,) * (s.ndim - 1))

def three_sigmas_total(step, sched):
    return (1 - torch.cumprod(sched.alphas, 0)).index_select(0, step).sqrt()
''')  # fmt: skip
right("by_numpy", source='''
def score_from_noise(noise_estimate, t, schedule):
    sigma = np.sqrt(1 - schedule.alpha_bars.cpu().numpy()[t.cpu().numpy()])
    sigma = torch.from_numpy(sigma).to(noise_estimate.device).reshape(-1, *[1] * (noise_estimate.dim() - 1))
    return -noise_estimate / sigma

def noise_from_score(score, t, schedule):
    out = score.clone().neg_()
    return out.mul_((1 - schedule.alpha_bars[t]).sqrt_().reshape([len(t)] + [1] * (score.dim() - 1)))
''')  # fmt: skip
right("by_autograd", source='''
def score_from_noise(noise_estimate, t, schedule):
    with torch.enable_grad():
        var = 1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)
        x = (var.sqrt() * noise_estimate).detach().requires_grad_()
        return torch.autograd.grad((-0.5 * x.square() / var).sum(), x)[0]

def noise_from_score(score, t, schedule):
    return score / score_from_noise(torch.ones_like(score), t, schedule)
''')  # fmt: skip
right(
    "no_gradients",
    edit=[("def score_from_noise(", "@torch.no_grad()\ndef score_from_noise("), (SCORE, SCORE + " + 0.0")],
)
TABLE = "(1 - schedule.alpha_bars).sqrt()"
DIVIDED = "-noise_estimate / gather_per_sample(table.to(noise_estimate), t, noise_estimate)"
for name, finds, before, result in (
    ("table_kept_by_length", "schedule_not_read", f"table = KEPT.setdefault(schedule.steps, {TABLE})", DIVIDED),
    ("table_kept_until_the_length_changes", "schedule_not_read", f"""if len(KEPT.get('table', ())) != schedule.steps:
        KEPT['table'] = {TABLE}
    table = KEPT['table']""", DIVIDED),
    ("last_step_is_noise", "schedule_not_read", f"table = {TABLE}\n    table[-1] = 1.0", DIVIDED),
    ("score_in_bfloat16", "few_digits", f"table = {TABLE}", f"({DIVIDED}).bfloat16().to(noise_estimate.dtype)"),
):  # fmt: skip
    wrong(name, finds, edit=(f"return {SCORE}", f"{before}\n    return {result}"), setup=SETUP)
