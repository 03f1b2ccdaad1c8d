# %% [markdown]
r"""
# Lab 4 · One network, no classifier

You will train one network that turns noise into handwritten digits, and then ask it for a *seven*. The trick that
makes it listen is called **classifier-free guidance**. It is two lines of code, and nearly every image generator uses it.

**What you build:** the velocity of a Gaussian path · the training loss with forgotten labels · the guided velocity ·
two samplers · a measurement of what guidance buys and what it costs.

| | |
|---|---|
| Points | 18 |
| Time | about 2 hours, and some minutes of waiting |
| GPU | not needed: what a laptop cannot train in five minutes is loaded from a checkpoint |
| You need | PyTorch, gradients, a little probability. Nothing of the other labs |

Run the cells from top to bottom. Wherever a cell says `raise NotImplementedError()`, it is your turn. The `check(...)`
after it tells you at once what is right and what is not; it costs nothing and may be run as often as you like.
"""

# %% role="setup"
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from utils import plotting
from utils.data import load_digits
from utils.distributions import GaussianClasses
from utils.dynamics import ODE, Simulator
from utils.fallback import or_precomputed, stored_images, stored_table, stored_tensors
from utils.metrics import frechet_distance, in_batches, real_distance
from utils.nets import DigitClassifier, LabelledMLP, UNet, count_parameters
from utils.paths import GaussianPath, LinearAlpha, LinearBeta
from utils.runtime import fast_bf16, setup
from utils.training import CHECKPOINTS, Trainer, load_weights

device, budget = setup("lab4_mnist_cfg", seed=0)
plotting.use_style()

# %% [markdown]
r"""
## Notation

| symbol | in code | meaning |
|---|---|---|
| $t$ | `t`, shape `(b, 1, 1, 1)` | time. **Noise is at $t = 0$, data at $t = 1$** |
| $z$ | `z`, shape `(b, c, h, w)` | an image from the data, pixels from $-1$ (paper) to $1$ (ink) |
| $\varepsilon$ | | Gaussian noise, same shape as $z$ |
| $x$ | `x`, shape `(b, c, h, w)` | a noisy image somewhere on the way |
| $\alpha_t, \beta_t$ | `path.alpha(t)`, `path.beta(t)` | how much image and how much noise is in $x$ at time $t$ |
| $\dot\alpha_t, \dot\beta_t$ | `path.alpha.dt(t)`, `path.beta.dt(t)` | their time derivatives |
| $y$, $\varnothing$ | `y`, shape `(b,)`, and `null_label` | the label, 0 to 9, and "no label": here the number 10 |
| $\eta$ | `eta` | the probability that a label is forgotten in training |
| $w$ | `guidance_scale` | how strongly we guide |

`b` is the batch size. A label is an integer (`int64`): it looks up a row of an embedding.
"""

# %% role="definitions"
NULL = 10  # the label that says: no label

# %% [markdown]
r"""
---
# 1 · From noise to an image, and how fast

Take an image $z$ and pure noise $\varepsilon$. Mix them:

$$x_t = \alpha_t\, z + \beta_t\, \varepsilon .$$

At $t = 0$ let $\alpha_0 = 0$ and $\beta_0 = 1$: nothing but noise. At $t = 1$ let $\alpha_1 = 1$ and $\beta_1 = 0$: the
image. In between $x_t$ travels from one to the other. The simplest choice is a straight line, $\alpha_t = t$ and
$\beta_t = 1 - t$, and we shall train with it. What you write will work for every choice.

**Predict, then run.** At which $t$ will *you* first see which digit it is? Say a number before you look.
"""

# %%
digits = load_digits("train", device=device)
first_of_each = torch.stack([(digits.labels == k).nonzero()[0, 0] for k in range(10)])
z, _ = digits[first_of_each]
noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(3)).to(device)
times = [0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0]
plotting.show_table(
    [t * z + (1 - t) * noise for t in times], [f"t = {t:g}" for t in times], title="The straight path, ten digits"
)
plt.show()

# %% [markdown]
r"""
Most people say 0.4 to 0.5. Keep that in mind: *which digit it will be* is decided early, when the image is still mostly
noise. How the strokes look is decided late.

## What moves a sample along the path?

Hold $z$ and $\varepsilon$ fixed, and let time run. The point $x_t$ moves with the velocity

$$\frac{\mathrm d x_t}{\mathrm d t} = \dot\alpha_t\, z + \dot\beta_t\, \varepsilon .$$

That is nearly what we need. But somebody who stands at $x$ at time $t$ and knows the image $z$ does not see
$\varepsilon$. They can compute it, though: $x$, $z$ and $t$ leave only one possibility for it. Put that in, and the velocity
becomes a function of place and time, the **conditional vector field** $u_t(x \mid z)$.

The second thing we need is a gradient. Given $z$, the noisy image has the density
$p_t(x \mid z) = \mathcal N(x;\ \alpha_t z,\ \beta_t^2 I)$. The **conditional score** is
$\nabla_x \log p_t(x \mid z)$: the direction in which $x$ becomes more probable fastest.

> ### Exercise 4.1 · Velocity and score of a Gaussian path
> **3 points** (2 for the velocity, 1 for the score) · difficulty ●●○○○ · 15 minutes
>
> Complete both methods. They must hold
> - for **every** schedule: use `self.alpha(t)`, `self.beta(t)`, `self.alpha.dt(t)`, `self.beta.dt(t)`, not `t` and `1 - t`;
> - for every $t$ from $0$ to $1 - 10^{-4}$, both included;
> - for any $x$, on any device, in any shape, in `float32` and `float64`, and they leave their inputs as they are.

<details><summary>A nudge</summary>

Solve $x = \alpha_t z + \beta_t \varepsilon$ for $\varepsilon$. For the score, write down $\log \mathcal N$ of *one* pixel; constants
vanish under the gradient.
</details>
<details><summary>The shape of the answer</summary>

Velocity: $\dot\alpha_t \cdot (\ldots) + \dot\beta_t \cdot (\ldots)/\beta_t$. Score: a difference divided by a variance. At $t = 0$ you
may not divide by $\alpha_t$, and you never need to.
</details>
<details><summary>"I get NaN"</summary>

You divide by something that is 0 at $t = 0$. Only $\beta_t$ may stand in a denominator: it is 1 there, and it is small only
near $t = 1$, where the statement stops.
</details>
"""

