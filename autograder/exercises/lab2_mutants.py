"""Lab 2: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import right, wrong

# --- 2.1 the analytic score

SCORE = "lab2.analytic_score"
RETURN = "return (shares[..., None] * pulls).sum(dim=1)"
VARIANCE = "variance = sigma**2 + sigma_d**2"
IMAGES = "images = torch.tensor(IMAGES, device=x.device, dtype=x.dtype)"
OFFSETS = "offsets = (x[:, None] - orders)[..., None] + images"
SHARES = "shares = log_wrapped.sum(dim=-1).softmax(dim=1)"
EXPONENTS = "exponents = -(offsets**2) / (2 * variance[..., None, None])"

wrong(SCORE, "sign", "wrong_sign", edit=(RETURN, RETURN.replace("return ", "return -")))
wrong(SCORE, "sigma_alone", "data_width_missing", edit=(VARIANCE, "variance = sigma**2"))
wrong(SCORE, "rounded", "wrong_dtype", edit=(RETURN, "return (shares[..., None] * pulls).sum(dim=1).float()"))
wrong(SCORE, "sigma_d_alone", "noise_width_missing", edit=(VARIANCE, "variance = sigma_d**2 + 0 * sigma"))
wrong(SCORE, "widths_added", "widths_added", edit=(VARIANCE, "variance = (sigma + sigma_d) ** 2"))
wrong(
    SCORE,
    "shares_of_one_atom",
    "wrong_score",
    edit=("log_wrapped.sum(dim=-1).softmax(dim=1)", "log_wrapped[..., 0].softmax(dim=1)"),
)
wrong(SCORE, "no_images", "not_wrapped", edit=(IMAGES, "images = torch.zeros(1, device=x.device, dtype=x.dtype)"))
wrong(SCORE, "nearest_image", "nearest_image_only", edit=[
    (IMAGES, "images = torch.zeros(1, device=x.device, dtype=x.dtype)"),
    (OFFSETS, "gaps = x[:, None] - orders\n    offsets = (gaps - gaps.round())[..., None] + images")])  # fmt: skip
wrong(SCORE, "three_images", "few_images", edit=(IMAGES, IMAGES.replace("IMAGES", "[-1, 0, 1]")))
wrong(SCORE, "one_order", "one_order_only", edit=(RETURN, "return pulls[:, 0]"))
wrong(SCORE, "orders_half_half", "orders_averaged", edit=(RETURN, "return pulls.mean(dim=1)"))
wrong(SCORE, "orders_summed", "orders_averaged", edit=(RETURN, "return pulls.sum(dim=1)"))
wrong(
    SCORE, "nearest_order", "nearest_order", edit=(RETURN, "return pulls[torch.arange(len(x)), shares.argmax(dim=1)]")
)
wrong(SCORE, "atoms_alone", "atoms_independent", edit=[
    (SHARES, "shares = log_wrapped.softmax(dim=1)"), (RETURN, "return (shares * pulls).sum(dim=1)")])  # fmt: skip
wrong(SCORE, "softmax_over_batch", "rows_mixed", edit=(SHARES, SHARES.replace("dim=1", "dim=0")))
wrong(SCORE, "times_sigma", "normalised_score", edit=(RETURN, RETURN.replace("return ", "return sigma * ")))
wrong(SCORE, "times_width", "normalised_score", edit=(RETURN, RETURN.replace("return ", "return variance.sqrt() * ")))
wrong(SCORE, "not_divided", "not_divided", edit=(RETURN, RETURN.replace("return ", "return variance * ")))
wrong(
    SCORE,
    "half_missing",
    "half_missing",
    edit=(EXPONENTS, EXPONENTS.replace("(2 * variance[..., None, None])", "variance[..., None, None]")),
)
wrong(
    SCORE,
    "first_sigma",
    "one_sigma_for_all",
    edit=(VARIANCE, "variance = (sigma**2 + sigma_d**2)[:1].expand(len(x), 1)"),
)
wrong(SCORE, "exp_and_sum", ("not_finite", "score_vanishes"), edit=(SHARES,
    "shares = log_wrapped.sum(dim=-1).exp()\n    shares = shares / shares.sum(dim=1, keepdim=True)"))  # fmt: skip
wrong(SCORE, "exp_with_epsilon", "score_vanishes", edit=(SHARES,
    "shares = log_wrapped.sum(dim=-1).exp()\n    shares = shares / (shares.sum(dim=1, keepdim=True) + 1e-12)"))  # fmt: skip
wrong(SCORE, "wraps_x_in_place", "input_altered", edit=(VARIANCE, "x -= 0.001\n    " + VARIANCE))
wrong(
    SCORE,
    "on_the_cpu",
    "hard_coded_device",
    edit=(IMAGES, "images = torch.tensor(IMAGES, device='cpu', dtype=x.dtype)"),
)
wrong(SCORE, "shape", "wrong_shape", edit=(RETURN, RETURN + "[:, 0]"))
wrong(SCORE, "returns_none", "returned_none", edit=(RETURN, RETURN.replace("return ", "score = ")))
wrong(
    SCORE,
    "blank",
    "not_implemented",
    source="def analytic_score(x, sigma, sigma_d):\n    raise NotImplementedError()\n",
)
wrong(SCORE, "deleted", "missing_name", source="pass\n")
wrong(SCORE, "density_gradient", "density_gradient", edit=(RETURN,
    "weights = log_wrapped.sum(dim=-1).exp() / (4 * math.pi * variance)\n"
    "    return (weights[..., None] * pulls).sum(dim=1)"))  # fmt: skip

right(
    SCORE,
    "autograd",
    source="""
