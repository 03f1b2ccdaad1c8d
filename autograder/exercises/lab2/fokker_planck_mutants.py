"""Exercise 2.5: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab2.fokker_planck")

RESIDUAL = "return s_dt - variance_dt / 2 * gradient"
POTENTIAL = "(divergence + s.square().sum(dim=1)).sum()"
LAST = "(variance_dt,) = torch.autograd.grad((sigma(t) ** 2).sum(), t)"

wrong("two_missing", finds="two_missing", edit=(POTENTIAL, "(divergence + s.square().sum(dim=1) / 2).sum()"))
wrong("plus", finds="wrong_sign", edit=(RESIDUAL, "return s_dt + variance_dt / 2 * gradient"))
wrong("minus_square", finds="wrong_sign", edit=(POTENTIAL, "(divergence - s.square().sum(dim=1)).sum()"))
wrong("minus_divergence", finds="wrong_sign", edit=(POTENTIAL, "(s.square().sum(dim=1) - divergence).sum()"))
wrong("no_time_derivative", finds="time_derivative_missing", edit=(RESIDUAL, "return -variance_dt / 2 * gradient"))
wrong("time_derivative_alone", finds="only_time_derivative", edit=(RESIDUAL, "return s_dt"))
wrong("no_divergence", finds="divergence_missing", edit=(POTENTIAL, "s.square().sum()"))
wrong("no_square", finds="square_missing", edit=(POTENTIAL, "divergence.sum()"))
wrong("whole_growth", finds="variance_growth_doubled", edit=(RESIDUAL, "return s_dt - variance_dt * gradient"))
wrong("sigma_squared", finds="sigma_not_differentiated", edit=(RESIDUAL, "return s_dt - sigma(t) ** 2 / 2 * gradient"))
wrong(
    "derivative_of_sigma",
    finds="sigma_missing",
    edit=(LAST, "(variance_dt,) = torch.autograd.grad(2 * sigma(t).sum(), t)"),
)
wrong("no_factor", finds="sigma_missing", edit=(RESIDUAL, "return s_dt - gradient"))
wrong(
    "exponential_schedule",
    finds="sigma_exponential",
    edit=(RESIDUAL, "return s_dt - sigma(t) ** 2 * math.log(200.0) * gradient"),
)
wrong("of_sigma_times_score", finds="normalised_score", edit=("s = score(x, t)", "s = sigma(t) * score(x, t)"))
wrong(
    "of_the_density",
    finds="density_equation",
    edit=(RESIDUAL, "return s_dt - variance_dt / 2 * (divergence + s.square().sum(dim=1))[:, None]"),
)
wrong("squared", finds="squared", edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient) ** 2"))
wrong(
    "mean_square",
    finds="no_reduction_wanted",
    edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient).square().mean()"),
)
wrong("absolute", finds="absolute", edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient).abs()"))
wrong("other_side", finds="sign_of_residual", edit=(RESIDUAL, "return variance_dt / 2 * gradient - s_dt"))
wrong("detached", finds="detached", edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient).detach()"))
wrong("partly_detached", finds="partly_detached", edit=(RESIDUAL, "return s_dt.detach() - variance_dt / 2 * gradient"))
wrong(
    "no_graph",
    finds=("detached", "partly_detached"),
    edit=(
        f"torch.autograd.grad({POTENTIAL}, x, create_graph=True)",
        f"torch.autograd.grad({POTENTIAL}, x, retain_graph=True)",
    ),
)
wrong(
    "marks_inputs",
    finds="requires_grad_left",
    edit=(
        "x, t = x.detach().requires_grad_(), t.detach().requires_grad_()",
        "x, t = x.requires_grad_(), t.requires_grad_()",
    ),
)
wrong("one_coordinate", finds="wrong_shape", edit=(RESIDUAL, "return (s_dt - variance_dt / 2 * gradient)[:, :1]"))
wrong("returns_none", finds="returned_none", edit=(RESIDUAL, "residual = s_dt - variance_dt / 2 * gradient"))
wrong("two_coordinates_only", finds=("two_coordinates_only", "wrong_residual"), edit=("range(x.shape[1])", "range(2)"))
wrong(
    "derivative_of_the_sum",
    finds="time_derivative_summed",
    edit=(RESIDUAL, "return s_dt.sum(dim=1, keepdim=True) - variance_dt / 2 * gradient"),
)
wrong(
    "whole_jacobian",
    finds="not_the_divergence",
    edit=(
        POTENTIAL,
        "(torch.autograd.grad(s.sum(), x, create_graph=True)[0].sum(dim=1) + s.square().sum(dim=1)).sum()",
    ),
)
wrong("always_zero", finds="wrong_residual", edit=(RESIDUAL, "return 0 * s_dt"))
wrong(
    "blank",
    finds="not_implemented",
    source="def fokker_planck_residual(score, x, t, sigma):\n    raise NotImplementedError()\n",
)

wrong(
    "graph_freed",
    finds="graph_freed",
    edit=[
        (LAST, "w = sigma(t)\n        (sigma_dt,) = torch.autograd.grad(w.sum(), t)"),
        (RESIDUAL, "return s_dt - w * sigma_dt * gradient"),
    ],
)

# --- derivatives that the exercise does not ask for

S_DT = "s_dt = torch.cat([by_t for _, by_t in rows], dim=1)"
GRADIENT = f"(gradient,) = torch.autograd.grad({POTENTIAL}, x, create_graph=True)"
GROWTH = "(variance_dt,) = torch.autograd.grad((sigma(t) ** 2).sum(), t)"
for name, h in (("", "1e-3"), ("_small", "1e-5"), ("_tiny", "1e-6")):
    wrong(
        f"finite_differences_in_time{name}",
        finds="finite_differences",
        edit=(S_DT, f"s_dt = (score(x, t + {h}) - score(x, t - {h})) / (2 * {h})"),
    )
for least in ("1e-5", "0.01"):
    wrong(f"time_at_least_{least}", finds="finite_differences", edit=("t.detach()", f"t.detach().clamp(min={least})"))
wrong(
    "one_sided_difference",
    finds="finite_differences",
    edit=(S_DT, "s_dt = (score(x, t + 1e-4) - s) / 1e-4"),
)
wrong(
    "finite_differences_in_space",
    finds="finite_differences",
    edit=(
        GRADIENT,
        "def bracket(x):\n"
        "            s = score(x, t)\n"
        "            parts = [torch.autograd.grad(s[:, i].sum(), x, create_graph=True)[0][:, i]\n"
        "                     for i in range(x.shape[1])]\n"
        "            return sum(parts) + s.square().sum(dim=1)\n"
        "        steps = 1e-5 * torch.eye(x.shape[1], device=x.device, dtype=x.dtype)\n"
        "        gradient = torch.stack([(bracket(x + e) - bracket(x - e)) / 2e-5 for e in steps], dim=1)",
    ),
)
wrong(
    "jacobian_not_transposed",
    finds="not_transposed",
    edit=(
        GRADIENT,
        "(gradient,) = torch.autograd.grad(divergence.sum(), x, create_graph=True)\n"
        "        gradient = gradient + 2 * torch.stack([(by_x * s).sum(dim=1) for by_x, _ in rows], dim=1)",
    ),
)
wrong(
    "laplacian_and_jacobian",
    finds="not_transposed",
    source="""
