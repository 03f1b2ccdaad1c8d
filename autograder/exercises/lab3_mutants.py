"""Lab 3: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits import cross_entropy_mutants as cross_entropy
from autograder.exercises.kits.mutants import right, wrong


def function(head: str, body: str) -> str:
    return f"def {head}:\n" + "".join(f"    {line}\n" if line else "\n" for line in body.strip("\n").split("\n"))


# --- 3.1 schedule

SCHEDULE = "lab3.schedule"
BETAS = "torch.linspace(1e-4, 0.02, T)"
BARS = "alphas.cumprod(dim=0))"
MIX = "alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise"
LOOK = "at(schedule.alpha_bars, t, x0)"
SIGMAS = "return beta.sqrt(), (1 - alpha_bar).sqrt(), (beta * (1 - before) / (1 - alpha_bar)).sqrt()"
for name, finds, old, new in (
    ("backwards", "backwards", BETAS, "torch.linspace(0.02, 1e-4, T)"),
    ("quadratic", "quadratic", BETAS, "torch.linspace(1e-4 ** 0.5, 0.02 ** 0.5, T) ** 2"),
    ("scaled_ends", ("other_ends", "wrong_betas"), BETAS, "torch.linspace(0.1 / T, 20 / T, T)"),
    ("end_left_out", "end_left_out", BETAS, "1e-4 + (0.02 - 1e-4) * torch.arange(T) / T"),
    ("other_end", "wrong_betas", "0.02, T", "0.2, T"),
    ("geometric", "wrong_betas", BETAS, "torch.logspace(-4, -1.69897, T)"),
    ("one_longer", "wrong_shape", BETAS, "torch.linspace(1e-4, 0.02, T + 1)"),
    ("root_alphas", ("root_of_alpha", "wrong_alphas"), "alphas = 1 - betas", "alphas = (1 - betas).sqrt()"),
    ("no_product", "no_product", BARS, "alphas)"),
    ("sum_for_product", "sum_for_product", "cumprod", "cumsum"),
    ("one_minus_sum", "one_minus_sum", BARS, "1 - betas.cumsum(0))"),
    ("bars_shifted", "bars_shifted", BARS, "torch.cat([torch.ones(1), alphas.cumprod(0)[:-1]]))"),
    ("root_bars", "root_of_bars", BARS, "alphas.cumprod(0).sqrt())"),
    ("bars_backwards", "bars_backwards", BARS, "alphas.flip(0).cumprod(0).flip(0))"),
    ("product_of_betas", "product_of_betas", BARS, "betas.cumprod(0))"),
    ("schedule_none", "raised", "return Schedule(betas", "Schedule(betas"),
    ("no_root", "no_root", MIX, "alpha_bar * x0 + (1 - alpha_bar) * noise"),
    ("no_root_on_data", "no_root_on_data", MIX, "alpha_bar * x0 + (1 - alpha_bar).sqrt() * noise"),
    ("no_root_on_noise", "no_root_on_noise", MIX, "alpha_bar.sqrt() * x0 + (1 - alpha_bar) * noise"),
    ("alpha_for_alpha_bar", "alpha_for_alpha_bar", LOOK, "at(schedule.alphas, t, x0)"),
    ("beta_noise", "sigma_of_one_step", MIX, "alpha_bar.sqrt() * x0 + at(schedule.betas, t, x0).sqrt() * noise"),
    ("swapped", "swapped", MIX, "(1 - alpha_bar).sqrt() * x0 + alpha_bar.sqrt() * noise"),
    ("noise_missing", "noise_missing", f"return {MIX}", "return alpha_bar.sqrt() * x0"),
    ("noise_not_scaled", "noise_not_scaled", MIX, "alpha_bar.sqrt() * x0 + noise"),
    ("data_not_scaled", "data_not_scaled", MIX, "x0 + (1 - alpha_bar).sqrt() * noise"),
    ("noise_subtracted", "noise_subtracted", ".sqrt() * x0 + (1", ".sqrt() * x0 - (1"),
    ("one_minus_root", "one_minus_root", MIX, "alpha_bar.sqrt() * x0 + (1 - alpha_bar.sqrt()) * noise"),
    ("not_broadcast", ("not_broadcast", "raised"), LOOK, "schedule.alpha_bars[t]"),
    ("first_time_for_all", "wrong_mixture", LOOK, "at(schedule.alpha_bars, t[:1], x0)"),
    ("own_noise", "wrong_mixture", "* noise", "* torch.randn_like(x0)"),
    ("off_by_one", "wrong_mixture", LOOK, "at(schedule.alpha_bars, t - 1, x0)"),
    ("in_place", "input_altered", f"return {MIX}", "return x0.mul_(alpha_bar.sqrt()).add_((1 - alpha_bar).sqrt() * noise)"),
    ("noise_none", "returned_none", f"return {MIX}", MIX),
    ("on_the_cpu", "hard_coded_device", f"return {MIX}", f"x0 = x0 * torch.ones(x0.shape)\n    return {MIX}"),
    ("sigmas_variance", "variance_for_sigma", "return beta.sqrt(),", "return beta,"),
    ("sigmas_swapped", "sigmas_swapped", "return beta.sqrt(), (1 - alpha_bar).sqrt(),", "return (1 - alpha_bar).sqrt(), beta.sqrt(),"),
    ("sigmas_alpha", ("alpha_for_alpha_bar", "sigmas_swapped"), "(1 - alpha_bar).sqrt(), (", "(1 - schedule.alphas[t]).sqrt(), ("),
    ("posterior_variance", "variance_for_sigma", "(beta * (1 - before) / (1 - alpha_bar)).sqrt()", "beta * (1 - before) / (1 - alpha_bar)"),
    ("posterior_same_bar", ("posterior_of_beta_only", "sigmas_swapped"), "(1 - before)", "(1 - alpha_bar)"),
    ("posterior_wraps", "wrong_sigma", "torch.where(t > 0, schedule.alpha_bars[t - 1], 1.0)", "schedule.alpha_bars[t - 1]"),
    ("posterior_upside_down", ("wrong_sigma", "not_finite"), "(1 - before) / (1 - alpha_bar)", "(1 - alpha_bar) / (1 - before)"),
    ("sigmas_none", "raised", SIGMAS, SIGMAS.replace("return ", "")),
):  # fmt: skip
    wrong(SCHEDULE, name, finds, edit=(old, new))
SIGMAS_RIGHT = '''

def three_sigmas(t, schedule):
    """By the last axis."""
    padded = torch.cat([torch.ones_like(schedule.alpha_bars[:1]), schedule.alpha_bars])
    variance = schedule.betas[t] * (1 - padded[t]) / (1 - padded[t + 1])
    return schedule.betas[t] ** 0.5, torch.sqrt(1 - schedule.alpha_bars[t]), variance**0.5
'''
right(SCHEDULE, "loop", source='''
def linear_schedule(T):
    betas = [1e-4 + (0.02 - 1e-4) * i / (T - 1) for i in range(T)]
    bars, product = [], 1.0
    for beta in betas:
        product = product * (1 - beta)
        bars.append(product)
    return Schedule(torch.tensor(betas), torch.tensor([1 - b for b in betas]), torch.tensor(bars))

def add_noise(x0, t, noise, schedule):
    rows = []
    for x, i, z in zip(x0, t, noise):
        bar = schedule.alpha_bars[i]
        rows.append(torch.sqrt(bar) * x + torch.sqrt(1 - bar) * z)
    return torch.stack(rows)
''' + SIGMAS_RIGHT)  # fmt: skip
right(SCHEDULE, "double", source='''
def linear_schedule(T):
    betas = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
    return Schedule(betas, 1 - betas, torch.cumprod(1 - betas, 0))

def add_noise(x0, t, noise, schedule):
    bar = schedule.alpha_bars.double()[t].reshape((len(t),) + (1,) * (x0.ndim - 1))
    return (bar**0.5 * x0.double() + (1 - bar) ** 0.5 * noise.double()).to(x0.dtype)
''' + SIGMAS_RIGHT)  # fmt: skip
right(SCHEDULE, "logs", edit=[(BARS, "torch.exp(torch.log1p(-betas).cumsum(0)))"), (MIX, "torch.addcmul(alpha_bar.sqrt() * x0, (1 - alpha_bar).sqrt(), noise)")])  # fmt: skip
right(SCHEDULE, "lerp_variance", edit=(MIX, "noise * torch.sqrt(1 - alpha_bar) + x0 * torch.sqrt(alpha_bar)"))
right(SCHEDULE, "plain_tuple", edit=("return Schedule(betas, alphas, alphas.cumprod(dim=0))", "return betas, alphas, alphas.cumprod(dim=0)"))  # fmt: skip
right(SCHEDULE, "own_buffer", edit=(f"return {MIX}", "out = x0.clone()\n    out *= alpha_bar.sqrt()\n    out += (1 - alpha_bar).sqrt() * noise\n    return out"))  # fmt: skip

# --- 3.2 score and noise

DICTIONARY = "lab3.score_and_noise"
SCORE = "-noise_estimate / (1 - at(schedule.alpha_bars, t, noise_estimate)).sqrt()"
NOISE = "-score * (1 - at(schedule.alpha_bars, t, score)).sqrt()"
for name, finds, old, new in (
    ("score_sign", "wrong_sign", SCORE, SCORE[1:]),
    ("noise_sign", "wrong_sign", NOISE, NOISE[1:]),
    ("score_beta", "sigma_of_one_step", "1 - at(schedule.alpha_bars, t, noise_estimate)", "at(schedule.betas, t, noise_estimate)"),
    ("noise_beta", "sigma_of_one_step", "1 - at(schedule.alpha_bars, t, score)", "at(schedule.betas, t, score)"),
    ("score_variance", "variance_for_sigma", "noise_estimate)).sqrt()", "noise_estimate))"),
    ("noise_variance", "variance_for_sigma", "score)).sqrt()", "score))"),
    ("score_alpha", ("alpha_for_alpha_bar", "sigma_of_one_step"), "at(schedule.alpha_bars, t, noise", "at(schedule.alphas, t, noise"),
    ("noise_alpha", ("alpha_for_alpha_bar", "sigma_of_one_step"), "at(schedule.alpha_bars, t, score", "at(schedule.alphas, t, score"),
    ("score_bar", "root_of_bar", "(1 - at(schedule.alpha_bars, t, noise_estimate))", "at(schedule.alpha_bars, t, noise_estimate)"),
    ("score_inverted", "inverted", "-noise_estimate / (1", "-noise_estimate * (1"),
    ("noise_inverted", "inverted", "-score * (1", "-score / (1"),
    ("score_plain", "sigma_missing", SCORE, "-noise_estimate"),
    ("noise_plain", "sigma_missing", NOISE, "-score"),
    ("score_not_broadcast", ("wrong_score", "raised"), "at(schedule.alpha_bars, t, noise_estimate)", "schedule.alpha_bars[t]"),
    ("score_in_place", "input_altered", SCORE, "noise_estimate.neg_().div_((1 - at(schedule.alpha_bars, t, noise_estimate)).sqrt())"),
    ("none", "returned_none", f"return {SCORE}", SCORE),
    ("last_t", "wrong_noise", "at(schedule.alpha_bars, t, score)", "at(schedule.alpha_bars, t - 1, score)"),
    ("on_the_cpu", "hard_coded_device", f"return {SCORE}", f"noise_estimate = noise_estimate * torch.ones(noise_estimate.shape)\n    return {SCORE}"),
):  # fmt: skip
    wrong(DICTIONARY, name, finds, edit=(old, new))
right(
    DICTIONARY,
    "small_constant",
    edit=(SCORE, "-noise_estimate / ((1 - at(schedule.alpha_bars, t, noise_estimate)).sqrt() + 1e-8)"),
)
right(DICTIONARY, "power", edit=[(SCORE, "-noise_estimate * (1 - at(schedule.alpha_bars, t, noise_estimate)) ** -0.5"), (NOISE, "-((1 - at(schedule.alpha_bars, t, score)) ** 0.5) * score")])  # fmt: skip
right(DICTIONARY, "double", edit=[(SCORE, "-(noise_estimate.double() / (1 - at(schedule.alpha_bars.double(), t, noise_estimate)).sqrt()).to(noise_estimate.dtype)")])  # fmt: skip
right(DICTIONARY, "loops", source='''
def score_from_noise(noise_estimate, t, schedule):
    return torch.stack([-n / torch.sqrt(1 - schedule.alpha_bars[i]) for n, i in zip(noise_estimate, t)])

def noise_from_score(score, t, schedule):
    return torch.stack([-n * torch.sqrt(1 - schedule.alpha_bars[i]) for n, i in zip(score, t)])
''')  # fmt: skip
right(DICTIONARY, "helper", source='''
def total_sigma(t, schedule, like):
    return torch.sqrt(1 - schedule.alpha_bars)[t].view(-1, *[1] * (like.dim() - 1))

def score_from_noise(noise_estimate, t, schedule):
    return torch.div(noise_estimate, total_sigma(t, schedule, noise_estimate)).neg()

def noise_from_score(score, t, schedule):
    return torch.mul(score, total_sigma(t, schedule, score)).neg()
''')  # fmt: skip
right(DICTIONARY, "einsum", edit=(NOISE, "-torch.einsum('b,b...->b...', (1 - schedule.alpha_bars[t]).sqrt(), score)"))

# --- 3.3 classifier_loss

LOSS = "lab3.classifier_loss"
TIME = "torch.randint(self.schedule.steps, (batch_size,), device=x0.device)"
NOISED = "self.add_noise(x0, t, torch.randn_like(x0), self.schedule)"
for name, finds, old, new in (
    *cross_entropy.WRONG,
    ("never_noised", "model_sees_clean", NOISED, "x0"),
    ("own_noising", "not_noised", NOISED, "x0 + t.reshape(-1, *[1] * (x0.dim() - 1)) * torch.randn_like(x0)"),
    ("time_uniform", "time_not_integer", TIME, "torch.rand(batch_size, device=x0.device)"),
    ("time_fixed_T", "time_out_of_range", "torch.randint(self.schedule.steps", "torch.randint(1000"),
    ("time_from_one", "time_out_of_range", TIME, "torch.randint(1, self.schedule.steps + 1, (batch_size,), device=x0.device)"),
    ("last_left_out", "last_step_missing", TIME, "torch.randint(self.schedule.steps - 1, (batch_size,), device=x0.device)"),
    ("first_left_out", "first_step_missing", TIME, "torch.randint(1, self.schedule.steps, (batch_size,), device=x0.device)"),
    ("time_shared", "time_shared", TIME, "torch.randint(self.schedule.steps, (1,), device=x0.device)"),
    ("time_shared_expanded", "time_shared", TIME, f"({TIME})[:1].expand(batch_size)"),
    ("time_column", "time_shape", TIME, "torch.randint(self.schedule.steps, (batch_size, 1, 1, 1), device=x0.device)"),
    ("time_grid", ("seeded", "time_distribution", "last_step_missing"), TIME, "torch.arange(batch_size, device=x0.device) % self.schedule.steps"),
    ("time_squared", "time_distribution", TIME, "(torch.rand(batch_size, device=x0.device) ** 2 * self.schedule.steps).long()"),
    ("time_reversed", "time_reversed", "self.model(x, t)", "self.model(x, self.schedule.steps - 1 - t)"),
    ("time_scaled", "time_scaled", "self.model(x, t)", "self.model(x, t.to(x.dtype) / self.schedule.steps)"),
    ("time_resampled", "time_differs", "self.model(x, t)", "self.model(x, torch.randint_like(t, self.schedule.steps))"),
    ("noise_per_sample", ("noise_shape", "noise_law"), "torch.randn_like(x0)", "torch.randn(batch_size, dtype=x0.dtype, device=x0.device).reshape(-1, *[1] * (x0.dim() - 1))"),
    ("on_the_cpu", "hard_coded_device", ", device=x0.device)", ") + torch.zeros(batch_size, dtype=torch.long) * y"),
):  # fmt: skip
    wrong(LOSS, name, finds, edit=(old, new))
for name, edit in cross_entropy.RIGHT:
    right(LOSS, name, edit=edit)


def loss(body: str) -> str:
    lines = "".join(" " * 8 + line + "\n" if line else "\n" for line in body.strip("\n").split("\n"))
    return (
        "class NoisyClassifierTrainer(Trainer):\n    def __init__(self, model, data, schedule, add_noise):\n        super().__init__(model)\n"
        "        self.data, self.schedule, self.add_noise = data, schedule, add_noise\n\n    def get_train_loss(self, batch_size):\n"
        + lines
    )


right(LOSS, "log_softmax", source=loss("""
x0, y = self.data.sample(batch_size)
noise = torch.randn(x0.shape, device=x0.device, dtype=x0.dtype)
t = torch.randint(0, len(self.schedule.betas), (len(x0),), device=x0.device)
logs = torch.log_softmax(self.model(self.add_noise(x0, t, noise, self.schedule), t), dim=1)
return -logs[torch.arange(len(y), device=y.device), y].sum() / batch_size
"""))  # fmt: skip
right(LOSS, "names", source=loss("""
clean, label = self.data.sample(n=batch_size)
steps = (torch.rand(batch_size, device=clean.device) * self.schedule.steps).long()
noisy = self.add_noise(x0=clean, t=steps, noise=torch.randn_like(clean), schedule=self.schedule)
print("one more batch")
return nn.CrossEntropyLoss()(self.model(x=noisy, t=steps), label)
"""))  # fmt: skip
right(LOSS, "a_few_at_a_time", source=loss("""
x0, y = self.data.sample(batch_size)
noise = torch.randn_like(x0)
t = torch.randint(self.schedule.steps, (batch_size,), device=x0.device)
x = self.add_noise(x0, t, noise, self.schedule)
some = torch.arange(batch_size, device=x0.device).split(16)
losses = [nn.functional.cross_entropy(self.model(x[i], t[i]), y[i], reduction="sum") for i in some]
return torch.stack(losses).sum() / batch_size
"""))  # fmt: skip
right(
    LOSS,
    "noise_first",
    edit=("        t = torch.randint", "        z = torch.randn_like(x0)\n        t = torch.randint"),
)

# --- 3.4 classifier_gradient

GRADIENT = "lab3.classifier_gradient"
PICK = "classifier(x, t).log_softmax(dim=1)[torch.arange(len(y), device=y.device), y]"
SUM = "torch.autograd.grad(log_probability.sum(), x)"
LEAF = "x.detach().requires_grad_()"
for name, finds, old, new in (
    ("mean", "batch_mean", "log_probability.sum()", "log_probability.mean()"),
    ("cross_entropy", "wrong_sign", "log_probability.sum()", "(-log_probability).sum()"),
    ("cross_entropy_mean", "wrong_sign", f"log_probability = {PICK}", "log_probability = nn.functional.cross_entropy(classifier(x, t), y)"),
    ("raw_logit", "raw_logit", ".log_softmax(dim=1)", ""),
    ("probability", "probability", ".log_softmax(dim=1)", ".softmax(dim=1)"),
    ("log_of_softmax", ("not_finite", "wrong_gradient"), ".log_softmax(dim=1)", ".softmax(dim=1).log()"),
    ("over_batch", "over_batch", "log_softmax(dim=1)", "log_softmax(dim=0)"),
    ("mixed", "samples_mixed", "[torch.arange(len(y), device=y.device), y]", "[:, y]"),
    ("all_classes", "all_classes", "[torch.arange(len(y), device=y.device), y]", ""),
    ("best_class", "best_class", "[torch.arange(len(y), device=y.device), y]", ".max(dim=1).values"),
    ("normalised", "normalised", "    return gradient", "    return gradient / gradient.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.dim() - 1))"),
    ("sign_only", "sign_only", "    return gradient", "    return gradient.sign()"),
    ("labels_shifted", "labels_shifted", "device=y.device), y]", "device=y.device), y.roll(1)]"),
    ("clean_time", "time_zero", "classifier(x, t)", "classifier(x, torch.zeros_like(t))"),
    ("first_time", "time_differs", "classifier(x, t)", "classifier(x, t[:1].expand_as(t))"),
    ("half_x", "other_x", "classifier(x, t)", "classifier(0.5 * x, t)"),
    ("graph_kept", "graph_kept", f"{SUM}", "torch.autograd.grad(log_probability.sum(), x, create_graph=True)"),
    ("marks_x", "x_marked", LEAF, "x.requires_grad_()"),
    ("tuple", "not_a_tensor", "    return gradient", "    return (gradient,)"),
    ("mode_left_on", "grad_mode_left", "    with torch.enable_grad():", "    torch.set_grad_enabled(True)\n    if True:"),
    ("none", "returned_none", "    return gradient", "    gradient"),
    ("in_place", "input_altered", "    return gradient", "    out = gradient\n    x.data.zero_()\n    return out"),
    ("on_the_cpu", "hard_coded_device", "    return gradient", "    return gradient * torch.ones(gradient.shape)"),
):  # fmt: skip
    wrong(GRADIENT, name, finds, edit=(old, new))
HEAD = "classifier_gradient(classifier, x, t, y)"
wrong(GRADIENT, "backward", "parameters_touched", source=function(HEAD, """
with torch.enable_grad():
    z = x.detach().requires_grad_()
    torch.log_softmax(classifier(z, t), 1)[torch.arange(len(y)), y].sum().backward()
