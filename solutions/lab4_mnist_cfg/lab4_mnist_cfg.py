# %% [markdown]
r"""
# Lab 4 · One network, no classifier

In this lab you train one network that turns noise into handwritten digits, and then you ask it for a *seven*. The method is called
**classifier-free guidance**. It takes two lines of code: one drops labels in training, one combines two outputs of the network in sampling. Most text-to-image generators use it.

| | |
|---|---|
| Points | 18 |
| Time | 5 to 6 hours with reading and waiting, without the open exercise |
| GPU | not needed: what a laptop cannot train in five minutes is loaded from a checkpoint |
| You need | PyTorch, gradients, a little probability; no other lab |

**What you build**, as a map:

| data → noise | score | sampler | guidance |
|---|---|---|---|
| a Gaussian path and its velocity (part 1) | a network that learns the velocity (parts 2, 5, 6) | Euler's and Heun's steps (part 4) | the guided velocity (part 3), its effect (part 7), its measurement (part 8) |

Run the cells from top to bottom. Where a cell says `raise NotImplementedError()`, write your answer. The `check(...)` after it
reports what is right. Your functions must work on any device, set no seed, and leave inputs, models (mode and gradients) and global settings as they found them.
"""

# %% role="setup" hidden="Set-up: run this cell first"
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from utils import explorables, plotting
from utils.conventions import symbols
from utils.data import load_digits
from utils.distributions import GaussianClasses
from utils.dynamics import ODE, Simulator
from utils.fallback import drawn, or_precomputed, stored_images, stored_table, stored_tensors
from utils.few_steps import GivenVelocity, few_step_distances, few_step_score
from utils.figures import lab4 as figures
from utils.metrics import in_batches
from utils.nets import DigitClassifier, LabelledMLP, UNet, count_parameters
from utils.paths import GaussianPath, LinearAlpha, LinearBeta
from utils.predictions import predict
from utils.reference import real_features, real_floors
from utils.runtime import fast_bf16, setup
from utils.training import CHECKPOINTS, Trainer, load_weights

device, budget = setup("lab4_mnist_cfg", seed=0)
plotting.use_style()

# %% [markdown]
r"""
Your code will make a film of this, from noise (top) to data: ten labels, ten noises, one network.
"""

# %% role="illustration" hidden="Draw the picture"
figures.draw_opening()
plt.show()

# %% [markdown]
r"""
## Symbols

| symbol | in code | meaning |
|---|---|---|
| $t$ | `t`, shape `(b, 1, 1, 1)` | time. **Noise is at $t = 0$, data at $t = 1$** |
| $z$ | `z`, shape `(b, c, h, w)` | an image from the data, pixels from $-1$ (paper) to $1$ (ink) |
| $\varepsilon$ | | Gaussian noise, same shape as $z$ |
| $x$ | `x`, shape `(b, c, h, w)` | a noisy image, between noise and data |
| $\alpha_t, \beta_t$ | `path.alpha(t)`, `path.beta(t)` | the amounts of image and of noise in $x$ at time $t$ |
| $\dot\alpha_t, \dot\beta_t$ | `path.alpha.dt(t)`, `path.beta.dt(t)` | their time derivatives |
| $y$, $\varnothing$ | `y`, shape `(b,)`, and `null_label` | the label, 0 to 9, and "no label", here the number 10 |
| $\eta$ | `eta` | the probability that a label is dropped in training |
| $u_t$, $u_\theta$ | `self.net(x, t, y)`; `self.model` in 4.2 | a velocity, and the network's |
| $w$ | `guidance_scale` | the guidance scale |

`b` is the batch size. A label is an integer (`int64`) because it selects a row of an embedding. The other labs write some of this differently:
"""

# %% role="illustration"
symbols("lab4")

# %% role="definitions"
NULL = 10  # the label that means "no label"

# %% [markdown]
r"""
---
# 1 · From noise to an image

*Map: **data → noise** → score → sampler → guidance*

Take an image $z$ and pure noise $\varepsilon$, and mix them:

$$x_t = \alpha_t\, z + \beta_t\, \varepsilon .$$

At $t = 0$, $\alpha_0 = 0$ and $\beta_0 = 1$, so $x_0$ is pure noise. At $t = 1$, $\alpha_1 = 1$ and $\beta_1 = 0$, so $x_1$ is
the image. The simplest choice is the straight path, $\alpha_t = t$ and $\beta_t = 1 - t$. We train with it; your code works
for every choice.
"""

# %%
digits = load_digits("train", device=device)

# %% role="illustration" hidden="Draw ten digits on the path"
figures.draw_noising(digits)
plt.show()

# %% [markdown]
r"""
At $t = 0.5$ image and noise have equal weights, and most of these digits can be read.

## The velocity of a sample

Hold $z$ and $\varepsilon$ fixed, and let time run. The point $x_t$ moves with the velocity

$$\frac{\mathrm d x_t}{\mathrm d t} = \dot\alpha_t\, z + \dot\beta_t\, \varepsilon .$$

A sampler knows its position $x$, not the noise $\varepsilon$. If we also give it the image $z$, it can compute
$\varepsilon$ from $x$, $z$ and $t$. Substitute this $\varepsilon$, and the velocity becomes a function of position and time: the
**conditional vector field** $u_t(x \mid z)$.

Part 3 needs a gradient, too. Given $z$, the noisy image has the density
$p_t(x \mid z) = \mathcal N(x;\ \alpha_t z,\ \beta_t^2 I)$. The **conditional score**
$\nabla_x \log p_t(x \mid z)$ is the direction in which this density grows fastest; its length is the slope divided by the density.

> ### Exercise 4.1 · Velocity and score of a Gaussian path
> **3 points** (2 for the velocity, 1 for the score) · difficulty ●●○○○ · 20 minutes
>
> Complete both methods. They must be correct
> - for **every** schedule: use `self.alpha(t)`, `self.beta(t)`, `self.alpha.dt(t)` and `self.beta.dt(t)`, not `t` and `1 - t`;
> - for every $t$ from $0$ to $1 - 10^{-4}$, both included;
> - for any $x$, in any shape, for `float32` and `float64`; rounding errors of `float32` are allowed.

<details><summary>Hint: where to start</summary>

Solve $x = \alpha_t z + \beta_t \varepsilon$ for $\varepsilon$. For the score, write down $\log \mathcal N$ of *one* pixel.
</details>
<details><summary>Hint: the form of the answer</summary>

Velocity: $\dot\alpha_t \cdot (\ldots) + \dot\beta_t \cdot (\ldots)/\beta_t$. Score: a difference divided by a variance.
</details>
<details><summary>"I get NaN"</summary>

You divide by a quantity that is 0 at $t = 0$. Divide by $\beta_t$, which is 1 there and 0 only at $t = 1$, outside the required range.
</details>
"""

