"""Exercise 3.6: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.factor_codes import small
from autograder.exercises.kits.habit_mutants import SETUP, right_habits, wrong_habits
from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import function

right, wrong = mutants_of("lab3.ddim_step")

finds: str | tuple[str, ...]  # of every loop below

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
    ("alphas", (*small("x"), "x_size"), "gather_per_sample(schedule.alpha_bars, t, x)",
     "gather_per_sample(schedule.alphas, t, x)"),
    ("fresh_noise", "not_repeatable", "(1 - alpha_bar_prev).sqrt() * noise_estimate",
     "(1 - alpha_bar_prev).sqrt() * torch.randn_like(x)"),
    ("one_t_prev", ("samples_mixed", "x_too_large"), LAST,
     "gather_per_sample(with_data, t_prev[:1].expand_as(t_prev), x)"),
    ("not_broadcast", ("wrong_step", "raised"), "gather_per_sample(schedule.alpha_bars, t, x)",
     "schedule.alpha_bars[t]"),
    ("in_place", "input_altered", f"return {BACK}", f"out = {BACK}\n    x.zero_()\n    return out"),
    ("none", "returned_none", f"return {BACK}", BACK),
    ("on_the_cpu", "hard_coded_device", f"return {BACK}", f"return torch.zeros(x.shape) + {BACK}"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
BAR = "gather_per_sample(schedule.alpha_bars, t, x)"
for name, finds, old, new in (
    # the lab's first and last steps
    ("bar_floor", ("x_at_last", *small("x")), BAR, f"{BAR}.clamp(min=1e-3)"),
    ("root_floor", ("x_at_last", *small("x")),
     "/ alpha_bar.sqrt()", "/ alpha_bar.sqrt().clamp(min=0.01)"),
    ("root_plus", ("x_at_last", "x_only_at_0", *small("x")),
     "/ alpha_bar.sqrt()", "/ (alpha_bar.sqrt() + 1e-3)"),
    ("noise_floor", ("noise_estimate_at_0", "noise_estimate_at_data"), "(1 - alpha_bar).sqrt() * noise",
     "(1 - alpha_bar).clamp(min=1e-3).sqrt() * noise"),
    ("first_decides", ("samples_mixed", "x_too_large"), "    x0 = ",
     "    if t_prev[0] == -1:\n        alpha_bar_prev = torch.ones_like(alpha_bar_prev)\n    x0 = "),
    ("first_t_decides", "samples_mixed", f"return {BACK}", f"return x0 if t[0] == 0 else {BACK}"),
    ("any_decides", ("samples_mixed", "x_too_large", "clean_estimate"), f"return {BACK}",
     f"return x0 if (t_prev < 0).any() else {BACK}"),
    ("all_decide", ("wrapped", "x_at_data"), "gather_per_sample(with_data, t_prev, x)",
     f"torch.ones_like(alpha_bar) if (t_prev < 0).all() else {BAR.replace('t, x', 't_prev, x')}"),
    ("cut_at_three", ("not_a_sum", "clamped"), f"x0 = {X0}", f"x0 = ({X0}).clamp(-3, 3)"),
    ("x_cut", "not_a_sum", f"x0 = {X0}", f"x = x.clamp(-6, 6)\n    x0 = {X0}"),
    ("estimate_cut", "not_a_sum", f"x0 = {X0}", f"noise_estimate = noise_estimate.clamp(-8, 8)\n    x0 = {X0}"),
    ("result_cut", ("clamped", "not_a_sum"), f"return {BACK}", f"return ({BACK}).clamp(-1, 1)"),
    ("thresholded", ("not_a_sum", "x_size", *small("x")), f"x0 = {X0}",
     f"x0 = {X0}\n    top = x0.abs().flatten(1).amax(1) if x.dim() > 1 else x0.abs()\n"
     "    x0 = x0 / top.clamp(min=1).reshape(-1, *[1] * (x.dim() - 1))"),
    ("stochastic", ("not_repeatable", "noise_estimate_size"), f"return {BACK}",
     "eta = ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)).sqrt()\n"
     "    return alpha_bar_prev.sqrt() * x0 + (1 - alpha_bar_prev - eta**2).sqrt() * noise_estimate "
     "+ eta * torch.randn_like(x)"),
    ("variance_reduced", ("noise_estimate_size", "noise_estimate_too_large", *small("noise_estimate")),
     "(1 - alpha_bar_prev).sqrt()",
     "((1 - alpha_bar_prev) * alpha_bar_prev).sqrt()"),
    ("score_for_noise", ("noise_estimate_size", "noise_estimate_sign_and_size"), "    x0 = ",
     "    noise_estimate = -noise_estimate / (1 - alpha_bar).sqrt()\n    x0 = "),
    ("one_step_bar", (*small("x"), "x_size", "x_only_at_0", "single_steps"), "alpha_bar_prev = ",
     "alpha_bar_prev = alpha_bar / "
     "gather_per_sample(schedule.alphas, t, x) + 0 * "),
    ("gather_on_cpu", "hard_coded_device", BAR,
     "schedule.alpha_bars.gather(-1, t.cpu()).reshape(-1, *[1] * (x.dim() - 1))"),
    ("last_left_out", ("x_at_last",
     "x_size"), BAR, "gather_per_sample(schedule.alpha_bars, t.clamp(max=schedule.steps - 2), x)"),
    ("bar_of_lab", ("raised", "x_size", *small("x"),
     "x_only_at_0"), BAR, "gather_per_sample(linear_schedule(1000).alpha_bars, t, x)"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
DOC = '"""Return x at the earlier step t_prev, given x at step t. A t_prev of -1 means the data."""'
for name, finds, edits in wrong_habits(DOC, BACK, "x", "step"):
    wrong(name, finds, edit=edits, setup=SETUP)
for name, edits in right_habits(DOC, BACK, ("x", "noise_estimate"), "step"):
    right(name, edit=edits)
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
right("no_gradients", edit=[("def ddim_step(", "@torch.no_grad()\ndef ddim_step(")])
right("other_names", source='''
def ddim_step(x_t, now, then, eps, sched):
    bars = torch.nn.functional.pad(sched.alpha_bars, (1, 0), value=1.0)
    shape = (len(now),) + (1,) * (x_t.ndim - 1)
    a, b = bars.index_select(0, now + 1).view(shape), bars.index_select(0, then + 1).view(shape)
    pred_x0 = (x_t - torch.sqrt(1.0 - a) * eps) / torch.sqrt(a)
    dir_xt = torch.sqrt(1.0 - b) * eps
    return torch.sqrt(b) * pred_x0 + dir_xt
''')  # fmt: skip
right("vmap", source=function(DDIM_HEAD, """
def one(row, a, b, e):
    return b.sqrt() * (row - (1 - a).sqrt() * e) / a.sqrt() + (1 - b).sqrt() * e

