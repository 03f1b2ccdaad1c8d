"""Lab 1: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits import cross_entropy_mutants as cross_entropy
from autograder.exercises.kits.mutants import right, wrong

# --- 1.1 sample_ensemble

ENSEMBLE = "lab1.sample_ensemble"
DRAW = "torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)"
SITES = "torch.multinomial(probs.flatten(0, 1), 1, generator=generator).reshape(n, setting.sites)"
DOWN = "torch.full((n, sites), 1 - ratio), generator=generator"


def ensemble(body: str) -> str:
    lines = "".join(f"    {line}\n" if line else "\n" for line in body.strip("\n").split("\n"))
    return (
        f"def sample_ensemble(setting, label, n, generator):\n{lines}\n\n"
        "def majority_down(n, sites, ratio, generator):\n"
        "    return (torch.rand(n, sites, generator=generator) > ratio).long()\n"
    )


for name, finds, old, new in (
    ("majority_up", "majority_up", "1 - ratio", "ratio"),
    ("majority_whole_lattice", ("sites_tied", "majority_share"), f"torch.bernoulli({DOWN})", "torch.bernoulli(torch.full((n, 1), 1 - ratio), generator=generator).expand(n, sites)"),
    ("majority_constant", ("majority_share", "majority_up"), "1 - ratio)", "0.5)"),
    ("majority_of_the_lab", "majority_share", "1 - ratio)", "0.25)"),
    ("majority_floats", "not_integers", ".long()\n", "\n"),
    ("majority_spins", "not_spins", ".long()\n", ".long() * 2 - 1\n"),
    ("majority_global_random", "generator_ignored", f"torch.bernoulli({DOWN})", f"torch.bernoulli({DOWN})".replace(", generator=generator", "")),
    ("majority_numpy_random", "generator_ignored", f"torch.bernoulli({DOWN})", "torch.as_tensor(np.random.rand(n, sites) > ratio)"),
    ("majority_seeds_global", "generator_ignored", f"torch.bernoulli({DOWN})", f"torch.bernoulli({DOWN.split(', generator')[0]}, generator=torch.manual_seed(generator.initial_seed()))"),
    ("weights_ignored", ("weights_ignored", "site_frequencies"), "setting.weights[label], n", "(setting.weights[label] > 0).double(), n"),
    ("weights_of_all", ("weights_of_all", "weights_ignored", "site_frequencies"), "setting.weights[label], n", "torch.ones(len(setting.probs)), n"),
    ("label_ignored", ("label_ignored", "site_frequencies"), "setting.weights[label], n", "setting.prior @ setting.weights, n"),
    ("label_zero", ("label_ignored", "site_frequencies", "sites_from_other_components"), "setting.weights[label], n", "setting.weights[(label + 1) % 3], n"),
    ("global_random", "generator_ignored", f"{DRAW}", DRAW.replace(", generator=generator", "")),
    ("global_random_sites", "generator_ignored", f"{SITES}", SITES.replace(", generator=generator", "")),
    ("one_component_for_all", "one_component", DRAW, f"{DRAW}[:1].expand(n)"),
    ("best_component", ("one_component", "site_frequencies"), DRAW, "setting.weights[label].argmax().expand(n)"),
    ("from_one", "no_such_letter", ".reshape(n, setting.sites)", ".reshape(n, setting.sites) + 1"),
    ("floats", "not_integers", ".reshape(n, setting.sites)", ".reshape(n, setting.sites).double()"),
    ("embedded", ("wrong_shape", "not_integers"), f"return {SITES}", f"return setting.embed({SITES})"),
    ("transposed", ("site_frequencies", "no_such_letter", "sites_ignored", "letters_reversed", "label_ignored"), ".reshape(n, setting.sites)", ".reshape(setting.sites, n).T"),
    ("one_site", ("sites_ignored", "site_frequencies", "sites_from_other_components"), "setting.probs[component]", "setting.probs[component][:, :1].expand(-1, setting.sites, -1)"),
    ("most_probable", ("site_frequencies",), SITES, "probs.argmax(-1)"),
    ("sorted", "draws_depend", DRAW, f"{DRAW}.sort().values"),
    ("seeded", "seeded", f"component = {DRAW}", f"generator.manual_seed(0)\n    component = {DRAW}"),
    ("generator_of_its_own", "seeded", f"component = {DRAW}", f"generator = torch.Generator().manual_seed(0)\n    component = {DRAW}"),
    ("majority_seeded", "seeded", f"torch.bernoulli({DOWN})", f"torch.bernoulli({DOWN.split(', generator')[0]}, generator=torch.Generator().manual_seed(7))"),
):  # fmt: skip
    wrong(ENSEMBLE, name, finds, edit=(old, new))
wrong(
    ENSEMBLE,
    "one_number_a_sample",
    "sites_tied",
    source=ensemble("""
