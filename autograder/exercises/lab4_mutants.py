"""Lab 4: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import right, wrong

LOSS = "lab4.cfg_train_loss"

HEAD = """
class CFGTrainer(Trainer):
    def __init__(self, path, model, eta, null_label):
        super().__init__(model)
        self.path, self.eta, self.null_label = path, eta, null_label

    def get_train_loss(self, batch_size):
"""


def loss(body: str) -> str:
    """A whole answer cell from the body of `get_train_loss`."""
    lines = (" " * 8 + line if line else line for line in body.strip("\n").split("\n"))
    return HEAD + "\n".join(lines) + "\n"


PLAIN = """
z, y = self.path.p_data.sample(batch_size)
drop = torch.rand(batch_size, device=z.device) < self.eta
y = torch.where(drop, self.null_label, y)
t = torch.rand(batch_size, 1, 1, 1, device=z.device)
x = self.path.sample_conditional_path(z, t)
error = self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)
return (error**2).mean()
"""


def plain(*edits: tuple[str, str]) -> str:
    body = PLAIN
    for old, new in edits:
        assert old in body, old
        body = body.replace(old, new)
    return loss(body)


MEAN = "return (error**2).mean()"
DROP = "torch.rand(batch_size, device=z.device) < self.eta"
TIME = "t = torch.rand(batch_size, 1, 1, 1, device=z.device)"

wrong(LOSS, "mask_inverted", "eta_inverted", source=plain((DROP, "torch.rand(batch_size, device=z.device) > self.eta")))
wrong(
    LOSS,
    "one_coin_per_batch",
    "one_coin_per_batch",
    source=plain((DROP, "torch.rand(1, device=z.device) < self.eta")),
)
wrong(
    LOSS,
    "labels_in_place",
    "labels_altered",
    source=plain(("y = torch.where(drop, self.null_label, y)", "y[drop] = self.null_label")),
)
wrong(
    LOSS,
    "null_is_zero",
    "wrong_null_label",
    source=plain(("torch.where(drop, self.null_label, y)", "torch.where(drop, 0, y)")),
)
wrong(
    LOSS,
    "null_is_ten",
    "wrong_null_label",
    source=plain(("torch.where(drop, self.null_label, y)", "torch.where(drop, 10_000, y)")),
)
wrong(
    LOSS,
    "never_drops",
    "never_dropped",
    source=plain((DROP, "torch.zeros(batch_size, dtype=torch.bool, device=z.device)")),
)
wrong(LOSS, "normal_coin", "normal_coin", source=plain((DROP, DROP.replace("rand(", "randn("))))
wrong(LOSS, "time_randn", "time_out_of_range", source=plain((TIME, TIME.replace("rand(", "randn("))))
wrong(
    LOSS,
    "time_shared",
    "time_shared",
    source=plain((TIME, "t = torch.rand(1, 1, 1, 1, device=z.device).expand(batch_size, 1, 1, 1)")),
)
wrong(
    LOSS,
    "time_grid",
    "time_grid",
    source=plain((TIME, "t = torch.linspace(0, 1, batch_size, device=z.device).reshape(-1, 1, 1, 1)")),
)
wrong(LOSS, "time_flat", "time_shape", source=plain((TIME, "t = torch.rand(batch_size, device=z.device)")))
wrong(
    LOSS,
    "mask_from_time",
    "time_tied_to_mask",
    source=plain((TIME, ""), (f"drop = {DROP}", TIME + "\ndrop = t.flatten() < self.eta")),
)
wrong(
    LOSS,
    "noise_resampled",
    "noise_resampled",
    source=plain(
        ("conditional_vector_field(x, z, t)", "conditional_vector_field(self.path.sample_conditional_path(z, t), z, t)")
    ),
)
wrong(
    LOSS,
    "target_displacement",
    "target_not_used",
    source=plain(("self.path.conditional_vector_field(x, z, t)", "(z - x)")),
)
wrong(
    LOSS,
    "target_is_z",
    ("target_not_used", "target_is_z"),
    source=plain(("self.path.conditional_vector_field(x, z, t)", "z")),
)
wrong(LOSS, "sign", "target_sign", source=plain((") - self.path", ") + self.path")))
wrong(LOSS, "model_sees_z", "model_sees_z", source=plain(("self.model(x, t, y)", "self.model(z, t, y)")))
wrong(LOSS, "time_reversed", "time_reversed", source=plain(("self.model(x, t, y)", "self.model(x, 1 - t, y)")))
wrong(LOSS, "sum_pixels", "summed_pixels", source=plain((MEAN, "return (error**2).sum(dim=(1, 2, 3)).mean()")))
wrong(LOSS, "sum_batch", "summed_batch", source=plain((MEAN, "return (error**2).sum(dim=0).mean()")))
wrong(LOSS, "absolute", "absolute_error", source=plain((MEAN, "return error.abs().mean()")))
wrong(LOSS, "norm", "root_of_error", source=plain((MEAN, "return error.flatten(1).norm(dim=1).mean()")))
wrong(LOSS, "no_reduction", "no_reduction", source=plain((MEAN, "return error**2")))
wrong(LOSS, "detached", "detached", source=plain(("self.model(x, t, y)", "self.model(x, t, y).detach()")))
wrong(
    LOSS,
    "null_rows_dropped",
    "null_rows_dropped",
    source=plain((MEAN, "return (error[~drop] ** 2).mean() if (~drop).any() else (error * 0).sum()")),
)
wrong(LOSS, "square_of_sum", "sum_before_square", source=plain((MEAN, "return error.mean() ** 2")))
wrong(LOSS, "float_labels", "label_dtype", source=plain(("self.model(x, t, y)", "self.model(x, t, y.double())")))
wrong(
    LOSS,
    "on_the_cpu",
    "hard_coded_device",
    source=plain(
        (TIME, "t = torch.rand(batch_size, 1, 1, 1, device='cpu')"), (MEAN, "return (error**2 + 0 * t).mean()")
    ),
)
wrong(LOSS, "blank", "not_implemented", source=loss("raise NotImplementedError()"))
wrong(LOSS, "returns_none", "returned_none", source=plain((MEAN, "loss = (error**2).mean()")))
wrong(LOSS, "keeps_an_axis", "no_reduction", source=plain((MEAN, "return (error**2).mean().reshape(1)")))
wrong(
    LOSS, "model_sees_flat_time", "time_shape", source=plain(("self.model(x, t, y)", "self.model(x, t.flatten(), y)"))
)
wrong(LOSS, "returns_float", ("detached", "not_a_tensor"), source=plain((MEAN, "return (error**2).mean().item()")))
wrong(LOSS, "nan", "not_finite", source=plain((MEAN, "return (error**2).mean() * float('nan')")))
wrong(LOSS, "no_class", "missing_name", source="pass\n")

right(
    LOSS, "conditioning_variable", source=plain(("self.path.p_data.sample(", "self.path.sample_conditioning_variable("))
)
right(LOSS, "mse_loss", source=plain((MEAN, "return torch.nn.functional.mse_loss(error, torch.zeros_like(error))")))
right(
    LOSS,
    "copy_then_mask",
    source=plain(("y = torch.where(drop, self.null_label, y)", "y = y.clone()\ny[drop] = self.null_label")),
)
right(
    LOSS,
    "time_first",
    source=plain(
        (TIME, ""),
        ("z, y = ", "t = torch.rand(batch_size, 1, 1, 1)\nz, y = "),
        ("x = self.path", "t = t.to(z.device)\nx = self.path"),
    ),
)
right(
    LOSS,
    "bernoulli",
    source=plain((DROP, "torch.bernoulli(torch.full((batch_size,), self.eta, device=z.device)).bool()")),
)
right(LOSS, "looks_at_the_velocities", source=plain(
    ("error = ", "print(self.model(x, t, y).std(), self.path.conditional_vector_field(x, z, t).std())\nerror = ")))  # fmt: skip
right(LOSS, "explicit_division", source=plain((MEAN, "return (error**2).sum() / error.numel()")))
right(
    LOSS,
    "keyword_arguments",
    source=plain(
        ("p_data.sample(batch_size)", "sample_conditioning_variable(n=batch_size)"),
        ("conditional_path(z, t)", "conditional_path(t=t, z=z)"),
        ("self.model(x, t, y)", "self.model(y=y, x=x, t=t)"),
        ("conditional_vector_field(x, z, t)", "conditional_vector_field(x=x, t=t, z=z)"),
    ),
)
right(
    LOSS,
    "a_few_at_a_time",
    source=loss("""