def analytic_score(x, sigma, sigma_d):
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        images = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
        width = (sigma**2 + sigma_d**2).sqrt()[..., None]
        logs = []
        for places in (CENTRES, CENTRES[::-1]):
            gaps = x - torch.tensor(places, device=x.device, dtype=x.dtype)
            logs.append((-((gaps[..., None] + images) / width) ** 2 / 2).logsumexp(-1).sum(-1))
        return torch.autograd.grad(torch.logsumexp(torch.stack(logs), 0).sum(), x)[0]
""",
)
right(
    SCORE,
    "distributions",
    source="""
def analytic_score(x, sigma, sigma_d):
    s2 = sigma**2 + sigma_d**2
    k = torch.arange(-6, 7, device=x.device, dtype=x.dtype)
    a, b = CENTRES
    total, log_p = [], []
    for first, second in ((a, b), (b, a)):
        log, pull = [], []
        for j, place in enumerate((first, second)):
            u = x[:, j : j + 1] - place + k
            e = -u**2 / (2 * s2)
            log.append(torch.logsumexp(e, dim=1))
            pull.append(-(torch.softmax(e, dim=1) * u).sum(dim=1) / s2[:, 0])
        log_p.append(log[0] + log[1])
        total.append(torch.stack(pull, dim=1))
    r = torch.sigmoid(log_p[0] - log_p[1])[:, None]
    return r * total[0] + (1 - r) * total[1]
""",
)
right(SCORE, "einsum", edit=(RETURN, "return torch.einsum('bo,boa->ba', shares, pulls)"))
right(SCORE, "shortest_offset_first", edit=(OFFSETS,
    "gaps = x[:, None] - orders\n    offsets = (gaps - gaps.round())[..., None] + images"))  # fmt: skip
right(SCORE, "max_subtracted_by_hand", edit=(SHARES,
    "joint = log_wrapped.sum(dim=-1)\n    shares = (joint - joint.amax(dim=1, keepdim=True)).exp()\n"
    "    shares = shares / shares.sum(dim=1, keepdim=True)"))  # fmt: skip
right(
    SCORE,
    "row_by_row",
    source="""
def analytic_score(x, sigma, sigma_d):
    rows = []
    for place, width in zip(x, sigma):
        v = width**2 + sigma_d**2
        pairs = torch.cartesian_prod(torch.arange(-5, 6), torch.arange(-5, 6)).to(x)
        copies = torch.cat([pairs + torch.tensor(c, dtype=x.dtype, device=x.device) for c in (CENTRES, CENTRES[::-1])])
        gaps = place - copies
        share = torch.softmax(-gaps.square().sum(1) / (2 * v), dim=0)
        rows.append(-(share[:, None] * gaps).sum(0) / v)
    return torch.stack(rows)