def fokker_planck_residual(score, x, t, sigma):
    from torch.func import hessian, jacrev, vmap

    def one(x, t):
        s = lambda x, t: score(x[None], t[None])[0]
        laplacian = torch.einsum("ijj->i", hessian(s)(x, t))
        growth = jacrev(lambda t: sigma(t) ** 2)(t)[0, 0]
        return jacrev(s, argnums=1)(x, t)[:, 0] - growth / 2 * (laplacian + 2 * jacrev(s)(x, t) @ s(x, t))
    return vmap(one)(x, t)
""",
)
wrong(
    "laplacian_of_each_coordinate",
    finds="laplacian_of_score",
    edit=(
        GRADIENT,
        "(gradient,) = torch.autograd.grad(s.square().sum(), x, create_graph=True)\n"
        "        second = [sum(torch.autograd.grad(by_x[:, j].sum(), x, create_graph=True)[0][:, j]\n"
        "                      for j in range(x.shape[1])) for by_x, _ in rows]\n"
        "        gradient = gradient + torch.stack(second, dim=1)",
    ),
)

# --- parts that are cut off, and what is left behind

wrong("score_detached_in_the_square", finds="partly_detached", edit=(
    POTENTIAL, "(divergence + (2 * s.detach() * s - s.detach() ** 2).sum(dim=1)).sum()"))  # fmt: skip
wrong(
    "gradient_detached", finds="partly_detached", edit=(RESIDUAL, "return s_dt - variance_dt / 2 * gradient.detach()")
)
wrong("no_grad", finds=("detached",), edit=(RESIDUAL, "with torch.no_grad():\n            " + RESIDUAL))
wrong(
    "backward",
    finds=("gradient_left", "detached"),
    edit=(
        GROWTH,
        "(sigma(t) ** 2).sum().backward()\n        variance_dt = t.grad\n        s.sum().backward(retain_graph=True)",
    ),
)
wrong("marks_and_unmarks", finds="requires_grad_left", edit=[
    ("x, t = x.detach().requires_grad_(), t.detach().requires_grad_()",
     "given, x, t = x, x.requires_grad_(), t.detach().requires_grad_()"),
    (S_DT, S_DT + ".clone()"), (RESIDUAL, "given.requires_grad_(not given.requires_grad)\n        " + RESIDUAL),
])  # fmt: skip
wrong("seed", finds="seed_left", edit=("s = score(x, t)", "torch.manual_seed(0)\n        s = score(x, t)"))
wrong(
    "gradients_off",
    finds=("setting_left", "detached"),
    edit=(RESIDUAL, "torch.set_grad_enabled(False)\n        " + RESIDUAL),
)
wrong("x_moved", finds="input_altered", edit=(
    "with torch.enable_grad():\n", "x.data.clamp_(0.001, 0.999)\n    with torch.enable_grad():\n"))  # fmt: skip
wrong(
    "one_time_for_all",
    finds=("wrong_residual",),
    edit=(GROWTH, GROWTH + "\n        variance_dt = variance_dt[:1].expand_as(t)"),
)
wrong("mean_growth", finds=("wrong_residual",), edit=(GROWTH, GROWTH.replace(".sum()", ".mean()")))
wrong(
    "sign_of_growth",
    finds=("wrong_residual", "wrong_sign"),
    edit=(GROWTH, GROWTH + "\n        variance_dt = variance_dt.abs()"),
)
wrong(
    "mean_over_rows",
    finds=("wrong_residual",),
    edit=("s[:, i].sum(), (x, t)", "s[:, i].mean(), (x, t)"),
)
wrong(
    "hutchinson",
    finds=("wrong_residual",),
    edit=(
        "divergence = sum(by_x[:, i] for i, (by_x, _) in enumerate(rows))",
        "e = torch.randint_like(x, 2) * 2 - 1\n"
        "        divergence = (torch.autograd.grad((s * e).sum(), x, create_graph=True)[0] * e).sum(dim=1)",
    ),
)

right(
    "torch_func",
    source="""