# %% answer="lab4.vector_field"
class GaussianConditionalPath(GaussianPath):
    def conditional_vector_field(
        self, x: Float[Tensor, "b *shape"], z: Float[Tensor, "b *shape"], t: Float[Tensor, "b *ones"]
    ) -> Float[Tensor, "b *shape"]:
        """u_t(x | z), the velocity at x on the way to z. t has the shape (b, 1, …, 1)."""
        ### BEGIN SOLUTION
        noise = (x - self.alpha(t) * z) / self.beta(t)
        return self.alpha.dt(t) * z + self.beta.dt(t) * noise
        ### END SOLUTION

    def conditional_score(
        self, x: Float[Tensor, "b *shape"], z: Float[Tensor, "b *shape"], t: Float[Tensor, "b *ones"]
    ) -> Float[Tensor, "b *shape"]:
        """The gradient in x of log p_t(x | z) = log N(x; alpha_t z, beta_t² I)."""
        ### BEGIN SOLUTION
        return (self.alpha(t) * z - x) / self.beta(t) ** 2
        ### END SOLUTION


# %% check="lab4.vector_field"

# %% [markdown]
r"""
Here is *your* field for one "image" of two pixels, the star. **Predict, then run:** all arrows point at the star. Are
they longer or shorter late in time?
"""

# %% role="illustration"
def draw_field():
    """Your velocity around one point z, at three times."""
    z = torch.tensor([[1.0, 0.6]])
    path = GaussianConditionalPath(GaussianClasses(z), (2,), LinearAlpha(), LinearBeta())
    side = torch.linspace(-2, 2, 11)
    x = torch.cartesian_prod(side, side)
    fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharex=True, sharey=True)
    for ax, t in zip(axes, (0.0, 0.4, 0.8)):
        u = path.conditional_vector_field(x, z.expand_as(x), torch.full((len(x), 1), t))
        ax.quiver(*x.T, *u.T, color=plotting.BLUE, angles="xy", scale=60, width=0.005)
        ax.scatter(*z.T, marker="*", s=160, color=plotting.ORANGE, edgecolor="black", zorder=3)
        ax.set_title(f"t = {t:g}")
        ax.set_aspect("equal")
        ax.grid(False)
    plt.show()


try:
    draw_field()
except NotImplementedError:
    print("Answer 4.1 to see your field here.")

# %% [markdown]
r"""
Late in time there is little time left, and whoever is still far away has to hurry: the arrows grow like $1/(1-t)$.

---
# 2 · Learning the velocity, and forgetting labels

When we *generate*, there is no $z$. At $x$ and $t$ many images are still possible, and each wants to pull $x$ its own
way. The right thing to do is to follow their **average** pull, weighted by how probable each image is, given $x$:

$$u_t(x) = \mathbb E\big[\, u_t(x \mid z)\ \big|\ x_t = x \,\big].$$

Follow this field from noise at $t = 0$ to $t = 1$, and the samples are distributed like the data. That is the theorem
behind flow matching. For the law that real digits come from, nobody can compute this average: all we have is examples. But **least squares can learn it**: the best guess of a random quantity in the squared
error is its conditional mean. So we draw pairs $(x, z)$ and regress a network on $u_t(x \mid z)$, and it has no
choice but to learn $u_t(x)$.

Two remarks that save confusion later:
- The loss does **not** go to zero. Even a perfect network cannot guess which image made $x$. What remains is the variance
  of $u_t(x \mid z)$ given $x$.
- If the network also sees the label $y$, it learns $u_t(x \mid y)$, the average over the images *of that class*.

**Forgetting labels.** Soon we shall need both $u_t(x \mid y)$ and $u_t(x)$. Two networks? One is enough. Add an
eleventh label, $\varnothing$ ("I do not say"), and in training replace each true label by $\varnothing$ with probability $\eta$. Then
$u_\theta(x, t, y)$ learns the first, and $u_\theta(x, t, \varnothing)$ the second. The loss is

$$\mathcal L(\theta) = \mathbb E\ \big\| u_\theta(x, t, \tilde y) - u_t(x \mid z) \big\|^2,\qquad
(z, y)\sim p_{\rm data},\quad t\sim\mathcal U[0,1],\quad x\sim p_t(x\mid z),\quad
\tilde y = \begin{cases}\varnothing & \text{with probability } \eta\\ y & \text{else.}\end{cases}$$

> ### Exercise 4.2 · The training loss of classifier-free guidance
> **4 points** · difficulty ●●●○○ · 25 minutes
>
> Complete `get_train_loss(self, batch_size)`.
> 1. Draw `batch_size` images and labels: `z, y = self.path.sample_conditioning_variable(batch_size)`.
> 2. Each label on its own becomes `self.null_label` with probability `self.eta`. **Do not change `y` itself**: the dataset may
>    have handed you its own memory.
> 3. Draw one time for each sample, uniform on $[0, 1]$, of shape `(b, 1, 1, 1)`. (Do not cut it off near 1: `rand` never returns 1 itself.)
> 4. Draw `x`, once, with `self.path.sample_conditional_path(z, t)`. The target is `self.path.conditional_vector_field(x, z, t)`, at
>    this same `x`. The path may be any path, and the check brings its own: a mistake in 4.1 costs nothing here. (The training below uses yours.)
> 5. Ask the network: `self.model(x, t, y)`. Return the squared error, **averaged over batch and pixels**, as a tensor
>    without axes through which gradients flow.
>
> New tensors belong on the device of `z`.

<details><summary>A nudge</summary>

`torch.rand(n) < p` is true with probability `p`. `torch.where(mask, a, b)` makes a new tensor. `rand` is uniform, `randn` is not.
</details>
<details><summary>The shape of the answer</summary>

Six lines, one for each verb: draw data; toss coins; replace labels; draw t; draw x; return the mean of a square.
</details>
<details><summary>"t has shape (64,); for x of shape (64, 1, 16, 16) it must be (b, 1, 1, 1)"</summary>

The path refuses such a `t`, and for a good reason. Broadcasting would line it up with the *pixels* of a row: where sizes happen to match, nothing is
raised, and nonsense is trained. With `(b, 1, 1, 1)` each image gets its own time.
</details>
<details><summary>Why the mean, where the formula has a norm?</summary>

$\|\cdot\|^2$ sums over the pixels. Dividing by their number moves no minimum, and makes losses of 16×16 and
32×32 images comparable. (Plain gradient descent would need another learning rate, too; Adam hardly notices.) Always say which of the two you use: they differ by the number of pixels, 256 or 1,024.
</details>
"""