z, y = self.path.p_data.sample(batch_size)
total = 0.0
for some in torch.arange(batch_size, device=z.device).split(16):
    label = torch.tensor([self.null_label if float(torch.rand(())) < self.eta else int(k) for k in y[some]], device=z.device)
    t = torch.rand(len(some), 1, 1, 1, dtype=z.dtype, device=z.device)
    x = self.path.sample_conditional_path(z[some], t)
    total = total + ((self.model(x, t, label) - self.path.conditional_vector_field(x, z[some], t)) ** 2).sum()
return total / z.numel()
"""),
)

# --- more ways to get the loss wrong

wrong(LOSS, "time_squeezed", "time_distribution", source=plain((TIME, TIME.replace("t = ", "t = 0.2 + 0.6 * "))))
wrong(LOSS, "time_squared", "time_distribution", source=plain((TIME, TIME + " ** 2")))
wrong(LOSS, "times_cut_off", "time_ends", source=plain((TIME, TIME + ".clamp(max=0.98)")))
wrong(LOSS, "times_start_late", "time_ends", source=plain((TIME, TIME.replace("t = ", "t = 0.02 + 0.98 * "))))
wrong(LOSS, "guided_in_training", "model_asked_twice", source=plain(
    ("self.model(x, t, y)", "(2 * self.model(x, t, y) - self.model(x, t, torch.full_like(y, self.null_label)))")))  # fmt: skip
wrong(LOSS, "time_of_ten_values", ("time_discrete", "time_shared"), source=plain(
    (TIME, "t = torch.randint(0, 10, (batch_size, 1, 1, 1), device=z.device).to(z.dtype) / 10")))  # fmt: skip
wrong(LOSS, "seed_inside", "seeded", source=plain(("z, y = ", "torch.manual_seed(0)\nz, y = ")))
wrong(LOSS, "coins_in_pairs", "coins_shared", source=plain(
    (DROP, "(torch.rand((batch_size + 1) // 2, device=z.device) < self.eta).repeat_interleave(2)[:batch_size]")))  # fmt: skip
wrong(LOSS, "half_of_eta", "dropped_fraction", source=plain((DROP, DROP + " / 2")))
wrong(LOSS, "eta_twice", ("dropped_fraction", "eta_inverted"), source=plain(
    (f"drop = {DROP}", f"drop = ({DROP}) | ({DROP})")))  # fmt: skip
wrong(LOSS, "exact_count", ("fixed_count", "seeded"), source=plain(
    (f"drop = {DROP}", "drop = torch.zeros(batch_size, dtype=torch.bool, device=z.device)\n"
     "drop[torch.randperm(batch_size)[: round(self.eta * batch_size)]] = True")))  # fmt: skip
wrong(LOSS, "first_rows", ("fixed_count", "seeded"), source=plain(
    (f"drop = {DROP}", "drop = torch.arange(batch_size, device=z.device) < self.eta * batch_size")))  # fmt: skip
wrong(LOSS, "random_other_label", "labels_wrong", source=plain(
    ("self.null_label, y)", "torch.randint_like(y, 0, 3), y)")))  # fmt: skip
wrong(LOSS, "labels_shuffled", "labels_wrong", source=plain(("self.model(x, t, y)", "self.model(x, t, y.roll(1))")))
wrong(LOSS, "target_rolled", "target_inputs", source=plain(
    ("conditional_vector_field(x, z, t)", "conditional_vector_field(x, z.roll(1, 0), t)")))  # fmt: skip
wrong(LOSS, "target_reversed_time", "time_reversed", source=plain(
    ("conditional_vector_field(x, z, t)", "conditional_vector_field(x, z, 1 - t)")))  # fmt: skip
wrong(LOSS, "weighted", "weighted", source=plain((MEAN, "return (t * error**2).mean()")))
wrong(LOSS, "half_square", "half", source=plain((MEAN, "return 0.5 * (error**2).mean()")))
wrong(LOSS, "root", "root_of_error", source=plain((MEAN, "return (error**2).mean().sqrt()")))
wrong(LOSS, "summed_everything", "summed_all", source=plain((MEAN, "return (error**2).sum()")))
wrong(
    LOSS,
    "images_in_place",
    ("images_altered", "not_the_data"),
    source=plain(("t = torch", "z.clamp_(-1, 1)\nt = torch")),
)
wrong(LOSS, "no_grad", ("detached", "not_a_tensor"), source=plain(
    ("error = self.model(x, t, y)", "with torch.no_grad():\n    out = self.model(x, t, y)\nerror = out")))  # fmt: skip
wrong(LOSS, "fixed_noise", ("path_not_sampled", "model_sees_other_x"), source=plain(
    ("self.path.sample_conditional_path(z, t)", "t * z + (1 - t) * torch.ones_like(z)")))  # fmt: skip
wrong(LOSS, "extra_noise", "model_sees_other_x", source=plain(
    ("self.model(x, t, y)", "self.model(x + 0.01 * torch.randn_like(x), t, y)")))  # fmt: skip
wrong(
    LOSS, "eta_at_least_half", "dropped_fraction", source=plain((DROP, DROP.replace("self.eta", "max(self.eta, 0.5)")))
)

# --- 4.3 the guided velocity

DRIFT = "lab4.cfg_drift"
ODE_HEAD = """
class CFGVectorFieldODE(ODE):
    def __init__(self, net, guidance_scale, null_label):
        self.net, self.guidance_scale, self.null_label = net, guidance_scale, null_label

    def drift_coefficient(self, x, t, y):
        w = self.guidance_scale
        null = torch.full_like(y, self.null_label)
