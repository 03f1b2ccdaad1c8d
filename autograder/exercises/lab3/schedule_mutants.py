"""Exercise 3.1: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab3.schedule")

BETAS = "torch.linspace(1e-4, 0.02, T)"
BARS = "alphas.cumprod(dim=0))"
MIX = "alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise"
LOOK = "gather_per_sample(schedule.alpha_bars, t, x0)"
SIGMAS = "return beta.sqrt(), (1 - alpha_bar).sqrt(), (beta * (1 - before) / (1 - alpha_bar)).sqrt()"
for name, finds, old, new in (
    ("backwards", "backwards", BETAS, "torch.linspace(0.02, 1e-4, T)"),
    ("quadratic", "quadratic", BETAS, "torch.linspace(1e-4 ** 0.5, 0.02 ** 0.5, T) ** 2"),
    ("scaled_ends", ("other_ends", "wrong_betas"), BETAS, "torch.linspace(0.1 / T, 20 / T, T)"),
    ("end_left_out", "end_left_out", BETAS, "1e-4 + (0.02 - 1e-4) * torch.arange(T) / T"),
    ("other_end", "wrong_betas", "0.02, T", "0.2, T"),
    ("geometric", "wrong_betas", BETAS, "torch.logspace(-4, -1.69897, T)"),
    ("one_longer", "wrong_shape", BETAS, "torch.linspace(1e-4, 0.02, T + 1)"),
    ("root_alphas", ("root_of_alpha", "wrong_alphas"), "alphas = 1 - betas", "alphas = (1 - betas).sqrt()"),
    ("no_product", "no_product", BARS, "alphas)"),
    ("sum_for_product", "sum_for_product", "cumprod", "cumsum"),
    ("one_minus_sum", "one_minus_sum", BARS, "1 - betas.cumsum(0))"),
    ("bars_shifted", "bars_shifted", BARS, "torch.cat([torch.ones(1), alphas.cumprod(0)[:-1]]))"),
    ("root_bars", "root_of_bars", BARS, "alphas.cumprod(0).sqrt())"),
    ("bars_backwards", "bars_backwards", BARS, "alphas.flip(0).cumprod(0).flip(0))"),
    ("product_of_betas", "product_of_betas", BARS, "betas.cumprod(0))"),
    ("schedule_none", "raised", "return Schedule(betas", "Schedule(betas"),
    ("no_root", "no_root", MIX, "alpha_bar * x0 + (1 - alpha_bar) * noise"),
    ("no_root_on_data", "no_root_on_data", MIX, "alpha_bar * x0 + (1 - alpha_bar).sqrt() * noise"),
    ("no_root_on_noise", "no_root_on_noise", MIX, "alpha_bar.sqrt() * x0 + (1 - alpha_bar) * noise"),
    ("alpha_for_alpha_bar", "alpha_for_alpha_bar", LOOK, "gather_per_sample(schedule.alphas, t, x0)"),
    ("beta_noise", "sigma_of_one_step", MIX,
     "alpha_bar.sqrt() * x0 + gather_per_sample(schedule.betas, t, x0).sqrt() * noise"),
    ("swapped", "swapped", MIX, "(1 - alpha_bar).sqrt() * x0 + alpha_bar.sqrt() * noise"),
    ("noise_missing", "noise_missing", f"return {MIX}", "return alpha_bar.sqrt() * x0"),
    ("noise_not_scaled", "noise_not_scaled", MIX, "alpha_bar.sqrt() * x0 + noise"),
    ("data_not_scaled", "data_not_scaled", MIX, "x0 + (1 - alpha_bar).sqrt() * noise"),
    ("noise_subtracted", "noise_subtracted", ".sqrt() * x0 + (1", ".sqrt() * x0 - (1"),
    ("one_minus_root", "one_minus_root", MIX, "alpha_bar.sqrt() * x0 + (1 - alpha_bar.sqrt()) * noise"),
    ("not_broadcast", ("not_broadcast", "raised"), LOOK, "schedule.alpha_bars[t]"),
    ("first_time_for_all", "wrong_mixture", LOOK, "gather_per_sample(schedule.alpha_bars, t[:1], x0)"),
    ("own_noise", "wrong_mixture", "* noise", "* torch.randn_like(x0)"),
    ("off_by_one", "wrong_mixture", LOOK, "gather_per_sample(schedule.alpha_bars, t - 1, x0)"),
    ("in_place", "input_altered", f"return {MIX}",
     "return x0.mul_(alpha_bar.sqrt()).add_((1 - alpha_bar).sqrt() * noise)"),
    ("noise_none", "returned_none", f"return {MIX}", MIX),
    ("on_the_cpu", "hard_coded_device", f"return {MIX}", f"x0 = x0 * torch.ones(x0.shape)\n    return {MIX}"),
    ("sigmas_variance", "variance_for_sigma", "return beta.sqrt(),", "return beta,"),
    ("sigmas_swapped", "sigmas_swapped", "return beta.sqrt(), (1 - alpha_bar).sqrt(),",
     "return (1 - alpha_bar).sqrt(), beta.sqrt(),"),
    ("sigmas_alpha", ("alpha_for_alpha_bar", "sigmas_swapped"), "(1 - alpha_bar).sqrt(), (",
     "(1 - schedule.alphas[t]).sqrt(), ("),
    ("posterior_variance", "variance_for_sigma", "(beta * (1 - before) / (1 - alpha_bar)).sqrt()",
     "beta * (1 - before) / (1 - alpha_bar)"),
    ("posterior_same_bar", ("posterior_of_beta_only", "sigmas_swapped"), "(1 - before)", "(1 - alpha_bar)"),
    ("posterior_wraps", "wrong_sigma", "torch.where(t > 0, schedule.alpha_bars[t - 1], 1.0)",
     "schedule.alpha_bars[t - 1]"),
    ("posterior_upside_down", ("wrong_sigma", "not_finite"), "(1 - before) / (1 - alpha_bar)",
     "(1 - alpha_bar) / (1 - before)"),
    ("sigmas_none", "raised", SIGMAS, SIGMAS.replace("return ", "")),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
SIGMAS_RIGHT = '''

def three_sigmas(t, schedule):
    """By the last axis."""
    padded = torch.cat([torch.ones_like(schedule.alpha_bars[:1]), schedule.alpha_bars])
    variance = schedule.betas[t] * (1 - padded[t]) / (1 - padded[t + 1])
    return schedule.betas[t] ** 0.5, torch.sqrt(1 - schedule.alpha_bars[t]), variance**0.5
'''
right("loop", source='''
def linear_schedule(T):
    betas = [1e-4 + (0.02 - 1e-4) * i / (T - 1) for i in range(T)]
    bars, product = [], 1.0
    for beta in betas:
        product = product * (1 - beta)
        bars.append(product)
    return Schedule(torch.tensor(betas), torch.tensor([1 - b for b in betas]), torch.tensor(bars))

def add_noise(x0, t, noise, schedule):
    rows = []
    for x, i, z in zip(x0, t, noise):
        bar = schedule.alpha_bars[i]
        rows.append(torch.sqrt(bar) * x + torch.sqrt(1 - bar) * z)
    return torch.stack(rows)
''' + SIGMAS_RIGHT)  # fmt: skip
right("double", source='''
def linear_schedule(T):
    betas = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
    return Schedule(betas, 1 - betas, torch.cumprod(1 - betas, 0))

def add_noise(x0, t, noise, schedule):
    bar = schedule.alpha_bars.double()[t].reshape((len(t),) + (1,) * (x0.ndim - 1))
    return (bar**0.5 * x0.double() + (1 - bar) ** 0.5 * noise.double()).to(x0.dtype)
''' + SIGMAS_RIGHT)  # fmt: skip
right(
    "logs",
    edit=[
        (BARS, "torch.exp(torch.log1p(-betas).cumsum(0)))"),
        (MIX, "torch.addcmul(alpha_bar.sqrt() * x0, (1 - alpha_bar).sqrt(), noise)"),
    ],
)
right("lerp_variance", edit=(MIX, "noise * torch.sqrt(1 - alpha_bar) + x0 * torch.sqrt(alpha_bar)"))
right(
    "plain_tuple",
    edit=("return Schedule(betas, alphas, alphas.cumprod(dim=0))", "return betas, alphas, alphas.cumprod(dim=0)"),
)
right(
    "own_buffer",
    edit=(
        f"return {MIX}",
        "out = x0.clone()\n    out *= alpha_bar.sqrt()\n    out += (1 - alpha_bar).sqrt() * noise\n    return out",
    ),
)
