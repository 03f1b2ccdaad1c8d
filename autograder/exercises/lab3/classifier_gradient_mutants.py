"""Exercise 3.4: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import function

right, wrong = mutants_of("lab3.classifier_gradient")

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
    ("normalised", "normalised", "    return gradient",
     "    return gradient / gradient.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.dim() - 1))"),
    ("sign_only", "sign_only", "    return gradient", "    return gradient.sign()"),
    ("labels_shifted", "labels_shifted", "device=y.device), y]", "device=y.device), y.roll(1)]"),
    ("clean_time", "time_zero", "classifier(x, t)", "classifier(x, torch.zeros_like(t))"),
    ("first_time", "time_differs", "classifier(x, t)", "classifier(x, t[:1].expand_as(t))"),
    ("half_x", "other_x", "classifier(x, t)", "classifier(0.5 * x, t)"),
    ("graph_kept", "graph_kept", f"{SUM}", "torch.autograd.grad(log_probability.sum(), x, create_graph=True)"),
    ("marks_x", "x_marked", LEAF, "x.requires_grad_()"),
    ("tuple", "not_a_tensor", "    return gradient", "    return (gradient,)"),
    ("mode_left_on", "grad_mode_left", "    with torch.enable_grad():",
     "    torch.set_grad_enabled(True)\n    if True:"),
    ("none", "returned_none", "    return gradient", "    gradient"),
    ("in_place", "input_altered", "    return gradient", "    out = gradient\n    x.data.zero_()\n    return out"),
    ("on_the_cpu", "hard_coded_device", "    return gradient", "    return gradient * torch.ones(gradient.shape)"),
):  # fmt: skip
    wrong(name, finds, edit=(old, new))
HEAD = "classifier_gradient(classifier, x, t, y)"
wrong("backward", "parameters_touched", source=function(HEAD, """
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
FROZEN = ("raised", "parameters_touched", "wrong_gradient", "needs_enable_grad")
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
    edit=("[torch.arange(len(y), device=y.device), y]\n", ".mul(nn.functional.one_hot(y, 4)).sum(1)\n"),
)