a = schedule.alpha_bars[t]
b = torch.where(t_prev < 0, torch.ones_like(a), schedule.alpha_bars[t_prev.clamp_min(0)])
return torch.func.vmap(one)(x, a, b, noise_estimate)
"""))  # fmt: skip
right("by_the_lab", source=function(DDIM_HEAD, """
score = score_from_noise(noise_estimate, t, schedule)
a = gather_per_sample(schedule.alpha_bars, t, x)
clean = (x + (1 - a) * score) / a.sqrt()
again = add_noise(clean, t_prev.clamp(min=0), noise_estimate, schedule)
return torch.where(gather_per_sample(t_prev < 0, torch.arange(len(t), device=t.device), x), clean, again)
"""))  # fmt: skip
right("ode_form", source=function(DDIM_HEAD, """
a = gather_per_sample(schedule.alpha_bars, t, x)
b = gather_per_sample(torch.cat([schedule.alpha_bars, schedule.alpha_bars.new_ones(1)]), t_prev, x)
ratio = lambda v: ((1 - v) / v).sqrt()
return b.sqrt() * (x / a.sqrt() + (ratio(b) - ratio(a)) * noise_estimate)
"""))  # fmt: skip
right("in_place_on_copies", source=function(DDIM_HEAD, """
a = gather_per_sample(schedule.alpha_bars, t, x)
b = torch.where(gather_per_sample(t_prev, torch.arange(len(t), device=t.device), x) >= 0,
                gather_per_sample(schedule.alpha_bars, t_prev, x), 1.0)
out = x.detach().clone()
out.sub_((1 - a).sqrt() * noise_estimate).div_(a.sqrt()).mul_(b.sqrt())
return out.add_((1 - b).sqrt() * noise_estimate)
"""))  # fmt: skip
right("small_constant", edit=[("/ alpha_bar.sqrt()", "/ (alpha_bar + 1e-9).sqrt()")])
right(
    "by_the_ratio_of_noise_to_data",
    source="""