# %% answer="lab4.vector_field"
class GaussianConditionalPath(GaussianPath):
    def conditional_vector_field(
        self, x: Float[Tensor, "b *shape"], z: Float[Tensor, "b *shape"], t: Float[Tensor, "b *ones"]
    ) -> Float[Tensor, "b *shape"]:
        """Return u_t(x | z), the velocity at x on the way to z. t has the shape (b, 1, …, 1)."""
        ### BEGIN SOLUTION
        noise = (x - self.alpha(t) * z) / self.beta(t)
        return self.alpha.dt(t) * z + self.beta.dt(t) * noise
        ### END SOLUTION

    def conditional_score(
        self, x: Float[Tensor, "b *shape"], z: Float[Tensor, "b *shape"], t: Float[Tensor, "b *ones"]
    ) -> Float[Tensor, "b *shape"]:
        """Return the gradient with respect to x of log p_t(x | z) = log N(x; alpha_t z, beta_t² I)."""
        ### BEGIN SOLUTION
        return (self.alpha(t) * z - x) / self.beta(t) ** 2
        ### END SOLUTION


# %% check="lab4.vector_field"

# %% [markdown]
r"""
The next figure shows *your* field for an "image" of two pixels, the star. **Predict, then run.**
"""

# %%
predict("lab4.arrows_late", choice="")

# %% role="illustration"
drawn(lambda: figures.draw_field(GaussianConditionalPath), "4.1")
plt.show()

# %% [markdown]
r"""
At a *fixed* point $x$ of the straight path the arrow is $(z-x)/(1-t)$. (Along a sample's path $z - x$ shrinks like $1 - t$, so its velocity is constant.)

> **Remember:** $x_t = \alpha_t z + \beta_t\varepsilon$ moves with the velocity $\dot\alpha_t z + \dot\beta_t\varepsilon$. It is the
> target of part 2's loss.

---
# 2 · Learning the velocity, and dropping labels

*Map: data → noise → **score** (as a velocity; part 3 says why) → sampler → guidance*

When we *generate*, there is no $z$. Many images are possible at a given $x$ and $t$, and each has its own velocity. The sampler should
follow their **average**, weighted by the probability of each image given $x$:

$$u_t(x) = \mathbb E\big[\, u_t(x \mid z)\ \big|\ x_t = x \,\big].$$

Start from noise at $t = 0$ and follow this field to $t = 1$. The samples then have the distribution of the data. This is the central theorem of
flow matching. The average over all possible digits cannot be computed, because we have only examples. But **least squares can learn it**: the prediction
with the smallest mean squared error is the conditional mean. So we fit a network to $u_t(x \mid z)$ on pairs $(x, z)$, and it learns $u_t(x)$:
$\mathbb E\|u_\theta - u_t(x\mid z)\|^2 = \mathbb E\|u_\theta - u_t(x)\|^2 + \text{const}$.

<details><summary>Derivation: why the average is the right field</summary>

Probability only moves: where more flows out ($p\,u$) than in, the density falls. This is the *continuity equation*: $\partial_t p_t(x\mid z) = -\nabla\cdot\big(p_t(x\mid z)\,u_t(x\mid z)\big)$. Average both sides over $z$. By Bayes' rule the average of $p_t(x\mid z)\,u_t(x\mid z)$ is $p_t(x)\,u_t(x)$. So
$\partial_t p_t = -\nabla\cdot(p_t u_t)$: points that follow $u_t$ have the density $p_t$ at every $t$.
</details>

Two consequences:
- The loss does **not** go to zero. Even a perfect network cannot know which image made $x$. The loss that remains is the mean variance
  of $u_t(x \mid z)$ given what the network sees.
- If the network also receives the label $y$, it learns $u_t(x \mid y)$, the average over the images *of that class*.

**Dropping labels.** Guidance will need both $u_t(x \mid y)$ and $u_t(x)$. One network can learn both. Add an
eleventh label, $\varnothing$ ("no label"), and in training replace each true label by $\varnothing$ with probability $\eta$. Then
$u_\theta(x, t, y)$ learns the first velocity and $u_\theta(x, t, \varnothing)$ learns the second. The loss is

$$\mathcal L(\theta) = \mathbb E\ \big\| u_\theta(x, t, \tilde y) - u_t(x \mid z) \big\|^2,\qquad
(z, y)\sim p_{\rm data},\quad t\sim\mathcal U[0,1],\quad x\sim p_t(x\mid z),\quad
\tilde y = \begin{cases}\varnothing & \text{with probability } \eta\\ y & \text{else.}\end{cases}$$

> ### Exercise 4.2 · The training loss of classifier-free guidance
> **4 points** · difficulty ●●●○○ · 25 minutes
>
> Complete `get_train_loss(self, batch_size)`, which estimates $\mathcal L$ from one batch.
>
> | available | what it does |
> |---|---|
> | `self.path.sample_conditioning_variable(batch_size)` | draws images and labels, `z, y` |
> | `self.path.sample_conditional_path(z, t)` | draws `x` |
> | `self.path.conditional_vector_field(x, z, t)` | $u_t(x\mid z)$ |
> | `self.model(x, t, y)` | $u_\theta(x, t, y)$ |
> | `self.eta`, `self.null_label` | $\eta$ and $\varnothing$ |
>
> - Each label is dropped independently of the others. **Do not change `y` itself**: it may be the dataset's own memory.
> - Each sample has its own time, drawn independently and uniformly from $[0, 1]$, with `t` of shape `(b, 1, 1, 1)`. Do not cut times off near 1: those beyond the range of 4.1 are too rare to matter.
> - Return the squared error **averaged over batch and pixels**, as a tensor without axes through which gradients flow.
>
> The check brings its own path, which has only the three methods of this table: use them all. A mistake in 4.1 costs nothing here.

<details><summary>Hint: useful functions</summary>

`torch.rand(n) < p` is true with probability `p`. `torch.where(mask, a, b)` makes a new tensor. `rand` is uniform on $[0, 1)$; `randn` is not.
</details>
<details><summary>"t has shape (256,), expected (256, 1, 1, 1)"</summary>

Broadcasting would align this `t` with the *pixels* of a row.
With `(b, 1, 1, 1)` each image gets its own time.
</details>
<details><summary>Why the mean, if the formula has a norm?</summary>

$\|\cdot\|^2$ sums over the pixels. Division by their number moves no minimum, and puts losses of 16×16 and 32×32 images on one scale.
</details>
"""