""",
)

# --- 2.2 noise on a ring

NOISE = "lab2.add_noise"
SIGMA = "return self.sigma_min * (self.sigma_max / self.sigma_min) ** t"
ADD = "return (x0 + self.sigma(t) * noise) % 1.0"

wrong(NOISE, "linear", "linear", edit=(SIGMA, "return self.sigma_min + (self.sigma_max - self.sigma_min) * t"))
wrong(
    NOISE, "reversed", "time_reversed", edit=(SIGMA, "return self.sigma_max * (self.sigma_min / self.sigma_max) ** t")
)
wrong(
    NOISE,
    "linear_variance",
    "variance_linear",
    edit=(SIGMA, "return (self.sigma_min**2 + (self.sigma_max**2 - self.sigma_min**2) * t) ** 0.5"),
)
wrong(
    NOISE,
    "variance",
    "variance_instead",
    edit=(SIGMA, "return (self.sigma_min * (self.sigma_max / self.sigma_min) ** t) ** 2"),
)
wrong(
    NOISE,
    "root",
    "root_instead",
    edit=(SIGMA, "return (self.sigma_min * (self.sigma_max / self.sigma_min) ** t) ** 0.5"),
)
wrong(NOISE, "constants", "constants_instead", edit=(SIGMA, "return 0.001 * (0.2 / 0.001) ** t"))
wrong(NOISE, "no_start", "start_missing", edit=(SIGMA, "return (self.sigma_max / self.sigma_min) ** t"))
wrong(
    NOISE,
    "log",
    "log_of_sigma",
    edit=(SIGMA, "return math.log(self.sigma_min) + math.log(self.sigma_max / self.sigma_min) * t"),
)
wrong(NOISE, "no_ratio", "factor_not_divided", edit=(SIGMA, "return self.sigma_min * self.sigma_max**t"))
wrong(NOISE, "flat", "wrong_shape", edit=(SIGMA, SIGMA.replace("** t", "** t.flatten()")))
wrong(NOISE, "not_wrapped", "not_wrapped", edit=(ADD, "return x0 + self.sigma(t) * noise"))
wrong(
    NOISE,
    "wrapped_once",
    "not_wrapped",
    edit=(
        ADD,
        "x = x0 + self.sigma(t) * noise\n        return torch.where(x < 0, x + 1, torch.where(x >= 1, x - 1, x))",
    ),
)
wrong(NOISE, "remainder_with_sign", "not_wrapped", edit=(ADD, "return torch.fmod(x0 + self.sigma(t) * noise, 1.0)"))
wrong(NOISE, "centred_cell", "not_wrapped", edit=(ADD, "x = x0 + self.sigma(t) * noise\n        return x - x.round()"))
wrong(NOISE, "clamped", "walls", edit=(ADD, "return (x0 + self.sigma(t) * noise).clamp(0, 1)"))
wrong(NOISE, "absolute", "walls", edit=(ADD, "return (1 - (1 - (x0 + self.sigma(t) * noise).abs()).abs())"))
wrong(NOISE, "minus", "wrong_sign", edit=(ADD, "return (x0 - self.sigma(t) * noise) % 1.0"))
wrong(NOISE, "variance_times_noise", "variance_for_width", edit=(ADD, "return (x0 + self.sigma(t) ** 2 * noise) % 1.0"))
wrong(NOISE, "root_times_noise", "root_for_width", edit=(ADD, "return (x0 + self.sigma(t) ** 0.5 * noise) % 1.0"))
wrong(NOISE, "unit_noise", "no_sigma", edit=(ADD, "return (x0 + noise) % 1.0"))
wrong(NOISE, "time_as_width", "time_for_sigma", edit=(ADD, "return (x0 + t * noise) % 1.0"))
wrong(
    NOISE,
    "variance_preserving",
    "data_shrunk",
    edit=(ADD, "return ((1 - self.sigma(t) ** 2).clamp(min=0) ** 0.5 * x0 + self.sigma(t) * noise) % 1.0"),
)
wrong(NOISE, "largest_noise", "sigma_max_always", edit=(ADD, "return (x0 + self.sigma_max * noise) % 1.0"))
wrong(NOISE, "own_noise", "fresh_noise", edit=(ADD, "return (x0 + self.sigma(t) * torch.randn_like(x0)) % 1.0"))
wrong(NOISE, "in_place", "input_altered", edit=(ADD, "x0 += self.sigma(t) * noise\n        return x0 % 1.0"))
wrong(
    NOISE,
    "on_the_cpu",
    "hard_coded_device",
    edit=(
        SIGMA,
        "return self.sigma_min * torch.tensor([self.sigma_max / self.sigma_min], device='cpu', dtype=t.dtype) ** t",
    ),
)
wrong(NOISE, "returns_none", "returned_none", edit=(ADD, "x = (x0 + self.sigma(t) * noise) % 1.0"))
wrong(
    NOISE,
    "blank",
    "not_implemented",
    edit=[(SIGMA, "raise NotImplementedError()"), (ADD, "raise NotImplementedError()")],
)

right(
    NOISE,
    "by_logarithms",
    edit=(SIGMA, "return torch.exp((1 - t) * math.log(self.sigma_min) + t * math.log(self.sigma_max))"),
)
right(NOISE, "two_powers", edit=(SIGMA, "return self.sigma_min ** (1 - t) * self.sigma_max**t"))
right(NOISE, "floor", edit=(ADD, "x = x0 + self.sigma(t) * noise\n        return x - x.floor()"))
right(NOISE, "remainder", edit=(ADD, "return torch.remainder(torch.addcmul(x0, self.sigma(t), noise), 1)"))
right(NOISE, "by_angles", edit=(ADD,
    "angle = 2 * math.pi * (x0 + self.sigma(t) * noise)\n        return torch.atan2(angle.sin(), angle.cos()) / (2 * math.pi) % 1.0"))  # fmt: skip
right(
    NOISE, "base_ten", edit=(SIGMA, "return self.sigma_min * 10 ** (t * math.log10(self.sigma_max / self.sigma_min))")
)

# --- 2.3 the loss

LOSS = "lab2.score_loss"
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


def loss(body: str) -> str:
    """A whole answer cell from the body of `get_train_loss`."""
    lines = (" " * 8 + line if line else line for line in body.strip("\n").split("\n"))
    return HEAD + "\n".join(lines) + "\n"


def plain(*edits: tuple[str, str]) -> str:
    body = PLAIN
    for old, new in edits:
        assert old in body, old
        body = body.replace(old, new)
    return loss(body)


MEAN = "return (error**2).mean()"
TIME = "t = torch.rand(batch_size, 1, device=x0.device, dtype=x0.dtype)"
RANDN = "noise = torch.randn_like(x0)"
COPIES = "torch.tensor(IMAGES, device=x.device, dtype=x.dtype)"
TARGET = "target = -(weights * offsets).sum(dim=-1) / sigma"
MODEL = "self.model(x, t)"

wrong(LOSS, "not_wrapped", "not_wrapped", source=plain((COPIES, "torch.zeros(1, device=x.device, dtype=x.dtype)")))
wrong(LOSS, "gaussian_on_a_line", "not_wrapped", source=plain((TARGET, "target = -(x - x0) / sigma")))
wrong(
    LOSS, "nearest_image", "nearest_image_only", source=plain((TARGET, "u = x - x0\ntarget = -(u - u.round()) / sigma"))
)
wrong(LOSS, "three_images", "few_images", source=plain(("tensor(IMAGES", "tensor([-1, 0, 1]")))
wrong(LOSS, "images_equal", "not_wrapped", source=plain((TARGET, "target = -offsets.mean(dim=-1) / sigma")))
wrong(LOSS, "sign", "target_sign", source=plain((TARGET, TARGET.replace("-(", "("))))
wrong(LOSS, "plus_target", "target_sign", source=plain((f"{MODEL} - target", f"{MODEL} + target")))
wrong(LOSS, "data_width", "data_width_added", source=plain(("(2 * sigma[..., None] ** 2)", "(2 * (sigma[..., None] ** 2 + 1e-4))"),
      ("(dim=-1) / sigma\nerror", "(dim=-1) * sigma / (sigma**2 + 1e-4)\nerror")))  # fmt: skip
wrong(LOSS, "sigma_missing", "sigma_missing", source=plain(("/ sigma\nerror", "/ sigma**2\nerror")))
wrong(LOSS, "sigma_squared", "sigma_squared", source=plain(("(dim=-1) / sigma\nerror", "(dim=-1)\nerror")))
wrong(LOSS, "weighted_again", "weighted_twice", source=plain((MEAN, "return (sigma**2 * error**2).mean()")))
wrong(LOSS, "output_times_sigma", "weighted_twice", source=plain((MODEL, f"sigma * {MODEL}")))
wrong(LOSS, "weighted_by_time", "weighted_by_time", source=plain((MEAN, "return (t * error**2).mean()")))
wrong(LOSS, "noise_as_target", "target_is_noise", source=plain((TARGET, "target = -noise")))
wrong(LOSS, "noise_prediction", "target_is_noise", source=plain((TARGET, "target = noise")))
wrong(LOSS, "denoiser", "target_is_x0", source=plain((TARGET, "target = x0")))
wrong(LOSS, "variance_is_sigma", "variance_for_width", source=plain(
    ("(2 * sigma[..., None] ** 2)", "(2 * sigma[..., None])"), ("/ sigma\nerror", "\nerror")))  # fmt: skip
wrong(LOSS, "half_missing", "half_missing", source=plain(("(2 * sigma[..., None] ** 2)", "sigma[..., None] ** 2")))
wrong(LOSS, "sum_atoms", "summed_atoms", source=plain((MEAN, "return (error**2).sum(dim=1).mean()")))
wrong(LOSS, "sum_batch", "summed_batch", source=plain((MEAN, "return (error**2).sum(dim=0).mean()")))
wrong(LOSS, "sum_all", "summed_all", source=plain((MEAN, "return (error**2).sum()")))
wrong(LOSS, "no_reduction", "no_reduction", source=plain((MEAN, "return error**2")))
wrong(LOSS, "absolute", "absolute_error", source=plain((MEAN, "return error.abs().mean()")))
wrong(LOSS, "norm", "root_of_error", source=plain((MEAN, "return error.norm(dim=1).mean()")))
wrong(LOSS, "root", "root_of_error", source=plain((MEAN, "return (error**2).mean().sqrt()")))
wrong(LOSS, "square_of_mean", "sum_before_square", source=plain((MEAN, "return error.mean() ** 2")))
wrong(LOSS, "half", "half", source=plain((MEAN, "return (error**2).mean() / 2")))
wrong(LOSS, "model_sees_x0", "model_sees_x0", source=plain((MODEL, "self.model(x0, t)")))
wrong(LOSS, "model_sees_sigma", "model_sees_sigma", source=plain((MODEL, "self.model(x, sigma)")))
wrong(LOSS, "model_time_reversed", "time_reversed", source=plain((MODEL, "self.model(x, 1 - t)")))
wrong(LOSS, "model_other_time", "time_differs", source=plain((MODEL, "self.model(x, torch.rand_like(t))")))
wrong(LOSS, "model_flat_time", ("time_shape", "raised"), source=plain((MODEL, "self.model(x, t[:1])")))
wrong(LOSS, "noise_resampled", "model_sees_other_x", source=plain(
    (MODEL, "self.model((x0 + sigma * torch.randn_like(x0)) % 1, t)")))  # fmt: skip
wrong(LOSS, "noised_twice", "noise_resampled", source=plain(
    (MODEL, "self.model(self.schedule.add_noise(x0, t, torch.randn_like(x0)), t)")))  # fmt: skip
wrong(LOSS, "own_schedule", "schedule_not_used", source=plain(
    ("self.schedule.add_noise(x0, t, noise)", "(x0 + self.schedule.sigma(t) * noise) % 1")))  # fmt: skip
wrong(LOSS, "time_randn", "time_out_of_range", source=plain((TIME, TIME.replace("rand(", "randn("))))
wrong(LOSS, "time_shared", "time_shared", source=plain(
    (TIME, "t = torch.rand(1, 1, device=x0.device, dtype=x0.dtype).expand(batch_size, 1)")))  # fmt: skip
wrong(LOSS, "time_grid", "time_grid", source=plain(
    (TIME, "t = torch.linspace(0, 1, batch_size, device=x0.device, dtype=x0.dtype)[:, None]")))  # fmt: skip
wrong(LOSS, "time_of_fifty", ("time_discrete", "time_shared"), source=plain(
    (TIME, "t = torch.linspace(1e-5, 1, 50, dtype=x0.dtype, device=x0.device)[torch.randint(0, 50, (batch_size, 1), device=x0.device)]")))  # fmt: skip
wrong(LOSS, "time_squared", "time_distribution", source=plain((TIME, TIME + " ** 2")))
wrong(LOSS, "times_cut_off", "time_ends", source=plain((TIME, TIME + ".clamp(max=0.98)")))
wrong(LOSS, "times_start_late", "time_ends", source=plain((TIME, TIME.replace("t = ", "t = 0.02 + 0.98 * "))))
wrong(
    LOSS,
    "time_flat",
    "time_shape",
    source=plain((TIME, TIME.replace("batch_size, 1", "batch_size"))),
)
wrong(LOSS, "time_per_atom", "time_shape", source=plain((TIME, "t = torch.rand_like(x0)")))
wrong(LOSS, "noise_uniform", "noise_not_normal", source=plain((RANDN, "noise = torch.rand_like(x0)")))
wrong(LOSS, "noise_half", "noise_not_normal", source=plain((RANDN, "noise = 0.5 * torch.randn_like(x0)")))
wrong(LOSS, "noise_per_batch", "noise_shared", source=plain((RANDN, "noise = torch.randn_like(x0[:1]).expand_as(x0)")))
wrong(
    LOSS, "noise_per_sample", "noise_shared", source=plain((RANDN, "noise = torch.randn_like(x0[:, :1]).expand_as(x0)"))
)
wrong(LOSS, "noise_from_time", ("noise_tied_to_time", "noise_shared"), source=plain(
    (RANDN, "noise = torch.cat([math.sqrt(2) * torch.erfinv(2 * t - 1), torch.randn_like(t)], dim=1)")))  # fmt: skip
wrong(LOSS, "seed_inside", "seeded", source=plain(("x0, _ = ", "torch.manual_seed(0)\nx0, _ = ")))
wrong(
    LOSS,
    "no_data",
    "data_not_sampled",
    source=plain(("x0, _ = self.data.sample(batch_size)", "x0 = torch.rand(batch_size, 2)")),
)
wrong(LOSS, "states_in_place", "states_altered", source=plain((MEAN, "x0.mul_(0.9)\n" + MEAN)))
wrong(LOSS, "detached", "detached", source=plain((MODEL, f"{MODEL}.detach()")))
wrong(LOSS, "model_sees_flat_time", "time_shape", source=plain(("self.model(x, t)", "self.model(x, t.flatten())")))
wrong(LOSS, "keeps_an_axis", "no_reduction", source=plain((MEAN, "return (error**2).mean().reshape(1)")))
wrong(LOSS, "returns_float", ("detached", "not_a_tensor"), source=plain((MEAN, "return (error**2).mean().item()")))
wrong(LOSS, "half_detached", "wrong_gradient", source=plain((MEAN, "return (error * error.detach()).mean()")))
wrong(LOSS, "nan", "not_finite", source=plain((MEAN, "return (error**2).mean() * float('nan')")))
wrong(LOSS, "returns_none", "returned_none", source=plain((MEAN, "loss = (error**2).mean()")))
wrong(
    LOSS,
    "on_the_cpu",
    "hard_coded_device",
    source=plain((TIME, TIME.replace("x0.device", "'cpu'")), (MODEL, "self.model(x, t) + 0 * t")),
)
wrong(LOSS, "blank", "not_implemented", source=loss("raise NotImplementedError()"))
wrong(LOSS, "no_class", "missing_name", source="pass\n")
wrong(LOSS, "norm_of_batch", "wrong_loss", source=plain((MEAN, "return error.norm() / batch_size")))
wrong(
    LOSS, "gaussian_at_x0", ("argument_reversed", "wrong_loss"), source=plain(("(x - x0)[..., None]", "x[..., None]"))
)

right(
    LOSS,
    "mse_loss",
    source=plain(
        (MEAN, "return torch.nn.functional.mse_loss(self.model(x, t), target)"),
        ("error = self.model(x, t) - target\n", ""),
    ),
)
right(LOSS, "looks_at_the_scores", source=plain(("error = ", "print(self.model(x, t).std().item())\nerror = ")))
right(LOSS, "by_autograd", source=plain((TARGET,
    "u = (x - x0).detach().requires_grad_()\n"
    "copies = torch.arange(-5, 6, device=x.device, dtype=x.dtype)\n"
    "log_k = torch.logsumexp(-((u[..., None] + copies) ** 2) / (2 * sigma[..., None] ** 2), dim=-1)\n"
    "target = sigma * torch.autograd.grad(log_k.sum(), u)[0]")))  # fmt: skip
right(LOSS, "shortest_first", source=plain(
    ("offsets = (x - x0)[..., None]", "u = x - x0\noffsets = (u - u.round())[..., None]")))  # fmt: skip
right(LOSS, "float32_time", source=plain((TIME, "t = torch.rand(batch_size, 1, device=x0.device)")))
right(LOSS, "weighted_score", source=plain(
    ("/ sigma\nerror", "/ sigma**2\nerror"), (f"error = {MODEL} - target", f"error = {MODEL} / sigma - target"),
    (MEAN, "return (sigma**2 * error**2).mean()")))  # fmt: skip
right(LOSS, "keyword_arguments", source=plain(
    ("add_noise(x0, t, noise)", "add_noise(noise=noise, x0=x0, t=t)"), (MODEL, "self.model(t=t, x=x)")))  # fmt: skip
right(LOSS, "sum_over_count", source=plain((MEAN, "return (error**2).sum() / error.numel()")))
right(
    LOSS,
    "a_few_at_a_time",
    source=loss("""
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
"""),
)

# --- 2.4 predictor and corrector

STEP = "lab2.predictor_corrector"
G2 = "variance = sigma**2 - sigma_next**2"
PREDICT = "return (x + variance * score + variance.sqrt() * noise) % 1.0"
CORRECT = "return (x + step * score + (2 * step).sqrt() * noise) % 1.0"


def predict(formula: str) -> tuple[str, str]:
    return PREDICT, f"return ({formula}) % 1.0"


def correct(formula: str) -> tuple[str, str]:
    return CORRECT, f"return ({formula}) % 1.0"


wrong(STEP, "against_the_score", "wrong_sign", edit=predict("x - variance * score + variance.sqrt() * noise"))
wrong(STEP, "noise_variance", "noise_not_rooted", edit=predict("x + variance * score + variance * noise"))
wrong(STEP, "score_width", "score_rooted", edit=predict("x + variance.sqrt() * score + variance.sqrt() * noise"))
wrong(STEP, "widths_subtracted", "widths_subtracted", edit=(G2, "variance = (sigma - sigma_next) ** 2"))
wrong(STEP, "difference", "widths_subtracted", edit=(G2, "variance = sigma - sigma_next"))
wrong(STEP, "half_drift", "half_drift", edit=predict("x + variance / 2 * score + variance.sqrt() * noise"))
wrong(STEP, "predictor_without_noise", "no_noise", edit=predict("x + variance * score"))
wrong(STEP, "last_step_without_noise", "no_noise_at_the_end", edit=predict(
    "x + variance * score + variance.sqrt() * noise * (sigma_next > 0.002)"))  # fmt: skip
wrong(STEP, "predictor_without_score", "no_drift", edit=predict("x + variance.sqrt() * noise"))
wrong(STEP, "double_noise", "double_noise", edit=predict("x + variance * score + (2 * variance).sqrt() * noise"))
wrong(STEP, "variance_floor", "wrong_step", edit=(G2, "variance = (sigma**2 - sigma_next**2).clamp(min=0.01)"))
wrong(STEP, "whole_sigma", "sigma_for_g", edit=(G2, "variance = sigma**2"))
wrong(STEP, "next_sigma", "sigma_for_g", edit=(G2, "variance = sigma_next**2"))
wrong(STEP, "order_swapped", "not_finite", edit=(G2, "variance = sigma_next**2 - sigma**2"))
wrong(
    STEP, "score_normalised", "score_normalised", edit=predict("x + variance / sigma * score + variance.sqrt() * noise")
)
wrong(
    STEP,
    "posterior_noise",
    "posterior_noise",
    edit=predict("x + variance * score + variance.sqrt() * sigma_next / sigma * noise"),
)
wrong(
    STEP,
    "predictor_not_wrapped",
    "not_wrapped",
    edit=(PREDICT, "return x + variance * score + variance.sqrt() * noise"),
)
wrong(
    STEP,
    "predictor_clamped",
    "walls",
    edit=(PREDICT, "return (x + variance * score + variance.sqrt() * noise).clamp(0, 1)"),
)
wrong(
    STEP,
    "predictor_own_noise",
    "fresh_noise",
    edit=predict("x + variance * score + variance.sqrt() * torch.randn_like(x)"),
)
wrong(
    STEP,
    "predictor_in_place",
    "input_altered",
    edit=(PREDICT, "x += variance * score + variance.sqrt() * noise\n    return x % 1.0"),
)
wrong(STEP, "corrector_against", "wrong_sign", edit=correct("x - step * score + (2 * step).sqrt() * noise"))
wrong(STEP, "corrector_two_missing", "two_missing", edit=correct("x + step * score + step.sqrt() * noise"))
wrong(STEP, "corrector_not_rooted", "noise_not_rooted", edit=correct("x + step * score + 2 * step * noise"))
wrong(STEP, "corrector_two_outside", "root_too_small", edit=correct("x + step * score + 2 * step.sqrt() * noise"))
wrong(STEP, "corrector_half", "half_step", edit=correct("x + step / 2 * score + step.sqrt() * noise"))
wrong(STEP, "corrector_double", "double_step", edit=correct("x + 2 * step * score + (2 * step).sqrt() * noise"))
wrong(STEP, "corrector_squared", "step_squared", edit=correct("x + step**2 * score + math.sqrt(2) * step * noise"))
wrong(STEP, "corrector_without_noise", "no_noise", edit=correct("x + step * score"))
wrong(
    STEP, "corrector_not_wrapped", "not_wrapped", edit=(CORRECT, "return x + step * score + (2 * step).sqrt() * noise")
)
wrong(STEP, "corrector_none", "returned_none", edit=(CORRECT, "x = x + step * score"))
wrong(
    STEP,
    "on_the_cpu",
    "hard_coded_device",
    edit=(G2, "variance = (sigma**2 - sigma_next**2) * torch.ones(1, device='cpu')"),
)
wrong(
    STEP,
    "blank",
    "not_implemented",
    edit=[(PREDICT, "raise NotImplementedError()"), (CORRECT, "raise NotImplementedError()")],
)
wrong(STEP, "no_corrector", "missing_name", edit=("def corrector_step", "def my_corrector"))

right(
    STEP,
    "power_of_a_half",
    edit=[
        (PREDICT, PREDICT.replace("variance.sqrt()", "variance**0.5")),
        (CORRECT, CORRECT.replace("(2 * step).sqrt()", "math.sqrt(2) * step**0.5")),
    ],
)
right(
    STEP,
    "g",
    edit=[
        (G2, "g = ((sigma - sigma_next) * (sigma + sigma_next)).sqrt()"),
        (PREDICT, "return torch.remainder(x + g * (g * score + noise), 1.0)"),
    ],
)
right(
    STEP, "floor", edit=(CORRECT, "x = x + step * score + torch.sqrt(2 * step) * noise\n    return x - torch.floor(x)")
)
right(
    STEP,
    "corrector_by_predictor",
    edit=(CORRECT, "return (predictor_step(x, 0 * score, (2 * step).sqrt(), 0 * step, noise) + step * score) % 1.0"),
)
right(STEP, "wrapped_twice", edit=(PREDICT, "return ((x + variance * score) % 1.0 + variance.sqrt() * noise) % 1.0"))

# --- 2.5 the Fokker-Planck residual

FP = "lab2.fokker_planck"
RESIDUAL = "return s_dt - variance_dt / 2 * gradient"
POTENTIAL = "(divergence + s.square().sum(dim=1)).sum()"
LAST = "(variance_dt,) = torch.autograd.grad((sigma(t) ** 2).sum(), t)"

wrong(FP, "two_missing", "two_missing", edit=(POTENTIAL, "(divergence + s.square().sum(dim=1) / 2).sum()"))
wrong(FP, "plus", "wrong_sign", edit=(RESIDUAL, "return s_dt + variance_dt / 2 * gradient"))
wrong(FP, "minus_square", "wrong_sign", edit=(POTENTIAL, "(divergence - s.square().sum(dim=1)).sum()"))
wrong(FP, "minus_divergence", "wrong_sign", edit=(POTENTIAL, "(s.square().sum(dim=1) - divergence).sum()"))
wrong(FP, "no_time_derivative", "time_derivative_missing", edit=(RESIDUAL, "return -variance_dt / 2 * gradient"))
wrong(FP, "time_derivative_alone", "only_time_derivative", edit=(RESIDUAL, "return s_dt"))
wrong(FP, "no_divergence", "divergence_missing", edit=(POTENTIAL, "s.square().sum()"))
wrong(FP, "no_square", "square_missing", edit=(POTENTIAL, "divergence.sum()"))
wrong(FP, "whole_growth", "variance_growth_doubled", edit=(RESIDUAL, "return s_dt - variance_dt * gradient"))
wrong(FP, "sigma_squared", "sigma_not_differentiated", edit=(RESIDUAL, "return s_dt - sigma(t) ** 2 / 2 * gradient"))
wrong(
    FP,
    "derivative_of_sigma",
    "sigma_missing",
    edit=(LAST, "(variance_dt,) = torch.autograd.grad(2 * sigma(t).sum(), t)"),
)
wrong(FP, "no_factor", "sigma_missing", edit=(RESIDUAL, "return s_dt - gradient"))
wrong(
    FP,
    "exponential_schedule",
    "sigma_exponential",
    edit=(RESIDUAL, "return s_dt - sigma(t) ** 2 * math.log(200.0) * gradient"),
)
wrong(FP, "of_sigma_times_score", "normalised_score", edit=("s = score(x, t)", "s = sigma(t) * score(x, t)"))
wrong(
    FP,
    "of_the_density",
    "density_equation",
    edit=(RESIDUAL, "return s_dt - variance_dt / 2 * (divergence + s.square().sum(dim=1))[:, None]"),
)
wrong(FP, "squared", "squared", edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient) ** 2"))
wrong(
    FP,
    "mean_square",
    "no_reduction_wanted",
    edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient).square().mean()"),
)
wrong(FP, "absolute", "absolute", edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient).abs()"))
wrong(FP, "other_side", "sign_of_residual", edit=(RESIDUAL, "return variance_dt / 2 * gradient - s_dt"))
wrong(FP, "detached", "detached", edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient).detach()"))
wrong(FP, "partly_detached", "partly_detached", edit=(RESIDUAL, "return s_dt.detach() - variance_dt / 2 * gradient"))
wrong(FP, "no_graph", ("detached", "partly_detached"), edit=(
    f"torch.autograd.grad({POTENTIAL}, x, create_graph=True)", f"torch.autograd.grad({POTENTIAL}, x, retain_graph=True)"))  # fmt: skip
wrong(
    FP,
    "marks_inputs",
    "input_altered",
    edit=(
        "x, t = x.detach().requires_grad_(), t.detach().requires_grad_()",
        "x, t = x.requires_grad_(), t.requires_grad_()",
    ),
)
wrong(FP, "one_coordinate", "wrong_shape", edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient)[:, :1]"))
wrong(FP, "returns_none", "returned_none", edit=(RESIDUAL, "residual = s_dt - variance_dt / 2 * gradient"))
wrong(FP, "two_coordinates_only", ("two_coordinates_only", "wrong_residual"), edit=("range(x.shape[1])", "range(2)"))
wrong(
    FP,
    "derivative_of_the_sum",
    "time_derivative_summed",
    edit=(RESIDUAL, "return s_dt.sum(dim=1, keepdim=True) - variance_dt / 2 * gradient"),
)
wrong(
    FP,
    "whole_jacobian",
    "not_the_divergence",
    edit=(
        POTENTIAL,
        "(torch.autograd.grad(s.sum(), x, create_graph=True)[0].sum(dim=1) + s.square().sum(dim=1)).sum()",
    ),
)
wrong(FP, "always_zero", "wrong_residual", edit=(RESIDUAL, "return 0 * s_dt"))
wrong(
    FP,
    "blank",
    "not_implemented",
    source="def fokker_planck_residual(score, x, t, sigma):\n    raise NotImplementedError()\n",
)

wrong(
    FP,
    "graph_freed",
    "graph_freed",
    edit=[
        (LAST, "w = sigma(t)\n        (sigma_dt,) = torch.autograd.grad(w.sum(), t)"),
        (RESIDUAL, "return s_dt - w * sigma_dt * gradient"),
    ],
)

right(
    FP,
    "torch_func",
    source="""
