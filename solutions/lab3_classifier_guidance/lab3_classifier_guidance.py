# %% [markdown]
r"""
# Lab 3 · Steering with a classifier

A **diffusion model** adds noise to data until only noise is left, and trains a network to estimate which noise was added. To draw, start from pure noise and let the network remove a
little of it, a thousand times.

You receive such a model, which draws digits but knows no labels, and you may not train it again. You will make it draw the digit you ask for: a second, smaller network, which recognises
noisy digits, changes each of these steps. This is **classifier guidance**.

| | |
|---|---|
| Points | 18 |
| Time | 7 to 8 hours for a newcomer, reading included. Split it after part 5 |
| GPU | not needed: what a laptop cannot train in a minute is loaded from a checkpoint |
| You need | PyTorch, Bayes' rule, gradients, linear differential equations (part 9); no other lab |

**The map:** data → noise (part 1) → score (2) → guidance (3 to 5) → sampler (5 to 7). Parts 8 and 9 measure what guidance does, and what it does *not* sample.

Run the cells from top to bottom. Where a cell says `raise NotImplementedError()`, write your answer. The `check(...)` after it
reports what is right, as often as you like. Your functions must work on any device, set no seed, and leave inputs, models (mode and gradients) and global settings as they found them.
"""

# %% role="setup" hidden="Set-up: run this cell first"
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from utils import explorables, plotting
from utils.captions import TinyCLIP, captions, contrastive_loss
from utils.conventions import symbols
from utils.data import find_cifar, load_cifar, load_digits
from utils.diffusion import Schedule, gather_per_sample
from utils.fallback import drawn, stored_table
from utils.figures import lab3 as figures
from utils.metrics import frechet_distance, in_batches, precision_recall
from utils.mixture import Mixture
from utils.nets import MLP, DigitClassifier, FourierFeatures, NoiseUNet, NoisyDigitClassifier, count_parameters
from utils.peak_memory import peak_memory
from utils.predictions import predict
from utils.reference import real_features
from utils.runtime import fast_bf16, progress, setup
from utils.training import CHECKPOINTS, Trainer, load_weights
from utils.uncertainty import with_error

device, budget = setup("lab3_classifier_guidance", seed=0)
plotting.use_style()

# %% [markdown]
r"""
At the end your code will draw this picture: each column has its own noise and asks for one digit, with more guidance from row to row.
"""

# %% role="illustration" hidden="Draw the picture"
figures.draw_opening()
plt.show()

# %% [markdown]
r"""
## Symbols

| symbol | in code | meaning |
|---|---|---|
| $t$ | `t`, shape `(b,)`, integers | a step. **Step 0 adds the first noise, step $T-1$ the last.** Sampling runs from $T-1$ down to 0 |
| $x_0$ | `x0`, shape `(b, …)` | **always the data**, without noise; never the sample at step 0 |
| $x_t$ | `x`, shape `(b, …)` | the data with the noise of the steps $0, \ldots, t$ |
| $\beta_t$ | `schedule.betas[t]` | the variance of the noise that step $t$ adds |
| $\alpha_t$ | `schedule.alphas[t]` | $1 - \beta_t$ |
| $\bar\alpha_t$ | `schedule.alpha_bars[t]` | $\alpha_0\alpha_1\cdots\alpha_t$: the share of the data in the variance of $x_t$, if the data have variance 1 |
| $\varepsilon$, $\hat\varepsilon$ | `noise`, `noise_estimate` | standard normal noise, and a network's estimate of it |
| $s$ | `score` | the score $\nabla_x \log p_t(x)$; in part 9 a variance |
| $g$ | `gradient` | $\nabla_x \log p_t(y\mid x)$, from the classifier, for a class $y$ |
| $w$ | `w` | the guidance scale: 0 ignores the class $y$, 1 is conditional, beyond 1 exaggerates the class |

`b` is the batch size. A `Schedule` holds the three lists. `gather_per_sample(schedule.betas, t, x)` looks one of them up at `t` and returns the shape
`(b, 1, …, 1)` with as many axes as `x`.
"""

# %% role="illustration"
symbols("lab3")

# %% [markdown]
r"""
---
# 1 · Noise, step by step and in one jump

*Map: **data → noise** → score → guidance → sampler*

A step of noise shrinks the picture a little and adds a little noise, so that a variance of 1 stays 1:

$$x_t = \sqrt{\alpha_t}\; x_{t-1} + \sqrt{\beta_t}\;\varepsilon_t,\qquad \alpha_t = 1-\beta_t .$$

The data come first, then the samples at steps $0, 1, \ldots, T-1$: at $t = 0$ read $x_{t-1}$ as the data. After a thousand steps nothing of the picture is left. Training needs $x_{500}$ at once. The shrinking factors multiply,
and the sum of independent Gaussian noises is again Gaussian; their variances add: $\alpha_t(1-\bar\alpha_{t-1}) + \beta_t = 1-\bar\alpha_t$:

$$x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1-\bar\alpha_t}\;\varepsilon,\qquad \bar\alpha_t = \prod_{r\leq t}\alpha_r .$$

**Three sigmas.** Papers call three different standard deviations $\sigma_t$, and many mistakes come from confusing them:

| name in this lab | formula | what it is |
|---|---|---|
| `step` | $\sqrt{\beta_t}$ | the noise that step $t$ adds |
| `total` | $\sqrt{1-\bar\alpha_t}$ | all the noise in $x_t$ |
| `posterior` | $\sqrt{\beta_t\,\dfrac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}}$ | the uncertainty of $x_{t-1}$ when both $x_t$ and $x_0$ are known. With $\bar\alpha_{-1} = 1$ it is 0 at $t = 0$. (The sampler of part 5 adds `step` instead.) |

> ### Exercise 3.1 · Schedule and noise
> **2 points** (½ for `linear_schedule`, 1 for `add_noise`, ½ for `three_sigmas`) · difficulty ●●○○○ · 25 minutes
>
> (a) `linear_schedule(T)` returns `Schedule(betas, alphas, alpha_bars)` with `T` betas, equally spaced from 0.0001 to 0.02, both included.
>
> (b) `add_noise(x0, t, noise, schedule)` returns $x_t$ in one jump, for `x0` of any shape `(b, …)`. Each sample has its own step.
>
> (c) `three_sigmas(t, schedule)` returns the tuple `(step, total, posterior)`, each of shape `(b,)`, for any `t` from 0 to $T-1$.

<details><summary>Hint: the form of the answer</summary>

(b) One line that uses `gather_per_sample(schedule.alpha_bars, t, x0)` twice. (c) `alpha_bars` shifted by one place, with a 1 in front, is the list of $\bar\alpha_{t-1}$.
</details>
<details><summary>"The size of tensor a must match the size of tensor b"</summary>

`schedule.alpha_bars[t]` has the shape `(b,)` and is broadcast along the *last* axis of a picture. Use `gather_per_sample`.
</details>
"""

# %% answer="lab3.schedule"
def linear_schedule(T: int) -> Schedule:
    """Return betas from 0.0001 to 0.02, and what follows from them."""
    ### BEGIN SOLUTION
    betas = torch.linspace(1e-4, 0.02, T)
    alphas = 1 - betas
    return Schedule(betas, alphas, alphas.cumprod(dim=0))
    ### END SOLUTION


