# %% [markdown]
r"""
# Lab 2 · The score you can write down

Two atoms live on a ring. That is the whole world of this lab, and it is small enough that *everything* can be
written down: the density at any noise level, its gradient, and so the error of any network that claims to have learned it.
You will train such networks, and look where they are right, where they are wrong, and whether clever extra terms in the loss help.

**What you build:** the exact score · noise on a ring · denoising score matching · a sampler with predictor and
corrector · two regularisers from research papers, and a fair test of them.

| | |
|---|---|
| Points | 18 |
| Time | about 2.5 hours, of which some minutes of waiting |
| GPU | not needed: the networks have 13,000 parameters |
| You need | PyTorch, gradients, Gaussian densities. Nothing of the other labs |

Run the cells from top to bottom. Wherever a cell says `raise NotImplementedError()`, it is your turn. The `check(...)`
after it tells you at once what is right and what is not; it costs nothing and may be run as often as you like.
"""

# %% role="setup"
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from utils import plotting
from utils.atoms import (
    CENTRES,
    IMAGES,
    SIGMA_D,
    SIGMA_MIN,
    NoiseSchedule,
    TwoAtoms,
    distance_to_crystal,
    generate,
    states_on_a_grid,
    uniform_states,
)
from utils.experiments import EXPERIMENTS, TRAINED, Answers, analysis, run
from utils.fallback import or_precomputed, show_or_say
from utils.nets import EquivariantMLP, count_parameters
from utils.runtime import seed_everything, setup
from utils.training import Trainer

device, budget = setup("lab2_two_atoms", seed=0)
plotting.use_style()

# %% [markdown]
r"""
## Notation

| symbol | in code | meaning |
|---|---|---|
| $t$ | `t`, shape `(b, 1)` | time. **Data are at $t = 0$, most noise is at $t = 1$** |
| $x = (x_1, x_2)$ | `x`, shape `(b, 2)` | the places of the two atoms, each in $[0, 1)$; 1 is 0 again |
| $x_0$ | `x0` | a state without noise |
| $\mu = (\frac14, \frac34)$ | `CENTRES` | where the atoms sit in the data |
| $\sigma_d = 0.01$ | `sigma_d` | how far they stray there |
| $\sigma(t)$ | `sigma`, shape `(b, 1)` | width of the noise at time $t$: from 0.001 to 0.2 |
| $S$ | | width of data plus noise |
| $s_t(x)$ | `score` | the score, $\nabla_x \log p_t(x)$. The network learns $\sigma s$ |
| $K(u;\, \sigma)$ | | the Gaussian of width $\sigma$ wrapped around the ring |
| $k$ | `IMAGES` | number of a periodic copy: $-5, \dots, 5$ |

`b` is the batch size. Time runs *backwards* when we generate: from $t = 1$ to $t = 0$.
"""

# %% [markdown]
r"""
---
# 1 · Two atoms, one density

In the data, the first atom sits near $\frac14$ and the second near $\frac34$. Each strays a little, $\sigma_d = 0.01$. On the
left you see it as it is, two atoms on a ring. On the right is the same as *one* point in the square of $(x_1, x_2)$. The square has
no edges: what leaves on the right comes back on the left, and what leaves at the top comes back at the bottom.
"""

# %% role="illustration"
def draw_world():
    """The data, on the ring and on the square."""
    torch.manual_seed(0)
    x, _ = TwoAtoms().sample(300)
    fig, (ring, square) = plt.subplots(1, 2, figsize=(8, 3.6))
    turn = 2 * math.pi * torch.linspace(0, 1, 200)
    ring.plot(turn.cos(), turn.sin(), color="#BBBBBB", zorder=0)
    for atom, color in ((0, plotting.BLUE), (1, plotting.ORANGE)):
        angle = 2 * math.pi * x[:40, atom]
        ring.scatter(angle.cos(), angle.sin(), s=60, color=color, alpha=0.15, linewidths=0)
        ring.scatter(math.cos(2 * math.pi * CENTRES[atom]), math.sin(2 * math.pi * CENTRES[atom]), s=200, color=color,
                     edgecolor="black", label=f"atom {atom + 1}")  # fmt: skip
    for place in (0, 0.25, 0.5, 0.75):
        angle = 2 * math.pi * place
        ring.text(1.22 * math.cos(angle), 1.22 * math.sin(angle), f"{place:g}", ha="center", va="center", fontsize=9)
    ring.set(xlim=(-1.5, 1.5), ylim=(-1.4, 1.4))
    ring.legend(loc="center", fontsize=9)
    plotting.bare(ring)
    square.scatter(*x.T, s=8, color=plotting.BLUE, alpha=0.5, linewidths=0, label="data")
    square.scatter(*x.flip(1).T, s=8, color=plotting.GREY, alpha=0.3, linewidths=0, label="the same, atoms swapped")
    square.set(xlim=(0, 1), ylim=(0, 1), xlabel="atom 1", ylabel="atom 2", aspect="equal")
    square.grid(False)
    square.legend(loc="upper right", fontsize=8)
    for ax in (ring, square):
        ax.set_aspect("equal")
    plt.show()


draw_world()