component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
steps = setting.probs[component].cumsum(-1)[..., :-1]
return (torch.rand(n, 1, 1, generator=generator, dtype=steps.dtype) > steps).sum(-1)
"""),
)
wrong(
    ENSEMBLE,
    "majority_in_pairs",
    "sites_tied",
    edit=(
        f"torch.bernoulli({DOWN})",
        "torch.bernoulli(torch.full((n, (sites + 1) // 2), 1 - ratio), generator=generator).repeat_interleave(2, 1)[:, :sites]",
    ),
)
wrong(
    ENSEMBLE,
    "component_per_site",
    "sites_from_other_components",
    source=ensemble("""
law = torch.einsum("c,clk->lk", setting.weights[label], setting.probs)
return torch.stack([torch.multinomial(row, n, replacement=True, generator=generator) for row in law], dim=1)
"""),
)
wrong(ENSEMBLE, "returns_none", "returned_none", edit=("return torch.multinomial(probs", "torch.multinomial(probs"))
wrong(ENSEMBLE, "numpy_random", "generator_ignored", source=ensemble("""
import numpy as np
component = np.random.choice(len(setting.probs), size=n, p=(setting.weights[label] / setting.weights[label].sum()).numpy())
probs = setting.probs[torch.as_tensor(component)]
return torch.multinomial(probs.flatten(0, 1), 1, generator=generator).reshape(n, setting.sites)
"""))  # fmt: skip

right(ENSEMBLE, "cumulative", source=ensemble("""
u = torch.rand(n, generator=generator, dtype=torch.float64)
component = torch.searchsorted(setting.weights[label].cumsum(0), u).clamp_max(len(setting.probs) - 1)
cumulative = setting.probs[component].cumsum(-1)
v = torch.rand(n, setting.sites, 1, generator=generator, dtype=torch.float64)
return (v > cumulative).sum(-1).clamp_max(setting.letters - 1)
"""))  # fmt: skip
right(ENSEMBLE, "by_component", source=ensemble("""
counts = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
words = torch.empty(n, setting.sites, dtype=torch.long)
for c in range(len(setting.probs)):
    rows = (counts == c).nonzero()[:, 0]
    for i in range(setting.sites):
        if len(rows):
            words[rows, i] = torch.multinomial(setting.probs[c, i], len(rows), replacement=True, generator=generator)
return words
"""))  # fmt: skip
right(ENSEMBLE, "gumbel", source=ensemble("""
def gumbel(logits):
    u = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    return (logits - (-u.log()).log()).argmax(-1)

component = gumbel(setting.weights[label].log().expand(n, -1))
return gumbel(setting.probs[component].log())
"""))  # fmt: skip
right(ENSEMBLE, "site_by_site", source=ensemble("""
component = torch.multinomial(setting.weights[label], n, True, generator=generator)
sites = []
for site in range(setting.probs.shape[1]):
    sites.append(torch.multinomial(setting.probs[component, site], 1, generator=generator))
    print(f"drew site {site} of {n} words")
