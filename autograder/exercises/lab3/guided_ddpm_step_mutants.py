"""Exercise 3.5: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab3.guided_ddpm_step")

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
    ("noise_if_first_moves", ("noise_at_the_end", "noise_missing", "wrong_step"), KICK,
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
    ("own_noise", "wrong_step", "beta.sqrt() * noise", "beta.sqrt() * torch.randn_like(x)"),
    ("step_in_place", "input_altered", f"return mean + {KICK}", f"out = mean + {KICK}\n    x.zero_()\n    return out"),
    ("step_none", "returned_none", "return mean +", "mean +"),
    ("on_the_cpu", "hard_coded_device", "return mean +", "return torch.zeros(x.shape) + mean +"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
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
