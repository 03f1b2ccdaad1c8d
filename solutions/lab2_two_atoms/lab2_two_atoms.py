# %% [markdown]
r"""
# Lab 2 · The score you can write down

Two atoms live on a ring. In this small world *everything* can be written down: the density at any noise level, its gradient,
and the error of any network. You will train networks and measure where they are wrong, and whether extra terms in the loss help.

Run the next two cells: the set-up, and a picture of what you will build.
"""

# %% role="setup" hidden="Set-up: run this cell first"
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from utils import explorables, plotting
from utils.atoms import CENTRES, IMAGES, SIGMA_D, NoiseSchedule, TwoAtoms, distance_to_crystal, generate, uniform_states
from utils.conventions import symbols
from utils.experiments import EXPERIMENTS, TRAINED, Answers, analysis, run
from utils.fallback import or_precomputed, show_or_say
from utils.figures import lab2, lab2_results
from utils.nets import EquivariantMLP, count_parameters
from utils.predictions import predict
from utils.runtime import seed_everything, setup
from utils.training import Trainer

device, budget = setup("lab2_two_atoms", seed=0, device="cpu")
plotting.use_style()

# %% role="illustration" hidden="What you will build"
lab2.draw_opening()

# %% [markdown]
r"""
A point in the square is a state of the two atoms, and an arrow is the score (dark: strong), the direction in which the density grows. Left is the exact score, which you will write down. In the middle is
the score of a network that you will train, and on the right are states that it generates. Where do the two scores differ, and does it matter?

This lab covers every stage of the course's map but guidance.

> **data → noise → score → sampler → guidance**

| | |
|---|---|
| Points | 18 |
| Time | 4 to 6 hours with reading and waiting. Split it after part 4 |
| GPU | not used |
| You need | PyTorch, gradients, Gaussian densities; no other lab |

Run the cells from top to bottom. Where a cell says `raise NotImplementedError()`, write your answer. The `check(...)` after it says
at once what is right; run it as often as you like. Your functions must work on any device, set no seed, and leave inputs, models (mode and gradients) and global settings as they found them. The set-up has imported `torch`, `nn`, `Tensor`, and the constants `CENTRES`, `SIGMA_D` and `IMAGES`.
"""

# %% [markdown]
r"""
## Notation

| symbol | in code | meaning |
|---|---|---|
| $t$ | `t`, shape `(b, 1)` | time. **The data are at $t = 0$, most noise is at $t = 1$.** Sampling runs backwards |
| $x = (x_1, x_2)$ | `x`, shape `(b, 2)` | the places of the two atoms, each in $[0, 1)$; place 1 is place 0 again |
| $x_0$ | `x0` | a state of the data, before noise is added |
| $\sigma_d = 0.01$ | `sigma_d` | the standard deviation of each atom in the data |
| $\sigma(t)$ | `sigma`, shape `(b, 1)` | the standard deviation of the noise at time $t$, from 0.001 (a little noise remains at $t = 0$) to 0.2 (to 0.5 in part 7) |
| $K(u;\, S)$ | | a Gaussian wrapped around the ring; for a state, the product over its atoms. $S^2 = \sigma_d^2 + \sigma^2$ is the variance of data plus noise |
| $k$ | `IMAGES`, a tuple | the number of a periodic copy, from $-5$ to 5 |
| $P$, $\mu^P$ | `CENTRES` $= (0.25, 0.75)$ for $P = 1$ | one of the two orders of the atoms, and their centres in that order |
| $s_t(x)$ | `score` | the score, $\nabla_x \log p_t(x)$. The network learns $\sigma s_t$ |

`b` is the batch size. The same letter means different things in the four labs:
"""

# %% hidden="The symbols of the four labs"
symbols("lab2")

# %% [markdown]
r"""
---
# 1 · Two atoms, one density

> **data (you are here)** → noise → score → sampler → guidance

In the data, the first atom is near $\frac14$ and the second near $\frac34$, each with standard deviation $\sigma_d = 0.01$. The left picture shows the atoms on the ring, the right one the
same states as *points* in the square of $(x_1, x_2)$. The square has no edges: a point that leaves on one side comes back on the opposite side. We call the
square the *cell*. An arrangement of atoms that repeats periodically is a *crystal*: here the two atoms exactly at their centres.
"""

# %% role="illustration" hidden="The data, on the ring and in the square"
lab2.draw_data()

# %% [markdown]
r"""
**Begin with one atom.** It sits near a centre $c$, with a Gaussian of standard deviation $S$. On a ring, $1.1$ is the same place as $0.1$, so the density is the sum of all periodic copies:

$$K(u;\, S) = \sum_k \mathcal N(u + k;\ 0,\ S^2), \qquad u = x - c .$$

Its score follows from a rule that you will use again and again. For a sum of positive terms, $\nabla a_i = a_i \nabla \log a_i$, so

$$\nabla \log \sum_i a_i = \sum_i r_i\, \nabla \log a_i, \qquad r_i = \frac{a_i}{\sum_j a_j} .$$

Every term pulls in its own direction, and the pulls are averaged with the *share* of each term. Here the terms are the copies, and copy $k$ pulls with $-(u + k)/S^2$. **Predict, then run.**
"""

# %%
predict("lab2.far_away", choice="")

# %% [markdown]
r"""
The next cell is a warm-up without points: complete it and compare, up to rounding.
"""