def add_noise(
    x0: Float[Tensor, "b *shape"], t: Int[Tensor, " b"], noise: Float[Tensor, "b *shape"], schedule: Schedule
) -> Float[Tensor, "b *shape"]:
    """Return x_t, made of the data x0 and of the noise."""
    ### BEGIN SOLUTION
    alpha_bar = gather_per_sample(schedule.alpha_bars, t, x0)
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise
    ### END SOLUTION


def three_sigmas(
    t: Int[Tensor, " b"], schedule: Schedule
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"], Float[Tensor, " b"]]:
    """Return the standard deviations step, total and posterior."""
    ### BEGIN SOLUTION
    beta, alpha_bar = schedule.betas[t], schedule.alpha_bars[t]
    before = torch.where(t > 0, schedule.alpha_bars[t - 1], 1.0)
    return beta.sqrt(), (1 - alpha_bar).sqrt(), (beta * (1 - before) / (1 - alpha_bar)).sqrt()
    ### END SOLUTION


# %% check="lab3.schedule"

# %% role="definitions"
STEPS = 1000  # T


def generator(seed: int) -> torch.Generator:
    """Return a new source of random numbers."""
    return torch.Generator().manual_seed(seed)


def every(t: int, x: Tensor) -> Tensor:
    """Return the same step for each sample of x, shape (b,)."""
    return torch.full((len(x),), t, device=x.device)


# %% [markdown]
r"""
The next figures show *your* noise on seven digits and *your* three sigmas. **Predict, then run.**
"""

# %%
predict("lab3.three_sigmas", choice="")

# %%
digits = load_digits("train", device=device)

# %% role="illustration" hidden="Draw your noise and your sigmas"
def draw_noising():
    schedule = linear_schedule(STEPS)
    rows = torch.stack([(digits.labels == k).nonzero()[2, 0] for k in (0, 2, 3, 4, 5, 7, 8)])
    x0 = digits[rows][0].cpu()
    noise = torch.randn(x0.shape, generator=generator(3))
    shown = [0, 100, 300, 400, 500, 600, 999]
    plotting.show_table([add_noise(x0, every(t, x0), noise, schedule) for t in shown], [f"t = {t}" for t in shown])
    plt.show()
    figures.draw_sigmas(three_sigmas(torch.arange(STEPS), schedule))
    plt.show()


drawn(draw_noising, "3.1")

# %% [markdown]
r"""
At $t = 600$ the eye finds no digit. `step` and `posterior` are nearly equal, except near $t = 0$. `total` is seven to ten times larger over most of the range.

> **Remember:** $x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon$. Parts 2, 3 and 6 start from it.

---
# 2 · Score and noise

*Map: data → noise → **score** → guidance → sampler*

A diffusion network estimates the noise in $x_t$. Guidance needs the **score** $s = \nabla_x\log p_t(x)$, the direction in which the density of noisy data grows. Given $x_0$, the distribution of $x_t$ is
$\mathcal N(\sqrt{\bar\alpha_t}\,x_0,\ (1-\bar\alpha_t) I)$. Exercise 3.2 asks for the gradient of its logarithm in terms of $\varepsilon$.
Average over all $x_0$ that could have led to $x_t$: the same equation links the mean $\hat\varepsilon$ of the noise and the score $s$. A noise network learns this mean, because it has the smallest squared error.

<details><summary>Derivation: why the average is allowed</summary>

$p_t(x)$ is the average of $p_t(x\mid x_0)$ over the data, so $\nabla_x p_t(x)$ is the average of $p_t(x\mid x_0)\,\nabla_x\log p_t(x\mid x_0)$. Divide by $p_t(x)$: by Bayes' rule the weights become the probabilities of $x_0$ given $x$.
</details>

> ### Exercise 3.2 · From noise to score and back
> **1 point** (½ each way) · difficulty ●○○○○ · 10 minutes
>
> Complete `score_from_noise(noise_estimate, t, schedule)` and `noise_from_score(score, t, schedule)`, for any shape `(b, …)`.

<details><summary>Hint: where to start</summary>

Differentiate $-\tfrac{1}{2\sigma^2}(x - m)^2$ with respect to $x$. Which of the three sigmas is it?
</details>
<details><summary>Hint: the form of the answer</summary>

Both have a minus sign: noise points away from the data.
</details>
"""

# %% answer="lab3.score_and_noise"
def score_from_noise(
    noise_estimate: Float[Tensor, "b *shape"], t: Int[Tensor, " b"], schedule: Schedule
) -> Float[Tensor, "b *shape"]:
    """Return the score of an estimate of the noise."""
    ### BEGIN SOLUTION
    return -noise_estimate / (1 - gather_per_sample(schedule.alpha_bars, t, noise_estimate)).sqrt()
    ### END SOLUTION


def noise_from_score(
    score: Float[Tensor, "b *shape"], t: Int[Tensor, " b"], schedule: Schedule
) -> Float[Tensor, "b *shape"]:
    """Return the noise estimate of a score."""
    ### BEGIN SOLUTION
    return -score * (1 - gather_per_sample(schedule.alpha_bars, t, score)).sqrt()
    ### END SOLUTION


# %% check="lab3.score_and_noise"

# %% [markdown]
r"""
First a problem with known answers: three round clouds in the plane (`utils/mixture.py`). The perfect noise network and the perfect classifier
are formulas. *Your* `score_from_noise` turns the perfect estimate of the noise into arrows. The dots are data under *your* noise. (Each panel has its own arrow scale.) **Predict, then run.**
"""

# %%
predict("lab3.arrows_in_noise", choice="")

# %% role="definitions"
corners = torch.tensor([90.0, 210.0, 330.0]) * math.pi / 180
PLANE = Mixture(1.6 * torch.stack([corners.cos(), corners.sin()], dim=1), torch.full((3,), 0.35))

# %% role="illustration" hidden="Draw the scores"
def draw_scores():
    schedule = linear_schedule(STEPS)
    side = torch.linspace(-2.8, 2.8, 13)
    grid = torch.cartesian_prod(side, side)
    x0, y = PLANE.sample(600, generator(1))
    noise = torch.randn(x0.shape, generator=generator(2))
    fig, axes = figures.plane_axes(3)
    for ax, t in zip(axes, (50, 250, 600)):
        figures.scatter_classes(ax, add_noise(x0, every(t, x0), noise, schedule), y, size=9)
        score = score_from_noise(PLANE.noise(grid, every(t, grid), schedule), every(t, grid), schedule)
        ax.quiver(*grid.T, *score.T, color="#222222", angles="xy", width=0.004)
        ax.set_title(f"t = {t}")
    plt.show()


drawn(draw_scores, "3.1 and 3.2")

# %% [markdown]
r"""
At $t = 50$ nearly every arrow points to the nearest cloud. At $t = 250$ the clouds overlap. At $t = 600$ all arrows point to the middle, because the clouds have merged.

> **Remember:** $s = -\hat\varepsilon\,/\sqrt{1-\bar\alpha_t}$. Part 5 guides with it.

---
# 3 · A classifier of noisy images

*Map: data → noise → score → **guidance** → sampler*

Bayes' rule, $p(x\mid y) \propto p(x)\,p(y\mid x)$, holds at every noise level. Take logarithms and gradients. The missing factor $1/p(y)$ does not depend on $x$ and drops out:

$$\nabla_x\log p_t(x\mid y) = \nabla_x\log p_t(x) + \nabla_x\log p_t(y\mid x) .$$

We want the left side. The diffusion model provides the first term on the right, and a classifier, trained separately, the second. But this classifier must know
$p_t(y\mid x)$, **the class of a noisy picture**. An ordinary classifier has seen only clean pictures, so its gradient on noise is useless.
So add noise to the pictures, and tell the network how much.

> ### Exercise 3.3 · The loss of a noise-aware classifier
> **1 point** · difficulty ●●○○○ · 15 minutes
>
> Complete `get_train_loss(self, batch_size)`, the **mean** over a batch of $-\log p(y\mid x, t)$, for noisy images $x$ at random steps.
>
> | use these | what it does |
> |---|---|
> | `self.data.sample(batch_size)` | draws images and labels, `x0, y` |
> | `self.add_noise(x0, t, noise, self.schedule)` | adds noise |
> | `self.model(x, t)` | returns logits, shape `(b, classes)` |
> | `self.schedule.steps` | $T$ |
>
> - Each sample has its own step, an integer, drawn independently and uniformly from $0, \ldots, T-1$; `t` has the shape `(b,)`.
> - The noise is standard normal, in the shape of `x0`. Draw it once.
> - Return a scalar tensor through which gradients flow.
>
> The check brings its own `add_noise`, so a mistake in 3.1 costs nothing here.

<details><summary>Hint: where to start</summary>

`torch.randint(n, (b,), device=x0.device)` draws from 0 to $n - 1$.
</details>
<details><summary>Hint: the form of the answer</summary>

Four lines. `nn.functional.cross_entropy` takes logits, not probabilities.
</details>
"""

# %% answer="lab3.classifier_loss"
class NoisyClassifierTrainer(Trainer):
    def __init__(self, model: nn.Module, data, schedule: Schedule, add_noise):
        super().__init__(model)
        self.data, self.schedule, self.add_noise = data, schedule, add_noise

    def get_train_loss(self, batch_size: int) -> Float[Tensor, ""]:
        """Return the cross-entropy of one batch at random noise levels."""
        ### BEGIN SOLUTION
        x0, y = self.data.sample(batch_size)
        t = torch.randint(self.schedule.steps, (batch_size,), device=x0.device)
        x = self.add_noise(x0, t, torch.randn_like(x0), self.schedule)
        return nn.functional.cross_entropy(self.model(x, t), y)
        ### END SOLUTION


# %% check="lab3.classifier_loss"

# %% [markdown]
r"""
Your loss trains `NoisyDigitClassifier`. `NoiseUNet` estimates the noise; its loss is given below.
A laptop trains both for only a minute or two. Then the notebook loads **checkpoints**, trained on MNIST for longer.

**Predict, then run.**
"""

# %%
predict("lab3.guessing_loss", choice="")

# %% role="definitions"
class NoiseTrainer(Trainer):
    """Train the noise network with the loss of Ho and others (2020)."""

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
    figures.draw_classifier_loss(of_class.history)
    plt.show()
    first, last = (np.mean(part) for part in (of_noise.history[:5], of_noise.history[-5:]))
    print(f"noise network, from random weights: loss {first:.2f} (far below 1: its output starts at a rescaled x), after {len(of_noise.history):,} steps {last:.2f}")


drawn(train_a_moment, "3.1 and 3.3")

# %% [markdown]
r"""
No training brings the loss to zero. At $t = 900$ the best prediction is ten per cent for each class, with a loss of $\log 10$.

How accurate is the checkpoint's classifier on test images, at each noise level?
"""

# %% role="illustration" hidden="Load the checkpoints and measure the classifier"
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
    for t in progress(levels, "noise levels"):
        x = add_noise(x0, every(t, x0), noise, schedule)
        aware.append(float((classifier(x, every(t, x)).argmax(1) == y).double().mean()))
        clean.append(float((ordinary(x).argmax(1) == y).double().mean()))
    figures.draw_accuracy(levels, aware, clean)
    plt.show()


drawn(draw_accuracy, "3.1")

# %% [markdown]
r"""
On MNIST the ordinary classifier fails between $t = 50$ and $150$, where you read every digit easily, and the noise-aware one reads nearly nine of ten at $t = 400$.

**A common mistake: time that enters too late.** The gradient is $\nabla\log p_y = \nabla\ell_y - \sum_k p_k\nabla\ell_k$, with the logits $\ell_k$. A popular recipe appends an embedding of $t$ to the features just before the last *linear* layer: $\ell = W\,[f(x);\ e(t)] + c$. Differentiate with respect to $x$: the part with $e(t)$ drops out. So **only the weights $p_k$ depend on $t$; the directions $\nabla\ell_k$ do not**.
`NoisyDigitClassifier` feeds $t$ into every level instead. The next cell compares both designs, with random weights.
"""

# %% role="illustration" hidden="Compare two ways to use the time"
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
        largest, change = (float(v.abs().max()) for v in (early, early - late))
        print(f"{make.__name__:<18} a logit's gradient: at most {largest:.2g} at t = 10; from there to t = 900 it changes by at most {change:.2g}")


compare_heads()

# %% [markdown]
r"""
> **Remember:** $\nabla\log p_t(x\mid y) = s + g$. The classifier must have seen noise at the level $t$. Part 4 computes $g$.

---
# 4 · The gradient towards a class

*Map: data → noise → score → **guidance** → sampler*

Now compute $g = \nabla_x \log p_t(y\mid x)$ with `torch.autograd.grad`; `backward()` would fill the `.grad` of **every parameter**. A sampler usually runs under `torch.no_grad()`. And the gradient of one sample must not depend on how many samples the batch has.

> ### Exercise 3.4 · The gradient of a classifier
> **3 points** · difficulty ●●●○○ · 25 minutes
>
> Complete `classifier_gradient(classifier, x, t, y)`. `classifier(x, t)` returns logits `(b, classes)`. For each sample return, by automatic differentiation, the gradient of $\log p(y\mid x, t)$ with respect to *its own* `x`, in the shape of `x`. The function must
> - work with gradients switched on or off outside;
> - leave no gradients in the classifier's parameters, no graph on the result, and the caller's `x` unchanged (`x.requires_grad` and `x.grad`, too);
> - be right for any logits, also if the class is so improbable that its probability rounds to 0.

<details><summary>Hint: where to start</summary>

`with torch.enable_grad():` switches gradients on inside `no_grad`. `x.detach().requires_grad_()` is your own leaf, so the caller's `x` stays unchanged.
</details>
<details><summary>Hint: the form of the answer</summary>

`log_softmax` survives tiny probabilities. Which single number, differentiated once, gives each sample its own gradient? `torch.autograd.grad` returns a tuple.
</details>
"""

# %% answer="lab3.classifier_gradient"
def classifier_gradient(
    classifier, x: Float[Tensor, "b *shape"], t: Int[Tensor, " b"], y: Int[Tensor, " b"]
) -> Float[Tensor, "b *shape"]:
    """Return the gradient of log p(y | x, t) with respect to x, sample by sample."""
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
The next figure shows one noisy three and the gradients that make it more of a three, an eight or a seven. Purple asks for ink, orange for paper. The strength of a colour is proportional to $\sqrt{|g|}$, on one scale; the number below each panel is its largest $|g|$. **Predict, then run.**
"""

# %%
predict("lab3.gradient_of_an_eight", choice="")

# %% role="illustration" hidden="Draw your gradients"
def draw_gradients():
    x0, _ = digits[(digits.labels == 3).nonzero()[7]]
    noise = torch.randn(x0.shape, generator=generator(5)).to(device)
    noisy = {t: add_noise(x0, every(t, x0), noise, schedule) for t in (50, 200, 500, 800)}

    def towards(k: int, x: Tensor, t: int) -> Tensor:
        return classifier_gradient(classifier, x, every(t, x), torch.tensor([k], device=device))[0, 0].cpu()

    gradients = {(t, k): towards(k, x, t) for t, x in noisy.items() for k in (3, 8, 7)}
    figures.draw_gradients({t: x[0, 0].cpu() for t, x in noisy.items()}, gradients)
    plt.show()


drawn(draw_gradients, "3.1 and 3.4")

# %% [markdown]
r"""
Near the data the gradient is a *correction*: close this gap, remove that stroke. Deep in the noise it resembles the average digit of the class, minus the average of all: $g = \frac{\sqrt{\bar\alpha_t}}{1-\bar\alpha_t}\,\big(\mathbb E[x_0\mid x_t, y] - \mathbb E[x_0\mid x_t]\big)$.

Near the data the gradient towards 3 is almost zero, because the classifier is already sure. On MNIST, all gradients are weak at $t = 800$, where it knows almost nothing, and in the row of the three the largest is at $t = 500$, where the class is *being decided*.

> **Remember:** $g = \nabla_x\log p_t(y\mid x)$, each sample for itself. Every guided step uses it.

---
# 5 · One guided step

*Map: data → noise → score → **guidance → sampler***

The guided score is $s_w = s + w\,g$. With $w = 1$ it is the score of $p_t(x\mid y)$, by Bayes' rule. Our network estimates noise, so translate the guided score into noise.
Then take a step of the classical sampler DDPM. It removes the noise that step $t$ added, undoes the shrinking, and adds new noise, because $x_t$ does not determine $x_{t-1}$: given $x_t$, the variance of $x_{t-1}$ is about $\beta_t$ (less near $t = 0$ in pixels that hardly vary).

$$x_{t-1} = \frac{1}{\sqrt{\alpha_t}}\Big(x_t - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\hat\varepsilon\Big) + \sqrt{\beta_t}\; z,\qquad z\sim\mathcal N(0,I),$$

without $z$ at $t = 0$, because the last step ends on the data. Why this factor? Of the variance $1-\bar\alpha_t$ of all the noise, step $t$ contributed $\beta_t$. Given a sum of independent Gaussians, the best guess of one of them is the sum times its share of the variance:
$\mathbb E[\sqrt{\beta_t}\,\varepsilon_t \mid x_t] = \frac{\beta_t}{1-\bar\alpha_t}\sqrt{1-\bar\alpha_t}\;\hat\varepsilon$.

> ### Exercise 3.5 · Guided noise, and a DDPM step
> **2 points** (1 for `guided_noise`, 1 for `ddpm_step`) · difficulty ●●○○○ · 25 minutes
>
> (a) `guided_noise(noise_estimate, gradient, t, w, schedule)` returns the noise estimate of the score $s + w\,g$.
>
> (b) `ddpm_step(x, t, noise_estimate, noise, schedule)` returns the sample after one step; `noise` is the given $z$. Each sample of a batch may be at another `t`, and samples at `t == 0` get no noise.
>
> Both work for any shape `(b, …)`.

<details><summary>Hint: where to start</summary>

(a) Translate $s + w\,g$ into noise as in 3.2. (b) For which samples must the variance $\beta_t$ of the added noise be replaced, and by what? `torch.where` decides for each sample; the result still needs the axes of `x`.
</details>
<details><summary>Hint: the form of the answer</summary>

(a) One line. Which sigma, which sign? At $w = 0$ nothing changes.
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
    """Return the noise estimate of the score s + w g."""
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
    """Return x_{t-1}, given x_t."""
    ### BEGIN SOLUTION
    beta, alpha, alpha_bar = (gather_per_sample(values, t, x) for values in schedule)
    mean = (x - beta / (1 - alpha_bar).sqrt() * noise_estimate) / alpha.sqrt()
    return mean + gather_per_sample(t > 0, torch.arange(len(t), device=t.device), x) * beta.sqrt() * noise
    ### END SOLUTION


# %% check="lab3.guided_ddpm_step"

# %% [markdown]
r"""
<details><summary>Derivation: guided noise from the score, to compare with yours</summary>

Noise and score are related by $\hat\varepsilon = -\sqrt{1-\bar\alpha_t}\;s$. Apply this to the guided score:
$\hat\varepsilon_w = -\sqrt{1-\bar\alpha_t}\,(s + w\,g) = \hat\varepsilon - w\,\sqrt{1-\bar\alpha_t}\;g .$
</details>

Guidance is a sum of two arrows: the score $s$ and the classifier's push $w\,g$, here at one point at $t = 300$, towards the lower right cloud (green) with $w = 3$.
"""

# %% role="illustration" hidden="Draw three arrows at one point"
def draw_arrows():
    schedule, w = linear_schedule(STEPS), 3.0
    x0, labels = PLANE.sample(600, generator(1))
    cloud = add_noise(x0, every(300, x0), torch.randn(x0.shape, generator=generator(2)), schedule)
    x = torch.tensor([[0.9, 1.3]])
    t = every(300, x)
    g = classifier_gradient(lambda x, t: PLANE.logits(x, t, schedule), x, t, every(2, x))
    estimate = PLANE.noise(x, t, schedule)
    score, guided = (score_from_noise(e, t, schedule) for e in (estimate, guided_noise(estimate, g, t, w, schedule)))
    figures.draw_arrows(cloud, labels, x[0], score[0], (guided - score)[0], 0.35)
    plt.show()


drawn(draw_arrows, "3.1 to 3.5")

# %% [markdown]
r"""
The model alone would move the point towards the blue cloud and the middle. Next, the sum on the whole plane. The cross marks the centre of the lower right cloud, and long arrows are shortened. **Predict, then run.**
"""

# %%
predict("lab3.inside_the_cloud", choice="")

# %% role="illustration" hidden="Draw the guided scores"
def draw_guided_scores():
    schedule = linear_schedule(STEPS)
    side = torch.linspace(-2.8, 2.8, 13)
    grid = torch.cartesian_prod(side, side)
    x0, labels = PLANE.sample(600, generator(1))
    x = add_noise(x0, every(300, x0), torch.randn(x0.shape, generator=generator(2)), schedule)
    centre = schedule.alpha_bars[300].sqrt() * PLANE.means[2:]

    def guided(x: Tensor, w: float) -> Tensor:
        t = every(300, x)
        g = classifier_gradient(lambda x, t: PLANE.logits(x, t, schedule), x, t, every(2, x))
        return score_from_noise(guided_noise(PLANE.noise(x, t, schedule), g, t, w, schedule), t, schedule)

    fig, axes = figures.plane_axes(3)
    for ax, w in zip(axes, (0.0, 1.0, 4.0)):
        figures.scatter_classes(ax, x, labels, size=9, alpha=0.2)
        score = guided(grid, w)
        score = score * (3 / score.norm(dim=1, keepdim=True)).clamp(max=1)
        ax.quiver(*grid.T, *score.T, color="#222222", angles="xy", width=0.004, scale=60)
        ax.plot(*centre[0], "X", color=plotting.RED, markersize=8, markeredgecolor="white")
        if w > 1:
            figures.mark_meeting(ax, centre, lambda x, w=w: guided(x, w))
        ax.set_title(f"w = {w:g}")
    plt.show()


drawn(draw_guided_scores, "3.1 to 3.5")

# %% [markdown]
r"""
At $w = 1$ the arrows meet at the cross. At $w = 4$ they meet beyond it, at the circle: guidance pushes even a point of the class farther away from the other two clouds.

> **Remember:** $\hat\varepsilon_w = \hat\varepsilon - w\sqrt{1-\bar\alpha_t}\;g$ is all that a sampler needs to know about guidance.

---
# 6 · Large steps without noise

*Map: data → noise → score → guidance → **sampler***

A thousand steps are a thousand evaluations of a network. DDIM comes close with fifty. If $\hat\varepsilon$ is the noise in $x_t$, then the data behind it is

$$\hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\;\hat\varepsilon}{\sqrt{\bar\alpha_t}},$$

and the point with the same data and the same noise at any *earlier* step $t'$ is $x_{t'} = \sqrt{\bar\alpha_{t'}}\,\hat x_0 + \sqrt{1-\bar\alpha_{t'}}\,\hat\varepsilon$. No new noise is added. (With ever smaller steps DDIM follows a differential equation, called `ode` in part 9.)

> ### Exercise 3.6 · A DDIM step
> **2 points** · difficulty ●●○○○ · 15 minutes
>
> Complete `ddim_step(x, t, t_prev, noise_estimate, schedule)`. `t` and `t_prev` have the shape `(b,)`, and `t_prev < t`. **`t_prev` may be −1, which means the data itself, $\bar\alpha = 1$.** Samples of one batch may differ in it.

<details><summary>Hint: where to start</summary>

In Python, `alpha_bars[-1]` is the *last* element: the noisiest step.
</details>
<details><summary>Hint: the form of the answer</summary>

A list of $\bar\alpha$ with a 1 at its end (`new_ones(1)`). Then the two formulas, one line each.
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
    """Return x at the earlier step t_prev, given x at step t. A t_prev of -1 means the data."""
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
Next, samples on the plane without guidance, from the exact noise estimate. **Predict, then run.**
"""

# %%
predict("lab3.few_steps", choice="")

# %% role="definitions"
def few_times(count: int) -> list[int]:
    """Return `count` steps from T - 1 down to 0, and -1 for the data."""
    return [*torch.linspace(STEPS - 1, 0, count).round().int().tolist(), -1]


def walk_ddpm(x: Tensor, estimate, schedule: Schedule, source: torch.Generator) -> Tensor:
    """Return x after all steps of DDPM with a noise estimate (x, t) -> noise."""
    for step in reversed(range(schedule.steps)):
        t = every(step, x)
        x = ddpm_step(x, t, estimate(x, t), torch.randn(x.shape, generator=source, dtype=x.dtype), schedule)
    return x


def walk_ddim(x: Tensor, estimate, schedule: Schedule, count: int) -> Tensor:
    """Return x after `count` steps of DDIM with a noise estimate (x, t) -> noise."""
    times = few_times(count)
    for now, then in zip(times, times[1:]):
        x = ddim_step(x, every(now, x), every(then, x), estimate(x, every(now, x)), schedule)
    return x


# %% role="illustration" hidden="Draw samples of both samplers"
def draw_samplers():
    schedule = linear_schedule(STEPS)

    def exact(x: Tensor, t: Tensor) -> Tensor:
        return PLANE.noise(x, t, schedule)

    start = torch.randn(800, 2, generator=generator(7))
    fig, axes = figures.plane_axes(4)
    pictures = {"DDPM, 1000 steps": walk_ddpm(start, exact, schedule, generator(8))}
    pictures |= {f"DDIM, {n} steps": walk_ddim(start, exact, schedule, n) for n in (50, 10, 2)}
    for ax, (name, x) in zip(axes, pictures.items()):
        figures.scatter_classes(ax, x, PLANE.logits(x, every(0, x), schedule).argmax(1))
        ax.set_title(name)
    plt.show()


drawn(draw_samplers, "3.1, 3.5 and 3.6")

# %% [markdown]
r"""
Fifty steps are nearly as good as a thousand here. With ten the clouds are too narrow and too near the middle; some points lie between them. With two, here $t = 999$ and $0$, all points end at the mean of the data.

> **Remember:** $x_t \to \hat x_0 \to x_{t'}$, with the same $\hat\varepsilon$. Part 8 draws digits with it.

---
# 7 · Spot the bugs

*Map: data → noise → score → guidance → **sampler***

This guided sampler raises no error, but its pictures are bad. The two functions that it receives,
`classifier_gradient` and `ddpm_step`, are right. **Four faults are in the lines that connect them.** Some are linked: if you move a term, judge its sign again.
"""

# %% role="definitions"
def suspicious_sampler(x, y, w, model, classifier, schedule, classifier_gradient, ddpm_step, noises):
    """Return samples of the classes y, from pure noise x. `noises[t]` is the noise of step t."""
    for step in reversed(range(schedule.steps)):
        t = torch.full((len(x),), step, device=x.device)
        gradient = classifier_gradient(classifier, x, t, y)
        noise_estimate = model(x, t)
        sigma = schedule.betas[step].sqrt()
        x_next = ddpm_step(x, t, noise_estimate, noises[step], schedule)
        x = (x_next - w * sigma * gradient).clamp(-1, 1)
    return x


# %% role="illustration" hidden="Run the sampler on the plane"
def sample_plane(sampler, scales):
    """Return data and, by scale, 600 samples of the lower right cloud."""
    schedule = linear_schedule(STEPS)
    start = torch.randn(600, 2, generator=generator(7))
    noises = torch.randn(STEPS, 600, 2, generator=generator(8))

    def sample(w: float) -> Tensor:
        return sampler(
            start, every(2, start), w, lambda x, t: PLANE.noise(x, t, schedule),
            lambda x, t: PLANE.logits(x, t, schedule), schedule, classifier_gradient, ddpm_step, noises,
        )  # fmt: skip

    return PLANE.sample(600, generator(1))[0], {w: sample(w) for w in scales}


def draw_samples(sampler, scales):
    data, samples = sample_plane(sampler, scales)
    fig, axes = figures.plane_axes(len(scales))
    for ax, (w, x) in zip(axes, samples.items()):
        figures.scatter_samples(ax, data, x, f"w = {w:g}")
    plt.show()
    return samples


drawn(lambda: draw_samples(suspicious_sampler, (0.0, 1.0, 3.0)), "3.1, 3.4 and 3.5")

# %% [markdown]
r"""
Grey: the data. Orange-red: samples, which for $w \geq 1$ should lie in the lower right cloud. Without guidance a box cuts them off. With guidance all 600 collapse in the corner farthest from that cloud.

> ### Exercise 3.7 · Repair the sampler
> **2 points** (½ for each fault) · difficulty ●●●○○ · 20 minutes
>
> Write `guided_sampler` with the same arguments and without the four faults. First list the four faults on paper: which line, and why? Each step, from $t = T - 1$ down to 0, calls `model`, `classifier_gradient` and `ddpm_step` once, with the same `x` and `t`.

<details><summary>Hint: where to start</summary>

Compare the lines with 3.5, one by one. And what made the box?
</details>
<details><summary>Hint: the form of the answer</summary>

Write out the formula of 3.5, before the step.
</details>
"""

# %% answer="lab3.spot_the_bugs"
def guided_sampler(x, y, w, model, classifier, schedule, classifier_gradient, ddpm_step, noises):
    """Return samples of the classes y, from pure noise x. `noises[t]` is the noise of step t."""
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

# %% role="illustration" hidden="Draw samples of your sampler"
def draw_repaired():
    samples = draw_samples(guided_sampler, (1.0, 3.0, 8.0))
    centre = PLANE.means[2]
    beyond = {w: (x - centre) @ (centre / centre.norm()) for w, x in samples.items()}
    figures.draw_outwards(beyond, float(PLANE.stds[2]))
    plt.show()


drawn(draw_repaired, "3.1, 3.4, 3.5 and 3.7")

# %% [markdown]
r"""
At $w = 1$ the samples fill the lower right cloud: half of them on each side of its centre. Beyond 1 they move outwards, away from the other clouds: the curves show 37 % on the inner side at $w = 3$, 29 % at $w = 8$.

> **Remember:** guide the noise estimate; leave the rest of the step alone.

---
# 8 · Digits

*Map: data → noise → score → **guidance** → sampler*

Now use these functions, both checkpoints, and DDIM. Each column has its own noise, the same in **every row**; column $k$ asks for the digit $k$. **Predict, then run.**
"""

# %%
predict("lab3.columns_right", choice="")

# %% role="definitions"
SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)


