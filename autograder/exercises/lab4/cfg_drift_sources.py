"""Exercise 4.3: the pieces from which answers are put together."""

from __future__ import annotations

from autograder.exercises.kits.sources import edited, with_body

HEAD = """
class CFGVectorFieldODE(ODE):
    def __init__(self, net, guidance_scale, null_label):
        self.net, self.guidance_scale, self.null_label = net, guidance_scale, null_label

    def drift_coefficient(self, x, t, y):
        w = self.guidance_scale
        null = torch.full_like(y, self.null_label)
"""

RIGHT = "(1 - w) * u_null + w * u_y"
BOTH = "return (1 - w) * self.net(x, t, null) + w * self.net(x, t, y)"
ASK = "u_y, u_null ="
NULL = "torch.full_like(y, self.null_label)"


def drift(body: str) -> str:
    """Return an answer cell from the last lines of `drift_coefficient`."""
    return with_body(HEAD, body)


def combine(formula: str, *edits: tuple[str, str]) -> str:
    """Return an answer cell that evaluates both velocities and returns `formula`, with edits."""
    plain = drift(f"u_y, u_null = self.net(x, t, y), self.net(x, t, null)\nreturn {formula}")
    return edited(plain, *((old, new.replace("\n", "\n        ")) for old, new in edits))
