"""Exercise 1.3: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import function

right, wrong = mutants_of("lab1.class_posterior")

PLACE = "alpha(t)[..., None] * setting.points"
WIDTH = "(2 * sigma(t) ** 2)"
LOG_SITES = f"setting.probs.log() - (distance / {WIDTH})[:, None]"
COMPONENTS = "log_sites.logsumexp(-1).sum(-1)"
CLASSES = "(setting.weights.log() + log_components[:, None]).logsumexp(-1)"
RETURN = "torch.softmax(setting.prior.log() + log_classes, dim=-1)"
for name, finds, old, new in (
    ("world_in_place", "input_altered", "    distance =", "    setting.probs.clamp_(min=1e-30)\n    distance ="),
    ("prior_missing", "prior_missing", RETURN, "torch.softmax(log_classes, dim=-1)"),
    ("prior_reversed", "other_prior", "setting.prior.log()", "setting.prior.flip(0).log()"),
    ("weights_missing", "weights_missing", "setting.weights.log()", "torch.log((setting.weights > 0).double())"),
    ("letters_missing", "letters_missing", "setting.probs.log() -", "torch.log((setting.probs > 0).double()) -"),
    ("variance_not_squared", "variance_not_squared", WIDTH, "(2 * sigma(t))"),
    ("half_missing", "half_missing", WIDTH, "sigma(t) ** 2"),
    ("data_not_scaled", "data_not_scaled", PLACE, "setting.points"),
    ("a_squared", "a_squared", PLACE, "alpha(t)[..., None] ** 2 * setting.points"),
    ("unit_variance", "unit_variance", WIDTH, "2"),
    ("sites_before_components", "sites_before_components", COMPONENTS, "log_sites.logsumexp(-1)"),
    (
        "sites_averaged",
        ("sites_averaged", "underflow", "wrong_posterior", "wrong_components"),
        COMPONENTS,
        "log_sites.logsumexp(-1).mean(-1)",
    ),
    ("logs_averaged", "logs_averaged", CLASSES, "log_components @ setting.weights.T"),
    ("epsilon_on_zeros", "underflow", "setting.probs.log() -", "(setting.probs + 1e-30).log() -"),
    (
        "clamped_zeros",
        ("underflow", "wrong_posterior"),
        "setting.probs.log() -",
        "setting.probs.clamp_min(1e-8).log() -",
    ),
    ("logs", "logs_returned", RETURN, "torch.log_softmax(setting.prior.log() + log_classes, dim=-1)"),
    ("joint", ("joint_returned", "not_normalised"), RETURN, "(setting.prior.log() + log_classes).exp()"),
    ("likelihood_only", ("not_normalised", "joint_returned", "wrong_posterior"), RETURN, "log_classes.exp()"),
    ("hard_component", "hard_component", CLASSES, "(setting.weights.log() + log_components[:, None]).amax(-1)"),
    ("hard_letter", "hard_letter", COMPONENTS, "log_sites.amax(-1).sum(-1)"),
    ("wrong_axis", ("wrong_axis", "not_normalised"), "dim=-1)\n    ### END", "dim=0)\n    ### END"),
    ("exp_and_sum", "underflow", COMPONENTS, "log_sites.exp().sum(-1).prod(-1).log()"),
    ("epsilon", ("underflow", "wrong_posterior"), COMPONENTS, "(log_sites.exp().sum(-1).prod(-1) + 1e-12).log()"),
    ("log_of_sum", ("underflow", "wrong_posterior"), COMPONENTS, "(log_sites.exp().sum(-1) + 1e-30).log().sum(-1)"),
    ("sign", ("wrong_posterior", "underflow"), "setting.probs.log() - ", "setting.probs.log() + "),
    ("prior_only", ("likelihood", "wrong_posterior"), RETURN, "setting.prior.expand(len(x), -1)"),
    ("one_class", "one_class_only", RETURN, f"{RETURN}[:, 0]"),
    ("log_zero", ("not_finite", "underflow"), "setting.probs.log() -", "setting.probs * setting.probs.log() -"),
    ("probs_not_logged", ("wrong_posterior", "underflow"), "setting.probs.log() -", "setting.probs -"),
    ("clipped_time", ("wrong_posterior", "underflow"), WIDTH, "(2 * sigma(t).clamp_min(0.3) ** 2)"),
    ("none", "returned_none", "return torch.softmax", "torch.softmax"),
    ("clamped", ("limited", "odds_limited"), RETURN, f"{RETURN}.clamp(1e-12, 1)"),
    ("clamped_for_the_logarithm", ("limited", "odds_limited"), RETURN, f"({RETURN} + 1e-20)"),
    ("inside_in_float32", "digits_lost", "distance = (x[", "x, t = x.float(), t.float()\n    distance = (x["),
    ("result_in_float32", ("wrong_dtype", "digits_lost"), RETURN, f"{RETURN}.float()"),
    ("rounded_and_back", ("digits_lost", "limited"), RETURN, f"{RETURN}.float().to(x.dtype)"),
    ("detached", "detached", "distance = (x[", "distance = (x.detach()["),
    ("no_grad", "detached", "    return torch", "    with torch.no_grad():\n      return torch"),
    ("sigma_with_a_floor", "width_limited", WIDTH, "(2 * (sigma(t) ** 2).clamp_min(1e-3))"),
    ("variance_plus_epsilon", ("underflow", "wrong_posterior", "limited"), WIDTH, "(2 * (sigma(t) ** 2 + 1e-6))"),
    ("alpha_with_a_floor", "wrong_at_the_end", PLACE, "alpha(t).clamp_min(0.012)[..., None] * setting.points"),
    ("first_time_for_all", ("wrong_posterior", "wrong_components"), "    distance =", "    t = t[:1]\n    distance ="),
    (
        "letters_plus_epsilon",
        ("limited", "underflow", "wrong_posterior"),
        "setting.probs.log() -",
        "(setting.probs + 1e-12).log() -",
    ),
    (
        "weights_plus_epsilon",
        ("limited", "wrong_posterior", "underflow"),
        "setting.weights.log()",
        "(setting.weights + 1e-8).log()",
    ),
    (
        "even_prior",
        "prior_missing",
        RETURN,
        "torch.softmax(torch.full_like(setting.prior, 1 / len(setting.prior)).log() + log_classes, dim=-1)",
    ),
    (
        "prior_twice",
        ("other_prior", "wrong_posterior", "wrong_components"),
        RETURN,
        "torch.softmax(2 * setting.prior.log() + log_classes, dim=-1)",
    ),
    ("switches_x", "requires_grad_left", "    distance =", "    x.requires_grad_(not x.requires_grad)\n    distance ="),
    ("seeds", "seed_left", "    distance =", "    torch.manual_seed(0)\n    distance ="),
    (
        "kept_by_name",
        ("raised", "wrong_posterior", "not_finite"),
        "setting.probs.log() -",
        "class_posterior.__dict__.setdefault(setting.name, setting.probs.log()) -",
    ),
    ("in_place", "input_altered", "    return torch", "    x.zero_()\n    return torch"),
):
    codes: tuple[str, ...] = (finds,) if isinstance(finds, str) else finds
    codes += ("near_the_data", "impossible_words", "odds_limited", "odds_vanish") if "underflow" in codes else ()
    codes += ("odds_wrong", "wrong_letters") if "wrong_posterior" in codes else ()
    if name == "sites_before_components":
        wrong(
            name,
            codes,
            edit=[
                (COMPONENTS, "log_sites.logsumexp(-1)  # (b, components, sites)"),
                (CLASSES, "(setting.weights.log()[..., None] + log_components[:, None]).logsumexp(-2).sum(-1)"),
            ],
        )
    else:
        wrong(name, codes, edit=(old, new))


def posterior(body: str) -> str:
    """Return `class_posterior` with this body."""
    return function("class_posterior(x, t, setting)", body)


right(
    "loops",
    source=posterior("""
