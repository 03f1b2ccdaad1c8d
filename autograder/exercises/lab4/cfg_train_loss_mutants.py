"""Exercise 4.2: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.sources import with_body
from autograder.exercises.lab4 import (  # noqa: F401
    cfg_train_loss_draws_mutants,
    cfg_train_loss_right_mutants,
    cfg_train_loss_value_mutants,
)
from autograder.exercises.lab4.cfg_train_loss_plain_mutants import (
    DROP,
    HEAD,
    MASK,
    MEAN,
    MODEL,
    TARGET,
    TIME,
    plain,
    right,
    wrong,
)

wrong("mask_inverted", finds="eta_inverted", source=plain((DROP, "torch.rand(batch_size, device=z.device) > self.eta")))
wrong(
    "one_coin_per_batch", finds="one_coin_per_batch", source=plain((DROP, "torch.rand(1, device=z.device) < self.eta"))
)
wrong("labels_in_place", finds="labels_altered", source=plain((MASK, "y[drop] = self.null_label")))
wrong(
    "null_is_zero",
    finds="wrong_null_label",
    source=plain(("torch.where(drop, self.null_label, y)", "torch.where(drop, 0, y)")),
)
wrong(
    "null_is_ten",
    finds="wrong_null_label",
    source=plain(("torch.where(drop, self.null_label, y)", "torch.where(drop, 10_000, y)")),
)
wrong(
    "never_drops",
    finds="never_dropped",
    source=plain((DROP, "torch.zeros(batch_size, dtype=torch.bool, device=z.device)")),
)
wrong("normal_coin", finds="normal_coin", source=plain((DROP, DROP.replace("rand(", "randn("))))
wrong("time_randn", finds="time_out_of_range", source=plain((TIME, TIME.replace("rand(", "randn("))))
wrong(
    "time_shared",
    finds="time_shared",
    source=plain((TIME, "t = torch.rand(1, 1, 1, 1, device=z.device).expand(batch_size, 1, 1, 1)")),
)
wrong(
    "time_grid",
    finds="time_grid",
    source=plain((TIME, "t = torch.linspace(0, 1, batch_size, device=z.device).reshape(-1, 1, 1, 1)")),
)
wrong("time_flat", finds="time_shape", source=plain((TIME, "t = torch.rand(batch_size, device=z.device)")))
wrong(
    "mask_from_time",
    finds="time_tied_to_mask",
    source=plain((TIME, ""), (f"drop = {DROP}", TIME + "\ndrop = t.flatten() < self.eta")),
)
wrong(
    "noise_resampled",
    finds="noise_resampled",
    source=plain((TARGET, "conditional_vector_field(self.path.sample_conditional_path(z, t), z, t)")),
)
wrong(
    "target_displacement",
    finds="target_not_used",
    source=plain(("self.path.conditional_vector_field(x, z, t)", "(z - x)")),
)
wrong(
    "target_is_z",
    finds=("target_not_used", "target_is_z"),
    source=plain(("self.path.conditional_vector_field(x, z, t)", "z")),
)
wrong("sign", finds="target_sign", source=plain((") - self.path", ") + self.path")))
wrong("model_sees_z", finds="model_sees_z", source=plain((MODEL, "self.model(z, t, y)")))
wrong("time_reversed", finds="time_reversed", source=plain((MODEL, "self.model(x, 1 - t, y)")))
wrong("sum_pixels", finds="summed_pixels", source=plain((MEAN, "return (error**2).sum(dim=(1, 2, 3)).mean()")))
wrong("sum_channels", finds=("summed_pixels", "wrong_loss"), source=plain((MEAN, "return (error**2).sum(1).mean()")))
wrong("sum_batch", finds="summed_batch", source=plain((MEAN, "return (error**2).sum(dim=0).mean()")))
wrong("absolute", finds="absolute_error", source=plain((MEAN, "return error.abs().mean()")))
wrong("norm", finds="root_of_error", source=plain((MEAN, "return error.flatten(1).norm(dim=1).mean()")))
wrong("no_reduction", finds="no_reduction", source=plain((MEAN, "return error**2")))
wrong("detached", finds="detached", source=plain((MODEL, "self.model(x, t, y).detach()")))
wrong(
    "null_rows_dropped",
    finds="null_rows_dropped",
    source=plain((MEAN, "return (error[~drop] ** 2).mean() if (~drop).any() else (error * 0).sum()")),
)
wrong("square_of_sum", finds="sum_before_square", source=plain((MEAN, "return error.mean() ** 2")))
wrong("float_labels", finds="label_dtype", source=plain((MODEL, "self.model(x, t, y.double())")))
wrong(
    "on_the_cpu",
    finds="hard_coded_device",
    source=plain(
        (TIME, "t = torch.rand(batch_size, 1, 1, 1, device='cpu')"), (MEAN, "return (error**2 + 0 * t).mean()")
    ),
)
wrong("blank", finds="not_implemented", source=with_body(HEAD, "raise NotImplementedError()"))
wrong("returns_none", finds="returned_none", source=plain((MEAN, "loss = (error**2).mean()")))
wrong("keeps_an_axis", finds="no_reduction", source=plain((MEAN, "return (error**2).mean().reshape(1)")))
wrong("model_sees_flat_time", finds="time_shape", source=plain((MODEL, "self.model(x, t.flatten(), y)")))
wrong("returns_float", finds=("detached", "not_a_tensor"), source=plain((MEAN, "return (error**2).mean().item()")))
wrong("nan", finds="not_finite", source=plain((MEAN, "return (error**2).mean() * float('nan')")))
wrong("no_class", finds="missing_name", source="pass\n")
right("conditioning_variable", source=plain(("self.path.p_data.sample(", "self.path.sample_conditioning_variable(")))
right("mse_loss", source=plain((MEAN, "return torch.nn.functional.mse_loss(error, torch.zeros_like(error))")))
right("copy_then_mask", source=plain((MASK, "y = y.clone()\ny[drop] = self.null_label")))
right(
    "time_first",
    source=plain(
        (TIME, ""),
        ("z, y = ", "t = torch.rand(batch_size, 1, 1, 1)\nz, y = "),
        ("x = self.path", "t = t.to(z.device)\nx = self.path"),
    ),
)
right("bernoulli", source=plain((DROP, "torch.bernoulli(torch.full((batch_size,), self.eta, device=z.device)).bool()")))
right(
    "looks_at_the_velocities",
    source=plain(
        ("error = ", "print(self.model(x, t, y).std(), self.path.conditional_vector_field(x, z, t).std())\nerror = ")
    ),
)
right("explicit_division", source=plain((MEAN, "return (error**2).sum() / error.numel()")))
right(
    "keyword_arguments",
    source=plain(
        ("p_data.sample(batch_size)", "sample_conditioning_variable(n=batch_size)"),
        ("conditional_path(z, t)", "conditional_path(t=t, z=z)"),
        (MODEL, "self.model(y=y, x=x, t=t)"),
        (TARGET, "conditional_vector_field(x=x, t=t, z=z)"),
    ),
)
right(
    "a_few_at_a_time",
    source=with_body(
        HEAD,
        """
