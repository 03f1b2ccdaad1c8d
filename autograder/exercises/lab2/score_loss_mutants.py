"""Exercise 2.3: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits import score_loss_answers
from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import editable, with_body

right, wrong = mutants_of("lab2.score_loss")

HEAD = """
class ScoreTrainer(Trainer):
    def __init__(self, schedule, model, data):
        super().__init__(model)
        self.schedule, self.data = schedule, data

    def get_train_loss(self, batch_size):
"""

PLAIN = """
x0, _ = self.data.sample(batch_size)
t = torch.rand(batch_size, 1, device=x0.device, dtype=x0.dtype)
noise = torch.randn_like(x0)
x = self.schedule.add_noise(x0, t, noise)
sigma = self.schedule.sigma(t)
offsets = (x - x0)[..., None] + torch.tensor(IMAGES, device=x.device, dtype=x.dtype)
weights = torch.softmax(-(offsets**2) / (2 * sigma[..., None] ** 2), dim=-1)
target = -(weights * offsets).sum(dim=-1) / sigma
error = self.model(x, t) - target
return (error**2).mean()
"""

plain = editable(HEAD, PLAIN)

MEAN = "return (error**2).mean()"
TIME = "t = torch.rand(batch_size, 1, device=x0.device, dtype=x0.dtype)"
RANDN = "noise = torch.randn_like(x0)"
COPIES = "torch.tensor(IMAGES, device=x.device, dtype=x.dtype)"
TARGET = "target = -(weights * offsets).sum(dim=-1) / sigma"
MODEL = "self.model(x, t)"

wrong("not_wrapped", finds="not_wrapped", source=plain((COPIES, "torch.zeros(1, device=x.device, dtype=x.dtype)")))
wrong("gaussian_on_a_line", finds="not_wrapped", source=plain((TARGET, "target = -(x - x0) / sigma")))
wrong(
    "nearest_image", finds="nearest_image_only", source=plain((TARGET, "u = x - x0\ntarget = -(u - u.round()) / sigma"))
)
wrong("three_images", finds="few_images", source=plain(("tensor(IMAGES", "tensor([-1, 0, 1]")))
wrong("images_equal", finds="not_wrapped", source=plain((TARGET, "target = -offsets.mean(dim=-1) / sigma")))
wrong("sign", finds="target_sign", source=plain((TARGET, TARGET.replace("-(", "("))))
wrong("plus_target", finds="target_sign", source=plain((f"{MODEL} - target", f"{MODEL} + target")))
wrong(
    "data_width",
    finds="data_width_added",
    source=plain(
        ("(2 * sigma[..., None] ** 2)", "(2 * (sigma[..., None] ** 2 + 1e-4))"),
        ("(dim=-1) / sigma\nerror", "(dim=-1) * sigma / (sigma**2 + 1e-4)\nerror"),
    ),
)
wrong("sigma_missing", finds="sigma_missing", source=plain(("/ sigma\nerror", "/ sigma**2\nerror")))
wrong("sigma_squared", finds="sigma_squared", source=plain(("(dim=-1) / sigma\nerror", "(dim=-1)\nerror")))
wrong("weighted_again", finds="weighted_twice", source=plain((MEAN, "return (sigma**2 * error**2).mean()")))
wrong("output_times_sigma", finds="weighted_twice", source=plain((MODEL, f"sigma * {MODEL}")))
wrong("weighted_by_time", finds="weighted_by_time", source=plain((MEAN, "return (t * error**2).mean()")))
wrong("noise_as_target", finds="target_is_noise", source=plain((TARGET, "target = -noise")))
wrong("noise_prediction", finds="target_is_noise", source=plain((TARGET, "target = noise")))
wrong("denoiser", finds="target_is_x0", source=plain((TARGET, "target = x0")))
wrong(
    "variance_is_sigma",
    finds="variance_for_width",
    source=plain(("(2 * sigma[..., None] ** 2)", "(2 * sigma[..., None])"), ("/ sigma\nerror", "\nerror")),
)
wrong("half_missing", finds="half_missing", source=plain(("(2 * sigma[..., None] ** 2)", "sigma[..., None] ** 2")))
wrong("sum_atoms", finds="summed_atoms", source=plain((MEAN, "return (error**2).sum(dim=1).mean()")))
wrong("sum_batch", finds="summed_batch", source=plain((MEAN, "return (error**2).sum(dim=0).mean()")))
wrong("sum_all", finds="summed_all", source=plain((MEAN, "return (error**2).sum()")))
wrong("no_reduction", finds="no_reduction", source=plain((MEAN, "return error**2")))
wrong("absolute", finds="absolute_error", source=plain((MEAN, "return error.abs().mean()")))
wrong("norm", finds="root_of_error", source=plain((MEAN, "return error.norm(dim=1).mean()")))
wrong("root", finds="root_of_error", source=plain((MEAN, "return (error**2).mean().sqrt()")))
wrong("square_of_mean", finds="sum_before_square", source=plain((MEAN, "return error.mean() ** 2")))
wrong("half", finds="half", source=plain((MEAN, "return (error**2).mean() / 2")))
wrong("model_sees_x0", finds="model_sees_x0", source=plain((MODEL, "self.model(x0, t)")))
wrong("model_sees_sigma", finds="model_sees_sigma", source=plain((MODEL, "self.model(x, sigma)")))
wrong("model_time_reversed", finds="time_reversed", source=plain((MODEL, "self.model(x, 1 - t)")))
wrong("model_other_time", finds="time_differs", source=plain((MODEL, "self.model(x, torch.rand_like(t))")))
wrong("model_flat_time", finds=("model_time_shape", "raised"), source=plain((MODEL, "self.model(x, t[:1])")))
wrong(
    "noise_resampled",
    finds="model_sees_other_x",
    source=plain((MODEL, "self.model((x0 + sigma * torch.randn_like(x0)) % 1, t)")),
)
wrong(
    "noised_twice",
    finds="noise_resampled",
    source=plain((MODEL, "self.model(self.schedule.add_noise(x0, t, torch.randn_like(x0)), t)")),
)
wrong(
    "own_schedule",
    finds="schedule_not_used",
    source=plain(("self.schedule.add_noise(x0, t, noise)", "(x0 + self.schedule.sigma(t) * noise) % 1")),
)
wrong("time_randn", finds="time_out_of_range", source=plain((TIME, TIME.replace("rand(", "randn("))))
wrong(
    "time_shared",
    finds="time_shared",
    source=plain((TIME, "t = torch.rand(1, 1, device=x0.device, dtype=x0.dtype).expand(batch_size, 1)")),
)
wrong(
    "time_grid",
    finds="time_grid",
    source=plain((TIME, "t = torch.linspace(0, 1, batch_size, device=x0.device, dtype=x0.dtype)[:, None]")),
)
wrong(
    "time_of_fifty",
    finds=("time_discrete", "time_shared"),
    source=plain(
        (
            TIME,
            "t = torch.linspace(1e-5, 1, 50, dtype=x0.dtype, device=x0.device)["
            "torch.randint(0, 50, (batch_size, 1), device=x0.device)]",
        )
    ),
)
wrong("time_squared", finds="time_distribution", source=plain((TIME, TIME + " ** 2")))
wrong("times_cut_off", finds="time_ends", source=plain((TIME, TIME + ".clamp(max=0.98)")))
wrong("times_start_late", finds="time_ends", source=plain((TIME, TIME.replace("t = ", "t = 0.02 + 0.98 * "))))
wrong(
    "time_flat",
    finds="time_shape",
    source=plain((TIME, TIME.replace("batch_size, 1", "batch_size"))),
)
wrong("time_per_atom", finds="time_shape", source=plain((TIME, "t = torch.rand_like(x0)")))
wrong("noise_uniform", finds="noise_mean", source=plain((RANDN, "noise = torch.rand_like(x0)")))
wrong("noise_half", finds="noise_size", source=plain((RANDN, "noise = 0.5 * torch.randn_like(x0)")))
wrong("noise_per_batch", finds="noise_shared", source=plain((RANDN, "noise = torch.randn_like(x0[:1]).expand_as(x0)")))
wrong(
    "noise_per_sample", finds="noise_shared", source=plain((RANDN, "noise = torch.randn_like(x0[:, :1]).expand_as(x0)"))
)
wrong(
    "noise_from_time",
    finds=("noise_tied_to_time", "noise_shared"),
    source=plain((RANDN, "noise = torch.cat([math.sqrt(2) * torch.erfinv(2 * t - 1), torch.randn_like(t)], dim=1)")),
)
wrong("seed_inside", finds="seed_left", source=plain(("x0, _ = ", "torch.manual_seed(0)\nx0, _ = ")))
wrong(
    "no_data",
    finds="data_not_sampled",
    source=plain(("x0, _ = self.data.sample(batch_size)", "x0 = torch.rand(batch_size, 2)")),
)
wrong("states_in_place", finds="states_altered", source=plain((MEAN, "x0.mul_(0.9)\n" + MEAN)))
wrong("detached", finds="detached", source=plain((MODEL, f"{MODEL}.detach()")))
wrong(
    "model_sees_flat_time", finds="model_time_shape", source=plain(("self.model(x, t)", "self.model(x, t.flatten())"))
)
wrong("keeps_an_axis", finds="no_reduction", source=plain((MEAN, "return (error**2).mean().reshape(1)")))
wrong("returns_float", finds=("detached", "not_a_tensor"), source=plain((MEAN, "return (error**2).mean().item()")))
wrong("half_detached", finds="wrong_gradient", source=plain((MEAN, "return (error * error.detach()).mean()")))
wrong("nan", finds="not_finite", source=plain((MEAN, "return (error**2).mean() * float('nan')")))
wrong("returns_none", finds="returned_none", source=plain((MEAN, "loss = (error**2).mean()")))
wrong(
    "on_the_cpu",
    finds="hard_coded_device",
    source=plain((TIME, TIME.replace("x0.device", "'cpu'")), (MODEL, "self.model(x, t) + 0 * t")),
)
wrong("blank", finds="not_implemented", source=with_body(HEAD, "raise NotImplementedError()"))
wrong("no_class", finds="missing_name", source="pass\n")
wrong("norm_of_batch", finds="wrong_loss", source=plain((MEAN, "return error.norm() / batch_size")))
wrong(
    "gaussian_at_x0", finds=("argument_reversed", "wrong_loss"), source=plain(("(x - x0)[..., None]", "x[..., None]"))
)

# --- draws that depend on each other

HALF = "{0} = torch.cat([{0}[: batch_size // 2 + batch_size % 2], {1}{0}[: batch_size // 2]])"
wrong("antithetic_noise", finds="noise_mirrored", source=plain((RANDN, RANDN + "\n" + HALF.format("noise", "-"))))
wrong("antithetic_times", finds="time_mirrored", source=plain((TIME, TIME + "\n" + HALF.format("t", "1 - "))))
wrong(
    "stratified_times",
    finds="time_stratified",
    source=plain((TIME, TIME + "\nt = (torch.arange(batch_size, device=t.device)[:, None] + t) / batch_size")),
)
wrong(
    "shuffled_strata",
    finds="time_stratified",
    source=plain((TIME, TIME + "\nt = (torch.randperm(batch_size, device=t.device)[:, None] + t) / batch_size")),
)
wrong("times_sorted", finds="samples_tied", source=plain((TIME, TIME + ".sort(dim=0).values")))
wrong(
    "time_from_noise",
    finds="noise_tied_to_time",
    source=plain((TIME + "\n", ""), (RANDN, RANDN + "\nt = torch.special.ndtr(noise[:, 1:])")),
)
wrong(
    "one_seed_for_both",
    finds="noise_tied_to_time",
    source=plain(
        (TIME, "seed = int(torch.randint(2**31, ()))\ng = torch.Generator().manual_seed(seed)\n"
         "t = torch.rand(batch_size, 1, generator=g).to(x0)"),
        (RANDN, "noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed)).to(x0)"),
    ),
)  # fmt: skip
KEEP = "if getattr(self, '{0}', None) is None or len(self.{0}) != batch_size:\n    self.{0} = {1}\n{0} = self.{0}"
wrong("time_kept", finds="seeded", source=plain((TIME, KEEP.format("t", TIME.removeprefix("t = ")))))
wrong("noise_kept", finds="seeded", source=plain((RANDN, KEEP.format("noise", "torch.randn_like(x0)"))))
wrong(
    "batch_kept",
    finds=("batch_kept", "data_not_sampled"),
    source=plain(("x0, _ = self.data.sample(batch_size)", KEEP.format("x0", "self.data.sample(batch_size)[0]"))),
)
wrong(
    "buffer_of_states",
    finds="batch_kept",
    source=plain(
        (
            "x0, _ = self.data.sample(batch_size)",
            "before, self.x0 = getattr(self, 'x0', None), self.data.sample(batch_size)[0]\n"
            "x0 = self.x0 if before is None or len(before) != batch_size else before",
        )
    ),
)
GENERATOR = "generator=self.g, device=x0.device, dtype=x0.dtype"
OWN_TIME, OWN_NOISE = f"t = torch.rand(batch_size, 1, {GENERATOR})", f"noise = torch.randn(x0.shape, {GENERATOR})"
wrong(
    "stream_starts_again",
    finds="seeded",
    source=plain((TIME, f"self.g = torch.Generator().manual_seed(0)\n{OWN_TIME}"), (RANDN, OWN_NOISE)),
)
wrong(
    "seed_is_the_batch_size",
    finds="seeded",
    source=plain((TIME, f"self.g = torch.Generator().manual_seed(batch_size)\n{OWN_TIME}"), (RANDN, OWN_NOISE)),
)
wrong(
    "forked_seed",
    finds="seeded",
    source=plain((RANDN, "with torch.random.fork_rng():\n    torch.manual_seed(1)\n    " + RANDN)),
)
wrong("half_of_the_states", finds="states_repeated", source=plain(
    ("sample(batch_size)", "sample(batch_size)\nx0 = x0[torch.arange(batch_size) // 2]")))  # fmt: skip
wrong("times_cut_by_a_thousandth", finds="time_ends", source=plain((TIME, TIME + ".clamp(min=2e-3)")))

# --- what is left behind

SETUP = "self.schedule, self.data = schedule, data\n"
FIRST = "x0, _ = self.data"
wrong("seed_in_init", finds="seed_left", source=plain().replace(SETUP, SETUP + "        torch.manual_seed(0)\n"))
wrong("numpy_seed", finds="seed_left", source=plain(
    (FIRST, "np.random.seed(0)\n" + FIRST), (RANDN, "noise = torch.from_numpy(np.random.randn(*x0.shape)).to(x0)")
))  # fmt: skip
wrong("eval_mode", finds="mode_left", source=plain((FIRST, "self.model.eval()\n" + FIRST)))
wrong("zero_grad", finds="gradient_cleared", source=plain((FIRST, "self.model.zero_grad()\n" + FIRST)))
wrong("backward", finds="gradient_left", source=plain(
    (MEAN, "loss = (error**2).mean()\nloss.backward(retain_graph=True)\nreturn loss")))  # fmt: skip
wrong("step_inside", finds="parameter_changed", source=plain(
    (FIRST, "with torch.no_grad():\n    [p.mul_(0.9) for p in self.model.parameters()]\n" + FIRST)))  # fmt: skip
wrong("frozen", finds="requires_grad_left", source=plain((MEAN, "self.model.requires_grad_(False)\n" + MEAN)))
wrong("default_dtype", finds="setting_left", source=plain((FIRST, "torch.set_default_dtype(torch.float64)\n" + FIRST)))
wrong("gradients_off_and_on", finds="setting_left", source=plain(
    ("offsets = (x", "torch.set_grad_enabled(False)\noffsets = (x"),
    ("error = self", "torch.set_grad_enabled(True)\nerror = self")))  # fmt: skip

# --- other wrong formulas

wrong(
    "sigma_floor",
    finds="wrong_loss",
    source=plain(("self.schedule.sigma(t)", "self.schedule.sigma(t).clamp(min=0.01)")),
)
wrong("target_clipped", finds="wrong_loss", source=plain((TARGET, TARGET + "\ntarget = target.clamp(-1, 1)")))
wrong("error_clipped", finds="wrong_loss", source=plain((MEAN, "return (error**2).clamp(max=1).mean()")))
wrong("huber", finds="wrong_loss", source=plain((MEAN, "return torch.nn.functional.smooth_l1_loss(error, 0 * error)")))
wrong(
    "nearest_image_by_index",
    finds="nearest_image_only",
    source=plain((TARGET, "target = -offsets.gather(-1, weights.argmax(-1, keepdim=True))[..., 0] / sigma")),
)
wrong("softmax_over_atoms", finds="wrong_loss", source=plain(("** 2), dim=-1)", "** 2), dim=1)")))
wrong("softmax_over_batch", finds="wrong_loss", source=plain(("** 2), dim=-1)", "** 2), dim=0)")))
wrong("epsilon", finds="wrong_loss", source=plain(("/ sigma\nerror", "/ (sigma + 1e-3)\nerror")))

right(
    "mse_loss",
    source=plain(
        (MEAN, "return torch.nn.functional.mse_loss(self.model(x, t), target)"),
        ("error = self.model(x, t) - target\n", ""),
    ),
)
right("looks_at_the_scores", source=plain(("error = ", "print(self.model(x, t).std().item())\nerror = ")))
right(
    "by_autograd",
    source=plain(
        (
            TARGET,
            "u = (x - x0).detach().requires_grad_()\n"
            "copies = torch.arange(-5, 6, device=x.device, dtype=x.dtype)\n"
            "log_k = torch.logsumexp(-((u[..., None] + copies) ** 2) / (2 * sigma[..., None] ** 2), dim=-1)\n"
            "target = sigma * torch.autograd.grad(log_k.sum(), u)[0]",
        )
    ),
)
right(
    "shortest_first",
    source=plain(("offsets = (x - x0)[..., None]", "u = x - x0\noffsets = (u - u.round())[..., None]")),
)
right("float32_time", source=plain((TIME, "t = torch.rand(batch_size, 1, device=x0.device)")))
right(
    "weighted_score",
    source=plain(
        ("/ sigma\nerror", "/ sigma**2\nerror"),
        (f"error = {MODEL} - target", f"error = {MODEL} / sigma - target"),
        (MEAN, "return (sigma**2 * error**2).mean()"),
    ),
)
right(
    "keyword_arguments",
    source=plain(("add_noise(x0, t, noise)", "add_noise(noise=noise, x0=x0, t=t)"), (MODEL, "self.model(t=t, x=x)")),
)
right("sum_over_count", source=plain((MEAN, "return (error**2).sum() / error.numel()")))
right(
    "a_few_at_a_time",
    source=with_body(
        HEAD,
        """
