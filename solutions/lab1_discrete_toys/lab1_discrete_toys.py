# %% [markdown]
r"""
# Lab 1 · Guidance you can check by hand

Guidance tells a generative model, while it samples, "more of this, please". On photographs it works, but you cannot check it:
the true distribution of photographs is unknown. So this lab stays in worlds small enough to be known, such as lattices of
36 spins. There every density and every gradient is a formula, and **every claim about guidance can be compared with the truth**.

Run the next two cells: the set-up, and a picture of what you will build.
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
from utils.fallback import drawn
from utils.figures import lab1, lab1_results
from utils.predictions import predict
from utils.runtime import setup
from utils.toy_data import FreshWords, StoredWords, generator
from utils.toy_problems import ToyProblem, all_down, ferromagnet, noisy_spins, spin_problem
from utils.training import Trainer
from utils.vp import T_MIN, alpha, beta, sigma, times

device, budget = setup("lab1_discrete_toys", seed=0, device="cpu")
plotting.use_style()

# %% role="illustration" hidden="What you will build"
lab1.draw_opening()

# %% [markdown]
r"""
Left: your sampler turns noise into a lattice of spins, down (white) or up (black). Right: $w$ is the strength of guidance, and the class is "nearly all spins equal". At
$w = 0$ the sampler ignores the class, at $w = 1$ it samples the class, and at $w = 4$ the lattices look cleaner still. Is that what $w = 4$ should give? Part 6 measures it.

Parts 1 to 7 say where you are on the course's map:

> **data → noise → score → sampler → guidance**

| | |
|---|---|
| Points | 18 |
| Time | 5 to 6 hours without the ungraded parts, reading included. Split it after part 4 |
| GPU | not used |
| You need | PyTorch, Bayes' rule, the normal distribution; no other lab |

Run the cells from top to bottom. Where a cell says `raise NotImplementedError()`, write your answer. The `check(...)` after it says
at once what is right and what is not. Your functions must work on any device, set no seed, and leave inputs, models (mode and gradients) and global settings as they found them. The set-up has imported
`math`, `torch`, `nn`, `Tensor`, `alpha`, `beta`, `sigma` and `T_MIN`.
"""

# %% [markdown]
r"""
## Notation

| symbol | in code | meaning |
|---|---|---|
| $t$ | `t`, shape `(b, 1, 1)` | time. **The data are at $t = 0$, the noise is at $t = 1$.** Sampling runs backwards and stops at `T_MIN` $= 0.001$ |
| $x_0$ | `x0`, shape `(b, sites, d)` | data: a *word*, with one letter at each *site*. A letter is a one-hot vector ($d$ letters in the alphabet) or a spin, one number, $-1$ or $+1$. A lattice is a word of 36 spins, drawn as a square |
| $x_t$, $x$ | `x`, shape `(b, sites, d)` | the data with noise |
| $\alpha(t), \sigma(t)$ | `alpha(t)`, `sigma(t)` | the factors of data and noise in $x_t$; $\alpha^2 + \sigma^2 = 1$ |
| $\beta(t)$ | `beta(t)` | the rate at which noise is added |
| $y$ | `y`, shape `(b,)` | the class, an integer |
| $c$ | | a component of a class (part 1) |
| $w$ | `w` | the guidance scale: 0 ignores the class, 1 samples the class, above 1 exaggerates it |

`b` is the batch size. A world is a `ToyProblem` (in the exercises the argument `setting`):

| field | shape | meaning |
|---|---|---|
| `probs[c, i, k]` | `(components, sites, letters)` | probability of letter `k` at site `i` in component `c` |
| `weights[y, c]` | `(classes, components)` | share of component `c` in class `y` |
| `prior[y]` | `(classes,)` | $p(y)$ |
| `points[k]` | `(letters, d)` | the place of letter `k` in space: $\pm 1$, or a one-hot vector |

`setting.embed(letters)` turns integers into points, and `setting.sites` and `setting.classes` are numbers. The same symbol means different things in the four labs:
"""

# %% hidden="The symbols of the four labs"
symbols("lab1")

# %% [markdown]
r"""
---
# 1 · Worlds small enough to know

> **data (you are here)** → noise → score → sampler → guidance

A class is a **mixture**, and you draw from it in two steps. First draw a component, once for the whole lattice. Then draw every
site **independently**, with the probabilities of that component.

We use three worlds, `NOISY`, `FM` and `DOWN`. Both classes have prior probability ½.

1. **noisy / noisy**: in both classes every spin is a fair coin. Nothing distinguishes the classes.
2. **FM / noisy**: class 0 is all down or all up, either clean or with each spin flipped with probability 0.1 (four components, a quarter
   each). Class 1 is fair coins. (FM: *ferromagnet*.)
3. **down / noisy or up**: class 0 is down, clean or flipped (half each). Class 1 is fair coins (half), or up, clean or flipped (a
   quarter each).

"""

# %% role="definitions" hidden="The three worlds"
WORLDS = [noisy_spins(), ferromagnet(), all_down()]
NOISY, FM, DOWN = WORLDS

# %% [markdown]
r"""
> ### Exercise 1.1 · Draw from a mixture of independent sites
> **2 points** (1½ for `sample_ensemble`, ½ for `majority_down`) · difficulty ●●○○○ · 25 minutes
>
> (a) Complete `sample_ensemble(setting, label, n, generator)`. It returns `n` independent words of the class `label` as **integers** of shape
> `(n, sites)`, with letters numbered from 0. All random numbers come from `generator`, so it determines the words.
>
> (b) In the class *majority down*, every site is down (0) with probability `ratio`, independently. A colleague wrote:
>
> ```python
> def majority_down(n, sites, ratio, generator):
>     return torch.bernoulli(torch.full((n, sites), ratio), generator=generator).long()
> ```
>
> Copy it into a new cell and print `majority_down(1000, 36, 0.8, torch.Generator().manual_seed(0)).float().mean()`. Find the bug, and write the function correctly below; it returns integers, drawn with `generator`.

<details><summary>A nudge</summary>

