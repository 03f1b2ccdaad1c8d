"""Exercise 4.1: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab4.vector_field")

U = "return self.alpha.dt(t) * z + self.beta.dt(t) * noise"
S = "return (self.alpha(t) * z - x) / self.beta(t) ** 2"
N = "noise = (x - self.alpha(t) * z) / self.beta(t)"

wrong("only_linear", finds="only_linear", edit=(U, "return (z - x) / (1 - t)"))
wrong("displacement", finds="displacement", edit=(U, "return z - x"))
wrong("no_data_term", finds="no_data_term", edit=(U, "return self.beta.dt(t) * noise"))
wrong("no_noise_term", finds="no_noise_term", edit=(U, "return self.alpha.dt(t) * z"))
wrong("alpha_missing", finds="alpha_missing", edit=(N, "noise = (x - z) / self.beta(t)"))
wrong(
    "ratio_inverted",
    finds="ratio_inverted",
    edit=(U, "return self.alpha.dt(t) * z + self.beta(t) ** 2 / self.beta.dt(t) * noise"),
)
wrong("values_for_derivatives", finds="derivative_missing", edit=(U, "return self.alpha(t) * z + self.beta(t) * noise"))
wrong("noise_not_multiplied", finds="derivative_missing", edit=(U, "return self.alpha.dt(t) * z + noise"))
wrong("minus_noise", finds="wrong_sign", edit=(U, "return self.alpha.dt(t) * z - self.beta.dt(t) * noise"))
wrong("backwards", finds="wrong_sign", edit=(U, "return -self.alpha.dt(t) * z - self.beta.dt(t) * noise"))
wrong("x_for_noise", finds="noise_not_extracted", edit=(U, "return self.alpha.dt(t) * z + self.beta.dt(t) * x"))
wrong("beta_not_divided", finds="noise_not_extracted", edit=(N, "noise = x - self.alpha(t) * z"))
wrong("score_as_field", finds="score_instead", edit=(U, S))
wrong(
    "by_alpha",
    finds=("not_finite", "wrong_field"),
    edit=(
        U,
        "a, b = self.alpha(t), self.beta(t)\n"
        "        return self.alpha.dt(t) / a * x + (self.beta.dt(t) - b * self.alpha.dt(t) / a) * noise",
    ),
)
wrong("in_place", finds="input_altered", edit=(N, "x -= self.alpha(t) * z\n        noise = x / self.beta(t)"))
wrong("score_not_squared", finds="beta_not_squared", edit=(S, S.replace(" ** 2", "")))
wrong("score_sign", finds="wrong_sign", edit=(S, "return (x - self.alpha(t) * z) / self.beta(t) ** 2"))
wrong("score_without_alpha", finds="alpha_missing", edit=(S, "return (z - x) / self.beta(t) ** 2"))
wrong("score_not_divided", finds="not_divided", edit=(S, "return self.alpha(t) * z - x"))
wrong("score_half", finds="half", edit=(S, S + " / 2"))
wrong("score_is_noise", finds="noise_instead", edit=(S, "return (x - self.alpha(t) * z) / self.beta(t)"))
wrong("score_linear", finds="only_linear", edit=(S, "return (t * z - x) / (1 - t) ** 2"))
wrong("blank", finds="not_implemented", edit=[(U, "raise NotImplementedError()"), (S, "raise NotImplementedError()")])
wrong(
    "score_of_rounded_inputs",
    finds=("wrong_score", "not_finite"),
    edit=(S, "x, z, t = x.half().float(), z.half().float(), t.half().float()\n        " + S),
)
wrong("field_returns_none", finds="returned_none", edit=(U, U.replace("return ", "field = ")))
wrong("on_the_cpu", finds="hard_coded_device", edit=(U, U + " + torch.zeros(len(x)).reshape(t.shape)"))
wrong("result_on_the_cpu", finds="hard_coded_device", edit=(S, f"return ({S[7:]}).cpu()"))
wrong("read_by_numpy", finds="hard_coded_device", edit=(S, f"{S} + 0 * float(x.detach().numpy().max())"))
wrong(
    "made_of_numbers", finds="hard_coded_device", edit=(N, f"t = torch.tensor(t.tolist(), dtype=x.dtype)\n        {N}")
)
right(
    "collected_terms",
    edit=(
        U,
        "rate = self.beta.dt(t) / self.beta(t)\n"
        "        return (self.alpha.dt(t) - rate * self.alpha(t)) * z + rate * x",
    ),
)
right("score_by_noise", edit=(S, N + "\n        return -noise / self.beta(t)"))
right(
    "field_by_score",
    edit=(
        U,
        "a, b, da, db = self.alpha(t), self.beta(t), self.alpha.dt(t), self.beta.dt(t)\n"
        "        return da * z - b * db * self.conditional_score(x, z, t)",
    ),
)
right(
    "score_by_autograd",
    edit=(
        S,
        "with torch.enable_grad():\n            y = x.detach().clone().requires_grad_()\n"
        "            density = -((y - self.alpha(t) * z) ** 2 / (2 * self.beta(t) ** 2)).sum()\n"
        "            return torch.autograd.grad(density, y)[0]",
    ),
)
right(
    "helper_method",
    source="""