# %%
def one_atom_score(x, c=0.25, s=0.1):
    """Return d/dx log K(x - c; s) of one atom on a ring, for a number x, with all copies in IMAGES."""
    ...  # your lines: math.exp is enough here


for x, expected in ((0.05, 20.0), (0.35, -10.0), (0.70, -44.33), (0.75, 0.0), (0.80, 44.33)):
    print(f"x = {x:4}: yours {one_atom_score(x)}, expected {expected}")

# %% [markdown]
r"""
<details><summary>A solution</summary>

```python
offsets = [x - c + k for k in IMAGES]
bells = [math.exp(-(o**2) / (2 * s**2)) for o in offsets]
return -sum(b * o for b, o in zip(bells, offsets)) / sum(bells) / s**2
```
</details>

At $x = 0.75$, opposite the centre, the two nearest copies pull with equal strength in opposite directions.

**Now two atoms.** They are of the same kind: swap them, and you have the same crystal. The data contain only one order, but our model should not prefer one. So our density has *two* peaks, one for each order $P$ of the atoms:

$$p_t(x) = \tfrac12 \sum_{P = 1}^{2} K(x_1 - \mu^P_1;\, S)\ K(x_2 - \mu^P_2;\, S), \qquad \mu^1 = (\tfrac14, \tfrac34),\quad \mu^2 = (\tfrac34, \tfrac14).$$

Use the rule twice: over the copies of each atom, and over the two orders.

> ### Exercise 2.1 · The analytic score
> **4 points** · difficulty ●●●●○ · 50 minutes
>
> Complete `analytic_score(x, sigma, sigma_d)`. It returns $\nabla_x \log p$ for the density above, with equal weight for both orders.
> - `x` has the shape `(b, 2)` and `sigma` the shape `(b, 1)`: each sample has its own. `sigma_d` is a number.
> - Return the score itself, not $\sigma$ times the score.
> - It must hold for every $\sigma$ from 0.001 to 0.5 and every $x$ in $[0, 1]^2$: where a Gaussian underflows, at the edges of the cell, and where both orders are equally likely, such as the diagonal. **Work
>   with logarithms.** The copies in `IMAGES` $= (-5, \dots, 5)$ are enough; three are not.
> - It works in `float32` and `float64`, returns the dtype of `x` (`float32`'s precision is enough), and runs inside `torch.no_grad()`.
> - You may call a helper of your own again in 2.3 and 2.6.

<details><summary>A nudge</summary>

`(-u**2 / (2 * S2)).softmax(dim)` gives the shares of the copies, and `.logsumexp(dim)` the logarithm of their sum. Neither underflows.
What do you add up over the two atoms to get the logarithm of the weight of one order?
</details>
<details><summary>The shape of the answer</summary>

Offsets with the axes (sample, order, atom, copy). A softmax over the copies gives the pull on each atom in each order, a logsumexp its log weight. Add the log weights over the atoms,
take a softmax over the orders, and average the pulls. Common constants cancel in every softmax.
</details>
<details><summary>"I get NaN"</summary>

You divide by a density. With $S = 0.01$, half a ring away, it is $e^{-1250}$, and the smallest positive `float64` is about $e^{-745}$: you divide zero by zero.
</details>
"""

# %% answer="lab2.analytic_score"
def analytic_score(x: Float[Tensor, "b 2"], sigma: Float[Tensor, "b 1"], sigma_d: float) -> Float[Tensor, "b 2"]:
    """Return the score of two atoms on a ring: data of width sigma_d in either order, plus noise of width sigma."""
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
Here is *your* score at three noise levels, over the density (blue). All arrows have the same length; their colour shows the size of $S \cdot s$, which is of order 1 near a peak. In the card below it, drag a point: every copy of a peak pulls.
"""

# %% role="illustration" hidden="Your picture: the score at three noise levels"
show_or_say(lambda: lab2.draw_my_field(analytic_score, budget.pick(cpu=200_000, ci=20_000)), "2.1")

# %% role="illustration" hidden="Move it: the pull of each copy"
explorables.show("ring_field")

# %% [markdown]
r"""
At small noise the score is **large far from the peaks**: the pull is the distance to the nearer peak over $S^2$. *On* a line half-way between two peaks the pulls across the line cancel, and on its two sides they have opposite signs.

> **Remember:** the score of a mixture is the average of the pulls, weighted by their shares.

---
# 2 · Noise on a ring

> data → **noise (you are here)** → score → sampler → guidance

The forward process adds noise and wraps: $x_t = (x_0 + \sigma(t)\, \varepsilon) \bmod 1$ with $\varepsilon \sim \mathcal N(0, I)$. A ring has no place towards which the data could shrink, so only the variance grows: this
family is called *variance exploding*. Its width $\sigma(t)$ grows by the same factor in equal times, from $\sigma_{\min} = 0.001$ at $t = 0$ to $\sigma_{\max} = 0.2$ at $t = 1$.

> ### Exercise 2.2 · The schedule and the noise
> **2 points** (1 each) · difficulty ●○○○○ · 10 minutes
>
> Complete `sigma(t)` and `add_noise(x0, t, noise)`, with `self.sigma_min` and `self.sigma_max`. Wrap the noisy state into the cell $[0, 1)$; place 1 counts as 0. Use the `noise` that you are given. Compute `sigma` from the tensor `t`, because part 5 differentiates it with respect to `t`.

<details><summary>A nudge</summary>