# %% answer="lab4.cfg_train_loss"
class CFGTrainer(Trainer):
    def __init__(self, path: GaussianPath, model: nn.Module, eta: float, null_label: int):
        super().__init__(model)
        self.path, self.eta, self.null_label = path, eta, null_label

    def get_train_loss(self, batch_size: int) -> Float[Tensor, ""]:
        """Return the classifier-free guidance loss of one batch, averaged over batch and pixels."""
        ### BEGIN SOLUTION
        z, y = self.path.sample_conditioning_variable(batch_size)
        dropped = torch.rand(batch_size, device=z.device) < self.eta
        y = torch.where(dropped, self.null_label, y)
        t = torch.rand(batch_size, 1, 1, 1, device=z.device)
        x = self.path.sample_conditional_path(z, t)
        return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean()
        ### END SOLUTION


# %% check="lab4.cfg_train_loss"

# %% [markdown]
r"""
## First a problem with a known answer

Three blobs in the plane, $\mathcal N(m_y, \sigma^2 I)$ with $\sigma = 0.3$, are learned in seconds, and
their smallest possible loss is known: the mean variance of $u_t(x\mid z)$ given $x$, and given the label if it is kept. It is the dashed line of the next figure, for $\eta = 0.1$.

**Predict, then run.**
"""

# %%
predict("lab4.loss_line", choice="")

# %% role="definitions"
TOY_STD = 0.3
TOY_FLOOR = 0.9 * math.pi / 2 * TOY_STD + 0.1 * 1.756
angles = torch.tensor([90.0, 210.0, 330.0]) * math.pi / 180
toy = GaussianClasses(2 * torch.stack([angles.cos(), angles.sin()], dim=1).reshape(3, 1, 1, 2), std=TOY_STD)
TOY_NULL = 3

# %% role="illustration"
def train_toy():
    """Train a small network on three blobs with your loss."""
    torch.manual_seed(0)
    path = GaussianConditionalPath(toy, (1, 1, 2), LinearAlpha(), LinearBeta())
    trainer = CFGTrainer(path, LabelledMLP((1, 1, 2), num_labels=4), eta=0.1, null_label=TOY_NULL)
    trainer.train(budget.pick(full=4000, cpu=2500, ci=20), "cpu", lr=2e-3, batch_size=256)
    return trainer.model, trainer.history


stored = stored_tensors("lab4_results")
toy_net, toy_history = or_precomputed(train_toy, lambda: (None, stored["toy_history"].tolist()), "Toy")
figures.draw_toy_loss(toy_history, TOY_FLOOR)
plt.show()

# %% [markdown]
r"""
With all labels the smallest loss is $\frac{\pi}{2}\, \sigma = 0.471$ for each coordinate, without any label it is 1.756 (computed numerically), and with $\eta = 0.1$ it is $0.9 \cdot 0.471 + 0.1 \cdot 1.756 = 0.600$.

<details><summary>Derivation: where π/2 comes from</summary>

For one Gaussian class (mean 0, say), $A = z - \varepsilon$ and $B = x_t$ are jointly Gaussian, with $\mathrm{Var} A = \sigma^2 + 1$, $\mathrm{Var} B = t^2\sigma^2 + (1-t)^2$ and $\mathrm{Cov}(A, B) = t\sigma^2 - (1-t)$.
So $\mathrm{Var}(A\mid B) = \mathrm{Var} A - \mathrm{Cov}(A, B)^2/\mathrm{Var} B = \sigma^2 / (t^2 \sigma^2 + (1-t)^2)$. Integrate over $t$ from 0 to 1 with $v = t\sigma/(1-t)$: the integrand becomes $\sigma\,\mathrm dv/(1+v^2)$, which gives $\frac{\pi}{2} \sigma$.
</details>

Where does your curve end?

| the curve ends … | your code |
|---|---|
| within five hundredths of the line | agrees with the theory |
| above that | draws something twice, scales something, or drops labels too often |
| well below it | drops labels too rarely (never: 0.471), draws early times too often, scales the loss down, or shows the target to the network |

> **Remember:** the best prediction in mean square is the conditional mean, so least squares on $u_t(x\mid z)$ learns $u_t(x)$. Part 3 combines the two velocities
> that your network learned.

---
# 3 · Guidance

*Map: data → noise → score → sampler → **guidance***

The network now knows two velocities, $u_t(x \mid y)$ and $u_t(x) = u_t(x \mid \varnothing)$. What does their difference mean?

For a Gaussian path, velocity and score determine each other. There are numbers $a_t, b_t$, which depend on the
schedule only, such that

$$u_t(x) = a_t\, x + b_t\, \nabla_x \log p_t(x), \qquad u_t(x \mid y) = a_t\, x + b_t\, \nabla_x \log p_t(x \mid y).$$

<details><summary>Derivation: velocity from score</summary>

Given $z$, the score is $s = (\alpha_t z - x)/\beta_t^2$, so $z = (x + \beta_t^2 s)/\alpha_t$ and $\varepsilon = (x - \alpha_t z)/\beta_t = -\beta_t s$. Substitute both into
$u = \dot\alpha_t z + \dot\beta_t\varepsilon$:

$$u_t(x\mid z) = \frac{\dot\alpha_t}{\alpha_t}\,x + \beta_t\Big(\frac{\dot\alpha_t}{\alpha_t}\beta_t - \dot\beta_t\Big)\, s .$$

The equation is linear in $s$, so it still holds after averaging both sides over the images $z$ that are possible at $x$. That average of the conditional scores is the score of
$p_t(x)$ (divide $\nabla p_t(x)$, the average of $p_t(x\mid z)\,\nabla\log p_t(x\mid z)$, by $p_t(x)$), or of $p_t(x\mid y)$ if only images of class $y$ are averaged. On the straight path $a_t = 1/t$ and $b_t = (1-t)/t$. Both are infinite at $t = 0$, where $x$ is pure noise and every score is $-x$; the velocities stay finite.
</details>

Bayes' rule, $\log p_t(x \mid y) = \log p_t(x) + \log p_t(y \mid x) - \log p(y)$, gives for the gradients

$$\nabla_x \log p_t(x \mid y) = \nabla_x \log p_t(x) + \nabla_x \log p_t(y \mid x).$$

The last term is the gradient of a *classifier* of noisy images: the change of $x$ that makes the class $y$ more probable. Guidance multiplies
this term by $w$:

$$s_w(x) = \nabla_x \log p_t(x) + w\ \nabla_x \log p_t(y \mid x).$$

At $w = 0$ the label is ignored. At $w = 1$ this is the score of the conditional distribution. Beyond 1 the label is exaggerated: at each $t$, $s_w$ is the score of a density proportional to
$p_t(x)\, p_t(y \mid x)^w$. But these densities are not noised versions of one another, so the samples at $t = 1$ do *not* follow $p(x)\, p(y \mid x)^w$. No
classifier is needed: the difference of the two velocities is $b_t$ times its gradient.

> ### Exercise 4.3 · The guided velocity
> **2 points** · difficulty ●●○○○ · 20 minutes
>
> On paper: which combination of $u_t(x \mid y)$ and $u_t(x \mid \varnothing)$ is the velocity of the score $s_w$? The numbers
> $a_t$ and $b_t$ must drop out. Then complete `drift_coefficient(self, x, t, y)`, which returns this velocity for a batch. `y` may
> contain the null label; such a sample must not be guided. (Do you have to do anything for that?)
>
> Evaluate `self.net(x, t, y)` twice, or once on a doubled batch; `self.guidance_scale` may change between calls. Every evaluation needs one label for each sample; for $u_t(x\mid\varnothing)$ all of them are null.

<details><summary>Hint: where to start</summary>

Write $\nabla \log p_t(y \mid x)$ as a difference of two scores. Then multiply $s_w$ by $b_t$ and add $a_t x$.
</details>
<details><summary>Hint: the form of the answer</summary>

$(\ldots)\, u_t(x \mid \varnothing) + (\ldots)\, u_t(x \mid y)$, and the two factors add up to 1. Test it at $w = 0$ and $w = 1$.
</details>
<details><summary>Other papers write something else</summary>

Two conventions are in use. Ho and Salimans (2022) write $(1 + w)\,s(x \mid y) - w\, s(x)$, so their $w = 0$ is our $w = 1$. Before you compare
guidance scales, check which $w$ means "unguided".
</details>
"""

