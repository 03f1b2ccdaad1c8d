"""Exercise 3.1: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.factor_codes import small
from autograder.exercises.kits.habit_mutants import SETUP, right_habits, wrong_habits
from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab3.schedule")

finds: str | tuple[str, ...]  # of every loop below

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
    ("other_end", "last_beta", "0.02, T", "0.2, T"),
    ("geometric", "not_equally_spaced", BETAS, "torch.logspace(-4, -1.69897, T)"),
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
    ("first_time_for_all", "samples_mixed", LOOK, "gather_per_sample(schedule.alpha_bars, t[:1], x0)"),
    ("own_noise", "not_repeatable", "* noise", "* torch.randn_like(x0)"),
    ("off_by_one", "x0_size", LOOK, "gather_per_sample(schedule.alpha_bars, t - 1, x0)"),
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
    ("posterior_wraps", "posterior_at_0", "torch.where(t > 0, schedule.alpha_bars[t - 1], 1.0)",
     "schedule.alpha_bars[t - 1]"),
    ("posterior_upside_down", ("posterior_too_large", "not_finite"), "(1 - before) / (1 - alpha_bar)",
     "(1 - alpha_bar) / (1 - before)"),
    ("sigmas_none", "raised", SIGMAS, SIGMAS.replace("return ", "")),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
MADE = "return Schedule(betas, alphas, alphas.cumprod(dim=0))"
for name, finds, old, new in (
    # what later cells cannot use
    ("plain_tuple", "not_a_schedule", MADE, "return betas, alphas, alphas.cumprod(dim=0)"),
    ("plain_list", "not_a_schedule", MADE, "return [betas, alphas, alphas.cumprod(dim=0)]"),
    ("numpy_arrays", "not_a_tensor", MADE, "return Schedule(*(v.numpy() for v in (betas, alphas, alphas.cumprod(0))))"),
    ("numpy_tuple", "not_a_tensor", MADE,
     "betas = np.linspace(1e-4, 0.02, T)\n    return betas, 1 - betas, np.cumprod(1 - betas)"),
    ("lists", "not_a_tensor", MADE, "return Schedule(*(v.tolist() for v in (betas, alphas, alphas.cumprod(0))))"),
    ("dictionary", ("raised", "not_a_tensor"), MADE,
     "return dict(betas=betas, alphas=alphas, alpha_bars=alphas.cumprod(0))"),
    ("half", "wrong_dtype", BETAS, "torch.linspace(1e-4, 0.02, T).half()"),
    ("always_1000", "wrong_shape", BETAS, "torch.linspace(1e-4, 0.02, 1000)"),
    ("kept_schedule", "wrong_shape", MADE,
     "return KEPT.setdefault('schedule', Schedule(betas, alphas, alphas.cumprod(0)))"),
    ("a_row", "wrong_shape", BETAS, "torch.linspace(1e-4, 0.02, T)[None]"),
    ("bar_floor", "bars_do_not_fall", BARS, "alphas.cumprod(0).clamp(min=1e-3))"),
    ("scaled_linear", ("quadratic", "other_ends", "first_beta"), BETAS,
     "torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, T) ** 2"),
    ("cosine", ("last_beta", "first_beta", "betas_fall"), BETAS,
     "(1 - torch.cos((torch.arange(T) + 1) / T * math.pi / 2) ** 2).clamp(max=0.999)"),
    ("per_thousand", ("other_ends", "first_beta"), BETAS, "torch.linspace(1e-4, 0.02, T) * 1000 / T + 1e-4"),
    ("schedule_seeds", "seed_left", BETAS, "torch.linspace(1e-4, 0.02, T)\n    torch.manual_seed(0)"),
    ("fields_exchanged", ("wrong_alphas", "root_of_alpha", "betas_fall"), "Schedule(betas, alphas,",
     "Schedule(alphas, betas,"),
    # the lab's first and last steps
    ("data_floor", ("x0_at_last",
     "x0_too_large"), LOOK, "gather_per_sample(schedule.alpha_bars, t, x0).clamp(min=1e-3)"),
    ("noise_floor", "noise_at_0", "(1 - alpha_bar).sqrt() * noise", "(1 - alpha_bar).clamp(min=1e-2).sqrt() * noise"),
    ("data_at_zero", "noise_at_0", "(1 - alpha_bar).sqrt() * noise",
     "(1 - alpha_bar).sqrt() * noise * (alpha_bar < schedule.alpha_bars[0])"),
    ("only_noise_at_last", "x0_at_last", "alpha_bar.sqrt() * x0 +",
     "alpha_bar.sqrt() * x0 * (alpha_bar > schedule.alpha_bars[-1]) +"),
    ("cut", ("clamped", "not_a_sum"), f"return {MIX}", f"return ({MIX}).clamp(-1, 1)"),
    ("noise_cut", "not_a_sum", "(1 - alpha_bar).sqrt() * noise", "(1 - alpha_bar).sqrt() * noise.clamp(-4, 4)"),
    ("four_axes", ("wrong_shape", "raised"), LOOK, "schedule.alpha_bars[t][:, None, None, None]"),
    ("gather_on_cpu", "hard_coded_device", LOOK,
     "schedule.alpha_bars.gather(-1, t.cpu()).reshape(-1, *[1] * (x0.dim() - 1))"),
    ("own_schedule", "schedule_not_read", LOOK, "gather_per_sample(linear_schedule(1000).alpha_bars.to(x0), t, x0)"),
    ("step_by_step_once", ("alpha_for_alpha_bar", "x0_too_large"), MIX,
     "gather_per_sample(schedule.alphas, t, x0).sqrt() * x0 + gather_per_sample(schedule.betas, t, x0).sqrt() * noise"),
    # sigmas
    ("posterior_at_0_is_step", "posterior_at_0", SIGMAS,
     SIGMAS.replace("return ", "post = ").replace("beta.sqrt(), (1 - alpha_bar).sqrt(), ", "")
     + "\n    return beta.sqrt(), (1 - alpha_bar).sqrt(), torch.where(t > 0, post, beta.sqrt())"),
    ("posterior_of_next", "posterior_at_0", "torch.where(t > 0, schedule.alpha_bars[t - 1], 1.0)",
     "schedule.alpha_bars[(t - 1).clamp(min=0)]"),
    ("sigma_floor", ("step_at_0", "total_at_0"), SIGMAS,
     "return tuple(v.clamp(min=0.02) for v in (beta.sqrt(), (1 - alpha_bar).sqrt(), "
     "(beta * (1 - before) / (1 - alpha_bar)).sqrt()))"),
    ("log_variances", ("wrong_sigma", "step_size", "step_sign_and_size", "not_finite"), "return beta.sqrt(),",
     "return beta.log(),"),
    ("sigmas_with_axes", "wrong_shape", SIGMAS, SIGMAS.replace("beta.sqrt()", "beta.sqrt()[:, None]", 1)),
    ("sigmas_numpy", "not_a_tensor", SIGMAS, SIGMAS.replace("beta.sqrt()", "beta.sqrt().numpy()", 1)),
    ("sigmas_of_the_lab", (*small("step"), "step_size", "raised"), "beta, alpha_bar = schedule",
     "schedule = linear_schedule(1000)\n    beta, alpha_bar = schedule"),
    ("all_sigmas", "wrong_shape", "beta, alpha_bar = schedule.betas[t], schedule.alpha_bars[t]",
     "beta, alpha_bar = schedule.betas, schedule.alpha_bars\n    t = torch.arange(len(beta))"),
    ("sigmas_first_t", "samples_mixed", "beta, alpha_bar = schedule",
     "t = t[:1].expand_as(t)\n    beta, alpha_bar = schedule"),
    ("schedule_changed", ("input_altered", "not_finite"), "beta, alpha_bar = schedule",
     "schedule.alpha_bars[0] = 1.0\n    beta, alpha_bar = schedule"),
    ("total_of_before", ("total_at_0", "total_size", *small("total"), "total_only_at_last"),
     "(1 - alpha_bar).sqrt(), (", "(1 - before).sqrt(), ("),
):  # fmt: skip
    wrong(name, finds, edit=(old, new), setup=SETUP)
NOISE_DOC = '"""Return x_t, made of the data x0 and of the noise."""'
for name, finds, edits in wrong_habits(NOISE_DOC, MIX, "x0", "noise"):
    wrong(name, finds, edit=edits, setup=SETUP)
for name, edits in right_habits(NOISE_DOC, MIX, ("x0", "noise"), "noise"):
    right(name, edit=edits)
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
    "own_buffer",
    edit=(
        f"return {MIX}",
        "out = x0.clone()\n    out *= alpha_bar.sqrt()\n    out += (1 - alpha_bar).sqrt() * noise\n    return out",
    ),
)
right("by_numpy", source='''
def linear_schedule(T):
    betas = np.linspace(0.0001, 0.02, num=T, dtype=np.float64)
    alphas = 1.0 - betas
    bars = np.cumprod(alphas, axis=0)
    return Schedule(*(torch.from_numpy(values).float() for values in (betas, alphas, bars)))

def add_noise(x, step, eps, sched):
    a = sched.alpha_bars[step][(...,) + (None,) * (x.ndim - 1)]
    return x * a**0.5 + eps * (1 - a) ** 0.5

def three_sigmas(step, sched):
    before = torch.nn.functional.pad(sched.alpha_bars[:-1], (1, 0), value=1.0)
    posterior = sched.betas * (1.0 - before) / (1.0 - sched.alpha_bars)
    values = (sched.betas, 1 - sched.alpha_bars, posterior.clamp(min=1e-20))
    return tuple(v.sqrt().gather(0, step) for v in values)
''')  # fmt: skip
right("keywords", edit=[(MADE, "return Schedule(alpha_bars=alphas.cumprod(0), betas=betas, alphas=alphas)")])
right("arange", edit=[(BETAS, "1e-4 + (0.02 - 1e-4) * torch.arange(T) / (T - 1)")])
right("subclass", edit=[
    ("def linear_schedule", "class MySchedule(Schedule):\n    pass\n\n\ndef linear_schedule"),
    (MADE, "return MySchedule(betas, alphas, alphas.cumprod(dim=0))"),
])  # fmt: skip
right("products_one_by_one", edit=[(BARS, "torch.stack([alphas[: i + 1].prod() for i in range(T)]))")])
right("vmap", edit=[
    (MIX, "torch.func.vmap(lambda a, x, n: a.sqrt() * x + (1 - a).sqrt() * n)(schedule.alpha_bars[t], x0, noise)"),
])  # fmt: skip
right("posterior_by_alpha", edit=[
    ("torch.where(t > 0, schedule.alpha_bars[t - 1], 1.0)", "alpha_bar / schedule.alphas[t]"),
    ("(beta * (1 - before) / (1 - alpha_bar)).sqrt()", "(beta * (1 - before) / (1 - alpha_bar)).clamp(min=0).sqrt()"),
])  # fmt: skip
right("sigmas_in_float64", edit=[
    ("beta, alpha_bar = schedule", "schedule = schedule.to(torch.float64)\n    beta, alpha_bar = schedule"),
])  # fmt: skip
right("sigmas_in_float32", edit=[
    ("beta, alpha_bar = schedule", "schedule = schedule.to(torch.float32)\n    beta, alpha_bar = schedule"),
])  # fmt: skip
right("sigmas_as_list", edit=[(SIGMAS, SIGMAS.replace("return ", "return [") + "]")])
wrong("betas_require_gradients", "graph_kept", edit=[(BETAS, f"{BETAS}.requires_grad_()")])
right("bars_by_logarithms", edit=[(BARS, "torch.log1p(-betas).cumsum(0).exp())")])
right("noised_row_by_row", edit=[
    (MIX, "torch.stack([math.sqrt(a) * x + math.sqrt(1 - a) * n for a, x, n in "
          "zip(schedule.alpha_bars[t].tolist(), x0, noise)])"),
])  # fmt: skip
POSTERIOR = "(beta * (1 - before) / (1 - alpha_bar)).sqrt()"
for name, new in (
    ("posterior_at_least_1e_8", POSTERIOR.replace(").sqrt()", ").clamp(min=1e-8).sqrt()")),
    ("posterior_plus_1e_12", POSTERIOR.replace(").sqrt()", " + 1e-12).sqrt()")),
    ("posterior_at_least_1e_6", POSTERIOR + ".clamp(min=1e-6)"),
):
    wrong(name, finds="posterior_at_0", edit=[(POSTERIOR, new)])
right("posterior_from_all_the_noise", edit=[
    (POSTERIOR, "(beta * ((1 - alpha_bar) - beta).clamp(min=0) / (schedule.alphas[t] * (1 - alpha_bar))).sqrt()"),
])  # fmt: skip
ROOTS = "schedule.alpha_bars.sqrt(), (1 - schedule.alpha_bars).sqrt()"
MIXED = "a, b = (gather_per_sample(v.to(x0), t, x0) for v in table)\n    return a * x0 + b * noise"
TABLES = "schedule.betas.sqrt(), (1 - schedule.alpha_bars).sqrt()"
for name, finds, edits in (
    ("roots_kept_by_length", "schedule_not_read", [(f"return {MIX}",
     f"table = KEPT.setdefault(schedule.steps, ({ROOTS}))\n    {MIXED}")]),
    ("roots_kept_until_the_length_changes", "schedule_not_read", [(f"return {MIX}",
     "if len(KEPT.get('roots', [()])[0]) != schedule.steps:\n"
     f"        KEPT['roots'] = {ROOTS}\n    table = KEPT['roots']\n    {MIXED}")]),
    ("sigmas_kept_by_length", "schedule_not_read", [("beta, alpha_bar = schedule",
     "schedule = KEPT.setdefault(schedule.steps, schedule)\n    beta, alpha_bar = schedule")]),
    ("sigmas_kept_until_the_length_changes", "schedule_not_read", [("beta, alpha_bar = schedule",
     "if 'schedule' not in KEPT or KEPT['schedule'].steps != schedule.steps:\n        KEPT['schedule'] = schedule\n"
     "    schedule = KEPT['schedule'].to(schedule.betas)\n    beta, alpha_bar = schedule")]),
    ("one_zero_decides", "samples_mixed", [(SIGMAS, SIGMAS.replace(
     POSTERIOR, f"{POSTERIOR} * (0.0 if bool((t == 0).any()) else 1.0)"))]),
    ("posterior_zero_at_one", "posterior_at_1", [("torch.where(t > 0,", "torch.where(t > 1,")]),
    ("bars_in_float16", "few_digits", [(BARS, "alphas.half().cumprod(dim=0).float())")]),
    ("noised_in_bfloat16", "few_digits", [(f"return {MIX}", f"return ({MIX}).bfloat16().to(x0.dtype)")]),
    ("last_step_is_noise", ("x0_at_last", "noise_at_last", "x0_missing"), [(LOOK,
     f"{LOOK} * gather_per_sample(torch.arange(schedule.steps, device=t.device) < schedule.steps - 1, t, x0)")]),
):  # fmt: skip
    wrong(name, finds, edit=edits, setup=SETUP)
