# %% [markdown]
r"""
# Lab 1 · Guidance you can check by hand

A generative model is *guided* when you say "more of this, please" while it samples. It works on photographs, and
nobody can check it there: no one knows the true distribution of photographs. So we begin with worlds that are small enough to
know. Lattices of 36 spins, words of a dozen letters. Every density, every posterior and every score will be a formula, and **every
claim about guidance can be compared with the truth**.

**What you build:** a sampler for toy worlds · noise that forgets them · the exact answer to "which class made this?" · the exact score · a classifier that
has to learn the same from samples · one guided step, and with it a guided sampler.

| | |
|---|---|
| Points | 18 |
| Time | about 2 hours |
| GPU | not needed: the longest cell takes a minute |
| You need | PyTorch, Bayes' rule, the normal distribution. Nothing of the other labs |

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

from utils import plotting, simplex
from utils.fallback import drawn
from utils.nets import WordClassifier
from utils.runtime import setup
from utils.toy_problems import (
    ToyProblem,
    all_down,
    biased_letters,
    dirichlet_letters,
    disjoint_letters,
    ferromagnet,
    noisy_spins,
    redrawn_letters,
    up_spin_pmf,
)
from utils.training import Trainer
from utils.vp import T_MIN, alpha, beta, sigma, times

device, budget = setup("lab1_discrete_toys", seed=0)
plotting.use_style()

# %% [markdown]
r"""
## Notation

| symbol | in code | meaning |
|---|---|---|
| $t$ | `t`, shape `(b, 1, 1)` | time. **Data at $t = 0$, noise at $t = 1$.** Sampling runs backwards, and stops at `T_MIN` $= 0.001$ |
| $x_0$ | `x0`, shape `(b, sites, d)` | data: a spin is one number, $-1$ or $+1$ ($d = 1$); a letter is a one-hot vector ($d$ = size of the alphabet) |
| $x_t$ | `x`, shape `(b, sites, d)` | the same, with noise |
| $\alpha(t), \sigma(t)$ | `alpha(t)`, `sigma(t)` | how much data and how much noise is in $x_t$; $\alpha^2 + \sigma^2 = 1$ |
| $\beta(t)$ | `beta(t)` | the rate at which noise comes in |
| $y$ | `y`, shape `(b,)` | the class, an integer |
| $c$ | | a component: a class is a mixture of components |
| $w$ | `w` | the guidance scale: 0 ignores the class, 1 is the honest conditional law, more is guidance |

`b` is the batch size. A world is a `ToyProblem` (read `utils/toy_problems.py`, it is short):

| field | shape | meaning |
|---|---|---|
| `setting.probs[c, i, k]` | `(components, sites, letters)` | probability of letter `k` at site `i` in component `c` |
| `setting.weights[y, c]` | `(classes, components)` | share of component `c` in class `y` |
| `setting.prior[y]` | `(classes,)` | $p(y)$ |
| `setting.points[k]` | `(letters, d)` | where letter `k` sits in space: $\pm 1$, or a one-hot vector |
| `setting.embed(letters)`, `setting.read(x)` | | integers to points, and points to the nearest letters |
"""

# %% [markdown]
r"""
---
# 1 · Worlds small enough to know

A class is a **mixture**, and drawing from it takes two steps. First a component is drawn, once, for the whole lattice. Then every
site draws its letter **on its own**, with the probabilities of that component. That is all there is to these worlds, and that is
why we shall know everything about them.

Three of them will be with us (in code, a world is a `ToyProblem`). Spins point down (white) or up (black).

1. **noisy / noisy**: both classes are fair coins. Nothing tells them apart.
2. **FM / noisy**: class 0 is all down or all up, clean or with each spin flipped with probability 0.1 (a quarter each); class 1 is fair coins. (FM stands for
   *ferromagnet*. It is a flattering name: in a real one neighbours interact. Here there is only a mixture.)
3. **down / noisy or up**: class 0 is down, clean or flipped (half each); class 1 is fair coins (half), or up, clean or flipped (a quarter each).

> ### Exercise 1.1 · Draw from a mixture of independent sites
> **2 points** (1½ for `sample_ensemble`, ½ for `majority_down`) · difficulty ●●○○○ · 20 minutes
>
> (a) Complete `sample_ensemble(setting, label, n, generator)`. It returns `n` words of the class `label`, as **integers** of shape
> `(n, sites)`, letters numbered from 0. All random numbers come from `generator`, so that the same generator gives the same words.
>
> (b) A colleague wrote a world with a majority: in class *majority down* every site is down with probability `ratio`, on its own.
>
> ```python
> def majority_down(n, sites, ratio, generator):
>     return torch.bernoulli(torch.full((n, sites), ratio), generator=generator).long()   # 0 is down, 1 is up
> ```
>
> It has a bug that has been copied into many notebooks. Print the mean of what it returns. Then write it right; here, too, all random numbers come from `generator`.

<details><summary>A nudge</summary>

`torch.multinomial(weights, n, replacement=True, generator=generator)` draws `n` indices. With a matrix of weights it draws one row of
indices for each row of the matrix.
</details>
<details><summary>The shape of the answer</summary>

Draw the components, shape `(n,)`. Look up their probabilities, shape `(n, sites, letters)`. Flatten the first two axes, draw one letter for each row, and give the
result its shape back.
</details>
"""

# %% answer="lab1.sample_ensemble"
def sample_ensemble(setting: ToyProblem, label: int, n: int, generator: torch.Generator) -> Int[Tensor, "n sites"]:
    """`n` words of class `label`, as letters 0, 1, …"""
    ### BEGIN SOLUTION
    component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
    probs = setting.probs[component]  # (n, sites, letters)
    return torch.multinomial(probs.flatten(0, 1), 1, generator=generator).reshape(n, setting.sites)
    ### END SOLUTION


def majority_down(n: int, sites: int, ratio: float, generator: torch.Generator) -> Int[Tensor, "n sites"]:
    """Spins (0 is down, 1 is up), each down with probability `ratio`, on its own."""
    ### BEGIN SOLUTION
    return torch.bernoulli(torch.full((n, sites), 1 - ratio), generator=generator).long()
    ### END SOLUTION


# %% check="lab1.sample_ensemble"

# %% role="definitions"
WORLDS = [noisy_spins(), ferromagnet(), all_down()]
FM, DOWN = WORLDS[1], WORLDS[2]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lattices(x: Tensor) -> Tensor:
    """Spins (n, sites, 1) as pictures (n, 1, side, side)."""
    side = math.isqrt(x.shape[1])
    return x[..., 0].reshape(-1, 1, side, side).float()


# %% [markdown]
r"""
Ten lattices of each class, drawn by *your* sampler. **Predict, then run:** which of the three worlds could you classify by eye without a
single mistake?
"""

# %% role="illustration"
def draw_worlds():
    rows, names = [], []
    for world in WORLDS:
        for y in (0, 1):
            rows.append(lattices(world.embed(sample_ensemble(world, y, 10, generator(len(rows))))))
            names.append(f"{world.name.split(':')[0]}, y = {y}")
    plotting.show_table(rows, names, title="Ten lattices of each class")
    plt.show()


drawn(draw_worlds, "1.1")

# %% [markdown]
r"""
Worlds 2 and 3 look easy, and they are: the best possible classifier is wrong in 0.25 % and 0.1 % of the cases. In world 1 nobody can
do better than a coin. We shall need it more than you think.