# %% answer="lab4.cfg_drift"
class CFGVectorFieldODE(ODE):
    def __init__(self, net: nn.Module, guidance_scale: float, null_label: int):
        self.net, self.guidance_scale, self.null_label = net, guidance_scale, null_label

    def drift_coefficient(
        self, x: Float[Tensor, "b c h w"], t: Float[Tensor, "b 1 1 1"], y: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c h w"]:
        """Return the velocity of the guided score with scale `self.guidance_scale`."""
        ### BEGIN SOLUTION
        unguided = self.net(x, t, torch.full_like(y, self.null_label))
        return (1 - self.guidance_scale) * unguided + self.guidance_scale * self.net(x, t, y)
        ### END SOLUTION


# %% check="lab4.cfg_drift"

# %% [markdown]
r"""
<details><summary>Derivation: the guided velocity, to compare with yours</summary>

By Bayes' rule $s_w = s(x) + w\,(s(x\mid y) - s(x)) = (1-w)\,s(x) + w\,s(x\mid y)$. The velocity of $s_w$ is $a_t x + b_t s_w$. Because $(1-w) + w = 1$, we may write $a_t x = (1-w)\,a_t x + w\,a_t x$:

$$a_t x + b_t s_w = (1-w)\,\big(a_t x + b_t s(x)\big) + w\,\big(a_t x + b_t s(x\mid y)\big) = (1-w)\,u_t(x\mid\varnothing) + w\,u_t(x\mid y) .$$

For a null label both velocities are equal, so nothing is to be done.
</details>

Guidance is a sum of arrows. The figure shows one point $x$ at $t = 0.5$ among noisy blobs, and *your* velocity at $w = 0$, 1 and 3 towards the upper class. All tips lie on one
line, and $w = 3$ goes three times as far from the tip of $u(x\mid\varnothing)$ as $w = 1$.
"""

# %% role="illustration" hidden="Draw three velocities at one point"
def velocity_on_blobs(x, t, y, w):
    """Return your guided velocity at one point x of shape (1, 2)."""
    with torch.no_grad():
        ode = CFGVectorFieldODE(toy_net, w, TOY_NULL)
        return ode.drift_coefficient(x.reshape(1, 1, 1, 2), torch.full((1, 1, 1, 1), t), torch.tensor([y])).reshape(1, 2)


drawn(lambda: figures.draw_arrows(velocity_on_blobs, toy), "4.1 to 4.3")
plt.show()

# %% [markdown]
r"""
> **Remember:** $u_w = (1-w)\,u_t(x\mid\varnothing) + w\,u_t(x\mid y)$. For $w > 1$ this is an extrapolation.

---
# 4 · Following the field

*Map: data → noise → score → **sampler** → guidance*

To generate an image, start from noise and follow the velocity to $t = 1$. The loop over time is given: `utils.dynamics.Simulator` passes
`t` and the step size `h` to your step. Both have the shape `(b, 1, …, 1)` with as many axes as `x`.

**Euler's method** evaluates the velocity at the current point and moves straight on for a time $h$.

**Heun's method** first makes a trial step with Euler's method and evaluates the velocity at the *end* of that trial as well. Then it moves
from the original point with the mean of the two velocities.

> ### Exercise 4.4 · Two ways to take a step
> **3 points** (Euler 1, Heun 2) · difficulty ●●○○○ · 15 minutes
>
> Complete `step(self, x, t, h, **kwargs)` of both classes. It returns the state at `t + h`, for `x` of any shape. The drift is `self.ode.drift_coefficient(x, t, **kwargs)`. Pass
> all keyword arguments on, by name and unchanged: labels, if there are any, numbers, `None`. `h` may differ from sample to sample and from step to step, and may be negative; `t + h` stays in $[0, 1]$.
> Return a new tensor: the caller still needs `x`, and the ODE what its drift returned.

<details><summary>Hint: where to start</summary>

A velocity multiplied by a duration is a distance. Heun's two velocities belong to two positions *and* to two times.
</details>
"""

# %% answer="lab4.euler_heun"
class EulerSimulator(Simulator):
    def step(
        self, x: Float[Tensor, "b *shape"], t: Float[Tensor, "b *ones"], h: Float[Tensor, "b *ones"], **kwargs
    ) -> Float[Tensor, "b *shape"]:
        """Return the state at t + h by Euler's method."""
        ### BEGIN SOLUTION
        return x + h * self.ode.drift_coefficient(x, t, **kwargs)
        ### END SOLUTION


class HeunSimulator(Simulator):
    def step(
        self, x: Float[Tensor, "b *shape"], t: Float[Tensor, "b *ones"], h: Float[Tensor, "b *ones"], **kwargs
    ) -> Float[Tensor, "b *shape"]:
        """Return the state at t + h by Heun's method, with the mean of the slopes at both ends."""
        ### BEGIN SOLUTION
        here = self.ode.drift_coefficient(x, t, **kwargs)
        there = self.ode.drift_coefficient(x + h * here, t + h, **kwargs)
        return x + h / 2 * (here + there)
        ### END SOLUTION


# %% check="lab4.euler_heun"

# %% [markdown]
r"""
Now combine everything on the three blobs: *your* loss trained the network, *your* velocity guides, and *your* Euler step moves the samples.

**Predict, then run.**
"""

# %%
predict("lab4.guided_blobs", choice="")

# %% role="illustration"
def toy_samples(w: float) -> Tensor:
    """Return trajectories (n, times, 2) of 300 samples, 100 of each class."""
    noise = torch.randn(300, 1, 1, 2, generator=torch.Generator().manual_seed(5))
    simulator = EulerSimulator(CFGVectorFieldODE(toy_net, w, TOY_NULL))
    labels = torch.arange(3).repeat_interleave(100)
    return simulator.simulate_with_trajectory(noise, torch.linspace(0, 1, 41), y=labels).flatten(2)


toy_scales = [0.0, 1.0, 3.0]
toy_paths = or_precomputed(
    lambda: torch.stack([toy_samples(w) for w in toy_scales]), lambda: stored["toy_paths"].float(), "Blobs"
)
figures.draw_blobs(toy_paths, toy_scales, toy.means)
plt.show()

# %% [markdown]
r"""
At $w = 0$ the colours mix; the samples between the crosses, here one in eight, are the network's error. At $w = 1$ each colour reaches its own cross. At $w = 3$ the samples move
**past** the crosses, away from the other classes: the middle of each cluster lies more than one standard deviation of the data beyond its cross.

> **Remember:** $x \leftarrow x + h\,u_w(x, t)$ is a complete sampler, which parts 6 to 8 use; the open exercise adds Heun.

---
# 5 · A network for images: the U-Net

*Map: data → noise → **score** → sampler → guidance*

A network for images must know both *where* something is (is there a stroke at this pixel?) and *what
it is part of* (is this the loop of a six?). The **U-Net** computes on three grids. On the way down it halves the grid and adds
channels, in the middle it sees the whole image at once, and on the way up it doubles the grid again. A *long skip* carries the detail of each finer grid across.
"""

# %%
plotting.draw_unet()
plt.show()
net = UNet()
print(f"{count_parameters(net):,} parameters")

# %% [markdown]
r"""
Three choices differ from many tutorials:
- **Patches instead of pixels.** The four pixels of each 2×2 patch become four channels of one place (`pixel_unshuffle`), and at the end they become
  pixels again (`pixel_shuffle`). This makes the finest grid 16×16 and a training step 2.7 times faster.
- **GroupNorm instead of BatchNorm.** BatchNorm takes mean and variance over the batch, and here a batch mixes times and labels. In sampling it
  uses one stored mean and variance for all of them, which fit none well. GroupNorm takes them over groups of channels of one sample.
- **Time enters as cosines and sines** of many frequencies. A network cannot easily distinguish the bare numbers $0.31$ and $0.32$. Waves tell them apart.

The next figure compares pixels with patches on 200 images (part 8 defines both measures).
"""

# %% role="illustration" hidden="Draw pixels against patches"
figures.draw_patches()
plt.show()

# %% [markdown]
r"""
For four minutes patches lead. After equally many steps pixels do: distance 0.8 after 440 steps, patches 2.1 after 425.

Read the code: run `from utils import nets` and `nets.UNet??` in a new cell, then the same for `ResidualStack`, `ResidualLayer`, `adapter` and `FourierFeatures`. Then answer:

> ### Exercise 4.5 · Two parts of the U-Net (written)
> **2 points**, graded by hand · difficulty ●●○○○ · 40 minutes
>
> Choose **two** of: the Fourier features of time; the label embedding; a residual layer; a downsampling step; a long skip; the last
> convolution of a residual layer, which starts at zero. For each say (a) what goes in and what comes out, with shapes, for a batch of 5 images of 32×32 pixels in `UNet()`, where your part occurs first (a skip: on the finest grid), and (b) what you expect
> to go wrong without it (without its zeros, for the last convolution). Two or three sentences each.
"""

# %% [markdown] answer="lab4.unet_essay"
r"""
**Model answer.** *A residual layer* takes a feature map, here `(5, 32, 16, 16)`, the time features `(5, 40)` and the label
embedding `(5, 40)`, and returns a map of the same shape as the first. Time and label become one number for each channel, which is added
between two convolutions, and the result is added to the input. Without this addition of the input, the gradient would have to pass through every
convolution, and deep networks train badly. Without the added embeddings the network could not know the time or the class, and
would learn an average velocity.

*A long skip* carries the map at the end of a level, `(5, 32, 16, 16)` on the finest grid, to the level of the same size on the way up,
where it is added to the upsampled map of the same shape. Without it all detail would have to pass through the 4×4 map in the middle,
and the network could not say at which pixel the noise is. The velocity contains the noise of every single pixel, so images would stay blurred or noisy.

**Rubric.** For each of the two parts: ½ point for input and output with the right shapes, ½ point for a consequence that follows from its role
(not merely "results get worse"). Other parts: *Fourier features* `(5, 1, 1, 1)` → `(5, 40)`; without them, the network can hardly distinguish nearby times, and
velocities late in time, which vary quickly, become blurred. *Label embedding* `(5,)` → `(5, 40)`, 11 rows; a bare number would
claim that 3 lies between 2 and 4. *Downsampling* `(5, 32, 16, 16)` → `(5, 64, 8, 8)`; without it each place sees only a small
neighbourhood, so strokes do not fit together into a digit, and every layer costs as much as on the finest grid. *Last convolution*: `(5, 32, 16, 16)` in and out; as it starts at zero, each layer starts as
the identity. Without the zeros the untrained sum of many random layers has a large variance, and early training is unstable.
"""

# %% [markdown]
r"""
---
# 6 · Training on digits

*Map: data → noise → **score** → sampler → guidance*

Without a GPU you train a smaller network on images of 16×16 pixels for one to three minutes. With a
GPU you train the full network at 32×32, on patches. Both trainings keep a running mean of the weights (`ema`, exponential moving average), because
single noisy batches disturb the last weights.
"""

# %% role="definitions"
def make_digit_path(size: int):
    """Return your path to digits of size × size pixels."""
    data = load_digits("train", size=size, device=device)
    return GaussianConditionalPath(data, (1, size, size), LinearAlpha(), LinearBeta()).to(device)


@torch.no_grad()
def sample_digits(net, noise, labels, w, steps=20, simulator=None, every=None):
    """Return images (or, with `every`, trajectories) from noise: your velocity, your step, 50 images at a time."""
    simulator = (simulator or EulerSimulator)(CFGVectorFieldODE(net, w, NULL))
    times = torch.linspace(0, 1, steps + 1, device=device)
    walk = simulator.simulate if every is None else lambda *a, **k: simulator.simulate_with_trajectory(*a, every=every, **k)
    with torch.autocast(device.type, torch.bfloat16, enabled=fast_bf16(device)):
        parts = zip(noise.to(device).split(50), labels.to(device).split(50))
        return torch.cat([walk(x, times, y=y) for x, y in parts]).float()


def fixed_noise(n: int, size: int = 32, seed: int = 7) -> Tensor:
    """Return the same noise on every machine."""
    return torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(seed)).to(device)