from torch.func import hessian, jacrev, jvp, vmap

def fokker_planck_residual(score, x, t, sigma):
    def one(x, t):
        s = lambda x, t: score(x[None], t[None])[0]
        J = jacrev(s)(x, t)
        H = hessian(s)(x, t)
        of_divergence = torch.einsum("iij->j", H)
        growth = jacrev(lambda t: sigma(t) ** 2)(t)[0, 0]
        return jacrev(s, argnums=1)(x, t)[:, 0] - growth / 2 * (of_divergence + 2 * J.T @ s(x, t))
    return vmap(one)(x, t)
""",
)
right(
    "two_sigma_sigma_dot",
    edit=[
        (LAST, "(sigma_dt,) = torch.autograd.grad(sigma(t).sum(), t)"),
        (RESIDUAL, "return s_dt - sigma(t) * sigma_dt * gradient"),
    ],
)
right(
    "transposed_jacobian_times_score",
    source="""
def fokker_planck_residual(score, x, t, sigma):
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_(True)
        t = t.detach().clone().requires_grad_(True)
        s = score(x, t)
        s_dt, flow, divergence = [], 0, 0
        for i in range(x.shape[1]):
            d_x, d_t = torch.autograd.grad(s[:, i].sum(), [x, t], create_graph=True)
            s_dt.append(d_t[:, 0])
            flow = flow + 2 * s[:, i : i + 1] * d_x
            divergence = divergence + d_x[:, i]
        rest = flow + torch.autograd.grad(divergence.sum(), x, create_graph=True)[0]
        w = sigma(t)
        w_dt = torch.autograd.grad(w.sum(), t, create_graph=True)[0]
        return torch.stack(s_dt, dim=1) - w * w_dt * rest
