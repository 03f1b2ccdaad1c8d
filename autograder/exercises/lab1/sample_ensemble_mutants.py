"""Exercise 1.1: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import function
from autograder.exercises.lab1 import majority_down_mutants, sample_ensemble_ties_mutants  # noqa: F401

right, wrong = mutants_of("lab1.sample_ensemble")

DRAW = "torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)"
SITES = "torch.multinomial(probs.flatten(0, 1), 1, generator=generator).reshape(n, setting.sites)"
DOWN = "torch.full((n, sites), 1 - ratio), generator=generator"


def ensemble(body: str) -> str:
    """Return both functions of the exercise: `sample_ensemble` with this body, and a right `majority_down`."""
    majority = "return (torch.rand(n, sites, generator=generator) > ratio).long()"
    return (
        function("sample_ensemble(setting, label, n, generator)", body)
        + "\n\n"
        + function("majority_down(n, sites, ratio, generator)", majority)
    )


for name, finds, old, new in (
    ("majority_up", "majority_up", "1 - ratio", "ratio"),
    (
        "majority_whole_lattice",
        "sites_tied",
        f"torch.bernoulli({DOWN})",
        "torch.bernoulli(torch.full((n, 1), 1 - ratio), generator=generator).expand(n, sites)",
    ),
    ("majority_constant", ("majority_share", "majority_up"), "1 - ratio)", "0.5)"),
    ("majority_of_the_lab", "majority_share", "1 - ratio)", "0.25)"),
    ("majority_floats", "not_integers", ".long()\n", "\n"),
    ("majority_spins", "not_spins", ".long()\n", ".long() * 2 - 1\n"),
    (
        "majority_global_random",
        "generator_ignored",
        f"torch.bernoulli({DOWN})",
        f"torch.bernoulli({DOWN})".replace(", generator=generator", ""),
    ),
    (
        "majority_numpy_random",
        "generator_ignored",
        f"torch.bernoulli({DOWN})",
        "torch.as_tensor(np.random.rand(n, sites) > ratio)",
    ),
    (
        "majority_seeds_global",
        ("generator_ignored", "seed_left"),
        f"torch.bernoulli({DOWN})",
        f"torch.bernoulli({DOWN.split(', generator')[0]}, generator=torch.manual_seed(generator.initial_seed()))",
    ),
    (
        "weights_ignored",
        ("weights_ignored", "site_frequencies"),
        "setting.weights[label], n",
        "(setting.weights[label] > 0).double(), n",
    ),
    (
        "weights_of_all",
        ("weights_of_all", "weights_ignored", "site_frequencies"),
        "setting.weights[label], n",
        "torch.ones(len(setting.probs)), n",
    ),
    (
        "label_ignored",
        ("label_ignored", "site_frequencies"),
        "setting.weights[label], n",
        "setting.prior @ setting.weights, n",
    ),
    (
        "label_zero",
        ("label_ignored", "site_frequencies", "sites_from_other_components"),
        "setting.weights[label], n",
        "setting.weights[(label + 1) % 3], n",
    ),
    ("global_random", "generator_ignored", f"{DRAW}", DRAW.replace(", generator=generator", "")),
    ("global_random_sites", "generator_ignored", f"{SITES}", SITES.replace(", generator=generator", "")),
    ("one_component_for_all", "one_component", DRAW, f"{DRAW}[:1].expand(n)"),
    ("best_component", ("one_component", "site_frequencies"), DRAW, "setting.weights[label].argmax().expand(n)"),
    ("from_one", "no_such_letter", ".reshape(n, setting.sites)", ".reshape(n, setting.sites) + 1"),
    ("floats", "not_integers", ".reshape(n, setting.sites)", ".reshape(n, setting.sites).double()"),
    ("embedded", ("wrong_shape", "not_integers"), f"return {SITES}", f"return setting.embed({SITES})"),
    (
        "transposed",
        ("sites_ignored", "sites_alike", "component_of_another_class"),  # all of them are seen, some more clearly
        ".reshape(n, setting.sites)",
        ".reshape(setting.sites, n).T",
    ),
    (
        "one_site",
        ("sites_ignored", "site_frequencies", "sites_from_other_components"),
        "setting.probs[component]",
        "setting.probs[component][:, :1].expand(-1, setting.sites, -1)",
    ),
    ("most_probable", ("site_frequencies",), SITES, "probs.argmax(-1)"),
    ("sorted", "draws_depend", DRAW, f"{DRAW}.sort().values"),
    (
        "seeds_everything",
        ("seed_left", "generator_ignored"),
        f"component = {DRAW}",
        f"torch.manual_seed(0)\n    component = {DRAW}",
    ),
    ("seeded", "seeded", f"component = {DRAW}", f"generator.manual_seed(0)\n    component = {DRAW}"),
    (
        "generator_of_its_own",
        "seeded",
        f"component = {DRAW}",
        f"generator = torch.Generator().manual_seed(0)\n    component = {DRAW}",
    ),
    (
        "majority_seeded",
        "seeded",
        f"torch.bernoulli({DOWN})",
        f"torch.bernoulli({DOWN.split(', generator')[0]}, generator=torch.Generator().manual_seed(7))",
    ),
):
    wrong(name, finds, edit=(old, new))
wrong(
    "one_number_a_sample",
    "sites_tied",
    source=ensemble("""
