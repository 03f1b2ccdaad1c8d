"""Exercise 1.4: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import function

right, wrong = mutants_of("lab1.conditional_score")

WIDTH = "(2 * sigma(t) ** 2)"
BEST = "(alpha(t) * best_guess - x) / sigma(t) ** 2"
SHARES = "torch.softmax(setting.weights[y].log() + log_sites.logsumexp(-1).sum(-1), dim=-1)"
MEANS = "torch.softmax(log_sites, dim=-1) @ setting.points"
for name, finds, old, new in (
    ("world_in_place", "input_altered", "    distance =", "    setting.weights.clamp_(min=1e-300)\n    distance ="),
    ("divided_by_sigma", "variance_not_squared", BEST, "(alpha(t) * best_guess - x) / sigma(t)"),
    ("sign", "wrong_sign", BEST, "(x - alpha(t) * best_guess) / sigma(t) ** 2"),
    ("noise", "noise_instead", BEST, "(x - alpha(t) * best_guess) / sigma(t)"),
    ("best_guess", "guess_instead", BEST, "best_guess"),
    ("not_divided", "not_divided", BEST, "alpha(t) * best_guess - x"),
    ("a_missing", "a_missing", BEST, "(best_guess - x) / sigma(t) ** 2"),
    ("shares_not_updated", "shares_not_updated", SHARES, "setting.weights[y].expand(len(x), -1)"),
    (
        "shares_per_site",
        "shares_per_site",
        [
            (SHARES, "torch.softmax(setting.weights[y].log()[..., None] + log_sites.logsumexp(-1), dim=1)"),
            ('"bc,bcld->bld"', '"bcl,bcld->bld"'),
        ],
        None,
    ),
    (
        "weights_missing",
        "weights_missing",
        "setting.weights[y].log() + ",
        "torch.log((setting.weights[y] > 0).to(x)) + ",
    ),
    ("all_components", "weights_missing", "setting.weights[y].log() + ", ""),
    (
        "unconditional",
        ("unconditional", "weights_missing", "wrong_score"),
        "setting.weights[y].log()",
        "(setting.prior @ setting.weights).log()",
    ),
    (
        "letters_missing",
        ("letters_missing", "wrong_score"),
        "setting.probs.log() -",
        "torch.log((setting.probs > 0).to(x)) -",
    ),
    (
        "label_0_for_none",
        "pull_wrong",
        "setting.weights[y].log()",
        "torch.where((y > 0)[:, None], setting.weights[y], setting.prior @ setting.weights).log()",
    ),
    (
        "constant_added_to_all",
        ("wrong_score", "pull_wrong"),
        "setting.probs.log() -",
        "(setting.probs + 1e-12).log() -",
    ),
    ("twice_the_exponent", ("half_exponent", "wrong_score"), WIDTH, "sigma(t) ** 2"),
    ("exponent_sigma", ("half_exponent", "wrong_score"), WIDTH, "(2 * sigma(t))"),
    (
        "hard_component",
        ("hard_component",),
        'torch.einsum("bc,bcld->bld", shares, means)',
        "means[torch.arange(len(x)), shares.argmax(-1)]",
    ),
    ("prior_mean", ("prior_mean",), MEANS, "(setting.probs @ setting.points).expand(len(x), -1, -1, -1)"),
    (
        "exp_not_log",
        ("not_finite", "wrong_score"),
        SHARES,
        "(lambda p: p / p.sum(-1, keepdim=True))(setting.weights[y] * log_sites.exp().sum(-1).prod(-1))",
    ),
    ("hard_letter", ("wrong_score",), MEANS, "setting.points[log_sites.argmax(-1)]"),
    ("class_zero", ("wrong_score", "unconditional"), "setting.weights[y]", "setting.weights[torch.zeros_like(y)]"),
    (
        "sites_averaged",
        ("wrong_score", "shares_not_updated", "wrong_components"),
        "log_sites.logsumexp(-1).sum(-1)",
        "log_sites.logsumexp(-1).mean(-1)",
    ),
    ("clipped", "wrong_score", BEST, f"({BEST}).clamp(-100, 100)"),
    ("clipped_far_out", "wrong_score", BEST, f"({BEST}).clamp(-1e4, 1e4)"),
    (
        "variance_with_a_floor",
        ("wrong_score", "wrong_components"),
        "/ sigma(t) ** 2",
        "/ (sigma(t) ** 2).clamp_min(1e-3)",
    ),
    ("variance_plus_epsilon", "wrong_score", "/ sigma(t) ** 2", "/ (sigma(t) ** 2 + 1e-6)"),
    ("alpha_with_a_floor", "wrong_score", "alpha(t) * best_guess", "alpha(t).clamp_min(0.012) * best_guess"),
    ("a_squared", ("wrong_score", "wrong_components"), "alpha(t) * best_guess", "alpha(t) ** 2 * best_guess"),
    (
        "label_zero_for_none",
        ("wrong_score", "wrong_components"),
        "setting.weights[y].log()",
        "setting.weights[y.clamp_min(1)].log()",
    ),
    (
        "labels_of_the_batch",
        ("wrong_score", "wrong_components"),
        "setting.weights[y].log()",
        "setting.weights[y[:1]].log()",
    ),
    ("first_time_for_all", ("wrong_score", "wrong_components"), "    distance =", "    t = t[:1]\n    distance ="),
    ("inside_in_float32", "digits_lost", "distance = (x[", "x, t = x.float(), t.float()\n    distance = (x["),
    ("result_in_float32", ("wrong_dtype", "digits_lost"), BEST, f"({BEST}).float()"),
    ("projected", ("wrong_score", "wrong_components"), BEST, f"(lambda s: s - s.mean(-1, True))({BEST})"),
    ("seeds", "seed_left", "    distance =", "    torch.manual_seed(0)\n    distance ="),
    ("switches_x", "requires_grad_left", "    distance =", "    x.requires_grad_()\n    distance ="),
    ("none", "returned_none", "return (alpha(t)", "(alpha(t)"),
):
    codes: tuple[str, ...] = (finds,) if isinstance(finds, str) else finds
    codes += ("pull_wrong", "wrong_letters", "wrong_far_out") if "wrong_score" in codes else ()
    wrong(name, codes, edit=old if new is None else (old, new))


def score(body: str) -> str:
    """Return `conditional_score` with this body."""
    return function("conditional_score(x, t, y, setting)", body)


wrong(
    "gradient_of_posterior",
    ("gradient_of_posterior", "not_closed_form"),
    source=score("""
