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
    finds="input_altered",
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

right(
    "torch_func",
    source="""
from torch.func import hessian, jacrev, jvp, vmap

def fokker_planck_residual(score, x, t, sigma):
    def one(x, t):
        s = lambda x, t: score(x[None], t[None])[0]
        J = jacrev(s)(x, t)
        H = hessian(s)(x, t)
        laplacian = torch.einsum("ijj->i", H)
        growth = jacrev(lambda t: sigma(t) ** 2)(t)[0, 0]
        return jacrev(s, argnums=1)(x, t)[:, 0] - growth / 2 * (laplacian + 2 * J @ s(x, t))
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
    "jacobian_times_score",
    source="""
def fokker_planck_residual(score, x, t, sigma):
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_(True)
        t = t.detach().clone().requires_grad_(True)
        s = score(x, t)
        columns = []
        for i in range(x.shape[1]):
            d_x, d_t = torch.autograd.grad(s[:, i].sum(), [x, t], create_graph=True)
            laplacian = 0
            for j in range(x.shape[1]):
                laplacian = laplacian + torch.autograd.grad(d_x[:, j].sum(), x, create_graph=True)[0][:, j]
            columns.append((d_t[:, 0], laplacian + 2 * (d_x * s).sum(dim=1)))
        d_t, rest = (torch.stack(c, dim=1) for c in zip(*columns))
        w = sigma(t)
        w_dt = torch.autograd.grad(w.sum(), t, create_graph=True)[0]
        return d_t - w * w_dt * rest
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
