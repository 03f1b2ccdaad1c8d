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
    ("exponents", "arguments_swapped", [(ODE, "S ** w * s ** (1 - w)")]),
    ("noise_forgotten", "noise_forgotten", [(SDE, "S ** (2 - 2 * w) * s ** (2 * w)")]),
    ("sde_sign", "wrong_sde", [("(S * s - S **", "(S * s + S **")]),
    ("sde_no_division", "wrong_sde", [(" / ((S - s) * (2 * w - 1))", "")]),
    ("sde_single_power", "wrong_sde", [("S ** (2 - 2 * w) * s ** (2 * w)", "S ** (1 - w) * s ** w")]),
    ("ode_root", "root_for_variance", [(ODE, "S ** ((1 - w) / 2) * s ** (w / 2)")]),
    ("examples_only", ("wrong_tilt", "wrong_sde", "tilt_for_ode", "sde_for_ode", "wrong_ode"),
     [("return tilt, ode, sde", "return 0.4, 0.0625, 0.26641")]),
    ("w_plus_one", "scale_plus_one", [(TILT, "1 / (-w / S + (1 + w) / s)")]),
    ("w_plus_one_everywhere", "scale_plus_one", [("    tilt =", "    w = w + 1\n    tilt =")]),
    ("class_alone", "wrong_tilt", [(TILT, "s / max(w, 1e-9)")]),
    ("data_to_the_w", "wrong_tilt", [(TILT, "1 / max(w / S + w / s, 1e-9)")]),
    ("precision", "precision_for_variance", [(TILT, "(1 - w) / S + w / s")]),
    ("ode_twice_the_rate", "rate_doubled", [(ODE, "S ** (2 - 2 * w) * s ** (2 * w)")]),
    ("ode_linear", "linear_in_w", [(ODE, "(1 - w) * S + w * s")]),
    ("ode_floor", ("wrong_ode", "imprecise_ode"), [(ODE, f"max({ODE}, 1e-3)")]),
    ("one_end", ("noise_alone", "wrong_sde"), [(SDE, "S * s / ((S - s) * (2 * w - 1))")]),
    ("sde_sign_of_w", "wrong_sde", [("(2 * w - 1)", "(2 * w + 1)")]),
    ("sde_ratio_upside_down", "wrong_sde", [(SDE, "S * s * (1 - (S / s) ** (2 * w - 1)) / ((S - s) * (2 * w - 1))")]),
    ("arguments", "arguments_swapped", [("    tilt =", "    S, s = s, S\n    tilt =")]),
    ("rounded", ("imprecise_ode", "wrong_ode"),
     [("return tilt, ode, sde", "return round(tilt, 3), round(ode, 3), round(sde, 3)")]),
    ("w_limited", "wrong_tilt", [("    tilt =", "    w = min(w, 5.0)\n    tilt =")]),
    ("half_taken_out", "near_half_sde",
     [("    sde =", "    w = w if abs(w - 0.5) > 0.1 else 0.61\n    sde =")]),
    ("dictionary", "not_three", [("return tilt, ode, sde", 'return {"tilt": tilt, "ode": ode, "sde": sde}')]),
    ("two_numbers", "not_three", [("return tilt, ode, sde", "return tilt, ode")]),
    ("default_dtype", "setting_left", [("    tilt =", "    torch.set_default_dtype(torch.float64)\n    tilt =")]),
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
right("an_array", edit=[("return tilt, ode, sde", "return np.array([tilt, ode, sde])")])
right("single", edit=[("return tilt, ode, sde", "return torch.tensor([tilt, ode, sde])")])
right("four_digits", edit=[("return tilt, ode, sde", 'return [float(f"{v:.4g}") for v in (tilt, ode, sde)]')])
right("named", edit=[
    ("def what", 'Three = __import__("collections").namedtuple("Three", "tilt ode sde")\n\n\ndef what'),
    ("return tilt, ode, sde", "return Three(tilt, ode, sde)"),
])  # fmt: skip
SOLVED = """
from scipy.integrate import solve_ivp

def slope(noise):
    def of(log_tau, U):
        tau = math.exp(log_tau)
        rate = (1 - w) / (S + tau) + w / (s + tau)
        return tau * (2 * rate * U - 1 if noise else rate * U)
    return of

ends = math.log(FAR), math.log(1e-6)
ode, sde = (
    solve_ivp(slope(noise), ends, [FAR], method="Radau", rtol=RTOL, atol=1e-12).y[0, -1] for noise in (False, True)
)
return 1 / ((1 - w) / S + w / s), ode, sde
"""
HEAD = "what_guidance_samples(S, s, w)"
right("solved", source=function(HEAD, SOLVED.replace("FAR", "1e6").replace("RTOL", "1e-7")))
right("solved_in_ratios", source=function(HEAD, """
from scipy.integrate import quad

alone = lambda r: (1 - w) / (S + r) + w / (s + r) - 1 / (1 + r)
log_ode = sum(quad(alone, a, b, epsabs=1e-11, epsrel=1e-11)[0] for a, b in ((0, s), (s, S), (S, float("inf"))))
q, p = s / S, 2 * w
area = quad(lambda v: v**-p, q, 1, epsabs=1e-13, epsrel=1e-11)[0] / (S - s)
return 1 / (1 / S + w * (1 / s - 1 / S)), math.exp(-log_ode), S * S * q**p * area
"""))  # fmt: skip
wrong("solved_from_too_near", ("imprecise_ode", "wrong_ode"),
      source=function(HEAD, SOLVED.replace("FAR", "1e3").replace("RTOL", "1e-7")))  # fmt: skip
