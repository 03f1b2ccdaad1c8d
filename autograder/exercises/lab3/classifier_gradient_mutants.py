"""Exercise 3.4: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import function

right, wrong = mutants_of("lab3.classifier_gradient")
finds: str | tuple[str, ...]  # of every loop below

PICK = "classifier(x, t).log_softmax(dim=1)[torch.arange(len(y), device=y.device), y]"
SUM = "torch.autograd.grad(log_probability.sum(), x)"
LEAF = "x.detach().requires_grad_()"
for name, finds, old, new in (
    ("mean", "batch_mean", "log_probability.sum()", "log_probability.mean()"),
    ("cross_entropy", "wrong_sign", "log_probability.sum()", "(-log_probability).sum()"),
    ("cross_entropy_mean", "wrong_sign", f"log_probability = {PICK}",
     "log_probability = nn.functional.cross_entropy(classifier(x, t), y)"),
    ("raw_logit", "raw_logit", ".log_softmax(dim=1)", ""),
    ("probability", "probability", ".log_softmax(dim=1)", ".softmax(dim=1)"),
    ("log_of_softmax", ("not_finite", "wrong_gradient"), ".log_softmax(dim=1)", ".softmax(dim=1).log()"),
    ("over_batch", "over_batch", "log_softmax(dim=1)", "log_softmax(dim=0)"),
    ("mixed", "samples_mixed", "[torch.arange(len(y), device=y.device), y]", "[:, y]"),
    ("all_classes", "all_classes", "[torch.arange(len(y), device=y.device), y]", ""),
    ("best_class", "best_class", "[torch.arange(len(y), device=y.device), y]", ".max(dim=1).values"),
    ("normalised", ("normalised", "not_finite"), "    return gradient",
     "    return gradient / gradient.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.dim() - 1))"),
    ("sign_only", "sign_only", "    return gradient", "    return gradient.sign()"),
    ("labels_shifted", "labels_shifted", "device=y.device), y]", "device=y.device), y.roll(1)]"),
    ("clean_time", "time_zero", "classifier(x, t)", "classifier(x, torch.zeros_like(t))"),
    ("first_time", "time_differs", "classifier(x, t)", "classifier(x, t[:1].expand_as(t))"),
    ("half_x", "other_x", "classifier(x, t)", "classifier(0.5 * x, t)"),
    ("graph_kept", "graph_kept", f"{SUM}", "torch.autograd.grad(log_probability.sum(), x, create_graph=True)"),
    ("marks_x", "requires_grad_left", LEAF, "x.requires_grad_()"),
    ("tuple", "not_a_tensor", "    return gradient", "    return (gradient,)"),
    ("unfrozen", "requires_grad_left", "    return gradient",
     "    if isinstance(classifier, nn.Module):\n        classifier.requires_grad_()\n    return gradient"),
    ("mode_left_on", "setting_left", "    with torch.enable_grad():",
     "    torch.set_grad_enabled(True)\n    if True:"),
    ("none", "returned_none", "    return gradient", "    gradient"),
    ("in_place", "input_altered", "    return gradient", "    out = gradient\n    x.data.zero_()\n    return out"),
    ("on_the_cpu", "hard_coded_device", "    return gradient", "    return gradient * torch.ones(gradient.shape)"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
HEAD = "classifier_gradient(classifier, x, t, y)"
wrong("backward", "gradient_left", source=function(HEAD, """
with torch.enable_grad():
    z = x.detach().requires_grad_()
    torch.log_softmax(classifier(z, t), 1)[torch.arange(len(y)), y].sum().backward()
return z.grad
"""))  # fmt: skip
wrong("no_window", "needs_enable_grad", source=function(HEAD, """
z = x.detach().requires_grad_()
logs = torch.log_softmax(classifier(z, t), 1)[torch.arange(len(y)), y]
return torch.autograd.grad(logs.sum(), z)[0]
"""))  # fmt: skip
FROZEN = ("raised", "gradient_left", "wrong_gradient", "needs_enable_grad")
wrong("parameters_frozen", FROZEN, source=function(HEAD, """
with torch.enable_grad():
    logs = torch.log_softmax(classifier(x, t), 1)[torch.arange(len(y)), y]
    return torch.autograd.grad(logs.sum(), x)[0]
"""))  # fmt: skip
right("negative_sum", edit=(f"{PICK}\n", "-nn.functional.cross_entropy(classifier(x, t), y, reduction='sum')\n"))
right("gather", source=function(HEAD, """
x = x.clone().detach()
with torch.set_grad_enabled(True):
    x.requires_grad_(True)
    logits = classifier(x, t)
    chosen = logits.gather(1, y[:, None]).squeeze(1) - logits.logsumexp(1)
    answer = torch.autograd.grad(chosen, x, grad_outputs=torch.ones_like(chosen))[0]