b = len(x)
answer = []
for y in range(len(setting.prior)):
    parts = []
    for c in range(len(setting.probs)):
        total = 0
        for i in range(x.shape[1]):
            terms = []
            for k, point in enumerate(setting.points):
                gap = x[:, i] - alpha(t)[:, 0] * point
                terms.append(setting.probs[c, i, k].log() - (gap**2).sum(-1) / (2 * sigma(t)[:, 0, 0] ** 2))
            total = total + torch.logsumexp(torch.stack(terms), dim=0)
        parts.append(setting.weights[y, c].log() + total)
    answer.append(setting.prior[y].log() + torch.logsumexp(torch.stack(parts), dim=0))
return torch.softmax(torch.stack(answer, dim=1), dim=1)
"""),
)
right(
    "normal_log_prob",
    source=posterior("""
place = alpha(t).unsqueeze(-1) * setting.points
width = sigma(t).unsqueeze(-1).double()
logs = torch.distributions.Normal(place.double(), width).log_prob(x.unsqueeze(2).double())
logs = logs.sum(-1).unsqueeze(1) + setting.probs.log()
logs = torch.logsumexp(logs, -1).sum(-1)
logs = torch.logsumexp(logs[:, None] + setting.weights.log(), -1) + setting.prior.log()
return (logs - logs.logsumexp(-1, keepdim=True)).exp()
"""),
)
right(
    "expanded_square",
    source=posterior("""