# %% [markdown]
r"""
**The two atoms are the same kind of atom.** Swap them, and it is the same crystal. The data happen to know one order only, but a model of
matter must not. So the density that we want has *two* peaks, one for each order:

$$p_t(x) = \tfrac12 \sum_{P}\ W(x_1 - \mu^P_1)\, W(x_2 - \mu^P_2), \qquad \mu^1 = (\tfrac14, \tfrac34),\quad \mu^2 = (\tfrac34, \tfrac14).$$

Here $W$ is what becomes of a Gaussian on a ring. Whoever walks $1.1$ to the right is seen at $0.1$: all periodic copies are added up,

$$W(u) = \sum_k \mathcal N(u + k;\ 0,\ S^2), \qquad S^2 = \sigma_d^2 + \sigma^2 .$$

Why this $S$? An atom strays by $\sigma_d$ in the data, then noise of width $\sigma$ is added. The two are independent, so their variances add up.

**Now take the gradient of $\log p_t$.** The rule that you need twice: for a sum of positive terms,

$$\nabla \log \sum_i a_i = \sum_i r_i\, \nabla \log a_i, \qquad r_i = \frac{a_i}{\sum_j a_j} .$$

Every term pulls its own way, and the pulls are averaged with each term's *share*. The terms are the periodic copies, for one atom, and then
the two orders, for the whole state. A single Gaussian pulls with $-(u + k)/S^2$.

**Predict, then run.** Far from both peaks the density is nearly 0. Is the score small there, too?

> ### Exercise 2.1 · The analytic score
> **4 points** · difficulty ●●●●○ · 35 minutes
>
> Complete `analytic_score(x, sigma, sigma_d)`. It returns $\nabla_x \log p$ for the density above, for both orders with equal weight.
> - `x` has the shape `(b, 2)`, `sigma` the shape `(b, 1)`: each sample has its own. `sigma_d` is a number.
> - Return the score itself, not $\sigma$ times the score.
> - It must hold for every $\sigma$ from 0.001 to 0.5 and every $x$ in $[0, 1]^2$: where a Gaussian underflows, at the edges of the cell, and on the diagonal, where both orders are equally likely. At small $\sigma$
>   no density survives in a floating-point number. **Work with logarithms.**
> - `IMAGES` $= (-5, \dots, 5)$ are enough copies for all of that; three are not.
> - It works in `float32` and `float64`, answers in the dtype and with the precision of `x`, on any device, also inside of `torch.no_grad()`, and leaves its inputs as they are.

<details><summary>A nudge</summary>

`(-u**2 / (2 * S2)).softmax(dim)` gives the shares of the copies, and `.logsumexp(dim)` the logarithm of their sum. Neither underflows.
What do you have to add up, over the two atoms, to get the logarithm of one order's weight?
</details>
<details><summary>The shape of the answer</summary>

A tensor of offsets with the axes (sample, order, atom, copy). Softmax over the copies: the pull on each atom in each order, and its log weight. Add the log weights over the atoms,
softmax over the orders, and average the pulls. Constants that all copies share drop out of every softmax.
</details>
<details><summary>"I get NaN"</summary>

You compute a density and divide by it. With $S = 0.01$, half a ring away, $e^{-u^2/2S^2} = e^{-1250}$, and the smallest positive number of `float64` is about $e^{-745}$: you divide zero by zero.
</details>
"""

# %% answer="lab2.analytic_score"
def analytic_score(x: Float[Tensor, "b 2"], sigma: Float[Tensor, "b 1"], sigma_d: float) -> Float[Tensor, "b 2"]:
    """The gradient of log p(x) of two atoms on a ring: data of width sigma_d in either order, plus noise of width sigma."""
    ### BEGIN SOLUTION
    variance = sigma**2 + sigma_d**2
    images = torch.tensor(IMAGES, device=x.device, dtype=x.dtype)
    centres = torch.tensor(CENTRES, device=x.device, dtype=x.dtype)
    orders = torch.stack([centres, centres.flip(0)])  # (order, atom)
    offsets = (x[:, None] - orders)[..., None] + images  # (b, order, atom, image)
    exponents = -(offsets**2) / (2 * variance[..., None, None])
    log_wrapped = exponents.logsumexp(dim=-1)  # (b, order, atom)
    pulls = -(exponents.softmax(dim=-1) * offsets).sum(dim=-1) / variance[..., None]
    shares = log_wrapped.sum(dim=-1).softmax(dim=1)  # (b, order)
    return (shares[..., None] * pulls).sum(dim=1)
    ### END SOLUTION


# %% check="lab2.analytic_score"

# %% [markdown]
r"""
Here is *your* score over the square, at three noise levels. Blue is where the density is. All arrows have the same length; their colour is the size of $S \cdot s$, from 0.03 and below (orange) to 30 and above (black), on a logarithmic scale.
"""

# %% role="illustration"
def draw_my_field():
    """Your score at three noise levels over the density, which is counted from noised states."""
    seed_everything(0)
    x = states_on_a_grid(22)
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.9))
    for ax, sigma in zip(axes, (0.2, 0.1, 0.02)):
        width = math.hypot(sigma, SIGMA_D)
        states = torch.tensor(CENTRES) + width * torch.randn(budget.pick(cpu=200_000, ci=20_000), 2)
        states = torch.cat([states, states.flip(1)]) % 1
        count = torch.histogramdd(states, [50, 50], range=[0.0, 1.0, 0.0, 1.0]).hist / len(states) * 2500
        arrows = width * analytic_score(x, torch.full((len(x), 1), sigma), SIGMA_D)
        analysis.draw_field(ax, arrows, torch.tensor(analysis.gaussian_filter(count.numpy(), 7 * width, mode="wrap")), f"sigma = {sigma:g}")
    plt.show()


show_or_say(draw_my_field, "2.1")

# %% [markdown]
r"""
At small noise the score is **large where the density is small**, and largest just beside the lines half-way between two peaks. *On* such a line the two pulls across it cancel, and within a hair's breadth that part of the score changes its sign. (Where two such lines cross, at $(\frac14, \frac14)$, the score is 0.) Remember this place: data never go there at small noise, so nothing will teach a
network what happens there.

---
# 2 · Noise on a ring

The forward process adds noise and wraps: $x_t = (x_0 + \sigma(t)\, \varepsilon) \bmod 1$ with $\varepsilon \sim \mathcal N(0, I)$. Nothing is shrunk, as a ring has no middle to shrink to; the variance just *explodes* (hence the name of the family: **VE**) until
the state is anywhere. The noise grows by the same factor in equal times,

$$\sigma(t) = \sigma_{\min} \left( \frac{\sigma_{\max}}{\sigma_{\min}} \right)^{t}, \qquad \sigma_{\min} = 0.001,\quad \sigma_{\max} = 0.2 .$$

> ### Exercise 2.2 · The schedule and the noise
> **2 points** (1 each) · difficulty ●○○○○ · 10 minutes
>
> Complete `sigma(t)` and `add_noise(x0, t, noise)`. Use `self.sigma_min` and `self.sigma_max`. The noised state lies in the cell $[0, 1)$. Use the `noise` that you are given: a sampler that draws its own cannot be checked. Leave all inputs as they are; both methods work on any device. Compute `sigma` from the tensor `t`, because part 5 differentiates it with respect to `t`.

<details><summary>A nudge</summary>

In Python, `-0.1 % 1.0` is 0.9. In torch, too.
</details>
<details><summary>The shape of the answer</summary>

One line each. `add_noise` calls `self.sigma(t)`; `(b, 1)` times `(b, 2)` broadcasts as you want.
</details>
"""