from torch.func import hessian, jacrev, jvp, vmap

def fokker_planck_residual(score, x, t, sigma):
    def one(x, t):
        s = lambda x, t: score(x[None], t[None])[0]
        J = jacrev(s)(x, t)
        H = hessian(s)(x, t)
        laplacian = torch.einsum("ijj->i", H)
        growth = jacrev(lambda t: sigma(t) ** 2)(t)[0, 0]
        return jacrev(s, argnums=1)(x, t)[:, 0] - growth / 2 * (laplacian + 2 * J @ s(x, t))
    return vmap(one)(x, t)
""",
)
right(FP, "two_sigma_sigma_dot", edit=[
    (LAST, "(sigma_dt,) = torch.autograd.grad(sigma(t).sum(), t)"), (RESIDUAL, "return s_dt - sigma(t) * sigma_dt * gradient")])  # fmt: skip
right(
    FP,
    "jacobian_times_score",
    source="""
def fokker_planck_residual(score, x, t, sigma):
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_(True)
        t = t.detach().clone().requires_grad_(True)
        s = score(x, t)
        columns = []
        for i in range(x.shape[1]):
            d_x, d_t = torch.autograd.grad(s[:, i].sum(), [x, t], create_graph=True)
            laplacian = 0
            for j in range(x.shape[1]):
                laplacian = laplacian + torch.autograd.grad(d_x[:, j].sum(), x, create_graph=True)[0][:, j]
            columns.append((d_t[:, 0], laplacian + 2 * (d_x * s).sum(dim=1)))
        d_t, rest = (torch.stack(c, dim=1) for c in zip(*columns))
        w = sigma(t)
        w_dt = torch.autograd.grad(w.sum(), t, create_graph=True)[0]
        return d_t - w * w_dt * rest