The logarithm of $\sigma$ is a straight line in $t$. In Python `-0.1 % 1.0` is 0.9, and torch does the same. `(b, 1)` times `(b, 2)` broadcasts as you want.
</details>
"""

# %% answer="lab2.add_noise"
class ExponentialNoise(NoiseSchedule):
    def sigma(self, t: Float[Tensor, "b 1"]) -> Float[Tensor, "b 1"]:
        """Return the width of the noise: self.sigma_min at t = 0, self.sigma_max at t = 1, a constant factor in equal times."""
        ### BEGIN SOLUTION
        return self.sigma_min * (self.sigma_max / self.sigma_min) ** t
        ### END SOLUTION

    def add_noise(
        self, x0: Float[Tensor, "b n"], t: Float[Tensor, "b 1"], noise: Float[Tensor, "b n"]
    ) -> Float[Tensor, "b n"]:
        """Return x0 with noise of width sigma(t), wrapped into the cell [0, 1)."""
        ### BEGIN SOLUTION
        return (x0 + self.sigma(t) * noise) % 1.0
        ### END SOLUTION


# %% check="lab2.add_noise"

# %% role="illustration" hidden="Your picture: noisy states at five times"
show_or_say(lambda: lab2.draw_noised(ExponentialNoise()), "2.2")

# %% [markdown]
r"""
Blue is your data with noise, grey the same with the atoms swapped. At $t = 1$ all places have been reached, but not equally often: there are holes (circled) around $(\frac14, \frac14)$ and
$(\frac34, \frac34)$, because one atom must move half-way around the ring to get there.

> **Remember:** $x_t = (x_0 + \sigma(t)\, \varepsilon) \bmod 1$. Given $x_0$, its density is $K(x - x_0;\ \sigma)$.

---
# 3 · Learning the score from noise

> data → noise → **score (you are here)** → sampler → guidance

Pretend that you do not know the density. You have only samples $x_0$ and can add noise. Given $x_0$, the score of the noisy $x$ is known: $\nabla_x \log K(x - x_0;\ \sigma)$.

Many $x_0$ may have led to the same $x$, and each one gives another arrow. **Least squares learns their mean.** ($\mathbb E[(m - a)^2 \mid x]$ is smallest at $m = \mathbb E[a \mid x]$.) The density $p_t(x) = \int p(x_0)\, K(x - x_0;\, \sigma)\, \mathrm dx_0$ is a sum of many terms, and the share of a term is $p(x_0 \mid x)$. So by the
rule of part 1 this mean is exactly $\nabla_x \log p_t(x)$: *denoising score matching*. Here $p_t$ has the one order of the data; the network below adds the other.

This target is about $1/\sigma$, a thousand at $t = 0$ and five at $t = 1$, so small times would dominate the loss. Multiplied by $\sigma$, it is about 1 throughout. So the network $m_\theta(x, t)$
learns $\sigma s$, and the loss is

$$\mathcal L(\theta) = \mathbb E\, \Big[ \big( m_\theta(x, t) - \sigma(t)\, \nabla_x \log K(x - x_0;\ \sigma(t)) \big)^2 \Big],$$

the mean over samples *and* atoms.

> ### Exercise 2.3 · Denoising score matching on a ring
> **3 points** · difficulty ●●●○○ · 30 minutes
>
> Complete `get_train_loss(self, batch_size)`. It returns the loss above for one batch, **averaged over batch and atoms**, as a tensor of shape `()`. Gradients flow from it to the model.
> - The data are `x0, _ = self.data.sample(batch_size)`; the network is `self.model(x, t)`.
> - Each sample has its own time, uniform on $[0, 1]$, shape `(b, 1)`, and standard normal noise in the shape of `x0`. All these numbers are independent, and new in every call.
> - `self.schedule.add_noise(x0, t, noise)` makes the noisy states, and `self.schedule.sigma(t)` is their width. The schedule may be any schedule, not only yours.
> - Count all copies in `IMAGES`. There is no $\sigma_d$ here: $x_0$ is known.

<details><summary>A nudge</summary>

You met the score of the wrapped Gaussian in 2.1: a mean of $-(u + k)/\sigma^2$ with shares from a softmax. Now the centre is $x_0$.
</details>
<details><summary>Isn't the target just minus the noise?</summary>

On a line it is. On a ring the noise may have gone around. The average over all ways from $x_0$ to $x$ has the same mean as minus the noise, and less variance.
</details>
"""

# %% answer="lab2.score_loss"
class ScoreTrainer(Trainer):
    def __init__(self, schedule: NoiseSchedule, model: nn.Module, data: TwoAtoms):
        super().__init__(model)
        self.schedule, self.data = schedule, data

    def get_train_loss(self, batch_size: int) -> Float[Tensor, ""]:
        """Return the denoising score matching loss of one batch, the mean over batch and atoms. The model returns sigma · score."""
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

The network is given: a small MLP of the time, and of cosines and sines of the coordinates, which make it periodic. It averages over both orders of the atoms, so swapped inputs give swapped outputs, whatever
its weights are. This **permutation equivariance** forces it to learn the density with both orders: its best fit to the data is the best fit to the data and their swapped copy, half each.
"""

# %%
net = EquivariantMLP().to(device)
x, t = uniform_states(5, device), torch.rand(5, 1, device=device)
print(f"{count_parameters(net):,} parameters. Swap the inputs, or swap the outputs: is the result the same?")
with torch.no_grad():
    for name, model in (("equivariant network", net), ("plain MLP inside", net.plain)):
        difference = (model(x.flip(1), t) - model(x, t).flip(1)).abs().max()
        print(f"  {name}: largest difference {float(difference):.1e}")

