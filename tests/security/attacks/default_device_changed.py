"""Change torch's default dtype and device."""

import torch

torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