"""


def drift(body: str) -> str:
    lines = (" " * 8 + line if line else line for line in body.strip("\n").split("\n"))
    return ODE_HEAD + "\n".join(lines) + "\n"


def combine(formula: str) -> str:
    return drift(f"u_y, u_null = self.net(x, t, y), self.net(x, t, null)\nreturn {formula}")


wrong(DRIFT, "swapped", "scales_swapped", source=combine("w * u_null + (1 - w) * u_y"))
wrong(DRIFT, "one_plus_w", "one_plus_w", source=combine("(1 + w) * u_y - w * u_null"))
wrong(DRIFT, "missing_one_minus_w", "missing_one_minus_w", source=combine("u_null + w * u_y"))
wrong(DRIFT, "only_difference", "only_the_difference", source=combine("w * (u_y - u_null)"))
wrong(DRIFT, "only_conditional", "only_conditional", source=combine("u_y"))
wrong(DRIFT, "scaled_conditional", "only_conditional", source=combine("w * u_y + 0 * u_null"))
wrong(DRIFT, "only_unconditional", "only_unconditional", source=combine("u_null"))
wrong(DRIFT, "minus", "wrong_sign", source=combine("u_null - w * (u_y - u_null)"))
wrong(DRIFT, "null_is_zero", "wrong_null_label", source=combine("(1 - w) * u_null + w * u_y").replace(
    "torch.full_like(y, self.null_label)", "torch.zeros_like(y)"))  # fmt: skip
wrong(DRIFT, "null_is_ten", "wrong_null_label", source=combine("(1 - w) * u_null + w * u_y").replace(
    "self.null_label)\n", "10)\n", 1))  # fmt: skip
wrong(DRIFT, "clipped", "scale_clipped", source=drift(
    "w = min(max(w, 0.0), 1.0)\nreturn (1 - w) * self.net(x, t, null) + w * self.net(x, t, y)"))  # fmt: skip
wrong(DRIFT, "constant_scale", ("wrong_drift", "scale_ignored"), source=combine("u_null + 3.0 * (u_y - u_null)"))
wrong(DRIFT, "halves_swapped", ("scales_swapped", "wrong_drift"), source=drift(
    "both = self.net(torch.cat([x, x]), torch.cat([t, t]), torch.cat([null, y]))\n"
    "u_y, u_null = both.chunk(2)\nreturn (1 - w) * u_null + w * u_y"))  # fmt: skip
wrong(DRIFT, "labels_in_place", "input_altered", source=drift(
    "u_y = self.net(x, t, y)\ny.fill_(self.null_label)\nreturn (1 - w) * self.net(x, t, y) + w * u_y"))  # fmt: skip
wrong(DRIFT, "float_labels", "label_dtype", source=combine("(1 - w) * u_null + w * u_y").replace(
    "self.net(x, t, y)", "self.net(x, t, y.double())"))  # fmt: skip
wrong(DRIFT, "one_null_for_all", "label_shape", source=combine("(1 - w) * u_null + w * u_y").replace(
    "torch.full_like(y, self.null_label)", "torch.tensor([self.null_label], device=x.device)"))  # fmt: skip
wrong(DRIFT, "null_without_axis", "label_shape", source=combine("(1 - w) * u_null + w * u_y").replace(
    "torch.full_like(y, self.null_label)", "torch.tensor(self.null_label, device=x.device)"))  # fmt: skip
wrong(DRIFT, "flat_time", "time_shape", source=combine("(1 - w) * u_null + w * u_y").replace(
    "self.net(x, t, y)", "self.net(x, t.flatten(), y)"))  # fmt: skip
wrong(DRIFT, "on_the_cpu", "hard_coded_device", source=drift(
    "null = torch.full((len(y),), self.null_label)\nboth = self.net(torch.cat([x, x]), torch.cat([t, t]), torch.cat([null, y]))\n"
    "u_null, u_y = both.chunk(2)\nreturn (1 - w) * u_null + w * u_y"))  # fmt: skip
wrong(DRIFT, "blank", "not_implemented", source=drift("raise NotImplementedError()"))
wrong(DRIFT, "returns_none", "returned_none", source=combine("None"))

wrong(DRIFT, "scale_rounded", "scale_altered", source=combine("(1 - int(w)) * u_null + int(w) * u_y"))
wrong(DRIFT, "scale_at_most_ten", "scale_altered", source=combine("(1 - min(w, 10)) * u_null + min(w, 10) * u_y"))
wrong(DRIFT, "scale_without_sign", "scale_altered", source=combine("(1 - abs(w)) * u_null + abs(w) * u_y"))
wrong(DRIFT, "digits_lost", "wrong_dtype", source=combine("((1 - w) * u_null + w * u_y).float()"))

right(DRIFT, "difference_form", source=combine("u_null + w * (u_y - u_null)"))
right(DRIFT, "from_the_conditional", source=combine("u_y + (w - 1) * (u_y - u_null)"))
right(DRIFT, "doubled_batch", source=drift(
    "both = self.net(torch.cat([x, x]), torch.cat([t, t]), torch.cat([y, null]))\n"
    "u_y, u_null = both.chunk(2)\nreturn (1 - w) * u_null + w * u_y"))  # fmt: skip
right(DRIFT, "lerp", source=combine("torch.lerp(u_null, u_y, w)"))
right(DRIFT, "own_null", source=combine("(1 - w) * u_null + w * u_y").replace(
    "torch.full_like(y, self.null_label)", "y * 0 + self.null_label"))  # fmt: skip
right(DRIFT, "one_call_where_it_is_enough", source=drift(
    "if w == 1:\n    return self.net(x, t, y)\nif w == 0:\n    return self.net(x, t, null)\n"
    "return (1 - w) * self.net(x, t, null) + w * self.net(x, t, y)"))  # fmt: skip

# --- 4.1 velocity and score

FIELD = "lab4.vector_field"
U = "return self.alpha.dt(t) * z + self.beta.dt(t) * noise"
S = "return (self.alpha(t) * z - x) / self.beta(t) ** 2"
N = "noise = (x - self.alpha(t) * z) / self.beta(t)"

wrong(FIELD, "only_linear", "only_linear", edit=(U, "return (z - x) / (1 - t)"))
wrong(FIELD, "displacement", "displacement", edit=(U, "return z - x"))
wrong(FIELD, "no_data_term", "no_data_term", edit=(U, "return self.beta.dt(t) * noise"))
wrong(FIELD, "no_noise_term", "no_noise_term", edit=(U, "return self.alpha.dt(t) * z"))
wrong(FIELD, "alpha_missing", "alpha_missing", edit=(N, "noise = (x - z) / self.beta(t)"))
wrong(
    FIELD,
    "ratio_inverted",
    "ratio_inverted",
    edit=(U, "return self.alpha.dt(t) * z + self.beta(t) ** 2 / self.beta.dt(t) * noise"),
)
wrong(
    FIELD, "values_for_derivatives", "derivative_missing", edit=(U, "return self.alpha(t) * z + self.beta(t) * noise")
)
wrong(FIELD, "noise_not_multiplied", "derivative_missing", edit=(U, "return self.alpha.dt(t) * z + noise"))
wrong(FIELD, "minus_noise", "wrong_sign", edit=(U, "return self.alpha.dt(t) * z - self.beta.dt(t) * noise"))
wrong(FIELD, "backwards", "wrong_sign", edit=(U, "return -self.alpha.dt(t) * z - self.beta.dt(t) * noise"))
wrong(FIELD, "x_for_noise", "noise_not_extracted", edit=(U, "return self.alpha.dt(t) * z + self.beta.dt(t) * x"))
wrong(FIELD, "beta_not_divided", "noise_not_extracted", edit=(N, "noise = x - self.alpha(t) * z"))
wrong(FIELD, "score_as_field", "score_instead", edit=(U, S))
wrong(FIELD, "by_alpha", ("not_finite", "wrong_field"), edit=(U,
      "a, b = self.alpha(t), self.beta(t)\n        return self.alpha.dt(t) / a * x + (self.beta.dt(t) - b * self.alpha.dt(t) / a) * noise"))  # fmt: skip
wrong(FIELD, "in_place", "input_altered", edit=(N, "x -= self.alpha(t) * z\n        noise = x / self.beta(t)"))
wrong(FIELD, "score_not_squared", "beta_not_squared", edit=(S, S.replace(" ** 2", "")))
wrong(FIELD, "score_sign", "wrong_sign", edit=(S, "return (x - self.alpha(t) * z) / self.beta(t) ** 2"))
wrong(FIELD, "score_without_alpha", "alpha_missing", edit=(S, "return (z - x) / self.beta(t) ** 2"))
wrong(FIELD, "score_not_divided", "not_divided", edit=(S, "return self.alpha(t) * z - x"))
wrong(FIELD, "score_half", "half", edit=(S, S + " / 2"))
wrong(FIELD, "score_is_noise", "noise_instead", edit=(S, "return (x - self.alpha(t) * z) / self.beta(t)"))
wrong(FIELD, "score_linear", "only_linear", edit=(S, "return (t * z - x) / (1 - t) ** 2"))
wrong(FIELD, "blank", "not_implemented", edit=[(U, "raise NotImplementedError()"), (S, "raise NotImplementedError()")])
wrong(
    FIELD,
    "score_of_rounded_inputs",
    "wrong_dtype",
    edit=(S, "x, z, t = x.half().float(), z.half().float(), t.half().float()\n        " + S),
)
wrong(FIELD, "field_returns_none", "returned_none", edit=(U, U.replace("return ", "field = ")))
wrong(FIELD, "on_the_cpu", "hard_coded_device", edit=(U, U + " + torch.zeros(len(x)).reshape(t.shape)"))

right(FIELD, "small_constant", edit=(N, "noise = (x - self.alpha(t) * z) / (self.beta(t) + 1e-8)"))
right(FIELD, "collected_terms", edit=(U,
      "rate = self.beta.dt(t) / self.beta(t)\n        return (self.alpha.dt(t) - rate * self.alpha(t)) * z + rate * x"))  # fmt: skip
right(FIELD, "score_by_noise", edit=(S, N + "\n        return -noise / self.beta(t)"))
right(FIELD, "field_by_score", edit=(U,
      "a, b, da, db = self.alpha(t), self.beta(t), self.alpha.dt(t), self.beta.dt(t)\n"
      "        return da * z - b * db * self.conditional_score(x, z, t)"))  # fmt: skip
right(FIELD, "score_by_autograd", edit=(S,
      "with torch.enable_grad():\n            y = x.detach().clone().requires_grad_()\n"
      "            density = -((y - self.alpha(t) * z) ** 2 / (2 * self.beta(t) ** 2)).sum()\n"
      "            return torch.autograd.grad(density, y)[0]"))  # fmt: skip
right(
    FIELD,
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
right(FIELD, "velocity_by_jvp", edit=(U,
      "da = torch.autograd.functional.jvp(self.alpha, t, torch.ones_like(t))[1]\n"
      "        db = torch.autograd.functional.jvp(self.beta, t, torch.ones_like(t))[1]\n        return da * z + db * noise"))  # fmt: skip

# --- 4.4 steps

STEP = "lab4.euler_heun"
E = "return x + h * self.ode.drift_coefficient(x, t, **kwargs)"
H = "return x + h / 2 * (here + there)"
T = "there = self.ode.drift_coefficient(x + h * here, t + h, **kwargs)"

wrong(
    STEP,
    "digits_lost",
    "wrong_dtype",
    edit=(
        E,
        E.replace("return x + ", "return x.float() + ")
        .replace("h *", "h.float() *")
        .replace("**kwargs)", "**kwargs).float()"),
    ),
)
wrong(STEP, "euler_increment", "only_the_increment", edit=(E, E.replace("x + h", "h")))
wrong(STEP, "euler_without_h", "no_step_size", edit=(E, E.replace("h * ", "")))
wrong(STEP, "euler_minus", "wrong_sign", edit=(E, E.replace("+", "-")))
wrong(STEP, "euler_h_is_t", "step_is_time", edit=(E, E.replace("h *", "t *")))
wrong(STEP, "euler_right_endpoint", "slope_at_the_end", edit=(E, E.replace("(x, t,", "(x, t + h,")))
wrong(STEP, "euler_midpoint", "midpoint", edit=(E,
      "half = x + h / 2 * self.ode.drift_coefficient(x, t, **kwargs)\n"
      "        return x + h * self.ode.drift_coefficient(half, t + h / 2, **kwargs)"))  # fmt: skip
wrong(
    STEP,
    "euler_in_place",
    "input_altered",
    edit=(E, "x += h * self.ode.drift_coefficient(x, t, **kwargs)\n        return x"),
)
wrong(STEP, "euler_first_h", "wrong_step", edit=(E, E.replace("h *", "h[:1] *")))
wrong(STEP, "labels_lost", "labels_lost", edit=[(E, E.replace(", **kwargs", "")), (T, T.replace(", **kwargs", ""))])
wrong(STEP, "heun_labels_lost_at_the_end", "labels_lost", edit=(T, T.replace(", **kwargs", "")))
wrong(STEP, "euler_is_heun", "heun_instead", edit=(E,
      "here = self.ode.drift_coefficient(x, t, **kwargs)\n        there = self.ode.drift_coefficient(x + h * here, t + h, **kwargs)\n"
      "        return x + h / 2 * (here + there)"))  # fmt: skip
wrong(STEP, "heun_is_euler", "euler_instead", edit=(H, "return x + h * here"))
wrong(STEP, "heun_is_midpoint", "midpoint", edit=[
      (T, "there = self.ode.drift_coefficient(x + h / 2 * here, t + h / 2, **kwargs)"), (H, "return x + h * there")])  # fmt: skip
wrong(STEP, "heun_not_averaged", "not_averaged", edit=(H, "return x + h * (here + there)"))
wrong(STEP, "heun_same_time", "second_slope_at_t", edit=(T, T.replace("t + h", "t")))
wrong(STEP, "heun_same_place", "second_slope_at_x", edit=(T, T.replace("x + h * here", "x")))
wrong(
    STEP,
    "heun_from_the_trial",
    "mean_added_to_the_prediction",
    edit=(H, "return x + h * here + h / 2 * (here + there)"),
)
wrong(STEP, "heun_last_slope", "slope_at_the_end", edit=(H, "return x + h * there"))
wrong(STEP, "heun_half_trial", "half_prediction", edit=(T, T.replace("h * here", "h / 2 * here")))
wrong(STEP, "heun_quarter", "half_step", edit=(H, "return x + h / 4 * (here + there)"))
wrong(STEP, "blank", "not_implemented", edit=[(E, "raise NotImplementedError()"), (H, "raise NotImplementedError()")])
wrong(
    STEP,
    "no_heun",
    "missing_name",
    source="""
