# %% [markdown]
# # Lab 4 · One network, no classifier
# %% role="setup"
import torch
from torch import Tensor

from utils.checks import check
from utils.dynamics import ODE, Simulator
from utils.paths import GaussianPath
from utils.runtime import setup
from utils.training import Trainer

device, budget = setup("lab4_mnist_cfg")


# %% role="definitions"
class GaussianConditionalPath(GaussianPath):
    def conditional_vector_field(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        rate = self.beta.dt(t) / self.beta(t)
        return self.alpha.dt(t) * z + rate * (x - self.alpha(t) * z)

    def conditional_score(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return (self.alpha(t) * z - x) / self.beta(t) ** 2


# %% answer="lab4.cfg_train_loss"
class CFGTrainer(Trainer):
    def __init__(self, path: GaussianPath, model: torch.nn.Module, eta: float, null_label: int):
        super().__init__(model)
        self.path, self.eta, self.null_label = path, eta, null_label

    def get_train_loss(self, batch_size: int) -> Tensor:
        ### BEGIN SOLUTION
        z, y = self.path.sample_conditioning_variable(batch_size)
        drop = torch.rand(batch_size, device=z.device) < self.eta
        y = torch.where(drop, self.null_label, y)
        t = torch.rand(batch_size, 1, 1, 1, device=z.device)
        x = self.path.sample_conditional_path(z, t)
        return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean()
        ### END SOLUTION


# %% check="lab4.cfg_train_loss"


# %% answer="lab4.cfg_drift"
class CFGVectorFieldODE(ODE):
    def __init__(self, net: torch.nn.Module, guidance_scale: float, null_label: int):
        self.net, self.guidance_scale, self.null_label = net, guidance_scale, null_label

    def drift_coefficient(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        null = self.net(x, t, torch.full_like(y, self.null_label))
        return null + self.guidance_scale * (self.net(x, t, y) - null)
        ### END SOLUTION


# %% check="lab4.cfg_drift"


# %% role="definitions"
class EulerSimulator(Simulator):
    def step(self, x: Tensor, t: Tensor, h: Tensor, **kwargs) -> Tensor:
        return x + h * self.ode.drift_coefficient(x, t, **kwargs)


# %% [markdown] answer="lab4.guidance_essay"
# Model answer. Rubric: 1 point each.