# %% role="illustration"
size = budget.pick(full=32, cpu=16)
settings = budget.pick(full=dict(), cpu=dict(channels=(16, 32, 64), layers=1, patch=1), ci=dict(channels=(8, 8, 8), layers=1))
steps = budget.pick(full=8000, cpu=1500, ci=3)


def train_digits():
    """Train your own network with your loss."""
    torch.manual_seed(0)
    trainer = CFGTrainer(make_digit_path(size), UNet(**settings), eta=0.1, null_label=NULL)
    trainer.train(
        steps, device, lr=2e-3, ema=0.999 if steps > 4000 else 0.99, batch_size=budget.pick(full=128, cpu=64, ci=8),
        bf16=device.type == "cuda", channels_last=True, logdir=None,
    )  # fmt: skip
    print(f"{steps:,} steps in {trainer.seconds:.0f} seconds")
    return trainer.model, trainer.history


my_net, my_history = or_precomputed(train_digits, lambda: (None, stored["digits_history"].tolist()), "Training")
figures.draw_digits_loss(my_history)
plt.show()

# %% [markdown]
r"""
Most of the fall takes a hundred steps. The rest is slow, although the samples keep improving: much of the loss that remains is irreducible, because no network can know $z$. **For a generative model the loss reveals bugs; it does not
measure quality.**
"""