class EulerSimulator(Simulator):
    def step(self, x, t, h, **kwargs):
        return x + h * self.ode.drift_coefficient(x, t, **kwargs)
""",
)
wrong(STEP, "on_the_cpu", "hard_coded_device", edit=[
      (E, E + " + torch.zeros(1, device='cpu').expand(len(x)).reshape(t.shape)")])  # fmt: skip

right(STEP, "heun_as_mean_of_two_euler_steps", edit=(H, "return (x + h * here + x + h * there) / 2"))
right(STEP, "corrected_trial", edit=[(T, "trial = x + h * here\n        there = self.ode.drift_coefficient(trial, t + h, **kwargs)"),
      (H, "return trial + h / 2 * (there - here)")])  # fmt: skip
right(STEP, "addcmul", edit=(E, "return torch.addcmul(x, h.expand_as(x), self.ode.drift_coefficient(x, t, **kwargs))"))
right(STEP, "torch_stack", edit=(H, "return x + h * torch.stack([here, there]).mean(dim=0)"))
right(
    STEP,
    "explicit_label",
    source="""
class EulerSimulator(Simulator):
    def step(self, x, t, h, y=None, **kwargs):
        if y is not None:
            kwargs["y"] = y
        return self.ode.drift_coefficient(x, t, **kwargs) * h + x


