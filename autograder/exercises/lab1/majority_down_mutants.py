"""Exercise 1.1: wrong answers and right ones for its second function, `majority_down`."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab1.sample_ensemble")

DOWN = "torch.bernoulli(torch.full((n, sites), 1 - ratio), generator=generator).long()"
wrong(
    "fewer_than_half_reversed",
    finds=("not_all_up", "minority_share"),
    edit=(DOWN, f"{DOWN} if ratio >= 0.5 else 1 - {DOWN}"),
)
wrong(
    "a_quarter_reversed",
    finds="minority_share",
    edit=(DOWN, f"{DOWN} if ratio >= 0.5 or ratio == 0 else 1 - {DOWN}"),
)
wrong("booleans", finds="not_integers", edit=(DOWN, "torch.rand((n, sites), generator=generator) >= ratio"))
wrong(
    "lattices_alike", finds="samples_tied", edit=(DOWN, DOWN.replace("(n, sites)", "(1, sites)") + ".expand(n, sites)")
)
for name, side in (("majority_of_whole_rows", "int(sites**0.5)"), ("majority_of_a_square", "math.ceil(sites**0.5)")):
    wrong(name, finds="wrong_shape", edit=(f"return {DOWN}", f"sites = {side} ** 2\n    return {DOWN}"))
right("spins_in_int8", edit=(DOWN, "torch.rand((n, sites), generator=generator).ge(ratio).to(torch.int8)"))

for name, finds, majority in (
    ("majority_limited_to_percents", "not_all_down", "torch.rand(n, sites, generator=generator) >= min(ratio, 0.99)"),
    ("majority_in_percents", "ratio_rounded", "torch.randint(100, (n, sites), generator=generator) >= 100 * ratio"),
    (
        "majority_in_rounded_percents",
        "ratio_rounded",
        "torch.randint(100, (n, sites), generator=generator) >= round(100 * ratio)",
    ),
    (
        "majority_in_bytes",
        "not_all_down",
        "torch.randint(256, (n, sites), generator=generator) >= 255 * ratio",
    ),
    (
        "majority_of_a_fixed_total",
        "sites_tied",
        "(torch.randperm(n * sites, generator=generator) >= round(n * sites * ratio)).view(n, sites)",
    ),
    (
        "majority_window",
        ("samples_tied", "majority_share"),  # the share of so few independent numbers varies
        "(torch.rand(n + sites - 1, generator=generator) >= ratio).unfold(0, sites, 1)",
    ),
    (
        "majority_of_few_seeds",
        "seeded",
        "torch.rand(n, sites, generator=torch.Generator().manual_seed("
        "int(torch.randint(256, (), generator=generator)))) >= ratio",
    ),
):
    wrong(name, finds=finds, edit=(DOWN, f"({majority}).long()"))
wrong(
    "majority_copies_neighbours",
    finds="sites_tied",
    edit=(
        f"return {DOWN}",
        f"spins, copied = {DOWN}, torch.rand(n, sites, generator=generator) < 0.2\n"
        "    for i in range(1, sites):\n"
        "        spins[:, i] = torch.where(copied[:, i], spins[:, i - 1], spins[:, i])\n"
        "    return spins",
    ),
)
right("majority_above_ratio", edit=(DOWN, "(torch.rand((n, sites), generator=generator) > ratio).long()"))