component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
steps = setting.probs[component].cumsum(-1)[..., :-1]
return (torch.rand(n, 1, 1, generator=generator, dtype=steps.dtype) > steps).sum(-1)
"""),
)
wrong(
    "majority_in_pairs",
    "sites_tied",
    edit=(
        f"torch.bernoulli({DOWN})",
        "torch.bernoulli(torch.full((n, (sites + 1) // 2), 1 - ratio), generator=generator)"
        ".repeat_interleave(2, 1)[:, :sites]",
    ),
)
wrong(
    "component_per_site",
    "sites_from_other_components",
    source=ensemble("""
pmf = torch.einsum("c,clk->lk", setting.weights[label], setting.probs)
return torch.stack([torch.multinomial(row, n, replacement=True, generator=generator) for row in pmf], dim=1)
"""),
)
wrong("returns_none", "returned_none", edit=("return torch.multinomial(probs", "torch.multinomial(probs"))
wrong(
    "numpy_random",
    "generator_ignored",
    source=ensemble("""
import numpy as np
shares = setting.weights[label] / setting.weights[label].sum()
component = np.random.choice(len(setting.probs), size=n, p=shares.numpy())
probs = setting.probs[torch.as_tensor(component)]
return torch.multinomial(probs.flatten(0, 1), 1, generator=generator).reshape(n, setting.sites)
"""),
)

right(
    "cumulative",
    source=ensemble("""
u = torch.rand(n, generator=generator, dtype=torch.float64)
component = torch.searchsorted(setting.weights[label].cumsum(0), u).clamp_max(len(setting.probs) - 1)
cumulative = setting.probs[component].cumsum(-1)
v = torch.rand(n, setting.sites, 1, generator=generator, dtype=torch.float64)
return (v > cumulative).sum(-1).clamp_max(setting.letters - 1)
"""),
)
right(
    "by_component",
    source=ensemble("""
counts = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
words = torch.empty(n, setting.sites, dtype=torch.long)
for c in range(len(setting.probs)):
    rows = (counts == c).nonzero()[:, 0]
    for i in range(setting.sites):
        if len(rows):
            words[rows, i] = torch.multinomial(setting.probs[c, i], len(rows), replacement=True, generator=generator)
return words
"""),
)
right(
    "gumbel",
    source=ensemble("""
def gumbel(logits):
    u = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    return (logits - (-u.log()).log()).argmax(-1)

component = gumbel(setting.weights[label].log().expand(n, -1))
return gumbel(setting.probs[component].log())
"""),
)
right(
    "site_by_site",
    source=ensemble("""