class HeunSimulator(EulerSimulator):
    def step(self, x, t, h, **kwargs):
        trial = super().step(x, t, h, **kwargs)
        return 0.5 * (x + super().step(trial, t + h, h, **kwargs)) if False else (
            trial - 0.5 * h * self.ode.drift_coefficient(x, t, **kwargs)
            + 0.5 * h * self.ode.drift_coefficient(trial, t + h, **kwargs))
""",
)

# --- 4.6 accuracy by scale

SWEEP = "lab4.accuracy_sweep"
KEEP = "noise, labels = noise[asked], labels[asked]"
MEAN_HIT = "accuracy[w] = (predicted == labels).double().mean().item()"
PREDICT = "predicted = classify(sample(noise, labels, w)).argmax(dim=1)"

wrong(SWEEP, "null_rows_counted", "null_rows_counted", edit=(KEEP, "pass"))
wrong(SWEEP, "fresh_noise", "fresh_noise", edit=(PREDICT, PREDICT.replace("noise,", "torch.randn_like(noise),")))
wrong(
    SWEEP,
    "noise_not_masked",
    "rows_mixed",
    edit=(KEEP, "labels = labels[asked]\n    noise = noise[: len(labels)]"),
)
wrong(SWEEP, "percent", "percent", edit=(MEAN_HIT, MEAN_HIT.replace(".item()", ".item() * 100")))
wrong(SWEEP, "hits", "counted", edit=(MEAN_HIT, MEAN_HIT.replace("mean()", "sum()")))
wrong(SWEEP, "errors", "error_rate", edit=(MEAN_HIT, MEAN_HIT.replace("==", "!=")))
wrong(SWEEP, "argmax_over_samples", ("raised", "wrong_accuracy"), edit=(PREDICT, PREDICT.replace("dim=1", "dim=0")))
wrong(SWEEP, "argmin", "wrong_accuracy", edit=(PREDICT, PREDICT.replace("argmax", "argmin")))
wrong(
    SWEEP,
    "labels_not_passed",
    "labels_not_passed",
    edit=(PREDICT, PREDICT.replace("labels,", "torch.full_like(labels, null_label),")),
)
wrong(
    SWEEP, "first_scale_only", ("one_scale", "wrong_accuracy"), edit=(PREDICT, PREDICT.replace(", w)", ", scales[0])"))
)
wrong(SWEEP, "null_is_ten", ("null_rows_counted", "wrong_accuracy"), edit=("labels != null_label", "labels != 100"))
wrong(SWEEP, "scales_sorted_in_place", "input_altered", edit=("for w in scales", "scales.sort()\n    for w in scales"))
wrong(SWEEP, "keys_are_strings", "not_a_number", edit=("accuracy[w]", "accuracy[str(w)]"))
wrong(SWEEP, "keys_are_tensors", "wrong_scales", edit=("accuracy[w]", "accuracy[torch.tensor(w, dtype=torch.float64)]"))
wrong(SWEEP, "scales_at_least_one", "wrong_accuracy", edit=(PREDICT, PREDICT.replace(", w)", ", max(w, 1.0))")))
wrong(SWEEP, "returns_list", "not_a_dict", edit=("return accuracy", "return list(accuracy.values())"))
wrong(SWEEP, "returns_none", "returned_none", edit=("return accuracy", "pass"))
wrong(SWEEP, "returns_inside_the_loop", "wrong_scales", edit=(MEAN_HIT, MEAN_HIT + "\n        return accuracy"))
wrong(
    SWEEP,
    "labels_in_place",
    ("rows_mixed", "input_altered", "null_rows_counted", "wrong_accuracy"),
    edit=(KEEP, "labels[~asked] = 0"),
)
wrong(SWEEP, "noise_scaled", "fresh_noise", edit=(PREDICT, PREDICT.replace("noise,", "noise * w,")))
wrong(
    SWEEP,
    "classifies_noise",
    ("sampler_not_called", "wrong_accuracy"),
    edit=(PREDICT, "predicted = classify(noise).argmax(dim=1)"),
)
wrong(SWEEP, "blank", "not_implemented", edit=("asked = labels", "raise NotImplementedError()\n    asked = labels"))

right(
    SWEEP,
    "mask_afterwards",
    source="""