# %% answer="lab4.cfg_train_loss"
class CFGTrainer(Trainer):
    def __init__(self, path: GaussianPath, model: nn.Module, eta: float, null_label: int):
        super().__init__(model)
        self.path, self.eta, self.null_label = path, eta, null_label

    def get_train_loss(self, batch_size: int) -> Float[Tensor, ""]:
        """The classifier-free guidance loss of one batch, averaged over batch and pixels."""
        ### BEGIN SOLUTION
        z, y = self.path.sample_conditioning_variable(batch_size)
        forget = torch.rand(batch_size, device=z.device) < self.eta
        y = torch.where(forget, self.null_label, y)
        t = torch.rand(batch_size, 1, 1, 1, device=z.device)
        x = self.path.sample_conditional_path(z, t)
        return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean()
        ### END SOLUTION


# %% check="lab4.cfg_train_loss"

# %% [markdown]
r"""
## First on something whose answer is known

Never debug on digits. Three blobs in the plane, $\mathcal N(m_y, s^2 I)$ with $s = 0.3$, train in seconds, and their smallest
possible loss is known: with all labels it is $\frac{\pi}{2}\, s = 0.471$ for each coordinate; without any label 1.755 (an
integral, done once numerically). With $\eta = 0.1$ a perfect network therefore has the loss $0.9 \cdot 0.471 + 0.1 \cdot 1.755 = 0.600$.

**Predict, then run.** Will your curve end above, on, or below that line?

<details><summary>Where does π/2 come from?</summary>

For one Gaussian class, $x_t$ and the target $z - \varepsilon$ are jointly Gaussian. The variance of $z - \varepsilon$ given $x_t$ is
$s^2 / (t^2 s^2 + (1-t)^2)$. Integrate over $t$ from 0 to 1: the result is $\frac{\pi}{2} s$. The narrower the class, the
smaller the rest: a class of one image could be learned without error.
</details>
"""

# %% role="definitions"
TOY_STD = 0.3
TOY_FLOOR = 0.9 * math.pi / 2 * TOY_STD + 0.1 * 1.755
angles = torch.tensor([90.0, 210.0, 330.0]) * math.pi / 180
toy = GaussianClasses(2 * torch.stack([angles.cos(), angles.sin()], dim=1).reshape(3, 1, 1, 2), std=TOY_STD)
TOY_NULL = 3

# %% role="illustration"
def train_toy():
    """Your loss on three blobs."""
    torch.manual_seed(0)
    path = GaussianConditionalPath(toy, (1, 1, 2), LinearAlpha(), LinearBeta())
    trainer = CFGTrainer(path, LabelledMLP((1, 1, 2), num_labels=4), eta=0.1, null_label=TOY_NULL)
    trainer.train(budget.pick(full=4000, cpu=2500, ci=20), "cpu", lr=2e-3, batch_size=256)
    return trainer.model, trainer.history


toy_net, toy_history = or_precomputed(train_toy, lambda: (None, stored_tensors("lab4_results")["toy_history"].tolist()), "Toy")
ax = plotting.plot_loss(toy_history, label="loss, running mean")
ax.axhline(TOY_FLOOR, color=plotting.ORANGE, linestyle="--", label="what no network can beat")
ax.set_ylim(0.4, 1.2)
ax.set_title("Three blobs: the loss falls to its floor, not to zero")
ax.legend()
plt.show()