return torch.cat(sites, dim=1)
"""))  # fmt: skip
right(ENSEMBLE, "int16", edit=(".reshape(n, setting.sites)", ".reshape(n, setting.sites).to(torch.int16)"))
right(ENSEMBLE, "shuffled_and_int32", source=ensemble("""
component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
component = component[torch.randperm(n, generator=generator)]
letters = torch.multinomial(setting.probs[component].reshape(-1, setting.letters), 1, generator=generator)
return letters.view(n, -1).to(torch.int32)
"""))  # fmt: skip

# --- 1.2 add_noise

NOISE = "lab1.add_noise"
MIX = "a(t) * x0 + sigma(t) * noise"
for name, finds, new in (
    ("swapped", ("swapped",), "sigma(t) * x0 + a(t) * noise"),
    ("variance", ("variance_for_sigma",), "a(t) * x0 + sigma(t) ** 2 * noise"),
    ("root_of_sigma", ("root_of_sigma",), "a(t) * x0 + sigma(t).sqrt() * noise"),
    ("a_squared", ("a_squared",), "a(t) ** 2 * x0 + sigma(t) * noise"),
    ("root_of_a", ("root_of_a",), "a(t).sqrt() * x0 + sigma(t) * noise"),
    ("data_not_scaled", ("data_not_scaled",), "x0 + sigma(t) * noise"),
    ("noise_not_scaled", ("noise_not_scaled",), "a(t) * x0 + noise"),
    ("linear", ("linear",), "(1 - t) * x0 + t * noise"),
    ("one_minus_a", ("one_minus_a",), "a(t) * x0 + (1 - a(t)) * noise"),
    ("time_reversed", ("time_reversed",), "a(1 - t) * x0 + sigma(1 - t) * noise"),
    ("noise_subtracted", ("noise_subtracted",), "a(t) * x0 - sigma(t) * noise"),
    ("beta", ("beta_for_sigma",), "a(t) * x0 + beta(t).sqrt() * noise"),
    ("own_noise", ("fresh_noise",), "a(t) * x0 + sigma(t) * torch.randn_like(noise)"),
    ("one_time", ("wrong_mixture",), "a(t[0]) * x0 + sigma(t[0]) * noise"),
    ("on_the_cpu", ("hard_coded_device",), "a(t) * x0 + sigma(t) * noise * torch.ones(noise.shape, device='cpu')"),
    ("in_place", ("input_altered",), "noise.mul_(sigma(t)).add_(a(t) * x0)"),
    ("rounded", ("wrong_dtype",), "(a(t) * x0 + sigma(t) * noise).float()"),
    ("dtype_of_x0", ("wrong_dtype",), "(a(t) * x0 + sigma(t) * noise).to(x0.dtype)"),
    (
        "memory",
        ("memory_layout", "raised"),
        "a(t) * x0 + sigma(t) * noise.as_strided(noise.shape, (noise.shape[1] * noise.shape[2], noise.shape[2], 1))",
    ),
    ("flat", ("wrong_shape",), "(a(t) * x0 + sigma(t) * noise).flatten(1)"),
    ("none", ("returned_none",), "None"),
):
    wrong(NOISE, name, finds, edit=(MIX, new))
right(NOISE, "clone", edit=(MIX, "noise.clone().mul_(sigma(t)).add_(a(t) * x0)"))
right(NOISE, "by_definition", edit=(MIX, "a(t) * x0 + torch.sqrt(1 - a(t).double() ** 2) * noise"))
right(NOISE, "lerp_like", edit=(MIX, "torch.addcmul(a(t) * x0, sigma(t).expand_as(noise), noise)"))
right(NOISE, "loop", edit=(MIX, "torch.stack([a(s) * z + sigma(s) * e for s, z, e in zip(t, x0, noise)])"))
right(
    NOISE,
    "einsum",
    edit=(
        MIX,
        "torch.einsum('bij,bkl->bkl', a(t), x0.to(noise.dtype)) + torch.einsum('bij,bkl->bkl', sigma(t), noise)",
    ),
)
right(NOISE, "cat", edit=(MIX, "(torch.stack([a(t) * x0, sigma(t) * noise])).sum(0)"))

# --- 1.3 class_posterior

POSTERIOR = "lab1.class_posterior"
PLACE = "a(t)[..., None] * setting.points"
WIDTH = "(2 * sigma(t) ** 2)"
LOG_SITES = f"setting.probs.log() - (distance / {WIDTH})[:, None]"
COMPONENTS = "log_sites.logsumexp(-1).sum(-1)"
CLASSES = "(setting.weights.log() + log_components[:, None]).logsumexp(-1)"
RETURN = "torch.softmax(setting.prior.log() + log_classes, dim=-1)"
for name, finds, old, new in (
    ("world_in_place", "input_altered", "    distance =", "    setting.probs.clamp_(min=1e-30)\n    distance ="),
    ("prior_missing", "prior_missing", RETURN, "torch.softmax(log_classes, dim=-1)"),
    ("weights_missing", "weights_missing", "setting.weights.log()", "torch.log((setting.weights > 0).double())"),
    ("letters_missing", "letters_missing", "setting.probs.log() -", "torch.log((setting.probs > 0).double()) -"),
    ("variance_not_squared", "variance_not_squared", WIDTH, "(2 * sigma(t))"),
    ("half_missing", "half_missing", WIDTH, "sigma(t) ** 2"),
    ("data_not_scaled", "data_not_scaled", PLACE, "setting.points"),
    ("a_squared", "a_squared", PLACE, "a(t)[..., None] ** 2 * setting.points"),
    ("unit_variance", "unit_variance", WIDTH, "2"),
    ("sites_before_components", "sites_before_components", COMPONENTS, "log_sites.logsumexp(-1)"),
    (
        "sites_averaged",
        ("sites_averaged", "underflow", "wrong_posterior"),
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
    ("in_place", "input_altered", "    return torch", "    x.zero_()\n    return torch"),
):
    if name == "sites_before_components":
        wrong(POSTERIOR, name, finds, edit=[
            (COMPONENTS, "log_sites.logsumexp(-1)  # (b, components, sites)"),
            (CLASSES, "(setting.weights.log()[..., None] + log_components[:, None]).logsumexp(-2).sum(-1)"),
        ])  # fmt: skip
    else:
        wrong(POSTERIOR, name, finds, edit=(old, new))


def posterior(body: str) -> str:
    lines = "".join(f"    {line}\n" if line else "\n" for line in body.strip("\n").split("\n"))
    return f"def class_posterior(x, t, setting):\n{lines}"


right(POSTERIOR, "loops", source=posterior("""
b = len(x)
answer = []
for y in range(len(setting.prior)):
    parts = []
    for c in range(len(setting.probs)):
        total = 0
        for i in range(x.shape[1]):
            terms = []
            for k, point in enumerate(setting.points):
                gap = x[:, i] - a(t)[:, 0] * point
                terms.append(setting.probs[c, i, k].log() - (gap**2).sum(-1) / (2 * sigma(t)[:, 0, 0] ** 2))
            total = total + torch.logsumexp(torch.stack(terms), dim=0)
        parts.append(setting.weights[y, c].log() + total)
    answer.append(setting.prior[y].log() + torch.logsumexp(torch.stack(parts), dim=0))