`torch.multinomial(weights, n, replacement=True, generator=generator)` draws `n` indices. Given a matrix of weights, it draws a row of
indices for each row of the matrix.
</details>
<details><summary>The shape of the answer</summary>

Draw the components, shape `(n,)`. Look up their probabilities, shape `(n, sites, letters)`. Flatten the first two axes, draw one
letter for each row, and reshape.
</details>
"""

# %% answer="lab1.sample_ensemble"
def sample_ensemble(setting: ToyProblem, label: int, n: int, generator: torch.Generator) -> Int[Tensor, "n sites"]:
    """Return `n` words of class `label`, as letters 0, 1, …"""
    ### BEGIN SOLUTION
    component = torch.multinomial(setting.weights[label], n, replacement=True, generator=generator)
    probs = setting.probs[component]  # (n, sites, letters)
    return torch.multinomial(probs.flatten(0, 1), 1, generator=generator).reshape(n, setting.sites)
    ### END SOLUTION


def majority_down(n: int, sites: int, ratio: float, generator: torch.Generator) -> Int[Tensor, "n sites"]:
    """Return spins (0 is down, 1 is up), each of which is down with probability `ratio`, independently."""
    ### BEGIN SOLUTION
    return torch.bernoulli(torch.full((n, sites), 1 - ratio), generator=generator).long()
    ### END SOLUTION


# %% check="lab1.sample_ensemble"

# %% [markdown]
r"""
Here are ten lattices of each class, drawn by *your* sampler. **Predict, then run.**
"""

# %%
predict("lab1.by_eye", choice="")

# %% role="illustration" hidden="Your picture: ten lattices of each class"
drawn(lambda: lab1.draw_worlds(WORLDS, sample_ensemble), "1.1")

# %% [markdown]
r"""
No classifier is without error, though ten lattices cannot show it: coins can fall mostly on one side, and many spins can flip. The best possible one errs in 0.25 % of the cases in world 2, 0.1 % in world 3.

The same function draws words of letters. A row is a word, a colour a letter. From left to right:

1. the classes share no letter;
2. both may use all letters, with different probabilities;
3. class 1 prefers half of the letters;
4. every word is a copy of one fixed word in which some letters are drawn anew, more of them in class 1.
"""

# %% role="illustration" hidden="Your picture: words"
from utils.toy_problems import biased_letters, dirichlet_letters, disjoint_letters, redrawn_letters

LETTER_WORLDS = [disjoint_letters(), dirichlet_letters(), biased_letters(), redrawn_letters()]
drawn(lambda: lab1.draw_words(LETTER_WORLDS, sample_ensemble), "1.1")

# %% [markdown]
r"""
> **Remember:** $p(x_0 \mid y) = \sum_c \omega_{c\mid y} \prod_i p_c(i, x_{0,i})$, with $\omega_{c\mid y}$ for `weights[y, c]` and $p_c(i, k)$ for `probs[c, i, k]`. First the component, then
> the sites. Parts 3 and 4 add noise to this formula.

---
# 2 · Noise that forgets slowly

> data → **noise (you are here)** → score → sampler → guidance

A sampler that starts from noise changes its state in small steps, but a spin cannot move from $-1$ to $-0.99$. So we add Gaussian noise. In every short time $\mathrm dt$, the process shrinks $x$ a little and adds a
little noise $\sqrt\beta\,\mathrm dW$, where $\mathrm dW$ has the variance $\mathrm dt$. Such a process is a *diffusion*; this one is called *variance preserving*:

$$\mathrm dx = -\tfrac12 \beta(t)\, x\, \mathrm dt + \sqrt{\beta(t)}\ \mathrm dW, \qquad \beta(t) = 0.1 + 19.9\, t .$$

Starting from $x_0$, this leads to

$$x_t = \alpha(t)\, x_0 + \sigma(t)\, \varepsilon,\qquad \varepsilon\sim\mathcal N(0, I),\qquad \alpha(t)^2 + \sigma(t)^2 = 1 .$$

At $t = 1$ there is almost only noise: $\alpha(1) = 0.007$. `alpha(t)` and `sigma(t)` are given.

<details><summary>Derivation: where α(t) comes from</summary>

The mean $m$ of $x_t$ given $x_0$ follows $\dot m = -\tfrac12 \beta m$, so $m = \alpha(t)\, x_0$ with $\alpha(t) = \exp\big(-\tfrac12 \int_0^t \beta\big)$.
The variance $v$ follows $\dot v = -\beta v + \beta$ with $v(0) = 0$, because shrinking by $\tfrac12\beta\,\mathrm dt$ reduces a variance by twice that
share. Its solution is $v = 1 - \alpha(t)^2 = \sigma(t)^2$. $x_t$ is Gaussian, as a sum of independent Gaussian increments.
</details>

> ### Exercise 1.2 · Noise
> **2 points** · difficulty ●○○○○ · 5 minutes
>
> Complete `add_noise(x0, t, noise)` for any shape `(b, sites, d)`. `x0` may hold integers (spins $\pm 1$, one-hot letters).
> Use the given `noise`; the result has the dtype that `t` and `noise` share.

<details><summary>A nudge</summary>

`alpha(t)` and `sigma(t)` have the shape of `t` and broadcast as they are. `sigma` is a standard deviation, not a variance.
</details>
"""

# %% answer="lab1.add_noise"
def add_noise(
    x0: Float[Tensor, "b sites d"] | Int[Tensor, "b sites d"], t: Float[Tensor, "b 1 1"], noise: Float[Tensor, "b sites d"]
) -> Float[Tensor, "b sites d"]:
    """Return x_t, made of the data x0 and the noise."""
    ### BEGIN SOLUTION
    return alpha(t) * x0 + sigma(t) * noise
    ### END SOLUTION


# %% check="lab1.add_noise"

# %% [markdown]
r"""
**Predict, then run.** Below is one lattice of each of four components, through time: clean down, clean up, down with 10 % flipped, fair coins. All four get the same noise.
"""

# %%
predict("lab1.forgetting", choice="")

# %% role="illustration" hidden="Your picture: lattices through time"
drawn(lambda: lab1.draw_noising(add_noise), "1.2")

# %% [markdown]
r"""
Down and up stay different longest: they differ in every spin. At $t = 0.4$ even the best classifier of *one* spin is right in only 69 % of the cases. But your eye adds up 36 spins,
and so does a posterior.

