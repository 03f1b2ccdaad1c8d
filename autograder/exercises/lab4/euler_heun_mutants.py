"""Exercise 4.4: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.lab4 import euler_heun_ends_mutants  # noqa: F401
from autograder.exercises.lab4.euler_heun_sources import SLOPE, A, E, H, T

right, wrong = mutants_of("lab4.euler_heun")


wrong("euler_increment", finds="only_the_increment", edit=(E, E.replace("x + h", "h")))
wrong("euler_without_h", finds="no_step_size", edit=(E, E.replace("h * ", "")))
wrong("euler_minus", finds="wrong_sign", edit=(E, E.replace("+", "-")))
wrong("euler_h_is_t", finds="step_is_time", edit=(E, E.replace("h *", "t *")))
wrong("euler_right_endpoint", finds="other_time", edit=(E, E.replace("(x, t,", "(x, t + h,")))
wrong(
    "euler_midpoint",
    finds="one_slope",
    edit=(
        E,
        "half = x + h / 2 * self.ode.drift_coefficient(x, t, **kwargs)\n"
        "        return x + h * self.ode.drift_coefficient(half, t + h / 2, **kwargs)",
    ),
)
wrong(
    "euler_in_place",
    finds="input_altered",
    edit=(E, "x += h * self.ode.drift_coefficient(x, t, **kwargs)\n        return x"),
)
wrong("euler_first_h", finds="wrong_step", edit=(E, E.replace("h *", "h[:1] *")))
wrong("labels_lost", finds="labels_lost", edit=[(E, E.replace(", **kwargs", "")), (T, T.replace(", **kwargs", ""))])
wrong("heun_labels_lost_at_the_end", finds="labels_lost", edit=(T, T.replace(", **kwargs", "")))
wrong(
    "euler_is_heun",
    finds=("one_slope", "heun_instead"),
    edit=(
        E,
        "here = self.ode.drift_coefficient(x, t, **kwargs)\n"
        "        there = self.ode.drift_coefficient(x + h * here, t + h, **kwargs)\n"
        "        return x + h / 2 * (here + there)",
    ),
)
wrong("heun_is_euler", finds="euler_instead", edit=(H, "return x + h * here"))
wrong(
    "heun_is_midpoint",
    finds="midpoint",
    edit=[
        (T, "there = self.ode.drift_coefficient(x + h / 2 * here, t + h / 2, **kwargs)"),
        (H, "return x + h * there"),
    ],
)
wrong("heun_not_averaged", finds="not_averaged", edit=(H, "return x + h * (here + there)"))
wrong("heun_same_time", finds="second_slope_at_t", edit=(T, T.replace("t + h", "t")))
wrong("heun_same_place", finds="second_slope_at_x", edit=(T, T.replace("x + h * here", "x")))
wrong(
    "heun_from_the_trial",
    finds="mean_added_to_the_prediction",
    edit=(H, "return x + h * here + h / 2 * (here + there)"),
)
wrong("heun_last_slope", finds="slope_at_the_end", edit=(H, "return x + h * there"))
wrong("heun_half_trial", finds="half_prediction", edit=(T, T.replace("h * here", "h / 2 * here")))
wrong("heun_quarter", finds="half_step", edit=(H, "return x + h / 4 * (here + there)"))
wrong("blank", finds="not_implemented", edit=[(E, "raise NotImplementedError()"), (H, "raise NotImplementedError()")])
wrong(
    "no_heun",
    finds="missing_name",
    source="""
class EulerSimulator(Simulator):
    def step(self, x, t, h, **kwargs):
        return x + h * self.ode.drift_coefficient(x, t, **kwargs)
""",
)
wrong(
    "on_the_cpu",
    finds="hard_coded_device",
    edit=[(E, E + " + torch.zeros(1, device='cpu').expand(len(x)).reshape(t.shape)")],
)
wrong("result_on_the_cpu", finds="hard_coded_device", edit=(E, f"return ({E[7:]}).cpu()"))
right("heun_as_mean_of_two_euler_steps", edit=(H, "return (x + h * here + x + h * there) / 2"))
right(
    "corrected_trial",
    edit=[
        (T, "trial = x + h * here\n        there = self.ode.drift_coefficient(trial, t + h, **kwargs)"),
        (H, "return trial + h / 2 * (there - here)"),
    ],
)
right("addcmul", edit=(E, "return torch.addcmul(x, h.expand_as(x), self.ode.drift_coefficient(x, t, **kwargs))"))
right("torch_stack", edit=(H, "return x + h * torch.stack([here, there]).mean(dim=0)"))
right(
    "explicit_label",
    source="""