# %% role="illustration"
def my_digits():
    labels = torch.arange(10, device=device).repeat(3)
    return sample_digits(my_net, fixed_noise(30, size), labels, w=3.0, steps=budget.pick(cpu=20, full=20, ci=2))


mine = or_precomputed(my_digits, lambda: stored_images("lab4_results", "small_grid"), "Your digits")
plotting.show_images(mine, columns=10, title="Digits 0 to 9 from the network that you just trained, w = 3")
plt.show()

# %% [markdown]
r"""
## The checkpoint

Without a GPU, the following parts use a checkpoint: a larger network, trained for longer at 32×32 with the same code. With a GPU they use your own, whose pictures differ in detail.
"""

# %% role="illustration" hidden="Load the checkpoint"
card = stored_table("lab4_cfg")
if budget.name == "full" and my_net is not None and digits.source == "MNIST":  # what the samples are compared with
    net = my_net
    print("Using the network that you trained.")
else:
    net = UNet(**card["settings"]).to(device)
    load_weights(net, CHECKPOINTS / "lab4_cfg.safetensors")
    print(f"Using the checkpoint: {card['steps']:,} steps, {card['data']}.")

# %% [markdown]
r"""
---
# 7 · What the guidance scale does

*Map: data → noise → score → sampler → **guidance***

In each column of the next figure, one for each digit and one for $\varnothing$, the noise is the same; only $w$ differs.

**Predict, then run.**
"""

# %%
predict("lab4.hundred", choice="")

# %% role="illustration"
scales = [0.5, 1.0, 3.0, 5.0, 10.0, 100.0]
euler_steps = budget.pick(full=50, cpu=20, ci=2)


def by_scale():
    return torch.stack([sample_digits(net, fixed_noise(11), torch.arange(11), w, euler_steps) for w in scales])


sheets = or_precomputed(by_scale, lambda: stored_images("lab4_results", "by_scale"), "Digits by scale")
figures.draw_by_scale(sheets, scales)
plt.show()

# %% [markdown]
r"""
- The column $\varnothing$ never changes: there both velocities are equal, and $(1 - w) + w = 1$.
- At $w = 0.5$ some columns show *another* digit, because the velocities with and without the label are mixed half and half. Even at $w = 1$ the seven looks like a four: the network is not perfect.
- From 1 to 5 the digits become cleaner, most of them bolder.
- At 10 the strokes become heavy, and at **100 the picture is ruined**. Pixels reach 18 (drawn as 1). Smaller steps (`euler_steps = 150`) change details, but the digits stay ruined. Is the error in the sampler or in the field? You decide in 4.7.

Do the digits also become more alike? Here are a hundred sevens at $w = 1$ and at $w = 8$, from the same noises.
"""

# %% role="illustration" hidden="Draw a hundred sevens at two scales"
def sevens():
    count, seven_steps = budget.pick(full=100, ci=4), budget.pick(full=50, cpu=10, ci=2)
    labels = torch.full((count,), 7)
    return {w: sample_digits(net, fixed_noise(count, seed=9), labels, w, seven_steps) for w in (1.0, 8.0)}


drawn(lambda: figures.draw_variety(sevens()), "4.3 and 4.4")
plt.show()

# %% [markdown]
r"""
At $w = 1$ the sevens differ in slant, bar and stroke, and a few are malformed. At $w = 8$ nearly all are bold and plain; mainly slants still vary.

Move the scale and the time of one digit. Then a film shows the way from noise to digits (its column "null" is $\varnothing$).
"""

