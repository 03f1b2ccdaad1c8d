"""Lab 4: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.mutants import right, wrong

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
    ("one_coin_per_batch", "never_dropped"),
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
right(LOSS, "explicit_division", source=plain((MEAN, "return (error**2).sum() / error.numel()")))
right(
    LOSS,
    "keyword_arguments",
    source=plain(
        ("self.model(x, t, y)", "self.model(y=y, x=x, t=t)"),
        ("conditional_vector_field(x, z, t)", "conditional_vector_field(x=x, t=t, z=z)"),
    ),
)
right(
    LOSS,
    "sample_by_sample",
    source=loss("""
z, y = self.path.p_data.sample(batch_size)
total = 0.0
for i in range(batch_size):
    label = y[i : i + 1].clone()
    if float(torch.rand(())) < self.eta:
        label[:] = self.null_label
    t = torch.rand(1, 1, 1, 1, dtype=z.dtype, device=z.device)
    x = self.path.sample_conditional_path(z[i : i + 1], t)
    total = total + ((self.model(x, t, label) - self.path.conditional_vector_field(x, z[i : i + 1], t)) ** 2).mean()
return total / batch_size
"""),
)