return z.grad
"""))  # fmt: skip
wrong(GRADIENT, "no_window", "needs_enable_grad", source=function(HEAD, """
z = x.detach().requires_grad_()
logs = torch.log_softmax(classifier(z, t), 1)[torch.arange(len(y)), y]
return torch.autograd.grad(logs.sum(), z)[0]
"""))  # fmt: skip
wrong(GRADIENT, "parameters_frozen", ("raised", "parameters_touched", "wrong_gradient", "needs_enable_grad"), source=function(HEAD, """
with torch.enable_grad():
    logs = torch.log_softmax(classifier(x, t), 1)[torch.arange(len(y)), y]
    return torch.autograd.grad(logs.sum(), x)[0]
"""))  # fmt: skip
right(
    GRADIENT, "negative_sum", edit=(f"{PICK}\n", "-nn.functional.cross_entropy(classifier(x, t), y, reduction='sum')\n")
)
right(GRADIENT, "gather", source=function(HEAD, """
x = x.clone().detach()
with torch.set_grad_enabled(True):
    x.requires_grad_(True)
    logits = classifier(x, t)
    chosen = logits.gather(1, y[:, None]).squeeze(1) - logits.logsumexp(1)
    answer = torch.autograd.grad(chosen, x, grad_outputs=torch.ones_like(chosen))[0]
