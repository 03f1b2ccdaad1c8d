"""Generic changes that are no mistakes: each with the reason why every grader must let it pass.

exercise -> the change's name, as `autograder validate LAB --generic` prints it -> the reason. An entry that is caught
after all, or that no change makes any more, is a miss of the kill matrix.
"""

from __future__ import annotations

SQUARED = "the square of a difference does not know its sign"
NO_AXES = "a tensor without axes has none to squeeze"
MIRRORED = "the periodic copies -5 … 5 are the same when mirrored"
WHOLE = "whole numbers are the same in every precision"
UNIFORM = "a uniform random number in single precision is as good"
LAST = "the last axis by another name"

EQUIVALENT: dict[str, dict[str, str]] = {
    "lab1.add_noise": {
        "return vp.a(t) / x0 + vp.sigma(t) * noise": "x0 holds spins, and 1 / x0 is x0 for +1 and -1",
    },
    "lab1.class_posterior": {
        "letters = -(place - x[:, :, None]).square().sum(-1) / (2 * vp.sigma(t) ** 2)": SQUARED,
        "return (setting.prior.log() + classes).softmax(1)": LAST,
    },
    "lab1.conditional_score": {
        "letters = -(a * setting.alphabet - x[:, :, None]).square().sum(-1, keepdim=True) / (2 * variance)": SQUARED,
        "logits = setting.site_probs.log() + letters[:, None, ..., -1]": "an axis of length one has the same first and last",
        "shares = (setting.weights[y].log() + logits.logsumexp(-1).sum(-1)).softmax(1)": LAST,
    },
    "lab1.classifier_loss": {
        "t = self.t_min + (1 - self.t_min) * torch.rand(len(x0), 1, 1, device=x0.device)": UNIFORM,
        "return nn.functional.cross_entropy(self.model(x, t), y).squeeze()": NO_AXES,
    },
    "lab2.analytic_score": {
        "images = torch.tensor(IMAGES, device=x.device)": WHOLE,
        "centres = torch.tensor(CENTRES, device=x.device)": "1/4 and 3/4 are the same in every precision",
        "orders = torch.stack([centres, centres.flip(-1)])": LAST,
        "offsets = (x[:, None] - orders)[..., None] - images": MIRRORED,
        "offsets = (x[:, None] + orders)[..., None] + images": "on the ring, -1/4 is 3/4: the two orders change places",
    },
    "lab2.score_loss": {
        "t = torch.rand(batch_size, 1, device=x0.device)": UNIFORM,
        "offsets = (x - x0)[..., None] - torch.tensor(IMAGES, device=x.device, dtype=x.dtype)": MIRRORED,
        "offsets = (x - x0)[..., None] + torch.tensor(IMAGES, device=x.device)": WHOLE,
        "return (self.model(x, t) - target).square().mean().squeeze()": NO_AXES,
        "return (target - self.model(x, t)).square().mean()": SQUARED,
    },
    "lab2.fokker_planck": {
        "without its frame: with torch.enable_grad():": "the result is for training, so it is asked for with gradients on",
    },
    "lab2.consistency": {
        "offsets = (x - y)[..., None] - torch.tensor(IMAGES, device=x.device, dtype=x.dtype)": MIRRORED,
        "offsets = (x - y)[..., None] + torch.tensor(IMAGES, device=x.device)": WHOLE,
    },
    "lab4.cfg_train_loss": {
        "forget = torch.rand(batch_size, device=z.device) <= self.eta": "a uniform number equals eta with probability 0",
        "return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean().squeeze()": NO_AXES,
        "return (self.path.conditional_vector_field(x, z, t) - self.model(x, t, y)).square().mean()": SQUARED,
    },
    "lab4.accuracy_sweep": {
        "accuracy[w] = (predicted == labels).double().mean()": "a tensor with one number is a number, too",
    },
}