# %% [markdown]
r"""
## Training it

**Which loss can be reached?** Not zero, because $x$ does not tell which $x_0$ it came from. But you know the best network that treats both atoms alike, your exact score: its loss is the dashed line.

**Predict, then run.**
"""

# %%
predict("lab2.reachable_loss", choice="")

# %% role="illustration" hidden="Your training"
answers = Answers.of(globals())
runs = budget.pick(full="runs/lab2", ci=None)  # where training keeps its state: an interrupted run continues
plain = or_precomputed(lambda: run("no_regularizer", answers, runs=runs), lambda: None, "Training")
history = plain.history if plain else analysis.stored_results()["no_regularizer"]["history"].tolist()


def exact() -> float:
    return lab2_results.loss_of_exact_score(ScoreTrainer, ExponentialNoise(), analytic_score, budget.pick(cpu=100_000, ci=500))


lab2.draw_training(history, or_precomputed(exact, lambda: 0.469, "The exact score's loss"))

# %% [markdown]
r"""
The loss comes close to the dashed line; below it is chance. **Do not trust the loss too much**: it tests the network only where noisy data *are*.

> **Remember:** $\nabla_x \log p_t(x) = \mathbb E\big[\nabla_x \log K(x - x_0; \sigma) \mid x\big]$.

---
# 4 · Going back: predictor and corrector

> data → noise → score → **sampler (you are here)** → guidance

To generate, start at $t = 1$ with both atoms anywhere and walk to $t = 0$, with two kinds of steps.

**The predictor** goes to the next, lower noise level $\sigma_{\text{next}}$. Between the two levels, the forward process added noise of variance $g^2 = \sigma^2 - \sigma_{\text{next}}^2$. The step goes from $x$ to the *mean* of the state $u$ before that noise, and adds fresh noise of variance $g^2$, because $u$ itself is not known. Which mean? Use part 3, with $u$ in the place of $x_0$.

<details><summary>Derivation: the step, to compare with yours</summary>

We have $x = u + g\, \varepsilon$, so part 3 holds with $g$ in the place of $\sigma$ (a step is small, so forget the ring for a moment):

$$s(x) = \mathbb E\Big[ \frac{u - x}{g^2}\ \Big|\ x \Big] \quad\Longrightarrow\quad \mathbb E[u \mid x] = x + g^2 s(x) .$$

The step is $x \leftarrow x + g^2 s + g\,\varepsilon$. Its mean is exact. If $g$ is small, the density of $u$ hardly changes within a distance $g$, so $p(u \mid x) \propto p(u)\, \mathcal N(x; u, g^2)$ has
nearly the variance $g^2$: the fresh noise.
</details>

**The corrector** stays at its noise level and repairs. It is a step of *Langevin dynamics* of size $\tau$: a drift $\tau s$ towards higher density, and fresh noise. The drift changes the density $p$ by $-\tau\, \nabla\!\cdot (p\, s)$, and noise of variance $v$ by $\frac{v}{2}\, \Delta p$. Which $v$ makes the two cancel where $s = \nabla \log p$?

<details><summary>Derivation: the corrector's noise, to compare with yours</summary>

We have $p\, s = \nabla p$, so the drift changes the density by $-\tau\, \Delta p$, and the noise needs the variance $v = 2\tau$: $x \leftarrow x + \tau\, s + \sqrt{2 \tau}\ \varepsilon$.
</details>

In parts 4 and 6 two corrector steps follow each predictor step (one in part 7), with $\tau = (0.12\,\sigma)^2 / 2$.

> ### Exercise 2.4 · Predictor and corrector
> **3 points** (predictor 2, corrector 1) · difficulty ●●●○○ · 15 minutes
>
> Complete `predictor_step(x, score, sigma, sigma_next, noise)` and `corrector_step(x, score, step, noise)`. `score` is $s$ itself at `x`; `sigma`, `sigma_next` and `step`, the size $\tau$, have the shape `(b, 1)`, and `sigma` is larger
> than `sigma_next`. Both return states wrapped into $[0, 1)$ and use the noise that they are given.

<details><summary>A nudge</summary>

Variances of independent noise add and subtract; standard deviations do not. $g$ is a square root.
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
    """Return the states after a step from noise level sigma to the lower level sigma_next, on the ring."""
    ### BEGIN SOLUTION
    variance = sigma**2 - sigma_next**2
    return (x + variance * score + variance.sqrt() * noise) % 1.0
    ### END SOLUTION


def corrector_step(
    x: Float[Tensor, "b n"], score: Float[Tensor, "b n"], step: Float[Tensor, "b 1"], noise: Float[Tensor, "b n"]
) -> Float[Tensor, "b n"]:
    """Return the states after one Langevin step of the given size at one noise level, on the ring."""
    ### BEGIN SOLUTION
    return (x + step * score + (2 * step).sqrt() * noise) % 1.0
    ### END SOLUTION


# %% check="lab2.predictor_corrector"

# %% role="illustration" hidden="Move it: one walk, step by step"
explorables.show("ring_walk")

# %% [markdown]
r"""
Single walks, driven by your *exact* score:
"""

# %% role="illustration" hidden="Your picture: walks on the ring"
def walk_with_exact_score(n: int, steps: int, **options):
    schedule = ExponentialNoise()

    def score(x, t):
        return analytic_score(x, schedule.sigma(t), SIGMA_D)

    return generate(score, schedule, predictor_step, corrector_step, uniform_states(n), steps, **options)


def show_walks():
    seed_everything(4)
    lab2.draw_walk(walk_with_exact_score(6, 50, every=1)[1])


show_or_say(show_walks, "2.1, 2.2 and 2.4")

# %% [markdown]
r"""
The atoms wander at first. By $t = 0.85$ each pair has decided on an order, and then the walk only narrows.