ratio, half = alpha(t) / sigma(t) ** 2, alpha(t) ** 2 / (2 * sigma(t) ** 2)
logs = ratio * (x @ setting.points.T) - half * (setting.points**2).sum(-1)   # |x|^2 is the same for all
components = torch.logsumexp(logs[:, None] + torch.log(setting.probs), dim=3).sum(2)
joint = torch.logsumexp(components[:, None, :] + torch.log(setting.weights) + torch.log(setting.prior)[:, None], dim=2)
return torch.softmax(joint, 1)
"""),
)
right(
    "manual_logsumexp",
    source=posterior("""
def lse(v):
    top = v.max(dim=-1, keepdim=True).values
    top = torch.where(torch.isfinite(top), top, torch.zeros_like(top))
    return (top + (v - top).exp().sum(-1, keepdim=True).log())[..., 0]

d2 = ((x.unsqueeze(2) - alpha(t).unsqueeze(3) * setting.points) ** 2).sum(3)
comp = lse(torch.log(setting.probs)[None] - (d2 / 2 / sigma(t) ** 2)[:, None]).sum(2)
cls = lse(torch.log(setting.weights)[None] + comp[:, None]) + torch.log(setting.prior)
e = (cls - cls.max(1, keepdim=True).values).exp()
return e / e.sum(1, keepdim=True)
"""),
)
right("double", edit=[("distance = (x[", "distance = (x.double()[")])
right(
    "helper_elsewhere",
    setup="def mixture(logs, weights):\n    return torch.logsumexp(logs + weights.log(), dim=-1)\n",
    edit=(CLASSES, "mixture(log_components[:, None], setting.weights)"),
)
right(
    "numbers_as_tensors",
    source=posterior("""
a, s2 = alpha(t), 1 - alpha(t) ** 2 if x.dtype == torch.float64 else sigma(t) ** 2
gap = x.unsqueeze(2) - a.unsqueeze(3) * setting.points
d2 = torch.einsum("blkd,blkd->blk", gap, gap)
logs = setting.probs.log().unsqueeze(0) - torch.div(d2, torch.tensor(2.0) * s2).unsqueeze(1)
joint = setting.prior.log()[:, None] + setting.weights.log() + logs.logsumexp(3).sum(2)[:, None]
return joint.logsumexp(2).softmax(1)
"""),
)
right(
    "vmap",
    source=posterior("""
def one(z, a, s):
    d = ((z[:, None] - a[..., None] * setting.points) ** 2).sum(-1)
    logs = torch.logsumexp(setting.probs.log() - d / (2 * s**2), -1).sum(-1)
    return torch.softmax(torch.logsumexp(setting.weights.log() + logs, -1) + setting.prior.log(), -1)

return torch.func.vmap(one)(x, alpha(t), sigma(t))
"""),
)
right(
    "row_by_row",
    source=posterior("""
rows = []
for z, s in zip(x, t):
    d = torch.stack([(z - alpha(s) * e).pow(2).sum(-1) for e in setting.points], dim=-1)
    parts = torch.logsumexp(setting.probs.log() - d / (2 * sigma(s) ** 2), -1).sum(-1)
    rows.append(torch.log_softmax(torch.logsumexp(setting.weights.log() + parts, -1) + setting.prior.log(), 0).exp())