return answer.detach()
"""))  # fmt: skip
right(GRADIENT, "functional", source=function(HEAD, """
def total(z):
    return torch.log_softmax(classifier(z, t), 1)[torch.arange(len(y), device=y.device), y].sum()

return torch.func.grad(total)(x.detach()).detach()
"""))  # fmt: skip
right(GRADIENT, "row_by_row", source=function(HEAD, """
rows = []
with torch.enable_grad():
    for i in range(len(x)):
        z = x[i : i + 1].detach().clone().requires_grad_()
        logs = torch.log_softmax(classifier(z, t[i : i + 1]), dim=-1)
        rows.append(torch.autograd.grad(logs[0, y[i]], z)[0])
return torch.cat(rows)
"""))  # fmt: skip
right(GRADIENT, "mean_times_batch", edit=("log_probability.sum()", "len(y) * log_probability.mean()"))
right(
    GRADIENT,
    "one_hot",
    edit=("[torch.arange(len(y), device=y.device), y]\n", ".mul(nn.functional.one_hot(y, 4)).sum(1)\n"),
)

# --- 3.5 guided_noise and ddpm_step

STEP = "lab3.guided_ddpm_step"
GUIDED = "noise_estimate - w * (1 - at(schedule.alpha_bars, t, gradient)).sqrt() * gradient"
SIGMA = "(1 - at(schedule.alpha_bars, t, gradient)).sqrt()"
MEAN = "(x - beta / (1 - alpha_bar).sqrt() * noise_estimate) / alpha.sqrt()"
KICK = "at(t > 0, torch.arange(len(t), device=t.device), x) * beta.sqrt() * noise"
for name, finds, old, new in (
    ("plus", "wrong_sign", "noise_estimate - w", "noise_estimate + w"),
    ("one_step_sigma", "sigma_of_one_step", SIGMA, "at(schedule.betas, t, gradient).sqrt()"),
    ("variance", "variance_for_sigma", SIGMA, "(1 - at(schedule.alpha_bars, t, gradient))"),
    ("root_of_bar", "root_of_bar", SIGMA, "at(schedule.alpha_bars, t, gradient).sqrt()"),
    ("alpha", ("alpha_for_alpha_bar", "sigma_of_one_step"), "at(schedule.alpha_bars, t, gradient)", "at(schedule.alphas, t, gradient)"),
    ("no_sigma", "sigma_missing", f"w * {SIGMA}", "w"),
    ("inverted", "inverted", f"w * {SIGMA} * gradient", f"w * gradient / {SIGMA}"),
    ("mixed", "difference", "noise_estimate - w", "(1 - w) * noise_estimate - w"),
    ("all_scaled", "everything_scaled", GUIDED, f"w * (noise_estimate - {SIGMA} * gradient)"),
    ("one_more", "one_more", "- w *", "- (1 + w) *"),
    ("no_estimate", "noise_missing", "noise_estimate - w", "-w"),
    ("twice", "twice", "- w *", "- 2 * w *"),
    ("clipped", "scale_clipped", "- w *", "- min(max(w, 0.0), 1.0) *"),
    ("scale_rounded", "scale_altered", "- w *", "- int(w) *"),
    ("scale_without_sign", "scale_altered", "- w *", "- abs(w) *"),
    ("unguided", "unguided", GUIDED, "noise_estimate.clone()"),
    ("not_broadcast", ("wrong_guidance", "raised"), "at(schedule.alpha_bars, t, gradient)", "schedule.alpha_bars[t]"),
    ("guided_in_place", "input_altered", GUIDED, f"noise_estimate.sub_(w * {SIGMA} * gradient)"),
    ("guided_none", "returned_none", f"return {GUIDED}", GUIDED),
    ("noise_at_the_end", "noise_at_the_end", "at(t > 0, torch.arange(len(t), device=t.device), x) * ", ""),
    ("noise_if_first_moves", ("noise_at_the_end", "noise_missing", "wrong_step"), KICK, "(0 if t[0] == 0 else 1) * beta.sqrt() * noise"),
    ("no_noise", "noise_missing", f" + {KICK}", ""),
    ("beta_kick", "variance_for_sigma", "* beta.sqrt() * noise", "* beta * noise"),
    ("total_kick", "total_sigma", "* beta.sqrt() * noise", "* (1 - alpha_bar).sqrt() * noise"),
    ("full_kick", "noise_unscaled", "* beta.sqrt() * noise", "* noise"),
    ("minus_kick", "noise_subtracted", "mean + at(t", "mean - at(t"),
    ("whole_estimate", "factor_missing", "beta / (1 - alpha_bar).sqrt() * noise_estimate", "noise_estimate"),
    ("no_root", "no_root", "(1 - alpha_bar).sqrt()", "(1 - alpha_bar)"),
    ("one_minus_alpha", ("one_minus_alpha", "sigma_of_one_step"), "(1 - alpha_bar).sqrt()", "(1 - alpha).sqrt()"),
    ("root_beta", ("sigma_of_one_step", "one_minus_alpha"), "beta / (1 - alpha_bar).sqrt()", "beta.sqrt()"),
    ("all_at_once", "total_sigma", "beta / (1 - alpha_bar).sqrt()", "(1 - alpha_bar).sqrt()"),
    ("beta_only", "beta_only", "beta / (1 - alpha_bar).sqrt()", "beta"),
    ("bar_root", "alpha_bar_root", "/ alpha.sqrt()", "/ alpha_bar.sqrt()"),
    ("alpha_plain", "alpha_no_root", "/ alpha.sqrt()", "/ alpha"),
    ("not_rescaled", "not_rescaled", " / alpha.sqrt()", ""),
    ("multiplied", "multiplied", "/ alpha.sqrt()", "* alpha.sqrt()"),
    ("estimate_added", "wrong_sign", "(x - beta", "(x + beta"),
    ("clamped", "clamped", f"return mean + {KICK}", f"return (mean + {KICK}).clamp(-1, 1)"),
    ("clean", "clean_estimate", f"return mean + {KICK}", "return (x - (1 - alpha_bar).sqrt() * noise_estimate) / alpha_bar.sqrt()"),
    ("own_noise", "wrong_step", "beta.sqrt() * noise", "beta.sqrt() * torch.randn_like(x)"),
    ("step_in_place", "input_altered", f"return mean + {KICK}", f"out = mean + {KICK}\n    x.zero_()\n    return out"),
    ("step_none", "returned_none", "return mean +", "mean +"),
    ("on_the_cpu", "hard_coded_device", "return mean +", "return torch.zeros(x.shape) + mean +"),
):  # fmt: skip
    wrong(STEP, name, finds, edit=(old, new))
wrong(STEP, "posterior", "posterior_variance", edit=(KICK, "at(t > 0, torch.arange(len(t), device=t.device), x) * (beta * (1 - alpha_bar / alpha) / (1 - alpha_bar)).clamp(min=0).sqrt() * noise"))  # fmt: skip
right(STEP, "where", edit=(f"return mean + {KICK}", "return torch.where(at(t, torch.arange(len(t), device=t.device), x) > 0, mean + beta**0.5 * noise, mean)"))  # fmt: skip
right(STEP, "by_clean_estimate", source='''
def guided_noise(noise_estimate, gradient, t, w, schedule):
    sigma = torch.sqrt(1 - at(schedule.alpha_bars, t, gradient))
    score = -noise_estimate / sigma + w * gradient
    return -score * sigma

def ddpm_step(x, t, noise_estimate, noise, schedule):
    beta, alpha, bar = (at(values, t, x) for values in schedule)
    score = -noise_estimate / torch.sqrt(1 - bar)
    moving = (t != 0).to(x.dtype).reshape(beta.shape)
    return (x + beta * score) / torch.sqrt(alpha) + moving * torch.sqrt(beta) * noise
''')  # fmt: skip
right(STEP, "loops", source='''
def guided_noise(noise_estimate, gradient, t, w, schedule):
    return torch.stack([e - w * torch.sqrt(1 - schedule.alpha_bars[i]) * g for e, g, i in zip(noise_estimate, gradient, t)])

def ddpm_step(x, t, noise_estimate, noise, schedule):
    rows = []
    for row, i, e, z in zip(x, t, noise_estimate, noise):
        b = schedule.betas[i]
        new = (row - b * e / torch.sqrt(1 - schedule.alpha_bars[i])) / torch.sqrt(1 - b)
        if i > 0:
            new = new + torch.sqrt(b) * z
        rows.append(new)
    return torch.stack(rows)
''')  # fmt: skip
right(STEP, "double", edit=[("    mean = (x", "    dtype = x.dtype\n    x, noise_estimate, noise = x.double(), noise_estimate.double(), noise.double()\n    mean = (x"), (f"return mean + {KICK}", f"return (mean + {KICK}).to(dtype)")])  # fmt: skip
right(STEP, "masked", edit=[(f"return mean + {KICK}", "out = mean.clone()\n    out[t > 0] += (beta.sqrt() * noise)[t > 0]\n    return out")])  # fmt: skip
right(STEP, "addcmul", edit=(GUIDED, f"torch.addcmul(noise_estimate, {SIGMA}, gradient, value=-w)"))

# --- 3.6 ddim_step

DDIM = "lab3.ddim_step"
X0 = "(x - (1 - alpha_bar).sqrt() * noise_estimate) / alpha_bar.sqrt()"
BACK = "alpha_bar_prev.sqrt() * x0 + (1 - alpha_bar_prev).sqrt() * noise_estimate"
LAST = "at(with_data, t_prev, x)"
for name, finds, old, new in (
    ("wraps", "wrapped", LAST, "at(schedule.alpha_bars, t_prev, x)"),
    ("clamped_index", "clamped_index", LAST, "at(schedule.alpha_bars, t_prev.clamp(min=0), x)"),
    ("schedule_overwritten", "input_altered", LAST, "at(schedule.alpha_bars.mul_(1.0).clamp_(max=0.5), t_prev.clamp(min=0), x) * 0 + at(with_data, t_prev, x)"),
    ("data_too_early", "data_too_early", LAST, "at(with_data, torch.where(t_prev > 0, t_prev, -1), x)"),
    ("single_steps", "single_steps", LAST, "at(with_data, t - 1, x)"),
    ("clean_only", "clean_estimate", f"return {BACK}", "return x0"),
    ("no_noise_back", "noise_not_put_back", BACK, "alpha_bar_prev.sqrt() * x0"),
    ("data_full", "data_not_scaled", "alpha_bar_prev.sqrt() * x0 +", "x0 +"),
    ("no_roots", "no_root", BACK, "alpha_bar_prev * x0 + (1 - alpha_bar_prev) * noise_estimate"),
    ("noise_not_removed", "noise_not_removed", X0, "x / alpha_bar.sqrt()"),
    ("not_rescaled", "not_rescaled", X0, "x - (1 - alpha_bar).sqrt() * noise_estimate"),
    ("variance", "variance_for_sigma", "(1 - alpha_bar).sqrt() * noise", "(1 - alpha_bar) * noise"),
    ("bar_plain", "divided_by_bar", "/ alpha_bar.sqrt()", "/ alpha_bar"),
    ("plus", "wrong_sign", "(x - (1", "(x + (1"),
    ("minus_back", "noise_subtracted", "* x0 + (1", "* x0 - (1"),
    ("swapped", "swapped", "    x0 = ", "    alpha_bar, alpha_bar_prev = alpha_bar_prev, alpha_bar\n    x0 = "),
    ("old_noise", "old_noise", "(1 - alpha_bar_prev).sqrt()", "(1 - alpha_bar).sqrt()"),
    ("clamped", "clamped", f"x0 = {X0}", f"x0 = ({X0}).clamp(-1, 1)"),
    ("alphas", "wrong_step", "at(schedule.alpha_bars, t, x)", "at(schedule.alphas, t, x)"),
    ("fresh_noise", "wrong_step", "(1 - alpha_bar_prev).sqrt() * noise_estimate", "(1 - alpha_bar_prev).sqrt() * torch.randn_like(x)"),
    ("one_t_prev", ("wrong_step", "clean_estimate"), LAST, "at(with_data, t_prev[:1].expand_as(t_prev), x)"),
    ("not_broadcast", ("wrong_step", "raised"), "at(schedule.alpha_bars, t, x)", "schedule.alpha_bars[t]"),
    ("in_place", "input_altered", f"return {BACK}", f"out = {BACK}\n    x.zero_()\n    return out"),
    ("none", "returned_none", f"return {BACK}", BACK),
    ("on_the_cpu", "hard_coded_device", f"return {BACK}", f"return torch.zeros(x.shape) + {BACK}"),
):  # fmt: skip
    wrong(DDIM, name, finds, edit=(old, new))
right(
    DDIM,
    "where",
    edit=(
        LAST,
        "at(torch.where(t_prev >= 0, schedule.alpha_bars[t_prev], 1.0), torch.arange(len(t), device=t.device), x)",
    ),
)
right(
    DDIM, "by_score", edit=(X0, "(x + (1 - alpha_bar) * (-noise_estimate / (1 - alpha_bar).sqrt())) / alpha_bar.sqrt()")
)
DDIM_HEAD = "ddim_step(x, t, t_prev, noise_estimate, schedule)"
right(DDIM, "affine", source=function(DDIM_HEAD, """
bars = schedule.alpha_bars
a = at(bars, t, x)
b = at(torch.cat([torch.ones_like(bars[:1]), bars]), t_prev + 1, x)
scale = torch.sqrt(b / a)
return scale * x + (torch.sqrt(1 - b) - scale * torch.sqrt(1 - a)) * noise_estimate
"""))  # fmt: skip
right(DDIM, "loop", source=function(DDIM_HEAD, """
rows = []
for row, i, j, e in zip(x, t, t_prev, noise_estimate):
    a = schedule.alpha_bars[i]
    clean = (row - (1 - a) ** 0.5 * e) / a**0.5
    if j < 0:
        rows.append(clean)
    else:
        b = schedule.alpha_bars[j]
        rows.append(b**0.5 * clean + (1 - b) ** 0.5 * e)