wrong("euler", ("imprecise_ode", "wrong_ode", "imprecise_sde"), source=function(HEAD, """
far, steps = 1e4, 4000
ode = sde = far
taus = np.geomspace(far, 1e-4, steps)
for tau, after in zip(taus, taus[1:]):
    rate = (1 - w) / (S + tau) + w / (s + tau)
    ode, sde = ode + (after - tau) * rate * ode, sde + (after - tau) * (2 * rate * sde - 1)
return 1 / ((1 - w) / S + w / s), ode, sde
"""))  # fmt: skip
wrong("simulated", ("seed_left",), source=function(HEAD, """
torch.manual_seed(0)
taus = torch.logspace(4, -3, 300, dtype=torch.float64)
u, v = taus[0].sqrt() * torch.randn(2, 20000, dtype=torch.float64)
for tau, after in zip(taus, taus[1:]):
    h, rate = tau - after, (1 - w) / (S + tau) + w / (s + tau)
    u, v = u - h * rate * u / 2, v - h * rate * v + h.sqrt() * torch.randn_like(v)
return 1 / ((1 - w) / S + w / s), float(u.var()), float(v.var())
"""))  # fmt: skip
right("tensors_in_float32", source=function(HEAD, """
S, s = torch.tensor(S), torch.tensor(s)
ode = S ** (1 - w) * s**w
return 1 / ((1 - w) / S + w / s), ode, (S * s - ode**2) / ((S - s) * (2 * w - 1))
"""))  # fmt: skip
EARLY = "    tilt ="
for name, finds, line in (
    ("w_at_most_15", "wrong_tilt", "w = min(w, 15.0)"),
    ("ratio_at_most_8", ("wrong_tilt", "imprecise_tilt"), "s = max(s, S / 8)"),
    ("ratio_at_most_100", ("wrong_tilt", "imprecise_tilt"), "s = max(s, S / 100)"),
    ("nearly_0_is_0", ("wrong_tilt", "imprecise_tilt"), "w = 0.0 if w < 0.05 else w"),
    ("nearly_1_is_1", ("wrong_tilt", "imprecise_tilt"), "w = 1.0 if abs(w - 1) < 0.03 else w"),
    ("nearly_equal_is_equal", ("wrong_tilt", "imprecise_tilt"), "if S - s < 0.05 * S:\n        return S, S, S"),
):
    wrong(name, finds, edit=[(EARLY, f"    {line}\n{EARLY}")])
wrong("nearly_half_is_half", "near_half_sde", edit=[
    (f"sde = {SDE}", f"sde = {SDE} if abs(w - 0.5) > 0.02 else S * s * math.log(S / s) / (S - s)"),
])  # fmt: skip
right("exactly_half_is_half", edit=[
    (f"sde = {SDE}", f"sde = {SDE} if abs(w - 0.5) > 1e-6 else S * s * math.log(S / s) / (S - s)"),
])  # fmt: skip
OVERFLOWS = "S ** (2 - 2 * w) * s ** (2 * w) * (1 - (s / S) ** (1 - 2 * w)) / ((S - s) * (1 - 2 * w))"
for name, finds, edits in (
    ("powers_in_float32", "not_finite",
     [(EARLY, f"    S, s = torch.tensor(S), torch.tensor(s)\n{EARLY}"), (SDE, OVERFLOWS)]),
    ("powers_in_numpy_float32", "not_finite",
     [(EARLY, f"    S, s = np.float32(S), np.float32(s)\n{EARLY}"), (SDE, OVERFLOWS)]),
    ("cache_without_S", ("wrong_tilt", "imprecise_tilt"),
     [("def what", "DONE = {}\n\n\ndef what"),
      ("return tilt, ode, sde", "return DONE.setdefault((s, w), (tilt, ode, sde))")]),
    ("ode_below_half", "wrong_sde", [(f"sde = {SDE}", f"sde = ode if w < 0.5 else {SDE}")]),
    ("half_within_0.05", "near_half_sde",
     [(f"sde = {SDE}", f"sde = {SDE} if abs(w - 0.5) > 0.05 else S * s * math.log(S / s) / (S - s)")]),
):  # fmt: skip
    wrong(name, finds, edit=edits)
wrong("solver_with_usual_tolerances", ("wrong_ode", "imprecise_ode"), source=function(HEAD, """
from scipy.integrate import solve_ivp

def slope(v, u):
    scale = math.exp(v)
    rate = (1 - w) / (S - s + scale) + w / scale
    return [rate * u[0] * scale, (2 * rate * u[1] - 1) * scale]

solved = solve_ivp(slope, (math.log(s + 1e6), math.log(s)), [1e6, 1e6])
return 1 / ((1 - w) / S + w / s), *solved.y[:, -1]
"""))  # fmt: skip
