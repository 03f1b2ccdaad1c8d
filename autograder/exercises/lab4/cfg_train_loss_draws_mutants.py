"""Exercise 4.2: wrong answers that draw badly, keep something from an earlier call, or leave something behind."""

from __future__ import annotations

from autograder.exercises.lab4.cfg_train_loss_plain_mutants import (
    DROP,
    MASK,
    MEAN,
    TIME,
    plain,
    wrong,
)

# --- kept from an earlier call

wrong(
    "time_kept",
    finds="seeded",
    source=plain(
        (
            TIME,
            "if getattr(self, 'size', None) != batch_size:\n"
            "    self.size, self.t = batch_size, torch.rand(batch_size, 1, 1, 1, device=z.device)\nt = self.t",
        )
    ),
)
wrong(
    "coins_kept",
    finds="same_rows_dropped",
    source=plain(
        (
            f"drop = {DROP}",
            f"if not hasattr(self, 'drop') or len(self.drop) != batch_size:\n    self.drop = {DROP}\ndrop = self.drop",
        )
    ),
)
wrong(
    "batch_kept",
    finds="batch_kept",
    source=plain(
        (
            "z, y = self.path.p_data.sample(batch_size)",
            "if not hasattr(self, 'batch') or len(self.batch[0]) != batch_size:\n"
            "    self.batch = self.path.p_data.sample(batch_size)\nz, y = self.batch",
        )
    ),
)
wrong(
    "coins_of_the_first_call_turned",
    finds="coins_kept",
    source=plain(
        (
            f"drop = {DROP}",
            "if not hasattr(self, 'coins') or len(self.coins) != batch_size:\n"
            "    self.coins = torch.rand(batch_size, device=z.device)\n"
            "self.coins = (self.coins + 0.1) % 1\ndrop = self.coins < self.eta",
        )
    ),
)
wrong(
    "fresh_generator_with_one_seed",
    finds="seeded",
    source=plain(
        ("z, y = ", "g = torch.Generator().manual_seed(0)\nz, y = "),
        (TIME, "t = torch.rand(batch_size, 1, 1, 1, generator=g).to(z.device)"),
    ),
)
wrong(
    "fresh_numpy_generator_with_one_seed",
    finds="same_rows_dropped",
    source=plain(
        (DROP, "torch.as_tensor(np.random.default_rng(0).random(batch_size), device=z.device) < self.eta"),
    ),
)
wrong(
    "one_seed_for_coins_and_times",
    finds="time_tied_to_mask",
    source=plain(
        ("z, y = ", "seed = int(torch.randint(2**31, ()))\nz, y = "),
        (DROP, "torch.rand(batch_size, generator=torch.Generator().manual_seed(seed)).to(z.device) < self.eta"),
        (TIME, "t = torch.rand(batch_size, 1, 1, 1, generator=torch.Generator().manual_seed(seed)).to(z.device)"),
    ),
)

# --- left behind

wrong("model_in_eval_mode", finds="mode_left", source=plain(("z, y = ", "self.model.eval()\nz, y = ")))
wrong(
    "numpy_seeded",
    finds=("seed_left", "seeded"),
    source=plain(
        ("z, y = ", "np.random.seed(1)\nz, y = "),
        (DROP, "torch.as_tensor(np.random.rand(batch_size), device=z.device) < self.eta"),
    ),
)
wrong(
    "backward_inside",
    finds="gradient_left",
    source=plain((MEAN, "loss = (error**2).mean()\nloss.backward(retain_graph=True)\nreturn loss")),
)
wrong(
    "backward_inside_and_graph_freed",
    finds="gradient_left",
    source=plain((MEAN, "loss = (error**2).mean()\nloss.backward()\nreturn loss")),
)
wrong("zero_grad_inside", finds="gradient_cleared", source=plain(("z, y = ", "self.model.zero_grad()\nz, y = ")))
wrong(
    "default_dtype", finds="setting_left", source=plain(("z, y = ", "torch.set_default_dtype(torch.float64)\nz, y = "))
)
wrong(
    "gradients_switched_on_for_good",
    finds="setting_left",
    source=plain(("z, y = ", "torch.autograd.set_detect_anomaly(True)\nz, y = ")),
)
wrong(
    "model_frozen",
    finds=("requires_grad_left", "detached"),
    source=plain(("z, y = ", "self.model.requires_grad_(False)\nz, y = ")),
)
wrong(
    "training_step_inside",
    finds=("gradient_left", "parameter_changed"),
    source=plain(
        (
            MEAN,
            "loss = (error**2).mean()\noptimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)\n"
            "optimizer.zero_grad()\nloss.backward(retain_graph=True)\noptimizer.step()\nreturn loss",
        )
    ),
)

# --- times and coins

