"""Generic changes that are no mistakes: each with the reason why every grader must let it pass.

exercise -> the change's name, as `autograder validate LAB --generic` prints it -> the reason. An entry that is caught
after all, or that no change makes any more, is a miss of the kill matrix.
"""

from __future__ import annotations

EQUIVALENT: dict[str, dict[str, str]] = {
    "lab4.cfg_train_loss": {
        "forget = torch.rand(batch_size, device=z.device) <= self.eta": "a uniform number equals eta with probability 0",
        "return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean().squeeze()": (
            "a tensor without axes has none to squeeze"
        ),
        "return (self.path.conditional_vector_field(x, z, t) - self.model(x, t, y)).square().mean()": (
            "the square of a difference does not know its sign"
        ),
    },
    "lab4.accuracy_sweep": {
        "accuracy[w] = (predicted == labels).double().mean()": "a tensor with one number is a number, too",
    },
}
