"""Exercise 3.7: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import function

right, wrong = mutants_of("lab3.spot_the_bugs")
finds: str | tuple[str, ...]  # of every loop below

INSIDE = "model(x, t) - w * sigma * gradient"
TOTAL = "(1 - schedule.alpha_bars[step]).sqrt()"
NEXT = "x = ddpm_step(x, t, noise_estimate, noises[step], schedule)"
SHIFTED = NEXT + " + w * schedule.betas[step] / schedule.alphas[step].sqrt() * gradient"
for name, finds, edits in (
    ("sign_only", "wrong_sign", [(INSIDE, "model(x, t) + w * sigma * gradient")]),
    ("sigma_only", "sigma_of_one_step", [(TOTAL, "schedule.betas[step].sqrt()")]),
    ("clamp_only", "clamped", [(NEXT, NEXT + ".clamp(-1, 1)")]),
    ("sign_and_sigma", "wrong_sign",
     [(INSIDE, "model(x, t) + w * sigma * gradient"), (TOTAL, "schedule.betas[step].sqrt()")]),
    ("outside_and_clamp", "clamped", [(INSIDE, "model(x, t)"), (NEXT, f"x = ({SHIFTED[4:]}).clamp(-1, 1)")]),
    ("outside_sigma", "sigma_of_one_step",
     [(INSIDE, "model(x, t)"), (TOTAL, "schedule.betas[step].sqrt()"), (NEXT, NEXT + " + w * sigma * gradient")]),
    ("outside_total", "guidance_outside", [(INSIDE, "model(x, t)"), (NEXT, NEXT + " + w * sigma * gradient")]),
    ("twice", "guidance_twice", [(NEXT, NEXT + " + w * sigma * gradient")]),
    ("unguided", "unguided", [(INSIDE, "model(x, t)")]),
    ("no_sigma", "sigma_missing", [("w * sigma * gradient", "w * gradient")]),
    ("variance", "variance_for_sigma", [(TOTAL, "1 - schedule.alpha_bars[step]")]),
    ("no_scale", "scale_missing", [("w * sigma * gradient", "sigma * gradient")]),
    ("forwards", "wrong_order", [("reversed(range(schedule.steps))", "range(schedule.steps)")]),
    ("first_step_left_out", "wrong_number_of_calls",
     [("reversed(range(schedule.steps))", "reversed(range(1, schedule.steps))")]),
    ("noises_reversed", "wrong_noise", [("noises[step]", "noises[schedule.steps - 1 - step]")]),
    ("fresh_noise", "wrong_noise", [("noises[step]", "torch.randn_like(x)")]),
    ("labels", "wrong_labels",
     [("classifier_gradient(classifier, x, t, y)", "classifier_gradient(classifier, x, t, torch.zeros_like(y))")]),
    ("none", "returned_none", [("    return x", "    x")]),
    ("on_the_cpu", "hard_coded_device", [(", device=x.device)", ")")]),
    ("squeezed", "wrong_shape", [("    return x", "    return x.squeeze()")]),
    ("schedule_overwritten", "input_altered", [("    return x", "    schedule.alpha_bars[0] = 1.0\n    return x")]),
    ("start_overwritten", "input_altered", [("x = ddpm_step", "x[:] = ddpm_step")]),
    ("float_time", "time_not_integer", [("torch.full((len(x),), step,", "torch.full((len(x),), float(step),")]),
):  # fmt: skip
    wrong(name, finds, edit=edits)
BUGS_HEAD = "guided_sampler(x, y, w, model, classifier, schedule, classifier_gradient, ddpm_step, noises)"
wrong("as_it_was", ("guidance_outside", "clamped", "wrong_sign"), source=function(BUGS_HEAD, """
for step in reversed(range(schedule.steps)):
    t = torch.full((len(x),), step, device=x.device)
    gradient = classifier_gradient(classifier, x, t, y)
    noise_estimate = model(x, t)
    sigma = schedule.betas[step].sqrt()
    x_next = ddpm_step(x, t, noise_estimate, noises[step], schedule)
    x = (x_next - w * sigma * gradient).clamp(-1, 1)