# %% role="illustration" hidden="Move it: one digit, its scale and its time"
explorables.show("guided_digits")

# %% role="illustration" hidden="Make the film"
def film():
    frames = [sample_digits(net, fixed_noise(11), torch.arange(11), w, budget.pick(cpu=20, ci=2), every=1) for w in (0.5, 3.0, 10.0)]
    return torch.cat(frames).transpose(0, 1)  # (time, 33, 1, 32, 32)


frames = or_precomputed(film, lambda: stored_images("lab4_results", "film"), "Film")
figures.show_film(frames, (0.5, 3.0, 10.0))

# %% [markdown]
r"""
Compare the rows at the same $t$: with $w = 10$ the digit becomes legible several frames earlier than with $w = 0.5$.

> **Remember:** $w$ trades variety for agreement with the label. Part 8 puts numbers on both.

---
# 8 · Measuring quality and variety

*Map: data → noise → score → sampler → **guidance** (measured)*

A **reference classifier**, trained on clean digits (99.65 % right on MNIST's test set), looks at each sample. The share of samples for which it agrees with the
label is the **conditional accuracy**.

> ### Exercise 4.6 · Accuracy by guidance scale
> **2 points** · difficulty ●●○○○ · 15 minutes
>
> Complete `conditional_accuracy`. For each `w` in `scales`:
> - draw one image for each sample with `sample(noise, labels, w)`. Use the given noise, **the same for every w**, so that only $w$ differs;
> - `classify(images)` returns logits of shape `(n, classes)`. The predicted digit is the one with the largest logit;
> - the accuracy is the share of samples whose prediction equals their label. **Leave out** samples whose label is `null_label`, because they have no right answer.
>
> Return a dictionary from `w` to accuracy, a number between 0 and 1.

<details><summary>Hint: where to start</summary>

The mask `labels != null_label` selects the rows that count. You may apply it before or after sampling.
</details>
<details><summary>Hint: the form of the answer</summary>

Which arguments have one row for each label?
</details>
"""

# %% answer="lab4.accuracy_sweep"
def conditional_accuracy(
    sample, classify, labels: Int[Tensor, " n"], scales: list[float], noise: Float[Tensor, "n c h w"], null_label: int
) -> dict[float, float]:
    """Return, for each guidance scale w, the share of samples that `classify` assigns to their label.

    sample(noise, labels, w) returns images, shape of noise. classify(images) returns logits (n, classes).
    """
    ### BEGIN SOLUTION
    labelled = labels != null_label
    noise, labels = noise[labelled], labels[labelled]
    accuracy = {}
    for w in scales:
        predicted = classify(sample(noise, labels, w)).argmax(dim=1)
        accuracy[w] = (predicted == labels).double().mean().item()
    return accuracy
    ### END SOLUTION


# %% check="lab4.accuracy_sweep"

# %% role="illustration"
reference_classifier = DigitClassifier().to(device)
load_weights(reference_classifier, CHECKPOINTS / "reference_classifier.safetensors")
n = budget.pick(full=1000, cpu=60, ci=10)


