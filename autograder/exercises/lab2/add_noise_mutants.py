"""Exercise 2.2: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab2.add_noise")

SIGMA = "return self.sigma_min * (self.sigma_max / self.sigma_min) ** t"
ADD = "return (x0 + self.sigma(t) * noise) % 1.0"

wrong("linear", finds="linear", edit=(SIGMA, "return self.sigma_min + (self.sigma_max - self.sigma_min) * t"))
wrong("reversed", finds="time_reversed", edit=(SIGMA, "return self.sigma_max * (self.sigma_min / self.sigma_max) ** t"))
wrong(
    "linear_variance",
    finds="variance_linear",
    edit=(SIGMA, "return (self.sigma_min**2 + (self.sigma_max**2 - self.sigma_min**2) * t) ** 0.5"),
)
wrong(
    "variance",
    finds="variance_instead",
    edit=(SIGMA, "return (self.sigma_min * (self.sigma_max / self.sigma_min) ** t) ** 2"),
)
wrong(
    "root",
    finds="root_instead",
    edit=(SIGMA, "return (self.sigma_min * (self.sigma_max / self.sigma_min) ** t) ** 0.5"),
)
wrong("constants", finds="constants_instead", edit=(SIGMA, "return 0.001 * (0.2 / 0.001) ** t"))
wrong("no_start", finds="start_missing", edit=(SIGMA, "return (self.sigma_max / self.sigma_min) ** t"))
wrong(
    "log",
    finds="log_of_sigma",
    edit=(SIGMA, "return math.log(self.sigma_min) + math.log(self.sigma_max / self.sigma_min) * t"),
)
wrong("no_ratio", finds="factor_not_divided", edit=(SIGMA, "return self.sigma_min * self.sigma_max**t"))
wrong("flat", finds="wrong_shape", edit=(SIGMA, SIGMA.replace("** t", "** t.flatten()")))
wrong("not_wrapped", finds="not_wrapped", edit=(ADD, "return x0 + self.sigma(t) * noise"))
wrong(
    "wrapped_once",
    finds="not_wrapped",
    edit=(
        ADD,
        "x = x0 + self.sigma(t) * noise\n        return torch.where(x < 0, x + 1, torch.where(x >= 1, x - 1, x))",
    ),
)
wrong("remainder_with_sign", finds="not_wrapped", edit=(ADD, "return torch.fmod(x0 + self.sigma(t) * noise, 1.0)"))
wrong("centred_cell", finds="not_wrapped", edit=(ADD, "x = x0 + self.sigma(t) * noise\n        return x - x.round()"))
wrong("clamped", finds="walls", edit=(ADD, "return (x0 + self.sigma(t) * noise).clamp(0, 1)"))
wrong("absolute", finds="walls", edit=(ADD, "return (1 - (1 - (x0 + self.sigma(t) * noise).abs()).abs())"))
wrong("minus", finds="wrong_sign", edit=(ADD, "return (x0 - self.sigma(t) * noise) % 1.0"))
wrong("variance_times_noise", finds="variance_for_width", edit=(ADD, "return (x0 + self.sigma(t) ** 2 * noise) % 1.0"))
wrong("root_times_noise", finds="root_for_width", edit=(ADD, "return (x0 + self.sigma(t) ** 0.5 * noise) % 1.0"))
wrong("unit_noise", finds="no_sigma", edit=(ADD, "return (x0 + noise) % 1.0"))
wrong("time_as_width", finds="time_for_sigma", edit=(ADD, "return (x0 + t * noise) % 1.0"))
wrong(
    "variance_preserving",
    finds="data_shrunk",
    edit=(ADD, "return ((1 - self.sigma(t) ** 2).clamp(min=0) ** 0.5 * x0 + self.sigma(t) * noise) % 1.0"),
)
wrong("largest_noise", finds="sigma_max_always", edit=(ADD, "return (x0 + self.sigma_max * noise) % 1.0"))
wrong("own_noise", finds="fresh_noise", edit=(ADD, "return (x0 + self.sigma(t) * torch.randn_like(x0)) % 1.0"))
wrong("in_place", finds="input_altered", edit=(ADD, "x0 += self.sigma(t) * noise\n        return x0 % 1.0"))
wrong(
    "on_the_cpu",
    finds="hard_coded_device",
    edit=(
        SIGMA,
        "return self.sigma_min * torch.tensor([self.sigma_max / self.sigma_min], device='cpu', dtype=t.dtype) ** t",
    ),
)
wrong("returns_none", finds="returned_none", edit=(ADD, "x = (x0 + self.sigma(t) * noise) % 1.0"))
wrong(
    "blank",
    finds="not_implemented",
    edit=[(SIGMA, "raise NotImplementedError()"), (ADD, "raise NotImplementedError()")],
)

wrong("sigma_floor", finds="wrong_sigma", edit=(SIGMA, f"{SIGMA}.clamp(min=0.01)"))
wrong("time_limited", finds="wrong_sigma", edit=(SIGMA, SIGMA.replace("** t", "** t.clamp(0.01, 0.99)")))
wrong("first_time", finds="wrong_sigma", edit=(SIGMA, SIGMA.replace("** t", "** t[:1].expand_as(t)")))
wrong("sigma_kept", finds="wrong_sigma", edit=(
    SIGMA, "kept = self.__dict__.setdefault('kept', {})\n        " + SIGMA.replace("return ", "s = ")
    + "\n        return kept.setdefault(t.shape, s)"))  # fmt: skip
wrong("mean_sigma", finds="wrong_noise", edit=(ADD, "return (x0 + self.sigma(t).mean() * noise) % 1.0"))
wrong("noise_limited", finds="wrong_noise", edit=(ADD, ADD.replace("noise)", "noise.clamp(-2, 2))")))
wrong("seeds", finds="seed_left", edit=(ADD, "torch.manual_seed(0)\n        " + ADD))
wrong("marks_t", finds="requires_grad_left", edit=(SIGMA, "t.requires_grad_()\n        " + SIGMA))
wrong("add_noise_without_sigma", finds="not_implemented", edit=(SIGMA, "raise NotImplementedError()"))

wrong("sigma_detached", finds="sigma_detached", edit=(SIGMA, SIGMA.replace("** t", "** t.detach()")))
wrong("sigma_by_numpy", finds="sigma_detached", edit=(
    SIGMA, "power = np.power(self.sigma_max / self.sigma_min, t.detach().cpu().numpy())\n"
    "        return torch.from_numpy(self.sigma_min * power).to(t)"))  # fmt: skip
wrong("sigma_without_gradients", finds="sigma_detached", edit=(
    SIGMA, "with torch.no_grad():\n            " + SIGMA))  # fmt: skip

right(
    "by_logarithms",
    edit=(SIGMA, "return torch.exp((1 - t) * math.log(self.sigma_min) + t * math.log(self.sigma_max))"),
)
right("two_powers", edit=(SIGMA, "return self.sigma_min ** (1 - t) * self.sigma_max**t"))
right("floor", edit=(ADD, "x = x0 + self.sigma(t) * noise\n        return x - x.floor()"))
right("remainder", edit=(ADD, "return torch.remainder(torch.addcmul(x0, self.sigma(t), noise), 1)"))
right(
    "by_angles",
    edit=(
        ADD,
        "angle = 2 * math.pi * (x0 + self.sigma(t) * noise)\n"
        "        return torch.atan2(angle.sin(), angle.cos()) / (2 * math.pi) % 1.0",
    ),
)
right("base_ten", edit=(SIGMA, "return self.sigma_min * 10 ** (t * math.log10(self.sigma_max / self.sigma_min))"))
right("float32_inside", edit=(ADD, "return (x0.float() + self.sigma(t.float()) * noise.float()) % 1.0"))
right("float32_at_the_end", edit=(SIGMA, f"return ({SIGMA.removeprefix('return ')}).float()"))
right("copy_in_place", edit=(
    ADD, "x = x0.clone()\n        x += self.sigma(t) * noise\n        return x.remainder_(1.0)"))  # fmt: skip
right("einsum", edit=(ADD, "return (x0 + torch.einsum('bi,bn->bn', self.sigma(t), noise)) % 1.0"))
right("formula_repeated", edit=(
    ADD, "s = self.sigma_min * torch.exp(t * math.log(self.sigma_max / self.sigma_min))\n"
    "        return (x0 + s * noise) % 1.0"))  # fmt: skip
right("torch_pow", edit=(SIGMA, "return self.sigma_min * torch.pow(self.sigma_max / self.sigma_min, t)"))
right("log_space_lerp", edit=(
    SIGMA, "a, b = (torch.tensor(math.log(s), device=t.device, dtype=t.dtype)\n"
    "                for s in (self.sigma_min, self.sigma_max))\n"
    "        return torch.exp(torch.lerp(a, b, t))"))  # fmt: skip
wrong("time_limited_a_little", finds="wrong_sigma", edit=("** t", "** t.clamp(1e-3, 1)"))
for name, outside in (("negative", "x < 0"), ("above_one", "x >= 1")):
    moved = f"x = x0 + self.sigma(t) * noise\n        return x % 1.0 if bool(({outside}).any()) else x"
    wrong(f"wraps_if_some_are_{name}", finds="not_wrapped", edit=(ADD, moved))
wrong("one_time_by_item", finds="sigma_detached", edit=(
    SIGMA, "if t.numel() == 1:\n"
    "            return torch.full_like(t, self.sigma_min * (self.sigma_max / self.sigma_min) ** t.item())\n"
    "        " + SIGMA))  # fmt: skip
wrong("clean_if_all_at_zero", finds="samples_mixed", edit=(
    ADD, "if not bool(t.any()):\n            return x0 % 1.0\n        " + ADD))  # fmt: skip
right(
    "one_for_zero",
    edit=(ADD, "x = (x0 + self.sigma(t) * noise) % 1.0\n        return torch.where(x == 0, torch.ones_like(x), x)"),
)
right("ratio_at_the_start", edit=(SIGMA, (
    "self.__dict__.setdefault('ratio', self.sigma_max / self.sigma_min)\n        "
    "return self.sigma_min * self.ratio**t")))  # fmt: skip
wrong("kept_off_the_edge", finds="wrong_noise", edit=(
    ADD, "return ((x0 + self.sigma(t) * noise) % 1.0).clamp(1e-6, 1 - 1e-6)"))  # fmt: skip
for name, key in (("id", "id(t)"), ("place_in_memory", "t.data_ptr(), t.shape")):
    wrong(f"sigma_kept_by_{name}", finds="wrong_sigma", edit=(
        SIGMA, "kept = self.__dict__.setdefault('kept', {})\n        " + SIGMA.replace("return ", "s = ")
        + f"\n        return kept.setdefault(({key}), (t, s))[1] if t.device.type != 'meta' else s"))  # fmt: skip

# --- as many samples as atoms, one atom, many turns, seeds, and results that are kept

MOVED = "x0 + self.sigma(t) * noise"
wrong("sigma_along_the_atoms", finds="wrong_noise", edit=(
    ADD, "s = self.sigma(t)\n        s = s.mT if x0.shape[0] == x0.shape[1] else s\n"
    "        return (x0 + s * noise) % 1.0"))  # fmt: skip
wrong("without_the_axis_of_one_atom", finds="wrong_shape", edit=(ADD, f"return (({MOVED}) % 1.0).squeeze(-1)"))
wrong("wraps_five_times", finds="not_wrapped", edit=(
    ADD, f"x = {MOVED}\n        for _ in range(5):\n"
    "            x = torch.where(x >= 1, x - 1, torch.where(x < 0, x + 1, x))\n        return x"))  # fmt: skip
wrong("result_reused", finds="result_overwritten", edit=(
    ADD, "key = str((x0.shape, x0.dtype, x0.device))\n"
    f"        return self.__dict__.setdefault(key, torch.empty_like(x0)).copy_(({MOVED}).detach() % 1.0)"))  # fmt: skip
wrong("sigma_kept_for_all_schedules", finds="wrong_sigma", edit=(
    SIGMA, "if t.device.type == 'meta':\n            return t\n"
    "        kept = ExponentialNoise.sigma.__dict__\n        " + SIGMA.replace("return ", "s = ")
    + "\n        return kept.setdefault(str((t.dtype, t.tolist())), s)"))  # fmt: skip
for module, seed in (("numpy", "np.random.seed(0)"), ("python", "__import__('random').seed(0)")):
    wrong(f"sigma_seeds_{module}", finds="seed_left", edit=(SIGMA, f"{seed}\n        {SIGMA}"))
    wrong(f"add_noise_seeds_{module}", finds="seed_left", edit=(ADD, f"{seed}\n        {ADD}"))
for name, line in (("sigma", SIGMA), ("add_noise", ADD)):
    wrong(f"{name}_records_gradients", finds="setting_left", edit=(
        line, f"torch.set_grad_enabled(True)\n        {line}"))  # fmt: skip