""",
)
right(
    "vector_jacobian_product",
    edit=(
        GRADIENT,
        "gradient = 2 * torch.autograd.grad(s, x, grad_outputs=s, create_graph=True)[0]\n"
        "        ones = torch.ones_like(divergence)\n"
        "        gradient = gradient + torch.autograd.grad(divergence, x, ones, create_graph=True)[0]",
    ),
)
right("float32_inside", edit=(
    "x, t = x.detach().requires_grad_(), t.detach().requires_grad_()",
    "x, t = x.detach().float().requires_grad_(), t.detach().float().requires_grad_()"))  # fmt: skip
right("float32_at_the_end", edit=(RESIDUAL, RESIDUAL + ".float()"))
right("clones", edit=(
    "x, t = x.detach().requires_grad_(), t.detach().requires_grad_()",
    "x, t = (v.clone().detach().requires_grad_(True) for v in (x, t))"))  # fmt: skip
right("keywords", edit=("s = score(x, t)", "s = score(x=x, t=t)"))
right("asked_twice", edit=("s = score(x, t)", "score(x, t)\n        s = score(x, t)"))
right(
    "forward_mode",
    source="""
def fokker_planck_residual(score, x, t, sigma):
    from torch.func import grad, jacfwd, jvp, vmap

    def one(x, t):
        s = lambda x, t: score(x[None], t[None])[0]
        bracket = lambda x: jacfwd(s)(x, t).trace() + s(x, t).square().sum()
        s_dt = jvp(lambda t: s(x, t), (t,), (torch.ones_like(t),))[1]
        growth = grad(lambda t: (sigma(t) ** 2).sum())(t)
        return s_dt - growth / 2 * grad(bracket)(x)
    return vmap(one)(x, t)
""",
)
right(
    "row_by_row",
    source="""
def fokker_planck_residual(score, x, t, sigma):
    rows = []
    with torch.enable_grad():
        for place, time in zip(x.detach(), t.detach()):
            p, u = place.clone().requires_grad_(), time.clone().requires_grad_()
            f = lambda p, u: score(p[None], u[None])[0]
            jacobian, by_time = torch.autograd.functional.jacobian(f, (p, u), create_graph=True)
            bracket = jacobian.diagonal().sum() + f(p, u).square().sum()
            (gradient,) = torch.autograd.grad(bracket, p, create_graph=True)
            (growth,) = torch.autograd.grad(sigma(u).square().sum(), u)
            rows.append(by_time[:, 0] - growth / 2 * gradient)
    return torch.stack(rows)