wrong("times_between_hundredths", finds="time_ends", source=plain((TIME, TIME.replace("t = ", "t = 0.01 + 0.98 * "))))
wrong(
    "times_between_thousandths", finds="time_cut_off", source=plain((TIME, TIME.replace("t = ", "t = 1e-3 + 0.998 * ")))
)
wrong("times_clamped_late", finds="time_cut_off", source=plain((TIME, TIME + ".clamp(1e-3, 1 - 1e-3)")))
wrong(
    "times_logit_normal",
    finds="time_distribution",
    source=plain((TIME, TIME.replace("rand(", "randn(") + ".sigmoid()")),
)
for name, change in (
    ("to_the_power_0_9", "t = t**0.9"),
    ("shifted_to_the_data", "t = 1.15 * t / (1 + 0.15 * t)"),
    ("shifted_to_the_noise", "t = t / (1.15 - 0.15 * t)"),
    ("by_a_cosine_map", "t = 1 - 1 / (torch.tan(torch.pi / 2 * t) + 1)"),
    ("with_a_weak_mode", "t = 1 - t - 0.3 * (torch.cos(torch.pi / 2 * t) ** 2 - 1 + t)"),
    ("with_weight_at_the_ends", "t = torch.distributions.Beta(0.8, 0.8).sample(t.shape).to(t.device)"),
):
    wrong(f"times_{name}", finds="time_distribution", source=plain((TIME, f"{TIME}\n{change}")))
wrong("times_in_hundredths", finds="time_discrete", source=plain((TIME, TIME + ".mul(100).round().div(100)")))
wrong(
    "label_zero_never_dropped",
    finds="label_never_dropped",
    source=plain((DROP, f"({DROP}) & (y > 0)")),
)
wrong(
    "last_label_never_dropped",
    finds="label_never_dropped",
    source=plain((DROP, f"({DROP}) & (y < y.max())")),
)
wrong(
    "first_row_keeps_its_label",
    finds=("eta_edge", "dropped_too_rarely"),
    source=plain((MASK, MASK + "\ny[0] = self.path.p_data.labels[0] if batch_size == 64 else y[0]")),
)
wrong(
    "coins_of_two_halves",
    finds="coins_shared",
    source=plain((DROP, "torch.rand((batch_size + 1) // 2, device=z.device).repeat(2)[:batch_size] < self.eta")),
)
wrong(
    "coin_for_each_class",
    finds="one_coin_per_label",
    source=plain((DROP, "(torch.rand(100, device=z.device) < self.eta)[y]")),
)
wrong("eta_is_a_tenth", finds="eta_ignored", source=plain((DROP, DROP.replace("self.eta", "0.1"))))
wrong("eta_and_a_bit", finds=("eta_ignored", "dropped_too_often"), source=plain((DROP, DROP + " + 0.05")))
wrong(
    "eta_rounded",
    finds=("dropped_too_rarely", "dropped_too_often", "never_dropped"),
    source=plain((DROP, DROP.replace("self.eta", "round(self.eta, 1) * 1.2"))),
)
wrong(
    "first_rows_dropped",
    finds="rows_not_alike",
    source=plain(
        (DROP, "torch.arange(batch_size, device=z.device) < (torch.rand(batch_size, device=z.device) < self.eta).sum()")
    ),
)
wrong("unfrozen", finds="requires_grad_left", source=plain((MEAN, "self.model.requires_grad_()\n" + MEAN)))
wrong(
    "times_in_the_order_of_labels",
    finds="time_tied_to_label",
    source=plain(
        (MASK, f"labels = y\n{MASK}"),
        (TIME, f"{TIME}\nt = t.flatten().sort().values[labels.argsort().argsort()].reshape(-1, 1, 1, 1)"),
    ),
)
wrong(
    "time_of_the_last_call_moved",
    finds="times_depend",
    source=plain(
        (
            TIME,
            "if getattr(self, 't', None) is None or len(self.t) != batch_size:\n"
            "    self.t = torch.rand(batch_size, 1, 1, 1, device=z.device)\n"
            "self.t = (self.t + 0.618034) % 1\nt = self.t",
        )
    ),
)
wrong("last_time_is_first", finds="times_shared", source=plain((TIME, f"{TIME}\nt[0] = t[-1]")))
wrong("neighbours_share_times", finds="times_shared", source=plain((TIME, f"{TIME}\nt[1::8] = t[::8][: len(t[1::8])]")))
wrong("first_time_is_zero", finds="place_differs", source=plain((TIME, f"{TIME}\nt[0] = 0")))
wrong(
    "two_rows_share_a_coin",
    finds="coins_shared",
    source=plain(
        (f"drop = {DROP}", "u = torch.rand(batch_size, device=z.device)\nu[0] = u[-1]\ndrop = u < self.eta"),
    ),
)
wrong(
    "first_label_kept",
    finds=("rows_not_alike", "eta_edge"),
    source=plain((f"drop = {DROP}", f"drop = {DROP}\ndrop[0] = False")),
)
for name, kept in (("below", "y < self.null_label - 1"), ("above", "y < self.null_label")):
    wrong(
        f"labels_{name}_null_kept",
        finds="label_never_dropped",
        source=plain((f"drop = {DROP}", f"drop = ({DROP}) & ({kept})")),
    )
PERCENT = "torch.randint(0, 100, (batch_size,), device=z.device)"
for name, coin in (
    ("whole_percents", f"{PERCENT} < round(100 * self.eta)"),
    ("percents_and_one_more", f"{PERCENT} <= 100 * self.eta"),
    ("one_in_k", "torch.randint(0, max(round(1 / max(self.eta, 1e-9)), 1), (batch_size,), device=z.device) == 0"),
):
    wrong(name, finds=("other_rate", "eta_edge", "dropped_too_often", "dropped_too_rarely"), source=plain((DROP, coin)))
wrong(
    "none_dropped_in_evaluation_mode",
    finds="dropped_in_some_calls",
    source=plain((MASK, f"if self.model.training:\n    {MASK}")),
)
