"""Exercise 1.5: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits import classifier_loss_mutants as shared
from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab1.classifier_loss")

TIME = "self.t_min + (1 - self.t_min) * torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)"
NOISED = "self.add_noise(x0, t, torch.randn_like(x0))"
for name, finds, old, new in (
    *shared.WRONG,
    ("never_noised", "model_sees_clean", NOISED, "x0"),
    ("own_noising", "not_noised", NOISED, "x0 + t * torch.randn_like(x0)"),
    ("time_randn", ("time_out_of_range",), "torch.rand(batch_size, 1", "torch.randn(batch_size, 1"),
    ("t_min_ignored", "t_min_ignored", TIME, "torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)"),
    ("times_cut_off", "time_ends", TIME, f"({TIME}).clamp(max=0.98)"),
    ("t_min_added", "time_out_of_range", "(1 - self.t_min) * torch", "torch"),
    ("time_shared", "time_shared", "torch.rand(batch_size, 1, 1", "torch.rand(1, 1, 1"),
    ("time_shared_expanded", "time_shared", TIME, f"({TIME})[:1].expand(batch_size, 1, 1)"),
    ("time_flat", "time_shape", "torch.rand(batch_size, 1, 1", "torch.rand(batch_size"),
    ("time_per_site", "time_shape", "torch.rand(batch_size, 1, 1", "torch.rand(batch_size, x0.shape[1], 1"),
    (
        "time_grid",
        "time_grid",
        TIME,
        "torch.linspace(self.t_min, 1, batch_size, device=x0.device, dtype=x0.dtype).reshape(-1, 1, 1)",
    ),
    (
        "time_squared",
        "time_distribution",
        TIME,
        "self.t_min + (1 - self.t_min) * torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype) ** 2",
    ),
    ("time_reversed", "time_reversed", "self.model(x, t)", "self.model(x, 1 - t)"),
    ("time_resampled", "time_differs", "self.model(x, t)", "self.model(x, torch.rand_like(t))"),
    ("noise_per_sample", ("noise_shape", "noise_law"), "torch.randn_like(x0)", "torch.randn_like(t)"),
    ("on_the_cpu", "hard_coded_device", "self.model(x, t), y)", "self.model(x, t) * torch.ones(len(y), 1), y)"),
):
    wrong(name, finds, edit=(old, new))
for name, edit in shared.RIGHT:
    right(name, edit=edit)


def loss(body: str) -> str:
    """Return the class with this body of `get_train_loss`."""
    return shared.trainer("ClassifierTrainer(Trainer)", ("data", "add_noise", "t_min"), body)


right(
    "log_softmax",
    source=loss("""
x0, y = self.data.sample(batch_size)
noise = torch.randn(x0.shape, device=x0.device, dtype=x0.dtype)
t = torch.empty(len(x0), 1, 1, device=x0.device, dtype=x0.dtype).uniform_(self.t_min, 1.0)
logs = torch.log_softmax(self.model(self.add_noise(x0, t, noise), t), dim=1)
return -logs[torch.arange(len(y), device=y.device), y].sum() / batch_size
"""),
)
right(
    "module_and_names",
    source=loss("""
clean, label = self.data.sample(n=batch_size)
time = torch.rand(batch_size, device=clean.device, dtype=clean.dtype) * (1 - self.t_min) + self.t_min
time = time[:, None, None]
noisy = self.add_noise(x0=clean, t=time, noise=torch.randn_like(clean))
print("one more batch")
return nn.CrossEntropyLoss()(self.model(x=noisy, t=time), label)
"""),
)
right(
    "one_hot",
    source=loss("""
x0, y = self.data.sample(batch_size)
like = {"dtype": x0.dtype, "device": x0.device}
t = torch.lerp(torch.tensor(self.t_min, **like), torch.ones((), **like), torch.rand(batch_size, 1, 1, **like))
logits = self.model(self.add_noise(x0, t, torch.randn_like(x0)), t)
target = nn.functional.one_hot(y, logits.shape[1]).to(logits.dtype)
return (torch.logsumexp(logits, dim=1) - (logits * target).sum(1)).mean()
"""),
)
right(
    "a_few_at_a_time",
    source=loss("""
x0, y = self.data.sample(batch_size)
noise = torch.randn_like(x0)
t = self.t_min + (1 - self.t_min) * torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)
x = self.add_noise(x0, t, noise)
some = torch.arange(batch_size, device=x0.device).split(16)
losses = [nn.functional.cross_entropy(self.model(x[i], t[i]), y[i], reduction="sum") for i in some]
return torch.stack(losses).sum() / batch_size
"""),
)
