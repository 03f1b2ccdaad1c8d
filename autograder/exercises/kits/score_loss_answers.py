"""Further answers to exercise 2.3, as edits of its plain answer: name, finding, and what is replaced by what."""

from __future__ import annotations

MEAN = "return (error**2).mean()"
RANDN = "noise = torch.randn_like(x0)"
SIGMA = "sigma = self.schedule.sigma(t)"
TARGET = "target = -(weights * offsets).sum(dim=-1) / sigma"

SHARES = "weights = torch.softmax(-(offsets**2) / (2 * sigma[..., None] ** 2), dim=-1)"
ONE = "sigma[..., None]"

WRONG = [
    (
        "sigma_of_the_lab",
        ("wrong_loss", "sigma_of_another"),
        (SIGMA, "s = self.schedule\nsigma = s.sigma_min * (s.sigma_max / s.sigma_min) ** t"),
    ),
    (
        "sigma_of_the_first_sample",
        ("wrong_loss", "sigma_of_another"),
        (SIGMA, "sigma = self.schedule.sigma(t[:1]).expand_as(t)"),
    ),
    ("target_cut", ("wrong_loss", "rare_not_zero"), (TARGET, f"{TARGET}\ntarget = target.clamp(-3, 3)")),
    (
        "huber_far_out",
        "large_errors",
        (MEAN, "return 2 * nn.functional.huber_loss(error, torch.zeros_like(error), delta=20.0)"),
    ),
    ("output_detached", "detached", ("self.model(x, t)", "self.model(x, t).detach().requires_grad_()")),
    (
        "noise_standardised",
        "noise_standardised",
        (RANDN, f"{RANDN}\nif batch_size > 1:\n    noise = (noise - noise.mean()) / noise.std()"),
    ),
    (
        "noise_of_opposite_atoms",
        "noise_mirrored",
        (RANDN, "noise = torch.randn_like(x0[:, :1])\nnoise = torch.cat([noise, -noise], 1)"),
    ),
    ("unfrozen", "requires_grad_left", (MEAN, f"self.model.requires_grad_()\n{MEAN}")),
    ("training_mode", "mode_left", (MEAN, f"self.model.train()\n{MEAN}")),
    ("mode_of_parts", "mode_left", (MEAN, f"self.model.train(self.model.training)\n{MEAN}")),
    ("five_copies", "copies_missing", ("torch.tensor(IMAGES,", "torch.tensor((-2, -1, 0, 1, 2),")),
    (
        "width_of_the_data_in_the_shares",
        ("wrong_loss", "wrong_gradient"),
        (SHARES, SHARES.replace("sigma[..., None] ** 2", "(sigma[..., None] ** 2 + SIGMA_D**2)")),
    ),
    *(
        (name, ("wrong_loss", "nearest_image_only", "shares_of_another"), (SHARES, SHARES.replace(ONE, other)))
        for name, other in (
            ("shares_of_the_mean_sigma", "sigma.mean()"),
            ("shares_of_the_first_sigma", "sigma[0]"),
            ("shares_of_the_largest_sigma", "sigma.max()"),
            ("shares_of_the_median_sigma", "sigma.median()"),
            ("shares_in_another_order", "sigma.flip(0)[..., None]"),
        )
    ),
    ("sigma_with_a_floor", ("wrong_loss", "least_not_zero"), (SIGMA, f"{SIGMA}.clamp(min=1.2e-3)")),
    (
        "sigma_plus_a_little",
        ("wrong_loss", "target_slightly_small"),
        (TARGET, TARGET.replace("sigma", "(sigma + 1e-4)")),
    ),
    ("target_cut_at_5", ("wrong_loss", "rare_not_zero"), (TARGET, f"{TARGET}\ntarget = target.clamp(-5, 5)")),
    (
        "noise_of_a_forked_generator",
        "seeded",
        (RANDN, f"with torch.random.fork_rng(devices=[]):\n    {RANDN}"),
    ),
    ("last_time_is_first", "times_shared", (RANDN, f"t[-1] = t[0]\n{RANDN}")),
    ("first_time_is_zero", "place_differs", (RANDN, f"t[0] = 0\n{RANDN}")),
    ("two_samples_share_noise", "noise_shared", (RANDN, f"{RANDN}\nif batch_size > 1:\n    noise[-1] = noise[0]")),
    ("first_noise_is_zero", ("noise_place", "noise_shared"), (RANDN, f"{RANDN}\nnoise[0] = 0")),
    (
        "one_sample_alone",
        ("wrong_loss", "wrong_for_one_sample"),
        ("self.model(x, t) - target", "self.model(x, t) - (target if batch_size > 1 else 0)"),
    ),
    ("noise_of_signs", "noise_discrete", (RANDN, "noise = torch.randn_like(x0).sign()")),
    # Small batches, and differences that only many draws show.
    (
        "widths_along_atoms",
        ("wrong_for_two_samples", "wrong_loss"),
        (SIGMA, f"{SIGMA}\nsigma = sigma.mT if batch_size == 2 else sigma"),
    ),
    ("one_time_is_half", "fixed_for_one_sample", (RANDN, f"t = t * 0 + 0.5 if batch_size == 1 else t\n{RANDN}")),
    (
        "one_noise_is_zero",
        ("fixed_for_one_sample", "noise_place"),
        (RANDN, f"{RANDN}\nnoise = noise * (batch_size > 1)"),
    ),
    ("times_repeated_in_large_batches", "time_discrete", (RANDN, f"t = t[torch.arange(batch_size) % 512]\n{RANDN}")),
    ("times_to_a_power", "time_distribution", (RANDN, f"t = t**1.1\n{RANDN}")),
    (
        "times_rather_late",
        "time_distribution",
        (RANDN, f"t = t / 2 + (torch.rand_like(t) > 0.45) * 0.5\n{RANDN}"),
    ),
    ("noise_shifted", ("noise_law", "noise_mean"), (RANDN, f"{RANDN} + 0.05")),
    ("noise_clamped", "noise_limited", (RANDN, f"{RANDN}.clamp(-3, 3)")),
    (
        "noise_logistic",
        ("noise_law", "noise_place"),
        (RANDN, "u = torch.rand_like(x0).clamp(1e-6, 1 - 1e-6)\nnoise = u.logit() * 3**0.5 / math.pi"),
    ),
    (
        "atoms_correlated",
        ("draws_tied", "noise_shared"),
        (RANDN, f"{RANDN}\nnoise[:, 1] = 0.2 * noise[:, 0] + 0.96**0.5 * noise[:, 1]"),
    ),
    ("noise_grows_in_time", ("draws_tied", "noise_law"), (RANDN, f"{RANDN} * (0.8 + 0.4 * t).sqrt()")),
    (
        "times_in_the_order_of_the_data",
        "draws_tied",
        (RANDN, f"t = t.sort(0).values[x0[:, 0].argsort().argsort()]\n{RANDN}"),
    ),
    (
        "noise_tied_to_the_neighbour",
        "samples_tied",
        (RANDN, f"{RANDN}\nif batch_size % 2 == 0:\n    noise[1::2] = 0.3 * noise[::2] + 0.91**0.5 * noise[1::2]"),
    ),
    # Weights, of which the mean is 1 or nearly so.
    ("weights_twice_the_time", "wrong_loss", (MEAN, "return (2 * t * error**2).mean()")),
    ("weights_of_the_variance", "wrong_loss", (MEAN, "return (sigma**2 / (sigma**2).mean() * error**2).mean()")),
    ("weights_of_late_times", "wrong_loss", (MEAN, "return ((1 - 0.5 * (t < 0.05)) * error**2).mean()")),
    ("first_atom_alone", "wrong_loss", (MEAN, "return (error[:, 0] ** 2).mean()")),
    ("median", "wrong_loss", (MEAN, "return (error**2).median()")),
    (
        "gradient_doubled",
        "wrong_gradient",
        (MEAN, "loss = (error**2).mean()\nreturn 2 * loss - loss.detach()"),
    ),
    ("weights_decay", "wrong_loss", (MEAN, f"{MEAN} + 0.1 * sum(p.square().sum() for p in self.model.parameters())")),
    ("x_of_the_next_cell", "model_sees_other_x", ("self.model(x, t)", "self.model(x + 1, t)")),
    (
        "neighbours_share_noise",
        "noise_shared",
        (RANDN, f"{RANDN}.repeat_interleave(2, 0)[:batch_size]"),
    ),
    ("numpy_errors_ignored", "setting_left", (SIGMA, f"np.seterr(all='ignore')\n{SIGMA}")),
    (
        "mean_of_both_orders",
        "model_sees_more_states",
        ("self.model(x, t)", "(self.model(x, t) + self.model(x.flip(1), t).flip(1)) / 2"),
    ),
]

RIGHT = [
    ("data_drawn_twice", ("x0, _ =", "self.data.sample(batch_size)\nx0, _ =")),
    ("shape_looked_up", ("x0, _ =", "shape = self.data.sample(1)[0].shape\nx0, _ =")),
    ("einsum", (TARGET, "target = -torch.einsum('bak,bak->ba', weights, offsets) / sigma")),
    ("states_in_another_order", ("sample(batch_size)\n", "sample(batch_size)\nx0 = x0[torch.randperm(batch_size)]\n")),
    ("offsets_in_sigmas", (TARGET, "z = offsets / sigma[..., None]\ntarget = -(weights * z).sum(-1)")),
    (
        "mean_of_means",
        (MEAN, "return torch.stack([column.square().mean() for column in error.unbind(1)]).mean()"),
    ),
    (
        "attributes_of_the_data",
        (
            "t = torch.rand(batch_size, 1, device=x0.device, dtype=x0.dtype)",
            "assert self.data.sigma_d >= 0\nt = torch.rand(batch_size, 1).to(self.data.centres)",
        ),
    ),
]