@torch.no_grad()
def sample_digits(net, classifier, noise, labels, w, count: int, schedule: Schedule, film: list | None = None) -> Tensor:
    """Return digits by guided DDIM in `count` steps. w is a number or a function of t; `film` collects the estimates of the data."""
    x, labels, times = noise.to(device), labels.to(device), few_times(count)
    for now, then in progress(list(zip(times, times[1:])), "sampling"):
        t, scale = every(now, x), w(now) if callable(w) else w
        with torch.autocast(device.type, torch.bfloat16, enabled=fast_bf16(device)):
            estimate = net(x, t).float()
            if film is not None:
                film.append(ddim_step(x, t, every(-1, x), estimate, schedule).cpu())
            if scale != 0:
                estimate = guided_noise(estimate, classifier_gradient(classifier, x, t, labels).float(), t, scale, schedule)
        x = ddim_step(x, t, every(then, x), estimate, schedule)
    return x

# %% role="illustration" hidden="Draw your digits"
DIGIT_STEPS = budget.pick(full=50, cpu=25, ci=2)


def draw_digits():
    noise = torch.randn(10, 1, 32, 32, generator=generator(14))
    rows = [sample_digits(net, classifier, noise, torch.arange(10), w, DIGIT_STEPS, schedule).cpu() for w in SCALES]
    plotting.show_table(rows, [f"w = {w:g}" for w in SCALES], [str(k) for k in range(10)])
    plt.show()