z = x.detach().requires_grad_()
d2 = (z[:, :, None] - alpha(t)[..., None] * setting.points).square().sum(-1)
logs = (setting.probs.log() - (d2 / (2 * sigma(t) ** 2))[:, None]).logsumexp(-1).sum(-1)
classes = setting.prior.log() + (setting.weights.log() + logs[:, None]).logsumexp(-1)
return torch.autograd.grad(classes.log_softmax(-1)[torch.arange(len(y)), y].sum(), z)[0]
"""),
)
wrong(
    "autograd",
    "not_closed_form",
    source=score("""
z = x.detach().double().requires_grad_()
d2 = (z[:, :, None] - alpha(t)[..., None] * setting.points).square().sum(-1)
logs = (setting.probs.log() - (d2 / (2 * sigma(t).double() ** 2))[:, None]).logsumexp(-1).sum(-1)
total = (setting.weights[y].log() + logs).logsumexp(-1).sum()
return torch.autograd.grad(total, z)[0]
"""),
)
wrong(
    "functional_autograd",
    "not_closed_form",
    source=score("""
def log_p(z, s, k):
    d2 = (z[:, None] - alpha(s)[..., None] * setting.points).square().sum(-1)
    logs = (setting.probs.log() - d2 / (2 * sigma(s) ** 2)).logsumexp(-1).sum(-1)
    return (setting.weights.log().index_select(0, k[None])[0] + logs).logsumexp(-1)

return torch.func.vmap(torch.func.grad(log_p))(x, t, y)
"""),
)
right(
    "vmap",
    source=score("""
def one(z, a, s, w):
    d2 = (z[:, None] - a[..., None] * setting.points).square().sum(-1)
    logs = setting.probs.log() - d2 / (2 * s**2)
    shares = torch.softmax(w.log() + logs.logsumexp(-1).sum(-1), -1)
    return (a * torch.tensordot(shares, logs.softmax(-1) @ setting.points, 1) - z) / s**2