# %% answer="lab2.add_noise"
class ExponentialNoise(NoiseSchedule):
    def sigma(self, t: Float[Tensor, "b 1"]) -> Float[Tensor, "b 1"]:
        """The width of the noise: self.sigma_min at t = 0, self.sigma_max at t = 1, a constant factor in equal times."""
        ### BEGIN SOLUTION
        return self.sigma_min * (self.sigma_max / self.sigma_min) ** t
        ### END SOLUTION

    def add_noise(
        self, x0: Float[Tensor, "b n"], t: Float[Tensor, "b 1"], noise: Float[Tensor, "b n"]
    ) -> Float[Tensor, "b n"]:
        """x0 with noise of width sigma(t), put back into the cell [0, 1)."""
        ### BEGIN SOLUTION
        return (x0 + self.sigma(t) * noise) % 1.0
        ### END SOLUTION


# %% check="lab2.add_noise"

# %% role="illustration"
def draw_noised():
    """Your noised states at five times; in grey the same with the atoms swapped."""
    schedule = ExponentialNoise()
    x0, _ = TwoAtoms().sample(4000)
    fig, axes = plt.subplots(1, 5, figsize=(11, 2.6), sharey=True)
    for ax, t in zip(axes, (0.0, 0.4, 0.7, 0.9, 1.0)):
        x = schedule.add_noise(x0, torch.full((len(x0), 1), t), torch.randn_like(x0))
        ax.scatter(*x.flip(1).T, s=2, color=plotting.GREY, alpha=0.25, linewidths=0, rasterized=True)
        ax.scatter(*x.T, s=2, color=plotting.BLUE, alpha=0.35, linewidths=0, rasterized=True)
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="atom 1", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        ax.set_title(f"t = {t:g}, sigma = {float(schedule.sigma(torch.tensor([[t]]))):.3f}", fontsize=9)
        ax.grid(False)
    axes[0].set_ylabel("atom 2")
    plt.show()


show_or_say(draw_noised, "2.2")

# %% [markdown]
r"""
Blue is your data with noise, grey the same with the atoms swapped. Look at $t = 1$. All places have been reached, but not all equally: on the diagonal, around $(\frac14, \frac14)$ and $(\frac34, \frac34)$, there are still holes: for both atoms to be there, one of them must have gone half-way around. We come back to
these holes at the end.

---
# 3 · Learning the score from noise

Pretend that we did not know the density. All we have are samples $x_0$, and we can add noise. Then $x$ is a wrapped Gaussian around $x_0$, and *its* score is known:

$$\nabla_x \log K(x - x_0;\ \sigma), \qquad K(u;\ \sigma) = \sum_k \mathcal N(u + k;\ 0,\ \sigma^2) .$$

Many $x_0$ may have led to the same $x$, and each one says something else. **Least squares takes their mean**, and the mean of $\nabla_x \log K(x - x_0)$ over all $x_0$ that could have led to $x$ is exactly $\nabla_x \log p_t(x)$. This is
*denoising score matching*.

One practical matter. The target is about $1/\sigma$: a thousand at $t = 0$, five at $t = 1$. Small times would drown all others. Multiplied by $\sigma$ it is about 1 at all times. So the network $m_\theta(x, t)$ learns $\sigma s$, and the loss is

$$\mathcal L(\theta) = \mathbb E\, \Big[ \big( m_\theta(x, t) - \sigma(t)\, \nabla_x \log K(x - x_0;\ \sigma(t)) \big)^2 \Big],$$

the mean over samples *and* atoms. It is the same as weighing the squared error of the score with $\sigma^2$.

> ### Exercise 2.3 · Denoising score matching on a ring
> **3 points** · difficulty ●●●○○ · 25 minutes
>
> Complete `get_train_loss(self, batch_size)`.
> 1. Draw `batch_size` states: `x0, _ = self.data.sample(batch_size)`. Leave them as they are: they may be the dataset's own memory.
> 2. Draw one time for each sample, uniform on $[0, 1]$, of shape `(b, 1)`, and standard normal noise of the shape of `x0`. All these numbers are independent, and new in every call. A random generator of your own is fine if it does not start again.
> 3. Noise them with `self.schedule.add_noise(x0, t, noise)`. The width is `self.schedule.sigma(t)`. Here the schedule may be any schedule, not only yours.
> 4. The target is $\sigma\, \nabla_x \log K(x - x_0;\, \sigma)$, with all copies in `IMAGES`. (No $\sigma_d$ here: $x_0$ is known.)
> 5. Ask the network: `self.model(x, t)`. It returns $\sigma s$. Return the squared difference, **averaged over batch and atoms**, as a tensor with no axes (shape `()`). Gradients must flow from it to the model.
>
> It works on any device. The model's mode and stored gradients are the caller's: leave them as they are.

<details><summary>A nudge</summary>

The wrapped Gaussian's score you have met in 2.1: a mean of $-(u + k)/\sigma^2$ with shares that are a softmax. Now the centre is $x_0$.
</details>
<details><summary>The shape of the answer</summary>

Draw data; draw t and noise; add noise; offsets of shape (b, 2, copies); softmax; target; mean of a square. Eight lines.
</details>
<details><summary>Isn't the target just minus the noise?</summary>

On a line it is: $\sigma \cdot (-(x - x_0)/\sigma^2) = -\varepsilon$. On a ring the noise may have gone around, and nobody who sees only $x$ can know. The mean over all the ways to get from $x_0$ to $x$ is a better target (it has the same mean and less variance), and it
is periodic, as the network is.
</details>
"""

# %% answer="lab2.score_loss"
class ScoreTrainer(Trainer):
    def __init__(self, schedule: NoiseSchedule, model: nn.Module, data: TwoAtoms):
        super().__init__(model)
        self.schedule, self.data = schedule, data

    def get_train_loss(self, batch_size: int) -> Float[Tensor, ""]:
        """The denoising score matching loss of one batch, averaged over batch and atoms. The model returns sigma · score."""
        ### BEGIN SOLUTION
        x0, _ = self.data.sample(batch_size)
        t = torch.rand(batch_size, 1, device=x0.device, dtype=x0.dtype)
        x = self.schedule.add_noise(x0, t, torch.randn_like(x0))
        sigma = self.schedule.sigma(t)
        offsets = (x - x0)[..., None] + torch.tensor(IMAGES, device=x.device, dtype=x.dtype)
        weights = (-(offsets**2) / (2 * sigma[..., None] ** 2)).softmax(dim=-1)
        target = -(weights * offsets).sum(dim=-1) / sigma
        return (self.model(x, t) - target).square().mean()
        ### END SOLUTION