Test the sampler alone. With the exact score, the distance of a sample to the nearer peak should follow the **Rayleigh distribution**, $p(r) = \frac{r}{w^2} e^{-r^2/2w^2}$, that of the length of a Gaussian vector.
Here $w^2 = \sigma_d^2 + \sigma_{\min}^2$, because a little noise remains.

**Predict, then run.**
"""

# %%
predict("lab2.exact_score", choice="")

# %% role="illustration" hidden="Your picture: the distance to the crystal"
def show_radii():
    radii = {}
    for steps in (21, 50, 200):
        seed_everything(1)
        x = walk_with_exact_score(budget.pick(full=10_000, cpu=3000, ci=100), budget.pick(full=steps, ci=3))
        radii[steps] = distance_to_crystal(x)
    lab2.draw_radii_by_steps(radii)


show_or_say(show_radii, "2.1, 2.2 and 2.4")

# %% [markdown]
r"""
21 predictor steps find the crystal every time, but the cloud is too wide: each step reduces $\sigma$ by 22%, so $g$ is not small, and the fresh noise is more than the right variance of $u$. **An exact score does not make an exact sampler.**

> **Remember:** $x \leftarrow x + g^2 s + g\,\varepsilon$ with $g^2 = \sigma^2 - \sigma_{\text{next}}^2$.

---
# 5 · What the loss does not see

> data → noise → **score (you are here, again)** → sampler → guidance

At small noise nearly the whole square is empty, and score matching almost never evaluates the network there. But a walk that starts *anywhere* may have to cross the empty region. Can we teach the
network about it **without knowing the answer**? There are two ideas.

## Idea 1: the score obeys an equation

Adding noise is diffusion: the density spreads like heat. A Gaussian of variance $v$ satisfies $\partial_v \mathcal N = \frac12 \Delta \mathcal N$ in any number of dimensions, and so does any sum of such Gaussians. With $v = \sigma_d^2 + \sigma(t)^2$ this is the Fokker-Planck equation
$\partial_t p = \frac12 \frac{\mathrm d \sigma^2}{\mathrm d t}\, \Delta p$. Divide by $p$ and take the gradient: the result is an equation for the score alone,

$$\partial_t s = \frac12 \frac{\mathrm d \sigma^2}{\mathrm d t}\ \nabla_x \Big( \nabla_x \!\cdot s + \| s \|^2 \Big) .$$

It holds **everywhere**. So take random states and penalise the **residual**, left side minus right side.

<details><summary>The derivation</summary>

With $\ell = \log p$: $\ \partial_t \ell = \partial_t p / p$ and $\Delta p / p = \Delta \ell + \|\nabla \ell\|^2$. So $\partial_t \ell = \frac12 \frac{\mathrm d \sigma^2}{\mathrm d t} (\Delta \ell + \|\nabla \ell\|^2)$. Take $\nabla$ on both sides, and write $s = \nabla \ell$.
Note that $\nabla \|s\|^2$ is *twice* the transposed Jacobian times $s$.
</details>

> ### Exercise 2.5 · The Fokker-Planck residual
> **3 points** · difficulty ●●●●○ · 40 minutes
>
> Complete `fokker_planck_residual(score, x, t, sigma)`. It returns $\partial_t s - \frac12 \frac{\mathrm d \sigma^2}{\mathrm d t} \nabla_x (\nabla_x \!\cdot s + \|s\|^2)$, one number for each sample and coordinate, in the shape of `x`.
> - `score(x, t)`, a function or a module, returns the score itself, not multiplied by $\sigma$; the score of each sample depends only on its own `x` and `t`. `sigma(t)` is any schedule.
> - All derivatives come from automatic differentiation. `x` may have any number of coordinates.
> - The result is used in *training*: gradients must flow from it to the parameters behind `score`, so use `create_graph=True`.
> - Leave the `requires_grad` of `x` and `t` as it was.

<details><summary>A nudge</summary>

`torch.autograd.grad(y.sum(), x)` gives the gradient of each row's `y` with respect to its own row of `x`, because rows do not mix. One call for each coordinate of `s` returns a row of the Jacobian *and* the time
derivative. For the outer gradient, build the number in the brackets and differentiate it once more.
</details>
<details><summary>The shape of the answer</summary>

Two levels of derivatives: first of every $s_i$ with respect to `(x, t)`, then of one number for each sample with respect to `x`. `sigma(t)**2` needs a derivative of its own.
</details>
<details><summary>"Trying to backward through the graph a second time"</summary>