Classes of words can be made to differ, too, here in four ways: disjoint ranges of letters, different probabilities, a bias, noise. A row is a word of twelve letters, a
colour is a letter. Here is *your* sampler on an alphabet of six.
"""

# %% role="illustration"
LETTER_WORLDS = [disjoint_letters(), dirichlet_letters(), biased_letters(), redrawn_letters()]


def draw_letters():
    fig, axes = plt.subplots(2, 4, figsize=(10, 3.6), sharex=True, sharey=True)
    for column, world in zip(axes.T, LETTER_WORLDS):
        for y, ax in enumerate(column):
            words = sample_ensemble(world, y, 8, generator(y + 1))
            ax.imshow(words, cmap=plotting.letter_colors(world.letters), vmin=-0.5, vmax=world.letters - 0.5)
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
        column[0].set_title(world.name, fontsize=10)
    for y in (0, 1):
        axes[y, 0].set_ylabel(f"class {y}\n8 words")
    plt.show()


drawn(draw_letters, "1.1")

# %% [markdown]
r"""
---
# 2 · Noise that forgets slowly

Spins cannot move by small steps, from $-1$ to $-0.99$. So we let them: we add Gaussian noise, and work in the continuous space around them. The
noise process of this lab is called *variance preserving*:

$$x_t = \alpha(t)\, x_0 + \sigma(t)\, \varepsilon,\qquad \varepsilon\sim\mathcal N(0, I),\qquad \alpha(t)^2 + \sigma(t)^2 = 1 .$$

At $t = 0$ it is the data, at $t = 1$ nothing but noise ($\alpha(1) = 0.007$). Both functions are given: `alpha(t)` and `sigma(t)`.

> ### Exercise 1.2 · Noise
> **2 points** · difficulty ●○○○○ · 5 minutes
>
> Complete `add_noise(x0, t, noise)` for any shape `(b, sites, d)`. `x0` may hold integers (spins $\pm 1$, one-hot letters); the result has the dtype of `noise`. Use the noise that you are given, and leave all inputs as they are.

<details><summary>A nudge</summary>

`t` has the shape `(b, 1, 1)`, and so have `alpha(t)` and `sigma(t)`: they are broadcast by themselves.
</details>
<details><summary>The shape of the answer</summary>

One line, the formula above. `sigma` is a standard deviation.
</details>
"""

# %% answer="lab1.add_noise"
def add_noise(
    x0: Float[Tensor, "b sites d"] | Int[Tensor, "b sites d"], t: Float[Tensor, "b 1 1"], noise: Float[Tensor, "b sites d"]
) -> Float[Tensor, "b sites d"]:
    """x_t, made of the data x0 and of the noise."""
    ### BEGIN SOLUTION
    return alpha(t) * x0 + sigma(t) * noise
    ### END SOLUTION


# %% check="lab1.add_noise"

# %% [markdown]
r"""
**Predict, then run.** One lattice of each of four components, through time. At which $t$ do *you* lose them? All four at once?
"""

# %% role="illustration"
def draw_noising():
    shown = [0.001, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0]
    up = torch.tensor([0.0, 1.0, 0.1, 0.5])[:, None].expand(-1, 36)
    x0 = 2 * torch.bernoulli(up, generator=generator(3))[..., None] - 1
    noise = torch.randn(x0.shape, generator=generator(4))
    pictures = [lattices(add_noise(x0, torch.full((4, 1, 1), t), noise)) for t in shown]
    rows = [torch.stack([column[k] for column in pictures]) for k in range(4)]
    plotting.show_table(rows, ["down", "up", "10 % flipped", "fair coins"], [f"t = {t:g}" for t in shown])
    plt.show()


drawn(draw_noising, "1.2")

# %% [markdown]
r"""
A single noisy site tells little at $t = 0.4$: whoever guesses its spin is right in 69 % of the cases. But there are 36 of them. "All down" survives longer than any of its
spins, because your eye adds them up. A posterior does the same.

---
# 3 · Who made this?

Somebody hands you a noisy $x_t$. Which class did it come from? Bayes' rule says

