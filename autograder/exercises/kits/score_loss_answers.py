"""Further answers to exercise 2.3, as edits of its plain answer: name, finding, and what is replaced by what."""

from __future__ import annotations

MEAN = "return (error**2).mean()"
RANDN = "noise = torch.randn_like(x0)"
SIGMA = "sigma = self.schedule.sigma(t)"
TARGET = "target = -(weights * offsets).sum(dim=-1) / sigma"

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
    ("noise_of_signs", "noise_discrete", (RANDN, "noise = torch.randn_like(x0).sign()")),
]

RIGHT = [
    ("einsum", (TARGET, "target = -torch.einsum('bak,bak->ba', weights, offsets) / sigma")),
    ("states_in_another_order", ("sample(batch_size)\n", "sample(batch_size)\nx0 = x0[torch.randperm(batch_size)]\n")),
    ("offsets_in_sigmas", (TARGET, "z = offsets / sigma[..., None]\ntarget = -(weights * z).sum(-1)")),
    (
        "mean_of_means",
        (MEAN, "return torch.stack([column.square().mean() for column in error.unbind(1)]).mean()"),
    ),
]
