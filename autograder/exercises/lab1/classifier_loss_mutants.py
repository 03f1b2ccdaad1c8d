"""Exercise 1.5: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits import classifier_loss_mutants as shared
from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab1.classifier_loss")

TIME = "self.t_min + (1 - self.t_min) * torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)"
UNIT = "torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)"
NOISED = "self.add_noise(x0, t, torch.randn_like(x0))"
for name, finds, old, new in (
    *shared.WRONG,
    ("never_noised", "not_noised", NOISED, "x0"),
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
    ("t_min_as_a_floor", ("time_discrete", "time_distribution"), TIME, f"{UNIT}.clamp(min=self.t_min)"),
    ("t_min_of_the_lab", "t_min_ignored", "self.t_min + (1 - self.t_min)", "1e-3 + (1 - 1e-3)"),
    ("t_min_of_the_other_end", "t_min_ignored", TIME, f"(1 - self.t_min) * {UNIT}"),
    ("never_at_the_ends", "time_ends", TIME, f"({TIME}).clamp(0, 1 - 1e-3)"),
    ("away_from_the_ends", "time_ends", TIME, f"self.t_min + (1 - self.t_min) * (0.001 + 0.998 * {UNIT})"),
    (
        "time_normal",
        ("time_distribution", "time_out_of_range"),
        TIME,
        f"self.t_min + (1 - self.t_min) * ({UNIT}.logit() / 2).sigmoid()",
    ),
    (
        "time_cosine",
        ("time_distribution", "time_ends"),
        TIME,
        f"self.t_min + (1 - self.t_min) * torch.sin(math.pi / 2 * {UNIT}) ** 2",
    ),
    ("time_uneven", "time_distribution", TIME, f"self.t_min * (1 / self.t_min) ** {UNIT}"),
    (
        "time_in_100_steps",
        "time_discrete",
        TIME,
        f"self.t_min + (1 - self.t_min) * ({UNIT} * 100).floor() / 99",
    ),
    (
        "time_in_each_cell",
        "time_stratified",
        TIME,
        f"self.t_min + (1 - self.t_min) * (torch.arange(len(x0)).reshape(-1, 1, 1) + {UNIT}) / len(x0)",
    ),
    (
        "time_one_offset",
        "time_grid",
        TIME,
        f"self.t_min + (1 - self.t_min) * ((torch.arange(len(x0)).reshape(-1, 1, 1) / len(x0) + {UNIT}[:1]) % 1)",
    ),
    (
        "time_antithetic",
        "time_mirrored",
        TIME,
        f"self.t_min + (1 - self.t_min) * (lambda u: torch.cat([u, 1 - u])[: len(x0)])({UNIT}[: (len(x0) + 1) // 2])",
    ),
    (
        "time_from_the_noise",
        "draws_depend",
        [
            ("        t = ", "        z = torch.randn_like(x0)\n        t = "),
            (UNIT, "torch.special.ndtr(z.flatten(1)[:, 0]).reshape(-1, 1, 1)"),
            ("torch.randn_like(x0))", "z)"),
        ],
        None,
    ),
    (
        "time_from_the_size_of_the_noise",
        "draws_depend",
        [
            ("        t = ", "        z = torch.randn_like(x0)\n        t = "),
            (UNIT, "(2 * torch.special.ndtr(z.flatten(1)[:, 0].abs()) - 1).reshape(-1, 1, 1)"),
            ("torch.randn_like(x0))", "z)"),
        ],
        None,
    ),
    (
        "time_and_noise_with_one_seed",
        ("draws_depend", "noise_depends"),
        [
            ("        t = ", "        k = int(torch.randint(2**40, ()))\n        t = "),
            (UNIT, "torch.rand(batch_size, 1, 1, generator=torch.Generator().manual_seed(k), dtype=x0.dtype)"),
            (
                "torch.randn_like(x0))",
                "torch.randn(x0.shape, generator=torch.Generator().manual_seed(k), dtype=x0.dtype))",
            ),
        ],
        None,
    ),
    ("time_in_float64", "wrong_dtype", ", dtype=x0.dtype)", ", dtype=torch.float64)"),
    ("model_t_flat", "time_shape", "self.model(x, t)", "self.model(x, t.flatten())"),
    ("model_t_rounded", "time_differs", "self.model(x, t)", "self.model(x, (t * 100).round() / 100)"),
    ("time_reversed", "time_reversed", "self.model(x, t)", "self.model(x, 1 - t)"),
    ("time_resampled", "time_differs", "self.model(x, t)", "self.model(x, torch.rand_like(t))"),
    ("noise_per_sample", ("noise_shape", "noise_size"), "torch.randn_like(x0)", "torch.randn_like(t)"),
    ("on_the_cpu", "hard_coded_device", "self.model(x, t), y)", "self.model(x, t) * torch.ones(len(y), 1), y)"),
):
    wrong(name, finds, edit=old if new is None else (old, new))
for name, edit in shared.RIGHT:
    if name != "noise_in_float32":  # this exercise asks for the dtype of x0
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
right(
    "numpy_times",
    source=loss("""