# %% check="lab2.score_loss"

# %% [markdown]
r"""
## The network

The network is given: a small MLP that sees cosines and sines of the coordinates (which makes it periodic) and the time. One thing is special. It is asked *twice*, with the atoms in both orders; the second answer is put back into the order of the question, and the mean is
returned. So whatever its weights are: swap the atoms, and the outputs are swapped. This is called **permutation equivariance**. A network without it would learn the density of the data, with its one order. This one cannot help but learn the one with both.
"""

# %%
net = EquivariantMLP().to(device)
x, t = uniform_states(5, device), torch.rand(5, 1, device=device)
print(f"{count_parameters(net):,} parameters. Swap the inputs, or swap the outputs: do you get the same?")
with torch.no_grad():
    for name, model in (("equivariant network", net), ("plain MLP inside", net.plain)):
        difference = (model(x.flip(1), t) - model(x, t).flip(1)).abs().max()
        print(f"  {name}: largest difference {float(difference):.1e}")

# %% [markdown]
r"""
## Training it

**What loss can be reached?** Not zero, for $x$ does not tell which $x_0$ it came from. But here we know the best network that treats both atoms alike: your exact score! Its loss is the floor, the dashed line. (A network that keeps the atoms apart could go a little below it, for the data have one order only.)

**Predict, then run.** Will training get there within a minute?
"""

# %% role="illustration"
class ExactNetwork(nn.Module):
    """The network that no network can beat: sigma times your analytic score."""

    def forward(self, x, t):
        sigma = ExponentialNoise().sigma(t)
        return sigma * analytic_score(x, sigma, SIGMA_D)


def best_loss() -> float:
    with torch.no_grad():
        return float(ScoreTrainer(ExponentialNoise(), ExactNetwork(), TwoAtoms()).get_train_loss(budget.pick(cpu=100_000, ci=500)))


answers = Answers.of(globals())
runs = budget.pick(full="runs/lab2", ci=None)  # where training keeps its state: a run that was cut off goes on
plain = or_precomputed(lambda: run("no_regularizer", answers, runs=runs), lambda: None, "Training")
history = plain.history if plain else analysis.stored_results()["no_regularizer"]["history"].tolist()
ax = plotting.plot_loss(history, label="your loss, running mean")
floor = or_precomputed(best_loss, lambda: 0.469, "Floor")
ax.axhline(floor, color=plotting.ORANGE, linestyle="--", label=f"the exact score: {floor:.3f}")
ax.set_ylim(0.3, 1.1)
ax.set_title("Score matching")
ax.legend()
plt.show()

# %% [markdown]
r"""
The loss comes close to its floor quickly. **Do not trust it too much.** The loss asks the network only where noised data *are*. What it says elsewhere, the loss cannot see.

---
# 4 · Going back: predictor and corrector

To generate, start at $t = 1$ with both atoms anywhere and walk to $t = 0$. At each noise level $\sigma$ two kinds of steps are taken.

**The predictor** goes to the next, lower noise level $\sigma_{\text{next}}$. In between the variance $g^2 = \sigma^2 - \sigma_{\text{next}}^2$ was added; to take it back, follow the score and add a little fresh noise:
$$x \leftarrow x + g^2 s + g\, \varepsilon .$$

**The corrector** stays at its noise level and repairs. It is a step of Langevin dynamics of size $\tau$, whose drift towards higher density and whose noise balance when $x$ has the right law:
$$x \leftarrow x + \tau\, s + \sqrt{2 \tau}\ \varepsilon .$$

> ### Exercise 2.4 · Predictor and corrector
> **3 points** (predictor 2, corrector 1) · difficulty ●●○○○ · 15 minutes
>
> Complete `predictor_step(x, score, sigma, sigma_next, noise)` and `corrector_step(x, score, step, noise)`. `score` is $s$ itself at `x`; `sigma`, `sigma_next` and `step` ($\tau$) have the shape `(b, 1)`, and `sigma` is larger than `sigma_next`. Both return states in $[0, 1)$, use the noise that
> they are given, and leave their inputs as they are.

<details><summary>A nudge</summary>

Variances of independent noise add and subtract; widths do not. $g$ is a root.
</details>
<details><summary>The shape of the answer</summary>

The place, plus something times the score, plus something times the noise, modulo 1.
</details>
"""

# %% answer="lab2.predictor_corrector"
def predictor_step(
    x: Float[Tensor, "b n"],
    score: Float[Tensor, "b n"],
    sigma: Float[Tensor, "b 1"],
    sigma_next: Float[Tensor, "b 1"],
    noise: Float[Tensor, "b n"],
) -> Float[Tensor, "b n"]:
    """From noise level sigma to the lower level sigma_next, on the ring."""
    ### BEGIN SOLUTION
    variance = sigma**2 - sigma_next**2
    return (x + variance * score + variance.sqrt() * noise) % 1.0
    ### END SOLUTION


def corrector_step(
    x: Float[Tensor, "b n"], score: Float[Tensor, "b n"], step: Float[Tensor, "b 1"], noise: Float[Tensor, "b n"]
) -> Float[Tensor, "b n"]:
    """One Langevin step of the given size at one noise level, on the ring."""
    ### BEGIN SOLUTION
    return (x + step * score + (2 * step).sqrt() * noise) % 1.0
    ### END SOLUTION


# %% check="lab2.predictor_corrector"

# %% [markdown]
r"""
Try it with your *exact* score, so that the sampler alone is tested. If everything is right, the distance of a sample to the crystal follows the **Rayleigh law**, $p(r) = \frac{r}{w^2} e^{-r^2/2w^2}$: that is the length of a vector of two Gaussian numbers of width $w$. (Here
$w^2 = \sigma_d^2 + \sigma_{\min}^2$: the last bit of noise stays.)

**Predict, then run.** The score is exact. Will 21 steps be enough for the exact law?
"""

# %% role="illustration"
def my_radii(steps: int) -> Tensor:
    """Distances to the crystal after a walk with your exact score and your steps."""
    seed_everything(1)
    schedule = ExponentialNoise()
    x = generate(lambda x, t: analytic_score(x, schedule.sigma(t), SIGMA_D), schedule, predictor_step, corrector_step,
                 uniform_states(budget.pick(full=10_000, cpu=3000, ci=100)), budget.pick(full=steps, ci=3))  # fmt: skip
    return distance_to_crystal(x)