def conditional_accuracy(sample, classify, labels, scales, noise, null_label):
    asked = labels != null_label
    result = {}
    for w in scales:
        hit = classify(sample(noise, labels, w)).argmax(1) == labels
        result[w] = float(hit[asked].float().mean())
    return result
""",
)
right(SWEEP, "numpy_mean", edit=(MEAN_HIT, "accuracy[w] = np.mean((predicted == labels).numpy(force=True))"))
right(SWEEP, "ordered", edit=("accuracy = {}", "from collections import OrderedDict\n    accuracy = OrderedDict()"))
right(SWEEP, "tensors_as_values", edit=(MEAN_HIT, MEAN_HIT.replace(".item()", "")))
right(
    SWEEP,
    "comprehension",
    source="""
def conditional_accuracy(sample, classify, labels, scales, noise, null_label):
    rows = torch.where(labels != null_label)[0]
    y = labels[rows]
    return {float(w): ((classify(sample(noise[rows], y, w)).argmax(-1) == y).sum() / len(y)).item() for w in scales}
""",
)
right(SWEEP, "by_softmax", edit=(PREDICT, PREDICT.replace(".argmax(dim=1)", ".softmax(dim=1).max(dim=1).indices")))
right(
    SWEEP,
    "in_batches",
    source="""
def conditional_accuracy(sample, classify, labels, scales, noise, null_label):
    keep = labels.ne(null_label)
    out = {}
    for w in scales:
        hits, total = 0, 0
        for z, y in zip(noise[keep].split(7), labels[keep].split(7)):
            hits += int((classify(sample(z, y, w)).argmax(dim=1) == y).sum())
            total += len(y)
        out[w] = hits / total
    return out
""",
)
right(
    SWEEP,
    "keyword_arguments",
    edit=(PREDICT, PREDICT.replace("sample(noise, labels, w)", "sample(w=w, labels=labels, noise=noise)")),
)
