"""Exercise 4.3: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.lab4 import cfg_drift_kept_mutants  # noqa: F401
from autograder.exercises.lab4.cfg_drift_sources import ASK, BOTH, NULL, RIGHT, combine, drift

right, wrong = mutants_of("lab4.cfg_drift")

wrong("swapped", finds="scales_swapped", source=combine("w * u_null + (1 - w) * u_y"))
wrong("one_plus_w", finds="one_plus_w", source=combine("(1 + w) * u_y - w * u_null"))
wrong("missing_one_minus_w", finds="missing_one_minus_w", source=combine("u_null + w * u_y"))
wrong("only_difference", finds="only_the_difference", source=combine("w * (u_y - u_null)"))
wrong("only_conditional", finds="only_conditional", source=combine("u_y"))
wrong("scaled_conditional", finds="only_conditional", source=combine("w * u_y + 0 * u_null"))
wrong("only_unconditional", finds="only_unconditional", source=combine("u_null"))
wrong("minus", finds="wrong_sign", source=combine("u_null - w * (u_y - u_null)"))
wrong("null_is_zero", finds="wrong_null_label", source=combine(RIGHT, (NULL, "torch.zeros_like(y)")))
wrong("null_is_ten", finds="wrong_null_label", source=combine(RIGHT, (NULL, "torch.full_like(y, 10)")))
wrong(
    "clipped",
    finds="scale_clipped",
    source=drift("w = min(max(w, 0.0), 1.0)\n" + BOTH),
)
wrong("constant_scale", finds="scale_ignored", source=combine("u_null + 3.0 * (u_y - u_null)"))
wrong(
    "halves_swapped",
    finds="scales_swapped",
    source=drift(
        "both = self.net(torch.cat([x, x]), torch.cat([t, t]), torch.cat([null, y]))\n"
        "u_y, u_null = both.chunk(2)\nreturn (1 - w) * u_null + w * u_y"
    ),
)
wrong(
    "labels_in_place",
    finds="input_altered",
    source=drift("u_y = self.net(x, t, y)\ny.fill_(self.null_label)\nreturn (1 - w) * self.net(x, t, y) + w * u_y"),
)
wrong("float_labels", finds="label_dtype", source=combine(RIGHT, ("self.net(x, t, y)", "self.net(x, t, y.double())")))
wrong(
    "one_null_for_all",
    finds="label_shape",
    source=combine(RIGHT, (NULL, "torch.tensor([self.null_label], device=x.device)")),
)
wrong(
    "null_without_axis",
    finds="label_shape",
    source=combine(RIGHT, (NULL, "torch.tensor(self.null_label, device=x.device)")),
)
wrong("result_on_the_cpu", finds="hard_coded_device", source=combine(f"({RIGHT}).cpu()"))
wrong("flat_time", finds="time_shape", source=combine(RIGHT, ("self.net(x, t, y)", "self.net(x, t.flatten(), y)")))
wrong(
    "on_the_cpu",
    finds="hard_coded_device",
    source=drift(
        "null = torch.full((len(y),), self.null_label)\n"
        "both = self.net(torch.cat([x, x]), torch.cat([t, t]), torch.cat([null, y]))\n"
        "u_null, u_y = both.chunk(2)\nreturn (1 - w) * u_null + w * u_y"
    ),
)
wrong("blank", finds="not_implemented", source=drift("raise NotImplementedError()"))
wrong("returns_none", finds="returned_none", source=combine("None"))
wrong("scale_rounded", finds="scale_altered", source=combine("(1 - int(w)) * u_null + int(w) * u_y"))
wrong("scale_at_most_ten", finds="scale_altered", source=combine("(1 - min(w, 10)) * u_null + min(w, 10) * u_y"))
wrong("scale_without_sign", finds="scale_altered", source=combine("(1 - abs(w)) * u_null + abs(w) * u_y"))
wrong("half_precision", finds="wrong_dtype", source=combine("((1 - w) * u_null + w * u_y).half()"))
right("difference_form", source=combine("u_null + w * (u_y - u_null)"))
right("from_the_conditional", source=combine("u_y + (w - 1) * (u_y - u_null)"))
right(
    "doubled_batch",
    source=drift(
        "both = self.net(torch.cat([x, x]), torch.cat([t, t]), torch.cat([y, null]))\n"
        "u_y, u_null = both.chunk(2)\nreturn (1 - w) * u_null + w * u_y"
    ),
)
right("lerp", source=combine("torch.lerp(u_null, u_y, w)"))
right("own_null", source=combine(RIGHT, (NULL, "y * 0 + self.null_label")))
right(
    "one_call_where_it_is_enough",
    source=drift(
        "if w == 1:\n    return self.net(x, t, y)\nif w == 0:\n    return self.net(x, t, null)\n"
        "return (1 - w) * self.net(x, t, null) + w * self.net(x, t, y)"
    ),
)

# --- limits and other inputs

wrong("minus_at_both", finds="wrong_sign", source=combine("w * u_y + (w - 1) * u_null"))
wrong("all_backwards", finds="wrong_sign", source=combine("-((1 - w) * u_null + w * u_y)"))
wrong("conditional_plus_difference", finds="one_plus_w", source=combine("u_y + w * (u_y - u_null)"))
wrong("weights_of_the_label_only", finds="missing_one_minus_w", source=combine("u_y + w * u_null"))
wrong("average", finds="scale_ignored", source=combine("(u_y + u_null) / 2"))
wrong("scale_squared", finds=("scale_altered", "wrong_drift"), source=combine("u_null + w**2 * (u_y - u_null)"))
wrong("scale_in_hundredths", finds="scale_altered", source=combine("u_null + round(w, 2) * (u_y - u_null)"))
wrong("scale_by_t", finds="wrong_drift", source=combine("u_null + w * t * (u_y - u_null)"))
wrong(
    "label_zero_is_no_label",
    finds="label_not_heard",
    source=combine(RIGHT, ("u_y, u_null =", "y = torch.where(y > 0, y, null)\nu_y, u_null =")),
)
wrong(
    "last_label_is_no_label",
    finds=("label_not_heard", "wrong_drift"),
    source=combine(
        RIGHT,
        (
            "u_y, u_null =",
            "y = torch.where(y < y[y != null].max() if (y != null).any() else y == y, y, null)\nu_y, u_null =",
        ),
    ),
)
wrong("labels_shifted", finds="other_label", source=combine(RIGHT, ("self.net(x, t, y)", "self.net(x, t, y + 1)")))
wrong("labels_rolled", finds="other_label", source=combine(RIGHT, ("self.net(x, t, y)", "self.net(x, t, y.roll(1))")))
wrong("null_is_minus_one", finds="wrong_null_label", source=combine(RIGHT, (NULL, "torch.full_like(y, -1)")))
wrong(
    "time_clamped",
    finds="time_clamped",
    source=combine(RIGHT, ("u_y, u_null =", "t = t.clamp(1e-3, 1 - 1e-3)\nu_y, u_null =")),
)
wrong(
    "time_clamped_a_little",
    finds="time_clamped",
    source=combine(RIGHT, ("u_y, u_null =", "t = t.clamp(1e-4, 1)\nu_y, u_null =")),
)
wrong("time_reversed", finds="other_time", source=combine(RIGHT, ("self.net(x, t, y)", "self.net(x, 1 - t, y)")))
wrong(
    "time_of_the_first",
    finds="other_time",
    source=combine(RIGHT, ("u_y, u_null =", "t = t[:1].expand_as(t)\nu_y, u_null =")),
)
wrong("x_clamped", finds="other_x", source=combine(RIGHT, ("u_y, u_null =", "x = x.clamp(-1, 1)\nu_y, u_null =")))
wrong(
    "noise_added",
    finds="other_x",
    source=combine(RIGHT, ("self.net(x, t, y)", "self.net(x + 1e-2 * torch.randn_like(x), t, y)")),
)
wrong("drift_clamped", finds=("wrong_drift", "scale_clipped"), source=combine(f"({RIGHT}).clamp(-3, 3)"))
wrong(
    "difference_normalised",
    finds="wrong_drift",
    source=combine("u_null + w * (u_y - u_null) / (u_y - u_null).norm().clamp(min=1e-8)"),
)
wrong(
    "rescaled",
    finds="wrong_drift",
    source=combine(f"({RIGHT}) * u_y.std() / ({RIGHT}).std().clamp(min=1e-8)"),
)
wrong(
    "never_guided_above_ten",
    finds=("scale_altered", "wrong_drift"),
    source=combine(RIGHT, ("u_y, u_null =", "w = w if w < 50 else 1.0\nu_y, u_null =")),
)
wrong(
    "guided_where_all_have_labels",
    finds="wrong_with_null",
    source=drift("if (y == null).any():\n    return self.net(x, t, y)\n" + BOTH),
)
wrong(
    "decided_by_the_first_label",
    finds="wrong_drift",
    source=drift(
        "if y[0] == self.null_label or y[0] == 0:\n    return self.net(x, t, y)\n"
        "return (1 - w) * self.net(x, t, null) + w * self.net(x, t, y)"
    ),
)

wrong("velocity_within_fifty", finds="wrong_far_away", source=combine(RIGHT.replace("u_null", "u_null.clamp(-50, 50)")))
wrong("x_within_fifty", finds="other_x", source=combine(RIGHT, (ASK, f"x = x.clamp(-50, 50)\n{ASK}")))
wrong(
    "guided_in_an_interval",
    finds="wrong_drift",
    source=combine(f"torch.where((t > 0.1) & (t < 0.9), {RIGHT}, u_y)"),
)
wrong("zero_means_off", finds="scale_altered", source=drift("if not w:\n    return self.net(x, t, y)\n" + BOTH))
wrong(
    "times_of_a_doubled_batch",
    finds="other_time",
    source=drift(
        "u = self.net(torch.cat([x, x]), t.repeat_interleave(2, 0), torch.cat([null, y])).chunk(2)\n"
        "return (1 - w) * u[0] + w * u[1]"
    ),
)

# --- kept from an earlier call, left behind

wrong(
    "unconditional_velocity_kept",
    finds=("kept_from_earlier_call",),
    source=drift(
        "if not hasattr(self, 'u') or self.u.shape != x.shape:\n    self.u = self.net(x, t, null)\n"
        "return (1 - w) * self.u + w * self.net(x, t, y)"
    ),
)
wrong(
    "first_batch_kept",
    finds=("raised", "kept_from_earlier_call"),
    source=drift(
        "if not hasattr(self, 'u'):\n    self.u = self.net(x, t, null)\nreturn (1 - w) * self.u + w * self.net(x, t, y)"
    ),
)
wrong(
    "null_labels_of_the_first_batch",
    finds=("label_shape", "raised"),
    source=drift(
        "if not hasattr(self, 'null'):\n    self.null = null\n"
        "return (1 - w) * self.net(x, t, self.null) + w * self.net(x, t, y)"
    ),
)
wrong(
    "labels_of_the_first_batch",
    finds=("other_label", "kept_from_earlier_call"),
    source=drift(
        "if not hasattr(self, 'y') or len(self.y) != len(y):\n    self.y = y\n"
        "return (1 - w) * self.net(x, t, null) + w * self.net(x, t, self.y)"
    ),
)
wrong(
    "time_of_the_first_call",
    finds=("other_time",),
    source=drift(
        "if not hasattr(self, 't') or len(self.t) != len(t):\n    self.t = t\n"
        "return (1 - w) * self.net(x, self.t, null) + w * self.net(x, self.t, y)"
    ),
)
wrong(
    "training_mode",
    finds="mode_left",
    source=drift("self.net.train()\n" + BOTH),
)
wrong(
    "seeded",
    finds="seed_left",
    source=drift("torch.manual_seed(0)\n" + BOTH),
)
wrong(
    "gradients_off",
    finds="setting_left",
    source=drift("torch.set_grad_enabled(False)\n" + BOTH),
)
wrong(
    "network_frozen",
    finds="requires_grad_left",
    source=drift("self.net.requires_grad_(False)\n" + BOTH),
)
wrong(
    "x_requires_grad",
    finds="requires_grad_left",
    source=drift("x.requires_grad_()\n" + BOTH),
)
wrong(
    "x_in_place",
    finds=("input_altered", "raised"),
    source=drift(
        "u_y, u_null = self.net(x, t, y), self.net(x, t, null)\nx.copy_((1 - w) * u_null + w * u_y)\nreturn x"
    ),
)

# --- right

right("float_result", source=combine("((1 - w) * u_null + w * u_y).float()"))
right(
    "scale_as_a_float32_tensor",
    source=combine(RIGHT, ("w = self.guidance_scale", "w = torch.tensor(self.guidance_scale)")),
)
right(
    "scale_for_each_row",
    source=combine(
        RIGHT, ("w = self.guidance_scale", "w = torch.full((len(x), 1, 1, 1), self.guidance_scale, device=x.device)")
    ),
)
right(
    "scale_as_a_tensor_from_the_start",
    source=combine(
        RIGHT,
        (
            "self.net, self.guidance_scale, self.null_label = net, guidance_scale, null_label",
            "self.net, self.guidance_scale, self.null_label = net, torch.as_tensor(guidance_scale), null_label",
        ),
    ),
)
right("everything_to_float", source=combine(RIGHT, ("u_y, u_null =", "x, t = x.float(), t.float()\nu_y, u_null =")))
right("keyword_arguments", source=combine(RIGHT, ("self.net(x, t, y)", "self.net(y=y, x=x, t=t)")))
right("without_gradient", source=combine(RIGHT, ("u_y, u_null =", "with torch.no_grad():\n    u_y, u_null =")))
right("int_labels", source=combine(RIGHT, ("self.net(x, t, y)", "self.net(x, t, y.int())")))
right(
    "by_einsum",
    source=combine(
        "torch.einsum('k,kbchw->bchw', torch.tensor([1 - w, w], dtype=u_y.dtype, device=x.device), "
        "torch.stack([u_null, u_y]))"
    ),
)
right("addition_in_place", source=combine("(w * u_y).add_((1 - w) * u_null)"))
right("sum_of_products", source=combine("sum(k * u for k, u in zip((1 - w, w), (u_null, u_y)))"))
right(
    "only_where_it_counts",
    source=drift(
        "u = self.net(x, t, null)\nguided = y != self.null_label\nif guided.any():\n    u = u.clone()\n"
        "    u[guided] += w * (self.net(x[guided], t[guided], y[guided]) - u[guided])\nreturn u"
    ),
)
right(
    "row_by_row",
    source=drift(
        "rows = []\nfor i in range(len(x)):\n    a = x[i : i + 1], t[i : i + 1]\n"
        "    u = self.net(*a, null[i : i + 1])\n    rows.append(u + w * (self.net(*a, y[i : i + 1]) - u))\n"
        "return torch.cat(rows)"
    ),
)
right(
    "in_another_order",
    source=drift(
        "order = torch.randperm(len(x)).to(x.device)\nback = order.argsort()\n"
        "u_y = self.net(x[order], t[order], y[order])[back]\nu_null = self.net(x, t, null)\n"
        "return (1 - w) * u_null + w * u_y"
    ),
)
right(
    "subclass_with_a_helper",
    source="""
