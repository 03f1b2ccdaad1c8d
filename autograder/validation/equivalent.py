"""Generic changes that are no mistakes, each with the reason why every grader must accept it.

The table maps an exercise to its changes, named as `autograder validate LAB --generic` prints them, and each change to
the reason. An entry that is caught is a miss of the kill matrix, and so is an entry that no change makes any more.
"""

from __future__ import annotations

SQUARED = "the square of a difference does not depend on its sign"
NO_AXES = "a tensor without axes has none to squeeze"
MIRRORED = "the periodic copies -5 … 5 are the same when mirrored"
WHOLE = "whole numbers are the same in every precision"
UNIFORM = "a uniform random number in single precision is as good"
LAST = "the last axis by another name"
SAME_SHAPE = "only its shape is used, and the shapes are the same"
AS_MANY = "its length is the number of samples, too"
INDICES = "indices may lie on the CPU, whatever they index"
ONES = "the last element is 1, however many of them follow"


def with_kick(index: str, like: str = "x") -> str:
    """Return the last line of the model answer of lab3.guided_ddpm_step with other arguments."""
    return f"return mean + gather_per_sample(t > 0, {index}, {like}) * beta.sqrt() * noise"


EQUIVALENT: dict[str, dict[str, str]] = {
    "lab1.class_posterior": {
        "distance = (alpha(t)[..., None] * setting.points - x[:, :, None, :]).square().sum(-1)": SQUARED,
        "return torch.softmax(setting.prior.log() + log_classes, dim=1)": LAST,
    },
    "lab1.conditional_score": {
        "distance = (alpha(t)[..., None] * setting.points - x[:, :, None, :]).square().sum(-1)": SQUARED,
        "shares = torch.softmax(setting.weights[y].log() + log_sites.logsumexp(-1).sum(-1), dim=1)": LAST,
    },
    "lab1.classifier_loss": {
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
        "without its frame: with torch.enable_grad():": "it is for training, so it is evaluated with gradients enabled",
    },
    "lab2.consistency": {
        "offsets = (x - y)[..., None] - torch.tensor(IMAGES, device=x.device, dtype=x.dtype)": MIRRORED,
        "offsets = (x - y)[..., None] + torch.tensor(IMAGES, device=x.device)": WHOLE,
    },
    "lab3.schedule": {
        "return Schedule(betas, alphas, alphas.cumprod(dim=-1))": LAST,
        "alpha_bar = gather_per_sample(schedule.alpha_bars, t, noise)": SAME_SHAPE,
    },
    "lab3.classifier_loss": {
        "return nn.functional.cross_entropy(self.model(x, t), y).squeeze()": NO_AXES,
    },
    "lab3.classifier_gradient": {
        "log_probability = classifier(x, t).log_softmax(dim=1)[torch.arange(len(y)), y]": INDICES,
        "log_probability = classifier(x, t).log_softmax(dim=1)[torch.arange(len(x), device=y.device), y]": AS_MANY,
        "log_probability = classifier(x, t).log_softmax(dim=1)[torch.arange(len(t), device=y.device), y]": AS_MANY,
    },
    "lab3.guided_ddpm_step": {
        "return noise_estimate - w * (1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)).sqrt() "
        "* gradient": SAME_SHAPE,
        "beta, alpha, alpha_bar = (gather_per_sample(values, t, noise_estimate) for values in schedule)": SAME_SHAPE,
        "beta, alpha, alpha_bar = (gather_per_sample(values, t, noise) for values in schedule)": SAME_SHAPE,
        with_kick("torch.arange(len(t))"): INDICES,
        with_kick("torch.arange(len(x), device=t.device)"): AS_MANY,
        with_kick("torch.arange(len(noise_estimate), device=t.device)"): AS_MANY,
        with_kick("torch.arange(len(noise), device=t.device)"): AS_MANY,
        with_kick("torch.arange(len(t), device=t.device)", "noise_estimate"): SAME_SHAPE,
        with_kick("torch.arange(len(t), device=t.device)", "noise"): SAME_SHAPE,
    },
    "lab3.ddim_step": {
        "alpha_bar = gather_per_sample(schedule.alpha_bars, t, noise_estimate)": SAME_SHAPE,
        "with_data = torch.cat([schedule.alpha_bars, torch.ones_like(schedule.alpha_bars)])": ONES,
        "with_data = torch.cat([schedule.alpha_bars, torch.ones_like(schedule.alpha_bars[:2])])": ONES,
        "alpha_bar_prev = gather_per_sample(with_data, t_prev, noise_estimate)": SAME_SHAPE,
    },
    "lab3.spot_the_bugs": {
        "t = torch.full((len(y),), step, device=x.device)": AS_MANY,
    },
    "lab4.cfg_train_loss": {
        "dropped = torch.rand(batch_size, device=z.device) <= self.eta": "a uniform number almost never equals eta",
        "return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean().squeeze()": NO_AXES,
        "return (self.path.conditional_vector_field(x, z, t) - self.model(x, t, y)).square().mean()": SQUARED,
    },
    "lab4.accuracy_sweep": {
        "accuracy[w] = (predicted == labels).double().mean()": "a tensor with one number is a number, too",
    },
}