return x
"""))  # fmt: skip
right("three_sigmas_by_hand", edit=[(TOTAL, "torch.sqrt(1 - schedule.alphas[: step + 1].prod())")])
right("keywords", source=function(BUGS_HEAD, """
for step in range(len(schedule.betas) - 1, -1, -1):
    t = torch.full((x.shape[0],), step, device=x.device, dtype=torch.long)
    e = model(x=x, t=t)
    g = classifier_gradient(classifier=classifier, x=x, t=t, y=y)
    e = e - w * (1 - gather_per_sample(schedule.alpha_bars, t, x)).sqrt() * g
    x = ddpm_step(x=x, t=t, noise_estimate=e, noise=noises[step], schedule=schedule)
return x
"""))  # fmt: skip
right("by_score", edit=[(INSIDE, "-sigma * (-model(x, t) / sigma + w * gradient)")])
right("progress", source=function(BUGS_HEAD, """
from tqdm import tqdm

sigmas = (1 - schedule.alpha_bars) ** 0.5
for step in tqdm(list(range(schedule.steps))[::-1]):
    t = torch.ones(len(x), dtype=torch.int64, device=x.device) * step
    direction = classifier_gradient(classifier, x, t, y)
    x = ddpm_step(x, t, model(x, t) - w * sigmas[step] * direction, noises[step], schedule)
return x
"""))  # fmt: skip
right("recursive", source=function(BUGS_HEAD, """
def down(x, step):
    if step < 0:
        return x
    t = torch.full((len(x),), step, device=x.device)
    e = model(x, t) - w * torch.sqrt(1 - schedule.alpha_bars[step]) * classifier_gradient(classifier, x, t, y)
    return down(ddpm_step(x, t, e, noises[step], schedule), step - 1)

