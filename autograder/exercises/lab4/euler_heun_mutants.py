"""Exercise 4.4: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab4.euler_heun")

E = "return x + h * self.ode.drift_coefficient(x, t, **kwargs)"
H = "return x + h / 2 * (here + there)"
T = "there = self.ode.drift_coefficient(x + h * here, t + h, **kwargs)"

wrong(
    "digits_lost",
    finds="wrong_dtype",
    edit=(
        E,
        E.replace("return x + ", "return x.float() + ")
        .replace("h *", "h.float() *")
        .replace("**kwargs)", "**kwargs).float()"),
    ),
)
wrong("euler_increment", finds="only_the_increment", edit=(E, E.replace("x + h", "h")))
wrong("euler_without_h", finds="no_step_size", edit=(E, E.replace("h * ", "")))
wrong("euler_minus", finds="wrong_sign", edit=(E, E.replace("+", "-")))
wrong("euler_h_is_t", finds="step_is_time", edit=(E, E.replace("h *", "t *")))
wrong("euler_right_endpoint", finds="slope_at_the_end", edit=(E, E.replace("(x, t,", "(x, t + h,")))
wrong(
    "euler_midpoint",
    finds="midpoint",
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
    finds="heun_instead",
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