component = torch.multinomial(setting.weights[label], n, True, generator=generator)
sites = []
for site in range(setting.probs.shape[1]):
    sites.append(torch.multinomial(setting.probs[component, site], 1, generator=generator))
    print(f"drew site {site} of {n} words")
return torch.cat(sites, dim=1)
"""),
)
right("int16", edit=(".reshape(n, setting.sites)", ".reshape(n, setting.sites).to(torch.int16)"))
right(
    "shuffled_and_int32",
    source=ensemble("""
component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
component = component[torch.randperm(n, generator=generator)]
letters = torch.multinomial(setting.probs[component].reshape(-1, setting.letters), 1, generator=generator)
return letters.view(n, -1).to(torch.int32)
"""),
)
wrong(
    "first_and_last_site_share_a_number",
    "sites_tied",
    source=ensemble("""
component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
u = torch.rand(n, setting.sites, 1, generator=generator, dtype=torch.float64)
u[:, -1] = u[:, 1]
return (u > setting.probs[component].cumsum(-1)).sum(-1).clamp_max(setting.letters - 1)
"""),
)
right(
    "categorical_by_exponential_race",
    source=ensemble("""
def race(p):
    return (torch.empty(p.shape, dtype=p.dtype).exponential_(generator=generator) / p).argmin(-1)

return race(setting.probs[race(setting.weights[label].expand(n, -1))])
"""),
)
right(
    "component_by_component_shuffled",
    source=ensemble("""
of_each = torch.multinomial(setting.weights[label], n, True, generator=generator).bincount(minlength=len(setting.probs))
words = [
    torch.multinomial(site, int(k), replacement=True, generator=generator)
    for probs, k in zip(setting.probs, of_each) if k for site in probs
]
blocks, at = [], 0
for k in of_each.tolist():
    if k:
        blocks.append(torch.stack(words[at : at + setting.sites], 1))
        at += setting.sites
return torch.cat(blocks)[torch.randperm(n, generator=generator)]
"""),
)
right(
    "one_by_one",
    source=ensemble("""
component = torch.multinomial(input=setting.weights[label], num_samples=n, replacement=True, generator=generator)
drawn = [torch.multinomial(setting.probs[int(c)], 1, generator=generator)[:, 0] for c in component]
return torch.stack(drawn)
"""),
)
right(
    "all_components_and_one_chosen",
    source=ensemble("""
u = torch.rand(n, 1, setting.sites, 1, generator=generator, dtype=setting.probs.dtype)
every = (u > setting.probs.cumsum(-1)[:, :, :-1]).sum(-1)
component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
return every.gather(1, component[:, None, None].expand(-1, 1, setting.sites))[:, 0]
"""),
)
right(
    "in_float32",
    edit=[
        ("setting.weights[label], n", "setting.weights[label].float(), n"),
        ("probs.flatten(0, 1), 1", "probs.float().flatten(0, 1), 1"),
    ],
)
right(
    "majority_by_comparison",
    edit=(f"torch.bernoulli({DOWN}).long()", "(torch.rand((n, sites), generator=generator) >= ratio).int()"),
)
right(
    "majority_by_multinomial",
    edit=(
        f"torch.bernoulli({DOWN}).long()",
        "torch.multinomial(torch.tensor([ratio, 1 - ratio]), n * sites, True, generator=generator).view(n, sites)",
    ),
)
right(
    "majority_of_booleans", edit=(f"torch.bernoulli({DOWN}).long()", f"torch.bernoulli({DOWN}).bool().to(torch.uint8)")
)
for name, finds, body in (
    (
        "components_stratified",
        "components_dealt",
        """
shares = setting.weights[label].cumsum(0)
u = (torch.arange(n) + torch.rand(n, generator=generator)) / n
component = torch.searchsorted(shares, u.to(shares)).clamp_max(len(shares) - 1)[torch.randperm(n, generator=generator)]
return torch.multinomial(setting.probs[component].flatten(0, 1), 1, generator=generator).reshape(n, setting.sites)
""",
    ),
    (
        "components_without_replacement",
        ("components_dealt", "components_tied"),
        """