def my_sweep():
    return conditional_accuracy(
        lambda noise, labels, w: sample_digits(net, noise, labels, w, budget.pick(full=50, cpu=12, ci=2)),
        lambda images: in_batches(reference_classifier, images),
        torch.arange(10, device=device).repeat(n // 10), scales, fixed_noise(n), NULL,
    )  # fmt: skip


stored_sweep = stored_table("lab4_sweep")
accuracy = or_precomputed(my_sweep, lambda: {w: float(np.mean(stored_sweep["by scale"][f"{w:g}"]["accuracy"])) for w in scales}, "Sweep")
figures.print_accuracy(accuracy, n)

# %% [markdown]
r"""
From $w = 3$ to 10 accuracy says nothing: nearly every image is right. And a program that draws one
perfect picture of each digit would reach 100 %. So we need numbers that compare the *distribution* of samples with that of real digits.

- **Fréchet distance** (FD): map the samples, and MNIST's 10,000 test digits, to the reference classifier's 64 features, fit Gaussians with means $m, m'$ and covariances $C, C'$, and compute their squared distance
  $|m - m'|^2 + \mathrm{tr}\big(C + C' - 2\,(CC')^{1/2}\big)$. It grows with wrong images *and* with missing variety. A dashed line in the next figure shows the distance of as many *real* training images, equally many of each digit.
- **Precision**: the share of samples that lie among the real digits. **Recall**: the share of real digits that lie among the samples. Give every image of a set a ball, in the space of
  features, that just reaches its third-nearest neighbour in the set. An image is *among* the set if it lies in at least one ball.

The next figure was computed in advance with the checkpoint and 10 Euler steps. Bands are standard errors over seeds; dots lead to $w = 100$, with nothing measured between.

**Predict, then run.**
"""

# %%
predict("lab4.distance_against_w", choice="")

# %% role="illustration" hidden="Draw the stored results"
print(f"{stored_sweep['images']} digits for each w and seed, {stored_sweep['seeds']} seeds")
plotting.draw_sweep(stored_sweep)
plt.show()

# %% [markdown]
r"""
**The distance is U-shaped, with its minimum near $w = 1$**, where nothing is exaggerated. At 1.25 fewer digits are wrong, at a small price. Far below, samples belong to a wrong class or none. From 2
to 10, nearly all belong to the right class but are too clean, too heavy and too similar: recall falls while precision is still high. Why then guide with $w = 3$? A single picture should be clean and right; the
distance compares sets.

## Labs 3 and 4 side by side

These are stored results, each at its best $w > 1$. The last row is the distance of as many real digits. The counts differ, so neither distances nor ratios say which lab draws better.
"""

# %% role="illustration" hidden="Print the comparison"
figures.print_side_by_side()

# %% [markdown]
r"""
> ### Exercise 4.7 · What does w change, and why? (written)
> **2 points**, graded by hand · difficulty ●●●○○ · 35 minutes
>
> From your grids, the film and the curves, explain what happens as $w$ goes from 0.5 to 100, in six to ten sentences. (a) What does
> quality gain, what does variety lose, and where do you see it? (b) A friend says that a large $w$ draws the *average* seven. Where
> would the samples of the blobs lie if that were true, where do they lie, and why? (c) What breaks at $w = 100$, and why do smaller steps not help?
"""

# %% [markdown] answer="lab4.guidance_essay"
r"""
**Model answer.** At $w = 0.5$ the velocity lies halfway between the unconditional and the conditional one. Some noises end in a digit that was not
requested, so accuracy is low and the distance is large. At $w = 1$ we follow the learned conditional velocity itself: most digits are right and variety is
that of the data, but the errors of the network show. Between 2 and 5 nearly all samples belong to the right class, and strokes are clean; recall falls
from .87 at $w = 1$ to .26 at $w = 5$. The distance is smallest near $w = 1$ (0.2) and three times as large at $w = 2$, although all digits are right there, because it also counts missing variety.

The guided velocity is $u(\varnothing) + w\,(u(y) - u(\varnothing))$. For $w > 1$ it lies outside the segment between the two velocities. It is an extrapolation *away from*
what all classes have in common. The blobs show it: at $w = 3$ the samples lie beyond the class means, on average farther from the other classes than nine in ten training points. An
average over the class would lie *on* the means. So heavy, uniform strokes are not "the mean seven" but an exaggerated seven.

At $w = 100$ the difference of two nearly equal, imperfect velocities is multiplied by 100, and the errors of the network with it. Pixel values leave $[-1, 1]$ by far, and
the network is then evaluated at points that never occurred in training. Smaller steps do not help, because the field itself is wrong there.

**Rubric.** 1 point: quality against variety, tied to something seen in the student's own pictures or curves (accuracy up, recall or variety down, U-shaped
distance). 1 point: the mechanism; extrapolation away from the unconditional field (½), and why $w = 100$ fails: amplified differences or errors, states outside
the training range (½). "More guidance moves towards the average of the class" is the common wrong answer: no credit for the mechanism.
"""

# %% [markdown]
r"""
---
# Open exercise · The few-step challenge (no points)

The pictures above used 10 or more evaluations of the guided velocity. **How good are your samples with 1, 2, 4 or 8 calls?** (Each evaluates the network twice.) Your sampler receives the network's
guided velocity as a function and a number of calls. It may choose its own times, $w$ and way to combine slopes.

The score is the mean of $\log_2(\text{FD}/\text{floor})$ over the four numbers of calls, where the floor is the distance of as many real digits. Lower is better; one point less halves the distance. All participants have the same noise and labels: 1,000 images and their own network with a GPU, 200 images and the checkpoint without one. Compare scores of the same kind only.
"""

# %% role="illustration"
def euler(velocity, x, calls, w=2.0):
    return EulerSimulator(GivenVelocity(velocity, w)).simulate(x, torch.linspace(0, 1, calls + 1, device=x.device))


def heun(velocity, x, calls, w=2.0):
    if calls == 1:
        return euler(velocity, x, 1, w)
    return HeunSimulator(GivenVelocity(velocity, w)).simulate(x, torch.linspace(0, 1, calls // 2 + 1, device=x.device))


def midpoint_bent(velocity, x, calls, w=2.0):
    if calls == 1:
        return euler(velocity, x, 1, w)
    times = torch.linspace(0, 1, calls // 2 + 1, device=x.device) ** 1.3  # short steps near t = 0
    for t, h in zip(times, times.diff()):
        slope = velocity(x, t, w)
        x = x + h * velocity(x + h / 2 * slope, t + h / 2, w)
    return x


# %% role="illustration" hidden="Measure the three examples"
test_features = real_features(device)
challenge_images = budget.pick(full=1000, cpu=200, ci=10)


def distances(sampler) -> dict[int, float]:
    """Return the Fréchet distance of `sampler(velocity, noise, calls)` for 1, 2, 4 and 8 calls."""
    return few_step_distances(
        sampler, lambda x, t, y, w: CFGVectorFieldODE(net, w, NULL).drift_coefficient(x, t, y=y),
        fixed_noise(challenge_images, seed=11), torch.arange(10, device=device).repeat(challenge_images // 10),
        reference_classifier.features, test_features,
    )  # fmt: skip


board = or_precomputed(
    lambda: {name: distances(sampler) for name, sampler in dict(Euler=euler, Heun=heun, Midpoint=midpoint_bent).items()},
    lambda: {name: {int(k): v for k, v in row.items()} for name, row in stored_table("lab4_sweep")["few steps"].items()},
    "Few steps",
)
challenge_floor = real_floors()[challenge_images]
plotting.print_leaderboard(board, challenge_floor, challenge_images)

# %% [markdown]
r"""
Why is one call so bad for every method? At $t = 0$ the network sees pure noise, so the conditional velocity points to the **mean** of the class and the
unconditional one to the mean of all digits. At $w = 1$ one step of length 1 ends on the mean of the class: a blur. At these samplers' $w = 2$ it ends beyond it, which even helps. Why does Euler win so clearly with two? On the straight path its *last* step
goes from $x$ at time $t$ to $x + (1 - t)\,u$, which is exactly the guided estimate of the clean image. Heun and midpoint are more accurate for small steps. But Heun's last step leaves half of the noise that it starts with, and with two calls midpoint overshoots the estimate. From four calls on, the bent midpoint is slightly better.

Ideas: other times · a $w$ that depends on $t$ · the previous slope, used again (Adams and Bashforth).

Change `my_sampler` and run the next cell. To share it, post its last line and your function on your class's board.
"""

# %% role="illustration"
def my_sampler(velocity, x, calls):
    """Return images from noise x with at most `calls` calls of velocity(x, t, w)."""
    return euler(velocity, x, calls, w=1.5)


def show_my_score():
    entry = distances(my_sampler)
    plotting.print_leaderboard(board | {"Mine": entry}, challenge_floor, challenge_images)
    print(f"few-step challenge · {challenge_images} images · budget {budget.name} · score {few_step_score(entry, challenge_floor):.2f}")


drawn(show_my_score, "4.3 and 4.4")

# %% [markdown]
r"""
---
# What you can do now

- turn any schedule into a velocity and a score;
- train a flow-matching model with dropped labels, and know which loss to expect;
- guide it, and say what guidance does *not* do;
- judge a generative model by more than one number.

**Further reading:** Lipman and others, *Flow Matching for Generative Modeling* (2023) · Ho and Salimans, *Classifier-Free Diffusion Guidance* (2022) · Bradley and Nakkiran,
*Classifier-Free Guidance is a Predictor-Corrector* (2024) · Karras and others, *Guiding a Diffusion Model with a Bad Version of Itself* (2024).
"""