def draw_radii():
    w = math.hypot(SIGMA_D, SIGMA_MIN)
    r = np.linspace(0, 0.05, 200)
    fig, axes = plt.subplots(1, 3, figsize=(10, 2.8), sharey=True)
    for ax, steps in zip(axes, (21, 50, 200)):
        radii = my_radii(steps)
        ax.hist(radii, np.linspace(0, 0.05, 41), density=True, color=plotting.SKY, label="your samples")
        ax.plot(r, r / w**2 * np.exp(-(r**2) / (2 * w**2)), color="#222222", label="Rayleigh law")
        ax.set_title(f"{steps} steps: mean {radii.mean():.4f} (law {w * math.sqrt(math.pi / 2):.4f})")
        ax.set_xlabel("distance to the crystal")
        ax.set_yticks([])
    axes[0].legend()
    plt.show()


show_or_say(draw_radii, "2.1, 2.2 and 2.4")

# %% [markdown]
r"""
21 steps find the crystal every time, but the cloud around it is too wide: each step changes $\sigma$ by a quarter, and treats the score as constant meanwhile. With 200 steps the law is met. **An exact score does not make an exact sampler.**

---
# 5 · What the loss does not see

Look back at the arrows of part 1. At small noise, nearly the whole square is empty, and score matching never asks there. But a walk that starts *anywhere* may have to cross that emptiness. Can we teach the network something about places without data, **without knowing the
answer**? Two ideas from the literature, each an extra term in the loss.

## Idea 1: the score obeys an equation

Adding noise is diffusion: the density spreads like heat. For our process the Fokker-Planck equation is $\partial_t p = \frac12 \frac{\mathrm d \sigma^2}{\mathrm d t}\, \Delta p$. Divide by $p$ and take the gradient, and it becomes an equation of the score alone:

$$\partial_t s = \frac12 \frac{\mathrm d \sigma^2}{\mathrm d t}\ \nabla_x \Big( \nabla_x \!\cdot s + \| s \|^2 \Big) .$$

It holds **everywhere**, with or without data. So take states at random, and penalise the **residual**, left side minus right side.

<details><summary>The derivation</summary>

With $\ell = \log p$: $\ \partial_t \ell = \partial_t p / p$ and $\Delta p / p = \Delta \ell + \|\nabla \ell\|^2$. So $\partial_t \ell = \frac12 \frac{\mathrm d \sigma^2}{\mathrm d t} (\Delta \ell + \|\nabla \ell\|^2)$. Now take $\nabla$ on both sides, and put $s = \nabla \ell$.
Mind that $\nabla \|s\|^2$ is *twice* the transposed Jacobian times $s$. (That of a true score is symmetric. A network's need not be.)
</details>

> ### Exercise 2.5 · The Fokker-Planck residual
> **3 points** · difficulty ●●●●○ · 30 minutes
>
> Complete `fokker_planck_residual(score, x, t, sigma)`. It returns $\partial_t s - \frac12 \frac{\mathrm d \sigma^2}{\mathrm d t} \nabla_x (\nabla_x \!\cdot s + \|s\|^2)$, one number for each sample and coordinate, shape of `x`.
> - `score(x, t)` is the un-normalised score, a function that you may differentiate: each sample's score depends on its own `x` and `t` only. `sigma(t)` is any schedule.
> - All derivatives by automatic differentiation. `x` may have any number of coordinates.
> - The result will be *trained on*: gradients must flow from it to the parameters behind `score`. So `create_graph=True`.
> - Leave `x` and `t` as they are, without a `requires_grad` that they did not have.

<details><summary>A nudge</summary>

`torch.autograd.grad(y.sum(), x)` gives the gradient of each row's `y` in its own row of `x`, because rows do not mix. One coordinate of `s` at a time, you get a row of the Jacobian *and* the time derivative from one call. For the outer gradient you
never need second derivatives one by one: build the number in the brackets, and differentiate it once more.
</details>
<details><summary>The shape of the answer</summary>

`x, t = x.detach().requires_grad_(), t.detach().requires_grad_()`; $s$; for each coordinate $i$ the gradients of $s_i$ in `(x, t)`; the divergence is $\sum_i \partial_i s_i$; the gradient of divergence plus squared norm in `x`; the derivative of `sigma(t)**2` in `t`.
</details>
<details><summary>"Trying to backward through the graph a second time"</summary>

A `grad` without `create_graph=True` throws its graph away, and something that you still use hangs on it. Either give it `create_graph=True`, or compute that quantity separately.
</details>
"""

# %% answer="lab2.fokker_planck"
def fokker_planck_residual(score, x: Float[Tensor, "b n"], t: Float[Tensor, "b 1"], sigma) -> Float[Tensor, "b n"]:
    """d_t s - 1/2 (d_t sigma²) grad_x (div s + |s|²) of the un-normalised score(x, t): zero for the score of noised data.

    Gradients flow to the parameters behind `score`.
    """
    ### BEGIN SOLUTION
    with torch.enable_grad():
        x, t = x.detach().requires_grad_(), t.detach().requires_grad_()
        s = score(x, t)
        rows = [torch.autograd.grad(s[:, i].sum(), (x, t), create_graph=True) for i in range(x.shape[1])]
        divergence = sum(by_x[:, i] for i, (by_x, _) in enumerate(rows))
        s_dt = torch.cat([by_t for _, by_t in rows], dim=1)
        (gradient,) = torch.autograd.grad((divergence + s.square().sum(dim=1)).sum(), x, create_graph=True)
        (variance_dt,) = torch.autograd.grad((sigma(t) ** 2).sum(), t)
        return s_dt - variance_dt / 2 * gradient
    ### END SOLUTION


# %% check="lab2.fokker_planck"

# %% [markdown]
r"""
The best test of all: put in **your exact score**. Every term is in the hundreds or thousands, and they must cancel to rounding.
"""

# %% role="illustration"
def residual_of_exact_score():
    """Residual and time derivative of your analytic score, in float64."""
    schedule = ExponentialNoise()
    x = states_on_a_grid(40, dtype=torch.float64)

    def score(x, t):
        return analytic_score(x, schedule.sigma(t), SIGMA_D)

    print("   t    largest time derivative    largest residual    ratio")
    for time in (0.1, 0.3, 0.5, 0.7, 0.9):
        t = torch.full((len(x), 1), time, dtype=torch.float64)
        residual = fokker_planck_residual(score, x, t, schedule.sigma).detach().abs().max()
        change = ((score(x, t + 1e-5) - score(x, t - 1e-5)) / 2e-5).abs().max()
        print(f"  {time:.1f}    {change:23.1f}    {residual:16.1e}    {residual / change:.0e}")