""",
)
right(
    "graph_of_everything",
    edit=(LAST, "(variance_dt,) = torch.autograd.grad((sigma(t) ** 2).sum(), t, create_graph=True)"),
)
right(
    "two_gradients",
    edit=(
        f"(gradient,) = torch.autograd.grad({POTENTIAL}, x, create_graph=True)",
        "gradient = (torch.autograd.grad(divergence.sum(), x, create_graph=True)[0]\n"
        "                    + torch.autograd.grad(s.square().sum(), x, create_graph=True)[0])",
    ),
)
SIGMA_BY_DIFFERENCES = "variance_dt = ((sigma(t + 1e-4) ** 2 - sigma(t - 1e-4) ** 2) / 2e-4).detach()"
wrong("finite_differences_of_sigma", finds="finite_differences", edit=(LAST, SIGMA_BY_DIFFERENCES))
wrong(
    "gradient_limited",
    finds="wrong_steep",
    edit=(RESIDUAL, "gradient = gradient.clamp(-1e4, 1e4)\n        " + RESIDUAL),
)
wrong(
    "sigma_kept",
    finds="wrong_twice_the_noise",
    edit=(
        "s = score(x, t)",
        "kept = fokker_planck_residual.__dict__\n"
        "        sigma = kept.setdefault((x.shape, x.dtype, x.device.type), sigma)\n"
        "        s = score(x, t)",
    ),
)
wrong("no_square_on_a_line", finds=("square_missing", "wrong_residual"), edit=(
    POTENTIAL, "(divergence + (s.square().sum(dim=1) if x.shape[1] > 1 else 0)).sum()"))  # fmt: skip

# --- where the residual is right in most calls

wrong("mean_over_different_rows", finds="at_zero_too_small", edit=(
    POTENTIAL, "(divergence + s.square().sum(dim=1)).mean() * len(x.detach().unique(dim=0))"))  # fmt: skip
wrong("score_copied", finds="module_copied", edit=("s = score(x, t)", (
    "import copy\n        score = copy.deepcopy(score) if isinstance(score, nn.Module) else score\n"
    "        s = score(x, t)")))  # fmt: skip
wrong("anomaly_mode_left_on", finds="setting_left", edit=(
    "s = score(x, t)", "s = score(x, t)\n        torch.autograd.set_detect_anomaly(True)"))  # fmt: skip
wrong("square_of_two_coordinates", finds="wrong_for_three_coordinates", edit=(
    POTENTIAL, "(divergence + s.square().mean(dim=1) * 2).sum()"))  # fmt: skip
wrong("one_coordinate_squeezed", finds="wrong_for_one_coordinate", edit=(
    POTENTIAL, "(divergence + s.squeeze(-1).square().sum(dim=-1)).sum()"))  # fmt: skip
wrong("growth_kept_by_id", finds="wrong_in_a_later_call", edit=[
    ("with torch.enable_grad():", "place = str((id(t), t.shape))\n    with torch.enable_grad():"),
    (RESIDUAL, "kept = fokker_planck_residual.__dict__.setdefault(place, (t, variance_dt))[1]\n"
     "        return s_dt - kept.to(t) / 2 * gradient"),
])  # fmt: skip
for name, key, code in (
    ("numbers_of_x", "str(x.tolist())", "wrong_twice_the_noise"),
    ("objects", "score, id(x), id(t), sigma", "wrong_moved"),
):
    wrong(f"residual_kept_by_the_{name}", finds=code, edit=[
        ("with torch.enable_grad():", f"kept, key = fokker_planck_residual.__dict__.setdefault('kept', {{}}), "
         f"x.device.type == 'meta' or ({key})\n"
         "    if key in kept and x.device.type != 'meta':\n        return kept[key]\n    with torch.enable_grad():"),
        (RESIDUAL, RESIDUAL.replace("return ", "kept[key] = ") + "\n        return kept[key]"),
    ])  # fmt: skip

# --- where samples and coordinates are equally many, the noise grows unevenly, and the score is a module

wrong("growth_along_coordinates", finds="wrong_for_three_coordinates", edit=(
    GROWTH, GROWTH + "\n        variance_dt = variance_dt.mT if len(x) == x.shape[1] else variance_dt"))  # fmt: skip
wrong("growth_kept_by_sigma", finds=("linear_factor", "linear_factor_large", "wrong_residual"), edit=(
    GROWTH, GROWTH + "\n        kept = fokker_planck_residual.__dict__.setdefault('kept', {})\n"
    "        variance_dt = kept.setdefault((sigma, len(t), t.device), variance_dt)"))  # fmt: skip
wrong("zero_before_a_time", finds="wrong_residual", edit=(
    RESIDUAL, "return (t > 0.01) * (s_dt - variance_dt / 2 * gradient)"))  # fmt: skip
IF_MODULE = "if isinstance(score, nn.Module):\n            "
for name, code, line in (
    ("gradient_zeroed", "gradient_cleared", "score.zero_grad()"),
    ("gradient_forgotten", "gradient_cleared", "[setattr(p, 'grad', None) for p in score.parameters()]"),
    ("training_mode", "mode_left", "score.train()"),
    ("evaluation_mode", "mode_left", "score.eval()"),
):
    wrong(name, finds=code, edit=("s = score(x, t)", f"{IF_MODULE}{line}\n        s = score(x, t)"))
wrong("seed_of_numpy", finds="seed_left", edit=("s = score(x, t)", "np.random.seed(0)\n        s = score(x, t)"))
right("mode_restored", edit=[
    ("s = score(x, t)", "was = getattr(score, 'training', None)\n"
     f"        {IF_MODULE}score.eval()\n        s = score(x, t)"),
    (RESIDUAL, f"{IF_MODULE}score.train(was)\n        {RESIDUAL}"),
])  # fmt: skip
