"""Exercise 4.2: right answers written differently."""

from __future__ import annotations

from autograder.exercises.lab4.cfg_train_loss_plain_mutants import (
    DROP,
    MASK,
    MEAN,
    MODEL,
    TIME,
    plain,
    right,
)

right(
    "float_loss", source=plain((MEAN, "return nn.functional.mse_loss(error.float(), torch.zeros_like(error).float())"))
)
right(
    "float_output_and_target",
    source=plain(
        (
            "error = self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)",
            "pred, target = self.model(x, t, y), self.path.conditional_vector_field(x, z, t)",
        ),
        (MEAN, "return nn.functional.mse_loss(pred.float(), target.float())"),
    ),
)
right("images_to_float", source=plain(("t = torch", "z = z.float()\nt = torch")))
right(
    "everything_to_float",
    source=plain(("t = torch", "z = z.float()\nt = torch"), ("error = ", "x = x.float()\nerror = ")),
)
right(
    "time_in_double", source=plain((TIME, "t = torch.rand(batch_size, 1, 1, 1, dtype=torch.float64, device=z.device)"))
)
right("time_like_z", source=plain((TIME, "t = torch.rand_like(z[:, :1, :1, :1])")))
right("time_by_uniform_", source=plain((TIME, "t = torch.empty(batch_size, 1, 1, 1, device=z.device).uniform_()")))
right(
    "time_by_distribution",
    source=plain((TIME, "t = torch.distributions.Uniform(0.0, 1.0).sample((batch_size, 1, 1, 1)).to(z.device)")),
)
right("time_reversed_by_symmetry", source=plain((TIME, TIME.replace("t = ", "t = 1 - "))))
right(
    "own_generator",
    source=plain(
        (DROP, "torch.rand(batch_size, generator=self.g).to(z.device) < self.eta"),
        (TIME, "t = torch.rand(batch_size, 1, 1, 1, generator=self.g).to(z.device)"),
    ).replace(
        "super().__init__(model)\n", "super().__init__(model)\n        self.g = torch.Generator().manual_seed(0)\n"
    ),
)
right(
    "own_numpy_generator",
    source=plain((DROP, "torch.as_tensor(self.rng.random(batch_size), device=z.device) < self.eta")).replace(
        "super().__init__(model)\n", "super().__init__(model)\n        self.rng = np.random.default_rng(0)\n"
    ),
)
right(
    "generator_for_each_call",
    source=plain(
        ("z, y = ", "g = torch.Generator()\ng.seed()\nz, y = "),
        (TIME, "t = torch.rand(batch_size, 1, 1, 1, generator=g).to(z.device)"),
    ),
)
right(
    "batch_permuted",
    source=plain(
        ("t = torch", "order = torch.randperm(batch_size).to(z.device)\nz, y = z[order], y[order]\nt = torch")
    ),
)
right("masked_fill", source=plain((MASK, "y = y.masked_fill(drop, self.null_label)")))
right("mask_by_arithmetic", source=plain((MASK, "y = y * ~drop + self.null_label * drop")))
right("mask_by_full_like", source=plain((MASK, "y = torch.where(drop, torch.full_like(y, self.null_label), y)")))
right("int_labels", source=plain((MODEL, "self.model(x, t, y.int())")))
right("numpy_coins", source=plain((DROP, "torch.from_numpy(np.random.rand(batch_size) < self.eta).to(z.device)")))
right("coins_the_other_way", source=plain((DROP, "~(torch.rand(batch_size, device=z.device) >= self.eta)")))
right("coins_at_most_eta", source=plain((DROP, "torch.rand(batch_size, device=z.device) <= self.eta")))
right("coins_from_above", source=plain((DROP, "torch.rand(batch_size, device=z.device) > 1 - self.eta")))
right("mean_of_means", source=plain((MEAN, "return (error**2).flatten(1).mean(dim=1).mean()")))
right("error_by_einsum", source=plain((MEAN, "return torch.einsum('bchw,bchw->', error, error) / error.numel()")))
right("module_loss", source=plain((MEAN, "return nn.MSELoss()(error, torch.zeros_like(error))")))
right(
    "target_without_gradient",
    source=plain(
        ("error = ", "with torch.no_grad():\n    target = self.path.conditional_vector_field(x, z, t)\nerror = "),
        (" - self.path.conditional_vector_field(x, z, t)", " - target"),
    ),
)
right("data_drawn_twice", source=plain(("z, y = ", "self.path.p_data.sample(batch_size)\nz, y = ")))
right("shape_looked_up", source=plain(("z, y = ", "shape = self.path.p_data.sample(1)[0].shape\nz, y = ")))
right("loss_kept_for_a_plot", source=plain((MEAN, "loss = (error**2).mean()\nself.last = loss.item()\nreturn loss")))
right(
    "seeded_and_restored",
    source=plain(
        ("z, y = ", "with torch.random.fork_rng(devices=[]):\n    torch.manual_seed(0)\n    torch.rand(3)\nz, y = ")
    ),
)