# %% [markdown]
r"""
If your curve settles on the line, the loss is right. A curve that ends **far above**, or above the top of the picture, means that something is drawn twice or
scaled, or that labels are forgotten too often. A curve that **stays** below means that they are forgotten too rarely (never: 0.471), that the loss is scaled down, or that the target leaks into the input: no network can be better than its line. (The mean of 50 noisy
batches wavers by a hundredth or two to either side.)

---
# 3 · Guidance

The network now knows two velocities, $u_t(x \mid y)$ and $u_t(x) = u_t(x \mid \varnothing)$. What is their difference?

For a Gaussian path, velocity and score are two faces of one thing. There are numbers $a_t, b_t$ that depend on the
schedule alone, with

$$u_t(x) = a_t\, x + b_t\, \nabla_x \log p_t(x), \qquad u_t(x \mid y) = a_t\, x + b_t\, \nabla_x \log p_t(x \mid y).$$

<details><summary>Which numbers?</summary>

On the straight path $a_t = 1/t$ and $b_t = (1-t)/t$. Both blow up at $t = 0$, where $x$ is pure noise and every score is $-x$; the velocities
themselves stay finite. You will not need the numbers.
</details>

And Bayes' rule, $\log p_t(x \mid y) = \log p_t(x) + \log p_t(y \mid x) - \log p(y)$, gives for the gradients

$$\nabla_x \log p_t(x \mid y) = \nabla_x \log p_t(x) + \nabla_x \log p_t(y \mid x).$$

The last term is what a *classifier* of noisy images would say: "to look more like a $y$, change this way". Guidance turns up
its volume. Take the score

$$s_w(x) = \nabla_x \log p_t(x) + w\ \nabla_x \log p_t(y \mid x).$$

At $w = 0$ the label is ignored; $w = 1$ is the honest conditional model; beyond 1 the label is exaggerated. No
classifier is needed, because the two velocities contain it.

> ### Exercise 4.3 · The guided velocity
> **2 points** · difficulty ●●○○○ · 20 minutes
>
> On paper: which combination of $u_t(x \mid y)$ and $u_t(x \mid \varnothing)$ is the velocity that belongs to the score $s_w$? The numbers
> $a_t$ and $b_t$ must drop out. Then complete `drift_coefficient(self, x, t, y)`, which returns it for a batch. `y` may
> contain the null label itself; such a sample is simply not guided. Leave `x`, `t` and `y` unchanged. New tensors
> belong on their device.
>
> Ask `self.net(x, t, y)` twice, or once on a doubled batch, as you like. It wants one label for each sample, `(b,)`, also where that label is null.

<details><summary>A nudge</summary>

Write $\nabla \log p_t(y \mid x)$ as a difference of two scores. Then multiply $s_w$ by $b_t$ and add $a_t x$.
</details>
<details><summary>The shape of the answer</summary>

$(\ldots)\, u_t(x \mid \varnothing) + (\ldots)\, u_t(x \mid y)$, and the two brackets add up to 1. Test it at $w = 0$ and $w = 1$.
</details>
<details><summary>Other papers write something else</summary>

Two conventions are in use. Ho and Salimans (2022) write $(1 + w)\,s(x \mid y) - w\, s(x)$: their $w = 0$ is our $w = 1$. Before you compare
a guidance scale with anybody's, ask what 0 means.
</details>
"""