class Guided(ODE):
    def velocity(self, x, t, y):
        return self.net(x, t, y)


class CFGVectorFieldODE(Guided):
    def __init__(self, net, guidance_scale, null_label):
        self.net, self.guidance_scale, self.null_label = net, guidance_scale, null_label

    def drift_coefficient(self, x, t, y, **kwargs):
        plain = self.velocity(x, t, torch.empty_like(y).fill_(self.null_label))
        return plain + self.guidance_scale * (self.velocity(x, t, y) - plain)
""",
)
right(
    "as_a_module",
    source="""
class CFGVectorFieldODE(ODE, nn.Module):
    def __init__(self, net, guidance_scale, null_label):
        nn.Module.__init__(self)
        self.net = net
        self.guidance_scale, self.null_label = guidance_scale, null_label

    def drift_coefficient(self, x, t, y):
        xx, tt, yy = x.repeat(2, 1, 1, 1), t.repeat(2, 1, 1, 1), torch.cat([torch.full_like(y, self.null_label), y])
        u_null, u_y = self.net(xx, tt, yy).chunk(2)
        return u_null + self.guidance_scale * (u_y - u_null)
""",
)
right("nothing_that_is_not_needed", source=drift("if w == 1:\n    return self.net(x, t, y)\n" + BOTH))
right(
    "labelled_rows_only",
    source=drift(
        "u = self.net(x, t, null)\nasked = y != self.null_label\nguided = u.clone()\nif asked.any():\n"
        "    guided[asked] = (1 - w) * u[asked] + w * self.net(x[asked], t[asked], y[asked])\nreturn guided"
    ),
)
wrong("unfrozen", finds="requires_grad_left", source=drift("self.net.requires_grad_()\n" + BOTH))
wrong("limited_without_null", finds="wrong_without_null", source=drift(
    "if not bool((y == self.null_label).any()):\n    w = min(w, 5.0)\n" + BOTH))  # fmt: skip
wrong("null_batch_scaled", finds="wrong_drift", source=drift(
    "if bool((y == self.null_label).all()):\n    return w * self.net(x, t, y)\n" + BOTH))  # fmt: skip
wrong("unguided_if_all_at_zero", finds="samples_mixed", source=drift(
    "if not bool(t.any()):\n    w = 1.0\n" + BOTH))  # fmt: skip
for name, decides in (
    ("first_label_decides", "y[0] == self.null_label"),
    ("last_label_decides", "y[-1] == self.null_label"),
    ("most_labels_decide", "(y == null).float().mean() > 0.5"),
):
    wrong(
        name, finds="wrong_where_most_are_null", source=drift(f"if {decides}:\n    return self.net(x, t, null)\n{BOTH}")
    )
for name, label in (
    ("label_below_null_is_null", "torch.where(y == self.null_label - 1, null, y)"),
    ("labels_above_null_are_null", "y.clamp(max=self.null_label)"),
):
    wrong(name, finds="label_not_heard", source=drift(BOTH.replace("t, y)", f"t, {label})")))
wrong("null_label_of_the_class", finds="wrong_null_label", source=drift(
    "first = CFGVectorFieldODE.__dict__.get('kept', self.null_label)\nCFGVectorFieldODE.kept = first\n"
    "null = torch.full_like(y, first)\n" + BOTH))  # fmt: skip
wrong("scale_in_half_precision", finds="scale_altered", source=drift("w = float(np.float16(w))\n" + BOTH))
wrong("gradients_cleared", finds="gradient_cleared", source=drift("self.net.zero_grad()\n" + BOTH))
wrong("gradients_zeroed", finds="gradient_cleared", source=drift(
    "for p in self.net.parameters():\n    if p.grad is not None:\n        p.grad.zero_()\n" + BOTH))  # fmt: skip

# --- channels, and how often the network is evaluated

for channels in (1, 2, 3, 4, 5):  # as in DiT, whose other channels are a variance
    wrong(f"first_{channels}_channels_guided", finds="wrong_for_channels", source=combine(
        f"torch.cat([({RIGHT})[:, :{channels}], u_y[:, {channels}:]], 1)"))  # fmt: skip
wrong("half_of_the_channels_guided", finds="wrong_for_channels", source=combine(
    f"torch.cat([({RIGHT})[:, : -(-x.shape[1] // 2)], u_null[:, -(-x.shape[1] // 2) :]], 1)"))  # fmt: skip
wrong("difference_of_the_mean_channel", finds="wrong_for_channels", source=combine(
    "u_null + w * (u_y - u_null).mean(1, keepdim=True)"))  # fmt: skip
wrong("null_velocity_twice", finds="too_many_evaluations", source=combine("u_null + w * (u_y - self.net(x, t, null))"))
wrong("called_for_the_shape", finds="too_many_evaluations", source=drift(
    "out = torch.empty_like(self.net(x, t, y))\nreturn out.copy_(\n"
    "    (1 - w) * self.net(x, t, null) + w * self.net(x, t, y))"))  # fmt: skip