return torch.stack(rows)
"""))  # fmt: skip
right(DDIM, "masked", source=function(DDIM_HEAD, """
a, b = at(schedule.alpha_bars, t, x), at(schedule.alpha_bars, t_prev.clamp(min=0), x).clone()
b[t_prev == -1] = 1
clean = x / a.sqrt() - noise_estimate * ((1 - a) / a).sqrt()
return b.sqrt() * clean + (1 - b).sqrt() * noise_estimate
"""))  # fmt: skip
right(DDIM, "double", edit=[("    x0 = (x", "    kind = x.dtype\n    x, noise_estimate = x.double(), noise_estimate.double()\n    x0 = (x"), (f"return {BACK}", f"return ({BACK}).to(kind)")])  # fmt: skip

# --- 3.7 spot_the_bugs

BUGS = "lab3.spot_the_bugs"
INSIDE = "model(x, t) - w * sigma * gradient"
TOTAL = "(1 - schedule.alpha_bars[step]).sqrt()"
NEXT = "x = ddpm_step(x, t, noise_estimate, noises[step], schedule)"
for name, finds, edits in (
    ("sign_only", "wrong_sign", [(INSIDE, "model(x, t) + w * sigma * gradient")]),
    ("sigma_only", "sigma_of_one_step", [(TOTAL, "schedule.betas[step].sqrt()")]),
    ("clamp_only", "clamped", [(NEXT, NEXT + ".clamp(-1, 1)")]),
    ("outside_only", "guidance_outside", [(INSIDE, "model(x, t)"), (NEXT, NEXT + " + w * schedule.betas[step] / schedule.alphas[step].sqrt() * gradient")]),
    ("sign_and_sigma", "wrong_sign", [(INSIDE, "model(x, t) + w * sigma * gradient"), (TOTAL, "schedule.betas[step].sqrt()")]),
    ("outside_and_clamp", "guidance_outside", [(INSIDE, "model(x, t)"), (NEXT, "x = (" + NEXT[4:] + " + w * schedule.betas[step] / schedule.alphas[step].sqrt() * gradient).clamp(-1, 1)")]),
    ("outside_sigma", "sigma_of_one_step", [(INSIDE, "model(x, t)"), (TOTAL, "schedule.betas[step].sqrt()"), (NEXT, NEXT + " + w * sigma * gradient")]),
    ("outside_total", "guidance_outside", [(INSIDE, "model(x, t)"), (NEXT, NEXT + " + w * sigma * gradient")]),
    ("twice", "guidance_twice", [(NEXT, NEXT + " + w * sigma * gradient")]),
    ("unguided", "unguided", [(INSIDE, "model(x, t)")]),
    ("no_sigma", "sigma_missing", [("w * sigma * gradient", "w * gradient")]),
    ("variance", "variance_for_sigma", [(TOTAL, "1 - schedule.alpha_bars[step]")]),
    ("no_scale", "scale_missing", [("w * sigma * gradient", "sigma * gradient")]),
    ("forwards", "wrong_order", [("reversed(range(schedule.steps))", "range(schedule.steps)")]),
    ("first_step_left_out", "wrong_number_of_calls", [("reversed(range(schedule.steps))", "reversed(range(1, schedule.steps))")]),
    ("noises_reversed", "wrong_noise", [("noises[step]", "noises[schedule.steps - 1 - step]")]),
    ("fresh_noise", "wrong_noise", [("noises[step]", "torch.randn_like(x)")]),
    ("labels", "wrong_labels", [("classifier_gradient(classifier, x, t, y)", "classifier_gradient(classifier, x, t, torch.zeros_like(y))")]),
    ("none", "returned_none", [("    return x", "    x")]),
    ("on_the_cpu", "hard_coded_device", [(", device=x.device)", ")")]),
    ("squeezed", "wrong_shape", [("    return x", "    return x.squeeze()")]),
    ("schedule_overwritten", "input_altered", [("    return x", "    schedule.alpha_bars[0] = 1.0\n    return x")]),
    ("start_overwritten", "input_altered", [("x = ddpm_step", "x[:] = ddpm_step")]),
    ("float_time", "time_not_integer", [("torch.full((len(x),), step,", "torch.full((len(x),), float(step),")]),
):  # fmt: skip
    wrong(BUGS, name, finds, edit=edits)
BUGS_HEAD = "guided_sampler(x, y, w, model, classifier, schedule, classifier_gradient, ddpm_step, noises)"
wrong(BUGS, "as_it_was", ("guidance_outside", "clamped", "wrong_sign"), source=function(BUGS_HEAD, """
for step in reversed(range(schedule.steps)):
    t = torch.full((len(x),), step, device=x.device)
    gradient = classifier_gradient(classifier, x, t, y)
    noise_estimate = model(x, t)
    sigma = schedule.betas[step].sqrt()
    x_next = ddpm_step(x, t, noise_estimate, noises[step], schedule)
    x = (x_next - w * sigma * gradient).clamp(-1, 1)