""",
)
right(
    FP,
    "graph_of_everything",
    edit=(LAST, "(variance_dt,) = torch.autograd.grad((sigma(t) ** 2).sum(), t, create_graph=True)"),
)
right(FP, "two_gradients", edit=(f"(gradient,) = torch.autograd.grad({POTENTIAL}, x, create_graph=True)",
    "gradient = (torch.autograd.grad(divergence.sum(), x, create_graph=True)[0]\n"
    "                    + torch.autograd.grad(s.square().sum(), x, create_graph=True)[0])"))  # fmt: skip

# --- 2.6 the target of consistency

TARGET6 = "lab2.consistency"
V = "variance = sigma_start**2 - sigma_end**2"
OUT = "return -sigma_start * (weights * offsets).sum(dim=-1) / variance"
K = "torch.tensor(IMAGES, device=x.device, dtype=x.dtype)"
W = "(2 * variance[..., None])"

wrong(TARGET6, "widths_subtracted", "widths_subtracted", edit=(V, "variance = (sigma_start - sigma_end) ** 2"))
wrong(TARGET6, "variances_added", "variances_added", edit=(V, "variance = sigma_start**2 + sigma_end**2"))
wrong(TARGET6, "start_alone", "wrong_width", edit=(V, "variance = sigma_start**2"))
wrong(TARGET6, "end_alone", "wrong_width", edit=(V, "variance = sigma_end**2"))
wrong(TARGET6, "effective_scale", "wrong_scale", edit=(OUT, OUT.replace("-sigma_start", "-variance.sqrt()")))
wrong(TARGET6, "end_scale", "wrong_scale", edit=(OUT, OUT.replace("-sigma_start", "-sigma_end")))
wrong(TARGET6, "no_scale", "scale_missing", edit=(OUT, OUT.replace("-sigma_start * ", "-")))
wrong(TARGET6, "sign", "wrong_sign", edit=(OUT, OUT.replace("-sigma_start", "sigma_start")))
wrong(TARGET6, "not_wrapped", "not_wrapped", edit=(OUT, "return -sigma_start * (x - y) / variance"))
wrong(
    TARGET6,
    "nearest_image",
    "nearest_image_only",
    edit=(OUT, "u = x - y\n    return -sigma_start * (u - u.round()) / variance"),
)
wrong(TARGET6, "three_images", "few_images", edit=(K, K.replace("IMAGES", "[-1, 0, 1]")))
wrong(TARGET6, "images_equal", "not_wrapped", edit=(OUT, "return -sigma_start * offsets.mean(dim=-1) / variance"))
wrong(TARGET6, "half_missing", "half_missing", edit=(W, "variance[..., None]"))
wrong(
    TARGET6,
    "averaged",
    "averaged",
    edit=(OUT, OUT.replace("return ", "target = ") + "\n    return target.mean().expand_as(x)"),
)
wrong(TARGET6, "order_swapped", ("not_finite", "wrong_target"), edit=(V, "variance = sigma_end**2 - sigma_start**2"))
wrong(TARGET6, "in_place", "input_altered", edit=(V, "x -= y\n    y = 0 * y\n    " + V))
wrong(TARGET6, "on_the_cpu", "hard_coded_device", edit=(K, "torch.tensor(IMAGES, device='cpu', dtype=x.dtype)"))
wrong(TARGET6, "returns_none", "returned_none", edit=(OUT, OUT.replace("return ", "target = ")))
wrong(
    TARGET6,
    "blank",
    "not_implemented",
    source="def consistency_target(x, y, sigma_start, sigma_end):\n    raise NotImplementedError()\n",
)
wrong(TARGET6, "deleted", "missing_name", source="pass\n")

right(
    TARGET6,
    "autograd",
    source="""
