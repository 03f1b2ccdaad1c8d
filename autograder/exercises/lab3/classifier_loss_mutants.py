"""Exercise 3.3: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits import classifier_loss_mutants as shared
from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab3.classifier_loss")

TIME = "torch.randint(self.schedule.steps, (batch_size,), device=x0.device)"
NOISED = "self.add_noise(x0, t, torch.randn_like(x0), self.schedule)"
for name, finds, old, new in (
    *shared.WRONG,
    ("never_noised", "not_noised", NOISED, "x0"),
    ("own_noising", "not_noised", NOISED, "x0 + t.reshape(-1, *[1] * (x0.dim() - 1)) * torch.randn_like(x0)"),
    ("time_uniform", "time_not_integer", TIME, "torch.rand(batch_size, device=x0.device)"),
    ("time_fixed_T", "time_out_of_range", "torch.randint(self.schedule.steps", "torch.randint(1000"),
    (
        "time_from_one",
        "time_out_of_range",
        TIME,
        "torch.randint(1, self.schedule.steps + 1, (batch_size,), device=x0.device)",
    ),
    (
        "last_left_out",
        "last_step_missing",
        TIME,
        "torch.randint(self.schedule.steps - 1, (batch_size,), device=x0.device)",
    ),
    (
        "first_left_out",
        "first_step_missing",
        TIME,
        "torch.randint(1, self.schedule.steps, (batch_size,), device=x0.device)",
    ),
    ("time_shared", "time_shared", TIME, "torch.randint(self.schedule.steps, (1,), device=x0.device)"),
    ("time_shared_expanded", "time_shared", TIME, f"({TIME})[:1].expand(batch_size)"),
    ("time_column", "time_shape", TIME, "torch.randint(self.schedule.steps, (batch_size, 1, 1, 1), device=x0.device)"),
    (
        "time_grid",
        ("times_kept", "time_distribution", "last_step_missing"),
        TIME,
        "torch.arange(batch_size, device=x0.device) % self.schedule.steps",
    ),
    (
        "time_squared",
        "time_distribution",
        TIME,
        "(torch.rand(batch_size, device=x0.device) ** 2 * self.schedule.steps).long()",
    ),
    (
        "time_rounded",
        "time_distribution",
        TIME,
        "(torch.rand(batch_size, device=x0.device) * (self.schedule.steps - 1)).round().long()",
    ),
    ("noise_of_channels", "noise_shared", shared.NOISE, "torch.randn_like(x0[:, :1]).expand_as(x0).contiguous()"),
    ("time_sorted", ("times_depend", "seeded"), TIME, f"({TIME}).sort().values"),
    (
        "time_mirrored",
        "time_mirrored",
        TIME,
        f"(lambda u: torch.cat([u, self.schedule.steps - 1 - u])[:batch_size])({TIME}[: (batch_size + 1) // 2])",
    ),
    ("time_reversed", "time_reversed", "self.model(x, t)", "self.model(x, self.schedule.steps - 1 - t)"),
    ("time_scaled", "time_scaled", "self.model(x, t)", "self.model(x, t.to(x.dtype) / self.schedule.steps)"),
    ("time_resampled", "time_differs", "self.model(x, t)", "self.model(x, torch.randint_like(t, self.schedule.steps))"),
    (
        "noise_per_sample",
        ("noise_shape", "noise_size"),
        "torch.randn_like(x0)",
        "torch.randn(batch_size, dtype=x0.dtype, device=x0.device).reshape(-1, *[1] * (x0.dim() - 1))",
    ),
    ("on_the_cpu", "hard_coded_device", ", device=x0.device)", ") + torch.zeros(batch_size, dtype=torch.long) * y"),
):
    wrong(name, finds, edit=(old, new))
for name, edit in shared.RIGHT:
    right(name, edit=edit)


def loss(body: str) -> str:
    """Return the class with this body of `get_train_loss`."""
    return shared.trainer("NoisyClassifierTrainer(Trainer)", ("data", "schedule", "add_noise"), body)


right(
    "log_softmax",
    source=loss("""
x0, y = self.data.sample(batch_size)
noise = torch.randn(x0.shape, device=x0.device, dtype=x0.dtype)
t = torch.randint(0, len(self.schedule.betas), (len(x0),), device=x0.device)
logs = torch.log_softmax(self.model(self.add_noise(x0, t, noise, self.schedule), t), dim=1)
return -logs[torch.arange(len(y), device=y.device), y].sum() / batch_size
"""),
)
right(
    "names",
    source=loss("""
clean, label = self.data.sample(n=batch_size)
steps = (torch.rand(batch_size, device=clean.device) * self.schedule.steps).long()
noisy = self.add_noise(x0=clean, t=steps, noise=torch.randn_like(clean), schedule=self.schedule)
print("one more batch")
return nn.CrossEntropyLoss()(self.model(x=noisy, t=steps), label)
"""),
)
right(
    "a_few_at_a_time",
    source=loss("""