def ddim_step(x, t, t_prev, noise_estimate, schedule):
    bars = torch.cat([schedule.alpha_bars, schedule.alpha_bars.new_ones(1)])
    now, then = (gather_per_sample(bars, step, x) for step in (t, t_prev))
    u = x / now.sqrt() + ((1 / then - 1).sqrt() - (1 / now - 1).sqrt()) * noise_estimate
    return then.sqrt() * u
""",
)
right(
    "masked_rows",
    source="""
def ddim_step(x, t, t_prev, noise_estimate, schedule):
    bar = gather_per_sample(schedule.alpha_bars, t, x)
    out = (x - (1 - bar).sqrt() * noise_estimate) / bar.sqrt()
    inner = t_prev >= 0
    before = gather_per_sample(schedule.alpha_bars, t_prev[inner], out[inner])
    out[inner] = before.sqrt() * out[inner] + (1 - before).sqrt() * noise_estimate[inner]
    return out
""",
)
wrong("wraps_where_all_are_alike", finds="wrapped", edit=(
    LAST, f"{LAST} if len(t) < 2 or bool((t_prev != t_prev[0]).any())"
    " else schedule.alpha_bars[t_prev[0]]"))  # fmt: skip
# A table that is kept from an earlier call, and a schedule's end that is assumed.
KEPT = """
BARS = {}


def ddim_step(x, t, t_prev, noise_estimate, schedule):
    FORGET
    if KEY not in BARS:
        BARS[KEY] = torch.cat([schedule.alpha_bars, schedule.alpha_bars.new_ones(1)])
    now, then = (gather_per_sample(BARS[KEY].to(x), step, x) for step in (t, t_prev))
    x0 = (x - (1 - now).sqrt() * noise_estimate) / now.sqrt()
    return then.sqrt() * x0 + (1 - then).sqrt() * noise_estimate
"""
for name, key, forget in (
    ("kept_by_length", "schedule.steps", ""),
    ("kept_until_the_length_changes", "schedule.steps", "if schedule.steps not in BARS: BARS.clear()"),
    ("kept_for_ever", "0", ""),
):
    wrong(name, ("schedule_not_read", "raised"), source=KEPT.replace("KEY", key).replace("FORGET", forget))
wrong("end_assumed", "schedule_not_read", edit=(
    f"{BAR}\n", f"{BAR}\n    end = (t == schedule.steps - 1).reshape(alpha_bar.shape)\n"
    "    alpha_bar = torch.where(end, alpha_bar.clamp(max=5e-5), alpha_bar)\n"))  # fmt: skip
right("kept_with_the_schedule", source="from functools import lru_cache\n\n\n@lru_cache\n" + function(
    "with_data(schedule)", "return torch.cat([schedule.alpha_bars, schedule.alpha_bars.new_ones(1)])",
) + "\n\n\n" + function(DDIM_HEAD, """
now, then = (gather_per_sample(with_data(schedule), step, x) for step in (t, t_prev))
x0 = (x - (1 - now).sqrt() * noise_estimate) / now.sqrt()
return then.sqrt() * x0 + (1 - then).sqrt() * noise_estimate
"""))  # fmt: skip
OWN = "torch.linspace(1e-4, 0.02, 1000, device=x.device)"
wrong("own_schedule", "schedule_not_read", edit=("    alpha_bar =", f"    betas = {OWN}\n"
      "    schedule = Schedule(betas, 1 - betas, (1 - betas).cumprod(0))\n    alpha_bar ="))  # fmt: skip
AT_DATA = "(t_prev < 0).reshape(alpha_bar.shape)"
for name, old, new in (  # wrong at t_prev = -1, in all of these samples or in some
    ("data_only_from_0", LAST, "torch.where((t == 0).reshape(alpha_bar.shape), 1.0, "
     "gather_per_sample(schedule.alpha_bars, t_prev, x))"),
    ("x_as_data", f"return {BACK}", f"return torch.where({AT_DATA}, x, {BACK})"),
    ("same_noise_as_data", LAST, f"torch.where({AT_DATA}, alpha_bar, {LAST})"),
):  # fmt: skip
    wrong(name, "wrong_at_data", edit=(old, new))