def consistency_target(x, y, sigma_start, sigma_end):
    with torch.enable_grad():
        u = (x - y).detach().requires_grad_()
        copies = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
        width = (sigma_start**2 - sigma_end**2).sqrt()
        log_k = torch.logsumexp(-(((u[..., None] + copies) / width[..., None]) ** 2) / 2, dim=-1)
        return sigma_start * torch.autograd.grad(log_k.sum(), u)[0]
""",
)
right(TARGET6, "factorised", edit=(V, "variance = (sigma_start - sigma_end) * (sigma_start + sigma_end)"))
right(
    TARGET6,
    "from_y_to_x",
    edit=[("(x - y)[..., None]", "(y - x)[..., None]"), (OUT, OUT.replace("-sigma_start", "sigma_start"))],
)
right(
    TARGET6,
    "shortest_first",
    edit=("offsets = (x - y)[..., None]", "u = x - y\n    offsets = (u - u.round())[..., None]"),
)
right(
    TARGET6,
    "loop_over_copies",
    source="""
def consistency_target(x, y, sigma_start, sigma_end):
    v = sigma_start**2 - sigma_end**2
    nearest = (x - y + 0.5) % 1.0 - 0.5
    top, bottom = 0, 0
    for k in range(-5, 6):
        weight = torch.exp((nearest**2 - (nearest + k) ** 2) / (2 * v))
        top, bottom = top + weight * (nearest + k), bottom + weight
    return -sigma_start / v * top / bottom
""",
)