return torch.softmax(torch.stack(answer, dim=1), dim=1)
"""))  # fmt: skip
right(POSTERIOR, "einops_and_normal", source=posterior("""
from einops import rearrange, reduce
place = rearrange(a(t), "b i j -> b i j 1") * setting.points
width = rearrange(sigma(t), "b i j -> b i j 1").double()
logs = torch.distributions.Normal(place.double(), width).log_prob(rearrange(x, "b s d -> b s 1 d").double())
logs = reduce(logs, "b s k d -> b 1 s k", "sum") + setting.probs.log()
logs = torch.logsumexp(logs, -1).sum(-1)
logs = torch.logsumexp(logs[:, None] + setting.weights.log(), -1) + setting.prior.log()
return (logs - logs.logsumexp(-1, keepdim=True)).exp()
"""))  # fmt: skip
right(POSTERIOR, "expanded_square", source=posterior("""
ratio, half = a(t) / sigma(t) ** 2, a(t) ** 2 / (2 * sigma(t) ** 2)
logs = ratio * (x @ setting.points.T) - half * (setting.points**2).sum(-1)   # |x|^2 is the same for all
components = torch.logsumexp(logs[:, None] + torch.log(setting.probs), dim=3).sum(2)
joint = torch.logsumexp(components[:, None, :] + torch.log(setting.weights) + torch.log(setting.prior)[:, None], dim=2)
return torch.softmax(joint, 1)
"""))  # fmt: skip
right(POSTERIOR, "manual_logsumexp", source=posterior("""
def lse(v):
    top = v.max(dim=-1, keepdim=True).values
    top = torch.where(torch.isfinite(top), top, torch.zeros_like(top))
    return (top + (v - top).exp().sum(-1, keepdim=True).log())[..., 0]