A `grad` without `create_graph=True` frees its graph, and something that you still use depends on it.
</details>
"""

# %% answer="lab2.fokker_planck"
def fokker_planck_residual(score, x: Float[Tensor, "b n"], t: Float[Tensor, "b 1"], sigma) -> Float[Tensor, "b n"]:
    """Return d_t s - 1/2 (d_t sigma²) grad_x (div s + |s|²) for s = score(x, t): zero for the score of noisy data.

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
Test it with **your exact score**. Its terms run from hundreds to ten thousand, and must cancel up to rounding:
"""

# %% role="illustration" hidden="The residual of your exact score"
show_or_say(
    lambda: lab2_results.print_residual(fokker_planck_residual, analytic_score, ExponentialNoise()), "2.1, 2.2 and 2.5"
)

# %% [markdown]
r"""
## Idea 2: scores at two times must agree

Stand at $x$ at time $t$. Walk back a few predictor steps, to some $y$ at an earlier time. The noise level is $\sigma_{\text{start}}$ at $x$ and $\sigma_{\text{end}} < \sigma_{\text{start}}$ at $y$, so between them only noise of
variance $\sigma_{\text{start}}^2 - \sigma_{\text{end}}^2$ was added. If the walk is exact, $y$ given $x$ has its distribution under the forward process. Then the argument of part 3, with $y$ in the place of $x_0$, says

$$s_t(x) = \mathbb E\,\big[\, \nabla_x \log K\big(x - y;\ \sqrt{\sigma_{\text{start}}^2 - \sigma_{\text{end}}^2}\,\big)\ \big|\ x \,\big] .$$

So $y$, made with the score alone, gives a *target* for the score at $x$. In training the walk takes the network's own score, which is not exact; the network must agree with where its walk leads: **consistency**.

> ### Exercise 2.6 · The target of consistency
> **1 point** · difficulty ●●○○○ · 8 minutes
>
> Complete `consistency_target(x, y, sigma_start, sigma_end)`. For each sample it returns $\sigma_{\text{start}}$ times the gradient of $\log K$ above with respect to $x$, on the ring, with all copies in `IMAGES`. (Times
> $\sigma_{\text{start}}$, because the network returns that at $x$.) Both sigmas have the shape `(b, 1)`. It works inside `torch.no_grad()`, where the experiments call it.

<details><summary>A nudge</summary>

It is the wrapped Gaussian of 2.3 once more. Its variance is a difference of variances. Which of the three standard deviations is the factor in front?
</details>
"""

# %% answer="lab2.consistency"
def consistency_target(
    x: Float[Tensor, "b n"], y: Float[Tensor, "b n"], sigma_start: Float[Tensor, "b 1"], sigma_end: Float[Tensor, "b 1"]
) -> Float[Tensor, "b n"]:
    """Return what sigma_start · score at x should be if a walk from x ended at y: sigma_start · grad_x log K(x - y)."""
    ### BEGIN SOLUTION
    variance = sigma_start**2 - sigma_end**2
    offsets = (x - y)[..., None] + torch.tensor(IMAGES, device=x.device, dtype=x.dtype)
    weights = (-(offsets**2) / (2 * variance[..., None])).softmax(dim=-1)
    return -sigma_start * (weights * offsets).sum(dim=-1) / variance
    ### END SOLUTION


# %% check="lab2.consistency"

# %% [markdown]
r"""
## How far should the walk go?

At a place and time where your network is wrong: **predict, then run**.
"""

# %%
predict("lab2.one_step", choice="")

# %% role="illustration" hidden="The mean target after 1, 5 and 20 steps"
def show_tautology():
    if plain is None:
        raise NotImplementedError  # nothing was trained
    steps = predictor_step, consistency_target, analytic_score
    lab2_results.print_targets(plain.model, ExponentialNoise(), *steps, budget.pick(cpu=200_000, ci=500))


show_or_say(show_tautology, "2.1 to 2.4 and 2.6")

# %% [markdown]
r"""
**One step says nothing**: it returns the network's own number, up to chance (the number after ± is one standard error). Longer walks come closer to the exact value here: the target averages the network's scores along the way, where they are better. Where the network
is wrong all along the walk, so is the target.

<details><summary>The computation</summary>

One step leads to $y = x + g^2 s_\theta(x) + g\, \varepsilon$, and the target's mean is $\sigma\, \mathbb E[(y - x)/g^2] = \sigma s_\theta(x)$: what the network returns already. The expected gradient is zero, *whatever it
returns*. Only a walk of several steps, which uses the score at *other* places and times, brings new information.
</details>

---
# 6 · A fair test

> data → noise → **score (you are here)** → sampler → guidance

Train the same network from the same start with the same number of steps, and change only the extra term (the *regulariser*):

| experiment | extra term, at states drawn uniformly | weight |
|---|---|---|
| plain | nothing | 0 |
| regression | squared error of $m_\theta$ against *your exact* $\sigma s$. An **oracle**: no real problem has it | 1 |
| Fokker-Planck | mean square of your residual, of $s = m_\theta / \sigma$ | $10^{-5}$ |
| consistency | squared difference from your target, after 5 steps of 0.01 in $t$ with the network's own score | $10^{-3}$ |
| consistency, exact guide | the same, but your exact score drives the walks: an oracle in part | $10^{-3}$ |

The verdict holds only for these weights and 1,500 steps. The folded cell trains the last four, in a minute or two; plain is yours from part 3. The regression's extra term has a full batch of states, consistency's half a batch, and Fokker-Planck's 64: second derivatives are expensive.