drawn(draw_digits, "3.1 and 3.4 to 3.6")

# %% [markdown]
r"""
Without guidance the noise decides which digit comes, and not every drawing is one. As $w$ grows, more columns show their digit, and the strokes become bolder.

The film shows the model's own estimate $\hat x_0$ at each step of sampling with $w = 4$, *before* guidance is added to it. All ten digits of a row start from one noise.
"""

# %% role="illustration" hidden="Make the film"
def digit_film():
    kept = []
    noise = torch.randn(2, 1, 32, 32, generator=generator(15)).repeat_interleave(10, dim=0)  # one for each row
    sample_digits(net, classifier, noise, torch.arange(10).repeat(2), 4.0, DIGIT_STEPS, schedule, film=kept)
    clock = [f"t = {t}" for t in few_times(DIGIT_STEPS)[:-1]]
    rows, columns = ("one noise", "another"), [str(k) for k in range(10)]
    return plotting.show_gif(torch.stack(kept).clamp(-1, 1), 10, 5.0, rows, columns, clock)


try:
    animation = digit_film()
except Exception as error:
    animation = f"This film needs 3.1 and 3.4 to 3.6 ({type(error).__name__})."
animation

# %% [markdown]
r"""
At first every estimate is nearly one blur, the mean of all digits. Near $t = 750$ the columns begin to part; most show their digit near 600.

## The cost
"""