class EulerSimulator(Simulator):
    def step(self, x, t, h, y=None, **kwargs):
        if y is not None:
            kwargs["y"] = y
        return self.ode.drift_coefficient(x, t, **kwargs) * h + x


class HeunSimulator(EulerSimulator):
    def step(self, x, t, h, **kwargs):
        trial = super().step(x, t, h, **kwargs)
        return 0.5 * (x + super().step(trial, t + h, h, **kwargs)) if False else (
            trial - 0.5 * h * self.ode.drift_coefficient(x, t, **kwargs)
            + 0.5 * h * self.ode.drift_coefficient(trial, t + h, **kwargs))
""",
)
right(
    "in_float32",
    edit=(
        E,
        E.replace("return x + ", "return x.float() + ")
        .replace("h *", "h.float() *")
        .replace("**kwargs)", "**kwargs).float()"),
    ),
)

# --- more wrong answers

wrong("euler_half_h", finds=("half_step", "wrong_step"), edit=(E, E.replace("h *", "h / 2 *")))
wrong("euler_h_without_sign", finds="wrong_backwards", edit=(E, E.replace("h *", "h.abs() *")))
wrong("euler_mean_h", finds="wrong_step", edit=(E, E.replace("h *", "h.mean() *")))
wrong("euler_h_at_most_half", finds="wrong_step", edit=(E, E.replace("h *", "h.clamp(-0.5, 0.5) *")))
wrong("euler_time_clamped", finds="other_time", edit=(E, E.replace("(x, t,", "(x, t.clamp(1e-3, 1 - 1e-3),")))
wrong("euler_drift_clamped", finds="wrong_step", edit=(E, E.replace("**kwargs)", "**kwargs).clamp(-0.8, 0.8)")))
wrong(
    "euler_state_clamped",
    finds="wrong_step",
    edit=(E, "return (x + h * self.ode.drift_coefficient(x, t, **kwargs)).clamp(-1, 1)"),
)
LABELS_ONLY = "**{k: v for k, v in kwargs.items() if k == 'y'}"
wrong("euler_labels_only", finds="keywords_lost", edit=(E, E.replace("**kwargs", LABELS_ONLY)))
wrong("heun_labels_only", finds="keywords_lost", edit=(T, T.replace("**kwargs", LABELS_ONLY)))
wrong(
    "euler_slope_kept",
    finds=("drift_calls", "kept_from_earlier_call"),
    edit=(
        E,
        "if not hasattr(self, 'u') or self.u.shape != x.shape:\n"
        "            self.u = self.ode.drift_coefficient(x, t, **kwargs)\n        return x + h * self.u",
    ),
)
wrong(
    "euler_first_step_size_kept",
    finds="kept_from_earlier_call",
    edit=(
        E,
        "if not hasattr(self, 'h') or self.h.shape != h.shape:\n            self.h = h\n        "
        + E.replace("h *", "self.h *"),
    ),
)
wrong(
    "heun_last_slope_kept",
    finds=("drift_calls", "kept_from_earlier_call", "first_slope_missing", "wrong_step"),
    edit=[
        (
            "here = self.ode.drift_coefficient(x, t, **kwargs)",
            "here = self.ode.drift_coefficient(x, t, **kwargs)\n"
            "        here = self.last if getattr(self, 'last', x[:0]).shape == x.shape else here",
        ),
        (H, "self.last = there\n        " + H),
    ],
)
wrong("heun_time_clamped", finds="slope_between", edit=(T, T.replace("t + h", "(t + h).clamp(max=1 - 1e-3)")))
wrong(
    "heun_two_half_steps",
    finds=("midpoint", "other_time"),
    edit=[
        (T, "half = x + h / 2 * here"),
        (H, "return half + h / 2 * self.ode.drift_coefficient(half, t + h / 2, **kwargs)"),
    ],
)
wrong(
    "heun_ralston",
    finds="slope_between",
    edit=[
        (T, T.replace("x + h * here, t + h", "x + 2 / 3 * h * here, t + 2 / 3 * h")),
        (H, "return x + h * (here / 4 + 3 / 4 * there)"),
    ],
)
wrong("heun_weights", finds="wrong_step", edit=(H, "return x + h * (here / 3 + 2 / 3 * there)"))
wrong("heun_geometric_mean", finds=("wrong_step", "not_finite"), edit=(H, "return x + h * (here * there).abs().sqrt()"))
wrong("heun_mean_over_the_batch", finds="wrong_step", edit=(H, "return x + h * torch.stack([here, there]).mean()"))
wrong("heun_trial_without_h", finds="wrong_step", edit=(T, T.replace("x + h * here", "x + here")))
wrong("heun_trial_backwards", finds="wrong_step", edit=(T, T.replace("x + h * here", "x - h * here")))
wrong(
    "heun_euler_for_the_last_step",
    finds="wrong_step",
    edit=(H, "return torch.where(t + h >= 1, x + h * here, x + h / 2 * (here + there))"),
)
wrong(
    "heun_first_sample_decides",
    finds="wrong_step",
    edit=(H, "if t.flatten()[0] == 0:\n            return x + h * here\n        " + H),
)
wrong("euler_seeded", finds="seed_left", edit=(E, "torch.manual_seed(0)\n        " + E))
wrong("euler_gradients_off", finds="setting_left", edit=(E, "torch.set_grad_enabled(False)\n        " + E))
wrong("euler_x_requires_grad", finds="requires_grad_left", edit=(E, "x.requires_grad_()\n        " + E))
wrong(
    "euler_half_precision",
    finds="wrong_dtype",
    edit=(E, "return (x + h * self.ode.drift_coefficient(x, t, **kwargs)).half()"),
)
wrong(
    "euler_time_in_place",
    finds="input_altered",
    edit=(E, "drift = self.ode.drift_coefficient(x, t, **kwargs)\n        t += h\n        return x + h * drift"),
)
wrong("euler_returns_a_pair", finds="not_a_tensor", edit=(E, E + ", t + h"))
wrong(
    "euler_flat",
    finds="wrong_shape",
    edit=(E, "return (x + h * self.ode.drift_coefficient(x, t, **kwargs)).flatten(1)[:, None]"),
)

wrong(
    "euler_state_within_fifty",
    finds="wrong_step",
    edit=(E, "return (x + h * self.ode.drift_coefficient(x, t, **kwargs)).clamp(-50, 50)"),
)
wrong("euler_drift_within_fifty", finds="wrong_step", edit=(E, E.replace("**kwargs)", "**kwargs).clamp(-50, 50)")))
wrong(
    "heun_trial_within_fifty", finds="wrong_step", edit=(T, T.replace("x + h * here", "(x + h * here).clamp(-50, 50)"))
)
wrong("heun_second_time_is_h", finds="slope_between", edit=(T, T.replace("t + h", "h")))
wrong("heun_half_of_the_last_slope", finds="wrong_step", edit=(H, "return x + h / 2 * there"))
wrong("heun_h_squared", finds="wrong_step", edit=(H, "return x + h * h / 2 * (here + there)"))
wrong("heun_weights_swapped", finds="wrong_step", edit=(H, "return x + h * (2 / 3 * here + there / 3)"))
wrong(
    "heun_corrected_twice",
    finds="wrong_step",
    edit=(
        H,
        "new = x + h / 2 * (here + there)\n"
        "        return x + h / 2 * (here + self.ode.drift_coefficient(new, t + h, **kwargs))",
    ),
)
wrong(
    "heun_euler_for_a_step_to_one",  # as in samplers whose field has no value at the end
    finds="wrong_step",
    edit=(H, "if bool((t + h >= 1).all()):\n            return x + h * here\n        " + H),
)
wrong(
    "heun_euler_for_a_step_from_zero",
    finds="wrong_step",
    edit=(H, "if bool((t == 0).all()):\n            return x + h * here\n        " + H),
)
wrong("euler_mean_time", finds="other_time", edit=(E, E.replace("(x, t,", "(x, t.mean().expand_as(t),")))
wrong("euler_time_of_the_first", finds="time_shape", edit=(E, E.replace("(x, t,", "(x, t.flatten()[0],")))
wrong("euler_with_noise", finds="wrong_step", edit=(E, E + " + h.abs().sqrt() * torch.randn_like(x)"))
wrong("euler_all_the_way", finds="wrong_step", edit=(E, E.replace("h *", "(1 - t) *")))

# --- more right answers

right(
    "euler_one_sample_at_a_time",
    edit=(
        E,
        "rows = [slice(i, i + 1) for i in range(len(x))]\n        return torch.cat([\n            x[i] + h[i] * "
        "self.ode.drift_coefficient(x[i], t[i], **{k: v[i] if torch.is_tensor(v) else v for k, v in kwargs.items()})\n"
        "            for i in rows\n        ])",
    ),
)
right(
    "heun_one_sample_at_a_time",
    edit=(
        "here = self.ode.drift_coefficient(x, t, **kwargs)",
        "if len(x) > 1:\n            return torch.cat([\n                self.step(x[i:i + 1], t[i:i + 1], h[i:i + 1], "
        "**{k: v[i:i + 1] if torch.is_tensor(v) else v for k, v in kwargs.items()})\n"
        "                for i in range(len(x))\n            ])\n"
        "        here = self.ode.drift_coefficient(x, t, **kwargs)",
    ),
)
right(
    "heun_in_float32",
    edit=(
        "here = self.ode.drift_coefficient(x, t, **kwargs)",
        "x, t, h = x.float(), t.float(), h.float()\n        here = self.ode.drift_coefficient(x, t, **kwargs)",
    ),
)

right(
    "state_kept_for_a_plot",
    edit=(E, "self.last = (x + h * self.ode.drift_coefficient(x, t, **kwargs)).detach()\n        return self.last"),
)
right(
    "without_gradient",
    edit=(
        E,
        "with torch.no_grad():\n            slope = self.ode.drift_coefficient(x, t, **kwargs)\n"
        "        return x + h * slope",
    ),
)
right("by_keywords", edit=(E, E.replace("(x, t, **kwargs)", "(x=x, t=t, **kwargs)")))
right("lerp", edit=(H, "return torch.lerp(x + h * here, x + h * there, 0.5)"))
right(
    "einsum",
    edit=(
        H,
        "return x + h * torch.einsum('k,k...->...', torch.full((2,), 0.5, dtype=x.dtype, device=x.device), "
        "torch.stack([here, there]))",
    ),
)
right(
    "in_place_on_a_copy",
    edit=(E, "new = x.clone()\n        new += h * self.ode.drift_coefficient(x, t, **kwargs)\n        return new"),
)
right("slopes_in_a_list", edit=(H, "slopes = [here, there]\n        return x + h * sum(slopes) / len(slopes)"))
right("h_with_the_shape_of_x", edit=(E, "h = h.expand_as(x)\n        " + E))
right("one_more_slope_for_a_print", edit=(H, "print(self.ode.drift_coefficient(x, t, **kwargs).norm())\n        " + H))
right(
    "helper_function",
    source="""
