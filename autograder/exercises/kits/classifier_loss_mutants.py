"""Answers that the exercises about a noise-aware classifier's training loss share, in labs 1 and 3.

They are edits of a model answer whose `get_train_loss` ends in `return CE`, after `x0, y = …`, a time t and
`x = self.add_noise(…)`.
"""

from __future__ import annotations

import textwrap

CE = "nn.functional.cross_entropy(self.model(x, t), y)"
EACH = CE.replace(", y)", ", y, reduction='none')")
NOISE = "torch.randn_like(x0)"

# name, finding or findings, old, new
WRONG = [
    ("sum", "summed_batch", CE, CE.replace(", y)", ", y, reduction='sum')")),
    ("no_reduction", "no_reduction", CE, EACH),
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
    ("class_zero", "class_zero", "self.model(x, t), y)", "self.model(x, t), torch.zeros_like(y))"),
    ("label_smoothing", "smoothed", CE, CE.replace(", y)", ", y, label_smoothing=0.1)")),
    ("time_weighted", "time_weighted", CE, f"({EACH} * t.flatten()).mean()"),
    ("entropy", "entropy", CE, "(lambda z: -(z.softmax(-1) * z.log_softmax(-1)).sum(1).mean())(self.model(x, t))"),
    ("bits", "in_bits", CE, f"{CE} / math.log(2)"),
    ("clean", ("model_sees_clean", "not_noised"), "self.model(x, t)", "self.model(x0, t)"),
    ("time_zero", "time_zero", "self.model(x, t)", "self.model(x, torch.zeros_like(t))"),
    ("noise_uniform", "noise_law", NOISE, "torch.rand_like(x0)"),
    ("noise_shared", "noise_shared", NOISE, "torch.randn_like(x0[:1]).expand_as(x0)"),
    ("noise_repeated", "noise_shared", NOISE, "torch.randn_like(x0[..., :1]).expand_as(x0)"),
    ("noise_scaled", "noise_law", NOISE, f"2 * {NOISE}"),
    ("noise_a_little_weak", "noise_law", NOISE, f"0.9 * {NOISE}"),
    ("seeded", "seeded", "        x0, y = ", "        torch.manual_seed(0)\n        x0, y = "),
    ("detached", "detached", "self.model(x, t), y)", "self.model(x, t).detach(), y)"),
    ("no_grad", "detached", f"return {CE}", f"with torch.no_grad():\n            return {CE}"),
    ("data_in_place", ("data_altered", "not_the_data"), "        x = self", "        x0.mul_(0.5)\n        x = self"),
    ("python_float", ("not_a_tensor", "detached"), f"return {CE}", f"return {CE}.item()"),
    ("none", "returned_none", f"return {CE}", CE),
    (
        "double_draw",
        ("labels_shifted", "wrong_loss"),
        f"return {CE}",
        f"_, y = self.data.sample(batch_size)\n        return {CE}",
    ),
]

# name, edit
RIGHT = [
    ("nll", (CE, "nn.functional.nll_loss(nn.functional.log_softmax(self.model(x, t), dim=-1), y)")),
    ("copies", ("x0, y = self.data.sample(batch_size)", "x0, y = (v.clone() for v in self.data.sample(batch_size))")),
    ("looks_at_the_logits", (f"return {CE}", f"print(self.model(x, t).mean().item())\n        return {CE}")),
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