class GaussianConditionalPath(GaussianPath):
    def noise(self, x, z, t):
        return (x - self.alpha(t) * z) / self.beta(t)

    def conditional_vector_field(self, x, z, t):
        return self.beta.dt(t) * self.noise(x, z, t) + self.alpha.dt(t) * z

    def conditional_score(self, x, z, t):
        return -self.noise(x, z, t) / self.beta(t)
""",
)
right(
    "velocity_by_jvp",
    edit=(
        U,
        "da = torch.autograd.functional.jvp(self.alpha, t, torch.ones_like(t))[1]\n"
        "        db = torch.autograd.functional.jvp(self.beta, t, torch.ones_like(t))[1]\n"
        "        return da * z + db * noise",
    ),
)

# --- more wrong answers: the ends of the range

wrong(
    "beta_at_least_a_hundredth",
    finds=("wrong_field", "wrong_score"),
    edit=(N, N.replace("self.beta(t)", "self.beta(t).clamp(min=1e-2)")),
)
wrong("time_clamped_late", finds="wrong_field", edit=(N, "t = t.clamp(max=0.99)\n        " + N))
wrong("time_clamped_early", finds="wrong_field", edit=(N, "t = t.clamp(min=1e-3)\n        " + N))
wrong("large_constant", finds="wrong_field", edit=(N, N.replace("self.beta(t)", "(self.beta(t) + 1e-3)")))
wrong("middle_constant", finds="wrong_field", edit=(N, N.replace("self.beta(t)", "(self.beta(t) + 1e-5)")))
wrong(
    "score_with_a_constant", finds="wrong_score", edit=(S, S.replace("self.beta(t) ** 2", "(self.beta(t) ** 2 + 1e-5)"))
)
wrong(
    "score_variance_floor",
    finds="wrong_score",
    edit=(S, S.replace("self.beta(t) ** 2", "(self.beta(t) ** 2).clamp(min=1e-4)")),
)
wrong("score_clipped", finds="wrong_score", edit=(S, S.replace("return ", "return (") + ").clamp(-100, 100)"))
wrong("score_clipped_late", finds="wrong_score", edit=(S, S.replace("return ", "return (") + ").clamp(-1000, 1000)"))
wrong("noise_clipped", finds="wrong_field", edit=(N, N.replace("= (", "= ((") + ").clamp(-3, 3)"))
wrong("x_clipped", finds=("far_away", "wrong_field"), edit=(N, "x = x.clamp(-4, 4)\n        " + N))
wrong("first_time_for_all", finds=("wrong_field", "not_finite"), edit=(N, "t = t[:1]\n        " + N))
wrong(
    "finite_differences",
    finds="wrong_field",
    edit=(
        U,
        "a, b, h = self.alpha, self.beta, 0.01\n"
        "        return (a(t + h) - a(t)) / h * z + (b(t + h) - b(t)) / h * noise",
    ),
)
wrong(
    "score_times_beta",
    finds="noise_instead",
    edit=(S, "return (x - self.alpha(t) * z) / self.beta(t) ** 2 * self.beta(t)"),
)
wrong("score_plus_constant_term", finds="wrong_score", edit=(S, S + " - 1"))
wrong("score_of_the_marginal", finds="wrong_score", edit=(S, "return -x / (self.alpha(t) ** 2 + self.beta(t) ** 2)"))
wrong("field_of_the_mean", finds="wrong_field", edit=(U, U.replace("* z", "* z.mean(0, keepdim=True)")))

wrong("time_clamped_at_a_thousandth", finds="wrong_field", edit=(N, "t = t.clamp(max=1 - 1e-3)\n        " + N))
wrong("score_time_clamped", finds="wrong_score", edit=(S, "t = t.clamp(max=1 - 1e-3)\n        " + S))
wrong(
    "score_small_variance_floor",
    finds="wrong_score",
    edit=(S, S.replace("self.beta(t) ** 2", "(self.beta(t) ** 2).clamp(min=1e-6)")),
)
wrong("score_clipped_very_late", finds="wrong_score", edit=(S, S.replace("return ", "return (") + ").clamp(-1e4, 1e4)"))
wrong("noise_clipped_far_out", finds="far_away", edit=(N, N.replace("= (", "= ((") + ").clamp(-10, 10)"))
wrong(
    "beta_from_alpha",
    finds="wrong_field",
    edit=(N, N.replace("self.beta(t)", "(1 - self.alpha(t))")),
)
wrong(
    "beta_from_alpha_squared",
    finds="wrong_field",
    edit=(N, N.replace("self.beta(t)", "(1 - self.alpha(t) ** 2).sqrt()")),
)
wrong("score_beta_from_alpha", finds="wrong_score", edit=(S, S.replace("self.beta(t)", "(1 - self.alpha(t))")))
wrong("image_at_speed_one", finds="wrong_field", edit=(U, "return z + self.beta.dt(t) * noise"))
wrong("noise_at_speed_one", finds="wrong_field", edit=(U, "return self.alpha.dt(t) * z - noise"))
wrong("one_speed_for_both", finds="wrong_field", edit=(U, "return self.alpha.dt(t) * (z - noise)"))
wrong("score_with_a_speed", finds="wrong_score", edit=(S, S + " * -self.beta.dt(t)"))
wrong("noise_without_its_mean", finds="wrong_field", edit=(N, N + "\n        noise = noise - noise.mean()"))
wrong("squeezed", finds="wrong_shape", edit=(U, U.replace("return ", "return (") + ").squeeze()"))

# --- kept, left behind

wrong(
    "alpha_kept",
    finds=("kept_from_earlier_call", "raised", "wrong_field"),
    edit=(
        N,
        "if not hasattr(self, 'a') or self.a.shape != t.shape:\n            self.a = self.alpha(t)\n"
        "        noise = (x - self.a * z) / self.beta(t)",
    ),
)
wrong(
    "noise_kept_for_the_score",
    finds=("kept_from_earlier_call", "raised", "wrong_score"),
    edit=[(N, N + "\n        self.eps = noise"), (S, "return -self.eps / self.beta(t)")],
)
wrong("seeded", finds="seed_left", edit=(N, "torch.manual_seed(0)\n        " + N))
wrong("x_requires_grad", finds="requires_grad_left", edit=(S, "x.requires_grad_()\n        " + S))
wrong(
    "score_by_backward",
    finds=("requires_grad_left", "gradient_left"),
    edit=(
        S,
        "x.requires_grad_()\n        (-((x - self.alpha(t) * z) ** 2 / (2 * self.beta(t) ** 2)).sum()).backward()\n"
        "        return x.grad",
    ),
)
wrong("gradients_off", finds="setting_left", edit=(N, "torch.set_grad_enabled(False)\n        " + N))
wrong("half_precision", finds="wrong_dtype", edit=(U, U.replace("return ", "return (") + ").half()"))
wrong("z_in_place", finds=("input_altered", "raised"), edit=(N, N + "\n        z.mul_(1.0 + self.alpha(t))"))
wrong("flattened", finds="wrong_shape", edit=(U, U.replace("return ", "return (") + ").flatten()"))

# --- more right answers

right("field_in_float32", edit=(N, "x, z, t = x.float(), z.float(), t.float()\n        " + N))
right("score_in_float32", edit=(S, "x, z, t = x.float(), z.float(), t.float()\n        " + S))
right(
    "score_by_distributions",
    edit=(
        S,
        "with torch.enable_grad():\n            y = x.detach().clone().requires_grad_()\n"
        "            law = torch.distributions.Normal(self.alpha(t) * z, self.beta(t))\n"
        "            return torch.autograd.grad(law.log_prob(y).sum(), y)[0]",
    ),
)
right(
    "score_by_torch_func",
    edit=(
        S,
        "def log_density(y):\n            return -((y - self.alpha(t) * z) ** 2 / (2 * self.beta(t) ** 2)).sum()\n"
        "        return torch.func.grad(log_density)(x)",
    ),
)
right(
    "by_schedules_in_variables", edit=(N, "a, b = self.alpha(t), self.beta(t)\n        noise = x.sub(a.mul(z)).div(b)")
)
right(
    "in_place_on_new_tensors",
    edit=(N, "noise = x.clone()\n        noise -= self.alpha(t) * z\n        noise /= self.beta(t)"),
)
right("addcmul", edit=(U, "return torch.addcmul(self.alpha.dt(t) * z, self.beta.dt(t).expand_as(x), noise)"))
right("score_multiplied", edit=(S, "return -(x - self.alpha(t) * z) * self.beta(t).pow(-2)"))
right("with_a_print", edit=(N, N + "\n        print('noise', tuple(noise.shape))"))
right("in_float32", edit=(N, "x, z, t = x.float(), z.float(), t.float()\n        " + N))
right(
    "in_float64",
    edit=[
        (N, "dtype = x.dtype\n        x, z, t = x.double(), z.double(), t.double()\n        " + N),
        (U, U.replace("return ", "return (") + ").to(dtype)"),
    ],
)
right(
    "score_of_one_sample_by_vmap",
    edit=(S, "return torch.func.vmap(lambda x, z, t: (self.alpha(t) * z - x) / self.beta(t) ** 2)(x, z, t)"),
)
right(
    "velocity_by_torch_func",
    edit=(
        U,
        "def path(s):\n            return self.alpha(s) * z + self.beta(s) * noise\n\n"
        "        return torch.func.jvp(path, (t,), (torch.ones_like(t),))[1]",
    ),
)
wrong("millionth_added_to_beta", finds="wrong_near_the_data", edit=(N, N + " * self.beta(t) / (self.beta(t) + 1e-6)"))
for name, beta in (
    ("and_1e_8", "(self.beta(t) + 1e-8)"),
    ("and_1e_12", "(self.beta(t) + 1e-12)"),
    ("from_1e_4", "self.beta(t).clamp(min=1e-4)"),
    ("from_1e_5", "torch.maximum(self.beta(t), torch.full_like(t, 1e-5))"),
    ("from_1e_12", "self.beta(t).clamp(min=1e-12)"),
):
    wrong(f"beta_{name}", finds="wrong_near_the_data", edit=(N, N.replace("self.beta(t)", beta)))
for name, variance in (
    ("and_1e_10", "(self.beta(t) ** 2 + 1e-10)"),
    ("and_1e_12", "(self.beta(t) ** 2 + 1e-12)"),
    ("and_1e_20", "(self.beta(t) ** 2 + 1e-20)"),
    ("from_1e_8", "(self.beta(t) ** 2).clamp(min=1e-8)"),
    ("from_1e_10", "(self.beta(t) ** 2).clamp(min=1e-10)"),
):
    wrong(f"variance_{name}", finds="wrong_near_the_data", edit=(S, S.replace("self.beta(t) ** 2", variance)))
wrong(
    "derivative_by_a_small_difference",
    finds="wrong_near_the_data",
    edit=(
        U,
        "h = 1e-5\n"
        "        db = (self.beta(t.double() + h) - self.beta(t.double() - h)) / (2 * h)\n"
        "        return self.alpha.dt(t) * z + db.to(x.dtype) * noise",
    ),
)
wrong("noise_drawn_anew", finds="not_repeatable", edit=(N, "noise = torch.randn_like(x)"))
wrong("score_of_new_noise", finds="not_repeatable", edit=(S, "return -torch.randn_like(x) / self.beta(t)"))
wrong("field_in_half_precision", finds="wrong_field", edit=(U, f"return ({U[7:]}).half().to(x.dtype)"))
right("score_divided_twice", edit=(S, S.replace(" ** 2", " / self.beta(t)")))
right("score_by_logarithms", edit=(S, "return (self.alpha(t) * z - x) * torch.exp(-2 * torch.log(self.beta(t)))"))
right(
    "collected_terms_in_float32",
    edit=(
        U,
        "dtype, x, z, t = x.dtype, x.float(), z.float(), t.float()\n"
        "        rate = self.beta.dt(t) / self.beta(t)\n"
        "        return (rate * x + (self.alpha.dt(t) - rate * self.alpha(t)) * z).to(dtype)",
    ),
)
right("one_sample_at_a_time", edit=(S, "rows = zip(x.split(1), z.split(1), t.split(1))\n"
      "        return torch.cat([(self.alpha(t) * z - x) / self.beta(t) ** 2 for x, z, t in rows])"))  # fmt: skip
wrong("start_without_noise", finds="wrong_field", edit=(
    U, "if len(t) > 1 and not t.any():\n            return self.alpha.dt(t) * z\n        " + U))  # fmt: skip

for limit in (300, 1000, 10_000, 1_000_000):
    wrong(f"field_within_{limit}", finds="far_away", edit=(U, f"return ({U[7:]}).clamp(-{limit}, {limit})"))
wrong("score_within_a_million", finds="far_away", edit=(S, f"return ({S[7:]}).clamp(-1e6, 1e6)"))
wrong("point_within_a_thousand", finds="far_away", edit=(N, "x = x.clamp(-1000, 1000)\n        " + N))
for kept in ("x, t", "x, z", "z, t"):  # found again as objects, and by their numbers
    wrong(
        f"field_kept_for_the_objects_{kept.replace(', ', '_')}",
        finds="kept_from_earlier_call",
        edit=(
            U,
            f"key = tuple(id(value) for value in ({kept}))\n"
            "        memory = self.__dict__.setdefault('memory', {})\n"
            "        if key not in memory:\n"
            f"            memory[key] = ({kept}, {U[7:]})\n"
            "        return memory[key][-1].clone()",
        ),
    )
    wrong(
        f"score_kept_for_the_numbers_{kept.replace(', ', '_')}",
        finds="kept_from_earlier_call",
        edit=(
            S,
            f"new = tuple(value.detach().clone() for value in ({kept}))\n"
            "        old = self.__dict__.get('memory', ())\n"
            "        if not old or not all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(old[0], new)):\n"
            f"            self.memory = (new, {S[7:]})\n"
            "        return self.memory[1].clone()",
        ),
    )
right(
    "score_in_float32_at_the_end",
    edit=(S, f"x, z, t = x.float(), z.float(), t.float()\n        return ({S[7:]}).double()"),
)
right("time_in_float32", edit=(N, "t = t.float()\n        " + N))

# --- shapes, inputs, samples, digits

for short, line in (("field", U), ("score", S)):
    wrong(f"{short}_flat", finds="raised", edit=(line, f"return ({line[7:]}).flatten(1).reshape(x.shape)"))
    wrong(f"{short}_by_view", finds="raised", edit=(line, f"x = x.view(len(x), -1).view(x.shape)\n        {line}"))
    wrong(f"{short}_tabled_for_all_paths", finds=f"wrong_{short}", edit=(
        line, "table, key = type(self).__dict__.get('table', {}), tuple(t.flatten().tolist())\n"
        "        type(self).table = table\n        beta = table.setdefault(key, self.beta(t)).reshape(t.shape)\n"
        + ("        noise = (x - self.alpha(t) * z) / beta\n" if short == "field" else "")
        + "        " + line.replace("self.beta(t)", "beta")))  # fmt: skip
    for name in ("x", "z", "t"):
        wrong(f"{short}_alters_{name}", finds="input_altered", edit=(
            line, f"result = {line[7:]}\n        {name}.mul_(0.5)\n        return result"))  # fmt: skip
    for name, change in (
        ("of_the_first_time", "t = t[:1]"),
        ("of_the_mean_time", "t = t.mean(0, keepdim=True)"),
        ("of_the_first_image", "z = z[:1]"),
        ("with_t_above_a_hundredth", "t = t.clamp(min=1e-2)"),
        ("with_another_start", "t = torch.where(t == 0, 5e-3, t)"),
        ("in_bfloat16", "x = self.alpha(t) * z + (x - self.alpha(t) * z).bfloat16().to(x.dtype)"),
    ):
        start = N if short == "field" else S
        wrong(f"{short}_{name}", finds=f"wrong_{short}", edit=(start, f"{change}\n        {start}"))
wrong("score_on_the_cpu", finds="hard_coded_device", edit=(S, S + " + torch.zeros(len(x)).reshape(t.shape)"))
wrong("score_of_length_one", finds=("raised", "wrong_score"), edit=(
    S, f"score = {S[7:]}\n        return score / score.norm().clamp(min=1e-12)"))  # fmt: skip