x0, y = self.data.sample(batch_size)
u = np.random.default_rng().uniform(self.t_min, 1.0, size=(batch_size, 1, 1))
t = torch.from_numpy(u).to(x0)
return nn.functional.cross_entropy(self.model(self.add_noise(x0, t, torch.randn_like(x0)), t), y)
"""),
)
right(
    "generators_of_its_own",
    source="""
class ClassifierTrainer(Trainer):
    def __init__(self, model, data, add_noise, t_min):
        super().__init__(model)
        self.data, self.add_noise, self.t_min = data, add_noise, t_min
        self.times, self.noises = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)

    def get_train_loss(self, batch_size):
        x0, y = self.data.sample(batch_size)
        t = 1 - (1 - self.t_min) * torch.rand(batch_size, 1, 1, generator=self.times).to(x0)
        x = self.add_noise(x0, t, torch.randn(x0.shape, generator=self.noises).to(x0))
        return nn.functional.cross_entropy(self.model(x, t), y)
""",
)
right(
    "helpers_and_types",
    source="""
class Base(Trainer):
    def noised(self, x0):
        low = torch.as_tensor(self.t_min, dtype=torch.float32)
        t = torch.distributions.Uniform(low, 1.0).sample((len(x0), 1, 1)).to(x0)
        return self.add_noise(x0, t, torch.empty_like(x0).normal_()), t

class ClassifierTrainer(Base):
    def __init__(self, model, data, add_noise, t_min):
        super().__init__(model)
        vars(self).update(data=data, add_noise=add_noise, t_min=torch.tensor(t_min))

    def get_train_loss(self, batch_size: int):
        x0, y = self.data.sample(batch_size)
        return nn.CrossEntropyLoss(reduction="mean")(self.model(*self.noised(x0)), y.long())
""",
)
right(
    "sample_by_sample",
    source=loss("""
x0, y = self.data.sample(batch_size)
total = x0.new_zeros(())
for i in range(0, batch_size, 2000 if batch_size > 200 else 1):
    z, k = x0[i : i + (2000 if batch_size > 200 else 1)], y[i : i + (2000 if batch_size > 200 else 1)]
    t = torch.rand_like(z[:, :1, :1]) * (1 - self.t_min) + self.t_min
    total = total + nn.functional.cross_entropy(self.model(self.add_noise(z, t, torch.randn_like(z)), t), k) * len(k)
return total / batch_size
"""),
)


def weighted_by(weights: str) -> tuple[str, str]:
    """Return the edit that weights the losses of the samples."""
    return f"return {shared.CE}", f"w = {weights}\n        return (w * {shared.EACH}).sum() / w.sum()"


X = f"x = {NOISED}"
for name, finds, old, new in (
    ("times_in_another_dtype", "wrong_dtype", TIME, TIME.replace(", dtype=x0.dtype", "")),
    (
        "noise_in_another_dtype",
        "wrong_dtype",
        NOISED,
        NOISED.replace("randn_like(x0)", "randn(x0.shape).to(x0.device)"),
    ),
    ("small_t_min_ignored", "time_ends", TIME, TIME.replace("self.t_min", "max(self.t_min, 1e-3)")),
    (
        "time_nearly_uniform",
        "time_ends",
        TIME,
        "self.t_min + (1 - self.t_min) * (1.7 * torch.randn(batch_size, 1, 1).to(x0)).sigmoid()",
    ),
    (
        "noised_twice",
        "noised_twice",
        "self.model(x, t), y)",
        f"(self.model(x, t) + self.model({NOISED}, t)) / 2, y)",
    ),
    (
        "odd_batches_reversed",
        "labels_shifted",
        "self.model(x, t), y)",
        "self.model(x, t), y.flip(0) if len(y) % 2 else y)",
    ),
    ("time_weighted_mean", ("wrong_loss", "not_the_mean"), *weighted_by("(1 - t).flatten()")),
    ("last_time_is_first", "times_shared", X, f"t[-1] = t[0]\n        {X}"),
    ("first_time_is_late", "place_differs", X, f"t[0] = 1\n        {X}"),
):
    wrong(name, finds, edit=(old, new))