return answer.detach()
"""))  # fmt: skip
right("functional", source=function(HEAD, """
def total(z):
    return torch.log_softmax(classifier(z, t), 1)[torch.arange(len(y), device=y.device), y].sum()

return torch.func.grad(total)(x.detach()).detach()
"""))  # fmt: skip
right("row_by_row", source=function(HEAD, """
rows = []
with torch.enable_grad():
    for i in range(len(x)):
        z = x[i : i + 1].detach().clone().requires_grad_()
        logs = torch.log_softmax(classifier(z, t[i : i + 1]), dim=-1)
        rows.append(torch.autograd.grad(logs[0, y[i]], z)[0])
return torch.cat(rows)
"""))  # fmt: skip
right("mean_times_batch", edit=("log_probability.sum()", "len(y) * log_probability.mean()"))
right(
    "one_hot",
    edit=(
        "[torch.arange(len(y), device=y.device), y]\n",
        ".mul(nn.functional.one_hot(y, classifier(x, t).shape[1])).sum(1)\n",
    ),
)
GRAD = "(gradient,) = torch.autograd.grad(log_probability.sum(), x)"
BODY = """
classifier_before
with torch.enable_grad():
    z = x.detach().requires_grad_()
    logs = torch.log_softmax(classifier(z, t), 1)
    return torch.autograd.grad(logs.gather(1, y[:, None]).sum(), z)[0]
"""
for name, finds, line in (
    # the lab passes plain functions
    ("calls_eval", "needs_a_module", "classifier.eval()"),
    ("calls_zero_grad", "needs_a_module", "classifier.zero_grad()"),
    ("reads_parameters", "needs_a_module", "device = next(classifier.parameters()).device"),
    ("calls_forward", "needs_a_module", "classifier.forward"),
    ("eval_of_modules", "mode_left", "isinstance(classifier, nn.Module) and classifier.eval()"),
    ("freezes_modules", "requires_grad_left", "isinstance(classifier, nn.Module) and classifier.requires_grad_(False)"),
    ("clears_grad", "gradient_cleared", "x.grad = None"),
    ("seeds", "seed_left", "torch.manual_seed(0)"),
    ("default_dtype", "setting_left", "torch.set_default_dtype(torch.float64)"),
    ("anomalies", "setting_left", "torch.autograd.set_detect_anomaly(True)"),
):
    wrong(name, finds, source=function(HEAD, BODY.replace("classifier_before", line)))
wrong("switches_flag_off", "requires_grad_left", source=function(HEAD, """
with torch.enable_grad():
    x.requires_grad_(True)
    logs = torch.log_softmax(classifier(x, t), 1)
    gradient = torch.autograd.grad(logs.gather(1, y[:, None]).sum(), x)[0]
x.requires_grad_(False)
return gradient
"""))  # fmt: skip
wrong("backward_on_functions", ("gradient_left", "raised"), source=function(HEAD, """
with torch.enable_grad():
    z = x.detach().requires_grad_()
    nn.functional.cross_entropy(classifier(z, t), y, reduction="sum").backward()
return -z.grad
"""))  # fmt: skip
DIFFERENCES = """
out, h = torch.zeros_like(x), 1e-3
for i in range(x[0].numel()):
    ends = []
    for side in (h, -h):
        z = x.detach().clone()
        z.view(len(x), -1)[:, i] += side
        ends.append(classifier(z, t).log_softmax(1)[torch.arange(len(y)), y].detach())
    out.view(len(x), -1)[:, i] = (ends[0] - ends[1]) / (2 * h)
