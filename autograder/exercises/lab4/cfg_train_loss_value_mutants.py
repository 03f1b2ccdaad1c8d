"""Exercise 4.2: wrong answers that average, weigh or differentiate badly, or mix up their inputs."""

from __future__ import annotations

from autograder.exercises.lab4.cfg_train_loss_plain_mutants import (
    MEAN,
    MODEL,
    TARGET,
    plain,
    wrong,
)

# --- the loss

wrong(
    "weights_that_average_to_one",
    finds="wrong_loss",
    source=plain((MEAN, "return (t / t.mean() * error**2).mean()")),
)
wrong(
    "weighted_by_one_minus_t",
    finds="weighted",
    source=plain((MEAN, "return ((1 - t) * error**2).mean()")),
)
wrong(
    "null_rows_count_double",
    finds="wrong_loss",
    source=plain((MEAN, "return ((1 + drop.double().reshape(-1, 1, 1, 1)) * error**2).mean()")),
)
wrong(
    "two_means",
    finds=("wrong_loss", "not_finite"),
    source=plain((MEAN, "e = (error**2).mean(dim=(1, 2, 3))\nreturn (e[drop].mean() + e[~drop].mean()) / 2")),
)
wrong(
    "huber",
    finds="wrong_loss",
    source=plain((MEAN, "return nn.functional.smooth_l1_loss(error, torch.zeros_like(error))")),
)
wrong("fourth_power", finds="wrong_loss", source=plain((MEAN, "return (error**4).mean()")))
wrong("median", finds="wrong_loss", source=plain((MEAN, "return (error**2).flatten().median()")))
wrong("variance", finds="wrong_loss", source=plain((MEAN, "return error.var()")))
wrong("errors_clamped", finds="wrong_loss", source=plain((MEAN, "return (error.clamp(-1, 1) ** 2).mean()")))
wrong(
    "constant_batch",
    finds=("wrong_loss", "summed_batch"),
    source=plain((MEAN, "return (error**2).sum() / (256 * error[0].numel())")),
)
wrong("first_pixel", finds="wrong_loss", source=plain((MEAN, "return (error[..., 0] ** 2).mean()")))
wrong("mean_over_axis_one", finds="no_reduction", source=plain((MEAN, "return (error**2).mean(1)")))
wrong("half_precision", finds=("wrong_dtype", "wrong_loss"), source=plain((MEAN, "return (error.half() ** 2).mean()")))
wrong(
    "null_rows_detached",
    finds="wrong_gradient",
    source=plain(
        (
            "error = self.model(x, t, y)",
            "out = self.model(x, t, y)\nout = torch.where(drop.reshape(-1, 1, 1, 1), out.detach(), out)\nerror = out",
        ),
    ),
)
wrong("model_output_by_z", finds="wrong_loss", source=plain((MODEL, "self.model(x, t, y) * 0.5")))
wrong(
    "target_plus_x",
    finds="wrong_loss",
    source=plain(("self.path.conditional_vector_field(x, z, t)", "(self.path.conditional_vector_field(x, z, t) + x)")),
)
wrong("regularised", finds="wrong_loss", source=plain((MEAN, "return (error**2).mean() + 0.01 * (x**2).mean()")))

# --- data, path and labels