def slope(simulator, x, t, kwargs):
    return simulator.ode.drift_coefficient(x, t, **kwargs)


class EulerSimulator(Simulator):
    def step(self, x, t, h, **kwargs):
        return x + slope(self, x, t, kwargs) * h


class HeunSimulator(Simulator):
    def step(self, x, t, h, **kwargs):
        k1 = slope(self, x, t, kwargs)
        k2 = slope(self, x + k1 * h, t + h, kwargs)
        return x + 0.5 * h * k1 + 0.5 * h * k2
""",
)
wrong("end_at_the_start_where_all_are_alike", finds="second_slope_at_t", edit=(
    T, "later = t if len(h) > 1 and bool((h == h[:1]).all()) else t + h\n"
    "        " + T.replace("t + h", "later")))  # fmt: skip

wrong("euler_slope_scaled_in_place", finds="slope_altered", edit=(E, f"return {SLOPE}.mul_(h).add_(x)"))
wrong("euler_slope_times_h_in_place", finds="slope_altered", edit=(
    E, f"slope = {SLOPE}\n        slope *= h\n        return x + slope"))  # fmt: skip
wrong("heun_slopes_added_in_place", finds="slope_altered", edit=(H, "here += there\n        return x + h * here / 2"))
wrong("heun_last_slope_in_place", finds="slope_altered", edit=(
    H, "return there.add_(here).mul_(h / 2).add_(x)"))  # fmt: skip
wrong("euler_slope_kept_for_x", finds="drift_calls", edit=(
    E, "if getattr(self, 'at', None) is not x:\n"
    f"            self.at, self.slope = x, {SLOPE}\n        return x + h * self.slope"))  # fmt: skip
wrong("heun_slope_kept_for_x", finds="drift_calls", edit=(
    A, "if getattr(self, 'at', None) is not x:\n"
    f"            self.at, self.slope = x, {SLOPE}\n        here = self.slope"))  # fmt: skip
wrong("heun_slope_kept_for_the_numbers", finds="drift_calls", edit=(
    A, "new = [value.detach().clone() for value in (x, t, *kwargs.values()) if torch.is_tensor(value)]\n"
    "        old = getattr(self, 'old', [])\n"
    "        if len(old) != len(new) or not all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(old, new)):\n"
    f"            self.old, self.slope = new, {SLOPE}\n        here = self.slope"))  # fmt: skip
wrong("euler_rests_on_x", finds="same_tensor", edit=(E, "if (h == 0).all():\n            return x\n        " + E))
wrong("heun_rests_on_x", finds="same_tensor", edit=(A, "if not h.any():\n            return x\n        " + A))
wrong("euler_forgets_x_at_rest", finds="moved_by_zero", edit=(
    E, "if not h.any():\n            return torch.zeros_like(x)\n        " + E))  # fmt: skip
right("rests_on_a_copy", edit=(E, "if (h == 0).all():\n            return x.clone()\n        " + E))
right("in_place_on_own_products", edit=(E, f"return (h * {SLOPE}).add_(x)"))

# --- keyword arguments, shapes, what is kept, digits

NEW = {"euler": [E], "heun": [A, T]}  # the lines of each method that call the drift
for short, lines in NEW.items():
    for name, code, before, passed in (
        ("labels_or_none", "raised", "y = kwargs.pop('y', None)", "y=y, **kwargs"),
        ("by_position", "raised", "", "*kwargs.values()"),
        ("labels_by_position", "raised", "y = [kwargs.pop('y')] if 'y' in kwargs else []", "*y, **kwargs"),
        ("none_dropped", "keywords_changed", "kwargs = {k: v for k, v in kwargs.items() if v is not None}", "**kwargs"),
        ("tensors_only", "keywords_changed", "kwargs = {k: v for k, v in kwargs.items() if torch.is_tensor(v)}",
         "**kwargs"),
        ("zeros_dropped", "keywords_changed",
         "kwargs = {k: v for k, v in kwargs.items() if torch.is_tensor(v) or v is None or v}", "**kwargs"),
        ("all_as_tensors", "raised", "kwargs = {k: torch.as_tensor(v) for k, v in kwargs.items()}", "**kwargs"),
        ("numbers_as_tensors", "keywords_changed",
         "kwargs = {k: v if v is None else torch.as_tensor(v) for k, v in kwargs.items()}", "**kwargs"),
    ):  # fmt: skip
        new = [line.replace("**kwargs", passed) for line in lines]
        new[0] = f"{before}\n        {new[0]}" if before else new[0]
        wrong(f"{short}_{name}", finds=code, edit=list(zip(lines, new, strict=True)))

wrong(
    "euler_flat_rows",
    finds="raised",
    edit=(E, f"way = h.flatten()[:, None] * {SLOPE}.flatten(1)\n        return (x.flatten(1) + way).reshape(x.shape)"),
)
wrong("euler_by_view", finds="raised", edit=(
    E, f"way = h.reshape(-1, 1) * {SLOPE}.reshape(len(x), -1)\n"
    "        return (x.view(len(x), -1) + way).view(x.shape)"))  # fmt: skip
wrong("euler_starts_where_it_ended", finds="kept_from_earlier_call", edit=(
    E, "last = getattr(self, 'last', x[:0])\n        x = last if last.shape == x.shape else x\n"
    f"        self.last = x + h * {SLOPE}\n        return self.last.clone()"))  # fmt: skip
wrong("euler_way_in_half", finds="inexact", edit=(E, f"return x + (h.half() * {SLOPE}.half()).to(x.dtype)"))
wrong("heun_slopes_in_bfloat16", finds="inexact", edit=(
    H, "return x + h / 2 * (here.bfloat16() + there.bfloat16()).to(x.dtype)"))  # fmt: skip
wrong("euler_with_little_noise", finds="inexact", edit=(E, E + " + 1e-3 * h.abs().sqrt() * torch.randn_like(x)"))
right("no_keywords_at_rest", edit=(E, "if not kwargs:\n            return x + h * self.ode.drift_coefficient(x, t)\n"
    "        " + E))  # fmt: skip