# %% answer="lab4.cfg_drift"
class CFGVectorFieldODE(ODE):
    def __init__(self, net: nn.Module, guidance_scale: float, null_label: int):
        self.net, self.guidance_scale, self.null_label = net, guidance_scale, null_label

    def drift_coefficient(
        self, x: Float[Tensor, "b c h w"], t: Float[Tensor, "b 1 1 1"], y: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c h w"]:
        """The velocity that belongs to the guided score with scale `self.guidance_scale`."""
        ### BEGIN SOLUTION
        unguided = self.net(x, t, torch.full_like(y, self.null_label))
        return (1 - self.guidance_scale) * unguided + self.guidance_scale * self.net(x, t, y)
        ### END SOLUTION


# %% check="lab4.cfg_drift"

# %% [markdown]
r"""
---
# 4 · Walking along the field

To generate, start from noise and follow the velocity to $t = 1$. The loop over time is given (`utils.dynamics.Simulator`: it
hands you `t` and the step size `h`, both of shape `(b, 1, …, 1)`, with as many axes as `x`; each sample may have its own). What one step does is yours.

**Euler** asks for the velocity where it stands and goes straight on for a time $h$.

**Heun** looks ahead. It makes the Euler step as a trial, asks for the velocity at the *end* of that trial as well, and then
goes from where it stood with the mean of the two.

> ### Exercise 4.4 · Two ways to take a step
> **3 points** (Euler 1, Heun 2) · difficulty ●●○○○ · 15 minutes
>
> Complete `step(self, x, t, h, **kwargs)` of both. It returns the state at `t + h`, for `x` of any shape. The drift is `self.ode.drift_coefficient(x, t, **kwargs)`; pass
> the keyword arguments on (they hold the labels). `h` may differ from sample to sample and from step to step, and may be negative.
> Return a new tensor, on the device of `x`: the caller still needs `x`, `t` and `h` as they were.

<details><summary>A nudge</summary>

A velocity times a duration is a distance. Heun's two velocities belong to two places *and* to two times.
</details>
<details><summary>The shape of the answer</summary>

Euler: one line. Heun: a slope at $(x, t)$, a trial state, a slope at (trial, $t + h$), and a return from $x$, not from the trial.
</details>
"""

# %% answer="lab4.euler_heun"
class EulerSimulator(Simulator):
    def step(
        self, x: Float[Tensor, "b *shape"], t: Float[Tensor, "b *ones"], h: Float[Tensor, "b *ones"], **kwargs
    ) -> Float[Tensor, "b *shape"]:
        """The state at t + h by Euler's method."""
        ### BEGIN SOLUTION
        return x + h * self.ode.drift_coefficient(x, t, **kwargs)
        ### END SOLUTION


class HeunSimulator(Simulator):
    def step(
        self, x: Float[Tensor, "b *shape"], t: Float[Tensor, "b *ones"], h: Float[Tensor, "b *ones"], **kwargs
    ) -> Float[Tensor, "b *shape"]:
        """The state at t + h by Heun's method: the mean of the slopes at both ends."""
        ### BEGIN SOLUTION
        here = self.ode.drift_coefficient(x, t, **kwargs)
        there = self.ode.drift_coefficient(x + h * here, t + h, **kwargs)
        return x + h / 2 * (here + there)
        ### END SOLUTION


# %% check="lab4.euler_heun"

# %% [markdown]
r"""
Now everything together, on the three blobs: *your* loss trained the network, *your* velocity guides, *your* Euler step walks.
All three pictures start from the same noise.

**Predict, then run.** The blobs were drawn around the crosses. Where will the samples be at $w = 3$? On the crosses, inside of
them, or outside?
"""

# %% role="illustration"
def toy_samples(w: float) -> Tensor:
    """Trajectories (n, times, 2) of 300 samples, 100 of each class."""
    noise = torch.randn(300, 1, 1, 2, generator=torch.Generator().manual_seed(5))
    simulator = EulerSimulator(CFGVectorFieldODE(toy_net, w, TOY_NULL))
    labels = torch.arange(3).repeat_interleave(100)
    return simulator.simulate_with_trajectory(noise, torch.linspace(0, 1, 41), y=labels).flatten(2)


toy_scales = [0.0, 1.0, 3.0]
toy_paths = or_precomputed(
    lambda: torch.stack([toy_samples(w) for w in toy_scales]),
    lambda: stored_tensors("lab4_results")["toy_paths"].float(),
    "Blobs",
)
fig, axes = plt.subplots(1, 3, figsize=(10, 3.7), sharex=True, sharey=True)
for ax, w, walks in zip(axes, toy_scales, toy_paths):
    for k, (color, marker) in enumerate(zip(plotting.PALETTE, "o^s")):
        own = walks[100 * k : 100 * (k + 1)]
        ax.plot(*own[:12].permute(2, 1, 0), color=color, alpha=0.35, linewidth=0.8)
        ax.scatter(*own[:, -1].T, s=12, color=color, marker=marker)
        ax.scatter(*toy.means[k].flatten(), marker="x", s=90, color="black", zorder=3)
    ax.set_title(f"w = {w:g}" + (": the label is ignored" if w == 0 else ""))
    ax.set_aspect("equal")
    ax.grid(False)
plt.show()

# %% [markdown]
r"""
At $w = 0$ colours mix: the label is not heard. At $w = 1$ every colour finds its own cross. At $w = 3$ the samples have gone
**past** the crosses, away from the other classes. Of the data, only about one point in twelve lies as far out as they do on average. Guidance does not sample "the class, only cleaner". It
extrapolates: from what is common to all classes, through the class, and beyond. Remember this picture when you look at digits at $w = 10$.

---
# 5 · A network for images: the U-Net

For two numbers an MLP will do. An image needs a network that sees both *where it is* (is there a stroke at this pixel?) and *what
it is part of* (is this the loop of a six?). The **U-Net** computes at three resolutions. On the way down it trades places for
channels, in the middle it sees the whole image at once, on the way up it goes back to pixels; and at each resolution but the coarsest a *skip*
carries the fine detail across.
"""

# %%
plotting.draw_unet()
plt.show()
net = UNet()
print(f"{count_parameters(net):,} parameters")

# %% [markdown]
r"""
Two choices that you will not find in every tutorial:
- **GroupNorm, not BatchNorm.** In training, BatchNorm lets the samples of a batch influence each other, and here a batch mixes times and labels. In sampling it
  uses one mean and one variance for all times and labels, which fit none of them well. GroupNorm looks at one sample only.
- **Time enters as cosines and sines** of many frequencies. A network cannot easily turn the bare number $0.31$ into something that
  differs from $0.32$; with fast and slow waves it can.

Read `UNet` in `utils/nets.py`, and the `FourierFeatures` and `ResidualLayer` that it is made of (100 lines in all), then answer.

> ### Exercise 4.5 · Two parts of the U-Net (written)
> **2 points**, graded by hand · difficulty ●●○○○ · 10 minutes
>
> Choose **two** of: the Fourier features of time; the label embedding; a residual layer; a downsampling step; a skip; the zero
> initialisation at the end of a residual layer. For each say (a) what goes in and what comes out, with shapes, for a batch of 5 images in the network above, and (b) what would go
> wrong without it. Two or three sentences each.
"""

# %% [markdown] answer="lab4.unet_essay"
r"""
**Model answer.** *A residual layer* takes a feature map, say `(5, 64, 16, 16)`, the time features `(5, 40)` and the label
embedding `(5, 40)`, and returns a map of the same shape as the first. Time and label become one number a channel, which is added
between two convolutions, and the result is added to the input. Without the straight path the gradient would have to pass every
convolution, and deep stacks train badly; without the added embeddings the network could not know the time or the class at all, and
would learn an average velocity.

*A skip* carries the map at the end of a level, `(5, 32, 32, 32)` at full resolution, to the level of the same size on the way up,
where it is added to the upsampled map of the same shape. Without it all detail would have to go through the 8×8 map in the middle,
and the network could not say at which pixel the noise is: the velocity contains the noise of every single pixel, so images would stay blurred or noisy.

**Rubric.** For each of the two parts: ½ point for input and output with right shapes, ½ point for a consequence that follows from its role
(not merely "results get worse"). Other parts: *Fourier features* `(5, 1, 1, 1)` → `(5, 40)`; without them, nearby times are hard to
tell apart, and velocities late in time, which vary quickly, come out smeared. *Label embedding* `(5,)` → `(5, 40)`, 11 rows; a bare number would
claim that 3 lies between 2 and 4. *Downsampling* `(5, 32, 32, 32)` → `(5, 64, 16, 16)`; without it a pixel sees only a small
neighbourhood, so strokes do not fit together to a digit, and every layer costs as much as at full resolution. *Zero initialisation*: same shapes in and out; each layer starts as
the identity, without it the untrained sum of many random layers has a large variance and early training is unstable.
"""

# %% [markdown]
r"""
---
# 6 · Training on digits

Without a GPU you train a smaller network on images of 16×16 pixels, for one to three minutes. It will draw digits that you can read. With a
GPU you train the real thing at 32×32. The mean of the weights over the last steps (`ema`: about a thousand of them with a GPU, a hundred without) is what we keep: it
samples far better than the last weights alone.
"""

# %% role="definitions"
def make_digit_path(size: int):
    """Digits at size × size pixels, and your path to them."""
    data = load_digits("train", size=size, device=device)
    return GaussianConditionalPath(data, (1, size, size), LinearAlpha(), LinearBeta()).to(device)


@torch.no_grad()
def sample_digits(net, noise, labels, w, steps=20, simulator=None, every=None):
    """Images (or, with `every`, trajectories) from noise: your velocity, your step, 50 images at a time."""
    simulator = (simulator or EulerSimulator)(CFGVectorFieldODE(net, w, NULL))
    times = torch.linspace(0, 1, steps + 1, device=device)
    walk = simulator.simulate if every is None else lambda *a, **k: simulator.simulate_with_trajectory(*a, every=every, **k)
    with torch.autocast(device.type, torch.bfloat16, enabled=fast_bf16(device)):
        parts = zip(noise.to(device).split(50), labels.to(device).split(50))
        return torch.cat([walk(x, times, y=y) for x, y in parts]).float()


def fixed_noise(n: int, size: int = 32, seed: int = 7) -> Tensor:
    """The same noise on every machine."""
    return torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(seed)).to(device)