weights = setting.weights[label]
component = torch.multinomial(weights, n, replacement=n > int((weights > 0).sum()), generator=generator)
return torch.multinomial(setting.probs[component].flatten(0, 1), 1, generator=generator).reshape(n, setting.sites)
""",
    ),
    (
        "antithetic_words",
        "samples_tied",
        """
component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
half = torch.rand((n + 1) // 2, setting.sites, generator=generator, dtype=torch.float64)
u = torch.cat([half, 1 - half])[:n, :, None]
return (u >= setting.probs[component].cumsum(-1)[..., :-1]).sum(-1)
""",
    ),
):
    wrong(name, finds, source=ensemble(body))
for name, finds, majority in (
    ("majority_rounded", "majority_share", "(torch.rand(n, sites, generator=generator) >= round(ratio, 1)).long()"),
    (
        "majority_of_a_fixed_number",
        "sites_tied",
        "(torch.rand(n, sites, generator=generator).argsort(1) >= round(ratio * sites)).long()",
    ),
    (
        "majority_antithetic",
        "samples_tied",
        "(torch.cat([u := torch.rand((n + 1) // 2, sites, generator=generator), 1 - u])[:n] >= ratio).long()",
    ),
    (
        "majority_never_whole",
        "not_all_down",
        "(torch.rand(n, sites, generator=generator) >= min(ratio, 0.9)).long()",
    ),
):
    wrong(name, finds, edit=(f"torch.bernoulli({DOWN}).long()", majority))
right("uint8", edit=(".reshape(n, setting.sites)", ".reshape(n, setting.sites).to(torch.uint8)"))
right(
    "numpy_from_a_seed_of_the_generator",
    source=ensemble("""
source = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
shares = setting.weights[label].numpy()
component = source.choice(len(shares), size=n, p=shares / shares.sum())
cdf = setting.probs.numpy()[component].cumsum(-1)
return torch.from_numpy((source.random((n, setting.sites, 1)) > cdf[..., :-1]).sum(-1))
"""),
)
right(
    "gumbel_for_both",
    source=ensemble("""
def largest(logits):
    u = torch.rand(logits.shape, generator=generator, dtype=torch.float64).clamp_min(1e-300)
    return (logits.double() - torch.log(-torch.log(u))).argmax(-1)

return largest(setting.probs.log()[largest(setting.weights[label].log().expand(n, -1))])
"""),
)
wrong("sites_averaged", "sites_ignored", source=ensemble("""
component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
probs = setting.probs.mean(dim=1)[component]
return torch.multinomial(probs, setting.sites, replacement=True, generator=generator)
"""))  # fmt: skip
for name, change in (
    ("probs_clamped_in_place", "setting.probs.clamp_(min=1e-12)"),
    ("weights_scaled_in_place", "setting.weights[label].div_(setting.weights[label].max())"),
    ("prior_in_place", "setting.prior.mul_(2)"),
):
    wrong(name, finds="input_altered", edit=(f"component = {DRAW}", f"{change}\n    component = {DRAW}"))
wrong(
    "at_most_four_letters",
    finds=("site_frequencies", "raised", "letter_never_drawn"),
    edit=("probs.flatten", "probs[..., :4].flatten"),
)
for name, sites in (
    ("two_letters_only", "torch.bernoulli(probs[..., 1], generator=generator).long()"),
    ("compared_with_letter_zero_only", "(torch.rand(n, setting.sites, generator=generator) > probs[..., 0]).long()"),
):
    wrong(name, finds="letter_never_drawn", edit=(SITES, sites))
wrong(
    "weights_transposed_where_square",
    finds="not_the_word",
    edit=(
        "setting.weights[label], n",
        "(setting.weights.T if len(setting.weights) == len(setting.probs) else setting.weights)[label], n",
    ),
)
wrong(
    "sites_and_letters_exchanged_where_square",
    finds=("site_frequencies", "raised"),
    edit=(
        "setting.probs[component]",
        "(setting.probs.mT if setting.sites == setting.letters else setting.probs)[component]",
    ),
)
