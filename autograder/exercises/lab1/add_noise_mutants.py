"""Exercise 1.2: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab1.add_noise")

MIX = "alpha(t) * x0 + sigma(t) * noise"
for name, finds, new in (
    ("swapped", ("swapped",), "sigma(t) * x0 + alpha(t) * noise"),
    ("variance", ("variance_for_sigma",), "alpha(t) * x0 + sigma(t) ** 2 * noise"),
    ("root_of_sigma", ("root_of_sigma",), "alpha(t) * x0 + sigma(t).sqrt() * noise"),
    ("a_squared", ("a_squared",), "alpha(t) ** 2 * x0 + sigma(t) * noise"),
    ("root_of_a", ("root_of_a",), "alpha(t).sqrt() * x0 + sigma(t) * noise"),
    ("data_not_scaled", ("data_not_scaled",), "x0 + sigma(t) * noise"),
    ("noise_not_scaled", ("noise_not_scaled",), "alpha(t) * x0 + noise"),
    ("linear", ("linear",), "(1 - t) * x0 + t * noise"),
    ("one_minus_a", ("one_minus_a",), "alpha(t) * x0 + (1 - alpha(t)) * noise"),
    ("time_reversed", ("time_reversed",), "alpha(1 - t) * x0 + sigma(1 - t) * noise"),
    ("noise_subtracted", ("noise_subtracted",), "alpha(t) * x0 - sigma(t) * noise"),
    ("beta", ("beta_for_sigma",), "alpha(t) * x0 + beta(t).sqrt() * noise"),
    ("own_noise", ("fresh_noise",), "alpha(t) * x0 + sigma(t) * torch.randn_like(noise)"),
    ("one_time", ("wrong_mixture",), "alpha(t[0]) * x0 + sigma(t[0]) * noise"),
    ("on_the_cpu", ("hard_coded_device",), "alpha(t) * x0 + sigma(t) * noise * torch.ones(noise.shape, device='cpu')"),
    ("result_on_the_cpu", ("hard_coded_device",), "(alpha(t) * x0 + sigma(t) * noise).cpu()"),
    ("read_by_numpy", ("hard_coded_device",), "alpha(t) * x0 + sigma(t) * torch.from_numpy(noise.detach().numpy())"),
    (
        "made_of_numbers",
        ("hard_coded_device",),
        "alpha(t) * x0 + sigma(t) * torch.tensor(noise.tolist()).to(noise.dtype)",
    ),
    ("in_place", ("input_altered",), "noise.mul_(sigma(t)).add_(alpha(t) * x0)"),
    ("rounded", ("wrong_dtype",), "(alpha(t) * x0 + sigma(t) * noise).float()"),
    ("dtype_of_x0", ("wrong_dtype",), "(alpha(t) * x0 + sigma(t) * noise).to(x0.dtype)"),
    ("always_float64", ("wrong_dtype",), "alpha(t) * x0.double() + sigma(t) * noise"),
    ("time_in_float64", ("wrong_dtype",), "alpha(t.double()) * x0 + sigma(t.double()) * noise"),
    (
        "dtype_of_x0_unless_integers",
        ("wrong_dtype",),
        "(alpha(t) * x0 + sigma(t) * noise).to(x0.dtype if x0.is_floating_point() else noise.dtype)",
    ),
    (
        "memory",
        ("memory_layout", "raised"),
        "alpha(t) * x0 + sigma(t) * noise.as_strided("
        "noise.shape, (noise.shape[1] * noise.shape[2], noise.shape[2], 1))",
    ),
    ("sigma_with_a_floor", ("wrong_mixture",), "alpha(t) * x0 + sigma(t).clamp_min(0.02) * noise"),
    ("alpha_with_a_floor", ("wrong_mixture",), "alpha(t).clamp_min(0.01) * x0 + sigma(t) * noise"),
    (
        "time_limited",
        ("wrong_mixture",),
        "alpha(t.clamp(T_MIN, 1 - T_MIN)) * x0 + sigma(t.clamp(T_MIN, 1 - T_MIN)) * noise",
    ),
    ("limited", ("wrong_mixture",), "(alpha(t) * x0 + sigma(t) * noise).clamp(-1, 1)"),
    ("seeds", ("seed_left",), "torch.manual_seed(0) and alpha(t) * x0 + sigma(t) * noise"),
    ("switches_noise", ("requires_grad_left",), "alpha(t) * x0 + sigma(t) * noise.requires_grad_()"),
    ("a_numpy_array", ("not_a_tensor", "raised"), "(alpha(t) * x0 + sigma(t) * noise).tolist()"),
    ("flat", ("wrong_shape",), "(alpha(t) * x0 + sigma(t) * noise).flatten(1)"),
    ("none", ("returned_none",), "None"),
):
    wrong(name, finds, edit=(MIX, new))
wrong(
    "factors_kept_by_shape",
    finds=("samples_mixed", "wrong_mixture"),
    source="""
kept = {}

