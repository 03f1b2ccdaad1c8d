# %% [markdown]
r"""
# Lab 3 · Steering with a classifier

Somebody has trained a diffusion model. It draws digits, any digits; nobody told it about labels. You may not train it again. And yet you
will make it draw *sevens*: with a second, smaller network that can say which digit it sees, and that you ask at every step, "which way to the sevens?".

This is **classifier guidance**. It was the first method of its kind, it is the easiest to understand, and everything that later methods get wrong, it gets wrong
too, in a place where you can see it.

**What you build:** a noise schedule · the dictionary between noise and score · the loss of a classifier that reads noise · its gradient · a guided step · a
fast sampler · a mended sampler · three variances, by which you will know what guidance does *not* sample.

| | |
|---|---|
| Points | 18 |
| Time | about 3 hours, and some minutes of waiting |
| GPU | not needed: what a laptop cannot train in a minute is loaded from a checkpoint |
| You need | PyTorch, Bayes' rule, gradients. Lab 1 helps and is not needed |

Run the cells from top to bottom. Wherever a cell says `raise NotImplementedError()`, it is your turn. The `check(...)`
after it tells you at once what is right and what is not; it costs nothing and may be run as often as you like.
"""

# %% role="setup"
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from utils import plotting
from utils.captions import TinyCLIP, captions, contrastive_loss
from utils.data import find_cifar, load_cifar, load_digits
from utils.diffusion import Schedule, gather_per_sample
from utils.fallback import drawn, stored_table
from utils.metrics import frechet_distance, in_batches, over_seeds, precision_recall
from utils.mixture import Mixture
from utils.nets import MLP, DigitClassifier, FourierFeatures, NoiseUNet, NoisyDigitClassifier, count_parameters
from utils.peak_memory import peak_memory
from utils.runtime import fast_bf16, setup
from utils.training import CHECKPOINTS, Trainer, load_weights

device, budget = setup("lab3_classifier_guidance", seed=0)
plotting.use_style()

# %% [markdown]
r"""
## Notation

| symbol | in code | meaning |
|---|---|---|
| $t$ | `t`, shape `(b,)`, integers | a step. **Data have no noise; step 0 adds the first little noise, step $T-1$ the last.** Sampling runs from $T-1$ down to 0 |
| $x_0$, $x_t$ | `x0`, `x`, shape `(b, …)` | data, and the data with the noise of the steps $0, \ldots, t$ |
| $\beta_t$ | `schedule.betas[t]` | the variance of the noise that step $t$ adds |
| $\alpha_t$ | `schedule.alphas[t]` | $1 - \beta_t$ |
| $\bar\alpha_t$ | `schedule.alpha_bars[t]` | $\alpha_0\alpha_1\cdots\alpha_t$: the share of the data in $x_t$, as a variance |
| $\varepsilon$, $\hat\varepsilon$ | `noise`, `noise_estimate` | noise, standard normal, and a network's estimate of it |
| $s$ | `score` | $\nabla_x \log p_t(x)$ |
| $g$ | `gradient` | $\nabla_x \log p_t(y\mid x)$, what the classifier knows |
| $y$ | `y`, shape `(b,)` | the class, an integer |
| $w$ | `w` | the guidance scale: 0 ignores the class, 1 is the honest conditional law, beyond 1 the class is exaggerated |

`b` is the batch size. A `Schedule` holds the three lists, and `gather_per_sample(schedule.betas, t, x)` looks one of them up at `t`, with as many axes as `x`: shape
`(b, 1, …, 1)`, ready to be multiplied. Steps are *counted* in this lab; in labs 1, 2 and 4 time is a real number.
"""

# %% [markdown]
r"""
---
# 1 · Noise, step by step, and in one jump

A step of noise shrinks the picture a little and adds a little noise, so that a variance of 1 stays 1, and any other comes nearer to it:

$$x_t = \sqrt{\alpha_t}\; x_{t-1} + \sqrt{\beta_t}\;\varepsilon_t,\qquad \alpha_t = 1-\beta_t .$$

Do it a thousand times and nothing of the picture is left. ($x_0$ always means the data. In step 0 the $x_{t-1}$ on the right is the data, too; in code the step before it is called $-1$.) To train a network one needs $x_{500}$ without computing the 500 before it, and there is a short cut. Shrinking factors multiply, and Gaussian noises add up to one
Gaussian noise:

$$x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1-\bar\alpha_t}\;\varepsilon,\qquad \bar\alpha_t = \prod_{r\leq t}\alpha_r .$$

**Three sigmas.** Many mistakes in this field come from one letter. There are three standard deviations here, and papers call each of them $\sigma_t$:

| name in this lab | formula | what it is |
|---|---|---|
| `step` | $\sqrt{\beta_t}$ | the noise that step $t$ adds |
| `total` | $\sqrt{1-\bar\alpha_t}$ | the noise in $x_t$, of all steps together |
| `posterior` | $\sqrt{\beta_t\,\dfrac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}}$ | how uncertain $x_{t-1}$ is when both $x_t$ and $x_0$ are known. For $t = 0$ read $\bar\alpha_{-1} = 1$: it is 0 |

> ### Exercise 3.1 · Schedule and noise
> **2 points** (½ for `linear_schedule`, 1 for `add_noise`, ½ for `three_sigmas`) · difficulty ●●○○○ · 20 minutes
>
> (a) `linear_schedule(T)`: `T` betas, equally spaced from 0.0001 to 0.02, both included; and what follows from them. Return `Schedule(betas, alphas, alpha_bars)`.
>
> (b) `add_noise(x0, t, noise, schedule)`: $x_t$ in one jump, for `x0` of any shape `(b, …)`, with a step of its own for each sample.
>
> (c) `three_sigmas(t, schedule)`: the tuple `(step, total, posterior)`, each of shape `(b,)`, for any `t` from 0 to $T-1$.

<details><summary>A nudge</summary>

`torch.cumprod` multiplies as it goes. Which list does the table multiply?
</details>
<details><summary>The shape of the answer</summary>

(b) One line with `gather_per_sample(schedule.alpha_bars, t, x0)` in it twice. (c) `alpha_bars` moved by one place, with a 1 in front, is the list of $\bar\alpha_{t-1}$.
</details>
<details><summary>"The size of tensor a must match the size of tensor b"</summary>

`schedule.alpha_bars[t]` has the shape `(b,)`, and is broadcast along the *last* axis of a picture. Use `gather_per_sample`. If the sizes happen to agree, the wrong shape raises nothing and gives every pixel column the noise of another sample.
</details>
"""

# %% answer="lab3.schedule"
def linear_schedule(T: int) -> Schedule:
    """betas from 0.0001 to 0.02, and what follows from them."""
    ### BEGIN SOLUTION
    betas = torch.linspace(1e-4, 0.02, T)
    alphas = 1 - betas
    return Schedule(betas, alphas, alphas.cumprod(dim=0))
    ### END SOLUTION


def add_noise(
    x0: Float[Tensor, "b *shape"], t: Int[Tensor, " b"], noise: Float[Tensor, "b *shape"], schedule: Schedule
) -> Float[Tensor, "b *shape"]:
    """x_t, made of the data x0 and of the noise."""
    ### BEGIN SOLUTION
    alpha_bar = gather_per_sample(schedule.alpha_bars, t, x0)
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise
    ### END SOLUTION


