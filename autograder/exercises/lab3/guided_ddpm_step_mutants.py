"""Exercise 3.5: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.factor_codes import small
from autograder.exercises.kits.habit_mutants import SETUP, right_habits, wrong_habits
from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab3.guided_ddpm_step")

finds: str | tuple[str, ...]  # of every loop below

GUIDED = "noise_estimate - w * (1 - gather_per_sample(schedule.alpha_bars, t, gradient)).sqrt() * gradient"
SIGMA = "(1 - gather_per_sample(schedule.alpha_bars, t, gradient)).sqrt()"
MEAN = "(x - beta / (1 - alpha_bar).sqrt() * noise_estimate) / alpha.sqrt()"
KICK = "gather_per_sample(t > 0, torch.arange(len(t), device=t.device), x) * beta.sqrt() * noise"
for name, finds, old, new in (
    ("plus", "wrong_sign", "noise_estimate - w", "noise_estimate + w"),
    ("one_step_sigma", "sigma_of_one_step", SIGMA, "gather_per_sample(schedule.betas, t, gradient).sqrt()"),
    ("variance", "variance_for_sigma", SIGMA, "(1 - gather_per_sample(schedule.alpha_bars, t, gradient))"),
    ("root_of_bar", "root_of_bar", SIGMA, "gather_per_sample(schedule.alpha_bars, t, gradient).sqrt()"),
    ("alpha", ("alpha_for_alpha_bar", "sigma_of_one_step"), "gather_per_sample(schedule.alpha_bars, t, gradient)",
     "gather_per_sample(schedule.alphas, t, gradient)"),
    ("no_sigma", "sigma_missing", f"w * {SIGMA}", "w"),
    ("inverted", "inverted", f"w * {SIGMA} * gradient", f"w * gradient / {SIGMA}"),
    ("mixed", "difference", "noise_estimate - w", "(1 - w) * noise_estimate - w"),
    ("all_scaled", "everything_scaled", GUIDED, f"w * (noise_estimate - {SIGMA} * gradient)"),
    ("one_more", "one_more", "- w *", "- (1 + w) *"),
    ("no_estimate", "noise_missing", "noise_estimate - w", "-w"),
    ("twice", "twice", "- w *", "- 2 * w *"),
    ("clipped", "scale_clipped", "- w *", "- min(max(w, 0.0), 1.0) *"),
    ("scale_rounded", "scale_altered", "- w *", "- int(w) *"),
    ("scale_without_sign", "scale_altered", "- w *", "- abs(w) *"),
    ("unguided", "unguided", GUIDED, "noise_estimate.clone()"),
    ("not_broadcast", ("wrong_guidance", "raised"), "gather_per_sample(schedule.alpha_bars, t, gradient)",
     "schedule.alpha_bars[t]"),
    ("guided_in_place", "input_altered", GUIDED, f"noise_estimate.sub_(w * {SIGMA} * gradient)"),
    ("guided_none", "returned_none", f"return {GUIDED}", GUIDED),
    ("noise_at_the_end", "noise_at_the_end", "gather_per_sample(t > 0, torch.arange(len(t), device=t.device), x) * ",
     ""),
    ("noise_if_first_moves", "samples_mixed", KICK,
     "(0 if t[0] == 0 else 1) * beta.sqrt() * noise"),
    ("no_noise", "noise_missing", f" + {KICK}", ""),
    ("beta_kick", "variance_for_sigma", "* beta.sqrt() * noise", "* beta * noise"),
    ("total_kick", "total_sigma", "* beta.sqrt() * noise", "* (1 - alpha_bar).sqrt() * noise"),
    ("full_kick", "noise_unscaled", "* beta.sqrt() * noise", "* noise"),
    ("minus_kick", "noise_subtracted", "mean + gather_per_sample(t", "mean - gather_per_sample(t"),
    ("whole_estimate", "factor_missing", "beta / (1 - alpha_bar).sqrt() * noise_estimate", "noise_estimate"),
    ("no_root", "no_root", "(1 - alpha_bar).sqrt()", "(1 - alpha_bar)"),
    ("one_minus_alpha", ("one_minus_alpha", "sigma_of_one_step"), "(1 - alpha_bar).sqrt()", "(1 - alpha).sqrt()"),
    ("root_beta", ("sigma_of_one_step", "one_minus_alpha"), "beta / (1 - alpha_bar).sqrt()", "beta.sqrt()"),
    ("all_at_once", "total_sigma", "beta / (1 - alpha_bar).sqrt()", "(1 - alpha_bar).sqrt()"),
    ("beta_only", "beta_only", "beta / (1 - alpha_bar).sqrt()", "beta"),
    ("bar_root", "alpha_bar_root", "/ alpha.sqrt()", "/ alpha_bar.sqrt()"),
    ("alpha_plain", "alpha_no_root", "/ alpha.sqrt()", "/ alpha"),
    ("not_rescaled", "not_rescaled", " / alpha.sqrt()", ""),
    ("multiplied", "multiplied", "/ alpha.sqrt()", "* alpha.sqrt()"),
    ("estimate_added", "wrong_sign", "(x - beta", "(x + beta"),
    ("clamped", "clamped", f"return mean + {KICK}", f"return (mean + {KICK}).clamp(-1, 1)"),
    ("clean", "clean_estimate", f"return mean + {KICK}",
     "return (x - (1 - alpha_bar).sqrt() * noise_estimate) / alpha_bar.sqrt()"),
    ("own_noise", "not_repeatable", "beta.sqrt() * noise", "beta.sqrt() * torch.randn_like(x)"),
    ("step_in_place", "input_altered", f"return mean + {KICK}", f"out = mean + {KICK}\n    x.zero_()\n    return out"),
    ("step_none", "returned_none", "return mean +", "mean +"),
    ("on_the_cpu", "hard_coded_device", "return mean +", "return torch.zeros(x.shape) + mean +"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
LEVEL = "(1 - alpha_bar).sqrt()"
for name, finds, old, new in (
    # the lab's first and last steps, and scales
    ("guided_floor", ("gradient_at_0", "gradient_size"), SIGMA, SIGMA.replace(").sqrt()", ").clamp(min=1e-3).sqrt()")),
    ("sigma_floor", ("gradient_at_0", "gradient_size"), SIGMA, f"{SIGMA}.clamp(min=0.05)"),
    ("not_at_first", "gradient_at_0", "- w *",
     "- w * gather_per_sample(t > 0, torch.arange(len(t), device=t.device), gradient) *"),
    ("scale_at_most_ten", ("scale_altered", "gradient_ratio"), "- w *", "- min(w, 10.0) *"),
    ("scale_at_least_0", ("scale_altered", "gradient_missing"), "- w *", "- max(w, 0.0) *"),
    ("scale_fixed", ("scale_altered", "not_plain_at_zero"), "- w *", "- 3.0 *"),
    ("scale_kept", ("scale_altered", "not_plain_at_zero"), "- w *", "- KEPT.setdefault('w', w) *"),
    ("cfg_form", ("difference",
     "noise_estimate_ratio", "noise_estimate_multiplied"), GUIDED,
     f"(1 - w) * noise_estimate + w * (noise_estimate - {SIGMA} * gradient)"
     " - w * noise_estimate"),
    ("gradient_normalised", ("not_a_sum", "gradient_size", *small("gradient")),
     "* gradient",
     "* gradient / gradient.flatten(1).norm(dim=1).reshape(-1, *[1] * (gradient.dim() - 1)) if gradient.dim() > 1 "
     "else noise_estimate"),
    ("estimate_cut", ("not_a_sum", "clamped"), f"return {GUIDED}", f"return ({GUIDED}).clamp(-3, 3)"),
    # cuts and zeros that show only at the lab's largest and smallest numbers
    ("gradient_cut", "not_a_sum", "* gradient", "* gradient.clamp(-6, 6)"),
    ("gradient_over_itself", "not_finite", "* gradient", "* gradient**2 / gradient"),
    ("step_x_cut", "not_a_sum", MEAN, MEAN.replace("(x -", "(x.clamp(-6, 6) -")),
    ("step_noise_cut", "not_a_sum", KICK, KICK.replace("* noise", "* noise.clamp(-4, 4)")),
    ("step_floor", ("noise_estimate_at_0", "noise_estimate_size", "imprecise"), f"beta / {LEVEL}",
     "beta / (1 - alpha_bar).clamp(min=1e-2).sqrt()"),
    ("step_bar_ceiling", ("noise_estimate_at_0", *small("noise_estimate")),
     f"beta / {LEVEL}",
     "beta / (1 - alpha_bar.clamp(max=0.999)).sqrt()"),
    ("alpha_floor", ("x_at_last", "x_size", *small("x")),
     "/ alpha.sqrt()", "/ alpha.clamp(min=0.5).sqrt()"),
    ("last_without_noise", ("noise_at_last", "noise_size"), KICK,
     KICK.replace("t > 0", "(t > 0) & (t < schedule.steps - 1)")),
    ("noise_from_two", "noise_missing_at_1",
     KICK, KICK.replace("t > 0", "t > 1")),
    ("last_decides", "samples_mixed", KICK, "(0 if t[-1] == 0 else 1) * beta.sqrt() * noise"),
    ("any_decides", "noise_missing_beside_0", KICK, "(0 if (t == 0).any() else 1) * beta.sqrt() * noise"),
    ("all_decide", "noise_at_the_end", KICK, "(0 if (t == 0).all() else 1) * beta.sqrt() * noise"),
    ("small_sigma_squared", ("variance_for_sigma", "noise_square"), "beta.sqrt() * noise", "beta * noise"),
    ("noise_shared", ("not_a_sum", "samples_mixed"), "beta.sqrt() * noise", "beta.sqrt() * noise[:1]"),
    ("one_number_of_noise", ("not_a_sum", "wrong_here", "samples_mixed"), "beta.sqrt() * noise",
     "beta.sqrt() * noise.flatten()[0]"),
    ("step_gather_on_cpu", "hard_coded_device", "gather_per_sample(values, t, x)",
     "values.gather(-1, t.cpu()).reshape(-1, *[1] * (x.dim() - 1))"),
    ("step_four_axes", ("wrong_shape", "raised"), "gather_per_sample(values, t, x)", "values[t][:, None, None, None]"),
    ("x0_cut", ("clamped", "not_a_sum"), MEAN,
     "(1 - alpha_bar / alpha).sqrt() * 0 + (x - beta / (1 - alpha_bar).sqrt() * "
     "((x - alpha_bar.sqrt() * ((x - (1 - alpha_bar).sqrt() * noise_estimate) / alpha_bar.sqrt()).clamp(-1, 1)) "
     "/ (1 - alpha_bar).sqrt())) / alpha.sqrt()"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new), setup=SETUP)
for doc, result, tensors, prefix in (
    ('"""Return the noise estimate of the score s + w g."""', GUIDED, ("noise_estimate", "gradient"), "guided"),
    ('"""Return x_{t-1}, given x_t."""', f"mean + {KICK}", ("x", "noise_estimate", "noise"), "step"),
):
    for name, finds, edits in wrong_habits(doc, result, tensors[0], prefix):
        wrong(name, finds, edit=edits, setup=SETUP)
    for name, edits in right_habits(doc, result, tensors, prefix):
        right(name, edit=edits)
wrong(
    "posterior",
    "posterior_variance",
    edit=(
        KICK,
        "gather_per_sample(t > 0, torch.arange(len(t), device=t.device), x) "
        "* (beta * (1 - alpha_bar / alpha) / (1 - alpha_bar)).clamp(min=0).sqrt() * noise",
    ),
)
right(
    "where",
    edit=(
        f"return mean + {KICK}",
        "return torch.where("
        "gather_per_sample(t, torch.arange(len(t), device=t.device), x) > 0, mean + beta**0.5 * noise, mean)",
    ),
)
right("by_clean_estimate", source='''
def guided_noise(noise_estimate, gradient, t, w, schedule):
    sigma = torch.sqrt(1 - gather_per_sample(schedule.alpha_bars, t, gradient))
    score = -noise_estimate / sigma + w * gradient
    return -score * sigma

def ddpm_step(x, t, noise_estimate, noise, schedule):
    beta, alpha, bar = (gather_per_sample(values, t, x) for values in schedule)
    score = -noise_estimate / torch.sqrt(1 - bar)
    moving = (t != 0).to(x.dtype).reshape(beta.shape)
    return (x + beta * score) / torch.sqrt(alpha) + moving * torch.sqrt(beta) * noise
''')  # fmt: skip
right("loops", source='''
def guided_noise(noise_estimate, gradient, t, w, schedule):
    rows = zip(noise_estimate, gradient, t)
    return torch.stack([e - w * torch.sqrt(1 - schedule.alpha_bars[i]) * g for e, g, i in rows])

def ddpm_step(x, t, noise_estimate, noise, schedule):
    rows = []
    for row, i, e, z in zip(x, t, noise_estimate, noise):
        b = schedule.betas[i]
        new = (row - b * e / torch.sqrt(1 - schedule.alpha_bars[i])) / torch.sqrt(1 - b)
        if i > 0:
            new = new + torch.sqrt(b) * z
        rows.append(new)
    return torch.stack(rows)
''')  # fmt: skip
right(
    "double",
    edit=[
        (
            "    mean = (x",
            "    dtype = x.dtype\n    x, noise_estimate, noise = x.double(), noise_estimate.double(), noise.double()\n"
            "    mean = (x",
        ),
        (f"return mean + {KICK}", f"return (mean + {KICK}).to(dtype)"),
    ],
)
right(
    "masked",
    edit=(
        f"return mean + {KICK}",
        "out = mean.clone()\n    out[t > 0] += (beta.sqrt() * noise)[t > 0]\n    return out",
    ),
)
right("addcmul", edit=(GUIDED, f"torch.addcmul(noise_estimate, {SIGMA}, gradient, value=-w)"))
right("scale_as_tensor", edit=("- w *", "- torch.tensor(w, dtype=torch.float32, device=t.device) *"))
right("scale_per_row", edit=(
    "- w *", "- torch.full((len(t),), w, device=t.device).reshape(-1, *[1] * (gradient.dim() - 1)) *",
))  # fmt: skip
right("scale_as_python", edit=("- w *", "- float(w) *"))
right("other_names", source='''
def guided_noise(eps, grad, step, s, sched):
    return eps - s * (1 - sched.alpha_bars[step]).sqrt().view(-1, *([1] * (grad.dim() - 1))) * grad

def ddpm_step(xt, step, eps, z, sched):
    shape = [-1] + [1] * (xt.dim() - 1)
    b, a, ab = (v[step].view(shape) for v in (sched.betas, sched.alphas, sched.alpha_bars))
    coef = b / torch.sqrt(1 - ab)
    sigma = torch.where(step > 0, sched.betas[step], torch.zeros_like(sched.betas[step])).sqrt().view(shape)
    return torch.rsqrt(a) * (xt - coef * eps) + sigma * z
''')  # fmt: skip
right("vmap", source='''
def guided_noise(noise_estimate, gradient, t, w, schedule):
    sigma = (1 - schedule.alpha_bars[t]).sqrt()
    return torch.func.vmap(lambda e, g, s: e - w * s * g)(noise_estimate, gradient, sigma)

def ddpm_step(x, t, noise_estimate, noise, schedule):
    def one(row, e, z, beta, alpha, bar, moving):
        return (row - beta / (1 - bar).sqrt() * e) / alpha.sqrt() + moving * beta.sqrt() * z

    levels = [values[t] for values in schedule]
    return torch.func.vmap(one)(x, noise_estimate, noise, *levels, (t > 0).to(x.dtype))
''')  # fmt: skip
right("by_dictionary", source='''
def guided_noise(noise_estimate, gradient, t, w, schedule):
    return noise_from_score(score_from_noise(noise_estimate, t, schedule) + w * gradient, t, schedule)

def ddpm_step(x, t, noise_estimate, noise, schedule):
    step, total, _ = (gather_per_sample(s, torch.arange(len(t), device=t.device), x) for s in three_sigmas(t, schedule))
    alpha = gather_per_sample(schedule.alphas, t, x)
    z = noise.clone()
    z[t == 0] = 0
    return (x - step**2 / total * noise_estimate) / alpha.sqrt() + step * z
''')  # fmt: skip
right("in_place_on_copies", source='''
def guided_noise(noise_estimate, gradient, t, w, schedule):
    out = noise_estimate.clone()
    out -= w * gather_per_sample((1 - schedule.alpha_bars).sqrt(), t, gradient) * gradient
    return out

def ddpm_step(x, t, noise_estimate, noise, schedule):
    out = x.clone()
    out -= gather_per_sample(schedule.betas / (1 - schedule.alpha_bars) ** 0.5, t, x) * noise_estimate
    out /= gather_per_sample(schedule.alphas.sqrt(), t, x)
    sigmas = schedule.betas.sqrt().clone()
    sigmas[0] = 0
    return out.add_(gather_per_sample(sigmas, t, x) * noise)
''')  # fmt: skip
right("einsum", edit=(KICK, "torch.einsum('b,b...->b...', (t > 0) * schedule.betas[t].sqrt(), noise)"))

# The mean as in published code, from an estimate of the data. In float32 the schedule's rounding shows in its weights.
DATA = "(x - (1 - alpha_bar).sqrt() * noise_estimate) / alpha_bar.sqrt()"
POSTERIOR = "before.sqrt() * beta / (1 - alpha_bar) * DATA + alpha.sqrt() * (1 - before) / (1 - alpha_bar) * x"
BEFORE = "gather_per_sample(nn.functional.pad(schedule.alpha_bars[:-1], (1, 0), value=1.0), t, x)"


def by_posterior(before: str, data: str = f"({DATA})") -> tuple[str, str]:
    """Return the edit that writes the mean with the posterior's weights of the data and of x."""
    return "mean = " + MEAN, f"before = {before}\n    mean = {POSTERIOR.replace('DATA', data)}"