$$p(y \mid x_t) = \frac{p(y)\, p_t(x_t \mid y)}{\sum_{y'} p(y')\, p_t(x_t \mid y')},$$

and the density of a class is a sum over all words that it can make. For 36 spins these are $2^{36}$ words. That sounds hopeless, and it is easy, because **within a component the sites are independent**:

$$p_t(x \mid c) = \prod_{i} \sum_{k} p_c(i, k)\ \mathcal N\big(x_i;\ \alpha\,e_k,\ \sigma^2 I\big),\qquad
p_t(x \mid y) = \sum_c \omega_{c\mid y}\ p_t(x \mid c).$$

Here $p_c(i, k)$ is `setting.probs[c, i, k]`, $\omega_{c\mid y}$ is `setting.weights[y, c]` and $e_k$ is `setting.points[k]`. Inside: a sum over letters. Then a product over sites. Then a sum over components. **The order matters**: a lattice has one
component for all its sites, so first multiply the sites, then average the components. Who averages first throws the class away: in world 2 every site of both classes is up
with probability one half.

The second trap is numerical. The product of 36 densities of size $10^{-20}$ is 0 in a computer. So all of it is done with logarithms, and sums become
`torch.logsumexp`.

> ### Exercise 1.3 · The exact posterior
> **4 points** · difficulty ●●●●○ · 30 minutes
>
> Complete `class_posterior(x, t, setting)`. It returns $p(y \mid x_t)$ for all classes, shape `(b, classes)`; rows add up to 1. It holds
> - for any setting: probabilities may differ from site to site, and some may be exactly 0; the prior may be uneven; there may be two letters or many;
> - for every $t$ from `T_MIN` to 1, any number of sites and **any** $x$, also where every density underflows: no NaN, no infinity;
> - in the precision of `x` (near the data, logarithms of size $10^5$ must not lose their digits), and for probabilities of $10^{-20}$ too: later cells take their logarithm, and differentiate it;
> - on any device, and with the inputs left as they are.

<details><summary>A nudge</summary>

Factors that are the same for all letters, such as $(2\pi\sigma^2)^{-d/2}$, cancel in Bayes' rule. Leave them out from the start. `torch.log(0)` is `-inf`, and `logsumexp` knows
what to do with that: no small constant has to be added anywhere.
</details>
<details><summary>The shape of the answer</summary>

Four tensors, each made of the one before: squared distances `(b, sites, letters)`; log densities of the components, after a `logsumexp` over letters and a sum over sites, `(b, components)`; of
the classes, `(b, classes)`; a `softmax` with the prior.
</details>
<details><summary>"I run out of memory", "my shapes do not fit"</summary>

`x[:, :, None, :]` has a place for the letters, `setting.probs.log()[None]` one for the batch. `alpha(t)` has three axes; where there are four, write `alpha(t)[..., None]`. If memory runs out, some axis was broadcast against the wrong one, and made a tensor `(b, b, …)`: print the shapes. The largest that you need is
`(b, components, sites, letters)`.
</details>
"""

# %% answer="lab1.class_posterior"
def class_posterior(
    x: Float[Tensor, "b sites d"], t: Float[Tensor, "b 1 1"], setting: ToyProblem
) -> Float[Tensor, "b classes"]:
    """p(y | x_t), exact, for all classes."""
    ### BEGIN SOLUTION
    distance = (x[:, :, None, :] - alpha(t)[..., None] * setting.points).square().sum(-1)  # (b, sites, letters)
    log_sites = setting.probs.log() - (distance / (2 * sigma(t) ** 2))[:, None]  # (b, components, sites, letters)
    log_components = log_sites.logsumexp(-1).sum(-1)
    log_classes = (setting.weights.log() + log_components[:, None]).logsumexp(-1)
    return torch.softmax(setting.prior.log() + log_classes, dim=-1)
    ### END SOLUTION


# %% check="lab1.class_posterior"

# %% [markdown]
r"""
Your posterior, on 400 lattices of class 0 in worlds 2 and 3. A grey line is one lattice: the same data and the same noise at all times. **Predict, then run:** from which $t$ on is nothing known?
"""

# %% role="illustration"
def draw_posterior():
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
    grid = torch.linspace(T_MIN, 1, 60, dtype=torch.float64)
    for ax, world in zip(axes, (FM, DOWN)):
        x0 = world.embed(sample_ensemble(world, 0, 400, generator(1)))
        noise = torch.randn(x0.shape, generator=generator(2), dtype=torch.float64)
        curves = torch.stack([class_posterior(add_noise(x0, t := s.expand(400, 1, 1), noise), t, world)[:, 0] for s in grid])
        ax.plot(grid, curves[:, :40], color=plotting.GREY, alpha=0.35, linewidth=0.7)
        ax.plot(grid, curves.mean(1), color=plotting.BLUE, linewidth=2.5, label="mean over class 0")
        ax.axhline(0.5, color=plotting.ORANGE, linestyle="--", label="the prior")
        ax.set(title=world.name, xlabel="time t (data at 0)")
    axes[0].set_ylabel("p(y = 0 | x)")
    axes[0].legend(loc="lower left")
    plt.show()


drawn(draw_posterior, "1.1, 1.2 and 1.3")

# %% [markdown]
r"""
Until about $t = 0.2$ the answer is nearly always certain. By $t = 0.7$ in world 2, and $0.9$ in world 3, next to nothing is left of it. In between lies a window in which it is lost. **Guidance can only act in that window**: before it (in sampling order) there is
nothing to say about the class, after it the class is decided. Keep it in mind for lab 4.

---
# 4 · The score

Sampling will need the **score**, $\nabla_x \log p_t(x \mid y)$: the direction in which $x$ becomes more probable fastest. Automatic differentiation could compute
it from the log densities inside your last answer (not from the posterior, in which $p_t(x)$ has been divided out). The closed form is worth more, because it can be read. For one Gaussian with mean $\alpha\,\mu$ and variance $\sigma^2$ the score is $(\alpha\mu - x)/\sigma^2$. For any mixture of such
Gaussians it is the same, with the mean replaced by **the best guess of the data, having seen $x$**:

$$\nabla_x \log p_t(x\mid y) = \frac{\alpha\ \mathbb E[x_0 \mid x_t = x, y] - x}{\sigma^2},\qquad
\mathbb E[x_0 \mid x, y] = \sum_c p(c \mid x, y)\ \mathbb E[x_0 \mid x, c].$$

(This is *Tweedie's formula*.) In a component the sites are independent, so $\mathbb E[x_{0,i}\mid x, c] = \sum_k p(k \mid x_i, c)\, e_k$. For a spin that is a `tanh`.

> ### Exercise 1.4 · The exact score of a class
> **2 points** · difficulty ●●●○○ · 20 minutes
>
> Complete `conditional_score(x, t, y, setting)`, in closed form (without automatic differentiation), for one class `y[n]` per sample. The same worlds, times and $x$ as in 1.3, and as precise.

<details><summary>A nudge</summary>

You have the logarithms of everything from 1.3. A `softmax` over letters gives $p(k \mid x_i, c)$; a `softmax` over components, with their shares in the class, gives $p(c \mid x, y)$.
</details>
<details><summary>The shape of the answer</summary>

From 1.3 you need two things: the log of probability times Gaussian, `(b, components, sites, letters)`, as it is *before* the `logsumexp`; and the log densities of the components, `(b, components)`. Each goes into a softmax of its own. Then `letters @ setting.points` has the shape `(b, components, sites, d)`; average it over components with `torch.einsum("bc,bcld->bld", shares, …)`.
</details>
"""

# %% answer="lab1.conditional_score"
def conditional_score(
    x: Float[Tensor, "b sites d"], t: Float[Tensor, "b 1 1"], y: Int[Tensor, " b"], setting: ToyProblem
) -> Float[Tensor, "b sites d"]:
    """The gradient in x of log p_t(x | y), exact."""
    ### BEGIN SOLUTION
    distance = (x[:, :, None, :] - alpha(t)[..., None] * setting.points).square().sum(-1)
    log_sites = setting.probs.log() - (distance / (2 * sigma(t) ** 2))[:, None]
    shares = torch.softmax(setting.weights[y].log() + log_sites.logsumexp(-1).sum(-1), dim=-1)
    means = torch.softmax(log_sites, dim=-1) @ setting.points  # (b, components, sites, d)
    best_guess = torch.einsum("bc,bcld->bld", shares, means)
    return (alpha(t) * best_guess - x) / sigma(t) ** 2
    ### END SOLUTION


# %% check="lab1.conditional_score"

# %% role="definitions"
def both_scores(x: Tensor, t: Tensor, y: Tensor, setting: ToyProblem) -> tuple[Tensor, Tensor]:
    """The score of the whole world and the score of the class y, by your formulas."""
    p = class_posterior(x, t, setting)
    of_class = [conditional_score(x, t, torch.full_like(y, k), setting) for k in range(setting.classes)]
    whole = sum(p[:, k, None, None] * s for k, s in enumerate(of_class))
    return whole, torch.stack(of_class)[y, torch.arange(len(y))]


# %% [markdown]
r"""
What does the best guess look like? Solve the formula for it: $\mathbb E[x_0\mid x, y] = (\sigma^2 s + x)/\alpha$. Below, six noisy lattices at five times, and your best guess of where each came from, if it came from class 0 of world 2. **Predict, then
run:** what is the best guess at $t = 1$, where nothing is known: up, down, or grey?
"""

# %% role="illustration"
def draw_best_guess():
    shown = [0.1, 0.3, 0.45, 0.6, 1.0]
    x0 = FM.embed(sample_ensemble(FM, 0, 6, generator(8)))
    noise = torch.randn(x0.shape, generator=generator(9), dtype=torch.float64)
    y, rows, names = torch.zeros(6, dtype=torch.long), [lattices(x0)], ["data"]
    for s in shown:
        t = torch.full((6, 1, 1), s, dtype=torch.float64)
        x = add_noise(x0, t, noise)
        guess = (sigma(t) ** 2 * conditional_score(x, t, y, FM) + x) / alpha(t)
        rows += [lattices(x), lattices(guess)]
        names += [f"x at t = {s:g}", "best guess"]
    plotting.show_table(rows, names, title="Six lattices of world 2, class 0")
    plt.show()


drawn(draw_best_guess, "1.1, 1.2 and 1.4")

# %% [markdown]
r"""
Grey: the mean of up and down. A best guess is an *average*, not a sample. That is why nobody samples in one step.

And the direction we are after is the difference of two scores. Bayes' rule, differentiated, says

$$\nabla_x \log p_t(y \mid x) = \nabla_x \log p_t(x \mid y) - \nabla_x \log p_t(x),$$

so "more like class $y$" is a vector that you can compute exactly. Is it right? Automatic differentiation of 1.3 must agree with 1.4.
"""

# %%
def compare_with_autograd():
    for world in (FM, DOWN):
        for s in (0.05, 0.3, 0.6):
            t = torch.full((64, 1, 1), s, dtype=torch.float64)
            x0 = world.embed(torch.cat([sample_ensemble(world, k, 32, generator(k)) for k in (0, 1)]))
            x = add_noise(x0, t, torch.randn(x0.shape, generator=generator(5), dtype=torch.float64)).requires_grad_()
            y = torch.arange(2).repeat_interleave(32)
            log_p = class_posterior(x, t, world).log()[torch.arange(64), y].sum()
            (gradient,) = torch.autograd.grad(log_p, x)
            whole, of_class = both_scores(x.detach(), t, y, world)
            print(f"{world.name:<30} t = {s:<5g} largest difference {float((of_class - whole - gradient).abs().max()):.1e}"
                  f"   largest gradient {float(gradient.abs().max()):.1e}")  # fmt: skip


drawn(compare_with_autograd, "1.1 to 1.4")

# %% [markdown]
r"""
---
# 5 · A classifier that has to learn it

In real life nobody hands you the posterior. You train a **classifier on noisy data**, which is told the time, and take *its* gradient. Here we can watch how good that is.

> ### Exercise 1.5 · The loss of a noise-aware classifier
> **3 points** · difficulty ●●○○○ · 15 minutes
>
> Complete `get_train_loss(self, batch_size)`.
> 1. `x0, y = self.data.sample(batch_size)`. Leave both as they are.
> 2. One time for each sample, uniform on $[$`self.t_min`$, 1]$, shape `(b, 1, 1)`. Standard normal noise in the shape of `x0`. Draw all of these numbers independently, and anew in each call.
> 3. `self.add_noise(x0, t, noise)` makes `x`. Call the attribute, not your function by its name: here it is your 1.2, and the grader puts another in its place.
> 4. `self.model(x, t)` returns logits, `(b, classes)`. Return the cross-entropy with `y`, **averaged over the batch**.
>
> New tensors belong on the device of `x0`. The lab's data and its network are float32, so do not give the network float64. Change nothing else: leave the model's mode, its gradients and the global seed alone.

<details><summary>A nudge</summary>

`torch.nn.functional.cross_entropy` takes logits; it has the softmax inside.
</details>
<details><summary>The shape of the answer</summary>

Four lines: draw data; draw times, `low + (1 - low) * rand`; draw noise and noise the data; ask and compare.
</details>
"""

# %% answer="lab1.classifier_loss"
class ClassifierTrainer(Trainer):
    def __init__(self, model: nn.Module, data, add_noise, t_min: float):
        super().__init__(model)
        self.data, self.add_noise, self.t_min = data, add_noise, t_min

    def get_train_loss(self, batch_size: int) -> Float[Tensor, ""]:
        """The mean cross-entropy of the classifier on noisy data, at random times."""
        ### BEGIN SOLUTION
        x0, y = self.data.sample(batch_size)
        t = self.t_min + (1 - self.t_min) * torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)
        x = self.add_noise(x0, t, torch.randn_like(x0))
        return nn.functional.cross_entropy(self.model(x, t), y)
        ### END SOLUTION


# %% check="lab1.classifier_loss"

# %% role="definitions"
class Fresh:
    """An endless supply of a world's words with their classes, embedded, float32."""

    def __init__(self, setting: ToyProblem, seed: int = 0):
        self.setting, self.generator = setting, generator(seed)

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        y = torch.multinomial(self.setting.prior, n, replacement=True, generator=self.generator)
        words = torch.empty(n, self.setting.sites, dtype=torch.long)
        for k in range(self.setting.classes):
            words[y == k] = sample_ensemble(self.setting, k, max(int((y == k).sum()), 1), self.generator)[: int((y == k).sum())]
        return self.setting.embed(words).float(), y


class Stored:
    """A data set as one has it in real life: `n` words of each class, drawn once, and used again and again."""

    def __init__(self, setting: ToyProblem, n: int, seed: int = 0):
        words = [sample_ensemble(setting, k, n, generator(seed + k)) for k in range(setting.classes)]
        self.x0 = setting.embed(torch.cat(words)).float()
        self.y = torch.arange(setting.classes).repeat_interleave(n)
        self.generator = generator(seed + 99)

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(self.y), (n,), generator=self.generator)
        return self.x0[rows], self.y[rows]


def train_classifier(data, steps: int, setting: ToyProblem, width: int = 128):
    """A classifier of noisy words, trained by your loss."""
    torch.manual_seed(0)
    trainer = ClassifierTrainer(WordClassifier(setting.sites, setting.points.shape[1], setting.classes, width), data, add_noise, T_MIN)
    trainer.train(steps, "cpu", lr=2e-3, batch_size=256, decay=True)
    return trainer.model.eval(), trainer.history


def learned_gradient(classifier: nn.Module, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
    """The gradient in x of log p(y | x, t), by a trained classifier."""
    x = x.detach().float().requires_grad_()
    with torch.enable_grad():
        logs = classifier(x, t.float()).log_softmax(-1)[torch.arange(len(y)), y]
        (gradient,) = torch.autograd.grad(logs.sum(), x)
    return gradient


# %% role="illustration"
CLASSIFIER_STEPS = budget.pick(full=6000, cpu=1500, ci=10)
classifiers = {}


def learn():
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.2))
    grid = torch.linspace(0.06, 0.8, 16, dtype=torch.float64)  # nearer to the data both scores are the same number
    for world, color, marker in zip((FM, DOWN), (plotting.BLUE, plotting.ORANGE), "os"):
        classifier, history = train_classifier(Fresh(world), CLASSIFIER_STEPS, world)
        classifiers[world.name] = classifier
        axes[0].plot(plotting.smooth(history, min(100, len(history))), color=color, label=world.name.split(":")[0])
        x0, y = Fresh(world, seed=7).sample(1000)
        noise = torch.randn(x0.shape, generator=generator(11), dtype=torch.float64)
        exact_hits, hits, cosines = [], [], []
        for s in grid:
            t = s.expand(len(y), 1, 1)
            x = add_noise(x0.double(), t, noise)
            exact_hits.append((class_posterior(x, t, world).argmax(1) == y).double().mean())
            with torch.no_grad():
                hits.append((classifier(x.float(), t.float()).argmax(1) == y).double().mean())
            # the direction of s(x|y) - s(x), without its cancellation
            exact = (conditional_score(x, t, y, world) - conditional_score(x, t, 1 - y, world)).flatten(1)
            learned = learned_gradient(classifier, x, t, y).double().flatten(1)
            cosines.append(nn.functional.cosine_similarity(exact, learned, dim=1, eps=1e-30).mean())
        axes[1].plot(grid, hits, color=color, marker=marker, markersize=4, label=f"{world.name.split(':')[0]}, learned")
        axes[1].plot(grid, exact_hits, color=color, linestyle="--", label=f"{world.name.split(':')[0]}, best possible")
        axes[2].plot(grid, cosines, color=color, marker=marker, markersize=4)
    axes[0].set(title="The loss", xlabel="training step", ylabel="cross-entropy")
    axes[0].legend()
    axes[1].set(title="Accuracy", xlabel="time t (data at 0)", ylim=(0.45, 1.02))
    axes[1].legend(fontsize=8)
    axes[2].set(title="Its gradient against the exact one", xlabel="time t (data at 0)", ylabel="mean cosine", ylim=(-0.35, 1.05))
    plt.show()


drawn(learn, "1.1 to 1.5")

# %% [markdown]
r"""
Look at the last two pictures together. The classifier is nearly as good as any classifier can be. And **near the data its gradient is poor, although its accuracy is perfect**. It was never asked for a
gradient. Where the class is obvious, $\log p(y\mid x)$ is flat, and the direction of something nearly zero is learned by nobody. (In world 2 it is poor at late times too, where next to nothing is left to know.)

---
# 6 · One guided step, and then many

The noise process, run backwards in time, is again a diffusion. From $t$ down to $t - h$ one step of Euler and Maruyama is

$$x_{t-h} = x_t + \Big(\tfrac{\beta}{2}\, x_t + \beta\, s(x_t)\Big) h + \sqrt{\beta h}\ \varepsilon .$$

The first term undoes the shrinking of the data, the second pulls towards where data is, the third is fresh noise. **Guidance** replaces the score by

$$s_w(x) = s(x) + w\,\big(s(x \mid y) - s(x)\big),$$

where $s(x) = \nabla_x \log p_t(x)$ is the score of the whole world and $s(x\mid y) = \nabla_x\log p_t(x\mid y)$ that of the class.

> ### Exercise 1.6 · One guided step
> **3 points** · difficulty ●●○○○ · 15 minutes
>
> Complete `guided_step(x, t, h, score, class_score, w, noise)`: one step from `t` to `t - h`, `h > 0`. `score` is $s(x)$ and `class_score` is $s(x\mid y)$, both already computed, in the shape of
> `x`. `t` and `h` have the shape `(b, 1, 1)`, and may differ from sample to sample. `beta(t)` is given; use it at the time where the step starts. Use the noise that you are given, and leave the inputs as they are.

<details><summary>A nudge</summary>

At $w = 0$ only `score` may count, at $w = 1$ only `class_score`. The noise is given as an argument: the *variance* of the kick is $\beta h$.
</details>
<details><summary>The shape of the answer</summary>

Two lines: the guided score, and the formula above.
</details>
"""

# %% answer="lab1.guided_step"
def guided_step(
    x: Float[Tensor, "b sites d"], t: Float[Tensor, "b 1 1"], h: Float[Tensor, "b 1 1"], score: Float[Tensor, "b sites d"],
    class_score: Float[Tensor, "b sites d"], w: float, noise: Float[Tensor, "b sites d"],
) -> Float[Tensor, "b sites d"]:  # fmt: skip
    """x at time t - h, with guidance scale w."""
    ### BEGIN SOLUTION
    guided = score + w * (class_score - score)
    return x + (beta(t) * x / 2 + beta(t) * guided) * h + torch.sqrt(beta(t) * h) * noise
    ### END SOLUTION


# %% check="lab1.guided_step"

# %% role="definitions"
@torch.no_grad()
def sample_guided(setting: ToyProblem, label: int, n: int, w: float, steps: int, seed: int = 0, scores=both_scores, every: int = 0):
    """Your steps from noise to (nearly) data, in float32. With `every`, the states on the way too, (times, n, sites, d)."""
    setting, source = setting.to(torch.float32), generator(seed)
    shape = (n, setting.sites, setting.points.shape[1])
    x = torch.randn(shape, generator=source)
    y, grid, states = torch.full((n,), label), times(steps).float(), []
    for i, (now, then) in enumerate(zip(grid, grid[1:])):
        t, h = now.expand(n, 1, 1), (now - then).expand(n, 1, 1)
        noise = torch.randn(shape, generator=source)  # the same for every w
        x = guided_step(x, t, h, *scores(x, t, y, setting), w, noise)
        if every and (i % every == 0 or i == steps - 1):
            states.append(x)
    return torch.stack(states) if every else x


def ups(x: Tensor) -> Tensor:
    """How many spins point up, (n,)."""
    return (x[..., 0] > 0).sum(1)


def histogram(counts: Tensor, sites: int) -> Tensor:
    return torch.bincount(counts, minlength=sites + 1).double() / len(counts)


def total_variation(p: Tensor, q: Tensor) -> float:
    """Half the sum of absolute differences: 0 for equal distributions, 1 for distributions that never meet."""
    return float((p - q).abs().sum() / 2)


def tilted(setting: ToyProblem, label: int, w: float) -> Tensor:
    """The distribution p(k) p(y | k)^w, normalised: what many believe that guidance samples. Exact, (sites + 1,)."""
    per_class = up_spin_pmf(setting)
    whole = setting.prior @ per_class
    posterior = setting.prior[label] * per_class[label] / whole.clamp_min(1e-300)
    pmf = whole * posterior**w
    return pmf / pmf.sum()


# %% [markdown]
r"""
## First where the answer is known

At $w = 0$ the sampler must give the whole world, at $w = 1$ the class. The number of up spins has only 37 possible values, and its exact law is known (`up_spin_pmf`). How far may an honest sample be from it?
With $n$ samples, chance alone makes a distance: the **floor**. What is above the floor comes from the step size, and must shrink when the steps double.
"""

# %% role="illustration"
SAMPLES = budget.pick(full=8000, cpu=2000, ci=100)
STEPS = budget.pick(full=400, cpu=120, ci=6)


def convergence():
    print(f"{SAMPLES} samples, guided towards class 0; distance in total variation from the exact law of the number of up spins\n")
    print(f"{'':<36}{'floor':>8}" + "".join(f"{n:>10} steps" for n in (STEPS // 4, STEPS // 2, STEPS)))
    for world in (FM, DOWN):
        for w in (0.0, 1.0):
            exact = tilted(world, 0, w)
            draws = torch.multinomial(exact, 50 * SAMPLES, replacement=True, generator=generator(0)).reshape(50, -1)
            floor = np.mean([total_variation(histogram(d, world.sites), exact) for d in draws])
            far = [total_variation(histogram(ups(sample_guided(world, 0, SAMPLES, w, n)), world.sites), exact) for n in (STEPS // 4, STEPS // 2, STEPS)]
            print(f"{world.name:<28}w = {w:<4g}{floor:>8.3f}" + "".join(f"{d:>16.3f}" for d in far))


drawn(convergence, "1.1 to 1.6")

# %% [markdown]
r"""
Two exact scores, one honest sampler: at $w = 0$ and $w = 1$ the theory holds, down to the noise of counting and an error of the step size that you can buy off.

## Then beyond

What does $w = 3$ sample? At every $t$, $s_w$ *is* the score of $p_t(x)\,p_t(y\mid x)^w$: "the world, with the class taken to the third power". At $t = 0$ that law is exact and cheap: $P_w(k) \propto P(k)\,p(y\mid k)^w$, where $k$ is the number of up spins and $P(k)$ its law in the whole world. **Predict,
then run:** will your samples at $w = 3$ follow it?
"""

# %% role="illustration"
SCALES = [0.0, 1.0, 2.0, 4.0, 8.0]


def draw_distributions():
    fig, axes = plt.subplots(2, len(SCALES), figsize=(12, 4.6), sharex=True)
    for row, world in zip(axes, (FM, DOWN)):
        for ax, w in zip(row, SCALES):
            x = sample_guided(world, 0, SAMPLES // 2, w, STEPS)
            k = np.arange(world.sites + 1)
            ax.bar(k, histogram(ups(x), world.sites), color=plotting.SKY, label="your samples")
            ax.step(k, tilted(world, 0, w), where="mid", color=plotting.ORANGE, linewidth=1.4, label="the tilted law, exact")
            ax.set_yscale("log")
            ax.set_ylim(2e-4, 1)
            if world is FM:
                ax.set_title(f"w = {w:g}")
        row[0].set_ylabel(world.name.split(":")[0] + "\nprobability")
    for ax in axes[1]:
        ax.set_xlabel("spins up")
    axes[0, 0].legend(fontsize=7, loc="upper center")
    plt.show()


def in_numbers():
    for world in (FM, DOWN):
        for w in (1.0, 3.0):
            x = sample_guided(world, 0, SAMPLES, w, STEPS)
            actual, tilt = histogram(ups(x), world.sites), tilted(world, 0, w)
            k = torch.arange(world.sites + 1).double()
            print(f"{world.name:<27} w = {w:g}: P(no spin up) {float(actual[0]):.3f}, tilted law {float(tilt[0]):.3f}; "
                  f"mean number up {float(actual @ k):.2f}, tilted law {float(tilt @ k):.2f}; distance {total_variation(actual, tilt):.2f}")  # fmt: skip


drawn(draw_distributions, "1.1 to 1.6")
drawn(in_numbers, "1.1 to 1.6")

# %% [markdown]
r"""
It does **not**. In both worlds too many samples end in the clean states. (Look at P(no spin up). In world 3 the *distances* at $w = 1$ and $w = 3$ are nearly alike, but the errors have opposite signs.) The step size is not to blame: at $w = 1$ the same steps give too *few* of them, at $w = 3$ too many, and with more steps the first error goes away and the second does not. Nothing is wrong with your code, and the scores are exact. The reason is that $p_t(x)\,p_t(y\mid x)^w$ for different $t$ are not the noised versions of
one another, except at $w = 0$ and $w = 1$. The noise process does not lead from one to the next, so walking it backwards with their scores does not lead to the last one either. Guidance is a useful push. It is not sampling from a power of a posterior. (Lab 3 has the smallest example, one Gaussian, with all
formulas.)

Here is the push, as a film: twelve lattices of world 2, guided towards class 0 from the same noise. The rows are $w = 0$, $1$ and $4$.
"""

# %% role="illustration"
def film():
    rows = [sample_guided(FM, 0, 12, w, STEPS, seed=5, every=max(1, STEPS // 40)) for w in (0.0, 1.0, 4.0)]
    frames = torch.cat(rows, dim=1)  # (times, 36, sites, 1)
    return frames[..., 0].reshape(len(frames), -1, 1, 6, 6).repeat_interleave(4, -1).repeat_interleave(4, -2).float().clamp(-1, 1)


try:
    animation = plotting.show_gif(film(), columns=12)
except NotImplementedError:
    animation = "This film needs 1.1 to 1.6."
animation

# %% [markdown]
r"""
And with the classifier that *you* trained in place of the exact gradient? The magnetisation is the mean spin, $-1$ for all down. Same noise, same steps.
"""

# %% role="illustration"
def learned_scores(x, t, y, setting):
    whole, _ = both_scores(x, t, y, setting)
    return whole, whole + learned_gradient(classifiers[setting.name], x, t, y)


def draw_magnetisation():
    fig, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True)
    edges = np.linspace(-1.03, 1.03, 38)
    for ax, w in zip(axes, (1.0, 4.0, 8.0)):
        exact = sample_guided(DOWN, 0, SAMPLES // 4, w, STEPS // 2)
        learned = sample_guided(DOWN, 0, SAMPLES // 4, w, STEPS // 2, scores=learned_scores)
        for x, name, color, style in ((exact, "exact gradient", plotting.BLUE, "-"), (learned, "learned gradient", plotting.ORANGE, "--")):
            m = x[..., 0].sign().mean(1)
            ax.hist(m, edges, histtype="step", density=True, color=color, linestyle=style, linewidth=1.6, label=name)
        ax.set(title=f"World 3, w = {w:g}", xlabel="magnetisation")
    axes[0].set_ylabel("density")
    axes[0].legend(loc="upper right")
    plt.show()


drawn(draw_magnetisation, "1.1 to 1.6")

# %% [markdown]
r"""
Hardly a difference, although the learned gradient was so poor near the data. The window explains it: near the data the exact gradient is $10^{-12}$, and guidance has nothing to do there any more. What counts is the gradient where the
class is being decided, and there the classifier had learned it well. (Do not rely on this luck. A classifier whose poor gradient is *large* near the data would ruin samples.)

---
# 7 · The negative control

Now world 1. Both classes are fair coins, so $p(y \mid x_t) = \tfrac12$ everywhere, and the exact gradient is **zero**. Guidance must do nothing. An experiment that
has to come out empty is called a *negative control*: whoever measures an effect should first look for it where it cannot be.

So train a classifier in world 1. Not on an endless supply, but on a **stored** data set, as one has it in real life: 200 lattices of each class, drawn once.
"""

# %% role="illustration"
NOISY = WORLDS[0]
CONTROL_STEPS = budget.pick(full=4000, cpu=1000, ci=10)


def negative_control():
    small = Stored(NOISY, 200)
    memorised, history = train_classifier(small, CONTROL_STEPS, NOISY, width=256)
    honest, _ = train_classifier(Fresh(NOISY), CONTROL_STEPS, NOISY, width=256)
    t = torch.full((400, 1, 1), 0.05, dtype=torch.float64)
    new = Stored(NOISY, 200, seed=50)
    source = generator(3)
    print(f"{'at t = 0.05':<34}{'stored set':>12}{'fresh data':>12}")
    for name, classifier in (("trained on the stored set", memorised), ("trained on fresh data", honest)):
        hits = []
        for data in (small, new):
            x = add_noise(data.x0.double(), t, torch.randn(data.x0.shape, generator=source, dtype=torch.float64))
            with torch.no_grad():
                hits.append(float((classifier(x.float(), t.float()).argmax(1) == data.y).double().mean()))
        print(f"accuracy, {name:<24}{hits[0]:>12.1%}{hits[1]:>12.1%}")

    def scores(classifier):
        def of(x, t, y, setting):
            whole, _ = both_scores(x, t, y, setting)
            return whole, whole + learned_gradient(classifier, x, t, y)
        return of

    print()
    for name, classifier in (("trained on the stored set", memorised), ("trained on fresh data", honest)):
        for w in (0.0, 4.0):
            x = sample_guided(NOISY, 0, 400, w, STEPS // 2, scores=scores(classifier)).float().sign()
            with torch.no_grad():
                belief = memorised(x, torch.full((400, 1, 1), 0.01)).softmax(1)[:, 0].mean()
            distance = (x[:, None, :, 0] != small.x0[None, :200, :, 0]).sum(-1).min(1).values.double().mean()
            print(f"{name:<28} w = {w:<3g} the memorising classifier's belief in class 0: {float(belief):.2f}; "
                  f"spins that differ from the nearest stored lattice of class 0: {float(distance):.1f} of 36")  # fmt: skip
    x = torch.randn(8, 36, 1, dtype=torch.float64)
    whole, of_class = both_scores(x, t[:8], torch.zeros(8, dtype=torch.long), NOISY)
    print(f"\nthe exact gradient: at most {float((of_class - whole).abs().max()):.0e}")


drawn(negative_control, "1.1 to 1.6")

# %% [markdown]
r"""
> ### Exercise 1.7 · The negative control (written)
> **2 points**, graded by hand · difficulty ●●●○○ · 15 minutes
>
> The classes of world 1 have the same law, and yet a trained classifier guides. In five to eight sentences: (a) **Why** does it, and what does it guide towards? (b) **How do you see it** in the
> numbers above, without knowing the truth? (c) What does that mean for a real data set, where no negative control is printed below the cell?
"""

# %% [markdown] answer="lab1.negative_control_essay"
r"""
**Model answer.** (a) The classifier never saw the two laws, only 200 lattices of each. These two *sets* are different, although their law is the same: they share no lattice. A network that is large enough
learns which of the stored lattices belongs to which set. Its gradient is not zero: it points towards the stored examples of its class. Guided samples therefore come closer to memorised lattices; what is amplified is an accident of the sample.

(b) On the stored set its accuracy is nearly perfect, on fresh data it is a coin: 50 %. That gap shows it without any formula. The classifier that saw fresh data only has learned nothing, as it should,
and its guidance changes nothing. The memorising classifier's belief in class 0 rises from 0.52 to 0.88, and guided samples lie a little nearer to stored lattices of class 0 (9.6 spins away, against 9.9).

(c) Judge a guide on held-out data, at each noise level, before it guides. Look for the nearest training examples of guided samples. And do the experiment with shuffled labels: a pipeline that "works" there measures its own memory.

**Rubric.** 1 point for the mechanism: finite stored sets are different although the laws are equal, so the classifier separates memorised examples, and its gradient leads to them (½ for "overfitting" alone). ½ point for a sign in the numbers: training against fresh accuracy, or the
distance to stored lattices, or the comparison with the classifier trained on fresh data. ½ point for a consequence: held-out evaluation, shuffled labels, nearest neighbours, or more data and early stopping with the reason.
"""

# %% [markdown]
r"""
---
# 8 · Four ways to make noise

You will meet four processes in this course. They differ in what they do to the data and in the direction of their clock, and the formulas differ only by that. Keep this picture as a dictionary. Time runs to the right, upwards is the value of one coordinate, and the darker, the more probable. (The square root of the density is drawn, so that thin tails show.)
"""

# %% role="illustration"
plotting.draw_rosetta()
plt.show()

# %% [markdown]
r"""
| | lab | clock | $x_t$ | what is learned |
|---|---|---|---|---|
| variance preserving | 1, 3 | data at 0 | $\alpha\,x_0 + \sigma\varepsilon$, $\alpha^2+\sigma^2=1$ | score, or the noise |
| variance exploding, on a ring | 2 | data at 0 | $x_0 + \sigma\varepsilon$, wrapped | score |
| flow (straight path) | 4 | **data at 1** | $t\,z + (1-t)\,\varepsilon$ ($z$: data) | velocity |
| Dirichlet, on the simplex | below | noise at $\alpha = 1$ | $\mathrm{Dir}(1, \ldots, \alpha, \ldots, 1)$, $\alpha$: its concentration | posterior of the letter |

---
# Beyond · Noise that never leaves the simplex

*Ungraded.* Gaussian noise makes points that are no letters and no probabilities. For discrete data one can do without: a letter $i$ out of $K$ becomes a point on the simplex, $x \sim \mathrm{Dir}(1,\ldots,\alpha,\ldots,1)$ with $\alpha$ at place $i$. (This $\alpha$ is a concentration, not the factor $\alpha(t)$ of part 2.) At $\alpha = 1$ that is the uniform law on the
simplex, whatever the letter. As $\alpha$ grows, $x$ moves into corner $i$.

The point that moves with $\alpha$ so that its law is always this one has the velocity $u = C(x_i, \alpha)\,(e_i - x)$: straight towards the corner. The speed $C$ comes from a derivative of the incomplete beta function, and has a closed form, which floating-point numbers bear for small $K$ only (`utils/simplex.py`; for $K = 2$ it is $-x\ln x/(\alpha(1-x))$).
"""

# %% role="illustration"
def draw_simplex():
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]], dtype=torch.float64)
    fig, axes = plt.subplots(1, 4, figsize=(12, 3.1))
    letters = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), 900, replacement=True, generator=generator(1))
    for ax, concentration in zip(axes[:3], (1.0, 2.5, 8.0)):
        points = simplex.sample(letters, concentration, 3, generator(2)) @ corners
        for k, (color, marker) in enumerate(zip((plotting.BLUE, plotting.ORANGE, plotting.GREEN), "o^s")):
            ax.scatter(*points[letters == k].T, s=5, color=color, marker=marker, alpha=0.6)
        ax.set_title(f"α = {concentration:g}")
    side = torch.linspace(0.04, 0.92, 10, dtype=torch.float64)
    grid = torch.stack([torch.stack([p, q, 1 - p - q]) for p in side for q in side if p + q < 0.97])
    arrows = simplex.velocity(grid, simplex.posterior(grid, torch.tensor([0.6, 0.3, 0.1]).double(), 2.5), 2.5) @ corners
    axes[3].quiver(*(grid @ corners).T, *arrows.T, color=plotting.BLUE, angles="xy", scale=2.2, width=0.006)
    axes[3].set_title("the velocity at α = 2.5")
    for ax in axes:
        ax.fill(*corners.T, facecolor="none", edgecolor=plotting.GREY)
        ax.set_aspect("equal")
        plotting.bare(ax)
    plt.show()


draw_simplex()

# %% [markdown]
r"""
Guidance needs a posterior of the letter *given the class*. From the unguided one, and from the gradient $g = \nabla_x \log p(y \mid x)$, it follows in closed form:

$$p(i \mid x, y) = p(i \mid x) + \frac{x_i\,\big(g_i - \langle x, g\rangle\big)}{\alpha - 1}.$$

Scale $g$ by $w$, and the result may leave the simplex; the nearest point on it (`simplex.project`) is where to go on from. Below, words of one letter, an alphabet of three, two classes. At $w = 1$ the flow ends on the class's own law. At $w = 3$ it goes beyond that, but this time not as far as the tilted law.
"""

# %% role="illustration"
def guided_letters():
    per_class = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]], dtype=torch.float64)
    whole = per_class.mean(0)
    n = budget.pick(full=20000, cpu=4000, ci=50)
    grid = torch.linspace(1.0, 40.0, budget.pick(full=2000, cpu=800, ci=5), dtype=torch.float64)
    print(f"{'':<10}{'letter 0':>10}{'letter 1':>10}{'letter 2':>10}      tilted law")
    for w in (0.0, 1.0, 3.0):
        x = simplex.sample(torch.zeros(n, dtype=torch.long), 1.0, 3, generator(4))
        for now, then in zip(grid, grid[1:]):
            concentration = max(float(now), 1.0 + 1e-3)
            p = simplex.posterior(x, whole, concentration)
            z = x.clone().requires_grad_()
            logs = torch.stack([(q.log() + (concentration - 1) * z.log()).logsumexp(-1) for q in per_class], dim=-1).log_softmax(-1)
            (gradient,) = torch.autograd.grad(logs[:, 0].sum(), z)
            q = simplex.project(simplex.guided_posterior(x, p, w * gradient, concentration))
            x = simplex.project(x + (then - now) * simplex.velocity(x, q, concentration)).clamp_min(1e-9)
            x = x / x.sum(-1, keepdim=True)
        share = torch.bincount(x.argmax(-1), minlength=3).double() / n
        tilt = whole * (per_class[0] / (2 * whole)) ** w
        print(f"w = {w:<6g}" + "".join(f"{float(s):>10.3f}" for s in share) + "      " + "  ".join(f"{float(s):.3f}" for s in tilt / tilt.sum()))


guided_letters()

# %% [markdown]
r"""
---
# What you can do now

- write down the density, the posterior and the score of any mixture of independent sites, and trust them at every noise level;
- tell apart what a classifier knows and what its gradient is worth;
- guide a sampler, and say in numbers what it samples and what it does not;
- run a negative control before you believe an effect.

**To read:** Song and others, *Score-Based Generative Modeling through Stochastic Differential Equations* (2021) · Dhariwal and Nichol, *Diffusion Models Beat GANs on Image Synthesis* (2021), for classifier guidance ·
Stark and others, *Dirichlet Flow Matching with Applications to DNA Sequence Design* (2024) · Bradley and Nakkiran, *Classifier-Free Guidance is a Predictor-Corrector* (2024).
"""