def three_sigmas(
    t: Int[Tensor, " b"], schedule: Schedule
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"], Float[Tensor, " b"]]:
    """The standard deviations called step, total and posterior."""
    ### BEGIN SOLUTION
    beta, alpha_bar = schedule.betas[t], schedule.alpha_bars[t]
    before = torch.where(t > 0, schedule.alpha_bars[t - 1], 1.0)
    return beta.sqrt(), (1 - alpha_bar).sqrt(), (beta * (1 - before) / (1 - alpha_bar)).sqrt()
    ### END SOLUTION


# %% check="lab3.schedule"

# %% role="definitions"
STEPS = 1000  # T


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def every(t: int, x: Tensor) -> Tensor:
    """The same step for each sample of x."""
    return torch.full((len(x),), t, device=x.device)


# %% [markdown]
r"""
*Your* noise on seven digits, and *your* three sigmas. **Predict, then run:** at which $t$ do you lose the digits? And by which factor do `step` and `total` differ at $t = 500$?
"""

# %%
digits = load_digits("train", device=device)

# %% role="illustration"
def draw_noising():
    schedule = linear_schedule(STEPS)
    rows = torch.stack([(digits.labels == k).nonzero()[2, 0] for k in (0, 2, 3, 4, 5, 7, 8)])
    x0 = digits[rows][0].cpu()
    noise = torch.randn(x0.shape, generator=generator(3))
    shown = [0, 100, 200, 300, 400, 600, 999]
    plotting.show_table([add_noise(x0, every(t, x0), noise, schedule) for t in shown], [f"t = {t}" for t in shown])
    plt.show()
    t = torch.arange(STEPS)
    fig, ax = plt.subplots(figsize=(6.5, 3))
    for values, name, color, style in zip(
        three_sigmas(t, schedule), ("step", "total", "posterior"), (plotting.SKY, plotting.ORANGE, "#222222"), ("-", "--", ":")
    ):
        ax.plot(t, values, style, color=color, label=name, linewidth=2.5)
    ax.set(yscale="log", xlabel="step t (data at the left)", ylabel="standard deviation", title="Three sigmas", ylim=(5e-3, 1.5))
    ax.legend()
    plt.show()


drawn(draw_noising, "3.1")

# %% [markdown]
r"""
The thin digits drown first, near $t = 300$; at $t = 600$ no eye finds any. `step` and `posterior` are nearly the same, except at the very first steps. `total` is another thing altogether: seven to ten times larger over most of the way. Whoever
takes the one for the other guides ten times too little, and sees no error message.

---
# 2 · The score and the noise are the same thing

A diffusion network is trained to guess the noise in $x_t$. Guidance is easier to think about with the **score** $s = \nabla_x\log p_t(x)$: at every point, the direction in which noisy data become more likely. Here is the bridge. Given $x_0$, the law of $x_t$ is
$\mathcal N(\sqrt{\bar\alpha_t}\,x_0,\ (1-\bar\alpha_t) I)$. Write down the gradient of its logarithm, put in $x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon$, and see what is left. Then
average over all $x_0$ that are possible at $x_t$: the same line holds between the best guess $\hat\varepsilon$ and the score $s$ of the noisy data.

<details><summary>Why may one average?</summary>

$p_t(x)$ is the average of $p_t(x\mid x_0)$ over the data. So $\nabla_x p_t(x)$ is the average of $p_t(x\mid x_0)\,\nabla_x\log p_t(x\mid x_0)$. Divide by $p_t(x)$: by Bayes' rule the weights become the probabilities of $x_0$ given $x$. The score is the mean of
$\nabla_x\log p_t(x\mid x_0)$ over the $x_0$ that are possible at $x$.
</details>

> ### Exercise 3.2 · A dictionary
> **1 point** (½ each way) · difficulty ●○○○○ · 10 minutes
>
> Complete `score_from_noise(noise_estimate, t, schedule)` and `noise_from_score(score, t, schedule)`, for any shape `(b, …)`.

<details><summary>A nudge</summary>

The gradient of $-\tfrac{1}{2\sigma^2}(x - m)^2$ in $x$. Which of the three sigmas is it?
</details>
<details><summary>The shape of the answer</summary>

One is a division, the other a multiplication, by the same number. Both have a minus: noise points away from the data, and the score towards it.
</details>
"""

# %% answer="lab3.score_and_noise"
def score_from_noise(
    noise_estimate: Float[Tensor, "b *shape"], t: Int[Tensor, " b"], schedule: Schedule
) -> Float[Tensor, "b *shape"]:
    """The score that belongs to an estimate of the noise."""
    ### BEGIN SOLUTION
    return -noise_estimate / (1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)).sqrt()
    ### END SOLUTION


def noise_from_score(
    score: Float[Tensor, "b *shape"], t: Int[Tensor, " b"], schedule: Schedule
) -> Float[Tensor, "b *shape"]:
    """The noise that belongs to a score."""
    ### BEGIN SOLUTION
    return -score * (1 - gather_per_sample(schedule.alpha_bars, t, score)).sqrt()
    ### END SOLUTION


# %% check="lab3.score_and_noise"

# %% [markdown]
r"""
Before digits, a world that we know: three round clouds in the plane (`utils/mixture.py`, it is short). Noised, it is again three clouds, so the perfect noise network and the perfect classifier
are formulas. Below, *your* `score_from_noise` turns the perfect estimate of the noise into arrows. The dots are data under *your* noise. **Predict, then run:** where do the arrows of the score point at $t = 600$? (Their lengths are scaled in each panel for itself: near the data the score is several times longer.)
"""

# %% role="definitions"
corners = torch.tensor([90.0, 210.0, 330.0]) * math.pi / 180
PLANE = Mixture(1.6 * torch.stack([corners.cos(), corners.sin()], dim=1), torch.full((3,), 0.35))


def plane_axes(count: int, size: float = 3.0):
    fig, axes = plt.subplots(1, count, figsize=(size * count, size + 0.3), sharex=True, sharey=True)
    for ax in np.atleast_1d(axes):
        ax.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
        ax.grid(False)
    return fig, np.atleast_1d(axes)


def scatter_classes(ax, x: Tensor, y: Tensor, size: float = 4, alpha: float = 0.5) -> None:
    for k, (color, marker) in enumerate(zip((plotting.BLUE, plotting.ORANGE, plotting.GREEN), "o^s")):
        ax.scatter(*x[y == k].T, s=size, color=color, marker=marker, alpha=alpha, linewidths=0)


# %% role="illustration"
def draw_scores():
    schedule = linear_schedule(STEPS)
    side = torch.linspace(-2.8, 2.8, 13)
    grid = torch.cartesian_prod(side, side)
    x0, y = PLANE.sample(600, generator(1))
    noise = torch.randn(x0.shape, generator=generator(2))
    fig, axes = plane_axes(3)
    for ax, t in zip(axes, (50, 250, 600)):
        scatter_classes(ax, add_noise(x0, every(t, x0), noise, schedule), y, size=9)
        score = score_from_noise(PLANE.noise(grid, every(t, grid), schedule), every(t, grid), schedule)
        ax.quiver(*grid.T, *score.T, color="#222222", angles="xy", width=0.004)
        ax.set_title(f"t = {t}")
    plt.show()


drawn(draw_scores, "3.1 and 3.2")

# %% [markdown]
r"""
At $t = 50$ every arrow points to the nearest cloud. At $t = 600$ all point to the middle: the three clouds have become one, and which of them a point will end in is not yet decided.

---
# 3 · A classifier that can read noise

Now the idea of the whole lab. Bayes' rule, $p(x\mid y) \propto p(x)\,p(y\mid x)$, holds at every noise level. Take logarithms and gradients, and the missing factor $1/p(y)$, which does not depend on $x$, drops out:

$$\nabla_x\log p_t(x\mid y) = \nabla_x\log p_t(x) + \nabla_x\log p_t(y\mid x) .$$

On the left stands what we want. The first term on the right is what the diffusion model knows, and the second belongs to a classifier.

So any diffusion model can be steered by any classifier that never met it. With one condition, which is easily overlooked. It is written in the index $t$: the classifier has to know
$p_t(y\mid x)$, **the class of a noisy picture**. An ordinary classifier has never seen one. Its opinion on noise is worth nothing, and its gradient less.

Training it is simple: noise the pictures, and tell the network how much.

> ### Exercise 3.3 · The loss of a noise-aware classifier
> **2 points** · difficulty ●●○○○ · 15 minutes
>
> Complete `get_train_loss(self, batch_size)`.
> 1. Draw images and labels: `x0, y = self.data.sample(batch_size)`. Leave both as they are: they may be the dataset's own memory.
> 2. Draw one step for each sample, integers, uniform on $0, \ldots, T-1$, of shape `(b,)`. $T$ is `self.schedule.steps`.
> 3. Draw standard normal noise in the shape of `x0`, and noise the images by `self.add_noise(x0, t, noise, self.schedule)`. The check brings an `add_noise` of its own: a mistake in 3.1 costs nothing here. (The training below uses yours.)
> 4. Ask the network: `self.model(x, t)` returns logits, shape `(b, classes)`. Return the **mean** over the batch of $-\log p(y\mid x, t)$, as a tensor without axes through which gradients flow.
>
> New tensors belong on the device of `x0`.

<details><summary>A nudge</summary>

`torch.randint(n, (b,))` goes from 0 to $n - 1$. `torch.randn_like` knows dtype and device.
</details>
<details><summary>The shape of the answer</summary>

Four lines, one for each number above. `nn.functional.cross_entropy` takes logits, not probabilities.
</details>
"""

# %% answer="lab3.classifier_loss"
class NoisyClassifierTrainer(Trainer):
    def __init__(self, model: nn.Module, data, schedule: Schedule, add_noise):
        super().__init__(model)
        self.data, self.schedule, self.add_noise = data, schedule, add_noise

    def get_train_loss(self, batch_size: int) -> Float[Tensor, ""]:
        """The cross-entropy of one batch at random noise levels."""
        ### BEGIN SOLUTION
        x0, y = self.data.sample(batch_size)
        t = torch.randint(self.schedule.steps, (batch_size,), device=x0.device)
        x = self.add_noise(x0, t, torch.randn_like(x0), self.schedule)
        return nn.functional.cross_entropy(self.model(x, t), y)
        ### END SOLUTION


# %% check="lab3.classifier_loss"

# %% [markdown]
r"""
Two networks come with this lab. `NoisyDigitClassifier` is the one that your loss trains. `NoiseUNet` estimates the noise; its loss, the mean square of $\hat\varepsilon - \varepsilon$, is written below, and is not graded.

On a laptop both are trained for a moment only, so that you see the curves fall. Then the **checkpoints** are loaded: made by this very code, on MNIST, with more patience (their cards lie beside them in
`utils/checkpoints`). The noise network did not begin from nothing. It has the shape of lab 4's U-Net and began with its weights, for whoever knows $x_t$ can compute a velocity from a noise estimate, and back.

**Predict, then run.** The classifier is asked at every $t$, also where nothing can be seen. Which loss has a network that only guesses? Will the curve end near zero?
"""

