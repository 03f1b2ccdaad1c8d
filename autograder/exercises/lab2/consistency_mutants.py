"""Exercise 2.6: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab2.consistency")

V = "variance = sigma_start**2 - sigma_end**2"
OUT = "return -sigma_start * (weights * offsets).sum(dim=-1) / variance"
K = "torch.tensor(IMAGES, device=x.device, dtype=x.dtype)"
W = "(2 * variance[..., None])"

wrong("widths_subtracted", finds="widths_subtracted", edit=(V, "variance = (sigma_start - sigma_end) ** 2"))
wrong("variances_added", finds="variances_added", edit=(V, "variance = sigma_start**2 + sigma_end**2"))
wrong("start_alone", finds="wrong_width", edit=(V, "variance = sigma_start**2"))
wrong("end_alone", finds="wrong_width", edit=(V, "variance = sigma_end**2"))
wrong("effective_scale", finds="wrong_scale", edit=(OUT, OUT.replace("-sigma_start", "-variance.sqrt()")))
wrong("end_scale", finds="wrong_scale", edit=(OUT, OUT.replace("-sigma_start", "-sigma_end")))
wrong("no_scale", finds="scale_missing", edit=(OUT, OUT.replace("-sigma_start * ", "-")))
wrong("sign", finds="wrong_sign", edit=(OUT, OUT.replace("-sigma_start", "sigma_start")))
wrong("not_wrapped", finds="not_wrapped", edit=(OUT, "return -sigma_start * (x - y) / variance"))
wrong(
    "nearest_image",
    finds="nearest_image_only",
    edit=(OUT, "u = x - y\n    return -sigma_start * (u - u.round()) / variance"),
)
wrong("three_images", finds="few_images", edit=(K, K.replace("IMAGES", "[-1, 0, 1]")))
wrong("images_equal", finds="not_wrapped", edit=(OUT, "return -sigma_start * offsets.mean(dim=-1) / variance"))
wrong("half_missing", finds="half_missing", edit=(W, "variance[..., None]"))
wrong(
    "averaged",
    finds="averaged",
    edit=(OUT, OUT.replace("return ", "target = ") + "\n    return target.mean().expand_as(x)"),
)
wrong("order_swapped", finds=("not_finite", "wrong_target"), edit=(V, "variance = sigma_end**2 - sigma_start**2"))
wrong("in_place", finds="input_altered", edit=(V, "x -= y\n    y = 0 * y\n    " + V))
wrong("on_the_cpu", finds="hard_coded_device", edit=(K, "torch.tensor(IMAGES, device='cpu', dtype=x.dtype)"))
wrong("returns_none", finds="returned_none", edit=(OUT, OUT.replace("return ", "target = ")))
wrong(
    "blank",
    finds="not_implemented",
    source="def consistency_target(x, y, sigma_start, sigma_end):\n    raise NotImplementedError()\n",
)
wrong("deleted", finds="missing_name", source="pass\n")

right(
    "autograd",
    source="""
def consistency_target(x, y, sigma_start, sigma_end):
    with torch.enable_grad():
        u = (x - y).detach().requires_grad_()
        copies = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
        width = (sigma_start**2 - sigma_end**2).sqrt()
        log_k = torch.logsumexp(-(((u[..., None] + copies) / width[..., None]) ** 2) / 2, dim=-1)
        return sigma_start * torch.autograd.grad(log_k.sum(), u)[0]
""",
)
right("factorised", edit=(V, "variance = (sigma_start - sigma_end) * (sigma_start + sigma_end)"))
right(
    "from_y_to_x",
    edit=[("(x - y)[..., None]", "(y - x)[..., None]"), (OUT, OUT.replace("-sigma_start", "sigma_start"))],
)
right(
    "shortest_first",
    edit=("offsets = (x - y)[..., None]", "u = x - y\n    offsets = (u - u.round())[..., None]"),
)
right(
    "loop_over_copies",
    source="""
def consistency_target(x, y, sigma_start, sigma_end):
    v = sigma_start**2 - sigma_end**2
    nearest = (x - y + 0.5) % 1.0 - 0.5
    top, bottom = 0, 0
    for k in range(-5, 6):
        weight = torch.exp((nearest**2 - (nearest + k) ** 2) / (2 * v))
        top, bottom = top + weight * (nearest + k), bottom + weight
    return -sigma_start / v * top / bottom
""",
)