**Predict, then run.**
"""

# %%
predict("lab2.extra_terms", choice="")

# %% role="illustration" hidden="Your experiments: train, measure, compare"
answers = Answers.of(globals())  # by now all of them


def measured(name: str) -> dict:
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
<details><summary>Compare with your own reading</summary>

- **Where the states are** (right), errors are 0.02 to 0.3; $\sigma s$ itself is about $\sigma/S$ up to $t = 0.9$: 0.1 at $t = 0$, 0.3 at 0.2, nearly 1 from 0.6; at $t = 1$ it is 0.5. Another seed makes plain's error
  up to four times as large at small noise, so smaller differences are no finding.
- **Anywhere** (left), at small and medium noise, the plain network's error is 60 to 76% of that of a network that returns 0.
- **Only the regression, the oracle, fixes that**, although it is the worst at $t = 1$. Consistency, even with the exact guide, changes little more than another seed does. (At weight 0.03 the exact guide halves the error anywhere.) The Fokker-Planck term makes both errors worse from $t = 0.4$ to 0.9.
</details>

Here is the score along the line from $(0, 1)$ to $(1, 0)$, which passes through both peaks (dotted).
"""

# %% role="illustration" hidden="Your picture: the score along a line"
analysis.draw_line(trained | analysis.exact_line(results))
plt.show()

# %% [markdown]
r"""
At small noise the exact score is a saw-tooth: it pulls towards the nearer peak, and jumps half-way. Networks prefer smooth curves, and no training sample lands out there to correct them.

The fields over the whole square. Dark is strong, yellow weak.
"""

# %% role="illustration" hidden="Your picture: the fields at t = 0.4"
analysis.draw_snapshots(results)
plt.show()

# %% [markdown]
r"""
**Predict, then run.**
"""

# %%
predict("lab2.bad_scores_samples", choice="")

# %% role="illustration" hidden="Your picture: generated states"
analysis.draw_samples(results)
plt.show()
analysis.draw_radii(results, SIGMA_D, ExponentialNoise().sigma_min)
plt.show()

# %% [markdown]
r"""
With plain score matching and with consistency only a few per cent of the states stay away from the peaks (beyond 0.06), although far away these scores are wrong by most of their size. Why? Think of where the walks *are* when the noise is small. With the Fokker-Planck term, the score far away is
so weak that about three states in ten never come back.

The distribution of *one* atom on the way, for the plain network. The cloud is too wide. The sampler has its share: with 21 steps even the exact score's cloud ends 13 to 15% too wide. (The last three panels are enlarged, with both peaks folded onto one.)
"""

# %% role="illustration" hidden="Your picture: one atom on the way"
analysis.draw_marginals(results["no_regularizer"], "plain score matching")
plt.show()

# %% role="illustration" hidden="Your film: the learned score"
analysis.show_film(results["no_regularizer"], "learned score")

# %% role="illustration" hidden="Your film: the exact score"
analysis.show_film(results["analytical"], "exact score")

# %% [markdown]
r"""
Near $t = 0.5$ the directions mostly agree, but far away the exact arrows are darker.

> **Remember:** score matching is accurate where the training samples are. A sampler works as long as it stays there.

## Open exercise: the cheapest experiment at equal error

*No points.* Find the experiment that trains in the shortest time, with an error anywhere, over all times, no larger than the plain one's. Choose a name from `TRAINED`, and set `steps`, `batch`, `lr`, `weight`, `network.width` and `network.layers`. Oracles, such as the one below, do not count, nor does the exact guide.
"""

# %% role="illustration"
def my_experiment():
    settings = [f"steps={budget.pick(cpu=400, ci=4)}", "weight=1.0"]
    return run("analytical_regression", answers, settings, runs=None)  # a name from TRAINED


def pace_of_plain():
    return run("no_regularizer", answers, [f"steps={budget.pick(cpu=100, ci=2)}"], runs=None)


show_or_say(lambda: lab2_results.print_price(my_experiment(), plain, pace_of_plain(), budget.pick(cpu=50, ci=8)), "2.1 to 2.6")
print("Experiments:", *TRAINED)

# %% [markdown]
r"""
---
# 7 · The holes at the beginning

> data → noise → score → **sampler (you are here)** → guidance

Back to the holes at $t = 1$. With $\sigma_{\max} = 0.2$ the forward process does **not** end in the uniform distribution: $p_1$ runs from 0.35 to 2.0, where the uniform density is 1. But the walks
*start* uniformly: from the wrong distribution.

Their distance is measured by the **total variation**: the largest difference in probability that any event can have. At the start it is computed exactly, from the density of part 1: the triangles.
On the way it is counted, from histograms of 256 squares. The dashed line is what *chance* gives for two samples of the same distribution (at $\sigma_{\max} = 0.5$).

**Predict, then run.**
"""

# %%
predict("lab2.wrong_start", choice="")

# %% role="illustration" hidden="Your picture: walks against the forward process"
def show_start():
    steps = ExponentialNoise, analytic_score, predictor_step, corrector_step
    sizes = budget.pick(full=100_000, cpu=20_000, ci=500), budget.pick(cpu=50, ci=5)
    lab2.draw_start(*lab2_results.distances_to_forward(*steps, *sizes))


show_or_say(show_start, "2.1, 2.2 and 2.4")