return torch.stack(rows)
"""),
)
right(
    "infinity_by_nan_to_num",
    edit=(
        "setting.probs.log() -",
        "torch.where(setting.probs > 0, setting.probs.clamp_min(1e-300).log(), -math.inf) -",
    ),
)
wrong("distance_averaged", "distance_averaged", edit=("square().sum(-1)", "square().mean(-1)"))
wrong("width_floor", "width_limited", edit=(WIDTH, "(2 * sigma(t).clamp(min=0.05) ** 2)"))

# x is limited, or a number takes the place of log(0): it shows where x is large and as near to one word as to another.
LOGS = "setting.probs.log() -"
LOG_WEIGHTS = "setting.weights.log()"
for name, finds, old, new in (
    ("x_within_5", ("odds_limited", "wrong_far_out"), "distance = (x[", "distance = (x.clamp(-5, 5)["),
    ("x_within_20", "wrong_far_out", "distance = (x[", "distance = (x.clamp(-20, 20)["),
    ("x_below_90", "wrong_far_out", "distance = (x[", "distance = (x.clamp(max=90)["),
    ("letters_at_minus_1e4", "wrong_far_out", LOGS, "torch.nan_to_num(setting.probs.log(), neginf=-1e4) -"),
    ("letters_at_minus_1e6", "wrong_far_out", LOGS, "torch.nan_to_num(setting.probs.log(), neginf=-1e6) -"),
    ("weights_at_minus_1e3", "wrong_far_out", LOG_WEIGHTS, "torch.nan_to_num(setting.weights.log(), neginf=-1e3)"),
    ("weights_at_minus_1e7", "wrong_far_out", LOG_WEIGHTS, "torch.nan_to_num(setting.weights.log(), neginf=-1e7)"),
    ("weights_at_tiny", "wrong_far_out", LOG_WEIGHTS, "setting.weights.clamp_min(1e-307).log()"),
    ("result_above_1e-30", "odds_limited", RETURN, f"{RETURN}.clamp(min=1e-30)"),
    ("result_above_1e-200", "odds_limited", RETURN, f"{RETURN}.clamp(min=1e-200)"),
    ("late_alpha_kept", "wrong_at_the_end", PLACE, "alpha(t.clamp(max=0.99))[..., None] * setting.points"),
    ("early_sigma_kept", "width_limited", WIDTH, "(2 * sigma(t.clamp(min=1.05e-3)) ** 2)"),
    ("weights_in_float32", "digits_lost", LOG_WEIGHTS, "setting.weights.float().log().double()"),
    ("prior_in_float32", "digits_lost", "setting.prior.log()", "setting.prior.float().log().to(x.dtype)"),
    ("time_in_float32", "digits_lost", "    distance =", "    t = t.float().to(x.dtype)\n    distance ="),
):
    wrong(name, finds, edit=(old, new))
wrong(
    "one_minus_the_first",
    "lost_to_zero",
    edit=(RETURN, f"{RETURN} if setting.classes > 2 else torch.stack([(p := {RETURN})[:, 0], 1 - p[:, 0]], 1)"),
)
right("zeros_at_the_smallest_float", edit=(LOGS, "setting.probs.log().clamp_min(torch.finfo(x.dtype).min) -"))
right("sum_never_zero", edit=(RETURN, f"(p := {RETURN}) / (p.sum(-1, keepdim=True) + 1e-12)"))

# The values are right, but the derivative is NaN where two log(0) meet, or where x is exactly at a letter.
for name, old, new in (
    (
        "components_by_logaddexp",
        CLASSES,
        "functools.reduce(torch.logaddexp, (setting.weights.log() + log_components[:, None]).unbind(-1))",
    ),
    (
        "components_by_logaddexp_backwards",
        CLASSES,
        "functools.reduce(torch.logaddexp, (setting.weights.log() + log_components[:, None]).flip(-1).unbind(-1))",
    ),
    ("letters_by_logaddexp", COMPONENTS, "functools.reduce(torch.logaddexp, log_sites.unbind(-1)).sum(-1)"),
    ("distance_by_its_root", "square().sum(-1)", "square().sum(-1).sqrt() ** 2"),
):
    wrong(name, "gradient_not_finite", edit=(old, new), setup="import functools\n")

TRANSPOSED = "({0}.mT if {0}.shape[-1] == {0}.shape[-2] else {0}).log()"
wrong("weights_transposed_if_square", "wrong_posterior", edit=(LOG_WEIGHTS, TRANSPOSED.format("setting.weights")))
wrong("letters_transposed_if_square", "wrong_posterior", edit=(LOGS, f"{TRANSPOSED.format('setting.probs')} -"))
for name, epsilon in (("variance_plus_1e-8", "1e-8"), ("variance_plus_1e-10", "1e-10")):
    wrong(name, ("width_limited", "limited", "odds_wrong"), edit=(WIDTH, f"(2 * (sigma(t) ** 2 + {epsilon}))"))

# Densities underflow, and what becomes of them is replaced by a number.
PRODUCTS = "log_sites.exp().sum(-1).prod(-1).log()"
SILENCED = f"torch.nan_to_num({RETURN}, nan=1 / setting.classes)"
wrong("products_without_nan", "odds_vanish", edit=[(COMPONENTS, PRODUCTS), (RETURN, SILENCED)])
wrong("densities_plus_1e-300", "odds_vanish", edit=(COMPONENTS, "(log_sites.exp().sum(-1) + 1e-300).log().sum(-1)"))
wrong("exponent_within_700", "odds_vanish", edit=(f"(distance / {WIDTH})", f"(distance / {WIDTH}).clamp(max=700)"))
wrong("exponent_within_3000", "odds_vanish", edit=(f"(distance / {WIDTH})", f"(distance / {WIDTH}).clamp(max=3000)"))
wrong("two_letters_only", "wrong_letters", edit=(COMPONENTS, "log_sites[..., :2].logsumexp(-1).sum(-1)"))
right("variance_plus_1e-13", edit=(WIDTH, "(2 * (sigma(t) ** 2 + 1e-13))"))