# %% role="illustration"
size = budget.pick(full=32, cpu=16)
settings = budget.pick(full=dict(), cpu=dict(channels=(16, 32, 64), layers=1), ci=dict(channels=(8, 8, 8), layers=1))
steps = budget.pick(full=8000, cpu=1500, ci=3)


def train_digits():
    """A network of your own, trained by your loss."""
    torch.manual_seed(0)
    trainer = CFGTrainer(make_digit_path(size), UNet(**settings), eta=0.1, null_label=NULL)
    trainer.train(
        steps, device, lr=2e-3, ema=0.999 if steps > 4000 else 0.99, batch_size=budget.pick(full=128, cpu=64, ci=8),
        bf16=device.type == "cuda", channels_last=True, logdir=None,
    )  # fmt: skip
    print(f"{steps:,} steps in {trainer.seconds:.0f} seconds")
    return trainer.model, trainer.history


my_net, my_history = or_precomputed(train_digits, lambda: (None, stored_tensors("lab4_results")["digits_history"].tolist()), "Training")
ax = plotting.plot_loss(my_history)
ax.set_ylim(0, min(1.2, max(my_history)))
ax.set_title("Your loss on digits. Where its floor is, nobody knows")
plt.show()

# %% [markdown]
r"""
The curve drops fast and then seems to stand still, and yet the samples keep getting better for a long time. That is typical: most
of the loss is the part that nobody can predict, and the part that matters hides in the second and third digit. **For a generative model the loss is a
thermometer for bugs, not a measure of quality.** We shall need another measure for that.
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

For everything that follows we want a network that had more time. `utils/checkpoints/lab4_cfg.safetensors` was trained by this
notebook's own code on MNIST; the card beside it says how. With a GPU, your own network is used instead.
"""

# %% role="illustration"
card = stored_table("lab4_cfg")
if budget.name == "full" and my_net is not None:
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

Eleven columns, one for each digit and one for $\varnothing$. In every column the noise is the same from top to bottom; only $w$ differs.

**Predict, then run.** (a) Which column will not change at all? (b) What will $w = 100$ look like: a perfect digit, an average
digit, or something else?
"""

# %% role="illustration"
scales = [0.5, 1.0, 3.0, 5.0, 10.0, 100.0]
columns = [*map(str, range(10)), "∅"]
euler_steps = budget.pick(full=50, cpu=20, ci=2)


def by_scale():
    return torch.stack([sample_digits(net, fixed_noise(11), torch.arange(11), w, euler_steps) for w in scales])


sheets = or_precomputed(by_scale, lambda: stored_images("lab4_results", "by_scale"), "Digits by scale")
plotting.show_table(list(sheets), [f"w = {w:g}" for w in scales], columns, title="")
plt.show()

# %% [markdown]
r"""
- The column $\varnothing$ never changes: there both velocities are the same, and $(1 - w) + w = 1$.
- At $w = 0.5$ some columns show *another* digit: the label is a suggestion, and the noise has its own plans.
- From 1 to 5 the digits become cleaner and rounder. Do they also become more alike? One digit a class cannot show it; section 8 measures it.
- At 10 the strokes get heavy, and at **100 the picture is ruined**, though you can still read some digits. It is not an "average digit". The difference of
  two velocities, errors and all, is multiplied by 100. Pixels run to ±10, and the network is asked about inputs that it has never seen. Nor is
  it the step size: with 150 steps instead of 20 the picture is the same. Try it.

Here is the same thing as a film: from noise to digits. The rows are $w = 0.5$, 3 and 10.
"""

# %% role="illustration"
def film():
    frames = [sample_digits(net, fixed_noise(11), torch.arange(11), w, budget.pick(cpu=20, ci=2), every=1) for w in (0.5, 3.0, 10.0)]
    return torch.cat(frames).transpose(0, 1)  # (time, 33, 1, 32, 32)


frames = or_precomputed(film, lambda: stored_images("lab4_results", "film"), "Film")
plotting.show_gif(frames, columns=11)

# %% [markdown]
r"""
Watch *when* the digit is decided. With $w = 10$ you can read it after a few frames: the label wins early, before the noise has had
its say.