wrong(
    "x_by_hand",
    finds="path_not_sampled",
    source=plain(("self.path.sample_conditional_path(z, t)", "t * z + (1 - t) * torch.randn_like(z)")),
)
wrong(
    "x_by_hand_from_the_schedules",
    finds="raised",
    source=plain(
        (
            "self.path.sample_conditional_path(z, t)",
            "self.path.alpha(t) * z + self.path.beta(t) * torch.randn_like(z)",
        )
    ),
)
wrong(
    "time_as_a_number",
    finds="raised",
    source=plain(("self.path.sample_conditional_path(z, t)", "self.path.sample_conditional_path(z, float(t.mean()))")),
)
wrong(
    "rows_drawn_again",
    finds="rows_repeated",
    source=plain(
        ("t = torch", "i = torch.randint(batch_size, (batch_size,), device=z.device)\nz, y = z[i], y[i]\nt = torch")
    ),
)
wrong("images_flipped", finds="not_the_data", source=plain(("t = torch", "z = z.flip(-1)\nt = torch")))
wrong("images_scaled", finds="not_the_data", source=plain(("t = torch", "z = z * 2 - 1\nt = torch")))
wrong(
    "images_permuted_alone",
    finds="labels_of_other_rows",
    source=plain(("t = torch", "z = z[torch.randperm(batch_size)]\nt = torch")),
)
wrong("batch_of_64", finds="wrong_shape", source=plain(("sample(batch_size)", "sample(64)"), ("(batch_size", "(64")))
wrong("null_minus_one", finds="wrong_null_label", source=plain(("self.null_label, y)", "-1, y)")))
wrong("labels_plus_one", finds="labels_wrong", source=plain((MODEL, "self.model(x, t, y + 1)")))
wrong("one_hot", finds=("label_shape", "raised"), source=plain((MODEL, "self.model(x, t, nn.functional.one_hot(y))")))
wrong("labels_with_an_axis", finds="label_shape", source=plain((MODEL, "self.model(x, t, y[:, None])")))
wrong("no_label", finds="label_missing", source=plain((MODEL, "self.model(x, t)")))
wrong("time_times_1000", finds="time_differs", source=plain((MODEL, "self.model(x, 1000 * t, y)")))
wrong(
    "time_rounded_for_the_model",
    finds="time_differs",
    source=plain((MODEL, "self.model(x, t.mul(50).round().div(50), y)")),
)
wrong("target_at_z", finds="noise_resampled", source=plain((TARGET, "conditional_vector_field(z, z, t)")))
wrong("x_and_z_swapped", finds="noise_resampled", source=plain((TARGET, "conditional_vector_field(z, x, t)")))
wrong(
    "network_cut_off", finds="detached", edit=("self.model(x, t, y)", "self.model(x, t, y).detach().requires_grad_()")
)
wrong("training_mode", finds="mode_left", source=plain(("z, y = ", "self.model.train()\nz, y = ")))
wrong("mode_of_parts", finds="mode_left", source=plain(("z, y = ", "self.model.train(self.model.training)\nz, y = ")))
for name, edit in (
    ("huber_5", (MEAN, "return 2 * nn.functional.huber_loss(error, torch.zeros_like(error), delta=5.0)")),
    ("huber_10", (MEAN, "return 2 * nn.functional.huber_loss(error, torch.zeros_like(error), delta=10.0)")),
    ("smooth_l1", (MEAN, "return 16 * nn.functional.smooth_l1_loss(error, torch.zeros_like(error), beta=8.0)")),
    ("loss_limited", (MEAN, "return (error**2).flatten(1).mean(1).clamp(max=100).mean()")),
    ("output_limited", (MODEL, "self.model(x, t, y).clamp(-5, 5)")),
    ("target_limited_at_4", (f"self.path.{TARGET}", f"self.path.{TARGET}.clamp(-4, 4)")),
    ("target_limited_at_10", (f"self.path.{TARGET}", f"self.path.{TARGET}.clamp(-10, 10)")),
):
    wrong(name, finds=("wrong_loss", "large_numbers"), source=plain(edit))
X = "x = self.path.sample_conditional_path(z, t)"
for limit in (3, 3.5, 4, 20):
    wrong(f"x_limited_at_{limit}", finds="model_sees_other_x", source=plain((X, f"{X}.clamp(-{limit}, {limit})")))
wrong(
    "late_times_without_weight",
    finds=("weighted", "wrong_loss", "wrong_gradient"),
    source=plain((MEAN, "keep = (t < 0.999).to(x)\nreturn (error**2 * keep).sum() / keep.expand_as(x).sum()")),
)