return down(x, schedule.steps - 1)
"""))  # fmt: skip
for name, finds, edits in (
    ("scale_constant", "scale_fixed", [("w * sigma * gradient", "1.75 * sigma * gradient")]),
    ("scale_constant_other", ("wrong_sigma", "wrong_scale", "wrong_sign"), [("w * sigma", "3.0 * sigma")]),
    ("scale_size", "wrong_sign", [("w * sigma", "abs(w) * sigma")]),
    ("scale_limited", ("wrong_sigma", "scale_fixed"), [("w * sigma", "min(w, 5.0) * sigma")]),
    ("scale_positive", ("unguided", "wrong_sigma"), [("w * sigma", "max(w, 0.0) * sigma")]),
    ("never_without_guidance", ("guided_at_0", "wrong_sigma"),
     [("w * sigma", "(w or 0.1) * sigma")]),
    ("alpha_bar_floor", "wrong_sigma", [(TOTAL, "(1 - schedule.alpha_bars[step].clamp(min=1e-3)).sqrt()")]),
    ("sigma_floor", "not_in_all_steps", [(TOTAL, f"{TOTAL}.clamp(min=0.05)")]),
    ("one_plus_w", "wrong_sigma", [("w * sigma", "(1 + w) * sigma")]),
    ("estimate_cut", ("estimate_cut_off", "not_along_gradient"),
     [(INSIDE, f"({INSIDE}).clamp(-1, 1)")]),
    ("gradient_cut", "not_along_gradient", [("sigma * gradient", "sigma * gradient.clamp(-0.5, 0.5)")]),
    ("gradient_sign", "not_along_gradient", [("sigma * gradient", "sigma * gradient.sign()")]),
    ("cfg", ("not_along_gradient", "wrong_sigma"), [(INSIDE, "(1 - w) * model(x, t) - w * sigma * gradient")]),
    ("seeds", "seed_left", [("    for step in", "    torch.manual_seed(0)\n    for step in")]),
    ("last_left_out", "wrong_number_of_calls",
     [("reversed(range(schedule.steps))", "reversed(range(schedule.steps - 1))")]),
    ("model_after", "other_x", [("x = ddpm_step(x, t, noise", "x = ddpm_step(x + 0.01, t, noise")]),
    ("model_twice", "wrong_number_of_calls", [(INSIDE, f"{INSIDE} + 0 * model(x, t)")]),
    ("time_of_model", "other_t", [("model(x, t)", "model(x, (t - 1).clamp(min=0))")]),
    ("last_clean", "clamped", [("    return x", "    return x.clamp(-1, 1)")]),
    ("no_grad_left", "setting_left", [("    for step in", "    torch.set_grad_enabled(False)\n    for step in")]),
):  # fmt: skip
    wrong(name, finds, edit=edits)
right("equivalent_shift", edit=[(INSIDE, "model(x, t)"), (NEXT, SHIFTED)])
right("scale_as_tensor", edit=[("w * sigma", "torch.tensor(w, dtype=torch.float32, device=x.device) * sigma")])
right("sigma_per_sample", edit=[("* sigma *", "* gather_per_sample((1 - schedule.alpha_bars).sqrt(), t, x) *")])
right("no_gradients", edit=[("def guided_sampler(", "@torch.no_grad()\ndef guided_sampler(")])
right("addcmul", edit=[(INSIDE, "torch.add(model(x, t), gradient, alpha=-w * float(sigma))")])
right("in_float32", edit=[("w * sigma", "w * sigma.float()")])
for name, finds, edits in (
    ("clamp_wide", "clamped", [(NEXT, NEXT + ".clamp(-6, 6)")]),
    ("clamp_at_the_end", "clamped", [(NEXT, NEXT + "\n        x = x.clamp(-1, 1) if step == 0 else x")]),
    ("estimate_cut_wide", ("estimate_cut_off", "not_along_gradient"), [(INSIDE, f"({INSIDE}).clamp(-3, 3)")]),
    ("no_guidance_in_the_last_step", "not_in_all_steps", [("w * sigma", "(step > 0) * w * sigma")]),
    ("guided_from_one_on", "unguided", [("w * sigma", "(w >= 1) * w * sigma")]),
    ("gradient_by_its_length", "wrong_sigma", [("sigma * gradient", "sigma * gradient / gradient.norm()")]),
    ("guidance_by_step", "not_in_all_steps", [("w * sigma", "w * (step + 1) / schedule.steps * sigma")]),
    ("mean_shift", ("guidance_outside", "wrong_sigma"),
     [(INSIDE, "model(x, t)"), (NEXT, NEXT + " + w * schedule.betas[step] * gradient")]),
    ("moved_before_the_step", "other_x",
     [(INSIDE, "model(x, t)"), ("ddpm_step(x, t", "ddpm_step(x + w * gradient, t")]),
    ("through_the_noise", "wrong_noise", [(INSIDE, "model(x, t)"), ("noises[step]", "noises[step] + w * gradient")]),
):  # fmt: skip
    wrong(name, finds, edit=edits)
right("functional", source="from functools import reduce\n\n\n" + function(BUGS_HEAD, """
def down(x, step):
    t = torch.full_like(y, step)
    e = model(x, t) - w * (1 - schedule.alpha_bars[step]) ** 0.5 * classifier_gradient(classifier, x, t, y)
    return ddpm_step(x, t, e, noises[step], schedule)

