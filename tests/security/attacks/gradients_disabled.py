"""Disable gradients for all later cells."""

import torch

torch.set_grad_enabled(False)
