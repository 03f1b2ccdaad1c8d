"""Exercise 3.6: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import function

right, wrong = mutants_of("lab3.ddim_step")

X0 = "(x - (1 - alpha_bar).sqrt() * noise_estimate) / alpha_bar.sqrt()"
BACK = "alpha_bar_prev.sqrt() * x0 + (1 - alpha_bar_prev).sqrt() * noise_estimate"
LAST = "gather_per_sample(with_data, t_prev, x)"
for name, finds, old, new in (
    ("wraps", "wrapped", LAST, "gather_per_sample(schedule.alpha_bars, t_prev, x)"),
    ("clamped_index", "clamped_index", LAST, "gather_per_sample(schedule.alpha_bars, t_prev.clamp(min=0), x)"),
    ("schedule_overwritten", "input_altered", LAST,
     "gather_per_sample(schedule.alpha_bars.mul_(1.0).clamp_(max=0.5), t_prev.clamp(min=0), x) * 0 "
     "+ gather_per_sample(with_data, t_prev, x)"),
    ("data_too_early", "data_too_early", LAST, "gather_per_sample(with_data, torch.where(t_prev > 0, t_prev, -1), x)"),
    ("single_steps", "single_steps", LAST, "gather_per_sample(with_data, t - 1, x)"),
    ("clean_only", "clean_estimate", f"return {BACK}", "return x0"),
    ("no_noise_back", "noise_not_put_back", BACK, "alpha_bar_prev.sqrt() * x0"),
    ("data_full", "data_not_scaled", "alpha_bar_prev.sqrt() * x0 +", "x0 +"),
    ("no_roots", "no_root", BACK, "alpha_bar_prev * x0 + (1 - alpha_bar_prev) * noise_estimate"),
    ("noise_not_removed", "noise_not_removed", X0, "x / alpha_bar.sqrt()"),
    ("not_rescaled", "not_rescaled", X0, "x - (1 - alpha_bar).sqrt() * noise_estimate"),
    ("variance", "variance_for_sigma", "(1 - alpha_bar).sqrt() * noise", "(1 - alpha_bar) * noise"),
    ("bar_plain", "divided_by_bar", "/ alpha_bar.sqrt()", "/ alpha_bar"),
    ("plus", "wrong_sign", "(x - (1", "(x + (1"),
    ("minus_back", "noise_subtracted", "* x0 + (1", "* x0 - (1"),
    ("swapped", "swapped", "    x0 = ", "    alpha_bar, alpha_bar_prev = alpha_bar_prev, alpha_bar\n    x0 = "),
    ("old_noise", "old_noise", "(1 - alpha_bar_prev).sqrt()", "(1 - alpha_bar).sqrt()"),
    ("clamped", "clamped", f"x0 = {X0}", f"x0 = ({X0}).clamp(-1, 1)"),
    ("alphas", "wrong_step", "gather_per_sample(schedule.alpha_bars, t, x)",
     "gather_per_sample(schedule.alphas, t, x)"),
    ("fresh_noise", "wrong_step", "(1 - alpha_bar_prev).sqrt() * noise_estimate",
     "(1 - alpha_bar_prev).sqrt() * torch.randn_like(x)"),
    ("one_t_prev", ("wrong_step", "clean_estimate"), LAST,
     "gather_per_sample(with_data, t_prev[:1].expand_as(t_prev), x)"),
    ("not_broadcast", ("wrong_step", "raised"), "gather_per_sample(schedule.alpha_bars, t, x)",
     "schedule.alpha_bars[t]"),
    ("in_place", "input_altered", f"return {BACK}", f"out = {BACK}\n    x.zero_()\n    return out"),
    ("none", "returned_none", f"return {BACK}", BACK),
    ("on_the_cpu", "hard_coded_device", f"return {BACK}", f"return torch.zeros(x.shape) + {BACK}"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
right(
    "where",
    edit=(
        LAST,
        "gather_per_sample("
        "torch.where(t_prev >= 0, schedule.alpha_bars[t_prev], 1.0), torch.arange(len(t), device=t.device), x)",
    ),
)
right("by_score", edit=(X0, "(x + (1 - alpha_bar) * (-noise_estimate / (1 - alpha_bar).sqrt())) / alpha_bar.sqrt()"))
DDIM_HEAD = "ddim_step(x, t, t_prev, noise_estimate, schedule)"
right("affine", source=function(DDIM_HEAD, """
bars = schedule.alpha_bars
a = gather_per_sample(bars, t, x)
b = gather_per_sample(torch.cat([torch.ones_like(bars[:1]), bars]), t_prev + 1, x)
scale = torch.sqrt(b / a)
return scale * x + (torch.sqrt(1 - b) - scale * torch.sqrt(1 - a)) * noise_estimate
"""))  # fmt: skip
right("loop", source=function(DDIM_HEAD, """
rows = []
for row, i, j, e in zip(x, t, t_prev, noise_estimate):
    a = schedule.alpha_bars[i]
    clean = (row - (1 - a) ** 0.5 * e) / a**0.5
    if j < 0:
        rows.append(clean)
    else:
        b = schedule.alpha_bars[j]
        rows.append(b**0.5 * clean + (1 - b) ** 0.5 * e)
return torch.stack(rows)
"""))  # fmt: skip
right("masked", source=function(DDIM_HEAD, """
a = gather_per_sample(schedule.alpha_bars, t, x)
b = gather_per_sample(schedule.alpha_bars, t_prev.clamp(min=0), x).clone()
b[t_prev == -1] = 1
clean = x / a.sqrt() - noise_estimate * ((1 - a) / a).sqrt()
return b.sqrt() * clean + (1 - b).sqrt() * noise_estimate
"""))  # fmt: skip
right(
    "double",
    edit=[
        (
            "    x0 = (x",
            "    kind = x.dtype\n    x, noise_estimate = x.double(), noise_estimate.double()\n    x0 = (x",
        ),
        (f"return {BACK}", f"return ({BACK}).to(kind)"),
    ],
)