---
# 8 · Measuring it

"Cleaner", "more alike": let us count. The **reference classifier** was trained on clean digits (99.65 % right on MNIST's test set).
Ask for a seven, and let it say what it sees: the share of samples for which it agrees with the label is the **conditional accuracy**.

> ### Exercise 4.6 · Accuracy by guidance scale
> **2 points** · difficulty ●●○○○ · 15 minutes
>
> Complete `conditional_accuracy`. For each `w` in `scales`:
> - draw one image for each sample with `sample(noise, labels, w)`, with **the same noise for every w**, the noise that you were given: then $w$ is all
>   that differs;
> - `classify(images)` returns logits, shape `(n, classes)`. The predicted digit is the one with the largest;
> - the accuracy is the share of samples whose prediction is their label. Samples whose label is `null_label` asked for nothing: **leave them out**.
>
> Return a dictionary from `w` to accuracy, a number between 0 and 1.

<details><summary>A nudge</summary>

A mask `labels != null_label` picks the rows that count. You may apply it before you sample, or after.
</details>
<details><summary>The shape of the answer</summary>

`{w: share_of_hits(w) for w in scales}`. If you drop rows of the labels, drop the same rows of the noise.
</details>
"""

# %% answer="lab4.accuracy_sweep"
def conditional_accuracy(
    sample, classify, labels: Int[Tensor, " n"], scales: list[float], noise: Float[Tensor, "n c h w"], null_label: int
) -> dict[float, float]:
    """For each guidance scale w, the share of samples that `classify` takes for what their label asked for.

    sample(noise, labels, w) returns images, shape of noise. classify(images) returns logits (n, classes).
    """
    ### BEGIN SOLUTION
    asked = labels != null_label
    noise, labels = noise[asked], labels[asked]
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
print(f"conditional accuracy, {n} images for each w")
for w, value in accuracy.items():
    print(f"  w = {w:<5g} {value:6.1%}  ± {math.sqrt(max(value * (1 - value), 1 / n) / n):.1%}")

# %% [markdown]
r"""
Up to $w = 10$, accuracy alone says: guide as much as you can. Even of the ruins at $w = 100$ the reference classifier calls more than half right. And a machine that knew one perfect picture of each digit, and printed it again and again, would have an accuracy of
100 %. So we need a second number that compares the *whole cloud* of samples with the cloud of real digits.

- **Fréchet distance** (FD): put both clouds through the reference classifier's 64 features, fit a Gaussian to each, and measure the squared distance of
  the two Gaussians. It punishes wrong *and* missing variety. The dashed line is the distance of as many *real* training images, equally many of each digit as in our samples.
- **Precision**: the share of samples that lie among the real digits. **Recall**: the share of real digits that lie among the samples. To lie
  *among* points means: to be as near to one of them as its own third neighbour is.

The numbers below were computed once with the checkpoint, in 10 Euler steps. Error bars are standard errors over seeds.

**Predict, then run.** Accuracy only rises up to some $w$. What will the distance do?
"""

# %% role="illustration"
print(f"{stored_sweep['images']} digits for each w and seed, {stored_sweep['seeds']} seeds")
plotting.draw_sweep(stored_sweep)
plt.show()

# %% [markdown]
r"""
**The distance is U-shaped.** Too little guidance, and samples are of the wrong class or of no class: far from real digits. Too much
(up to 10), and they are all of the right class but too clean, too heavy and too similar: far from real digits in another way. Recall tells you which: it falls
while precision still holds. (At 100 they are no digits any more, and all four numbers say so.) The best $w$ depends on what you want, and "what maximises accuracy" is nearly never it.

> ### Exercise 4.7 · What does w change, and why? (written)
> **2 points**, graded by hand · difficulty ●●●○○ · 15 minutes
>
> From your grid, the film and the curves: describe what happens as $w$ goes from 0.5 to 100, and explain it. Your answer should say (a) what
> quality gains and what variety loses, and where you see it; (b) why the *mechanism* is an extrapolation and not an average, with the picture of
> the blobs; (c) what breaks at $w = 100$. Six to ten sentences.
"""

# %% [markdown] answer="lab4.guidance_essay"
r"""
**Model answer.** At $w = 0.5$ the velocity lies halfway between the unconditional and the conditional one; some noise ends in a digit that was not
asked for, so accuracy is low and the distance is large. At $w = 1$ we follow the learned conditional velocity itself: most digits are right, and variety is
that of the data, but the errors of the network show. Between 2 and 5 nearly all samples are of the right class, and strokes are clean; recall falls
from .88 at $w = 1$ to .21 at $w = 5$. The distance is smallest at $w = 1$ (0.5) and has doubled by $w = 2$, although all digits are right there: it counts missing variety, too.

The guided velocity is $u(\varnothing) + w\,(u(y) - u(\varnothing))$. For $w > 1$ this is outside the segment between the two velocities: an extrapolation *away from*
what all classes have in common. The blobs show it: at $w = 3$ the samples lie beyond the class means, on average farther from the other classes than nine in ten training points. An
average over the class would lie *on* the means. So heavy, uniform strokes are not "the mean seven" but an exaggerated seven.

At $w = 100$ the difference of two nearly equal, imperfect velocities is multiplied by 100: errors of the network, too. Pixel values run far out of $[-1, 1]$, and
the next velocities are asked at points that never occurred in training. Smaller steps do not cure it, because the field itself is wrong there.

**Rubric.** 1 point: quality against variety, tied to something seen in the student's own pictures or curves (accuracy up, recall or variety down, U-shaped
distance). 1 point: the mechanism; extrapolation away from the unconditional field (½), and why $w = 100$ fails: amplified differences or errors, states outside
of the training range (½). "More guidance moves towards the average of the class" is the common wrong answer: no credit for the mechanism.
"""

# %% [markdown]
r"""
---
# Beyond · The few-step challenge (not graded)