show_or_say(residual_of_exact_score, "2.1, 2.2 and 2.5")

# %% [markdown]
r"""
## Idea 2: scores at two times have to agree

Stand at $x$ at time $t$. Walk back in time, a few predictor steps, to some $y$ at an earlier time. The noise level is $\sigma_{\text{start}}$ at $x$, and $\sigma_{\text{end}} < \sigma_{\text{start}}$ at $y$. From $y$ to $x$ only the variance $\sigma_{\text{start}}^2 - \sigma_{\text{end}}^2$ of noise has been added. The same argument as in part 3, with $y$ in the role of $x_0$, says

$$s_t(x) = \mathbb E\,\big[\, \nabla_x \log K\big(x - y;\ \sqrt{\sigma_{\text{start}}^2 - \sigma_{\text{end}}^2}\,\big)\ \big|\ x \,\big] .$$

So $y$ gives a *target* for the score at $x$, without any data. Of course the walk needs a score, the network's own: hence **consistency**. The network is asked to agree with where it leads.

> ### Exercise 2.6 · The target of consistency
> **1 point** · difficulty ●●○○○ · 10 minutes
>
> Complete `consistency_target(x, y, sigma_start, sigma_end)`. For each sample: $\sigma_{\text{start}}$ times the gradient in $x$ of $\log K$ above, on the ring, with all copies in `IMAGES`. (Times $\sigma_{\text{start}}$, because that is what the network returns at $x$.) Both sigmas have the shape `(b, 1)`. It works on any device and also inside of `torch.no_grad()`, where the experiments call it; leave the inputs as they are.

<details><summary>A nudge</summary>

The wrapped Gaussian once more. Its variance is a difference of variances. And which of the three widths stands in front?
</details>
<details><summary>The shape of the answer</summary>

As the target in 2.3: offsets with copies, softmax, mean of the offsets, over the variance, times `-sigma_start`.
</details>
"""

# %% answer="lab2.consistency"
def consistency_target(
    x: Float[Tensor, "b n"], y: Float[Tensor, "b n"], sigma_start: Float[Tensor, "b 1"], sigma_end: Float[Tensor, "b 1"]
) -> Float[Tensor, "b n"]:
    """What sigma_start · score at x should be, if a walk from x ended at y: sigma_start · grad_x log K(x - y)."""
    ### BEGIN SOLUTION
    variance = sigma_start**2 - sigma_end**2
    offsets = (x - y)[..., None] + torch.tensor(IMAGES, device=x.device, dtype=x.dtype)
    weights = (-(offsets**2) / (2 * variance[..., None])).softmax(dim=-1)
    return -sigma_start * (weights * offsets).sum(dim=-1) / variance
    ### END SOLUTION


# %% check="lab2.consistency"

# %% [markdown]
r"""
## A trap: one step says nothing

How far should the walk go? **Predict, then run:** with *one* step of the network's own score, what is the mean target?

<details><summary>The computation, when you have predicted</summary>

One step leads to $y = x + g^2 s_\theta(x) + g\, \varepsilon$, and the target's mean is $\sigma\, \mathbb E[(y - x)/g^2] = \sigma s_\theta(x)$. That is what the network says already! The network agrees with itself *whatever it says*. The expected gradient is zero: one step teaches nothing but noise. Only a walk of
several steps, which sees the score at *other* places and times, carries news.
</details>

The next cell takes your network at a place where it is wrong and averages the target over many walks.
"""

# %% role="illustration"
@torch.no_grad()
def mean_target(model, steps: int, walks: int):
    """Mean and standard error of the target after `steps` steps of the network's own score, the network, the exact score."""
    schedule = ExponentialNoise()
    x, t = torch.tensor([[0.1, 0.45]], device=device).repeat(walks, 1), torch.full((walks, 1), 0.95, device=device)
    y, later = x, None
    for i in range(steps):
        now, later = (schedule.sigma(t - j / 100) for j in (i, i + 1))
        y = predictor_step(y, model(y, t - i / 100) / now, now, later, torch.randn_like(y))
    target = consistency_target(x, y, schedule.sigma(t), later)
    exact = schedule.sigma(t[:1]) * analytic_score(x[:1], schedule.sigma(t[:1]), SIGMA_D)
    return target[:, 0].mean().item(), target[:, 0].std().item() / math.sqrt(walks), model(x[:1], t[:1])[0, 0].item(), exact[0, 0].item()


def show_tautology():
    if plain is None:
        raise NotImplementedError  # nothing was trained
    seed_everything(0)
    print("at x = (0.1, 0.45), t = 0.95; sigma · score of the first atom")
    for steps in (1, 5, 20):
        target, error, says, truth = mean_target(plain.model, steps, budget.pick(cpu=200_000, ci=500))
        print(f"  {steps:2d} steps: mean target {target:.3f} ± {error:.3f}   the network says {says:.3f}   the truth is {truth:.3f}")


show_or_say(show_tautology, "2.1 to 2.4 and 2.6")

# %% [markdown]
r"""
One step returns the network's own number, to within twice the standard error (the number after ±). Here longer walks come nearer to the truth, because they end where the network is better. That is not so everywhere: where the network is wrong all along the way, the target is wrong too. (A published implementation of this regulariser takes 5 steps of 1/100.)

---
# 6 · A fair test

Now train the same network from the same start, with the same number of steps, and only the extra term changed:

| experiment | extra term, at states drawn uniformly | weight |
|---|---|---|
| none | | |
| regression | squared error against *your exact score*. An **oracle**: in a real problem nobody has it | 1 |
| Fokker-Planck | mean square of your residual | $10^{-5}$ |
| consistency (Beyond) | squared difference from your target, after 5 steps of the network's own score | $10^{-3}$ |
| consistency, exact guide (Beyond) | the same, with the walks driven by your exact score: half an oracle | $10^{-3}$ |

(Mind when you compare prices: the extra term looks at as many states as the batch in the regression, at half as many in the two consistency runs, and at 64 in Fokker-Planck, because second derivatives are dear. With a GPU the consistency runs get a whole batch too.)

Each is a few lines of YAML in `utils/experiments`. The cell below trains all five (without a GPU 1,500 steps each, a few seconds to half a minute; with a GPU 16,000 steps each, and the numbers quoted below will differ from yours; finished runs are kept in `runs/lab2`, and a run that was cut off goes on). The same works in a shell, with your notebook's answers, and in the second line with the 16,000 steps of the published experiment (in a folder of its own, or it would replace the notebook's run):

```
python -m utils.experiments run all --answers lab2_two_atoms.ipynb
LAB_BUDGET=full python -m utils.experiments run fokker_planck weight=1e-4 --answers lab2_two_atoms.ipynb --runs runs/lab2_full
python -m utils.experiments analyse --answers lab2_two_atoms.ipynb --out generated_artifacts
tensorboard --logdir runs/lab2
```

**Predict, then run.** Write down, for each extra term: does it help where data are rare? Where they are common? What does a step cost?
"""