# %% role="definitions"
class NoiseTrainer(Trainer):
    """The other network: it learns to tell the noise in x_t from the picture. The loss is that of Ho and others (2020)."""

    def __init__(self, model: nn.Module, data, schedule: Schedule):
        super().__init__(model)
        self.data, self.schedule = data, schedule

    def get_train_loss(self, batch_size: int) -> Float[Tensor, ""]:
        x0, _ = self.data.sample(batch_size)
        t = torch.randint(self.schedule.steps, (batch_size,), device=x0.device)
        noise = torch.randn_like(x0)
        return (self.model(add_noise(x0, t, noise, self.schedule), t) - noise).square().mean()


# %% role="illustration"
def train_a_moment():
    schedule = linear_schedule(STEPS).to(device)
    torch.manual_seed(0)
    of_class = NoisyClassifierTrainer(NoisyDigitClassifier(STEPS), digits, schedule, add_noise)
    of_class.train(budget.pick(full=4000, cpu=250, ci=2), device, lr=2e-3, batch_size=budget.pick(full=128, cpu=64, ci=4), bf16=True)
    of_noise = NoiseTrainer(NoiseUNet(schedule.alpha_bars), digits, schedule)
    of_noise.train(budget.pick(full=6000, cpu=40, ci=2), device, lr=1e-3, batch_size=budget.pick(full=128, cpu=32, ci=2), bf16=True)
    fig, axes = plt.subplots(1, 2, figsize=(10, 3))
    plotting.plot_loss(of_class.history, axes[0], window=25).set(title="Your classifier", ylim=(0, 2.6))
    axes[0].axhline(math.log(10), color=plotting.ORANGE, linestyle="--", label="guessing: log 10")
    axes[0].legend()
    plotting.plot_loss(of_noise.history, axes[1], window=10).set(title="The noise network, from nothing", ylim=(0, None))
    plt.show()


drawn(train_a_moment, "3.1 and 3.3")

# %% [markdown]
r"""
The loss cannot go to zero. At $t = 900$ *nobody* knows the digit, and the best answer is "ten per cent each", a loss of $\log 10$. The average over all $t$ of what remains is a property of the data and of the noise, not of your network.

How good is the classifier of the checkpoint, by noise level? On test images:
"""

# %% role="illustration"
def load_networks():
    schedule = linear_schedule(STEPS).to(device)
    classifier, net = NoisyDigitClassifier(STEPS).to(device), NoiseUNet(schedule.alpha_bars).to(device)
    load_weights(classifier, CHECKPOINTS / "lab3_classifier.safetensors")
    load_weights(net, CHECKPOINTS / "lab3_noise.safetensors")
    print(f"classifier: {count_parameters(classifier):,} parameters; noise network: {count_parameters(net):,}")
    return schedule, classifier, net


try:
    schedule, classifier, net = load_networks()
except NotImplementedError:
    schedule = classifier = net = None
    print("The networks need 3.1.")


@torch.no_grad()
def draw_accuracy():
    x0, y = load_digits("test", device=device)[: budget.pick(full=2000, cpu=500, ci=20)]
    noise = torch.randn(x0.shape, generator=generator(1)).to(device)
    levels = sorted({50, 150, *range(0, STEPS, budget.pick(full=50, cpu=100, ci=400))})
    ordinary = DigitClassifier().to(device)
    load_weights(ordinary, CHECKPOINTS / "reference_classifier.safetensors")
    aware, clean = [], []
    for t in levels:
        x = add_noise(x0, every(t, x0), noise, schedule)
        aware.append(float((classifier(x, every(t, x)).argmax(1) == y).double().mean()))
        clean.append(float((ordinary(x).argmax(1) == y).double().mean()))
    fig, ax = plt.subplots(figsize=(6.5, 3))
    ax.plot(levels, aware, "o-", color=plotting.BLUE, label="noise-aware")
    ax.plot(levels, clean, "^--", color=plotting.ORANGE, label="ordinary, 99.6 % on clean digits")
    ax.axhline(0.1, color=plotting.GREY, linestyle=":", label="guessing")
    ax.set(xlabel="step t", ylabel="accuracy", ylim=(0, 1.03), title="Who can read noise?")
    ax.legend()
    plt.show()


drawn(draw_accuracy, "3.1")

# %% [markdown]
r"""
The ordinary classifier fails between $t = 50$ and $150$, where you read every digit at a glance. The noise-aware one still reads nearly nine of ten at $t = 400$, better than most eyes. At $t = 800$ both guess: nothing is left to read.

**A mistake that looks like knowledge of time.** A popular recipe computes features $f(x)$ with an ordinary network and appends an embedding of $t$ just before the last *linear* layer:
$\text{logits} = W\,[f(x);\ e(t)] + c$. The accuracy may be fine. Now differentiate the logits in $x$: the part with $e(t)$ is a constant and drops out. **At a given $x$ the logits' gradient is the same for every $t$, bit for bit.** In $\nabla_x\log p(y\mid x, t)$
only the softmax's weights still know the time; the directions that they mix are the same at all levels. The network was told the time and can hardly use it for steering. `NoisyDigitClassifier` lets $t$ into every level instead. Here are both on the plane, with random weights, for training changes nothing about it:
"""

# %% role="illustration"
class TimeInTheHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.features, self.time, self.head = MLP(2, 64, 64), FourierFeatures(16), nn.Linear(64 + 16, 3)

    def forward(self, x, t):
        return self.head(torch.cat([self.features(x), self.time(t / STEPS)], dim=1))


class TimeFromTheStart(nn.Module):
    def __init__(self):
        super().__init__()
        self.time, self.layers = FourierFeatures(16), MLP(2 + 16, 64, 64, 3)

    def forward(self, x, t):
        return self.layers(torch.cat([x, self.time(t / STEPS)], dim=1))


def compare_heads():
    x = torch.randn(5, 2, generator=generator(0)).requires_grad_()
    for make in (TimeInTheHead, TimeFromTheStart):
        torch.manual_seed(0)
        model = make()
        early, late = (torch.autograd.grad(model(x, every(t, x))[:, 1].sum(), x)[0] for t in (10, 900))
        print(f"{make.__name__:<18} largest difference of a logit's gradient between t = 10 and t = 900: {float((early - late).abs().max()):.2g}")


compare_heads()

# %% [markdown]
r"""
---
# 4 · Which way to the class?

Now the gradient $g = \nabla_x \log p_t(y\mid x)$. A network is a function of $x$ as much as of its weights, and `torch.autograd.grad` differentiates by whatever you ask. Four things go wrong in practice, and you will avoid all:

- samplers run under `torch.no_grad()`, and there nothing can be differentiated;
- `backward()` fills the `.grad` of **every parameter** on the way, step after step;
- a result that still carries its graph keeps all of it in memory, for a thousand steps;
- the batch: a *mean* over it makes your guidance weaker the more pictures you draw at once.

> ### Exercise 3.4 · The gradient of a classifier
> **3 points** · difficulty ●●●○○ · 25 minutes
>
> Complete `classifier_gradient(classifier, x, t, y)`. `classifier(x, t)` returns logits `(b, classes)`. For each sample return the gradient of $\log p(y\mid x, t)$ in *its own* `x`, in the shape of `x`. It must
> - work with gradients switched on or off outside;
> - leave no gradients in the classifier's parameters, no graph on the result, and the caller's `x` as it was (`x.requires_grad` and `x.grad`, too);
> - be right for any logits, also where the class is so improbable that its probability is 0 in the computer.

<details><summary>A nudge</summary>

`with torch.enable_grad():` opens a window inside `no_grad`. `x.detach().requires_grad_()` is a leaf of your own, and the caller's `x` is left in peace.
</details>
<details><summary>The shape of the answer</summary>

In the window: a leaf; `log_softmax` of the logits over the classes; pick row by row; **sum** over the batch, so that each sample gets its own gradient; `torch.autograd.grad(that, leaf)`, which returns a tuple.
</details>
"""

# %% answer="lab3.classifier_gradient"
def classifier_gradient(
    classifier, x: Float[Tensor, "b *shape"], t: Int[Tensor, " b"], y: Int[Tensor, " b"]
) -> Float[Tensor, "b *shape"]:
    """The gradient of log p(y | x, t) in x, sample by sample."""
    ### BEGIN SOLUTION
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        log_probability = classifier(x, t).log_softmax(dim=1)[torch.arange(len(y), device=y.device), y]
        (gradient,) = torch.autograd.grad(log_probability.sum(), x)
    return gradient
    ### END SOLUTION


# %% check="lab3.classifier_gradient"

# %% [markdown]
r"""
Look at it. One noisy three, and what would make it more of a three, an eight, or a seven: purple says *ink, please*, orange says *paper, please*. Each picture has its own colour scale; the number below it is its largest $|g|$. **Predict, then run:** at which places will the gradient towards the eight ask for ink? And how large can a
gradient towards the three be, where the classifier sees a three already?
"""