return x
"""))  # fmt: skip
right(BUGS, "three_sigmas_by_hand", edit=[(TOTAL, "torch.sqrt(1 - schedule.alphas[: step + 1].prod())")])
right(BUGS, "keywords", source=function(BUGS_HEAD, """
for step in range(len(schedule.betas) - 1, -1, -1):
    t = torch.full((x.shape[0],), step, device=x.device, dtype=torch.long)
    e = model(x=x, t=t)
    g = classifier_gradient(classifier=classifier, x=x, t=t, y=y)
    e = e - w * (1 - at(schedule.alpha_bars, t, x)).sqrt() * g
    x = ddpm_step(x=x, t=t, noise_estimate=e, noise=noises[step], schedule=schedule)
return x
"""))  # fmt: skip
right(BUGS, "by_score", edit=[(INSIDE, "-sigma * (-model(x, t) / sigma + w * gradient)")])
right(BUGS, "progress", source=function(BUGS_HEAD, """
from tqdm import tqdm

sigmas = (1 - schedule.alpha_bars) ** 0.5
for step in tqdm(list(range(schedule.steps))[::-1]):
    t = torch.ones(len(x), dtype=torch.int64, device=x.device) * step
    direction = classifier_gradient(classifier, x, t, y)
    x = ddpm_step(x, t, model(x, t) - w * sigmas[step] * direction, noises[step], schedule)
