"""Answers that the exercises about a noise-aware classifier's training loss share, in labs 1 and 3.

They are edits of a model answer whose `get_train_loss` ends in `return CE`, after `x0, y = …`, a time t and
`x = self.add_noise(…)`.
"""

from __future__ import annotations

import textwrap

CE = "nn.functional.cross_entropy(self.model(x, t), y)"
EACH = CE.replace(", y)", ", y, reduction='none')")
NOISE = "torch.randn_like(x0)"
DATA = "x0, y = self.data.sample(batch_size)"
NOISING, RETURN = "        x = self", f"        return {CE}"  # the lines' beginnings


def before(line: str, new: str) -> tuple[str, str]:
    """Return the edit that puts a new line before one of the model answer's."""
    return line, f"        {new}\n{line}"


def kept(name: str, value: str) -> str:
    """Return an expression that computes a value once for each batch size, and keeps it on the trainer."""
    return f"self.__dict__.setdefault('{name}' + str(batch_size), {value})"


# name, finding or findings, old, new
VALUES = [
    ("sum", "summed_batch", CE, CE.replace(", y)", ", y, reduction='sum')")),
    ("no_reduction", "no_reduction", CE, EACH),
    ("one_axis", "wrong_shape", CE, f"{CE}.reshape(1)"),
    ("sign", "wrong_sign", CE, f"-{CE}"),
    ("softmax_twice", "softmax_twice", "self.model(x, t), y)", "self.model(x, t).softmax(-1), y)"),
    ("nll_of_logits", "logits_as_logs", CE, "nn.functional.nll_loss(self.model(x, t), y)"),
    ("probabilities", "no_logarithm", CE, "-self.model(x, t).softmax(-1).gather(1, y[:, None]).mean()"),
    ("one_minus_p", "no_logarithm", CE, "1 - self.model(x, t).softmax(-1).gather(1, y[:, None]).mean()"),
    ("brier", "squared_error", CE, "(self.model(x, t).softmax(-1) - nn.functional.one_hot(y, 3)).square().mean()"),
    (
        "brier_summed",
        "squared_error",
        CE,
        "(self.model(x, t).softmax(-1) - nn.functional.one_hot(y, 3)).square().sum(1).mean()",
    ),
    ("mse_of_logits", "squared_error", CE, "(self.model(x, t) - nn.functional.one_hot(y, 3)).square().mean()"),
    ("softmax_over_batch", "over_batch", CE, "-self.model(x, t).log_softmax(0).gather(1, y[:, None]).mean()"),
    ("divided_by_classes", "divided_by_classes", CE, f"{CE} / 3"),
    (
        "binary",
        "binary_per_class",
        CE,
        "nn.functional.binary_cross_entropy_with_logits(self.model(x, t), nn.functional.one_hot(y, 3).to(x.dtype))",
    ),
    ("labels_rolled", "labels_shifted", "self.model(x, t), y)", "self.model(x, t), y.roll(1))"),
    ("labels_sorted", ("wrong_loss", "labels_shifted"), "self.model(x, t), y)", "self.model(x, t), y.sort().values)"),
    ("class_zero", "class_zero", "self.model(x, t), y)", "self.model(x, t), torch.zeros_like(y))"),
    (
        "own_guess",
        ("wrong_loss", "labels_unused"),
        CE,
        "(lambda z: nn.functional.cross_entropy(z, z.argmax(1)))(self.model(x, t))",
    ),
    ("label_smoothing", "smoothed", CE, CE.replace(", y)", ", y, label_smoothing=0.1)")),
    ("time_weighted", "time_weighted", CE, f"({EACH} * t.flatten()).mean()"),
    ("entropy", "entropy", CE, "(lambda z: -(z.softmax(-1) * z.log_softmax(-1)).sum(1).mean())(self.model(x, t))"),
    ("bits", "in_bits", CE, f"{CE} / math.log(2)"),
    ("hardest_sample", ("wrong_loss", "not_the_mean"), CE, f"{EACH}.max()"),
    ("median", ("wrong_loss", "not_the_mean"), CE, f"{EACH}.median()"),
    (
        "class_weights",
        ("wrong_loss", "not_the_mean"),
        CE,
        CE.replace(", y)", ", y, weight=torch.tensor([1.0, 1.0, 2.0], dtype=x0.dtype))"),
    ),
    ("focal", "wrong_loss", CE, f"(lambda e: ((1 - (-e).exp()) ** 2 * e).mean())({EACH})"),
    ("logits_penalised", "wrong_loss", CE, f"{CE} + 0.01 * self.model(x, t).square().mean()"),
    ("temperature_of_two", "wrong_loss", "self.model(x, t), y)", "self.model(x, t) / 2, y)"),
    ("temperature", "wrong_loss", "self.model(x, t), y)", "self.model(x, t) / 0.5, y)"),
    (
        "logits_clamped_at_50",
        ("logits_limited", "wrong_loss"),
        "self.model(x, t), y)",
        "self.model(x, t).clamp(-50, 50), y)",
    ),
    ("logits_clamped_from_below", "logits_limited", "self.model(x, t), y)", "self.model(x, t).clamp(min=-99), y)"),
    ("logits_clamped", ("wrong_loss", "sure_and_wrong"), "self.model(x, t), y)", "self.model(x, t).clamp(-15, 15), y)"),
    (
        "floor_in_the_logarithm",
        ("wrong_loss", "sure_and_wrong"),
        CE,
        "-(self.model(x, t).softmax(-1).gather(1, y[:, None]) + 1e-10).log().mean()",
    ),
    ("loss_clamped", ("wrong_loss", "sure_and_wrong"), CE, f"{EACH}.clamp(max=20).mean()"),
    (
        "logits_in_bfloat16",
        ("wrong_loss", "clueless_not_log"),
        "self.model(x, t), y)",
        "self.model(x, t).bfloat16(), y)",
    ),
    ("detached", "detached", "self.model(x, t), y)", "self.model(x, t).detach(), y)"),
    ("no_grad", "detached", f"return {CE}", f"with torch.no_grad():\n            return {CE}"),
    (
        "half_of_the_gradient",
        "wrong_gradient",
        CE,
        f"(lambda loss: loss.detach() + (loss - loss.detach()) / 2)({CE})",
    ),
    ("python_float", ("not_a_tensor", "detached"), f"return {CE}", f"return {CE}.item()"),
    ("with_the_accuracy", "not_a_tensor", f"return {CE}", f"return {CE}, 0.5"),
    ("none", "returned_none", f"return {CE}", CE),
]
INPUTS = [
    ("clean", ("model_sees_clean", "not_noised"), "self.model(x, t)", "self.model(x0, t)"),
    (
        "clean_too",
        "model_called_again",
        CE,
        f"{CE} + 0.1 * {CE.replace('(x, t)', '(x0, 0 * t)')}",
    ),
    ("clamped", "model_sees_other_x", "self.model(x, t)", "self.model(x.clamp(-1, 1), t)"),
    ("clamped_at_3", "model_sees_other_x", "self.model(x, t)", "self.model(x.clamp(-3, 3), t)"),
    ("clamped_at_20", "model_sees_other_x", "self.model(x, t)", "self.model(x.clamp(-20, 20), t)"),
    ("standardised", "model_sees_other_x", "self.model(x, t)", "self.model((x - x.mean()) / x.std(), t)"),
    ("time_zero", "time_zero", "self.model(x, t)", "self.model(x, torch.zeros_like(t))"),
    ("data_scaled", "not_the_data", *before(NOISING, "x0 = x0 / x0.std()")),
    ("data_jittered", "not_the_data", *before(NOISING, "x0 = x0 + 0.01 * torch.randn_like(x0)")),
    ("data_in_place", "data_altered", *before(NOISING, "x0.mul_(0.5)")),
    ("labels_in_place", "data_altered", *before(NOISING, "y.clamp_(max=1)")),
    ("data_needs_gradient", "data_altered", *before(NOISING, "x0.requires_grad_()")),
    ("half_of_the_batch", "wrong_shape", NOISING, "        x0, y, t = x0[::2], y[::2], t[::2]\n        x = self"),
    (
        "drawn_with_replacement",
        "batch_kept",
        DATA,
        f"{DATA}\n        i = torch.randint(len(y), (len(y),))\n        x0, y = x0[i], y[i]",
    ),
    ("batch_kept", "batch_kept", DATA, f"x0, y = {kept('batch', 'self.data.sample(batch_size)')}"),
    ("double_draw", ("labels_shifted", "wrong_loss"), *before(RETURN, "_, y = self.data.sample(batch_size)")),
]
DRAWS = [
    ("noise_uniform", "noise_mean", NOISE, "torch.rand_like(x0)"),
    ("noise_uniform_standardised", "noise_law", NOISE, "(torch.rand_like(x0) - 0.5) * 12**0.5"),
    ("noise_of_36_sites", "noise_shape", NOISE, "torch.randn(len(x0), 36, *x0.shape[2:]).to(x0)"),
    ("noise_shared", "noise_shared", NOISE, "torch.randn_like(x0[:1]).expand_as(x0)"),
    ("noise_repeated", "noise_shared", NOISE, "torch.randn_like(x0[..., :1]).expand_as(x0)"),
    ("noise_scaled", "noise_size", NOISE, f"2 * {NOISE}"),
    ("noise_a_little_weak", "noise_size", NOISE, f"0.9 * {NOISE}"),
    ("noise_like_the_data", "noise_size", NOISE, f"x0.std() * {NOISE}"),
    ("noise_clamped", "noise_limited", NOISE, f"{NOISE}.clamp(-3, 3)"),
    ("noise_clamped_early", "noise_limited", NOISE, f"{NOISE}.clamp(-2, 2)"),
    ("noise_rounded", "noise_discrete", NOISE, f"{NOISE}.mul(4).round().div(4)"),
    (
        "noise_by_label",
        "noise_mean",
        NOISE,
        f"{NOISE}.abs() * (2 * (y % 2) - 1).reshape(-1, *[1] * (x0.dim() - 1)).to(x0)",
    ),
    (
        "noise_rolled",
        "noise_shared",
        NOISE,
        "(lambda e: torch.stack([e.roll(i, -1) for i in range(batch_size)]))(torch.randn_like(x0[0]))",
    ),
    (
        "last_noise_is_first",
        "noise_shared",
        NOISE,
        f"(lambda e: torch.cat([e[:-1], e[:1]]) if len(e) > 1 else e)({NOISE})",
    ),
    (
        "first_noise_is_zero",
        ("noise_place", "noise_shared"),
        NOISE,
        f"(lambda e: torch.cat([0 * e[:1], e[1:]]))({NOISE})",
    ),
    ("noise_antithetic", "noise_mirrored", NOISE, f"(lambda e: torch.cat([e, -e.flip(0)])[: len(x0)])({NOISE}[::2])"),
    (
        "noise_in_mirrored_pairs",
        "noise_mirrored",
        NOISE,
        f"(lambda e: torch.stack([e, -e], 1).flatten(0, 1)[: len(x0)])({NOISE}[::2])",
    ),
    (
        "noise_of_the_batch_shifted",
        "noise_depends",
        NOISE,
        f"(lambda e: (e + e.roll(1, 0)) / 2**0.5 if len(e) > 1 else e)({NOISE})",
    ),
    (
        "noise_standardised",
        "noise_standardised",
        NOISE,
        f"(lambda e: (e - e.mean()) / e.std() if e.numel() > 1 else e)({NOISE})",
    ),
    (
        "noise_centred_in_each_sample",
        ("noise_standardised", "noise_mirrored"),
        NOISE,
        f"(lambda e: e - e.flatten(1).mean(1).reshape(-1, *[1] * (e.dim() - 1)))({NOISE})",
    ),
    ("noise_of_signs", ("noise_discrete", "seeded"), NOISE, f"{NOISE}.sign()"),
    ("noise_with_the_sign_of_the_data", "noise_mean", NOISE, f"{NOISE}.abs() * x0.sign()"),
    ("noise_kept", "seeded", NOISE, kept("noise", NOISE)),
    (
        "generator_restarts",
        "seeded",
        NOISE,
        "torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=x0.dtype)",
    ),
    ("numpy_restarts", "seeded", NOISE, "torch.as_tensor(np.random.default_rng(0).normal(size=x0.shape)).to(x0)"),
    ("time_kept", ("times_kept", "seeded"), *before(NOISING, f"t = {kept('time', 't')}")),
]
LEFT = [
    ("seeded", "seed_left", *before(f"        {DATA}", "torch.manual_seed(0)")),
    ("seeds_numpy", "seed_left", *before(f"        {DATA}", "np.random.seed(0)")),
    ("training_mode", "mode_left", *before(RETURN, "self.model.train()")),
    ("mode_of_parts", "mode_left", *before(RETURN, "self.model.train(self.model.training)")),
    ("eval_mode", "mode_left", *before(RETURN, "self.model.eval()")),
    (
        "backward",
        ("gradient_left", "raised"),
        f"return {CE}",
        f"loss = {CE}\n        loss.backward()\n        return loss",
    ),
    ("zero_grad", ("gradient_left", "gradient_cleared"), *before(RETURN, "self.model.zero_grad()")),
    ("frozen", ("requires_grad_left", "detached"), *before(RETURN, "self.model.requires_grad_(False)")),
    ("unfrozen", "requires_grad_left", *before(RETURN, "self.model.requires_grad_(True)")),
    ("float64_everywhere", "setting_left", *before(f"        {DATA}", "torch.set_default_dtype(torch.float64)")),
]
WRONG = [*VALUES, *INPUTS, *DRAWS, *LEFT]