# %% role="illustration"
def draw_gradients():
    x0, _ = digits[(digits.labels == 3).nonzero()[7]]
    noise = torch.randn(x0.shape, generator=generator(5)).to(device)
    shown, targets = (50, 200, 500, 800), (3, 8, 7)
    noisy = {t: add_noise(x0, every(t, x0), noise, schedule) for t in shown}
    steered = {(t, k): classifier_gradient(classifier, x, every(t, x), torch.tensor([k], device=device))[0, 0].cpu() for t, x in noisy.items() for k in targets}
    fig, axes = plt.subplots(len(targets) + 1, len(shown), figsize=(7.2, 7.9))
    for column, t in zip(axes.T, shown):
        column[0].imshow(noisy[t][0, 0].cpu(), cmap="gray_r", vmin=-1.5, vmax=1.5)
        column[0].set_title(f"t = {t}")
        for ax, k in zip(column[1:], targets):
            g = steered[t, k]
            ax.imshow(g, cmap="PuOr", vmin=-g.abs().max(), vmax=g.abs().max())
            ax.set_xlabel(f"{float(g.abs().max()):.1g}")
    for ax in axes.flat:
        plotting.bare(ax)
    for ax, name in zip(axes[:, 0], ("x at t", *(f"towards {k}" for k in targets))):
        ax.set_ylabel(name)
    plt.show()


drawn(draw_gradients, "3.1 and 3.4")

# %% [markdown]
r"""
Near the data the gradient is not a picture of an eight. It is a *hint*: close this gap, clear that stroke. Far out in the noise it is broad, and resembles an average three, eight or seven: nothing more can be said there. The diffusion
model does the drawing.

Read the numbers, too. Towards the three there is next to nothing to feel near the data: the classifier is sure, and asks for no more. Towards the others the gradient is large, as long as the three can be seen. At $t = 800$ nobody knows
anything, and all gradients are faint. Follow the row of the three: the push is largest at $t = 500$. So on the way to its own class a sample is steered while the class is *being decided*. Keep this for parts 7 and 9.

---
# 5 · One guided step

The guided score is $s_w = s + w\,g$. With $w = 1$ it is the score of $p_t(x\mid y)$, by Bayes' rule. With larger $w$ the class counts more than it honestly should, and that is what everybody uses. Our network speaks in noise, so
say the same in noise. Then take one step of the classical sampler (DDPM, *denoising diffusion probabilistic models*). Given the noise estimate, it removes from $x_t$ what step $t$ had added, undoes the shrinking, and adds fresh noise of the size of that step:

$$x_{t-1} = \frac{1}{\sqrt{\alpha_t}}\Big(x_t - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\hat\varepsilon\Big) + \sqrt{\beta_t}\; z,\qquad z\sim\mathcal N(0,I),$$

and no $z$ at $t = 0$: the last step ends on the data. Why this factor before $\hat\varepsilon$? All the noise in $x_t$ is $\sqrt{1-\bar\alpha_t}\,\hat\varepsilon$, and step $t$ owns the share $\beta_t/(1-\bar\alpha_t)$ of its variance. (Some papers give $z$ the size `posterior`. Your picture of 3.1 says where that makes a difference.)

> ### Exercise 3.5 · Guided noise, and a DDPM step
> **3 points** (1 for `guided_noise`, 2 for `ddpm_step`) · difficulty ●●○○○ · 20 minutes
>
> (a) `guided_noise(noise_estimate, gradient, t, w, schedule)`: the noise estimate that belongs to the score $s + w\,g$.
>
> (b) `ddpm_step(x, t, noise_estimate, noise, schedule)`: one step. The variance of the added noise is $\beta_t$; `noise` is the $z$ of the formula, given to you. Each sample of a batch may be at another `t`, and samples at `t == 0` get no noise.
>
> Both for any shape `(b, …)`; they leave their inputs as they are.

<details><summary>A nudge</summary>

(a) Turn $s + w\,g$ into noise with your dictionary of 3.2. The first term gives back `noise_estimate`. (b) `torch.where(t > 0, schedule.betas[t], 0.0)` is the variance of the added noise, of shape `(b,)`. It still needs the axes of `x`.
</details>
<details><summary>The shape of the answer</summary>

(a) One line. Which sigma, which sign? At $w = 0$ nothing changes. (b) Look up three numbers with `gather_per_sample`; a mean; a kick.
</details>
"""

# %% answer="lab3.guided_ddpm_step"
def guided_noise(
    noise_estimate: Float[Tensor, "b *shape"],
    gradient: Float[Tensor, "b *shape"],
    t: Int[Tensor, " b"],
    w: float,
    schedule: Schedule,
) -> Float[Tensor, "b *shape"]:
    """The noise estimate of the score s + w g."""
    ### BEGIN SOLUTION
    return noise_estimate - w * (1 - gather_per_sample(schedule.alpha_bars, t, gradient)).sqrt() * gradient
    ### END SOLUTION


def ddpm_step(
    x: Float[Tensor, "b *shape"],
    t: Int[Tensor, " b"],
    noise_estimate: Float[Tensor, "b *shape"],
    noise: Float[Tensor, "b *shape"],
    schedule: Schedule,
) -> Float[Tensor, "b *shape"]:
    """From x_t to x_{t-1}."""
    ### BEGIN SOLUTION
    beta, alpha, alpha_bar = (gather_per_sample(values, t, x) for values in schedule)
    mean = (x - beta / (1 - alpha_bar).sqrt() * noise_estimate) / alpha.sqrt()
    return mean + gather_per_sample(t > 0, torch.arange(len(t), device=t.device), x) * beta.sqrt() * noise
    ### END SOLUTION


# %% check="lab3.guided_ddpm_step"

# %% [markdown]
r"""
*Your* guided score on the plane at $t = 300$, towards the lower right cloud. The cross marks that cloud's middle. **Predict, then run:** at $w = 1$ all arrows should lead to one cloud. What is different at $w = 4$, for points that are already there?
"""

# %% role="illustration"
def draw_guided_scores():
    schedule = linear_schedule(STEPS)
    side = torch.linspace(-2.8, 2.8, 13)
    grid = torch.cartesian_prod(side, side)
    t, y = every(300, grid), every(2, grid)
    x0, labels = PLANE.sample(600, generator(1))
    x = add_noise(x0, every(300, x0), torch.randn(x0.shape, generator=generator(2)), schedule)
    g = classifier_gradient(lambda x, t: PLANE.logits(x, t, schedule), grid, t, y)
    fig, axes = plane_axes(3)
    for ax, w in zip(axes, (0.0, 1.0, 4.0)):
        scatter_classes(ax, x, labels, size=9)
        score = score_from_noise(guided_noise(PLANE.noise(grid, t, schedule), g, t, w, schedule), t, schedule)
        score = score * (3 / score.norm(dim=1, keepdim=True)).clamp(max=1)
        ax.quiver(*grid.T, *score.T, color="#222222", angles="xy", width=0.004, scale=60)
        ax.plot(*(schedule.alpha_bars[300].sqrt() * PLANE.means[2]), "X", color=plotting.RED, markersize=8, markeredgecolor="white")
        ax.set_title(f"w = {w:g}")
    plt.show()


drawn(draw_guided_scores, "3.1 to 3.5")

# %% [markdown]
r"""
At $w = 1$ the arrows meet at the cross. At $w = 4$ they meet beyond it (long arrows are cut short): a point in the middle of the cloud is pushed on, away from the other two. It belongs to the class already, and is told to belong to it more.

---
# 6 · Large steps without noise

A thousand steps are a thousand calls of a network. DDIM (*denoising diffusion implicit models*) needs fifty or ten. It reads the estimate differently: if $\hat\varepsilon$ is the noise in $x_t$, then the data behind it is

$$\hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\;\hat\varepsilon}{\sqrt{\bar\alpha_t}},$$

and the point with the same data and the same noise at an *earlier* step $t'$, however far away, is $x_{t'} = \sqrt{\bar\alpha_{t'}}\,\hat x_0 + \sqrt{1-\bar\alpha_{t'}}\,\hat\varepsilon$. No new noise comes in, so the whole way is a
deterministic function of where it began. (With ever smaller steps it follows a differential equation, the *probability flow ODE*. Part 9 calls it `ode`.)

> ### Exercise 3.6 · A DDIM step
> **2 points** · difficulty ●●○○○ · 15 minutes
>
> Complete `ddim_step(x, t, t_prev, noise_estimate, schedule)`. `t` and `t_prev` have the shape `(b,)`, and `t_prev < t`. **`t_prev` may be −1: that means the data itself, $\bar\alpha = 1$**, and samples of one batch may differ in it.

<details><summary>A nudge</summary>

In Python, `alpha_bars[-1]` is the *last* element. That is the noisiest step, and nobody will tell you.
</details>
<details><summary>The shape of the answer</summary>

`torch.where(t_prev >= 0, alpha_bars[t_prev], 1.0)`, or a list with a 1 at its end. Then two lines, the two formulas.
</details>
"""

# %% answer="lab3.ddim_step"
def ddim_step(
    x: Float[Tensor, "b *shape"],
    t: Int[Tensor, " b"],
    t_prev: Int[Tensor, " b"],
    noise_estimate: Float[Tensor, "b *shape"],
    schedule: Schedule,
) -> Float[Tensor, "b *shape"]:
    """From x at step t to x at the earlier step t_prev, or to the data where t_prev is -1."""
    ### BEGIN SOLUTION
    alpha_bar = gather_per_sample(schedule.alpha_bars, t, x)
    with_data = torch.cat([schedule.alpha_bars, torch.ones_like(schedule.alpha_bars[:1])])  # index -1 is the data
    alpha_bar_prev = gather_per_sample(with_data, t_prev, x)
    x0 = (x - (1 - alpha_bar).sqrt() * noise_estimate) / alpha_bar.sqrt()
    return alpha_bar_prev.sqrt() * x0 + (1 - alpha_bar_prev).sqrt() * noise_estimate
    ### END SOLUTION