x0, _ = self.data.sample(batch_size)
copies = torch.arange(-6, 7, device=x0.device, dtype=x0.dtype)
total = 0.0
for row in x0.split(32):  # a few at a time
    t = torch.rand(len(row), 1, device=x0.device, dtype=x0.dtype)
    x = self.schedule.add_noise(row, t, torch.randn_like(row))
    sigma = self.schedule.sigma(t)
    u = (x - row)[..., None] + copies
    share = torch.softmax(-u**2 / (2 * sigma[..., None] ** 2), dim=-1)
    total = total + (self.model(x, t) + (share * u).sum(-1) / sigma).square().sum()
return total / (2 * batch_size)
""",
    ),
)

MSE = "torch.nn.functional.mse_loss"
right("float32_loss", source=plain((MEAN, f"return {MSE}({MODEL}.float(), target.float())")))
right("float32_states", source=plain(("sample(batch_size)\n", "sample(batch_size)\nx0 = x0.float()\n")))
right("float32_into_the_model", source=plain((MODEL, "self.model(x.float(), t.float())")))
right(
    "generator_of_its_own",
    source=plain((TIME, OWN_TIME), (RANDN, OWN_NOISE)).replace(
        SETUP, SETUP + "        self.g = torch.Generator().manual_seed(0)\n"
    ),
)
right(
    "generator_in_each_call",
    source=plain((TIME, f"self.g = torch.Generator()\nself.g.seed()\n{OWN_TIME}"), (RANDN, OWN_NOISE)),
)
right(
    "seed_counts_the_calls",
    source=plain(
        (
            TIME,
            "self.calls = getattr(self, 'calls', 0) + 1\nself.g = torch.Generator().manual_seed(self.calls)\n"
            + OWN_TIME,
        ),
        (RANDN, OWN_NOISE),
    ),
)
right(
    "numpy_generator",
    source=plain((RANDN, "noise = torch.from_numpy(np.random.default_rng().standard_normal(tuple(x0.shape))).to(x0)")),
)
right(
    "distributions",
    source=plain(
        (TIME, "t = torch.distributions.Uniform(0, 1).sample((batch_size, 1)).to(x0)"),
        (RANDN, "noise = torch.distributions.Normal(0, 1).sample(x0.shape).to(x0)"),
    ),
)
ORDER = "order = torch.randperm(batch_size)\nx0, t, x = x0[order], t[order], x[order]\nsigma = self"
right("all_in_another_order", source=plain(("sigma = self", ORDER)))
right("in_place", source=plain(
    ("t = torch.rand(batch_size, 1, device=x0.device, dtype=x0.dtype)", "t = x0.new_empty(batch_size, 1).uniform_()"),
    (RANDN, "noise = torch.empty_like(x0).normal_()")))  # fmt: skip
right(
    "functional_gradient",
    source=plain(
        (
            TARGET,
            "def log_k(u, sigma):\n"
            "    return (-(u[:, None] + torch.tensor(IMAGES).to(u)) ** 2 / (2 * sigma**2)).logsumexp(-1).sum()\n"
            "target = sigma * torch.func.vmap(torch.func.grad(log_k))(x - x0, sigma)",
        )
    ),
)
right("mode_restored", source=plain(
    (FIRST, "modes = [(part, part.training) for part in self.model.modules()]\nself.model.eval()\n" + FIRST),
    (MEAN, "for part, mode in modes:\n    part.training = mode\n" + MEAN)))  # fmt: skip
wrong("mode_set_to_training", finds="mode_left", source=plain(
    (FIRST, "self.model.eval()\n" + FIRST), (MEAN, "self.model.train()\n" + MEAN)))  # fmt: skip
for name, finds, edit in score_loss_answers.WRONG:
    wrong(name, finds=finds, source=plain(edit))
for name, edit in score_loss_answers.RIGHT:
    right(name, source=plain(edit))