# name, edit or edits
RIGHT = [
    ("data_drawn_twice", (DATA, f"self.data.sample(batch_size)\n        {DATA}")),
    ("shape_looked_up", (DATA, f"shape = self.data.sample(1)[0].shape\n        {DATA}")),
    ("nll", (CE, "nn.functional.nll_loss(nn.functional.log_softmax(self.model(x, t), dim=-1), y)")),
    ("copies", (DATA, "x0, y = (v.clone() for v in self.data.sample(batch_size))")),
    ("looks_at_the_logits", (f"return {CE}", f"print(self.model(x, t).mean().item())\n        return {CE}")),
    ("logits_in_float32", ("self.model(x, t), y)", "self.model(x, t).float(), y)")),
    ("data_in_float32", (DATA, f"{DATA}\n        x0 = x0.float()")),
    ("noised_in_float32", ("self.model(x, t)", "self.model(x.float(), t)")),
    ("noise_in_float32", (NOISE, "torch.randn(x0.shape, device=x0.device)")),
    ("shuffled", (DATA, f"{DATA}\n        i = torch.randperm(len(y))\n        x0, y = x0[i], y[i]")),
    (
        "shuffled_after_the_noise",
        before(RETURN, "i = torch.randperm(len(y))\n        x, t, y = x[i], t[i], y[i]"),
    ),
    (
        "in_two_halves",
        (
            CE,
            "sum(nn.functional.cross_entropy(self.model(a, s), k, reduction='sum') for a, s, k in "
            "zip(x.tensor_split(2), t.tensor_split(2), y.tensor_split(2)) if len(k)) / batch_size",
        ),
    ),
    (
        "vmap",
        (CE, "torch.func.vmap(lambda z, k: -z.log_softmax(-1).gather(0, k[None])[0])(self.model(x, t), y).mean()"),
    ),
    (
        "einsum",
        (CE, "-torch.einsum('bc,bc->', self.model(x, t).log_softmax(1), nn.functional.one_hot(y, 3).to(x)) / len(y)"),
    ),
    ("mean_by_hand", (CE, f"{EACH}.sum().div(batch_size)")),
    (
        "numpy_noise",
        (NOISE, "torch.as_tensor(np.random.default_rng().normal(size=x0.shape), dtype=x0.dtype).to(x0.device)"),
    ),
    (
        "generator_with_a_fresh_seed",
        (
            NOISE,
            "torch.randn(x0.shape, generator=torch.Generator().manual_seed(int(torch.randint(2**62, ()))), "
            "dtype=x0.dtype).to(x0.device)",
        ),
    ),
    (
        "generator_kept",
        (
            NOISE,
            "torch.randn(x0.shape, generator=self.__dict__.setdefault('source', torch.Generator().manual_seed(0)), "
            "dtype=x0.dtype).to(x0.device)",
        ),
    ),
    ("noise_by_distribution", (NOISE, "torch.distributions.Normal(0.0, 1.0).sample(x0.shape).to(x0)")),
    ("noise_in_place", (NOISE, "torch.empty_like(x0).normal_()")),
]


def trainer(head: str, attributes: tuple[str, ...], body: str) -> str:
    """Return the source of a trainer.

    Args:
        head: The class and its base, such as `ClassifierTrainer(Trainer)`.
        attributes: What the trainer is built from, besides the model.
        body: The lines of `get_train_loss(self, batch_size)`, without indentation.
    """
    names = ", ".join(attributes)
    return (
        f"class {head}:\n"
        f"    def __init__(self, model, {names}):\n"
        "        super().__init__(model)\n"
        f"        {', '.join(f'self.{name}' for name in attributes)} = {names}\n\n"
        "    def get_train_loss(self, batch_size):\n"
    ) + textwrap.indent(body.strip("\n") + "\n", " " * 8)