return out.detach()
"""
wrong("differences", "other_points", source=function(HEAD, DIFFERENCES))
wrong("fine_differences", "other_points", source=function(HEAD, DIFFERENCES.replace("1e-3", "1e-5").replace(
    "x.detach().clone()", "x.detach().double().clone()")))  # fmt: skip
for name, finds, old, new in (
    ("log_plus", ("wrong_gradient", "probability"), ".log_softmax(dim=1)", ".softmax(dim=1).add(1e-8).log()"),
    ("log_clamped", ("wrong_gradient", "not_finite", "probability"), ".log_softmax(dim=1)",
     ".softmax(dim=1).clamp(min=1e-12).log()"),
    ("sigmoids", ("shift_matters", "not_finite"), ".log_softmax(dim=1)", ".sigmoid().log()"),
    ("temperature", ("wrong_gradient", "wrong_ratio"), "log_softmax(dim=1)", "div(2).log_softmax(dim=1)"),
    ("entropy", ("entropy", "labels_ignored"), "log_probability.sum(), x",
     "(classifier(x, t).softmax(1) * classifier(x, t).log_softmax(1)).sum() + 0 * log_probability.sum(), x"),
    ("twice", ("wrong_ratio", "wrong_gradient"), "    return gradient", "    return 2 * gradient"),
    ("clipped", ("wrong_gradient", "wrong_length"), "    return gradient", "    return gradient.clamp(-1, 1)"),
    ("clipped_norm", ("wrong_gradient", "wrong_length", "samples_mixed", "depends_on_batch_size"),
     "    return gradient",
     "    return gradient / gradient.norm().clamp(min=1)"),
    ("half", ("wrong_dtype", "not_finite"), "    return gradient", "    return gradient.half()"),
    ("numpy_out", "not_a_tensor", "    return gradient", "    return gradient.cpu().numpy()"),
    ("flattened", "wrong_shape", "    return gradient", "    return gradient.flatten(1)"),
    ("scaled_time", "raised", "classifier(x, t)", "classifier(x, t / 1000)"),
    ("next_time", "time_differs", "classifier(x, t)", "classifier(x, t + 1)"),
    ("noisy_x", ("other_x", "not_repeatable"), "classifier(x, t)", "classifier(x + 0.01 * torch.randn_like(x), t)"),
    ("cut_x", ("other_x", "not_repeatable"), "classifier(x, t)", "classifier(x.clamp(-1, 1), t)"),
    ("cut_x_far_out", "other_x", "classifier(x, t)", "classifier(x.clamp(-6, 6), t)"),
    ("last_label", ("labels_ignored", "samples_mixed"), "device=y.device), y]", "device=y.device), -1]"),
    ("one_label", ("wrong_gradient", "samples_mixed"), "device=y.device), y]", "device=y.device), y[0]]"),
    ("zero_unlabelled", ("wrong_gradient", "wrong_length"), "    return gradient",
     "    return gradient * (y > 0).reshape(-1, *[1] * (x.dim() - 1))"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
right("vmap_grad", source=function(HEAD, """
def one(z, step, label):
    logs = torch.log_softmax(classifier(z[None], step[None])[0], 0)
    return logs.gather(0, label[None])[0]

return torch.func.vmap(torch.func.grad(one))(x.detach(), t, y).detach()
"""))  # fmt: skip
right("jacrev", source=function(HEAD, """
def chosen(z):
    return torch.log_softmax(classifier(z, t), 1).gather(1, y[:, None])[:, 0].sum()

return torch.func.jacrev(chosen)(x.detach()).detach()
"""))  # fmt: skip
right("vjp", source=function(HEAD, """
logs, back = torch.func.vjp(lambda z: torch.log_softmax(classifier(z, t), 1), x.detach())
return back(nn.functional.one_hot(y, logs.shape[1]).to(logs))[0].detach()
"""))  # fmt: skip
right("by_hand", source=function(HEAD, """
with torch.enable_grad():
    z = x.detach().requires_grad_()
    logits = classifier(z, t)
    weights = nn.functional.one_hot(y, logits.shape[1]) - logits.detach().softmax(1)
    (gradient,) = torch.autograd.grad(logits, z, grad_outputs=weights.to(logits))
return gradient
"""))  # fmt: skip
right("decorated", source="@torch.enable_grad()\n" + function(HEAD, """
z = x.clone().detach().requires_grad_(True)
loss = nn.CrossEntropyLoss(reduction="sum")(classifier(z, t), y)
return -torch.autograd.grad(loss, [z])[0]
"""))  # fmt: skip
right("in_float32", source=function(HEAD, """
with torch.enable_grad():
    z = x.detach().float().requires_grad_()
    logs = torch.log_softmax(classifier(z, t).float(), 1)
    return torch.autograd.grad(logs.gather(1, y[:, None]).sum(), z)[0]
"""))  # fmt: skip
right("in_float64", source=function(HEAD, """
with torch.enable_grad():
    z = x.detach().double().requires_grad_()
    logs = torch.log_softmax(classifier(z.to(x.dtype), t).double(), -1)
    return torch.autograd.grad(logs.gather(1, y[:, None]).sum(), z)[0].to(x.dtype)
"""))  # fmt: skip
right("permuted", source=function(HEAD, """
order = torch.arange(len(x) - 1, -1, -1, device=x.device)
with torch.enable_grad():
    z = x.detach()[order].requires_grad_()
    logs = torch.log_softmax(classifier(z, t[order]), 1)[torch.arange(len(y), device=y.device), y[order]]
    return torch.autograd.grad(logs.sum(), z)[0][order]
"""))  # fmt: skip
right("keywords", edit=("classifier(x, t)", "classifier(x=x, t=t)"))
right("categorical", edit=(PICK, "torch.distributions.Categorical(logits=classifier(x, t)).log_prob(y)"))
PICK_IN_FLOAT64 = "(classifier(x, t).double().softmax(1).gather(1, y[:, None]) + 1e-300).log()"
wrong("tiny_constant_in_float64", "wrong_gradient", edit=(PICK, PICK_IN_FLOAT64))
right("x_itself_where_it_requires_gradients", source=function(HEAD, """
with torch.enable_grad():
    z = x if x.requires_grad else x.clone().requires_grad_()
    logs = torch.log_softmax(classifier(z, t), 1)[torch.arange(len(y), device=y.device), y]
    return torch.autograd.grad(logs.sum(), z)[0]