def add_noise(x0, t, noise):
    if (t.shape, t.dtype, t.device) not in kept:
        kept[t.shape, t.dtype, t.device] = alpha(t), sigma(t)
    data_factor, noise_factor = kept[t.shape, t.dtype, t.device]
    return data_factor * x0 + noise_factor * noise
""",
)
right("clone", edit=(MIX, "noise.clone().mul_(sigma(t)).add_(alpha(t) * x0)"))
right("by_definition", edit=(MIX, "alpha(t) * x0 + torch.sqrt(1 - alpha(t).double() ** 2).to(t.dtype) * noise"))
right("lerp_like", edit=(MIX, "torch.addcmul(alpha(t) * x0, sigma(t).expand_as(noise), noise)"))
right("loop", edit=(MIX, "torch.stack([alpha(s) * z + sigma(s) * e for s, z, e in zip(t, x0, noise)])"))
right(
    "einsum",
    edit=(
        MIX,
        "torch.einsum('bij,bkl->bkl', alpha(t), x0.to(noise.dtype)) + torch.einsum('bij,bkl->bkl', sigma(t), noise)",
    ),
)
right("cat", edit=(MIX, "(torch.stack([alpha(t) * x0, sigma(t) * noise])).sum(0)"))
right("in_float32", edit=(MIX, "(alpha(t.float()) * x0.float() + sigma(t.float()) * noise.float()).to(noise.dtype)"))
right("vmap", edit=(MIX, "torch.func.vmap(lambda z, s, e: alpha(s) * z + sigma(s) * e)(x0, t, noise)"))
right("keywords", edit=(MIX, "torch.add(sigma(t=t) * noise, other=alpha(t=t) * x0)"))
right("mul_and_add", edit=(MIX, "x0.to(noise).mul(alpha(t)).add(noise.mul(sigma(t)))"))
right(
    "factors_kept_by_time",
    source="""
class Factors:
    def __init__(self):
        self.t = None

    def of(self, t):
        if self.t is None or self.t.device != t.device or not torch.equal(self.t, t):
            self.t, self.pair = t.clone(), (alpha(t), sigma(t))
        return self.pair

factors = Factors()

def add_noise(x0, t, noise):
    data_factor, noise_factor = factors.of(t)
    return torch.addcmul(data_factor * x0, noise_factor, noise)
""",
)
wrong("noise_alone_if_all_at_one", finds="samples_mixed", edit=(MIX, f"{MIX} if bool((t < 1).any()) else 1.0 * noise"))
wrong(
    "factors_kept_by_identity",
    finds="samples_mixed",
    edit=(
        f"return {MIX}",
        "t, a, s = add_noise.__dict__.setdefault(str(id(t)), (t, alpha(t), sigma(t)))\n    return a * x0 + s * noise",
    ),
)
wrong(
    "integers_to_spins",
    finds="wrong_mixture",
    edit=(f"return {MIX}", f"x0 = x0 if x0.is_floating_point() or x0.min() < 0 else 2 * x0 - 1\n    return {MIX}"),
)

# A constant is added to sigma, or to its square: it shows where sigma is smallest.
for name, new in (
    ("sigma_plus_1e-5", "alpha(t) * x0 + (sigma(t) + 1e-5) * noise"),
    ("variance_plus_1e-6", "alpha(t) * x0 + (sigma(t) ** 2 + 1e-6).sqrt() * noise"),
    ("variance_plus_1e-8", "alpha(t) * x0 + (sigma(t) ** 2 + 1e-8).sqrt() * noise"),
    ("time_in_10000_steps", "alpha((t * 1e4).floor() / 1e4) * x0 + sigma((t * 1e4).floor() / 1e4) * noise"),
    ("no_data_at_one", "torch.where(t >= 1, 0, alpha(t)) * x0 + sigma(t) * noise"),
):
    wrong(name, ("wrong_mixture", "noise_at_the_ends", "data_at_the_ends"), edit=(MIX, new))
wrong("noise_within_5", "wrong_mixture", edit=(MIX, "alpha(t) * x0 + sigma(t) * noise.clamp(-5, 5)"))
wrong("time_of_integers", ("wrong_mixture", "not_a_mixture"), edit=("return", "t = t.long().to(t.dtype)\n    return"))

# Right but where two of the sizes b, sites and d are the same.
for name, rows, columns in (("noise_transposed_if_square", 1, 2), ("time_by_site_if_square", 0, 1)):
    swapped = f"noise.transpose({rows}, {columns})" if rows else "noise"
    time = "t" if rows else f"t.transpose({rows}, {columns})"
    equal = f"noise.shape[{rows}] == noise.shape[{columns}]"
    new = f"t, noise = ({time}, {swapped}) if {equal} else (t, noise)\n    return"
    wrong(name, "wrong_mixture", edit=("return", new))
right("sigma_by_definition_in_float32", edit=(MIX, "alpha(t) * x0 + (1 - alpha(t.float()) ** 2).sqrt() * noise"))