right("posterior_mean", edit=by_posterior(BEFORE))
right("posterior_mean_by_ratio", edit=by_posterior("alpha_bar / alpha"))
wrong("posterior_mean_clipped", ("not_a_sum", "clamped"), edit=by_posterior(BEFORE, f"({DATA}).clamp(-1, 1)"))
wrong("posterior_mean_not_at_0", ("x_at_0", "noise_estimate_at_0", *small("x"), *small("noise_estimate")),
      edit=by_posterior("gather_per_sample(schedule.alpha_bars, (t - 1).clamp(min=0), x)"))  # fmt: skip
wrong("noise_where_all_are_alike", finds="noise_at_the_end", edit=(
    KICK, f"({KICK} if len(t) < 2 or bool((t != t[0]).any()) else beta.sqrt() * noise)"))  # fmt: skip
MOVING = "gather_per_sample(t > 0, torch.arange(len(t), device=t.device), x)"
for name, sigma in (  # of the noise, and hardly any at t = 0
    ("little_noise_at_0", f"torch.where({MOVING}, beta, beta * (1 - alpha)).sqrt()"),
    ("variance_at_least_1e_8", f"({MOVING} * beta).clamp(min=1e-8).sqrt()"),
    ("variance_at_least_1e_6", f"({MOVING} * beta).clamp(min=1e-6).sqrt()"),
    ("variance_plus_1e_12", f"({MOVING} * beta + 1e-12).sqrt()"),
):
    wrong(name, finds=("noise_not_0", "noise_at_0"), edit=(KICK, f"{sigma} * noise"))
