"""Exercise 3.8: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import function

right, wrong = mutants_of("lab3.what_guidance_samples")

TILT, ODE = "1 / ((1 - w) / S + w / s)", "S ** (1 - w) * s**w"
SDE = "(S * s - S ** (2 - 2 * w) * s ** (2 * w)) / ((S - s) * (2 * w - 1))"
for name, finds, edits in (
    ("swapped", ("sde_for_ode", "ode_for_sde"), [("return tilt, ode, sde", "return tilt, sde, ode")]),
    ("all_tilt", "tilt_for_ode", [(f"ode = {ODE}", "ode = tilt")]),
    ("sde_is_tilt", "tilt_for_sde", [(f"sde = {SDE}", "sde = tilt")]),
    ("order", ("tilt_for_ode", "ode_for_tilt", "sde_for_tilt"), [("return tilt, ode, sde", "return ode, tilt, sde")]),
    ("deviations", "root_for_variance", [("return tilt, ode, sde", "return tilt**0.5, ode**0.5, sde**0.5")]),
    ("tilt_added", "precisions_averaged", [(TILT, "1 / (1 / S + w / s)")]),
    ("tilt_averaged", "variances_averaged", [(TILT, "(1 - w) * S + w * s")]),
    ("exponents", "exponents_swapped", [(ODE, "S ** w * s ** (1 - w)")]),
    ("noise_forgotten", ("noise_forgotten", "wrong_sde"), [(SDE, "S ** (2 - 2 * w) * s ** (2 * w)")]),
    ("sde_sign", "wrong_sde", [("(S * s - S **", "(S * s + S **")]),
    ("sde_no_division", "wrong_sde", [(" / ((S - s) * (2 * w - 1))", "")]),
    ("sde_single_power", "wrong_sde", [("S ** (2 - 2 * w) * s ** (2 * w)", "S ** (1 - w) * s ** w")]),
    ("ode_root", ("wrong_ode", "root_for_variance"), [(ODE, "S ** ((1 - w) / 2) * s ** (w / 2)")]),
    ("examples_only", ("wrong_tilt", "wrong_sde", "tilt_for_ode", "sde_for_ode", "wrong_ode"),
     [("return tilt, ode, sde", "return 0.4, 0.0625, 0.26641")]),
    ("none", "returned_none", [("return tilt", "tilt")]),
):  # fmt: skip
    wrong(name, finds, edit=edits)
right("common_denominator", edit=[(TILT, "S * s / (s + w * (S - s))"), (ODE, "S * (s / S) ** w")])
right("logarithms", edit=[(ODE, "math.exp((1 - w) * math.log(S) + w * math.log(s))")])
right("factored", edit=[(SDE, "S * s * (1 - (s / S) ** (2 * w - 1)) / ((S - s) * (2 * w - 1))")])
right(
    "tensors",
    edit=[("return tilt, ode, sde", "return tuple(torch.tensor(v, dtype=torch.float64) for v in (tilt, ode, sde))")],
)
right("numerical", source=function("what_guidance_samples(S, s, w)", """
from scipy.integrate import quad

inverse = lambda r: (S + r) ** (2 * w - 2) * (s + r) ** (-2 * w)
ends = (0, s, S, float("inf"))
area = sum(quad(inverse, a, b, epsabs=1e-13, epsrel=1e-11)[0] for a, b in zip(ends, ends[1:]))
return (1 / ((1 - w) / S + w / s), S ** (1 - w) * s**w, S ** (2 - 2 * w) * s ** (2 * w) * area)
"""))  # fmt: skip
right("numpy", edit=[(ODE, "np.exp((1 - w) * np.log(S) + w * np.log(s))")])