# %% role="illustration"
answers = Answers.of(globals())  # by now all of them


def measured(name: str) -> dict:
    """Train an experiment, if that has not been done yet, and measure it."""
    experiment = run(name, answers, runs=runs)
    frames = budget.pick(cpu=16, ci=2) if name in ("analytical", "no_regularizer") else 0
    return analysis.measure(experiment, states=budget.pick(cpu=2000, ci=100), grid=budget.pick(cpu=50, ci=8), frames=frames)


def measured_or_precomputed(name: str) -> dict:
    return or_precomputed(lambda: measured(name), lambda: analysis.stored_results()[name], analysis.title_of(name))


results = {name: measured_or_precomputed(name) for name in EXPERIMENTS}
trained = {name: results[name] for name in TRAINED}
analysis.print_table(trained)
analysis.draw_errors(trained)
plt.show()

# %% [markdown]
r"""
Take your time with this figure; exercise 2.7 asks about it.

<details><summary>Compare with your own reading, when you have one</summary>

- **Where the states are** (right), errors are a few hundredths to three tenths. Compare them with the size of $\sigma s$ itself, about $\sigma/S$: 0.1 at $t = 0$, 0.3 at $t = 0.2$, nearly 1 from 0.6 to 0.9, and one half at $t = 1$, where the pulls of the two peaks partly cancel. (At $t = 0.05$ the consistency networks are wrong by more than the score itself.) At most times plain score matching is the best there, and the extra terms cost some accuracy: the network has 13,000 parameters, and they are now also
  busy elsewhere.
- **Anywhere** (left), at small and medium noise, the plain network is wrong by several units. Its score is too small, and at the hair's breadth between the peaks it cannot turn around so fast.
- **Only the oracle fixes that.** Neither Fokker-Planck nor consistency does, at this number of steps. The Fokker-Planck term even makes it worse: a score that is *nearly zero* far from the data obeys the equation perfectly well, and it is a much easier solution to find.
- At $t = 1$, where noised states are nearly everywhere, all but the regression are about equally good, and it is the worst of them.
</details>

Here you see it along the line from $(0, 1)$ to $(1, 0)$, which passes through both peaks (dotted).
"""

# %% role="illustration"
analysis.draw_line(trained | analysis.exact_line(results))
plt.show()

# %% [markdown]
r"""
At small noise the true score is a saw-tooth: it pulls towards the nearer peak, harder and harder with distance, and jumps half-way between two peaks: in the middle, and at the ends of the line. Networks like smooth curves, and nobody asked them out there.

And here are the fields over the whole square. Look for the colours first: dark is strong, orange is weak.
"""

# %% role="illustration"
analysis.draw_snapshots(results)
plt.show()

# %% [markdown]
r"""
The plain network guessed the directions well, far from anything that it was ever asked: it continues what it has learned. With the Fokker-Planck term most of the square has turned orange. The equation is obeyed there, and the score is gone.

**Predict, then run.** How bad is that for *samples*? The walk starts anywhere.
"""

# %% role="illustration"
analysis.draw_samples(results)
plt.show()
analysis.draw_radii(results, SIGMA_D, SIGMA_MIN)
plt.show()

# %% [markdown]
r"""
With one exception, the samples are not as bad as the error curve suggests. Why not? Think of where the walks *are* when the noise is small; exercise 2.7 asks. A few states (the stragglers) stay in the emptiness, since the
learned score is too weak to bring them home. With the Fokker-Planck term there is hardly any pull left in the emptiness, and more than a quarter of all walks get lost. (With 21 steps even the exact score's cloud is a little wide, as in part 4.)

The law of *one* atom on the way down, for the plain network: grey is the forward process, the line is what the walk does.
"""

# %% role="illustration"
analysis.draw_marginals(results["no_regularizer"], "no regulariser")
plt.show()

# %% [markdown]
r"""
And the film: the score of the plain network from noise to data, over the density. (`python -m utils.experiments analyse` writes it as MP4 for every experiment.)
"""

# %% role="illustration"
analysis.show_film(results["no_regularizer"], "learned score")

# %% role="illustration"
analysis.show_film(results["analytical"], "exact score")

# %% [markdown]
r"""
Compare the two when $t$ is near 0.5 (or, at rest, the first two fields at $t = 0.4$ above): the directions agree nearly everywhere, the *size* does not. The exact arrows far away are darker. And along the lines where the arrows part, the exact score turns at once, the learned one takes its time.

---
# 7 · The holes at the beginning

One thing is left from part 2: the holes in the noised states at $t = 1$. With $\sigma_{\max} = 0.2$ the forward process does **not** end in the uniform law. Both atoms at $\frac14$, or both at $\frac34$, is still too rare: $p_1$ runs from 0.35 to 2.0, where the uniform
law has 1. But our walks *start* uniformly. They start from the wrong law.

The distance between two laws is measured here by the **total variation**: the largest difference in probability that any event can have. Below it is counted from histograms of 256 squares; the dashed line is what two samples of the *same* law give by luck (at $\sigma_{\max} = 0.5$; it is lower where the law is narrower).

**Predict, then run.** What happens to this distance along the walk? And with $\sigma_{\max} = 0.3$ or $0.5$?
"""

