"""Replace torch's random numbers by zeros."""

import torch

torch.rand = torch.randn = lambda *a, **k: torch.zeros(*[x for x in a if isinstance(x, int)])