# %% role="illustration" hidden="Measure time and memory"
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
The classifier is six times smaller than the noise network, and on this CPU a guided step takes far less than twice the time. Its gradient needs more than twice the memory of its prediction, but the larger network sets the peak of the *whole* step.

## The gain and the price

Four numbers judge the samples. They use a **reference classifier** that was trained on clean digits (99.65 % right on MNIST's test set) and took no part in guidance. **Accuracy**: the share of samples that it assigns to the requested digit. **Fréchet distance**: each image has 64 features in this classifier. Fit one Gaussian to the features of the samples and one to those of MNIST's test digits, and compare means and covariances: $\|\mu-\mu'\|^2 + \mathrm{tr}\,\big(\Sigma+\Sigma'-2(\Sigma\Sigma')^{1/2}\big)$. Bad digits and lost variety both raise it.
A dashed line shows it for real training digits, equally many of each class. **Precision**: the share of samples that lie among real digits. **Recall**: the share of real
digits that lie among samples. Give every image of a set a ball, in the space of features, that just reaches its third-nearest neighbour in the set. An image is *among* the set if it lies in at least one ball.

First come a few digits of your own (1 to 3 minutes), then stored results (bands are standard errors over seeds). Compare only within one table: the numbers depend on how many digits there are. **Predict, then run.**
"""

# %%
predict("lab3.recall_and_distance", choice="")

# %% role="illustration" hidden="Measure your digits"
def measure(w, n: int) -> tuple[float, float, float, float]:
    """Return accuracy, Fréchet distance, precision and recall of n digits at the scale w."""
    judge = DigitClassifier().to(device)
    load_weights(judge, CHECKPOINTS / "reference_classifier.safetensors")
    reference = real_features(device)
    labels, noise = torch.arange(10, device=device).repeat(n // 10), torch.randn(n, 1, 32, 32, generator=generator(3))
    features = in_batches(judge.features, sample_digits(net, classifier, noise, labels, w, DIGIT_STEPS, schedule))
    accuracy = float((judge.head(features).argmax(1) == labels).double().mean())
    near = precision_recall(reference[:: len(reference) // n][:n], features)
    return accuracy, frechet_distance(features, reference), *near


def my_sweep():
    n = budget.pick(full=500, cpu=100, ci=10)
    print(f"{n} digits for each w, {DIGIT_STEPS} steps, one seed")
    print(f"{'w':>4}{'accuracy':>12}{'Fréchet':>12}{'precision':>12}{'recall':>12}")
    for w in SCALES:
        print(f"{w:>4g}" + "".join(f"{value:>12.2f}" for value in measure(w, n)))


drawn(my_sweep, "3.1 and 3.4 to 3.6")

# %% role="illustration" hidden="Show the stored results"
figures.draw_sweep(stored_table("lab3_sweep"))
plt.show()

# %% [markdown]
r"""
In the stored results recall falls, slowly at first. Up to $w = 1$ only accuracy improves; then the distance falls, and rises again. (Up to $w = 1$ your hundred digits are too few to judge.) 3.9 asks you why.

At $w = 1$, by Bayes' rule the conditional distribution, three digits in ten are wrong. Bayes' rule needs two things that we had on the plane: the exact score, and the exact *gradient* of the classifier. A classifier that predicts well need not have a good one: training compares outputs, not slopes. We have not measured what each network and the 25 steps contribute.

---
# 9 · What guidance does not sample

*Map: data → noise → score → **guidance** → sampler*

Many texts say that guidance samples from $p(x)\,p(y\mid x)^w$, because $s + w\,g$ is the score of $p_t(x)\,p_t(y\mid x)^w$. This is true *for each t*. But a sampler also needs these densities
to be noised versions of **one another**, and for $w$ other than 0 and 1 they are not: taking a power and adding noise do not commute.

How large is the error? Take an example in one dimension. All data: $p(x) = \mathcal N(0, S)$. The class: $p(x\mid y) = \mathcal N(0, s)$ with variances $s < S$ (here $s$ is no score). All scores are linear in $x$, so every step turns a Gaussian with mean 0 into another, and its variance says everything.

**The claim** (`tilt`). $p(x)\,p(y\mid x)^w \propto p(x)^{1-w}\,p(x\mid y)^w$. What is its variance?

**The two samplers.** Divide $x_t$ by $\sqrt{\bar\alpha_t}$. The noise process becomes $x_0 + \sqrt\tau\,\varepsilon$, with $\tau = (1-\bar\alpha_t)/\bar\alpha_t$. At noise $\tau$ the two distributions have the variances $S+\tau$ and $s+\tau$, hence the scores $-x/(S+\tau)$ and $-x/(s+\tau)$. By Bayes' rule $g$ is the second minus the first, so the guided score is

$$-\lambda(\tau)\,x,\qquad \lambda(\tau) = \frac{1-w}{S+\tau} + \frac{w}{s+\tau} .$$

It belongs to the variance $1/\lambda(\tau)$; the claim with noise has the claim's variance plus $\tau$. At $S = 4$, $s = 1$, $w = 3$, $\tau = 1$ the two are 0.91 and 1.4.

Let $U(\tau)$ be the variance of the samples at noise $\tau$. With the noise-free sampler (DDIM, an *ordinary* differential equation: `ode`) and with the noisy one (DDPM, *stochastic*: `sde`) it obeys

$$\text{ode:}\quad \frac{\mathrm dU}{\mathrm d\tau} = \lambda\,U,\qquad\qquad \text{sde:}\quad \frac{\mathrm dU}{\mathrm d\tau} = 2\lambda\,U - 1,$$

and both start from pure noise, where $x_t$ has variance 1: $U(\tau)/\tau \to 1$ as $\tau\to\infty$. The samples have the variance $U(0)$.

<details><summary>Derivation: the two equations</summary>

Let $u = x_t/\sqrt{\bar\alpha_t}$; its score is $-\lambda u$. Your DDIM step is $u' = \hat x_0 + \sqrt{\tau'}\,\hat\varepsilon$. So $u$ changes by $\hat\varepsilon$ times the change of $\sqrt\tau$. By 3.2 and $\nabla_x = \nabla_u/\sqrt{\bar\alpha_t}$, $\hat\varepsilon = \sqrt\tau\,\lambda u$, so $\mathrm du/\mathrm d\tau = \tfrac12\lambda u$. The variance is quadratic in $u$ and
grows at twice the rate: this is the ode.

One DDPM step lowers $\tau$ by $h = 1/\bar\alpha_t - 1/\bar\alpha_{t-1} = \beta_t/\bar\alpha_t$. Divide your DDPM step by $\sqrt{\bar\alpha_{t-1}}$ and insert $\hat\varepsilon = \sqrt\tau\,\lambda u$: the mean becomes $u - h\lambda u$, which moves twice as far as the ode, and the noise has the variance
$\beta_t/\bar\alpha_{t-1}$, which is $h$ up to terms of order $h^2$. So $U(\tau - h) = (1-h\lambda)^2\,U(\tau) + h$: the sde.
</details>

> ### Exercise 3.8 · Three variances
> **3 points** (1 for each variance) · difficulty ●●●●○ · 55 minutes, mostly on paper
>
> `what_guidance_samples(S, s, w)` returns the numbers `(tilt, ode, sde)`, for $0 < s < S$ and any $w \ge 0$ except $w = \tfrac12$ (where one of the formulas is 0/0). Four significant digits are enough; a numerical solution of the two equations counts as much as a formula. (Start at $\tau = 10^6$ with $U = \tau$, and integrate over $\log(s+\tau)$; `solve_ivp` needs `rtol=1e-8, atol=1e-12`.)

<details><summary>Hint for the ode</summary>

$\mathrm d\log U/\mathrm d\tau = \lambda$, and the integral of $1/(S+\tau)$ is a logarithm. So $U$ is a constant times a product of two powers. The condition at $\tau\to\infty$ fixes the constant.
</details>
<details><summary>Hint for the sde</summary>

Let $H(\tau) = (S+\tau)^{2-2w}(s+\tau)^{2w}$, which solves the equation without the $-1$. Try $U = H\cdot C(\tau)$: then $C' = -1/H$. At infinity $C\to 0$, because $H$ grows like $\tau^2$ and $U$ like $\tau$. The integral of $1/H$ becomes easy in the variable $q = (s+\tau)/(S+\tau)$.
</details>
<details><summary>How to test your answer</summary>

At $w = 0$ all three are $S$; at $w = 1$ all three are $s$. At $S = 4$, $s = 1$, $w = 3$ a simulation gives 0.0625 without noise and 0.266 with noise.
</details>
"""

# %% answer="lab3.what_guidance_samples"
def what_guidance_samples(S: float, s: float, w: float) -> tuple[float, float, float]:
    """Return the variances tilt (the claim), ode and sde (what samplers do)."""
    ### BEGIN SOLUTION
    tilt = 1 / ((1 - w) / S + w / s)
    ode = S ** (1 - w) * s**w
    sde = (S * s - S ** (2 - 2 * w) * s ** (2 * w)) / ((S - s) * (2 * w - 1))
    return tilt, ode, sde
    ### END SOLUTION


# %% check="lab3.what_guidance_samples"

# %% [markdown]
r"""
Compare *your* formulas with *your* samplers, with exact scores and 1,000 steps. (One to three minutes.)
"""

# %% role="illustration" hidden="Compare formulas and samplers"
def walk_gaussian(S: float, s: float, w: float, particles: int) -> dict[str, Tensor]:
    """Return guided samples of the one-dimensional example, from your DDIM and your DDPM steps."""
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
    print(f"{'w':>4}{'claimed':>10}   |{'ode':>8}{'DDIM':>20}   |{'sde':>8}{'DDPM':>18}")
    for w in (0.0, 1.0, 2.0, 3.0, 5.0):
        tilt, ode, sde = what_guidance_samples(S, s, w)
        x = walk_gaussian(S, s, w, particles)
        ddim, ddpm = (with_error(v, v * (2 / particles) ** 0.5) for v in (float(x[key].var()) for key in ("ode", "sde")))
        print(f"{w:>4g}{tilt:>10.4f}   |{ode:>8.4f}{ddim:>20}   |{sde:>8.4f}{ddpm:>18}")
        if w == 3.0:
            shown = x
    figures.draw_variances(shown, what_guidance_samples(S, s, 3.0))
    plt.show()


drawn(compare_variances, "3.1, 3.2, 3.5, 3.6 and 3.8")

# %% [markdown]
r"""
At $w = 0$ and $1$ all agree to about one per cent, so the samplers are right. At $w = 3$ the noise-free one ends with a sixth of the claimed variance. More steps would not help: `ode` and `sde` describe infinitely many. *Above $w = 1$ guidance narrows more than the
claim says, between 0 and 1 less, and how much depends on the sampler.* DDPM's fresh noise lets the width adapt to each step's density, so it ends nearer to the claim.

Take two clouds on a line, at $+1$ and $-1$, both with standard deviation $0.5$, and ask for the right one. **Predict, then run.**
"""

# %%
predict("lab3.two_clouds", choice="")

# %% role="illustration" hidden="Compare on two clouds"
def walk_clouds(w: float, particles: int) -> dict[str, Tensor]:
    """Return guided samples of the right one of two clouds."""
    schedule = linear_schedule(STEPS).to(torch.float64)
    line = Mixture(torch.tensor([[1.0], [-1.0]]).double(), torch.tensor([0.5, 0.5]).double())

    def estimate(x: Tensor, t: Tensor) -> Tensor:
        gradient = classifier_gradient(lambda x, t: line.logits(x, t, schedule), x, t, every(0, x))
        return guided_noise(line.noise(x, t, schedule), gradient, t, w, schedule)

    start = torch.randn(particles, 1, generator=generator(1), dtype=torch.float64)
    return {"DDIM": walk_ddim(start, estimate, schedule, STEPS), "DDPM": walk_ddpm(start, estimate, schedule, generator(2))}


def claimed_density(w: float) -> tuple[Tensor, Tensor]:
    """Return places, and the density of p(x) p(right | x)^w there."""
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
    figures.draw_clouds(found, {w: claimed_density(w) for w in found})
    plt.show()


drawn(compare_clouds, "3.1 and 3.4 to 3.6")

# %% [markdown]
r"""
The *place* is wrong, too. The claim hardly moves, because at $x = 1$ the class is already certain. DDIM moves to the outer edge of the class: at $w = 5$ its *mean* is 1.8, and only one point in twenty of the class lies farther out. DDPM goes less than half as far, to 1.3.

Raise $w$ in the next picture: the claim keeps mean 1.60 and spread 0.35.
"""

# %% role="illustration" hidden="Move it: particles and the claimed density"
explorables.show("particle_cloud")

# %% [markdown]
r"""
> ### Exercise 3.9 · Quality against diversity (written)
> **2 points**, graded by hand · difficulty ●●●○○ · 30 minutes
>
> From your picture of digits, the stored table and your formulas, in six to ten sentences: (a) what do quality and diversity do as $w$ rises, and in which numbers do you see each? Why is the distance not monotone? (b) What does a guided sampler *not* sample from, and why not? Use the example with the
> three variances. (c) Would you use the same $w$ for making training data and for making one picture to show?
"""

# %% [markdown] answer="lab3.tradeoff_essay"
r"""
**Model answer.** (a) With rising $w$ accuracy goes from a tenth (at $w = 0$ no class is requested) to nearly one (.99), and precision from .65 to .92: samples look clean and show the requested digit. Recall falls from .94 to .57: fewer of the real digits have a sample near them, and in the grid strokes grow bold. (That shapes
become alike shows in recall only, because the grid has one picture of each digit.) The Fréchet distance compares mean and spread of two sets. At small $w$ the classes or their shares are wrong, or samples lie between classes; at large $w$ the spread is too small and
the centre has moved; in between, near $w = 3$, it has its minimum.

(b) Not from $p(x)\,p(y\mid x)^w$. For each $t$ the guided score is that of $p_t(x)\,p_t(y\mid x)^w$, but these densities are not the noised versions of the one at $t = 0$ unless $w$ is 0 or 1, so the reversed noising process, which the sampler imitates, does not pass through
them. In the Gaussian example with $S = 4$, $s = 1$, $w = 3$ the claim is a variance of 0.40, DDIM gives 0.0625 and DDPM 0.266: the result even depends on the sampler.

(c) No. For training data I need diversity and right labels. With these networks three labels in ten are wrong at $w = 1$, so I would take the smallest $w$ that draws what was requested, 2 to 4, and watch recall and the distance. For one picture to show I want precision and the right class, so a larger $w$; the missing variety does not show in one picture.

**Rubric.** ½ point: quality up and diversity down, each tied to a number or to the student's own picture (precision or accuracy; recall). ½ point: why the distance has a minimum. ½ point: not $p(x)p(y|x)^w$, *with* the reason (right at each $t$, but not noised versions of one another)
or with the example's numbers. ½ point: a use that needs diversity against one that needs quality. "More guidance is better until artefacts appear" alone: no credit for (a).
"""

# %% [markdown]
r"""
---
# Open exercise · A guidance interval of your own (no points)

Kynkäänniemi and others (2024) guide only in the middle of sampling and get better images. Find your own $w(t)$: change `my_scale` and run the cell.
What counts is the Fréchet distance, lower is better, if accuracy is at least 0.95. To share it, post the cell's last line and your function on your class's board. Compare only results of equally many images.
"""

# %% role="illustration"
def my_scale(t: int) -> float:
    """Return the guidance scale at step t, from 999 (noise) down to 0."""
    return 4.0 if t >= 200 else 0.0  # without the last fifth of the steps: as good, and cheaper


def show_my_interval():
    n = budget.pick(full=500, cpu=100, ci=10)
    for name, w in {"w = 4 at every step": 4.0, "my_scale": my_scale}.items():
        accuracy, distance, _, _ = measure(w, n)
        print(f"guidance interval · {n} images · {DIGIT_STEPS} steps · {name}: accuracy {accuracy:.2f}, distance {distance:.2f}")


drawn(show_my_interval, "3.1 and 3.4 to 3.6")

# %% [markdown]
r"""
---
# Beyond · Steering with words (not graded)

`classifier_gradient` needs only a function that turns $x$ into logits. A model of **images and words**, such as CLIP, is another: it maps pictures near their captions. The next cell
trains a tiny one on captions such as "a bold slanted seven". It has not seen deep noise, so we show it the estimate $\hat x_0$ instead of $x_t$.
"""

# %% role="illustration" hidden="Train a small image-text model and draw"
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
All rows start from the same noise. On MNIST, in most columns the seven leans and grows bold as the caption says.

# Beyond · Colours (not graded)

With CIFAR-10 (`utils.data.download_cifar()`, 160 MB) the next cell trains both networks with three channels. It needs a GPU and half an hour.
"""

# %% role="illustration" hidden="Train on CIFAR-10"
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

- tell three sigmas apart, and translate between score and noise;
- steer, with anything that has a gradient, a model that you did not train;
- say in numbers what guidance costs and gains, and what it does not sample.

**Further reading:** Dhariwal and Nichol, *Diffusion Models Beat GANs* (2021): classifier guidance · Ho and others, *DDPM* (2020) · Song and others, *DDIM* (2021) ·
Bradley and Nakkiran, *Classifier-Free Guidance is a Predictor-Corrector* (2024).
"""