# %% check="lab3.ddim_step"

# %% [markdown]
r"""
Without guidance, on the plane, with the exact noise estimate: DDPM in 1,000 steps, and DDIM in fewer and fewer. **Predict, then run:** what will ten steps do to the clouds? And two?
"""

# %% role="definitions"
def few_times(count: int) -> list[int]:
    """`count` steps from T - 1 down to 0, and -1 for the data."""
    return [*torch.linspace(STEPS - 1, 0, count).round().int().tolist(), -1]


def walk_ddpm(x: Tensor, estimate, schedule: Schedule, source: torch.Generator) -> Tensor:
    """All steps of DDPM with a noise estimate (x, t) -> noise."""
    for step in reversed(range(schedule.steps)):
        t = every(step, x)
        x = ddpm_step(x, t, estimate(x, t), torch.randn(x.shape, generator=source, dtype=x.dtype), schedule)
    return x


def walk_ddim(x: Tensor, estimate, schedule: Schedule, count: int) -> Tensor:
    """`count` steps of DDIM with a noise estimate (x, t) -> noise."""
    times = few_times(count)
    for now, then in zip(times, times[1:]):
        x = ddim_step(x, every(now, x), every(then, x), estimate(x, every(now, x)), schedule)
    return x


# %% role="illustration"
def draw_samplers():
    schedule = linear_schedule(STEPS)

    def exact(x: Tensor, t: Tensor) -> Tensor:
        return PLANE.noise(x, t, schedule)

    start = torch.randn(800, 2, generator=generator(7))
    fig, axes = plane_axes(4)
    pictures = {"DDPM, 1000 steps": walk_ddpm(start, exact, schedule, generator(8))}
    pictures |= {f"DDIM, {n} steps": walk_ddim(start, exact, schedule, n) for n in (50, 10, 2)}
    for ax, (name, x) in zip(axes, pictures.items()):
        scatter_classes(ax, x, PLANE.logits(x, every(0, x), schedule).argmax(1))
        ax.set_title(name)
    plt.show()


drawn(draw_samplers, "3.1, 3.5 and 3.6")

# %% [markdown]
r"""
Fifty steps are as good as a thousand here. With ten the clouds are a little too narrow, and some points are lost between them. With two everybody ends in the middle: from pure noise, the best guess of the data is the mean of all of them, and one
jump leads there.

---
# 7 · Spot the bugs

Here is a guided sampler as you may find it in a tutorial. It runs. It raises nothing. Its pictures are bad, and its author thinks that classifier guidance "needs tuning". The two functions that it is
given, `classifier_gradient` and `ddpm_step`, are right. **There are four faults, all in the glue.**
"""

# %% role="definitions"
def suspicious_sampler(x, y, w, model, classifier, schedule, classifier_gradient, ddpm_step, noises):
    """From pure noise x to samples of the classes y. `noises[t]` is the noise of step t."""
    for step in reversed(range(schedule.steps)):
        t = torch.full((len(x),), step, device=x.device)
        gradient = classifier_gradient(classifier, x, t, y)
        noise_estimate = model(x, t)
        sigma = schedule.betas[step].sqrt()
        x_next = ddpm_step(x, t, noise_estimate, noises[step], schedule)
        x = (x_next - w * sigma * gradient).clamp(-1, 1)
    return x


# %% role="illustration"
def draw_with(sampler, scales=(0.0, 1.0, 3.0)):
    schedule = linear_schedule(STEPS)
    start = torch.randn(600, 2, generator=generator(7))
    noises = torch.randn(STEPS, 600, 2, generator=generator(8))
    fig, axes = plane_axes(len(scales))
    x0, labels = PLANE.sample(600, generator(1))
    samples = {}
    for ax, w in zip(axes, scales):
        ax.scatter(*x0.T, s=4, color="#BBBBBB", linewidths=0)
        x = sampler(start, every(2, start), w, lambda x, t: PLANE.noise(x, t, schedule), lambda x, t: PLANE.logits(x, t, schedule),
                    schedule, classifier_gradient, ddpm_step, noises)  # fmt: skip
        ax.scatter(*x.T, s=4, color=plotting.RED, linewidths=0, alpha=0.6)
        ax.set_title(f"w = {w:g}")
        samples[w] = x
    plt.show()
    return samples


drawn(lambda: draw_with(suspicious_sampler), "3.1, 3.4 and 3.5")

# %% [markdown]
r"""
Grey: the world. Orange-red: what the sampler draws, which for $w > 0$ should be points of the lower right cloud. Without guidance they are cut off by a box. With guidance they all flee into the corner that lies farthest from the wanted cloud: the one small point at $(-1, 1)$ is all 600 of them.

> ### Exercise 3.7 · Mend the sampler
> **2 points** (½ for each fault) · difficulty ●●●○○ · 20 minutes
>
> Write `guided_sampler` with the same arguments and without the four faults. Call `model`, `classifier_gradient` and `ddpm_step` once a step each, with the same `x` and `t`, from $t = T - 1$ down to 0, and use `noises[t]` in step $t$. Do not use your `guided_noise`
> from above: write the line out, for this function has to stand alone.

<details><summary>A nudge</summary>

Go through the two lines with `sigma`, letter by letter: is `x` to move along the gradient or against it, and which of the three sigmas is wanted? (One mending may cure two faults: what is the wrong sign for $x$ is the right one for the noise.) Then ask what `ddpm_step` should have known. Then look at pure noise: how much of it lies outside $[-1, 1]$?
</details>
<details><summary>The shape of the answer</summary>

The guidance belongs in the noise estimate, before the step. After the step nothing happens to `x` any more.
</details>
"""

# %% answer="lab3.spot_the_bugs"
def guided_sampler(x, y, w, model, classifier, schedule, classifier_gradient, ddpm_step, noises):
    """From pure noise x to samples of the classes y. `noises[t]` is the noise of step t."""
    ### BEGIN SOLUTION
    for step in reversed(range(schedule.steps)):
        t = torch.full((len(x),), step, device=x.device)
        gradient = classifier_gradient(classifier, x, t, y)
        sigma = (1 - schedule.alpha_bars[step]).sqrt()
        noise_estimate = model(x, t) - w * sigma * gradient
        x = ddpm_step(x, t, noise_estimate, noises[step], schedule)
    return x
    ### END SOLUTION


# %% check="lab3.spot_the_bugs"

# %% role="illustration"
def draw_mended():
    samples = draw_with(guided_sampler, (0.0, 1.0, 3.0, 8.0))
    middle = PLANE.means[2]
    outwards = middle / middle.norm()
    place = torch.linspace(-1.3, 1.6, 300)
    fig, ax = plt.subplots(figsize=(6.5, 3))
    std = float(PLANE.stds[2])
    ax.fill_between(place, torch.exp(-((place / std) ** 2) / 2) / (std * math.sqrt(2 * math.pi)), color="#CCCCCC", linewidth=0, label="the class")
    for w, color, style in zip((1.0, 3.0, 8.0), (plotting.BLUE, plotting.ORANGE, plotting.RED), ("-", "--", ":")):
        beyond = (samples[w] - middle) @ outwards
        density = torch.exp(-(((place[:, None] - beyond) / 0.1) ** 2) / 2).mean(1) / (0.1 * math.sqrt(2 * math.pi))
        ax.plot(place, density, style, color=color, label=f"w = {w:g}: {float((beyond < 0).float().mean()):.0%} on the inner side")
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.set(xlabel="how far beyond the cloud's middle, seen from the other clouds", ylabel="density", ylim=(0, 2.1), title="Guidance moves on")
    ax.legend(loc="upper left")
    plt.show()


drawn(draw_mended, "3.1, 3.4, 3.5 and 3.7")

# %% [markdown]
r"""
At $w = 1$ the samples fill the lower right cloud, as Bayes' rule promised: one half of them on either side of its middle. At $w = 3$ and $8$ they move on: outwards, away from the other clouds. On the plane this is easily overlooked, for the clouds lie far apart, and
soon the classifier is sure and falls silent. The curves show it: at $w = 3$ fewer than four samples in ten are left on the inner side, at $w = 8$ three. Keep that picture. It is what guidance does to digits, too, only that there you cannot see where the data end.

---
# 8 · Now digits

The same functions, the two checkpoints, and DDIM in few steps. Every row below starts from **the same noise**; column $k$ asks for the digit $k$. **Predict, then run:** the first row has $w = 0$. What will it show?
"""

# %% role="definitions"
SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)