d2 = ((x.unsqueeze(2) - a(t).unsqueeze(3) * setting.points) ** 2).sum(3)
comp = lse(torch.log(setting.probs)[None] - (d2 / 2 / sigma(t) ** 2)[:, None]).sum(2)
cls = lse(torch.log(setting.weights)[None] + comp[:, None]) + torch.log(setting.prior)
e = (cls - cls.max(1, keepdim=True).values).exp()
return e / e.sum(1, keepdim=True)
"""))  # fmt: skip
right(POSTERIOR, "double", edit=[("distance = (x[", "distance = (x.double()[")])
right(POSTERIOR, "helper_elsewhere", setup="def mixture(logs, weights):\n    return torch.logsumexp(logs + weights.log(), dim=-1)\n",
      edit=(CLASSES, "mixture(log_components[:, None], setting.weights)"))  # fmt: skip

# --- 1.4 conditional_score

SCORE = "lab1.conditional_score"
BEST = "(a(t) * best_guess - x) / sigma(t) ** 2"
SHARES = "torch.softmax(setting.weights[y].log() + log_sites.logsumexp(-1).sum(-1), dim=-1)"
MEANS = "torch.softmax(log_sites, dim=-1) @ setting.points"
for name, finds, old, new in (
    ("world_in_place", "input_altered", "    distance =", "    setting.weights.clamp_(min=1e-300)\n    distance ="),
    ("divided_by_sigma", "variance_not_squared", BEST, "(a(t) * best_guess - x) / sigma(t)"),
    ("sign", "wrong_sign", BEST, "(x - a(t) * best_guess) / sigma(t) ** 2"),
    ("noise", "noise_instead", BEST, "(x - a(t) * best_guess) / sigma(t)"),
    ("not_divided", "not_divided", BEST, "a(t) * best_guess - x"),
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
        "torch.log((setting.weights[y] > 0).double()) + ",
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
        "torch.log((setting.probs > 0).double()) -",
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
        ("wrong_score", "shares_not_updated"),
        "log_sites.logsumexp(-1).sum(-1)",
        "log_sites.logsumexp(-1).mean(-1)",
    ),
    ("none", "returned_none", "return (a(t)", "(a(t)"),
    ("on_the_cpu", ("hard_coded_device",), "shares, means)", "shares.cpu(), means.cpu()).cpu()"),
):
    if name in ("on_the_cpu",):
        continue
    wrong(SCORE, name, finds, edit=old if new is None else (old, new))


def score(body: str) -> str:
    lines = "".join(f"    {line}\n" if line else "\n" for line in body.strip("\n").split("\n"))
    return f"def conditional_score(x, t, y, setting):\n{lines}"


wrong(SCORE, "gradient_of_posterior", "gradient_of_posterior", source=score("""
z = x.detach().requires_grad_()
d2 = (z[:, :, None] - a(t)[..., None] * setting.points).square().sum(-1)
logs = (setting.probs.log() - (d2 / (2 * sigma(t) ** 2))[:, None]).logsumexp(-1).sum(-1)
classes = setting.prior.log() + (setting.weights.log() + logs[:, None]).logsumexp(-1)
return torch.autograd.grad(classes.log_softmax(-1)[torch.arange(len(y)), y].sum(), z)[0]
"""))  # fmt: skip
right(SCORE, "autograd", source=score("""
z = x.detach().double().requires_grad_()
d2 = (z[:, :, None] - a(t)[..., None] * setting.points).square().sum(-1)
logs = (setting.probs.log() - (d2 / (2 * sigma(t).double() ** 2))[:, None]).logsumexp(-1).sum(-1)
total = (setting.weights[y].log() + logs).logsumexp(-1).sum()
return torch.autograd.grad(total, z)[0]
"""))  # fmt: skip
right(SCORE, "component_scores", source=score("""
d2 = (x[:, :, None] - a(t)[..., None] * setting.points).square().sum(-1)
logs = torch.log(setting.probs) - (d2 / (2 * sigma(t) ** 2))[:, None]
r = torch.softmax(torch.log(setting.weights[y]) + torch.logsumexp(logs, 3).sum(2), 1)
answer = 0
for c in range(len(setting.probs)):
    p = torch.softmax(logs[:, c], dim=2)
    own = ((p[..., None] * setting.points).sum(2) * a(t) - x) / sigma(t) ** 2
    answer = answer + r[:, c, None, None] * own
