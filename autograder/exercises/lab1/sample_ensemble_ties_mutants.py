"""Exercise 1.1: samplers by inversion whose sites share random numbers, and one whose sites do not."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab1.sample_ensemble")


def sampler(change: str) -> str:
    """Return the answer cell with a sampler by inversion whose uniform numbers `u`, (n, sites), are changed."""
    return f"""
def sample_ensemble(setting, label, n, generator):
    c = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
    u = torch.rand(n, setting.sites, generator=generator, dtype=torch.float64)
    {change}
    return (u[..., None] >= setting.probs[c].double().cumsum(-1)[..., :-1]).sum(-1)


def majority_down(n, sites, ratio, generator):
    return torch.bernoulli(torch.full((n, sites), 1 - ratio), generator=generator).long()
"""


# Sites that share a random number: the first one, which tells the component in a run, too, and sites far apart.
wrong("last_site_as_the_first", finds="sites_tied", source=sampler("u[:, -1] = u[:, 0]"))
wrong(
    "every_seventh_site_alike",
    finds="sites_tied",
    source=sampler("u = u[:, :7].repeat(1, setting.sites // 7 + 1)[:, : setting.sites]"),
)
wrong(
    "first_half_repeated",
    finds="sites_tied",
    source=sampler("h = setting.sites // 2; u[:, h : 2 * h] = u[:, :h] if setting.sites > 20 else u[:, h : 2 * h]"),
)
wrong("sites_dealt", finds="letters_dealt", source=sampler("u = (u.argsort(0) + torch.rand_like(u)) / n").replace(
    "torch.rand_like(u)", "torch.rand(u.shape, generator=generator)"))  # fmt: skip
wrong("words_are_a_window_of_one_stream", finds="samples_tied", source=sampler(
    "u = torch.rand(n + setting.sites, generator=generator, dtype=torch.float64).unfold(0, setting.sites, 1)[:n]"
))  # fmt: skip
wrong("sites_of_a_word_stratified", finds="sites_tied", source=sampler(
    "u = (u.argsort(1) + torch.rand(n, setting.sites, generator=generator, dtype=torch.float64)) / setting.sites"
))  # fmt: skip
wrong("components_and_sites_with_one_seed", finds="draws_depend", source=sampler(
    "seed = int(torch.randint(2**62, (), generator=generator))\n"
    "    u, v = (torch.rand(n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)"
    " for k in (setting.sites, 1))\n"
    "    c = (v >= setting.weights[label].double().cumsum(0)[:-1]).sum(-1)"
))  # fmt: skip
right("by_inversion", source=sampler("u = u.clone()"))