x0, y = self.data.sample(batch_size)
noise = torch.randn_like(x0)
t = torch.randint(self.schedule.steps, (batch_size,), device=x0.device)
x = self.add_noise(x0, t, noise, self.schedule)
some = torch.arange(batch_size, device=x0.device).split(16)
losses = [nn.functional.cross_entropy(self.model(x[i], t[i]), y[i], reduction="sum") for i in some]
return torch.stack(losses).sum() / batch_size
"""),
)
right(
    "noise_first",
    edit=("        t = torch.randint", "        z = torch.randn_like(x0)\n        t = torch.randint"),
)
right(
    "generators_of_its_own",
    source="""
class NoisyClassifierTrainer(Trainer):
    def __init__(self, model, data, schedule, add_noise):
        super().__init__(model)
        self.data, self.schedule, self.add_noise = data, schedule, add_noise
        self.times, self.noises = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)

    def get_train_loss(self, batch_size):
        x0, y = self.data.sample(batch_size)
        t = torch.randint(0, self.schedule.steps, (batch_size,), generator=self.times).to(x0.device)
        noise = torch.randn(x0.shape, generator=self.noises).to(x0)
        return nn.functional.cross_entropy(self.model(self.add_noise(x0, t, noise, self.schedule), t), y)
""",
)
wrong(
    "time_dealt_out",
    "time_stratified",
    edit=(TIME, "torch.randperm(batch_size, device=x0.device) % self.schedule.steps"),
)
wrong(
    "time_without_replacement",
    "time_stratified",
    edit=(
        TIME,
        "torch.cat([torch.randperm(self.schedule.steps, device=x0.device) "
        "for _ in range(batch_size // self.schedule.steps + 1)])[:batch_size]",
    ),
)
wrong(
    "time_mirrored_at_another_place",
    "time_mirrored",
    edit=(
        TIME,
        f"(lambda u: torch.cat([u, self.schedule.steps - 1 - u])[:batch_size])({TIME}[: batch_size // 2 + 1])",
    ),
)
wrong(
    "logits_cut_off",
    "detached",
    edit=("(self.model(x, t), y)", "(self.model(x, t).detach().requires_grad_(), y)"),
)
right(
    "drawn_as_categories",
    edit=(TIME, "torch.multinomial(torch.ones(self.schedule.steps), batch_size, True).to(x0.device)"),
)
X = f"x = {NOISED}"
for name, finds, new in (
    ("last_step_is_first", "times_shared", f"t[-1] = t[0]\n        {X}"),
    ("neighbours_share_steps", "times_shared", f"t[1::8] = t[::8][: len(t[1::8])]\n        {X}"),
    ("first_step_is_zero", "place_differs", f"t[0] = 0\n        {X}"),
    ("noised_twice", "noised_twice", f"{X}\n        x = (x + {NOISED}) / 2"),
    ("noised_again", "noised_twice", f"{X}\n        {X}"),
):
    wrong(name, finds, edit=(X, new))
OFFSET = "torch.randn(batch_size, *[1] * (x0.dim() - 1), device=x0.device)"
SEEDED = "torch.randn(x0.shape, generator=torch.Generator().manual_seed(int({}))).to(x0)"
for name, finds, old, new in (
    ("time_squeezed", "time_shape", TIME, f"{TIME.replace('(batch_size,)', '(batch_size, 1)')}.squeeze()"),
    ("squeezed_for_the_model", "time_shape", "self.model(x, t)", "self.model(x, t.squeeze())"),
    ("offset_noise", "noise_depends", shared.NOISE, f"{shared.NOISE} + 0.1 * {OFFSET}"),
    ("noise_seeded_by_the_first_step", "seeded", shared.NOISE, SEEDED.format("t[0]")),
    ("noise_seeded_by_the_last_step", "seeded", shared.NOISE, SEEDED.format("t[-1]")),
    ("at_most_128_steps", "time_distribution", "torch.randint(self.schedule.steps",
     "torch.randint(min(self.schedule.steps, 128)"),
    ("remainder_of_a_byte", "time_distribution", TIME,
     "torch.randint(256, (batch_size,), device=x0.device) % self.schedule.steps"),
    ("weighted_by_the_data_left", ("wrong_loss", "not_the_mean"), shared.CE,
     f"({shared.EACH} * self.schedule.alpha_bars[t]).sum() / self.schedule.alpha_bars[t].sum()"),
    ("first_half_only", ("wrong_loss", "not_the_mean"), shared.CE, f"{shared.EACH}[: batch_size // 2 + 1].mean()"),
    ("label_zero_ignored", ("wrong_loss", "not_the_mean", "not_finite"), shared.CE,
     shared.CE.replace(", y)", ", y, ignore_index=0)")),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
SHIFTED_GRID = """torch.rand(1, device=x0.device) + torch.arange(batch_size, device=x0.device) / batch_size"""
wrong("time_low_discrepancy", "time_stratified", edit=(TIME, f"(({SHIFTED_GRID}) % 1 * self.schedule.steps).long()"))
