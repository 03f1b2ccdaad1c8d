"""Exercise 4.3: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import edited, with_body

right, wrong = mutants_of("lab4.cfg_drift")

HEAD = """
class CFGVectorFieldODE(ODE):
    def __init__(self, net, guidance_scale, null_label):
        self.net, self.guidance_scale, self.null_label = net, guidance_scale, null_label

    def drift_coefficient(self, x, t, y):
        w = self.guidance_scale
        null = torch.full_like(y, self.null_label)
"""

RIGHT = "(1 - w) * u_null + w * u_y"
NULL = "torch.full_like(y, self.null_label)"


def drift(body: str) -> str:
    """Return an answer cell from the last lines of `drift_coefficient`."""
    return with_body(HEAD, body)


def combine(formula: str, *edits: tuple[str, str]) -> str:
    """Return an answer cell that evaluates both velocities and returns `formula`, with edits."""
    return edited(drift(f"u_y, u_null = self.net(x, t, y), self.net(x, t, null)\nreturn {formula}"), *edits)


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
    source=drift("w = min(max(w, 0.0), 1.0)\nreturn (1 - w) * self.net(x, t, null) + w * self.net(x, t, y)"),
)
wrong("constant_scale", finds=("wrong_drift", "scale_ignored"), source=combine("u_null + 3.0 * (u_y - u_null)"))
wrong(
    "halves_swapped",
    finds=("scales_swapped", "wrong_drift"),
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
wrong("digits_lost", finds="wrong_dtype", source=combine("((1 - w) * u_null + w * u_y).float()"))
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
