"""Exercise 1.6: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab1.guided_step")

GUIDED = "score + w * (class_score - score)"
DRIFT = "(beta(t) * x / 2 + beta(t) * guided) * h"
KICK = "torch.sqrt(beta(t) * h) * noise"
for name, finds, old, new in (
    ("swapped", "scales_swapped", GUIDED, "class_score + w * (score - class_score)"),
    ("other_convention", "other_convention", GUIDED, "(1 + w) * class_score - w * score"),
    ("not_extrapolated", "not_extrapolated", GUIDED, "score + w * class_score"),
    ("difference_only", "difference_only", GUIDED, "w * (class_score - score)"),
    ("unguided", "unguided", GUIDED, "score"),
    ("class_only", "unguided", GUIDED, "class_score"),
    ("everything_scaled", "scale_on_everything", GUIDED, "w * class_score"),
    ("wrong_difference", "wrong_difference", GUIDED, "score - w * (class_score - score)"),
    ("clipped", ("scale_clipped", "unguided"), GUIDED, "score + min(max(w, 0.0), 1.0) * (class_score - score)"),
    ("scale_rounded", "scale_altered", GUIDED, "score + int(w) * (class_score - score)"),
    ("scale_without_sign", "scale_altered", GUIDED, "score + abs(w) * (class_score - score)"),
    ("scale_at_most_five", "scale_altered", GUIDED, "score + min(w, 5.0) * (class_score - score)"),
    ("last_step_without_noise", "no_noise_at_the_end", KICK, f"{KICK} * (t - h > 2e-3)"),
    ("noise_h", "noise_times_h", KICK, "torch.sqrt(beta(t)) * h * noise"),
    ("no_root", "no_root", KICK, "beta(t) * h * noise"),
    ("noise_without_beta", "noise_without_beta", KICK, "torch.sqrt(h) * noise"),
    ("noise_unscaled", "noise_unscaled", KICK, "noise"),
    ("noise_missing", "noise_missing", f" + {KICK}", ""),
    ("noise_subtracted", "noise_subtracted", f"+ {KICK}", f"- {KICK}"),
    ("root_two", "noise_doubled", KICK, "torch.sqrt(2 * beta(t) * h) * noise"),
    ("forward_drift", "forward_drift", "(beta(t) * x / 2", "(-beta(t) * x / 2"),
    ("sign", "wrong_sign", "x / 2 + beta(t) * guided", "x / 2 - beta(t) * guided"),
    ("ode", "ode_half", "+ beta(t) * guided)", "+ beta(t) * guided / 2)"),
    ("drift_doubled", "drift_not_halved", "beta(t) * x / 2", "beta(t) * x"),
    ("no_linear_drift", "no_linear_drift", "beta(t) * x / 2 + ", ""),
    ("score_without_beta", "score_without_beta", "beta(t) * guided)", "guided)"),
    ("h_missing", "h_missing", f"{DRIFT}", "(beta(t) * x / 2 + beta(t) * guided)"),
    ("forwards", "forwards", f"x + {DRIFT}", f"x - {DRIFT}"),
    ("own_noise", "fresh_noise", KICK, KICK.replace("noise", "torch.randn_like(x)")),
    ("one_time", "wrong_step", "    guided =", "    t = t[:1]\n    guided ="),
    ("later_beta", "wrong_time", "    guided =", "    t = t - h\n    guided ="),
    ("first_step_size", "wrong_step", DRIFT, DRIFT.replace("* h", "* h[:1]")),
    (
        "score_clipped",
        "wrong_step",
        "    guided =",
        "    score, class_score = (v.clamp(-50, 50) for v in (score, class_score))\n    guided =",
    ),
    (
        "large_scores_clipped",
        "large_pull_too_small",
        "    guided =",
        "    score, class_score = (v.clamp(-1e4, 1e4) for v in (score, class_score))\n    guided =",
    ),
    ("guided_score_clipped", "wrong_step", DRIFT, DRIFT.replace("guided", "guided.clamp(-1e3, 1e3)")),
    ("silent_at_w_0", "noise_missing", KICK, f"{KICK} * (w != 0)"),
    ("silent_at_w_1", "noise_missing", KICK, f"{KICK} * (w != 1)"),
    ("scale_squared", "scale_altered", GUIDED, "score + w * abs(w) / 3 * (class_score - score)"),
    ("seeds", "seed_left", "    guided =", "    torch.manual_seed(0)\n    guided ="),
    ("in_place", "input_altered", f"return x + {DRIFT}", f"return x.add_({DRIFT})"),
    ("none", "returned_none", "return x +", "x +"),
    ("on_the_cpu", "hard_coded_device", KICK, f"{KICK} * torch.ones(1)[0].expand(x.shape).clone()"),
    ("result_on_the_cpu", "hard_coded_device", f"return x + {DRIFT} + {KICK}", f"return (x + {DRIFT} + {KICK}).cpu()"),
    ("read_by_numpy", "hard_coded_device", KICK, f"{KICK} * (1 + 0 * float(np.asarray(noise.detach()).max()))"),
):
    wrong(name, finds, edit=(old, new))
wrong("scale_limited_to_ten", finds="scale_altered", edit=("w * (", "min(w, 10) * ("))
right("weights", edit=(GUIDED, "(1 - w) * score + w * class_score"))
right("lerp", edit=(GUIDED, "torch.lerp(score, class_score, w)"))
right(
    "in_double",
    edit=[("    guided =", "    x, score, class_score = (v.double() for v in (x, score, class_score))\n    guided =")],
)
right(
    "in_place_on_own",
    edit=(f"return x + {DRIFT} + {KICK}", f"new = x.clone()\n    new += {DRIFT}\n    new += {KICK}\n    return new"),
)
right(
    "factored",
    edit=(f"x + {DRIFT} + {KICK}", "x * (1 + beta(t) * h / 2) + (beta(t) * h) * guided + (beta(t) * h) ** 0.5 * noise"),
)
right(
    "loop",
    edit=(
        f"x + {DRIFT} + {KICK}",
        "torch.stack([x[i] + beta(t[i]) * h[i] * (x[i] / 2 + guided[i]) + (beta(t[i]) * h[i]).sqrt() * noise[i]"
        " for i in range(len(x))])",
    ),
)
right("scale_as_a_float32_tensor", edit=(GUIDED, "score + torch.tensor(w) * (class_score - score)"))
right(
    "scale_a_row",
    edit=(GUIDED, "score + torch.full((len(x), 1, 1), float(w), device=x.device) * (class_score - score)"),
)
right(
    "in_float32",
    edit=(
        "    guided =",
        "    x, t, h, score, class_score, noise = (\n"
        "        v.float() for v in (x, t, h, score, class_score, noise))\n    guided =",
    ),
)
right(
    "vmap",
    edit=(
        f"return x + {DRIFT} + {KICK}",
        "def one(x, t, h, s, z):\n"
        "        return x + beta(t) * h * (x / 2 + s) + (beta(t) * h).sqrt() * z\n"
        "    return torch.func.vmap(one)(x, t, h, guided, noise)",
    ),
)
wrong("silent_if_all_at_one", finds="samples_mixed", edit=(KICK, f"({KICK} if bool((t < 1).any()) else 0 * noise)"))

# Values that are kept from an earlier call, under the shape of t or under its identity.
for name, key in (("beta_kept_by_shape", "t.shape"), ("beta_kept_by_identity", "id(t)")):
    wrong(
        name,
        finds=("samples_mixed", "raised", "wrong_step"),
        edit=(
            f"return x + {DRIFT} + {KICK}",
            f"""kept = guided_step.__dict__.setdefault(str({key}), (t, beta(t)))[1]
    return x + (kept * x / 2 + kept * guided) * h + torch.sqrt(kept * h) * noise""",
        ),
    )
wrong("root_plus_epsilon", finds="wrong_step", edit=(KICK, "torch.sqrt(beta(t) * h + 1e-5) * noise"))
wrong(
    "scale_in_half_precision",
    finds="scale_altered",
    edit=(GUIDED, "score + torch.tensor(w).half().item() * (class_score - score)"),
)
wrong(
    "shrunk_exactly",
    finds="not_finite",
    edit=(f"x + {DRIFT} + {KICK}", f"x / torch.sqrt(1 - beta(t) * h) + beta(t) * h * guided + {KICK}"),
)

# A constant is added to the variance of the noise, or a time or a step is limited: it shows at the ends of sampling.
for name, old, new in (
    ("root_plus_1e-6", KICK, "torch.sqrt(beta(t) * h + 1e-6) * noise"),
    ("time_within_0.999", "    guided =", "    t = t.clamp(max=0.999)\n    guided ="),
    ("time_within_0.9999", "    guided =", "    t = t.clamp(max=0.9999)\n    guided ="),
    ("silent_long_steps", KICK, f"{KICK} * (h <= 0.5)"),
):
    wrong(name, ("wrong_step", "last_kick_too_large", "whole_kick_too_small"), edit=(old, new))
wrong("silent_at_the_data", ("wrong_step", "no_noise_at_the_end"), edit=(KICK, f"{KICK} * (t - h > 0)"))
for name, limited in (("scale_within_100", "min(w, 100)"), ("scale_above_minus_10", "max(w, -10)")):
    wrong(name, "scale_altered", edit=("w * (", f"{limited} * ("))
wrong("scale_rounded_to_halves", "scale_altered", edit=("w * (", "round(2 * w) / 2 * ("))
wrong("less_noise_with_guidance", "wrong_step", edit=(KICK, f"{KICK} / max(1, w) ** 0.5"))
wrong("noise_in_half_precision", "wrong_step", edit=(KICK, KICK.replace("noise", "noise.half().to(x.dtype)")))

# Right but where two of the sizes b, sites and d are the same.
for name, old, new in (
    (
        "step_by_site_if_square",
        "    guided =",
        "    h = h.mT.transpose(0, 1) if len(x) == x.shape[1] else h\n    guided =",
    ),
    ("noise_transposed_if_square", KICK, KICK.replace("noise", "(noise.mT if x.shape[1] == x.shape[2] else noise)")),
):
    wrong(name, "wrong_step", edit=(old, new))