> **Remember:** $x_t = \alpha x_0 + \sigma \varepsilon$. Given $x_0$, the noisy sample is one Gaussian: that is why everything below has a closed form.

---
# 3 · Which class does this come from?

> data → **noise (you are here)** → score → sampler → guidance

Bayes' rule answers:

$$p(y \mid x_t) = \frac{p(y)\, p_t(x_t \mid y)}{\sum_{y'} p(y')\, p_t(x_t \mid y')} .$$

**Begin with one spin.** In class $y$ it points up with probability $q_y$. With noise, its density is a sum of two Gaussians,
$q_y\, \mathcal N(x; \alpha, \sigma^2) + (1 - q_y)\, \mathcal N(x; -\alpha, \sigma^2)$. The next cell is a warm-up without points: complete it, and compare
the numbers.
"""

# %%
def one_spin_posterior(x, a, s, up=(0.9, 0.2)):
    """Return p(y = 0 | x) for one spin with noise; up[y] is the probability of "up" in class y, and p(y) = 1/2."""
    ...  # your lines: math.exp is enough here


for x, expected in ((-1.0, 0.223), (0.0, 0.500), (0.5, 0.647), (1.0, 0.739)):
    print(f"x = {x:4}: yours {one_spin_posterior(x, a=0.6, s=0.8)}, expected {expected}")

# %% [markdown]
r"""
<details><summary>A solution</summary>

```python
bell = lambda m: math.exp(-((x - m) ** 2) / (2 * s**2))   # the factor 1 / sqrt(2 pi s²) cancels
likelihood = [q * bell(a) + (1 - q) * bell(-a) for q in up]
return likelihood[0] / sum(likelihood)
```
</details>

**Now 36 spins.** A class can make $2^{36}$ lattices. The sum over all of them would be hopeless if the sites were not
**independent within a component**:

$$p_t(x \mid c) = \prod_{i} \sum_{k} p_c(i, k)\ \mathcal N\big(x_i;\ \alpha\,e_k,\ \sigma^2 I\big),\qquad
p_t(x \mid y) = \sum_c \omega_{c\mid y}\ p_t(x \mid c).$$

Here $e_k$ is `setting.points[k]`. **The order matters**: sum over letters, product over sites,
sum over components. If you average the components first, the class is lost: in world 2 every site of both classes is up with probability one half.

A product of 36 densities of size $10^{-20}$ is 0 in floating point. So compute with logarithms, where a sum of exponentials becomes `torch.logsumexp`.

> ### Exercise 1.3 · The exact posterior
> **4 points** · difficulty ●●●●○ · 50 minutes
>
> Complete `class_posterior(x, t, setting)`. It returns $p(y \mid x_t)$ for all classes, shape `(b, classes)`, with rows that add up to 1. It works
> - for any setting: probabilities may differ from site to site, and some may be exactly 0; the prior may be uneven; there may be two letters or many;
> - for every $t$ from `T_MIN` to 1, any number of sites and $x$ up to $100$, even where every density underflows: no NaN, no infinity;
> - at least in the precision of `x`: convert nothing to `float32`;
> - where a class has the probability $10^{-20}$: do not clamp, because later cells differentiate the logarithm of your result.

<details><summary>A nudge</summary>

Factors that are the same for all letters, such as $(2\pi\sigma^2)^{-d/2}$, cancel in Bayes' rule. The logarithm of a zero is `-inf`, and `logsumexp` handles it.
</details>
<details><summary>The shape of the answer</summary>

Four tensors, each made from the one before: squared distances `(b, sites, letters)`; log densities of the components `(b, components)`;
log densities of the classes `(b, classes)`; the posterior.
</details>
<details><summary>"My shapes do not fit", "I run out of memory"</summary>

`x[:, :, None, :]` makes room for the letters, and `setting.probs.log()[None]` for the batch. `alpha(t)` has three axes; where you need four, write
`alpha(t)[..., None]`. If memory runs out, an axis was broadcast against the wrong one: print the shapes. The largest tensors
are `(b, components, sites, letters)` and `(b, sites, letters, d)`.
</details>
"""

# %% answer="lab1.class_posterior"
def class_posterior(
    x: Float[Tensor, "b sites d"], t: Float[Tensor, "b 1 1"], setting: ToyProblem
) -> Float[Tensor, "b classes"]:
    """Return p(y | x_t) for all classes, exactly."""
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
Here is your posterior of class 0 for lattices of class 0 in worlds 2 and 3: the mean of 400, and 40 of them in grey. Each lattice has its own noise, the same at all times. **Predict, then run.**
"""

# %%
predict("lab1.unknown_class", choice="")

# %% role="illustration" hidden="Your picture: the posterior through time"
drawn(lambda: lab1.draw_posterior([FM, DOWN], class_posterior, add_noise, sample_ensemble), "1.1, 1.2 and 1.3")

# %% [markdown]
r"""
Up to about $t = 0.2$ the class is nearly always certain. In world 2 almost nothing is known at $t = 0.7$, in world 3 at $t = 0.9$. In between lies the shaded window, where the class is decided: **there guidance matters most**. (One lattice in each panel has so many flipped spins that it is in doubt from the start.)

> **Remember:** $p(y \mid x_t) \propto p(y) \sum_c \omega_{c \mid y} \prod_i \sum_k \cdots$, in logarithms. Its gradient is what guides in part 6.

---
# 4 · The score

> data → noise → **score (you are here)** → sampler → guidance

Sampling needs the **score**, $\nabla_x \log p_t(x \mid y)$. It points in the direction in which the density grows fastest, and its length is the relative rate of growth. For one Gaussian with mean
$\alpha\,\mu$ and variance $\sigma^2$ the score is $(\alpha\mu - x)/\sigma^2$: an arrow towards the mean. For a mixture of such Gaussians the formula is the same,
with $\mu$ replaced by **the best guess of the data, given $x$**:

$$\nabla_x \log p_t(x\mid y) = \frac{\alpha\ \mathbb E[x_0 \mid x_t = x, y] - x}{\sigma^2},\qquad
\mathbb E[x_0 \mid x, y] = \sum_c p(c \mid x, y)\ \mathbb E[x_0 \mid x, c].$$

This is *Tweedie's formula*. Within a component the sites are independent, so $\mathbb E[x_{0,i}\mid x, c] = \sum_k p(k \mid x_i, c)\, e_k$. Bayes' rule gives both weights:

$$p(k \mid x_i, c) \propto p_c(i, k)\ \mathcal N\big(x_i;\ \alpha\,e_k,\ \sigma^2 I\big),\qquad p(c \mid x, y) \propto \omega_{c\mid y}\ p_t(x \mid c).$$

<details><summary>Derivation: Tweedie's formula</summary>

The density is a sum over data, $p_t(x \mid y) = \sum_{x_0} p(x_0 \mid y)\, \mathcal N(x; \alpha x_0, \sigma^2 I)$, and
$\nabla_x \mathcal N = \mathcal N \cdot (\alpha x_0 - x)/\sigma^2$. Divide the gradient of the sum by the sum:

$$\nabla_x \log p_t(x \mid y) = \sum_{x_0} \frac{p(x_0 \mid y)\, \mathcal N(x; \alpha x_0, \sigma^2 I)}{p_t(x \mid y)}\ \frac{\alpha x_0 - x}{\sigma^2} .$$

By Bayes' rule the fraction is $p(x_0 \mid x, y)$, so the right side is the mean of $(\alpha x_0 - x)/\sigma^2$ over all data that could have led to $x$.
</details>

> ### Exercise 1.4 · The exact score of a class
> **2 points** · difficulty ●●●○○ · 30 minutes
>
> Complete `conditional_score(x, t, y, setting)` for one class `y[n]` per sample. It must hold for the same worlds, times and $x$ as 1.3, and be as precise.
> You may call a helper of your own from 1.3. Write it in closed form: automatic differentiation is the test below.

<details><summary>A nudge</summary>

You have the logarithms of everything from 1.3. Each of the two weights is a `softmax`.
</details>
<details><summary>The shape of the answer</summary>

From 1.3 you need the log of probability times Gaussian, *before* its `logsumexp`, and the log densities of the
components plus $\log\omega_{c\mid y}$. Each goes into a softmax. Then the softmax over letters, `@ setting.points`, has the shape `(b, components, sites, d)`; average it over components with the other softmax.
</details>
"""

# %% answer="lab1.conditional_score"
def conditional_score(
    x: Float[Tensor, "b sites d"], t: Float[Tensor, "b 1 1"], y: Int[Tensor, " b"], setting: ToyProblem
) -> Float[Tensor, "b sites d"]:
    """Return the gradient of log p_t(x | y) with respect to x, exactly."""
    ### BEGIN SOLUTION
    distance = (x[:, :, None, :] - alpha(t)[..., None] * setting.points).square().sum(-1)
    log_sites = setting.probs.log() - (distance / (2 * sigma(t) ** 2))[:, None]
    shares = torch.softmax(setting.weights[y].log() + log_sites.logsumexp(-1).sum(-1), dim=-1)
    means = torch.softmax(log_sites, dim=-1) @ setting.points  # (b, components, sites, d)
    best_guess = torch.einsum("bc,bcld->bld", shares, means)
    return (alpha(t) * best_guess - x) / sigma(t) ** 2
    ### END SOLUTION


# %% check="lab1.conditional_score"

# %% [markdown]
r"""
Solve Tweedie's formula for the best guess: $\mathbb E[x_0\mid x, y] = (\sigma^2 s + x)/\alpha$. The figure shows six noisy lattices of
world 2 at four times, and below each your best guess if it came from class 0. **Predict, then run.**
"""

# %%
predict("lab1.best_guess", choice="")

# %% role="illustration" hidden="Your picture: the best guess of the data"
drawn(lambda: lab1.draw_best_guess(FM, sample_ensemble, add_noise, conditional_score), "1.1, 1.2 and 1.4")

# %% [markdown]
r"""
At $t = 1$ it is grey: the mean of up and down. This is an *average*, not a sample. So a sampler takes a small step, then evaluates the score again.

**The push** $g$. Guidance needs the direction in which the class becomes more probable. Differentiate the logarithm of Bayes' rule:

$$\nabla_x \log p_t(y \mid x) = \nabla_x \log p_t(x \mid y) - \nabla_x \log p_t(x) = s(x \mid y) - s(x).$$

The score of the whole world, $s(x) = \nabla_x \log \sum_y p(y)\, p_t(x \mid y) = \sum_y p(y \mid x)\, s(x \mid y)$, is the average of the scores of its classes (divide the gradient of the sum by the sum):
"""

# %% role="definitions"
def both_scores(x: Tensor, t: Tensor, y: Tensor, setting: ToyProblem) -> tuple[Tensor, Tensor]:
    """Return the score of the whole world and the score of the class y, by your formulas."""
    p = class_posterior(x, t, setting)
    per_class = [conditional_score(x, t, torch.full_like(y, k), setting) for k in range(setting.classes)]
    whole = sum(p[:, k, None, None] * s for k, s in enumerate(per_class))
    return whole, torch.stack(per_class)[y, torch.arange(len(y))]


# %% [markdown]
r"""
**All guidance in this course rests on the next figure.** In a world of two spins, a lattice is a point in the plane. In class 0 the two spins are nearly always
equal, in class 1 they are fair coins. At each black point start the score $s$ of the world, the push $w\,g$ with $g = s(x \mid y{=}0) - s(x)$, and
their sum.
"""

# %% role="illustration" hidden="Your picture: three arrows"
drawn(lambda: lab1.draw_three_arrows(class_posterior, both_scores), "1.3 and 1.4")

# %% [markdown]
r"""
The score pulls towards the data near by, of *either* class, weighted by probability: at the lower point it leans left, to the corner that is nearly three times as probable, not to the nearer one. The push leads to where class 0 is more probable.

Automatic differentiation of your posterior from 1.3 must agree with the difference of scores from 1.4:
"""

# %% role="illustration"
def compare_with_autograd():
    y = torch.arange(2).repeat_interleave(32)
    for world in (FM, DOWN):
        for s in (0.05, 0.3, 0.6):
            t = torch.full((64, 1, 1), s, dtype=torch.float64)
            x0 = world.embed(torch.cat([sample_ensemble(world, k, 32, generator(k)) for k in (0, 1)]))
            x = add_noise(x0, t, torch.randn(x0.shape, generator=generator(5), dtype=torch.float64)).requires_grad_()
            log_p = class_posterior(x, t, world).log()[torch.arange(64), y].sum()
            (gradient,) = torch.autograd.grad(log_p, x)
            whole, of_class = both_scores(x.detach(), t, y, world)
            difference = float((of_class - whole - gradient).abs().max())
            print(f"{world.name:<28} t = {s:<5g} largest gradient {float(gradient.abs().max()):.1e}, difference {difference:.1e}")


drawn(compare_with_autograd, "1.1 to 1.4")

# %% [markdown]
r"""
> **Remember:** $s(x \mid y) = \big(\alpha\, \mathbb E[x_0 \mid x, y] - x\big)/\sigma^2$.

---
# 5 · A classifier that has to learn it

> data → noise → **score (you are here)** → sampler → guidance

For real data the posterior is unknown. You train a **classifier on noisy data**, which also receives the time, and use *its* gradient.

> ### Exercise 1.5 · The loss of a noise-aware classifier
> **3 points** · difficulty ●●○○○ · 15 minutes
>
> Complete `get_train_loss(self, batch_size)`. It returns the cross-entropy between the classifier's logits and the classes, **averaged over the batch**.
> - `self.data.sample(batch_size)` returns the data, `x0` and `y`.
> - Each sample has its own time, uniform between `self.t_min` and 1, and its own standard normal noise. Draw them once; all these numbers are independent, and new in every call.
> - Add the noise with `self.add_noise(x0, t, noise)`, the attribute and not the function of that name: the grader replaces it. `t` has the shape `(b, 1, 1)`.
> - `self.model(x, t)` returns logits, shape `(b, classes)`.
> - New tensors are on the device of `x0` and in its dtype.

<details><summary>A nudge</summary>

`torch.nn.functional.cross_entropy` takes logits: it contains the softmax.
</details>
"""

# %% answer="lab1.classifier_loss"
class ClassifierTrainer(Trainer):
    def __init__(self, model: nn.Module, data, add_noise, t_min: float):
        super().__init__(model)
        self.data, self.add_noise, self.t_min = data, add_noise, t_min

    def get_train_loss(self, batch_size: int) -> Float[Tensor, ""]:
        """Return the mean cross-entropy of the classifier on noisy data, at random times."""
        ### BEGIN SOLUTION
        x0, y = self.data.sample(batch_size)
        t = self.t_min + (1 - self.t_min) * torch.rand(batch_size, 1, 1, device=x0.device, dtype=x0.dtype)
        x = self.add_noise(x0, t, torch.randn_like(x0))
        return nn.functional.cross_entropy(self.model(x, t), y)
        ### END SOLUTION


# %% check="lab1.classifier_loss"

# %% role="definitions"
def train_classifier(data, steps: int, setting: ToyProblem, width: int = 128):
    """Train a classifier of noisy words with your loss, and return it with the history of the loss."""
    from utils.nets import WordClassifier

    torch.manual_seed(0)
    model = WordClassifier(setting.sites, setting.points.shape[1], setting.classes, width)
    trainer = ClassifierTrainer(model, data, add_noise, T_MIN)
    trainer.train(steps, "cpu", lr=2e-3, batch_size=256, decay=True)
    return trainer.model.eval(), trainer.history


def learned_gradient(classifier: nn.Module, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
    """Return the gradient of log p(y | x, t) with respect to x, by a trained classifier."""
    x = x.detach().float().requires_grad_()
    with torch.enable_grad():
        log_p = classifier(x, t.float()).log_softmax(-1)[torch.arange(len(y)), y]
        return torch.autograd.grad(log_p.sum(), x)[0]


# %% [markdown]
r"""
The next figure compares classifiers of worlds 2 and 3 with the exact answers: how often are they right, and does their gradient point in the right direction (a cosine of 1)?
**Predict, then run.**
"""

# %%
predict("lab1.gradient_quality", choice="")

# %% role="illustration" hidden="Your picture: the trained classifier"
CLASSIFIER_STEPS = budget.pick(full=6000, cpu=1500, ci=10)
classifiers = {}


def learn():
    curves = {}
    for world in (FM, DOWN):
        classifier, history = train_classifier(FreshWords(world, sample_ensemble), CLASSIFIER_STEPS, world)
        classifiers[world.name] = classifier
        answers = sample_ensemble, add_noise, class_posterior, conditional_score, learned_gradient
        curves[lab1.short_name(world)] = lab1_results.measure_classifier(world, classifier, history, *answers)
    lab1.draw_classifier(curves)


drawn(learn, "1.1 to 1.5")

# %% [markdown]
r"""
Compare the last two panels. **Near the data the gradient is poor, although the accuracy is almost perfect**. The loss never
asked for a gradient. Where noise leaves every spin certain, $\log p(y\mid x)$ is flat: at $t = 0.05$ part 4 printed a largest gradient of about $10^{-12}$. Cross-entropy hardly depends on the direction of such a vector. In world 2 the cosine falls at large $t$: there almost nothing is left to learn, and the network's own error remains.

> **Remember:** a classifier is trained on $\log p(y \mid x_t)$ and used for $\nabla_x \log p(y \mid x_t)$. The first can be good while the second is not.

---
# 6 · One guided step, and then many

> data → noise → score → **sampler, guidance (you are here)**

The diffusion of part 2, run backwards in time, is again a diffusion. One step of length $h$ (an *Euler-Maruyama* step) is

$$x_{t-h} = x_t + \Big(\tfrac{\beta}{2}\, x_t + \beta\, s(x_t)\Big) h + \sqrt{\beta h}\ \varepsilon .$$

The first term undoes the shrinking, the second pulls towards the data, and the third adds fresh noise. **Guidance** replaces the score by

$$s_w(x) = s(x) + w\,\big(s(x \mid y) - s(x)\big) .$$

<details><summary>Derivation: the reverse step</summary>

Forward, one short step is $x_t = (1 - \tfrac12\beta h)\, u + \sqrt{\beta h}\ \varepsilon$, where $u$ is the state at $t - h$. By Bayes' rule
$p(u \mid x_t) \propto p(x_t \mid u)\, p_{t-h}(u)$. Take logarithms. Since $u$ is near $x_t$, the second term is nearly $\log p(x_t) + s(x_t)\cdot(u - x_t)$, so

$$\log p(u \mid x_t) = -\frac{\big(u - (1 + \tfrac12\beta h)\, x_t\big)^2}{2 \beta h} + s(x_t)\cdot u + \text{const},$$

up to terms that vanish with $h$. Complete the square: a Gaussian with variance $\beta h$ and mean $x_t + \tfrac12 \beta h\, x_t + \beta h\, s(x_t)$.
</details>

Before 36 dimensions, one. Drag the point: the guided score is a sum of two arrows.
"""

# %% role="illustration" hidden="Move it: two Gaussians and their scores"
explorables.show("two_gaussians")

# %% [markdown]
r"""
> ### Exercise 1.6 · One guided step
> **3 points** · difficulty ●●○○○ · 10 minutes
>
> Complete `guided_step(x, t, h, score, class_score, w, noise)`: one step from `t` to `t - h`, with `h > 0`. `score` is $s(x)$ and `class_score` is
> $s(x\mid y)$, both already computed, in the shape of `x`. `t` and `h` have the shape `(b, 1, 1)` and may differ between samples. `beta(t)` is given; evaluate it at the time
> where the step starts. Use the noise that you are given.

<details><summary>A nudge</summary>

At $w = 0$ only `score` counts, at $w = 1$ only `class_score`. The *variance* of the added noise is $\beta h$.
</details>
"""

# %% answer="lab1.guided_step"
def guided_step(
    x: Float[Tensor, "b sites d"], t: Float[Tensor, "b 1 1"], h: Float[Tensor, "b 1 1"], score: Float[Tensor, "b sites d"],
    class_score: Float[Tensor, "b sites d"], w: float, noise: Float[Tensor, "b sites d"],
) -> Float[Tensor, "b sites d"]:  # fmt: skip
    """Return x at time t - h, with guidance scale w."""
    ### BEGIN SOLUTION
    guided = score + w * (class_score - score)
    return x + (beta(t) * x / 2 + beta(t) * guided) * h + torch.sqrt(beta(t) * h) * noise
    ### END SOLUTION


# %% check="lab1.guided_step"

# %% role="definitions"
@torch.no_grad()
def sample_guided(setting: ToyProblem, label: int, n: int, w: float, steps: int, seed: int = 0, scores=both_scores, every: int = 0):
    """Repeat your step from noise to T_MIN, in float32. With `every`, return the states on the way, (times, n, sites, d)."""
    setting, source = setting.to(torch.float32), generator(seed)
    x = torch.randn((n, setting.sites, setting.points.shape[1]), generator=source)
    y, grid, states = torch.full((n,), label), times(steps).float(), []
    for i, (now, then) in enumerate(zip(grid, grid[1:])):
        t, h = now.expand(n, 1, 1), (now - then).expand(n, 1, 1)
        noise = torch.randn(x.shape, generator=source)  # the same for every w
        x = guided_step(x, t, h, *scores(x, t, y, setting), w, noise)
        if every and (i % every == 0 or i == steps - 1):
            states.append(x)
    return torch.stack(states) if every else x


# %% [markdown]
r"""
## First where the answer is known

At $w = 0$ the sampler must return the whole world, and at $w = 1$ the class. We compare the number of up spins, whose distribution is known. The
**total variation** between two distributions is half the sum of the absolute differences: 0 if they are equal, 1 if they have no value in common. Even a perfect sampler shows a positive distance, because $n$ samples scatter: the
column *by chance*. (In the tables ± is one standard error.)
"""

# %% role="illustration" hidden="Your sampler against the exact distribution"
SAMPLES = budget.pick(full=8000, cpu=2000, ci=100)
STEPS = budget.pick(full=400, cpu=120, ci=6)
drawn(
    lambda: lab1_results.print_convergence([FM, DOWN], sample_guided, SAMPLES, [STEPS // 4, STEPS // 2, STEPS]),
    "1.1 to 1.6",
)

# %% [markdown]
r"""
The distances fall towards the column *by chance* as the steps become smaller. With exact scores and enough steps (about 400; the CPU table stops at 120), the sampler returns the right distribution at $w = 0$ and $w = 1$.

## Then beyond

What does $w = 3$ sample? At every $t$, $s_w = s + w\,\nabla_x \log p_t(y \mid x)$ *is* the score of $p_t(x)\,p_t(y\mid x)^w$, normalised. At $t = 0$ this **tilted distribution** is cheap to compute exactly. All sites
have the same probabilities, so $p(y \mid x_0)$ depends on the number $k$ of up spins alone, and $P_w(k) \propto P(k)\,p(y\mid k)^w$, where $P(k)$ is the distribution of $k$ in the whole world. The table follows one number, the probability that *no* spin is up. **Predict, then run.**
"""

# %%
predict("lab1.tilted", choice="")

# %% role="illustration" hidden="Your samples against the tilted distribution, in numbers"
drawn(lambda: lab1_results.print_against_tilted([FM, DOWN], sample_guided, SAMPLES, STEPS), "1.1 to 1.6")

# %% role="illustration" hidden="Your picture: the number of up spins"
def show_up_spins():
    from utils.up_spins import count_up, histogram, tilted_pmf

    rows = []
    for world in (FM, DOWN):
        runs = [(w, sample_guided(world, 0, SAMPLES // 2, w, STEPS)) for w in (0.0, 1.0, 3.0, 8.0)]
        rows.append((lab1.short_name(world), [(w, histogram(count_up(x), 36), tilted_pmf(world, 0, w)) for w, x in runs]))
    lab1.draw_up_spins(rows)


drawn(show_up_spins, "1.1 to 1.6")

# %% [markdown]
r"""
The samples do **not** follow it: above $w = 1$ the leftmost bar (in world 2 both ends) is too high, and lattices with about four to nine flipped spins are too rare. Are large steps to blame? No: they make *too few* clean states, at every $w$. So more steps bring $w = 1$ nearer to the exact number, and $w = 3$ and $8$ *farther* from it. Here is that number against $w$, with half the samples; at $w = 0$ and $1$ you see the step's error. The band is ± two standard errors.
In world 3 the green curve shows the same with the classifier that *you* trained.
"""

# %% role="illustration" hidden="Your picture: P(no spin up) against w"
def learned_scores(x, t, y, setting):
    whole, _ = both_scores(x, t, y, setting)
    return whole, whole + learned_gradient(classifiers[setting.name], x, t, y)


def show_clean_share():
    scales, n = [0.0, 1.0, 2.0, 4.0, 8.0], SAMPLES // 2
    exact = {world: lambda w, world=world: sample_guided(world, 0, n, w, STEPS) for world in (FM, DOWN)}
    learned = lambda w: sample_guided(DOWN, 0, n, w, STEPS, scores=learned_scores)  # noqa: E731
    panels = []
    for world, more in ((FM, {}), (DOWN, {"learned gradient": learned})):
        curves = lab1_results.clean_share(world, scales, {"exact gradient": exact[world], **more})
        panels.append((world.name, curves, n))
    lab1.draw_clean_share(panels)


drawn(show_clean_share, "1.1 to 1.6")

# %% role="illustration" hidden="Move it: the number of up spins"
explorables.show("up_spins")

# %% [markdown]
r"""
The tilted distribution hardly changes above $w = 1$, but your samples do: too many end in the clean state. The reason is that the tilted distributions at different $t$ are not the noised versions of one another, except at $w = 0$ and $w = 1$.
So running the noise process backwards with the tilted scores does not lead back. Guidance is a useful push; it does not sample a power of a posterior.

<details><summary>Derivation: what the right push would be</summary>

Add noise to the tilted data: $\sum_{x_0} p(x_0)\,p(y\mid x_0)^w\,p_t(x\mid x_0) = p_t(x)\;\mathbb E\big[p(y\mid x_0)^w \mid x\big]$, the *mean of the power*. Guidance follows the score of $p_t(x)\,p_t(y\mid x)^w = p_t(x)\;\mathbb E\big[p(y\mid x_0) \mid x\big]^w$,
the *power of the mean*. Why do the clean states gain? In worlds 2 and 3, $p(y\mid x_0)$ is nearly always close to 0 or 1, and so is its power. So the right push is about that of $w = 1$. Guidance takes $w$ times as much, towards the lattices that are easiest to recognise: the clean ones.
</details>

In world 3 the learned gradient hardly changes this number: poor near the data, it is good in most of the window of part 3. But at $w = 1$ about 8 % of its samples in world 2, and 3 % in world 3, end in class 1 (with the exact gradient 0.5 % and 0.2 %), because below $t \approx 0.4$ its push is too weak.
"""

# %% role="illustration" hidden="Your film: world 2, class 0, the same noise at three guidance scales"
def film():
    scales, every = (0.0, 1.0, 4.0), max(1, STEPS // 40)
    runs = [sample_guided(FM, 0, 12, w, STEPS, seed=5, every=every) for w in scales]
    kept = [i for i in range(STEPS) if i % every == 0 or i == STEPS - 1]
    return lab1_results.film_of_lattices(runs, times(STEPS)[1:][kept].tolist(), scales)


try:
    animation = film()
except NotImplementedError:
    animation = "This film needs 1.1 to 1.6."
animation

# %% [markdown]
r"""
> **Remember:** $s_w = s + w\,\big(s(\cdot \mid y) - s\big)$. Labs 3 and 4 use the same line, with a learned $s$.

## Open exercise: the world in which guidance errs most

*No points.* In the world below the samples follow the tilted distribution. Change it: in which world of 36 spins are the samples at $w = 3$ as far from the tilted distribution as possible, also with more steps (`4 * STEPS`)? `ups[c]` is the probability of "up" in component `c`, and each row
of `weights` holds one class. Why does your world fool guidance?
"""

# %% role="illustration"
def my_world():
    return spin_problem("mine", ups=[0.0, 1.0, 0.5], weights=[[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])


drawn(lambda: lab1_results.print_world(my_world(), sample_guided, SAMPLES, STEPS), "1.1 to 1.6")

# %% [markdown]
r"""
---
# 7 · The negative control

> data → noise → score → sampler → **guidance (you are here)**

In world 1 both classes are fair coins. So $p(y \mid x_t) = \tfrac12$ everywhere, the exact gradient is **zero**, and guidance must do nothing. An experiment whose correct result is "no effect" is a *negative control*.

One classifier trains in world 1 on a **stored** data set: 200 lattices of each class, drawn once. A second classifier sees fresh lattices in every step.
**Predict, then run.**
"""

# %%
predict("lab1.stored_set", choice="")

# %% role="illustration" hidden="The negative control, in numbers"
CONTROL_STEPS = budget.pick(full=4000, cpu=1000, ci=10)


def negative_control():
    stored, fresh = (StoredWords(NOISY, sample_ensemble, 200, seed) for seed in (0, 50))
    trained = {
        "trained on the stored set": train_classifier(stored, CONTROL_STEPS, NOISY, width=256)[0],
        "trained on fresh lattices": train_classifier(FreshWords(NOISY, sample_ensemble), CONTROL_STEPS, NOISY, width=256)[0],
    }

    def sample(classifier, w):
        def scores(x, t, y, setting):
            whole, _ = both_scores(x, t, y, setting)
            return whole, whole + learned_gradient(classifier, x, t, y)
        return sample_guided(NOISY, 0, 400, w, STEPS // 2, scores=scores)

    lab1_results.print_control(NOISY, trained, stored, fresh, add_noise, sample)
    x, t = torch.randn(8, 36, 1, dtype=torch.float64), torch.full((8, 1, 1), 0.05, dtype=torch.float64)
    whole, of_class = both_scores(x, t, torch.zeros(8, dtype=torch.long), NOISY)
    print(f"\nthe exact gradient: at most {float((of_class - whole).abs().max()):.0e}")


drawn(negative_control, "1.1 to 1.6")

# %% [markdown]
r"""
> ### Exercise 1.7 · The negative control (written)
> **2 points**, graded by hand · difficulty ●●●○○ · 25 minutes
>
> The classes of world 1 have the same distribution, and yet a trained classifier guides. In five to eight sentences: (a) **Why** does it, and what does it guide towards? (b) **How do you see
> it** in the numbers above, without knowing the truth? When $w$ goes from 0 to 4, which of these numbers changes much, which hardly, and what does that mean? (c) What follows for a real data set, where you know no case in which guidance must do nothing?
"""

# %% [markdown] answer="lab1.negative_control_essay"
r"""
**Model answer.** (a) The classifier never saw the two distributions, only 200 lattices of each. These two *sets* are different although their distribution is the same: they share no lattice. A network that is large
enough learns which stored lattice belongs to which set. Its gradient is not zero: it points to the features by which the stored examples of its class can be recognised. Guidance amplifies an accident of the sample.

(b) On the stored set its accuracy is nearly perfect; on new lattices it is a coin toss. That gap shows it without any formula. The classifier that saw only fresh lattices has learned nothing, and
its guidance changes nothing. The memorising classifier's belief in class 0 rises from 0.52 to 0.88, but the distance to the nearest stored lattice falls only from 9.9 to 9.6 spins. So guided samples are *not* copies of
stored lattices. They share features that the classifier happens to use, and are otherwise as random as before. Being sure and being near the data are two things.

(c) Evaluate a guiding classifier on held-out data, at each noise level, before you use it. Look for the nearest training examples of guided samples. Repeat the experiment with shuffled labels: a pipeline that
"works" there measures its own memory.

**Rubric.** 1 point for the mechanism: finite stored sets differ although the distributions are equal, so the classifier separates memorised examples, and its gradient follows their features (½ for "overfitting"
alone). ½ point for a sign in the numbers: training against fresh accuracy, or belief against distance to stored lattices, or the comparison with the classifier trained on fresh lattices. ½ point for a
consequence: held-out evaluation, shuffled labels, nearest neighbours, or more data and early stopping with the reason.
"""

# %% [markdown]
r"""
> **Remember:** test a guide where it must do nothing.

---
# 8 · Four ways to add noise

The course's four noise processes differ in what happens to the data and in the direction of their clock. The vertical axis is the value of one coordinate; darker means more probable. The fourth is explained below.
"""

# %% role="illustration" hidden="The four noise processes"
plotting.draw_rosetta()
plt.show()

# %% [markdown]
r"""
---
# Beyond · Noise that never leaves the simplex

*Ungraded.* For discrete data there is another kind of noise: a letter $i$ out of $K$ becomes a point on the simplex, that is, $K$ numbers $\ge 0$ that add up to 1: $x \sim \mathrm{Dir}(1,\ldots,\alpha,\ldots,1)$, with
$\alpha$ at place $i$. (This $\alpha$ is a concentration, not the factor $\alpha(t)$ of part 2.) At $\alpha = 1$ the point is uniform on the simplex for every letter. As $\alpha$ grows, it moves to corner $i$,
with the velocity $u = \mathrm dx/\mathrm d\alpha = C(x_i, \alpha)\,(e_i - x)$: straight towards the corner. (Below, a colour is a letter, and their shares are 0.6, 0.3 and 0.1. As $u$ depends on the letter, an arrow is the mean of $u$ over the letters that may have led to $x$.) The speed $C$ has a closed form (`utils/simplex.py`; for $K = 2$ it is $-x\ln x/(\alpha(1-x))$).
"""

# %% role="illustration" hidden="The Dirichlet path"
lab1.draw_simplex()

# %% [markdown]
r"""
Guidance needs the posterior of the letter *given the class*. It follows from the unguided one and from the gradient $g = \nabla_x \log p(y \mid x)$ in closed form, for $\alpha > 1$:

$$p(i \mid x, y) = p(i \mid x) + \frac{x_i\,\big(g_i - \langle x, g\rangle\big)}{\alpha - 1}.$$

<details><summary>Derivation</summary>

$p(x\mid y) \propto \sum_i p(i\mid y)\, x_i^{\alpha-1}$, so $\partial_i \log p(x\mid y) = (\alpha-1)\,p(i\mid x, y)/x_i$, and the same without $y$. The difference is $g_i$. The term $\langle x, g\rangle$ keeps the sum at 1 for every $g$.
</details>

If $g$ is scaled by $w$, the result may leave the simplex; `simplex.project` returns the nearest point on it. Below are words of one letter out of three. At $w = 1$ the flow ends
in the distribution of the class. At $w = 3$ it goes beyond the class, but here not as far as the tilted distribution.
"""

# %% role="illustration" hidden="Guided letters, in numbers"
lab1_results.print_guided_letters(budget.pick(full=20000, cpu=4000, ci=50), budget.pick(full=2000, cpu=800, ci=5))

# %% [markdown]
r"""
---
# What you can do now

- write down the density, the posterior and the score of any mixture of independent sites, and rely on them at every noise level;
- distinguish a classifier's accuracy from the quality of its gradient;
- guide a sampler, and say in numbers what it samples and what it does not;
- run a negative control before you believe an effect.

**To read:** Song and others, *Score-Based Generative Modeling through Stochastic Differential Equations* (2021) · Dhariwal and Nichol, *Diffusion Models Beat GANs on Image Synthesis* (2021), for classifier guidance ·
Stark and others, *Dirichlet Flow Matching with Applications to DNA Sequence Design* (2024) · Bradley and Nakkiran, *Classifier-Free Guidance is a Predictor-Corrector* (2024).
"""