# %% role="illustration"
def prior_mismatch() -> dict:
    """Distance of the walk's law from the forward law, by time, for three sigma_max; the exact score drives the walks."""
    seed_everything(0)
    n, steps = budget.pick(full=100_000, cpu=20_000, ci=500), budget.pick(cpu=50, ci=5)
    curves = {}
    for sigma_max in (0.2, 0.3, 0.5):
        schedule = ExponentialNoise(SIGMA_MIN, sigma_max)
        _, walk = generate(lambda x, t, s=schedule: analytic_score(x, s.sigma(t), SIGMA_D), schedule, predictor_step, corrector_step,
                           uniform_states(n), steps, correctors=1, every=steps // 5)  # fmt: skip
        forward = [[analysis.noised_states(schedule, 1 - i / 5, n, SIGMA_D, "cpu") for i in range(6)] for _ in range(2)]
        curves[sigma_max] = [analysis.total_variation(a, b) for a, b in zip(walk, forward[0])]
        if sigma_max == 0.5:
            curves["luck"] = [analysis.total_variation(a, b) for a, b in zip(*forward)]
    return curves


def draw_mismatch():
    curves = prior_mismatch()
    fig, ax = plt.subplots(figsize=(6.5, 3.2))
    t = [1 - i / 5 for i in range(6)]
    for (name, curve), color, marker in zip(curves.items(), (plotting.BLUE, plotting.ORANGE, plotting.GREEN, plotting.GREY), "osv "):
        ax.plot(t, curve, "--" if name == "luck" else "-", marker=marker, color=color, label="luck" if name == "luck" else f"sigma_max = {name}")
    ax.set(xlabel="time t (the walk goes from 1, left, to 0)", ylabel="total variation", xlim=(1.03, -0.03))
    ax.set_title("How far is the walk's law from the forward process?")
    ax.legend()
    plt.show()


show_or_say(draw_mismatch, "2.1, 2.2 and 2.4")

# %% [markdown]
r"""
Read off how wrong the start is for each $\sigma_{\max}$. Do not subtract the luck: it hardly changes a large distance, and hides a small one. Exercise 2.7 asks what follows from it. (The hump of two curves at $t = 0.8$ is another error, the sampler's: it lags behind while the law contracts.)

With the *exact* score, the walk from 0.2 soon forgets its wrong start, because a uniform start gives both orders the right share, one half. Do not rely on that: if one order were twice as probable as the other, a uniform start would give wrong shares, and once the noise is small no step can repair them.

> ### Exercise 2.7 · Which regulariser helps where? (written)
> **2 points**, graded by hand · difficulty ●●●○○ · 20 minutes
>
> (a) From *your own* table and figures: what does each regulariser (regression, Fokker-Planck; consistency if you like) do to the error where states are rare and where they are common, and what does a step cost? Explain one of these effects. Why do the samples suffer less than the error curve suggests?
> (b) Why does sampling start from the wrong law when $\sigma_{\max} = 0.2$, how large is the error, and what would you change? Eight to twelve sentences.
"""

# %% [markdown] answer="lab2.regulariser_essay"
r"""
**Model answer.** (a) Without a regulariser the error of $\sigma s$ is between 0.02 and 0.2 where noised states are, but up to 7 on a uniform grid, largest at $t \approx 0.4$: there nearly all of the square is empty, and the loss of score matching never asks a question there. Regression on the exact score asks exactly there, and brings the error anywhere
below 1, at the price of a few hundredths more where states are common: the same small network now also has to fit the saw-tooth. It needs the answer, so it is an oracle, not a method. A step costs about twice a plain one. The Fokker-Planck term needs no answer, but costs four to five plain steps, and that with a quarter of the states (second derivatives of the network, and their gradients), and at this budget it makes the error
in empty places *larger* (up to 10): $s = 0$ and other flat fields obey the equation too, so the penalty is lowered by making the score small and smooth far away, and the right solution, with its jump between the peaks, is the hardest of all for a smooth network. Consistency changes little in empty places, and costs accuracy where states are common (0.07 against 0.02 at $t = 0.2$): where the network is wrong, the walks that make its targets are wrong as well (with one step the target's mean *is* the network's output); its price is about two and a half plain steps.
Samples suffer less, because walks are not uniform over the square at small noise. They are led near the crystals at high noise, where every network's score points the right way and has about the right size, *before* the noise gets small, and then only meet places where states are common. Only stragglers feel the weak score in the emptiness: 1.5 % without a regulariser, none with the oracle, but more than a quarter with the Fokker-Planck term, whose score has nearly vanished there.

(b) At $t = 1$ the forward process has a density between 0.35 and 2.0: noise of width 0.2 is too little to forget where the atoms were on a ring of length 1. The sampler draws uniformly; the total variation between the two laws is 0.17. Raise $\sigma_{\max}$: at 0.3 it is 0.02, at 0.5 it is $4 \cdot 10^{-5}$. (Or start from noised data, where one has them; more corrector steps at the first noise level also help.)

**Rubric.** 1 point for (a): rare against common places kept apart, with the student's own numbers for at least two regularisers and the price (½); an explanation of one effect or of the samples' robustness that refers to where the loss asks (½). 1 point for (b): noise of width 0.2 does not reach the uniform law, with a number or the picture of the holes (½); a cure that works: larger $\sigma_{\max}$, or another start (½). "The regulariser did not train long enough" alone is no explanation.
"""

# %% [markdown]
r"""
---
# Beyond (not graded)

- **Is the Fokker-Planck term bad, or badly used?** `run("fokker_planck", answers, ["weight=1e-3"], runs=None)`, smaller batches, or switching it on late. What does the residual do while the error grows?
- **More steps.** `LAB_BUDGET=full` has the 16,000 steps of the published experiment. Does the plain network get the saw-tooth? Does the order of the regularisers change?
- **Walk farther.** `options.steps` of the consistency experiments: `run("consistency", answers, ["options.steps=20"], runs=None)`. The longer the walk, the more news, and the more noise.
- **Drop the symmetry.** Train a network without it: `class Plain(EquivariantMLP): forward = EquivariantMLP.plain`, then `ScoreTrainer(ExponentialNoise(), Plain(), TwoAtoms())`. Which score does it learn, and what becomes of the floor?

---
# What you can do now

- write down the score of a mixture on a ring, stably, at any noise level;
- train a network by denoising score matching, and know its best possible loss;
- sample with predictor and corrector, and tell the sampler's error from the score's;
- test a regulariser fairly: where does it help, where does it hurt, what does it cost;
- distrust the law from which sampling starts.

**To read:** Vincent, *A Connection Between Score Matching and Denoising Autoencoders* (2011) · Song and others, *Score-Based Generative Modeling through Stochastic Differential Equations* (2021) · Lai and others, *FP-Diffusion: Improving Score-based Diffusion Models by Enforcing the Underlying Score Fokker-Planck Equation* (2023) · Daras and others,
*Consistent Diffusion Models* (2023) · Jiao and others, *Crystal Structure Prediction by Joint Equivariant Diffusion* (2023).
"""