Everything so far used 10 calls or more of the guided velocity. Real systems are paid by the call. **How good can you get with 1, 2, 4 or 8?** Your sampler gets the network's
guided velocity as a function, and a budget of calls. It may choose its own times, its own $w$, and its own way to combine slopes.

The score is the Fréchet distance at each budget, and one number for the table: the mean of $\log_2(\text{FD}/\text{floor})$ over the four
budgets, where the floor is the distance of as many real digits. Lower is better; 1 point less is a distance half as large. On machines of one kind everybody has the same noise, labels and number of images. With a GPU these are 1,000 images and your own network, without one 200 and the checkpoint: compare scores with others of the same kind.
"""

# %% role="illustration"
def bent_times(calls: int, bend: float = 1.0) -> Tensor:
    """calls + 1 times from 0 to 1; with bend > 1 the steps are short near t = 0."""
    return torch.linspace(0, 1, calls + 1, device=device) ** bend


def euler(velocity, x, calls, w=2.0):
    times = bent_times(calls)
    for t, h in zip(times, times.diff()):
        x = x + h * velocity(x, t, w)
    return x


def heun(velocity, x, calls, w=2.0):
    if calls == 1:
        return euler(velocity, x, 1, w)
    times = bent_times(calls // 2)
    for t, h in zip(times, times.diff()):
        slope = velocity(x, t, w)
        x = x + h / 2 * (slope + velocity(x + h * slope, t + h, w))
    return x


def midpoint_bent(velocity, x, calls, w=2.0):
    if calls == 1:
        return euler(velocity, x, 1, w)
    times = bent_times(calls // 2, bend=1.3)
    for t, h in zip(times, times.diff()):
        slope = velocity(x, t, w)
        x = x + h * velocity(x + h / 2 * slope, t + h / 2, w)
    return x


# %% role="illustration"
test_features = in_batches(reference_classifier.features, load_digits("test", device=device)[:][0])


@torch.no_grad()
def few_step_score(sampler, images: int) -> dict[int, float]:
    """Fréchet distance of `sampler(velocity, noise, calls)` for 1, 2, 4 and 8 calls of the guided velocity."""
    labels = torch.arange(10, device=device).repeat(images // 10)
    result = {}
    for calls in (1, 2, 4, 8):
        parts = []
        for x, y in zip(fixed_noise(images, seed=11).split(50), labels.split(50)):
            used = 0

            def velocity(x, t, w, y=y):
                nonlocal used
                used += 1
                ode = CFGVectorFieldODE(net, w, NULL)
                with torch.autocast(device.type, torch.bfloat16, enabled=fast_bf16(device)):
                    return ode.drift_coefficient(x, torch.as_tensor(t, device=device).expand(len(x), 1, 1, 1).float(), y=y).float()

            parts.append(sampler(velocity, x, calls))
            assert used <= calls, f"{used} calls of the velocity, and only {calls} were allowed"
        result[calls] = frechet_distance(in_batches(reference_classifier.features, torch.cat(parts).float()), test_features)
    return result


challenge_images = budget.pick(full=1000, cpu=200, ci=10)
baselines = dict(Euler=euler, Heun=heun, Midpoint=midpoint_bent)
board = or_precomputed(
    lambda: {name: few_step_score(sampler, challenge_images) for name, sampler in baselines.items()},
    lambda: {name: {int(k): v for k, v in row.items()} for name, row in stored_table("lab4_sweep")["few steps"].items()},
    "Few steps",
)
challenge_floor = real_distance(reference_classifier.features, digits, test_features, challenge_images, draws=budget.pick(cpu=10, ci=2)).value
plotting.print_leaderboard(board, challenge_floor, challenge_images)

# %% [markdown]
r"""
Why is one call so bad, whatever the method? From pure noise, the conditional velocity at $t = 0$ points from the noise to the **mean** of the class, and the
unconditional one to the mean of all digits: nothing else can be known yet. One step of length 1 lands on such a blur: at $w = 1$ on the mean of the class, at the $w = 2$ of these
samplers as far again beyond it. And why is Euler, the crudest method, the best when calls are few? On the straight path its *last* step has a
special gift: from $x$ at time $t$ it goes to $x + (1 - t)\,u$, which is exactly the network's estimate of the clean image. Heun and midpoint are more accurate for small steps, but
they do not end on such an estimate, and some of the noise stays in the picture.

Ideas: other grids · a $w$ that depends on $t$ (guide in the middle of the way only: Kynkäänniemi and others, 2024) · remember the last slope (Adams and Bashforth) ·
distil the network into one that takes larger steps.

```python
def mine(velocity, x, calls):
    ...

plotting.print_leaderboard(board | {"Mine": few_step_score(mine, challenge_images)}, challenge_floor, challenge_images)
```

---
# What you can do now

- turn any schedule into a velocity and a score;
- train a flow-matching model, with labels that are sometimes forgotten, and know which loss to expect;
- guide it, and say what guidance does *not* do;
- judge a generative model by more than one number.

**To read:** Lipman and others, *Flow Matching for Generative Modeling* (2023) · Ho and Salimans, *Classifier-Free Diffusion Guidance* (2022) · Bradley and Nakkiran,
*Classifier-Free Guidance is a Predictor-Corrector* (2024): what guidance samples · Karras and others, *Guiding a Diffusion Model with a Bad Version of Itself* (2024) ·
Kynkäänniemi and others, *Applying Guidance in a Limited Interval* (2024).
"""