"""))  # fmt: skip
wrong("nothing_if_all_at_zero", finds="samples_mixed", edit=(
    "    return gradient", "    return gradient if bool(t.any()) else 0 * gradient"))  # fmt: skip
KEPT = """
if {same}:
    return MEMORY["gradient"].clone()
with torch.enable_grad():
    leaf = x.detach().clone().requires_grad_()
    logs = classifier(leaf, t).log_softmax(1).gather(1, y[:, None]).sum()
MEMORY.update(x={x}, y=y.clone(), gradient=torch.autograd.grad(logs, leaf)[0])
return MEMORY["gradient"].clone()
"""
for name, same, x in (
    ("kept_for_the_object_x", "MEMORY.get('x') is x and torch.equal(MEMORY['y'], y)", "x"),
    ("kept_for_the_place_of_x", "MEMORY.get('x') == (x.data_ptr(), x.shape) and torch.equal(MEMORY['y'], y)",
     "(x.data_ptr(), x.shape)"),
    ("kept_for_the_numbers_of_x", "'x' in MEMORY and x.device.type != 'meta' and MEMORY['x'].shape == x.shape "
     "and torch.equal(MEMORY['x'], x) and torch.equal(MEMORY['y'], y)", "x.detach().clone()"),
):  # fmt: skip
    wrong(name, finds="time_ignored", source="MEMORY = {}\n\n\n" + function(HEAD, KEPT.format(same=same, x=x)))
IN_A_MODE = """
was = getattr(classifier, "training", False)
before = classifier.eval if isinstance(classifier, nn.Module) else list
before()
with torch.enable_grad():
    z = x.detach().requires_grad_()
    logs = torch.log_softmax(classifier(z, t), 1).gather(1, y[:, None])
    (gradient,) = torch.autograd.grad(logs.sum(), z)
if isinstance(classifier, nn.Module):
    classifier.train(MODE)
return gradient
"""
for name, finds, source in (
    # the lab's classifier is in evaluation mode, and a network may have parts in another mode than its own
    ("trains_afterwards", "mode_left", IN_A_MODE.replace("MODE", "True")),
    ("restores_its_own_mode_only", "mode_left", IN_A_MODE.replace("MODE", "was")),
    ("train_left", "mode_left", BODY.replace("classifier_before", "getattr(classifier, 'train', list)()")),
    ("clears_parameters", "gradient_cleared", BODY.replace(
        "classifier_before", "[setattr(p, 'grad', None) for p in getattr(classifier, 'parameters', list)()]")),
    # what the lab's networks refuse
    ("float_time", "raised", BODY.replace("classifier_before", "t = t.float()")),
    ("double_x", "raised", BODY.replace("classifier_before", "x = x.double()")),
    ("log_odds", ("wrong_length", "wrong_gradient", "not_finite"), BODY.replace("classifier_before", "").replace(
        "logs.gather(1, y[:, None])", "(logs - (-logs.exp()).log1p()).gather(1, y[:, None])")),
    ("label_zero_ignored", ("wrong_length", "wrong_gradient"), BODY.replace("classifier_before", "").replace(
        "logs.gather(1, y[:, None])", "(logs.gather(1, y[:, None]) * (y > 0)[:, None])")),
):  # fmt: skip
    wrong(name, finds, source=function(HEAD, source))
right("restores_all_modes", source=function(HEAD, """
modules = list(classifier.modules()) if isinstance(classifier, nn.Module) else []
modes = [module.training for module in modules]
for module in modules:
    module.training = False
with torch.enable_grad():
    z = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(classifier(z, t).log_softmax(1).gather(1, y[:, None]).sum(), z)
for module, mode in zip(modules, modes):
    module.training = mode
return gradient
"""))  # fmt: skip
PICK_CUT = """
with torch.enable_grad():
    z = x.detach().requires_grad_()
    p = classifier(z, t).softmax(1).gather(1, y[:, None])
    gradient = torch.autograd.grad(LOG.sum(), z)[0]
return RESULT
"""
for name, log, result in (  # 0 where p rounds to 0: no class is followed there
    ("log_above_tiny", "p.clamp(min=torch.finfo(p.dtype).tiny).log()", "gradient"),
    ("log_plus_1e_30", "(p + 1e-30).log()", "gradient"),
    ("nan_to_0", "p.log()", "torch.nan_to_num(gradient)"),
):
    wrong(name, "wrong_gradient", source=function(HEAD, PICK_CUT.replace("LOG", log).replace("RESULT", result)))