@torch.no_grad()
def sample_digits(net, classifier, noise: Tensor, labels: Tensor, w: float, count: int, schedule: Schedule, film: list | None = None) -> Tensor:
    """Guided DDIM: one noise network, one classifier, `count` steps. With a list as `film`, estimates of the data are kept in it."""
    x, labels, times = noise.to(device), labels.to(device), few_times(count)
    for now, then in zip(times, times[1:]):
        t = every(now, x)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast_bf16(device)):
            estimate = net(x, t).float()
            if w != 0:
                estimate = guided_noise(estimate, classifier_gradient(classifier, x, t, labels).float(), t, w, schedule)
        if film is not None:
            film.append(ddim_step(x, t, every(-1, x), estimate, schedule).cpu())
        x = ddim_step(x, t, every(then, x), estimate, schedule)
    return x


# %% role="illustration"
DIGIT_STEPS = budget.pick(full=50, cpu=25, ci=2)


def draw_digits():
    noise = torch.randn(10, 1, 32, 32, generator=generator(14))
    rows = [sample_digits(net, classifier, noise, torch.arange(10), w, DIGIT_STEPS, schedule).cpu() for w in SCALES]
    plotting.show_table(rows, [f"w = {w:g}" for w in SCALES], [str(k) for k in range(10)])
    plt.show()


drawn(draw_digits, "3.1 and 3.4 to 3.6")

# %% [markdown]
r"""
The first row is what the model draws when nobody asks for anything. Go down a column, and watch the same noise become the wanted digit: sometimes a stroke is closed, sometimes everything changes.

As a film: the estimate $\hat x_0$ while sampling, at $w = 4$. Column $k$ again asks for the digit $k$; here all twenty begin from noises of their own. Which digit it will be is decided early.
"""

# %% role="illustration"
def digit_film():
    kept = []
    noise = torch.randn(20, 1, 32, 32, generator=generator(15))
    sample_digits(net, classifier, noise, torch.arange(10).repeat(2), 4.0, DIGIT_STEPS, schedule, film=kept)
    return plotting.show_gif(torch.stack(kept).clamp(-1, 1), columns=10)


try:
    animation = digit_film()
except Exception as error:
    animation = f"This film needs 3.1 and 3.4 to 3.6 ({type(error).__name__})."
animation

# %% [markdown]
r"""
## What it costs

Every guided step runs the classifier forwards and backwards. That costs time, and memory: to go backwards one has to keep what was computed on the way. Measured here, now, on your machine, with and without guidance in turn:
"""

# %% role="illustration"
def measure_cost():
    n = budget.pick(full=100, cpu=50, ci=2)
    noise, labels = torch.randn(n, 1, 32, 32, generator=generator(1)), torch.arange(n) % 10
    kinds = {"unguided": 0.0, "guided": 2.0}
    steps = budget.pick(full=20, cpu=4, ci=1)
    seconds = {name: [] for name in kinds}
    for _ in range(budget.pick(cpu=5, ci=1)):
        for name, w in kinds.items():
            start = time.perf_counter()
            sample_digits(net, classifier, noise, labels, w, steps, schedule)
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append((time.perf_counter() - start) / steps)
    best = {name: min(values) for name, values in seconds.items()}
    print(f"{n} digits a step on {device}")
    for name, w in kinds.items():
        memory = peak_memory(lambda w=w: sample_digits(net, classifier, noise, labels, w, 1, schedule))
        print(f"{name:<34}{1000 * best[name]:>10.1f} ms{memory:>10.1f} MB at the peak")
    x, y = noise.to(device), labels.to(device)
    t = every(500, x)
    parts = {"the classifier, forwards": lambda: classifier(x, t), "the classifier and its gradient": lambda: classifier_gradient(classifier, x, t, y)}
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=fast_bf16(device)):  # as in a step
        alone, with_gradient = (peak_memory(part) for part in parts.values())
    for name, memory in zip(parts, (alone, with_gradient)):
        print(f"{name:<34}{'':>13}{memory:>10.1f} MB at the peak")
    print(f"guided over unguided, time: {best['guided'] / best['unguided']:.2f}; with over without gradient, memory: {with_gradient / alone:.2f}")


drawn(measure_cost, "3.1 and 3.4 to 3.6")

# %% [markdown]
r"""
The classifier here is six times smaller than the noise network, so guidance is cheap: a third to a half more time. Its gradient needs more than twice the memory of its mere opinion, because every layer's input is kept for the way back. The peak of the *whole* step hardly rises:
the large network's own is higher, and it is over before the classifier begins. With a classifier as large as the model this would be another story. (Lab 4 pays with a second call of the large network instead.)

## What it buys, and what it takes

Four numbers, in the features of a classifier that knows only clean digits (test accuracy 99.65 %), and that took no part in the guiding. **Accuracy**: is it the digit that was asked for? **Fréchet distance**: how far is
the cloud of samples from that of real test digits? Small is good; the dashed line is the distance of as many *real* training digits, equally many of each. **Precision**: the share of samples that lie among real digits. **Recall**: the share of real
digits that lie among samples. To lie *among* points means: to be as near to one of them as its own third neighbour.

First a few digits of your own, then the table that was computed once with the checkpoints (error bars are standard errors over seeds). Compare within a table, not between the two: the last three numbers depend on how many digits one has, and a hundred are few. **Predict, then run:** accuracy will rise with $w$. What will recall do? And the distance?
"""