return answer
"""))  # fmt: skip
right(SCORE, "by_class", source=score("""
d2 = (x[:, :, None] - a(t)[..., None] * setting.points).square().sum(-1)
logs = torch.log(setting.probs) - (d2 / (2 * sigma(t) ** 2))[:, None]
answer = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
for k in range(len(setting.prior)):
    r = torch.softmax(torch.log(setting.weights[k]) + logs.logsumexp(-1).sum(-1), -1)
    m = (r[..., None, None] * (torch.softmax(logs, -1) @ setting.points)).sum(1)
    answer = torch.where((y == k)[:, None, None], (a(t) * m - x) / sigma(t) ** 2, answer)
return answer
"""))  # fmt: skip
right(
    SCORE,
    "double",
    edit=[("distance = (x[", "distance = (x.double()["), ("@ setting.points", "@ setting.points.double()")],
)
right(SCORE, "joint_softmax", source=score("""
d2 = (x[:, :, None] - a(t)[..., None] * setting.points).square().sum(-1)
logs = torch.log(setting.probs) - (d2 / (2 * sigma(t) ** 2))[:, None]
shares = (torch.log(setting.weights)[y] + logs.logsumexp(-1).sum(-1)).softmax(-1)
letters = (shares[:, :, None, None] * logs.softmax(-1)).sum(1)
return (a(t) * (letters @ setting.points) - x) / (1 - a(t).double() ** 2 if x.dtype == torch.float64 and t.min() > 0.01 else sigma(t) ** 2)
"""))  # fmt: skip

# --- 1.5 classifier_loss

LOSS = "lab1.classifier_loss"
TIME = "self.t_min + (1 - self.t_min) * torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)"
NOISED = "self.add_noise(x0, t, torch.randn_like(x0))"
for name, finds, old, new in (
    *cross_entropy.WRONG,
    ("never_noised", "model_sees_clean", NOISED, "x0"),
    ("own_noising", "not_noised", NOISED, "x0 + t * torch.randn_like(x0)"),
    ("time_randn", ("time_out_of_range",), "torch.rand(batch_size, 1", "torch.randn(batch_size, 1"),
    ("t_min_ignored", "t_min_ignored", TIME, "torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)"),
    ("times_cut_off", "time_ends", TIME, f"({TIME}).clamp(max=0.98)"),
    ("t_min_added", "time_out_of_range", "(1 - self.t_min) * torch", "torch"),
    ("time_shared", "time_shared", "torch.rand(batch_size, 1, 1", "torch.rand(1, 1, 1"),
    ("time_shared_expanded", "time_shared", TIME, f"({TIME})[:1].expand(batch_size, 1, 1)"),
    ("time_flat", "time_shape", "torch.rand(batch_size, 1, 1", "torch.rand(batch_size"),
    ("time_per_site", "time_shape", "torch.rand(batch_size, 1, 1", "torch.rand(batch_size, x0.shape[1], 1"),
    (
        "time_grid",
        "time_grid",
        TIME,
        "torch.linspace(self.t_min, 1, batch_size, device=x0.device, dtype=x0.dtype).reshape(-1, 1, 1)",
    ),
    (
        "time_squared",
        "time_distribution",
        TIME,
        "self.t_min + (1 - self.t_min) * torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype) ** 2",
    ),
    ("time_reversed", "time_reversed", "self.model(x, t)", "self.model(x, 1 - t)"),
    ("time_resampled", "time_differs", "self.model(x, t)", "self.model(x, torch.rand_like(t))"),
    ("noise_per_sample", ("noise_shape", "noise_law"), "torch.randn_like(x0)", "torch.randn_like(t)"),
    ("on_the_cpu", "hard_coded_device", "self.model(x, t), y)", "self.model(x, t) * torch.ones(len(y), 1), y)"),
):
    wrong(LOSS, name, finds, edit=(old, new))
for name, edit in cross_entropy.RIGHT:
    right(LOSS, name, edit=edit)


def loss(body: str) -> str:
    lines = "".join(" " * 8 + line + "\n" if line else "\n" for line in body.strip("\n").split("\n"))
    return (
        "class ClassifierTrainer(Trainer):\n    def __init__(self, model, data, add_noise, t_min):\n        super().__init__(model)\n"
        "        self.data, self.add_noise, self.t_min = data, add_noise, t_min\n\n    def get_train_loss(self, batch_size):\n"
        + lines
    )


right(LOSS, "log_softmax", source=loss("""
x0, y = self.data.sample(batch_size)
noise = torch.randn(x0.shape, device=x0.device, dtype=x0.dtype)
t = torch.empty(len(x0), 1, 1, device=x0.device, dtype=x0.dtype).uniform_(self.t_min, 1.0)
logs = torch.log_softmax(self.model(self.add_noise(x0, t, noise), t), dim=1)
return -logs[torch.arange(len(y), device=y.device), y].sum() / batch_size
"""))  # fmt: skip
right(LOSS, "module_and_names", source=loss("""
clean, label = self.data.sample(n=batch_size)
time = torch.rand(batch_size, device=clean.device, dtype=clean.dtype) * (1 - self.t_min) + self.t_min
time = time[:, None, None]
noisy = self.add_noise(x0=clean, t=time, noise=torch.randn_like(clean))
print("one more batch")
return nn.CrossEntropyLoss()(self.model(x=noisy, t=time), label)
"""))  # fmt: skip
right(LOSS, "one_hot", source=loss("""
x0, y = self.data.sample(batch_size)
t = torch.lerp(torch.tensor(self.t_min, dtype=x0.dtype, device=x0.device), torch.ones((), dtype=x0.dtype, device=x0.device), torch.rand(batch_size, 1, 1, dtype=x0.dtype, device=x0.device))
logits = self.model(self.add_noise(x0, t, torch.randn_like(x0)), t)
target = nn.functional.one_hot(y, logits.shape[1]).to(logits.dtype)
return (torch.logsumexp(logits, dim=1) - (logits * target).sum(1)).mean()
"""))  # fmt: skip
right(LOSS, "a_few_at_a_time", source=loss("""
x0, y = self.data.sample(batch_size)
noise = torch.randn_like(x0)
t = self.t_min + (1 - self.t_min) * torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)
x = self.add_noise(x0, t, noise)
some = torch.arange(batch_size, device=x0.device).split(16)
losses = [nn.functional.cross_entropy(self.model(x[i], t[i]), y[i], reduction="sum") for i in some]
return torch.stack(losses).sum() / batch_size
"""))  # fmt: skip

# --- 1.6 guided_step

STEP = "lab1.guided_step"
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
    ("in_place", "input_altered", f"return x + {DRIFT}", f"return x.add_({DRIFT})"),
    ("none", "returned_none", "return x +", "x +"),
    ("on_the_cpu", "hard_coded_device", KICK, f"{KICK} * torch.ones(1)[0].expand(x.shape).clone()"),
):
    wrong(STEP, name, finds, edit=(old, new))
right(STEP, "weights", edit=(GUIDED, "(1 - w) * score + w * class_score"))
right(STEP, "lerp", edit=(GUIDED, "torch.lerp(score, class_score, w)"))
right(
    STEP,
    "in_double",
    edit=[("    guided =", "    x, score, class_score = (v.double() for v in (x, score, class_score))\n    guided =")],
)
right(
    STEP,
    "in_place_on_own",
    edit=(f"return x + {DRIFT} + {KICK}", f"new = x.clone()\n    new += {DRIFT}\n    new += {KICK}\n    return new"),
)
right(
    STEP,
    "factored",
    edit=(f"x + {DRIFT} + {KICK}", "x * (1 + beta(t) * h / 2) + (beta(t) * h) * guided + (beta(t) * h) ** 0.5 * noise"),
)
right(
    STEP,
    "loop",
    edit=(
        f"x + {DRIFT} + {KICK}",
        "torch.stack([x[i] + beta(t[i]) * h[i] * (x[i] / 2 + guided[i]) + (beta(t[i]) * h[i]).sqrt() * noise[i] for i in range(len(x))])",
    ),
)
