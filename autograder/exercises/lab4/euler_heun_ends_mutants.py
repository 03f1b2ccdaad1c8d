"""Exercise 4.4: answers that treat the ends of the time, small steps or dtypes of keyword arguments differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.lab4.euler_heun_sources import SLOPE, A, E, H, T

right, wrong = mutants_of("lab4.euler_heun")

EULER_HERE = "return x + h * here"
for name, code, place in (
    ("all_to_zero", "drift_calls", "bool((t + h == 0).all())"),
    ("all_near_zero", "drift_calls", "torch.allclose(t + h, torch.zeros_like(t))"),
    ("all_from_one", "drift_calls", "bool((t == 1).all())"),
):
    wrong(f"heun_euler_for_{name}", finds=code, edit=(T, f"if {place}:\n            {EULER_HERE}\n        {T}"))
for name, place in (("to_zero", "t + h == 0"), ("from_one", "t >= 1")):
    wrong(f"heun_euler_for_each_step_{name}", finds="wrong_to_zero", edit=(
        H, f"return torch.where({place}, x + h * here, x + h / 2 * (here + there))"))  # fmt: skip
wrong("heun_h_without_sign", finds="wrong_backwards", edit=(H, H.replace("h / 2", "h.abs() / 2")))
for short, line in (("euler", E), ("heun", A)):
    for name, least in (("hundredth", 1e-2), ("thousandth", 1e-3), ("ten_thousandth", 1e-4)):
        wrong(f"{short}_steps_below_a_{name}_skipped", finds="small_steps_skipped", edit=(
            line, f"if h.abs().max() < {least}:\n            return x.clone()\n        {line}"))  # fmt: skip
    for name, cast in (
        ("integers", "v.long()"), ("dtype_of_x", "v.to(x.dtype) if v.is_floating_point() else v"), ("int32", "v.int()")
    ):  # fmt: skip
        wrong(f"{short}_keywords_as_{name}", finds="keywords_changed", edit=(
            line, f"kwargs = {{k: ({cast}) if torch.is_tensor(v) else v for k, v in kwargs.items()}}\n"
            f"        {line}"))  # fmt: skip
wrong("euler_way_in_float16", finds="inexact", edit=(E, f"return x + (h * {SLOPE}).half().to(x.dtype)"))
wrong("heun_way_in_bfloat16", finds="inexact", edit=(
    H, "return x + (h / 2 * (here + there)).bfloat16().to(x.dtype)"))  # fmt: skip
right("heun_way_in_float32", edit=(H, "return x + (h / 2 * (here + there)).float().to(x.dtype)"))