return torch.func.vmap(one)(x, alpha(t), sigma(t), setting.weights[y])
"""),
)
right("in_place_on_own", edit=(BEST, "best_guess.mul_(alpha(t)).sub_(x).div_(sigma(t).square())"))
right(
    "norm_of_differences",
    edit=(
        "(x[:, :, None, :] - alpha(t)[..., None] * setting.points).square().sum(-1)",
        "torch.linalg.vector_norm(x[:, :, None, :] - alpha(t)[..., None] * setting.points, dim=-1) ** 2",
    ),
)
right("two_terms", edit=(BEST, "alpha(t) / sigma(t) ** 2 * best_guess - x / sigma(t) ** 2"))
right("indexed_by_class", edit=("setting.weights[y].log()", "torch.index_select(setting.weights, 0, y).log()"))
right(
    "one_hot_classes",
    edit=("setting.weights[y].log()", "(nn.functional.one_hot(y, setting.classes).to(x) @ setting.weights).log()"),
)
right(
    "component_scores",
    source=score("""
d2 = (x[:, :, None] - alpha(t)[..., None] * setting.points).square().sum(-1)
logs = torch.log(setting.probs) - (d2 / (2 * sigma(t) ** 2))[:, None]
r = torch.softmax(torch.log(setting.weights[y]) + torch.logsumexp(logs, 3).sum(2), 1)
answer = 0
for c in range(len(setting.probs)):
    p = torch.softmax(logs[:, c], dim=2)
    own = ((p[..., None] * setting.points).sum(2) * alpha(t) - x) / sigma(t) ** 2
    answer = answer + r[:, c, None, None] * own
return answer
"""),
)
right(
    "by_class",
    source=score("""
d2 = (x[:, :, None] - alpha(t)[..., None] * setting.points).square().sum(-1)
logs = torch.log(setting.probs) - (d2 / (2 * sigma(t) ** 2))[:, None]
answer = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
for k in range(len(setting.prior)):
    r = torch.softmax(torch.log(setting.weights[k]) + logs.logsumexp(-1).sum(-1), -1)
    m = (r[..., None, None] * (torch.softmax(logs, -1) @ setting.points)).sum(1)
    answer = torch.where((y == k)[:, None, None], (alpha(t) * m - x) / sigma(t) ** 2, answer)
return answer
"""),
)
right(
    "double",
    edit=[("distance = (x[", "distance = (x.double()["), ("@ setting.points", "@ setting.points.double()")],
)
right(
    "joint_softmax",
    source=score("""
d2 = (x[:, :, None] - alpha(t)[..., None] * setting.points).square().sum(-1)
logs = torch.log(setting.probs) - (d2 / (2 * sigma(t) ** 2))[:, None]
shares = (torch.log(setting.weights)[y] + logs.logsumexp(-1).sum(-1)).softmax(-1)
letters = (shares[:, :, None, None] * logs.softmax(-1)).sum(1)
exact = x.dtype == torch.float64 and t.min() > 0.01
variance = 1 - alpha(t).double() ** 2 if exact else sigma(t) ** 2
return (alpha(t) * (letters @ setting.points) - x) / variance
"""),
)
wrong(
    "gradient_of_posterior_in_closed_form",
    "gradient_of_posterior",
    source=score("""
