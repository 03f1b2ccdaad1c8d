"""The exact distribution of x_t in a toy problem: the densities, posteriors and means of lab 1's 1.3 and 1.4."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from utils import vp
from utils.checks.kits.noised_words import Inputs


class NoisedMixture:
    """Everything about x_t of one run, in float64.

    The methods take changes, such as another variance: what a mistake would use in their place.
    """

    def __init__(self, inputs: Inputs):
        self.setting, self.x, self.y = inputs.setting.to(torch.float64), inputs.x.double(), inputs.y
        self.alpha, self.sigma = vp.alpha(inputs.t.double()), vp.sigma(inputs.t.double())  # (b, 1, 1)

    def of_classes(self, y: Tensor) -> NoisedMixture:
        """Return the same mixture with other classes, (b,): what a wrong use of the labels would take."""
        other = copy.copy(self)
        other.y = y
        return other

    def log_sites(
        self, alpha: Tensor | None = None, variance: Tensor | None = None, probs: Tensor | None = None
    ) -> Tensor:
        """Return the log of probability times density, (b, components, sites, letters)."""
        alpha = self.alpha if alpha is None else alpha
        variance = self.sigma**2 if variance is None else variance
        distance = (self.x[:, :, None, :] - alpha[..., None] * self.setting.points).square().sum(-1)
        probs = self.setting.probs if probs is None else probs
        return probs.log() - (distance / (2 * variance))[:, None]

    def log_components(self, **changes: Tensor) -> Tensor:
        """Return the log density of each component, (b, components)."""
        return self.log_sites(**changes).logsumexp(-1).sum(-1)

    def log_classes(self, weights: Tensor | None = None, **changes: Tensor) -> Tensor:
        """Return the log density of each class, (b, classes)."""
        weights = self.setting.weights if weights is None else weights
        return (weights.log() + self.log_components(**changes)[:, None]).logsumexp(-1)

    def normalised(self, log_classes: Tensor, prior: Tensor | None = None) -> Tensor:
        """Return the posterior that belongs to these log densities of the classes, (b, classes)."""
        prior = self.setting.prior if prior is None else prior
        return torch.softmax(prior.log() + log_classes, dim=-1)

    def posterior(self, prior: Tensor | None = None, **changes: Tensor) -> Tensor:
        """Return p(y | x), (b, classes)."""
        return self.normalised(self.log_classes(**changes), prior)

    def component_shares(self, weights: Tensor | None = None, **changes: Tensor) -> Tensor:
        """Return p(component | x, y), (b, components)."""
        weights = self.setting.weights if weights is None else weights
        return torch.softmax(weights[self.y].log() + self.log_components(**changes), dim=-1)

    def component_means(self, **changes: Tensor) -> Tensor:
        """Return the mean of x_0 given x_t and the component, (b, components, sites, d)."""
        return torch.softmax(self.log_sites(**changes), dim=-1) @ self.setting.points

    def mean(self, weights: Tensor | None = None, **changes: Tensor) -> Tensor:
        """Return the mean of x_0 given x_t and the class, (b, sites, d)."""
        shares = self.component_shares(weights, **changes)
        return torch.einsum("bc,bcld->bld", shares, self.component_means(**changes))

    def mean_of_all(self) -> Tensor:
        """Return the mean of x_0 given x_t alone, (b, sites, d)."""
        shares = torch.softmax(self.setting.weights.log() + self.log_components()[:, None], dim=-1)
        return torch.einsum("by,byc,bcld->bld", self.posterior(), shares, self.component_means())

    def score(self, mean: Tensor | None = None) -> Tensor:
        """Return the score of the class, or the score that belongs to another mean of x_0, (b, sites, d)."""
        return (self.alpha * (self.mean() if mean is None else mean) - self.x) / self.sigma**2


def possible(tensor: Tensor) -> Tensor:
    """Return 1 for all that is possible: what leaving out a factor means."""
    return (tensor > 0).double()