return reduce(down, range(schedule.steps - 1, -1, -1), x)
"""))  # fmt: skip
right("x_in_float32_after_each_step", edit=[(NEXT, NEXT + ".float()")])
right("sample_in_float32", edit=[("return x", "return x.float()")])
wrong(
    "gradient_limited",
    ("not_along_gradient", "no_factor"),
    edit=[("sigma * gradient", "sigma * gradient.clamp(-1, 1)")],
)
for name, finds, line in (
    ("modules_to_evaluation", "mode_left", "if isinstance(net, nn.Module): net.eval()"),
    ("modules_frozen", "requires_grad_left", "if isinstance(net, nn.Module): net.requires_grad_(False)"),
    ("modules_without_gradients", "gradient_cleared", "if isinstance(net, nn.Module): net.zero_grad()"),
):
    wrong(
        name, finds, edit=[("    for step in", f"    for net in (model, classifier):\n        {line}\n    for step in")]
    )
wrong("inference", "inference_mode", edit=[("def guided_sampler(", "@torch.inference_mode()\ndef guided_sampler(")])
right("model_in_inference_mode", edit=[
    ("    for step in", "    estimate = torch.inference_mode()(model)\n    for step in"),
    ("model(x, t)", "estimate(x, t)"),
])  # fmt: skip
GRADIENT = "gradient = classifier_gradient(classifier, x, t, y)"
LENGTH = "gradient.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.dim() - 1))"
for name, finds, edits in (
    ("gradient_at_most_30", "not_along_gradient", [(GRADIENT, f"{GRADIENT}.clamp(-30, 30)")]),
    ("gradient_length_at_most_10", "not_along_gradient",
     [(GRADIENT, f"{GRADIENT}\n        gradient = gradient * (10 / {LENGTH}.clamp(min=10))")]),
    ("gradient_of_the_step_before", ("not_along_gradient", "no_factor"),
     [("    for step in", "    after = torch.zeros_like(x)\n    for step in"),
      (GRADIENT, f"before, after = after, {GRADIENT[11:]}"), ("sigma * gradient", "sigma * before")]),
    ("estimate_of_the_data", "guidance_twice",
     [("return x", "return (x - (1 - schedule.alpha_bars[0]).sqrt() * noise_estimate) / schedule.alphas[0].sqrt()")]),
    ("scale_to_one_decimal", "wrong_sigma", [("w * sigma", "round(w, 1) * sigma")]),
    ("guided_in_the_first_half", "not_in_all_steps", [("w * sigma", "(step >= schedule.steps // 2) * w * sigma")]),
    ("totals_until_the_length_changes", "wrong_sigma",
     [("def guided_sampler(", "LAST = []\n\n\ndef guided_sampler("),
      ("    for step in", "    if len(LAST) != schedule.steps:\n        LAST[:] = (1 - schedule.alpha_bars).sqrt()"
       ".tolist()\n    for step in"), (TOTAL, "LAST[step]")]),
):  # fmt: skip
    wrong(name, finds, edit=edits)
wrong("result_by_scale_and_shape", ("result_kept", "wrong_number_of_calls"), edit=[
    ("def guided_sampler(", "DONE = {}\n\n\ndef guided_sampler("),
    ("    for step in", "    key = w, x.shape, schedule.steps\n    if key in DONE: return DONE[key]\n    for step in"),
    ("    return x", "    DONE[key] = x\n    return x"),
])  # fmt: skip
right("zeros_as_noise_at_0", edit=[("noises[step]", "(noises[step] if step > 0 else torch.zeros_like(x))")])
right("no_noise_at_0", edit=[("noises[step]", "(noises[step] if step > 0 else 0)")])
right("no_gradient_at_scale_0", edit=[(GRADIENT, f"{GRADIENT} if w != 0 else torch.zeros_like(x)")])
wrong("start_scaled", "other_start", edit=[("    for step in", "    x = x / x.std()\n    for step in")])
# Each loses the points of the clamp alone: tests/exercises/lab3.
for name, edit in (
    ("cut_before_the_first_step", ("    for step in", "    x = x.clamp(-1, 1)\n    for step in")),
    ("cut_in_the_last_step", ("    return x", "    return x.clamp(-1, 1)")),
    ("cut_wide_in_the_last_step", ("    return x", "    return x.clamp(-3, 3)")),
    ("cut_but_in_the_last_step", ("    return x", "        x = x.clamp(-1, 1) if step > 0 else x\n    return x")),
    ("cut_to_positive", ("    return x", "        x = x.clamp(0, 1)\n    return x")),
    ("cut_below", ("    return x", "        x = x.clamp(min=-1)\n    return x")),
):
    wrong(name, "clamped", edit=[edit])
    wrong(f"{name}_and_shifted", "clamped", edit=[(INSIDE, "model(x, t)"), (NEXT, SHIFTED), edit])
