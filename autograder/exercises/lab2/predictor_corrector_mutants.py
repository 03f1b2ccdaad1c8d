"""Exercise 2.4: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab2.predictor_corrector")

G2 = "variance = sigma**2 - sigma_next**2"
PREDICT = "return (x + variance * score + variance.sqrt() * noise) % 1.0"
CORRECT = "return (x + step * score + (2 * step).sqrt() * noise) % 1.0"


def predict(formula: str) -> tuple[str, str]:
    """Return the change that makes the predictor compute `formula`."""
    return PREDICT, f"return ({formula}) % 1.0"


def correct(formula: str) -> tuple[str, str]:
    """Return the change that makes the corrector compute `formula`."""
    return CORRECT, f"return ({formula}) % 1.0"


wrong("against_the_score", finds="wrong_sign", edit=predict("x - variance * score + variance.sqrt() * noise"))
wrong("noise_variance", finds="noise_not_rooted", edit=predict("x + variance * score + variance * noise"))
wrong("score_width", finds="score_rooted", edit=predict("x + variance.sqrt() * score + variance.sqrt() * noise"))
wrong("widths_subtracted", finds="widths_subtracted", edit=(G2, "variance = (sigma - sigma_next) ** 2"))
wrong("difference", finds="widths_subtracted", edit=(G2, "variance = sigma - sigma_next"))
wrong("half_drift", finds="half_drift", edit=predict("x + variance / 2 * score + variance.sqrt() * noise"))
wrong("predictor_without_noise", finds="no_noise", edit=predict("x + variance * score"))
wrong(
    "last_step_without_noise",
    finds="no_noise_at_the_end",
    edit=predict("x + variance * score + variance.sqrt() * noise * (sigma_next > 0.002)"),
)
wrong("predictor_without_score", finds="no_drift", edit=predict("x + variance.sqrt() * noise"))
wrong("double_noise", finds="double_noise", edit=predict("x + variance * score + (2 * variance).sqrt() * noise"))
wrong("variance_floor", finds="wrong_step", edit=(G2, "variance = (sigma**2 - sigma_next**2).clamp(min=0.01)"))
wrong("whole_sigma", finds="sigma_for_g", edit=(G2, "variance = sigma**2"))
wrong("next_sigma", finds="sigma_for_g", edit=(G2, "variance = sigma_next**2"))
wrong("order_swapped", finds="not_finite", edit=(G2, "variance = sigma_next**2 - sigma**2"))
wrong(
    "score_normalised", finds="score_normalised", edit=predict("x + variance / sigma * score + variance.sqrt() * noise")
)
wrong(
    "posterior_noise",
    finds="posterior_noise",
    edit=predict("x + variance * score + variance.sqrt() * sigma_next / sigma * noise"),
)
wrong(
    "predictor_not_wrapped",
    finds="not_wrapped",
    edit=(PREDICT, "return x + variance * score + variance.sqrt() * noise"),
)
wrong(
    "predictor_clamped",
    finds="walls",
    edit=(PREDICT, "return (x + variance * score + variance.sqrt() * noise).clamp(0, 1)"),
)
wrong(
    "predictor_own_noise",
    finds="fresh_noise",
    edit=predict("x + variance * score + variance.sqrt() * torch.randn_like(x)"),
)
wrong(
    "predictor_in_place",
    finds="input_altered",
    edit=(PREDICT, "x += variance * score + variance.sqrt() * noise\n    return x % 1.0"),
)
wrong("corrector_against", finds="wrong_sign", edit=correct("x - step * score + (2 * step).sqrt() * noise"))
wrong("corrector_two_missing", finds="two_missing", edit=correct("x + step * score + step.sqrt() * noise"))
wrong("corrector_not_rooted", finds="noise_not_rooted", edit=correct("x + step * score + 2 * step * noise"))
wrong("corrector_two_outside", finds="root_too_small", edit=correct("x + step * score + 2 * step.sqrt() * noise"))
wrong("corrector_half", finds="half_step", edit=correct("x + step / 2 * score + step.sqrt() * noise"))
wrong("corrector_double", finds="double_step", edit=correct("x + 2 * step * score + (2 * step).sqrt() * noise"))
wrong("corrector_squared", finds="step_squared", edit=correct("x + step**2 * score + math.sqrt(2) * step * noise"))
wrong("corrector_without_noise", finds="no_noise", edit=correct("x + step * score"))
wrong(
    "corrector_not_wrapped", finds="not_wrapped", edit=(CORRECT, "return x + step * score + (2 * step).sqrt() * noise")
)
wrong("corrector_none", finds="returned_none", edit=(CORRECT, "x = x + step * score"))
wrong(
    "on_the_cpu",
    finds="hard_coded_device",
    edit=(G2, "variance = (sigma**2 - sigma_next**2) * torch.ones(1, device='cpu')"),
)
wrong(
    "blank",
    finds="not_implemented",
    edit=[(PREDICT, "raise NotImplementedError()"), (CORRECT, "raise NotImplementedError()")],
)
wrong("no_corrector", finds="missing_name", edit=("def corrector_step", "def my_corrector"))

# --- limits that no state of the middle of the walk shows

for limit in ("10", "100", "1000"):
    wrong(
        f"score_clipped_at_{limit}",
        finds="wrong_step",
        edit=predict(f"x + variance * score.clamp(-{limit}, {limit}) + variance.sqrt() * noise"),
    )
    wrong(
        f"corrector_score_clipped_at_{limit}",
        finds="wrong_step",
        edit=correct(f"x + step * score.clamp(-{limit}, {limit}) + (2 * step).sqrt() * noise"),
    )
wrong("score_by_its_norm", finds="wrong_step", edit=(
    G2, G2 + "\n    score = score / score.norm(dim=1, keepdim=True).clamp(min=100) * 100"))  # fmt: skip
wrong("small_floor", finds="wrong_step", edit=(G2, "variance = (sigma**2 - sigma_next**2).clamp(min=1e-6)"))
wrong(
    "epsilon_under_the_root",
    finds="wrong_step",
    edit=predict("x + variance * score + (variance + 1e-8).sqrt() * noise"),
)
wrong("smallest_step", finds="wrong_step", edit=correct(
    "x + step * score + (2 * step.clamp(min=1e-6)).sqrt() * noise"))  # fmt: skip
wrong("noise_limited", finds="wrong_step", edit=predict(
    "x + variance * score + variance.sqrt() * noise.clamp(-2, 2)"))  # fmt: skip
wrong("drift_limited", finds="wrong_step", edit=predict(
    "x + (variance * score).clamp(-0.1, 0.1) + variance.sqrt() * noise"))  # fmt: skip

# --- one row for all, state that is kept, and what is left behind

wrong("first_sigma", finds="wrong_step", edit=(G2, "variance = (sigma**2 - sigma_next**2)[0]"))
wrong("first_step", finds="wrong_step", edit=(CORRECT, "step = step[0]\n    " + CORRECT))
wrong("step_of_the_first_call", finds="fresh_noise", edit=(
    CORRECT, "step = corrector_step.__dict__.setdefault('step', step[:1])\n    " + CORRECT))  # fmt: skip
wrong("noise_for_one_atom", finds="wrong_step", edit=correct("x + step * score + (2 * step).sqrt() * noise[:, :1]"))
wrong("seeds", finds="seed_left", edit=(G2, "torch.manual_seed(0)\n    " + G2))
wrong("marks_x", finds="requires_grad_left", edit=(G2, "x.requires_grad_()\n    " + G2))
wrong("no_gradients_afterwards", finds="setting_left", edit=(G2, "torch.set_grad_enabled(False)\n    " + G2))
wrong("corrector_by_sigma", finds="wrong_step", edit=correct("x + step * score / 0.12 + (2 * step).sqrt() * noise"))
wrong("corrector_clamped", finds="walls", edit=(
    CORRECT, "return (x + step * score + (2 * step).sqrt() * noise).clamp(0, 1)"))  # fmt: skip
wrong("corrector_own_noise", finds="fresh_noise", edit=correct(
    "x + step * score + (2 * step).sqrt() * torch.randn_like(x)"))  # fmt: skip

right(
    "power_of_a_half",
    edit=[
        (PREDICT, PREDICT.replace("variance.sqrt()", "variance**0.5")),
        (CORRECT, CORRECT.replace("(2 * step).sqrt()", "math.sqrt(2) * step**0.5")),
    ],
)
right(
    "g",
    edit=[
        (G2, "g = ((sigma - sigma_next) * (sigma + sigma_next)).sqrt()"),
        (PREDICT, "return torch.remainder(x + g * (g * score + noise), 1.0)"),
    ],
)
right("floor", edit=(CORRECT, "x = x + step * score + torch.sqrt(2 * step) * noise\n    return x - torch.floor(x)"))
right(
    "corrector_by_predictor",
    edit=(CORRECT, "return (predictor_step(x, 0 * score, (2 * step).sqrt(), 0 * step, noise) + step * score) % 1.0"),
)
right("wrapped_twice", edit=(PREDICT, "return ((x + variance * score) % 1.0 + variance.sqrt() * noise) % 1.0"))
right("float32_inside", edit=[
    (G2, "sigma, sigma_next = sigma.float(), sigma_next.float()\n    " + G2),
    (CORRECT, "x, score = x.float(), score.float()\n    " + CORRECT),
])  # fmt: skip
right("float32_at_the_end", edit=[
    (PREDICT, PREDICT.replace("return (", "return ((") + ").float()"),
    (CORRECT, CORRECT.replace("return (", "return ((") + ").float()"),
])  # fmt: skip
right("difference_floored_at_zero", edit=(G2, "variance = (sigma**2 - sigma_next**2).clamp(min=0)"))
right("epsilon_of_rounding", edit=predict("x + variance * score + (variance + 1e-14).sqrt() * noise"))
right(
    "addcmul", edit=(PREDICT, "return torch.addcmul(torch.addcmul(x, variance, score), variance.sqrt(), noise) % 1.0")
)
right(
    "copy_in_place",
    edit=(
        CORRECT,
        "y = x.clone()\n    y += step * score\n    y += torch.sqrt(2.0 * step) * noise\n    return y.remainder_(1.0)",
    ),
)
right("einsum", edit=predict("x + torch.einsum('bi,bn->bn', variance, score) + variance.sqrt() * noise"))
right(
    "numpy",
    edit=(
        CORRECT,
        "a, s, h, e = (v.detach().cpu().numpy() for v in (x, score, step, noise))\n"
        "    return torch.from_numpy(np.mod(a + h * s + np.sqrt(2 * h) * e, 1.0)).to(x)",
    ),
)
right("vmap", edit=(
    PREDICT, "move = lambda x, s, v, e: x + v * s + v.sqrt() * e\n"
    "    return torch.func.vmap(move)(x, score, variance, noise) % 1.0"))  # fmt: skip
right(
    "whole_turn_kept_open",
    edit=(PREDICT, "y = x + variance * score + variance.sqrt() * noise\n    return y - y.floor()"),
)
for line in (PREDICT, CORRECT):
    for name, outside in (("negative", "x < 0"), ("above_one", "x >= 1")):
        moved = line.replace("return (", "x = ").replace(") % 1.0", "")
        wrong(
            f"{'predictor' if line == PREDICT else 'corrector'}_wraps_if_some_are_{name}",
            finds="not_wrapped",
            edit=(line, f"{moved}\n    return x % 1.0 if bool(({outside}).any()) else x"),
        )
wrong("silent_if_all_go_to_the_least_noise", finds="samples_mixed", edit=(
    PREDICT, "if len(x) > 1 and sigma_next.unique().numel() == 1 and sigma_next[0] < 0.0011:\n"
    "        noise = 0 * noise\n    " + PREDICT))  # fmt: skip
wrong("score_clipped_at_the_labs_largest", finds="wrong_step", edit=predict(
    "x + variance * score.clamp(-5000, 5000) + variance.sqrt() * noise"))  # fmt: skip
wrong("no_noise_to_the_least_level", finds="no_noise_at_the_end", edit=predict(
    "x + variance * score + variance.sqrt() * noise * (sigma_next > 1.001e-3)"))  # fmt: skip
wrong("variance_kept_by_id", finds="result_kept", edit=(
    G2, "kept = predictor_step.__dict__.setdefault(str(id(sigma)), (sigma, sigma**2 - sigma_next**2))\n"
    "    variance = kept[1]"))  # fmt: skip
wrong("step_kept_by_place_in_memory", finds="result_kept", edit=(
    CORRECT, "if x.device.type != 'meta':\n        kept = corrector_step.__dict__\n"
    "        step = kept.setdefault(str((step.data_ptr(), step.shape)), step.clone())\n    " + CORRECT))  # fmt: skip
wrong("variance_kept_by_the_numbers_of_x", finds=("predictor_drift_missing", "predictor_width_missing"), edit=[
    (G2, G2 + "\n    kept, key = predictor_step.__dict__, x.device.type == 'meta' or str(x.tolist())\n"
     "    if x.device.type != 'meta' and key in kept:\n        return kept[key]"),
    (PREDICT, PREDICT.replace("return ", "kept[key] = ") + "\n    return kept[key]"),
])  # fmt: skip

# --- the edge of the cell, seeds, and state that is kept

UNWRAPPED = "x + variance * score + variance.sqrt() * noise", "x + step * score + (2 * step).sqrt() * noise"
for who, line, moved in zip(("predictor", "corrector"), (PREDICT, CORRECT), UNWRAPPED):
    for name, mirrored in {
        "absolute": f"({moved}).abs() % 1.0",
        "sign_dropped": f"torch.fmod({moved}, 1.0).abs()",
        "triangle": f"1 - (1 - ({moved}) % 2.0).abs()",
    }.items():
        wrong(f"{who}_{name}", finds=f"{who}_mirrors", edit=(line, f"return {mirrored}"))
    wrong(f"{who}_centred", finds="not_wrapped", edit=(line, f"x = {moved}\n    return x - x.round()"))
    wrong(f"{who}_wraps_five_times", finds="not_wrapped", edit=(
        line, f"x = {moved}\n    for _ in range(5):\n"
        "        x = torch.where(x >= 1, x - 1, torch.where(x < 0, x + 1, x))\n    return x"))  # fmt: skip
    wrong(
        f"{who}_without_the_axis_of_one_atom", finds="wrong_shape", edit=(line, f"return (({moved}) % 1.0).squeeze(-1)")
    )
    wrong(f"{who}_reuses_its_result", finds="result_overwritten", edit=(
        line, f"kept = {who}_step.__dict__.setdefault(str((x.shape, x.dtype, x.device)), torch.empty_like(x))\n"
        f"    return kept.copy_(({moved}) % 1.0)"))  # fmt: skip
    for module, seed in (("numpy", "np.random.seed(0)"), ("python", "__import__('random').seed(0)")):
        wrong(f"{who}_seeds_{module}", finds="seed_left", edit=(line, f"{seed}\n    {line}"))
wrong("variance_along_the_atoms", finds="wrong_step", edit=(
    G2, G2 + "\n    variance = variance.mT if x.shape[0] == x.shape[1] else variance"))  # fmt: skip
wrong("variance_kept_by_the_first_sigma", finds="predictor_at_1_wrong", edit=(
    G2, G2 + "\n    if x.device.type != 'meta':\n        kept = predictor_step.__dict__\n"
    "        variance = kept.setdefault(str((len(x), x.dtype, float(sigma[0]))), variance)"))  # fmt: skip