# %% [markdown]
r"""
The triangles: the larger $\sigma_{\max}$, the better the start. The counted curves of 0.3 and 0.5 begin near the dashed line: samples cannot resolve so small a distance.

**The hump at $t = 0.8$ is another error**, that of the sampler: with 50 steps it lags behind while the distribution contracts, the more so for a larger $\sigma_{\max}$. Twice as many steps lower the hump, from 0.12 to 0.07 for 0.5 (chance: 0.06), but do not move the triangles.

With the *exact* score, the walk from 0.2 soon forgets its wrong start (at $t = 0.8$ the hump is left). (At small $t$ these squares see only the peak, not the width of the cloud.) Can it always?

> ### Exercise 2.7 · Which regulariser helps where? (written)
> **2 points**, graded by hand · difficulty ●●●○○ · 35 minutes
>
> In eight to twelve sentences:
> (a) From *your own* table and figures, compare two regularisers: their errors where states are rare and where they are common, and the cost of a step. Then explain **one** thing that you saw: a difference between these errors, or why so few
> samples suffer from a score that is wrong nearly everywhere.
> (b) The uniform start is wrong when $\sigma_{\max} = 0.2$: by how much? Why do walks with the exact score end right all the same? Suppose that the data contained *both* orders, one of them twice as often, and that you know their score. Would the walks
> still end right, and what would you change?
"""

# %% [markdown] answer="lab2.regulariser_essay"
r"""
**Model answer.** (a) Without a regulariser the error of $\sigma s$ is between 0.02 and 0.2 where noisy states are, but up to 7 on a uniform grid, largest at $t \approx 0.4$: nearly all of the square is empty there, and the
loss of score matching never evaluates the network in empty places. Regression on the exact score evaluates it exactly there and brings the error anywhere to 1 or below. Its price is the largest error of all where states are
common at $t = 1$: the same small network now also has to fit the saw-tooth. It needs the answer, so it is an oracle and not a method. A step costs about twice a plain one. The Fokker-Planck term needs no answer but costs four to five
plain steps, with a quarter of the states (second derivatives of the network, and their gradients), and at this budget it makes the error in empty places *larger* (up to 10): $s = 0$ and other flat fields obey the equation,
too, so the penalty falls when the score becomes small and smooth far away, while the right solution, with its jump between the peaks, is the hardest for a smooth network. (Consistency changes little in empty places:
where the network is wrong, the walks that make its targets are wrong as well. Where states are common its error at $t = 0.2$ is 0.07 against 0.02 here, and 0.02 against 0.05 with another seed, so one run decides nothing. A step costs about two and a
half plain ones.)
Samples suffer less, because walks are not uniform over the square at small noise. They are led near the crystals at high noise, where the score of every network points the right way and has about the right size, *before*
the noise gets small. From then on they meet only places where states are common. Only stragglers feel the weak score far away: 1.5 % without a regulariser, none with the oracle, but about three in ten with the
Fokker-Planck term, whose score has nearly vanished there.

(b) At $t = 1$ the total variation between the forward process and the uniform start is 0.17: noise of standard deviation 0.2 is too little to forget where the atoms were on a ring of length 1. The exact score leads every walk to one
of the two peaks, so only the *shares* of the peaks could remember the start. The uniform distribution and the exact score are both symmetric under a swap of the atoms, so each order gets one half, and one half is right. With two thirds and one
third there is no such symmetry. The start gives both orders the same share, the score corrects this only while the two peaks overlap, and from 0.2 it is too late: a calculation with 400 steps ends at 0.59 instead of 0.67. Raise
$\sigma_{\max}$: the start is wrong by 0.02 at 0.3 (the share is then 0.65) and by $4 \cdot 10^{-5}$ at 0.5. (Or start from noisy data, where they exist.)

**Rubric.** 1 point for (a): rare and common places kept apart, with the student's own numbers for two regularisers and the cost (½); an explanation of one effect, or of the samples' robustness, that refers to where the
loss evaluates the network (½). 1 point for (b): the error of the start with a number, and the symmetry as the reason why the walks end right (½); with unequal shares they do
not, and a fix that works: a larger $\sigma_{\max}$, or another start (½). "The regulariser did not train long enough" alone is no explanation.
"""

# %% [markdown]
r"""
> **Remember:** check that the noise reaches the distribution from which you start. In lab 1 it does.

---
# Beyond (not graded)

- **Is the Fokker-Planck term bad, or badly used?** Try `run("fokker_planck", answers, ["weight=1e-3"], runs=None)`. Measure residual and error: which one grows?
- **Longer walks, other seeds**: `run("consistency", answers, ["options.steps=20", "seed=1"], runs=None)`. After 16,000 steps (`LAB_BUDGET=full`) consistency has diverged, and the exact guide helps. Why?
- **Drop the symmetry**: `class Plain(EquivariantMLP): forward = EquivariantMLP.plain`. Train it: `ScoreTrainer(ExponentialNoise(), Plain(), TwoAtoms()).train(1500, device, batch_size=256)`. Which score does it learn, which loss can it reach?

---
# What you can do now

- write down the score of a mixture on a ring, at any noise level;
- train a network by denoising score matching, and know its best possible loss;
- sample with predictor and corrector, and separate the sampler's error from the score's;
- test a regulariser fairly.

**To read:** Vincent, *A Connection Between Score Matching and Denoising Autoencoders* (2011) · Song and others, *Score-Based Generative Modeling through SDEs* (2021) · Lai and others, *FP-Diffusion* (2023) ·
Daras and others, *Consistent Diffusion Models* (2023) · Jiao and others, *Crystal Structure Prediction by Joint Equivariant Diffusion* (2023).
"""