# %% role="illustration"
def my_sweep():
    n = budget.pick(full=500, cpu=100, ci=10)
    ruler = DigitClassifier().to(device)
    load_weights(ruler, CHECKPOINTS / "reference_classifier.safetensors")
    reference = in_batches(ruler.features, load_digits("test", device=device)[:][0])
    labels, noise = torch.arange(10, device=device).repeat(n // 10), torch.randn(n, 1, 32, 32, generator=generator(3))
    print(f"{n} digits for each w, {DIGIT_STEPS} steps, one seed")
    print(f"{'w':>4}{'accuracy':>12}{'Fréchet':>12}{'precision':>12}{'recall':>12}")
    for w in SCALES:
        features = in_batches(ruler.features, sample_digits(net, classifier, noise, labels, w, DIGIT_STEPS, schedule))
        accuracy = float((ruler.head(features).argmax(1) == labels).double().mean())
        near = precision_recall(reference[:: len(reference) // n][:n], features)
        print(f"{w:>4g}{accuracy:>12.2f}{frechet_distance(features, reference):>12.2f}{near[0]:>12.2f}{near[1]:>12.2f}")


drawn(my_sweep, "3.1 and 3.4 to 3.6")

# %% role="illustration"
stored_sweep = stored_table("lab3_sweep")
print(f"{stored_sweep['images']} digits for each w and seed, {stored_sweep['seeds']} seeds; distance of real digits {stored_sweep['floor']:.2f}")
print(f"{'w':>4}{'accuracy':>18}{'Fréchet':>18}{'precision':>18}{'recall':>18}")
for w, row in stored_sweep["by scale"].items():
    print(f"{w:>4}" + "".join(f"{over_seeds(row[name])!s:>18}" for name in ("accuracy", "distance", "precision", "recall")))
plotting.draw_sweep(stored_sweep)
plt.show()

# %% [markdown]
r"""
Recall falls all the way, slowly at first. The distance falls, and rises again; 3.9 asks you why.

And one number should puzzle you. By Bayes' rule $w = 1$ is the honest conditional law, yet at $w = 1$ one digit in three is not the one that was asked for. More steps do not help: with 25, with 100 and with 200 of them 70 of 100 digits
were right. Bayes' rule speaks of the exact score and of the exact classifier. On the plane we had both, and $w = 1$ was right. Here both are networks, which only come near them.

---
# 9 · What guidance does not sample

It is often written that guidance samples from $p(x)\,p(y\mid x)^w$, "the class taken to the power $w$". The argument: $s + w\,g$ is the score of $p_t(x)\,p_t(y\mid x)^w$. That is true *for each t*. But a sampler needs more. These densities
have to be the noised versions of **one another**, and for $w$ other than 0 and 1 they are not.

Is the error large? Take the smallest example there is, in one dimension, where everything can be computed. All data: $p(x) = \mathcal N(0, S)$. The class: $p(x\mid y) = \mathcal N(0, s)$ with $s < S$. (There is such a class if it is rare enough, $p(y) \le \sqrt{s/S}$; the rest of the data are the other one. From here on, $s$ is a variance and not the score.) A Gaussian stays one under a linear drift, so a sampler is
described by one number, its variance. And there are three candidates.

**The claim** (`tilt`). $p(x)\,p(y\mid x)^w \propto p(x)^{1-w}\,p(x\mid y)^w$. What is its variance?

**The two samplers.** Divide $x_t$ by $\sqrt{\bar\alpha_t}$, and the noise process is simply $x_0 + \sqrt\tau\,\varepsilon$, with $\tau = (1-\bar\alpha_t)/\bar\alpha_t$. At noise $\tau$ the two laws have the variances $S+\tau$ and $s+\tau$, so the guided score is

$$-\lambda(\tau)\,x,\qquad \lambda(\tau) = \frac{1-w}{S+\tau} + \frac{w}{s+\tau} .$$

Let $U(\tau)$ be the variance of the samples on their way. With the noise-free sampler (DDIM, `ode`) and with the noisy one (DDPM, `sde`) it obeys

$$\text{ode:}\quad \frac{\mathrm dU}{\mathrm d\tau} = \lambda\,U,\qquad\qquad \text{sde:}\quad \frac{\mathrm dU}{\mathrm d\tau} = 2\lambda\,U - 1,$$

and both start from pure noise: $U(\tau)/\tau \to 1$ as $\tau\to\infty$. The samples have the variance $U(0)$.

<details><summary>Where the two equations come from</summary>

Let $u = x_t/\sqrt{\bar\alpha_t}$; its score is $-\lambda u$. Your DDIM step says $u' = \hat x_0 + \sqrt{\tau'}\,\hat\varepsilon$. So $u$ changes by $\hat\varepsilon$ times the change of $\sqrt\tau$, and $\hat\varepsilon = \sqrt\tau\,\lambda u$ by your dictionary: $\mathrm du/\mathrm d\tau = \tfrac12\lambda u$. A variance is a square and
grows at twice the rate: that is the ode.

A small DDPM step, from $\tau$ down to $\tau - h$, goes twice as far and adds noise of the variance $h$: $u' = u - h\lambda u + \sqrt h\,z$. So $U(\tau - h) = (1-h\lambda)^2\,U(\tau) + h$, and for small $h$ that is the sde.
</details>

> ### Exercise 3.8 · Three variances
> **1 point** · difficulty ●●●●○ · 30 minutes, mostly with a pencil
>
> `what_guidance_samples(S, s, w)` returns the numbers `(tilt, ode, sde)`, for $0 < s < S$ and any $w \ge 0$ except $w = \tfrac12$ (where one of the formulas is 0/0). Four significant digits are enough: a numerical solution of the two equations counts as much as a formula.

<details><summary>A nudge for the ode</summary>

$\mathrm d\log U/\mathrm d\tau = \lambda$, and the integral of $1/(S+\tau)$ is a logarithm. So $U$ is a constant times a product of two powers. The condition at $\tau\to\infty$ fixes the constant.
</details>
<details><summary>A nudge for the sde</summary>

Let $H(\tau) = (S+\tau)^{2-2w}(s+\tau)^{2w}$, which solves the equation without the $-1$. Try $U = H\cdot C(\tau)$: then $C' = -1/H$, and $C\to 0$ at infinity. The integral of $1/H$ becomes easy in the variable $q = (s+\tau)/(S+\tau)$.
</details>
<details><summary>How to know that you are right</summary>

At $w = 0$ all three are $S$; at $w = 1$ all three are $s$. At $S = 4$, $s = 1$, $w = 3$ a simulation gives 0.0625 without noise and 0.266 with noise.
</details>
"""

# %% answer="lab3.what_guidance_samples"
def what_guidance_samples(S: float, s: float, w: float) -> tuple[float, float, float]:
    """The variances called tilt (the claim), ode and sde (what samplers do)."""
    ### BEGIN SOLUTION
    tilt = 1 / ((1 - w) / S + w / s)
    ode = S ** (1 - w) * s**w
    sde = (S * s - S ** (2 - 2 * w) * s ** (2 * w)) / ((S - s) * (2 * w - 1))
    return tilt, ode, sde
    ### END SOLUTION


# %% check="lab3.what_guidance_samples"

# %% [markdown]
r"""
*Your* formulas beside *your* samplers, with exact scores and all 1,000 steps. **Predict, then run:** which of the two samplers comes nearer to the claim?
"""

# %% role="illustration"
def walk_gaussian(S: float, s: float, w: float, particles: int) -> dict[str, Tensor]:
    """Guided samples of the one-dimensional example, from your DDIM and from your DDPM steps."""
    schedule = linear_schedule(STEPS).to(torch.float64)

    def estimate(x: Tensor, t: Tensor) -> Tensor:
        bar = gather_per_sample(schedule.alpha_bars, t, x)
        all_data, of_class = (-x / (bar * variance + 1 - bar) for variance in (S, s))  # two exact scores
        return guided_noise(noise_from_score(all_data, t, schedule), of_class - all_data, t, w, schedule)

    start = torch.randn(particles, 1, generator=generator(1), dtype=torch.float64)
    return {"ode": walk_ddim(start, estimate, schedule, STEPS), "sde": walk_ddpm(start, estimate, schedule, generator(2))}


def compare_variances():
    S, s, particles = 4.0, 1.0, budget.pick(full=200_000, cpu=40_000, ci=50)
    print(f"S = {S:g}, s = {s:g}, {particles:,} samples")
    print(f"{'w':>4}{'claimed':>10}   |{'ode':>8}{'DDIM':>9}   |{'sde':>8}{'DDPM':>9}")
    for w in (0.0, 1.0, 2.0, 3.0, 5.0):
        tilt, ode, sde = what_guidance_samples(S, s, w)
        x = walk_gaussian(S, s, w, particles)
        print(f"{w:>4g}{tilt:>10.4f}   |{ode:>8.4f}{float(x['ode'].var()):>9.4f}   |{sde:>8.4f}{float(x['sde'].var()):>9.4f}")
        if w == 3.0:
            shown = x
    fig, ax = plt.subplots(figsize=(6.5, 3.2))
    side = torch.linspace(-2.5, 2.5, 400, dtype=torch.float64)
    for key, color in (("ode", plotting.SKY), ("sde", plotting.YELLOW)):
        ax.hist(shown[key][:, 0].numpy(), bins=120, range=(-2.5, 2.5), density=True, color=color, alpha=0.6, label={"ode": "DDIM", "sde": "DDPM"}[key])
    names = zip(what_guidance_samples(S, s, 3.0), ("the claim", "ode", "sde"), (plotting.RED, plotting.BLUE, "#8A6D00"), ("--", "-", "-"))
    for variance, name, color, style in names:
        ax.plot(side, torch.exp(-(side**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance), style, color=color, label=name)
    ax.set(title="w = 3: what is claimed, and what is sampled", xlabel="x", ylabel="density")
    ax.legend()
    plt.show()


drawn(compare_variances, "3.1, 3.2, 3.5, 3.6 and 3.8")

# %% [markdown]
r"""
At $w = 0$ and $1$ all agree, to about one per cent: the samplers are right. At $w = 3$ the noise-free one ends with a sixth of the claimed variance. There is no error in the code, and more steps do not help. *Guidance narrows more than the
formula says, and by how much depends on the sampler.*

Is it only the width? Two clouds on a line, at $+1$ and $-1$, both $0.5$ wide, and we ask for the right one. Here the *place* is wrong, too. The claimed law is computed by quadrature, the rest is sampled, with your functions and exact scores:
"""

# %% role="illustration"
def walk_clouds(w: float, particles: int) -> dict[str, Tensor]:
    """Guided samples of the right one of two clouds."""
    schedule = linear_schedule(STEPS).to(torch.float64)
    line = Mixture(torch.tensor([[1.0], [-1.0]]).double(), torch.tensor([0.5, 0.5]).double())

    def estimate(x: Tensor, t: Tensor) -> Tensor:
        gradient = classifier_gradient(lambda x, t: line.logits(x, t, schedule), x, t, every(0, x))
        return guided_noise(line.noise(x, t, schedule), gradient, t, w, schedule)

    start = torch.randn(particles, 1, generator=generator(1), dtype=torch.float64)
    return {"DDIM": walk_ddim(start, estimate, schedule, STEPS), "DDPM": walk_ddpm(start, estimate, schedule, generator(2))}


def claimed_density(w: float) -> tuple[Tensor, Tensor]:
    """Places and the density of p(x) p(right | x)^w there."""
    x = torch.linspace(-4, 4, 4001, dtype=torch.float64)
    right, left = (torch.exp(-((x - m) ** 2) / (2 * 0.25)) for m in (1.0, -1.0))
    density = (right + left) * (right / (right + left)) ** w
    return x, density / torch.trapezoid(density, x)


def compare_clouds():
    particles = budget.pick(full=100_000, cpu=10_000, ci=50)
    print(f"{'':<6}{'claimed':>16}{'DDIM':>18}{'DDPM':>18}     (mean, standard deviation)")
    found = {}
    for w in (1.0, 3.0, 5.0):
        x, density = claimed_density(w)
        mean = float(torch.trapezoid(x * density, x))
        spread = float(torch.trapezoid((x - mean) ** 2 * density, x)) ** 0.5
        samples = found[w] = walk_clouds(w, particles)
        row = "".join(f"{float(v.mean()):>12.3f}{float(v.std()):>6.3f}" for v in samples.values())
        print(f"w = {w:<2g}{mean:>10.3f}{spread:>6.3f}{row}")
    fig, axes = plt.subplots(1, 3, figsize=(11, 3), sharey=True)
    for ax, (w, samples) in zip(axes, found.items()):
        for (name, values), color in zip(samples.items(), (plotting.SKY, plotting.YELLOW)):
            ax.hist(values[:, 0].numpy(), bins=80, range=(-1, 3), density=True, color=color, alpha=0.6, label=name)
        ax.plot(*claimed_density(w), "--", color=plotting.RED, label="the claim")
        ax.set(title=f"w = {w:g}", xlim=(-1, 3), xlabel="x")
    axes[0].set_ylabel("density")
    axes[0].legend(loc="upper left")
    plt.show()


drawn(compare_clouds, "3.1 and 3.4 to 3.6")

# %% [markdown]
r"""
The claim hardly moves: at $x = 1$ the class is certain already, and a power of 1 is 1. The samplers move on all the same, to the class's outer edge: at $w = 5$ DDIM's *mean* is 1.8, and only one point in twenty of the class lies farther out. This is the picture of the plane from above, with numbers.

> ### Exercise 3.9 · Quality against diversity (written)
> **2 points**, graded by hand · difficulty ●●●○○ · 15 minutes
>
> From your grid, your table and your formulas, in six to ten sentences: (a) what do quality and diversity do as $w$ rises, and in which numbers do you see each? Why is the distance not monotone? (b) What does a guided sampler *not* sample from, and why not? Use the example with the
> three variances. (c) Would you use the same $w$ for making training data and for making one picture to show?
"""

# %% [markdown] answer="lab3.tradeoff_essay"
r"""
**Model answer.** (a) With rising $w$ accuracy goes from a tenth (at $w = 0$ nobody asked for a class) to nearly one (.99), and precision from .55 to .90: samples look clean and are what was asked for. Recall falls from .94 to .64: fewer of the real digits have a sample near them, and in the grid strokes grow bold. (That shapes
become alike shows in recall only: the grid has one picture a digit.) The Fréchet distance compares mean and spread of two clouds. At small $w$ the classes or their shares are off, or samples lie between classes; at large $w$ the spread is too small and
the centre has moved; in between, at $w = 4$, it has its minimum.

(b) Not from $p(x)\,p(y\mid x)^w$. For each $t$ the guided score is that of $p_t(x)\,p_t(y\mid x)^w$, but these densities are not the noised versions of the one at $t = 0$ unless $w$ is 0 or 1, so the reversed noising process, which the sampler imitates, does not pass through
them. In the Gaussian example with $S = 4$, $s = 1$, $w = 3$ the claim is a variance of 0.40, DDIM gives 0.0625 and DDPM 0.266: the result even depends on the sampler.

(c) No. For training data I need diversity, and labels that are right: with these networks one label in three is wrong at $w = 1$, so I would take the smallest $w$ that draws what was asked for, 2 to 4, and watch recall and the distance. For one picture to show I want precision and the right class, so a larger $w$, and nobody sees what is missing.

**Rubric.** ½ point: quality up and diversity down, each tied to a number or to the student's own picture (precision or accuracy; recall). ½ point: why the distance has a minimum. ½ point: not $p(x)p(y|x)^w$, *with* the reason (slices are right,
the path is not) or with the example's numbers. ½ point: a use that wants diversity against one that wants quality. "More guidance is better until artefacts appear" alone: no credit for (a).
"""

# %% [markdown]
r"""
---
# Beyond · Steering with words

*Ungraded.* Nothing in your functions knows what a class is. `classifier_gradient` wants something that turns $x$ into logits. A model of **images and words** does that too: it puts pictures and texts on one sphere, such that a picture lies near its caption. CLIP is a large one. Here
is a tiny one, trained now, on captions such as "a bold slanted seven" (`utils/captions.py`).

There is a catch, and it is exercise 3.3 again: this model is not told $t$, and digits deep in the noise it has never seen. (In its training they are blurred by a little noise at most.) So we do not show it $x_t$. We show it the estimate $\hat x_0$ that the noise network implies, and differentiate through that formula (with the network's estimate held fixed: cheap, and good enough here).
"""

# %% role="illustration"
def train_words():
    torch.manual_seed(0)
    model = TinyCLIP().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(budget.pick(full=1500, cpu=300, ci=2)):
        x, y = digits.sample(budget.pick(cpu=128, ci=8))
        texts = captions(x, y)
        same = torch.tensor([[float(a == b) for b in texts] for a in texts], device=device)
        # some noise: the estimates that it will be shown are not quite clean either, and its gradient becomes smoother
        blurred = x + 1.5 * torch.rand(len(x), 1, 1, 1, device=device) * torch.randn_like(x)
        loss = contrastive_loss(model.encode_image(blurred), model.encode_text(texts), same)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    print(f"contrastive loss: {np.mean(losses[:10]):.2f} at first, {np.mean(losses[-10:]):.2f} at last")
    return model.eval().requires_grad_(False)


@torch.no_grad()
def sample_by_words(model, noise: Tensor, text: str, against: list[str], w: float, count: int, sharpness: float = 6.0) -> Tensor:
    """Guided DDIM, with your functions: "which of these texts fits?" is a classifier of the estimated data."""
    directions = model.encode_text([text, *against])
    x, times = noise.to(device), few_times(count)
    for now, then in zip(times, times[1:]):
        t = every(now, x)
        estimate = net(x, t)

        def fits(x, t, estimate=estimate):
            x0 = ddim_step(x, t, torch.full_like(t, -1), estimate, schedule)
            return sharpness * model.encode_image(x0.clamp(-1.5, 1.5)) @ directions.T

        if gather_per_sample(schedule.alpha_bars, t[:1], t[:1]) > 0.01:  # before that the estimate is a blur, and words say nothing
            estimate = guided_noise(estimate, classifier_gradient(fits, x, t, torch.zeros_like(t)), t, w, schedule)
        x = ddim_step(x, t, every(then, x), estimate, schedule)
    return x


def draw_words():
    model = train_words()
    noise = torch.randn(10, 1, 32, 32, generator=generator(21))
    captions = ["a fine upright seven", "a fine slanted seven", "a bold slanted seven", "a bold upright zero"]
    kinds = [f"a {ink} {lean} {digit}" for ink in ("bold", "fine") for lean in ("upright", "slanted") for digit in ("zero", "one", "three", "four", "seven", "eight")]
    rows = [sample_by_words(model, noise, "a", [], 0.0, DIGIT_STEPS).cpu()]
    for text in captions:
        rows.append(sample_by_words(model, noise, text, [k for k in kinds if k != text], 4.0, DIGIT_STEPS).cpu())
    plotting.show_table(rows, ["no words", *captions])
    plt.show()


drawn(draw_words, "3.1 and 3.4 to 3.6")

# %% [markdown]
r"""
Rows begin with the same noise. Look at one column: the seven leans, and grows bold, as it is told. It makes slips, for a few hundred steps of training make a poor linguist. A real CLIP fits the same two methods. With `pip install open_clip_torch` and some patience, put `utils.captions.OpenCLIP(device=device)` in the place of
the tiny model.

# Beyond · Colours

*Ungraded.* Nothing above knows that pictures are grey, either. CIFAR-10 has ten kinds of things in colour. With its files at hand (`utils.data.download_cifar()` gets them, 160 MB), the cell below trains the same two networks with three channels, and prints the distance against $w$. Give it a GPU and half an hour; smaller budgets only show
that it runs.
"""

# %% role="illustration"
def on_cifar():
    data, schedule = load_cifar("train", device=device), linear_schedule(STEPS).to(device)
    steps, n, count = budget.pick(full=20000, cpu=20, ci=1), budget.pick(full=1000, cpu=40, ci=10), budget.pick(full=50, cpu=5, ci=1)
    batch = budget.pick(full=128, cpu=16, ci=2)
    noise_net = NoiseUNet(schedule.alpha_bars, channels=budget.pick(full=(64, 128, 256), cpu=(16, 32)), image_channels=3)
    NoiseTrainer(noise_net, data, schedule).train(steps, device, batch_size=batch, ema=0.999, bf16=True)
    reader = NoisyDigitClassifier(STEPS, image_channels=3)
    NoisyClassifierTrainer(reader, data, schedule, add_noise).train(steps, device, batch_size=batch, bf16=True)
    ruler = DigitClassifier(image_channels=3)  # a reference classifier for this data: the same loss without noise

    class Clean(Trainer):
        def get_train_loss(self, batch_size: int) -> Tensor:
            x, y = data.sample(batch_size)
            return nn.functional.cross_entropy(self.model(x), y)

    Clean(ruler).train(steps, device, batch_size=batch, bf16=True)
    reference = in_batches(ruler.features, load_cifar("test", device=device)[: max(n, 20)][0])
    labels, noise = torch.arange(10, device=device).repeat(n // 10), torch.randn(n, 3, 32, 32, generator=generator(3))
    for w in SCALES:
        x = sample_digits(noise_net, reader, noise, labels, w, count, schedule)
        print(f"w = {w:<4g} Fréchet distance {frechet_distance(in_batches(ruler.features, x), reference):.2f}")


if find_cifar():
    drawn(on_cifar, "3.1 and 3.3 to 3.6")
else:
    print("CIFAR-10 is not here, and this part is skipped.")

# %% [markdown]
r"""
---
# What you can do now

- tell three sigmas apart, and know which one a formula means;
- speak of one model in scores and in noise;
- steer a model that you did not train, and may not train, with anything that has a gradient;
- say in numbers what guidance costs, buys and takes, and what it does not sample.

**To read:** Dhariwal and Nichol, *Diffusion Models Beat GANs on Image Synthesis* (2021): classifier guidance, and a trade-off curve · Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models* (2020) · Song, Meng and Ermon, *Denoising Diffusion Implicit Models* (2021) ·
Bradley and Nakkiran, *Classifier-Free Guidance is a Predictor-Corrector* (2024): what guidance samples · Bansal and others, *Universal Guidance for Diffusion Models* (2023): guidance through the estimate of the data.
"""