return x
"""))  # fmt: skip
right(BUGS, "recursive", source=function(BUGS_HEAD, """
def down(x, step):
    if step < 0:
        return x
    t = torch.full((len(x),), step, device=x.device)
    e = model(x, t) - w * torch.sqrt(1 - schedule.alpha_bars[step]) * classifier_gradient(classifier, x, t, y)
    return down(ddpm_step(x, t, e, noises[step], schedule), step - 1)

return down(x, schedule.steps - 1)
"""))  # fmt: skip

# --- 3.8 what_guidance_samples

VARIANCE = "lab3.what_guidance_samples"
TILT, ODE = "1 / ((1 - w) / S + w / s)", "S ** (1 - w) * s**w"
SDE = "(S * s - S ** (2 - 2 * w) * s ** (2 * w)) / ((S - s) * (2 * w - 1))"
for name, finds, edits in (
    ("swapped", ("sde_for_ode", "ode_for_sde"), [("return tilt, ode, sde", "return tilt, sde, ode")]),
    ("all_tilt", "tilt_for_ode", [(f"ode = {ODE}", "ode = tilt")]),
    ("sde_is_tilt", "tilt_for_sde", [(f"sde = {SDE}", "sde = tilt")]),
    ("order", ("tilt_for_ode", "ode_for_tilt", "sde_for_tilt"), [("return tilt, ode, sde", "return ode, tilt, sde")]),
    ("deviations", "root_for_variance", [("return tilt, ode, sde", "return tilt**0.5, ode**0.5, sde**0.5")]),
    ("tilt_added", "precisions_averaged", [(TILT, "1 / (1 / S + w / s)")]),
    ("tilt_averaged", "variances_averaged", [(TILT, "(1 - w) * S + w * s")]),
    ("exponents", "exponents_swapped", [(ODE, "S ** w * s ** (1 - w)")]),
    ("noise_forgotten", ("noise_forgotten", "wrong_sde"), [(SDE, "S ** (2 - 2 * w) * s ** (2 * w)")]),
    ("sde_sign", "wrong_sde", [("(S * s - S **", "(S * s + S **")]),
    ("sde_no_division", "wrong_sde", [(" / ((S - s) * (2 * w - 1))", "")]),
    ("sde_single_power", "wrong_sde", [("S ** (2 - 2 * w) * s ** (2 * w)", "S ** (1 - w) * s ** w")]),
    ("ode_root", ("wrong_ode", "root_for_variance"), [(ODE, "S ** ((1 - w) / 2) * s ** (w / 2)")]),
    ("examples_only", ("wrong_tilt", "wrong_sde", "tilt_for_ode", "sde_for_ode", "wrong_ode"), [("return tilt, ode, sde", "return 0.4, 0.0625, 0.26641")]),
    ("none", "returned_none", [("return tilt", "tilt")]),
):  # fmt: skip
    wrong(VARIANCE, name, finds, edit=edits)
right(VARIANCE, "common_denominator", edit=[(TILT, "S * s / (s + w * (S - s))"), (ODE, "S * (s / S) ** w")])
right(VARIANCE, "logarithms", edit=[(ODE, "math.exp((1 - w) * math.log(S) + w * math.log(s))")])
right(VARIANCE, "factored", edit=[(SDE, "S * s * (1 - (s / S) ** (2 * w - 1)) / ((S - s) * (2 * w - 1))")])
right(
    VARIANCE,
    "tensors",
    edit=[("return tilt, ode, sde", "return tuple(torch.tensor(v, dtype=torch.float64) for v in (tilt, ode, sde))")],
)
right(VARIANCE, "numerical", source=function("what_guidance_samples(S, s, w)", """
from scipy.integrate import quad

inverse = lambda r: (S + r) ** (2 * w - 2) * (s + r) ** (-2 * w)
area = quad(inverse, 0, s, epsabs=1e-13, epsrel=1e-11)[0] + quad(inverse, s, S, epsabs=1e-13, epsrel=1e-11)[0] + quad(inverse, S, float("inf"), epsabs=1e-13, epsrel=1e-11)[0]
return (1 / ((1 - w) / S + w / s), S ** (1 - w) * s**w, S ** (2 - 2 * w) * s ** (2 * w) * area)
"""))  # fmt: skip
right(VARIANCE, "numpy", edit=[(ODE, "np.exp((1 - w) * np.log(S) + w * np.log(s))")])