d2 = (x[:, :, None] - alpha(t)[..., None] * setting.points).square().sum(-1)
logs = torch.log(setting.probs) - (d2 / (2 * sigma(t) ** 2))[:, None]
parts = logs.logsumexp(-1).sum(-1)
means = logs.softmax(-1) @ setting.points
own = torch.einsum("bc,bcld->bld", (setting.weights[y].log() + parts).softmax(-1), means)
whole = torch.einsum("bc,bcld->bld", ((setting.prior @ setting.weights).log() + parts).softmax(-1), means)
return alpha(t) * (own - whole) / sigma(t) ** 2
"""),
)
wrong("distance_averaged", "distance_averaged", edit=("square().sum(-1)", "square().mean(-1)"))
wrong("two_classes_only", "classes_limited", edit=("setting.weights[y]", "setting.weights[y.clamp(max=1)]"))
wrong("next_class_if_all_alike", "samples_mixed", edit=(
    "setting.weights[y]",
    "setting.weights[y if len(y) < 2 or bool((y != y[0]).any()) else (y + 1) % setting.classes]"))  # fmt: skip

# x is limited, or a number takes the place of log(0): it shows where x is large and as near to one word as to another.
LOGS = "setting.probs.log() -"
LOG_WEIGHTS = "setting.weights[y].log()"
for name, finds, old, new in (
    ("x_within_20", "wrong_at_100", "distance = (x[", "distance = (x.clamp(-20, 20)["),
    ("x_above_minus_90", "wrong_at_100", "distance = (x[", "distance = (x.clamp(min=-90)["),
    ("letters_at_minus_1e4", "wrong_at_100", LOGS, "torch.nan_to_num(setting.probs.log(), neginf=-1e4) -"),
    ("letters_at_minus_1e6", "wrong_at_100", LOGS, "torch.nan_to_num(setting.probs.log(), neginf=-1e6) -"),
    ("weights_at_minus_100", "pull_wrong", LOG_WEIGHTS, "torch.nan_to_num(setting.weights[y].log(), neginf=-100.0)"),
    ("weights_at_minus_1e3", "wrong_at_100", LOG_WEIGHTS, "torch.nan_to_num(setting.weights[y].log(), neginf=-1e3)"),
    ("weights_at_minus_1e7", "wrong_at_100", LOG_WEIGHTS, "torch.nan_to_num(setting.weights[y].log(), neginf=-1e7)"),
    ("weights_at_1e-300", ("wrong_at_100", "pull_wrong"), LOG_WEIGHTS, "(setting.weights[y] + 1e-300).log()"),
    ("weights_in_float32", "digits_lost", LOG_WEIGHTS, "setting.weights[y].float().log().to(x.dtype)"),
    ("time_in_float32", "digits_lost", "    distance =", "    t = t.float().to(x.dtype)\n    distance ="),
    (
        "label_changed_alone",
        "input_altered",
        "    distance =",
        "    y.clamp_(max=max(1, len(y) - 1))\n    distance =",
    ),
):
    wrong(name, finds, edit=(old, new))

wrong("width_plus_1e-8", ("wrong_score", "wrong_components"), edit=(WIDTH, "(2 * (sigma(t) ** 2 + 1e-8))"))
wrong(
    "best_guess_limited",
    ("pull_wrong", "wrong_score", "digits_lost"),
    edit=(BEST, "(alpha(t) * best_guess.clamp(-1 + 1e-6, 1 - 1e-6) - x) / sigma(t) ** 2"),
)

# Right but where two of the sizes b, sites, letters, components and classes are the same, or one is above 5.
TRANSPOSED = "({0}.mT if {0}.shape[-1] == {0}.shape[-2] else {0})"
for name, old, new in (
    ("weights_transposed_if_square", "setting.weights[y]", TRANSPOSED.format("setting.weights") + "[y]"),
    ("letters_transposed_if_square", "setting.probs.log() -", TRANSPOSED.format("setting.probs") + ".log() -"),
    ("shares_transposed_if_square", SHARES, TRANSPOSED.format(SHARES)),
    (
        "five_components",
        SHARES,
        SHARES.replace(", dim=-1)", " - 1e9 * (torch.arange(len(setting.probs)) > 4), dim=-1)"),
    ),
):
    wrong(name, "wrong_score", edit=(old, new))
wrong("two_letters_only", "wrong_letters", edit=("    shares =", "    log_sites[..., 2:] = -math.inf\n    shares ="))
wrong("divided_by_two_variances", "pull_wrong", edit=(BEST, f"{BEST} / 2"))
wrong(
    "densities_and_a_floor",
    "pull_wrong",
    source=function(
        "conditional_score(x, t, y, setting)",
        """
        variance = sigma(t) ** 2
        squares = (x[:, :, None, :] - alpha(t)[..., None] * setting.points).square().sum(-1)
        joint = setting.probs * torch.exp(-squares / (2 * variance))[:, None]
        sites = joint.sum(-1)
        shares = setting.weights[y] * sites.prod(-1)
        shares = shares / (shares.sum(-1, keepdim=True) + 1e-30)
        guess = torch.einsum("bc,bcld->bld", shares, joint / (sites[..., None] + 1e-30) @ setting.points)
        return (alpha(t) * guess - x) / variance
        """,
    ),
)
wrong(
    "sorted_by_class",
    "pull_wrong",
    edit=(f"return {BEST}", f"score = {BEST}\n    return torch.cat([score[y == label] for label in y.unique()])"),
)