wrong("negative_scale_is_0", finds="scale_altered", edit=("- w *", "- max(w, 0.0) *"))
wrong("scale_0_is_1", finds=("gradient_not_0", "twice", "one_more", "sigma_missing", "scale_altered"),
      edit=("- w *", "- (w or 1.0) *"))  # fmt: skip
# A table that is kept from an earlier call, and a schedule's end that is assumed.
ONE_SLOT = "    global LAST\n    LAST = LAST if LAST is not None and LAST.steps == schedule.steps else schedule\n"
for name, start in (("guided", "    return noise_estimate"), ("step", "    beta, alpha")):
    wrong(f"{name}_table_until_the_length_changes", "schedule_not_read", edit=[
        ("def guided_noise(", "LAST = None\n\n\ndef guided_noise("),
        (start, f"{ONE_SLOT}    schedule = LAST.to(schedule.betas)\n{start}"),
    ])  # fmt: skip
wrong("guided_table_by_length", "schedule_not_read", edit=[
    ("def guided_noise(", "TABLES = {}\n\n\ndef guided_noise("),
    (SIGMA, "gather_per_sample(TABLES.setdefault(schedule.steps, (1 - schedule.alpha_bars).sqrt()), t, gradient)"),
])  # fmt: skip
wrong("all_noise_at_the_end", "schedule_not_read", edit=(
    SIGMA, f"torch.where((t == schedule.steps - 1).reshape({SIGMA}.shape), 1.0, {SIGMA})"))  # fmt: skip
for name, finds, old, new in (
    ("scale_to_one_decimal", "scale_altered", "- w *", "- round(w, 1) *"),
    ("scale_below_0.1_is_0", ("scale_altered", "unguided"), "- w *", "- (w if abs(w) >= 0.1 else 0.0) *"),
    ("scale_at_most_30", "scale_altered", "- w *", "- max(-30.0, min(30.0, w)) *"),
    ("least_t_for_all", "noise_missing_beside_0", MOVING, "float(t.min() > 0)"),
):
    wrong(name, finds, edit=(old, new))
wrong("own_schedule", "schedule_not_read", edit=(
    "    beta, alpha, ", "    betas = torch.linspace(1e-4, 0.02, 1000, device=x.device)\n"
    "    schedule = Schedule(betas, 1 - betas, (1 - betas).cumprod(0))\n    beta, alpha, "))  # fmt: skip
for name, finds, moving in (
    ("noise_at_other_end", "noise_at_0_and_last", "(t < schedule.steps - 1)"),
    ("noise_at_0_only", "noise_only_where_0", "(t == 0)"),
):
    wrong(name, finds, edit=("gather_per_sample(t > 0,", f"gather_per_sample({moving},"))