z, y = self.path.p_data.sample(batch_size)
total = 0.0
for some in torch.arange(batch_size, device=z.device).split(16):
    coins = [float(torch.rand(())) for _ in some]
    label = [self.null_label if c < self.eta else int(k) for c, k in zip(coins, y[some])]
    label = torch.tensor(label, device=z.device)
    t = torch.rand(len(some), 1, 1, 1, dtype=z.dtype, device=z.device)
    x = self.path.sample_conditional_path(z[some], t)
    total = total + ((self.model(x, t, label) - self.path.conditional_vector_field(x, z[some], t)) ** 2).sum()
return total / z.numel()
""",
    ),
)
wrong("time_squeezed", finds="time_distribution", source=plain((TIME, TIME.replace("t = ", "t = 0.2 + 0.6 * "))))
wrong("time_squared", finds="time_distribution", source=plain((TIME, TIME + " ** 2")))
wrong("times_cut_off", finds="time_ends", source=plain((TIME, TIME + ".clamp(max=0.98)")))
wrong("times_start_late", finds="time_ends", source=plain((TIME, TIME.replace("t = ", "t = 0.02 + 0.98 * "))))
wrong(
    "guided_in_training",
    finds="model_asked_twice",
    source=plain((MODEL, "(2 * self.model(x, t, y) - self.model(x, t, torch.full_like(y, self.null_label)))")),
)
wrong(
    "time_of_ten_values",
    finds=("time_discrete", "time_shared"),
    source=plain((TIME, "t = torch.randint(0, 10, (batch_size, 1, 1, 1), device=z.device).to(z.dtype) / 10")),
)
wrong("seed_inside", finds="seed_left", source=plain(("z, y = ", "torch.manual_seed(0)\nz, y = ")))
wrong(
    "coins_in_pairs",
    finds="coins_shared",
    source=plain(
        (DROP, "(torch.rand((batch_size + 1) // 2, device=z.device) < self.eta).repeat_interleave(2)[:batch_size]")
    ),
)
wrong("half_of_eta", finds="dropped_too_rarely", source=plain((DROP, DROP + " / 2")))
wrong(
    "eta_twice",
    finds="dropped_too_often",
    source=plain((f"drop = {DROP}", f"drop = ({DROP}) | ({DROP})")),
)
wrong(
    "exact_count",
    finds="fixed_count",
    source=plain(
        (
            f"drop = {DROP}",
            "drop = torch.zeros(batch_size, dtype=torch.bool, device=z.device)\n"
            "drop[torch.randperm(batch_size)[: round(self.eta * batch_size)]] = True",
        )
    ),
)
wrong(
    "first_rows",
    finds="same_rows_dropped",
    source=plain((f"drop = {DROP}", "drop = torch.arange(batch_size, device=z.device) < self.eta * batch_size")),
)
wrong(
    "random_other_label", finds="labels_wrong", source=plain(("self.null_label, y)", "torch.randint_like(y, 0, 3), y)"))
)
wrong("labels_shuffled", finds="labels_of_other_rows", source=plain((MODEL, "self.model(x, t, y.roll(1))")))
wrong("target_rolled", finds="target_inputs", source=plain((TARGET, "conditional_vector_field(x, z.roll(1, 0), t)")))
wrong("target_reversed_time", finds="time_reversed", source=plain((TARGET, "conditional_vector_field(x, z, 1 - t)")))
wrong("weighted", finds="weighted", source=plain((MEAN, "return (t * error**2).mean()")))
wrong("half_square", finds="half", source=plain((MEAN, "return 0.5 * (error**2).mean()")))
wrong("root", finds="root_of_error", source=plain((MEAN, "return (error**2).mean().sqrt()")))
wrong("summed_everything", finds="summed_all", source=plain((MEAN, "return (error**2).sum()")))
wrong(
    "images_in_place",
    finds=("images_altered", "not_the_data"),
    source=plain(("t = torch", "z.clamp_(-1, 1)\nt = torch")),
)
wrong(
    "no_grad",
    finds=("detached", "not_a_tensor"),
    source=plain(("error = self.model(x, t, y)", "with torch.no_grad():\n    out = self.model(x, t, y)\nerror = out")),
)
wrong(
    "fixed_noise",
    finds=("path_not_sampled", "model_sees_other_x"),
    source=plain(("self.path.sample_conditional_path(z, t)", "t * z + (1 - t) * torch.ones_like(z)")),
)
wrong(
    "extra_noise", finds="model_sees_other_x", source=plain((MODEL, "self.model(x + 0.01 * torch.randn_like(x), t, y)"))
)
wrong(
    "eta_at_least_half",
    finds=("eta_ignored", "dropped_too_often"),
    source=plain((DROP, DROP.replace("self.eta", "max(self.eta, 0.5)"))),
)
