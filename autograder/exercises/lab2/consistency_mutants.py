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
wrong("end_alone", finds=("not_finite", "wrong_width"), edit=(V, "variance = sigma_end**2"))
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
wrong("result_on_the_cpu", finds="hard_coded_device", edit=(OUT, f"return ({OUT[7:]}).cpu()"))
wrong("made_of_numbers", finds="hard_coded_device", edit=(V, f"y = torch.tensor(y.tolist(), dtype=x.dtype)\n    {V}"))
wrong("returns_none", finds="returned_none", edit=(OUT, OUT.replace("return ", "target = ")))
wrong(
    "blank",
    finds="not_implemented",
    source="def consistency_target(x, y, sigma_start, sigma_end):\n    raise NotImplementedError()\n",
)
wrong("deleted", finds="missing_name", source="pass\n")

NAIVE = (
    "weights = (-(offsets**2) / (2 * variance[..., None])).exp()\n    weights = weights / weights.sum(-1, keepdim=True)"
)
SOFTMAX = "weights = (-(offsets**2) / (2 * variance[..., None])).softmax(dim=-1)"
wrong("naive_exponentials", finds="not_finite", edit=(SOFTMAX, NAIVE))
wrong(
    "naive_with_epsilon",
    finds="wrong_target",
    edit=(SOFTMAX, NAIVE.replace("keepdim=True)", "keepdim=True).clamp(min=1e-30)")),
)
wrong("variance_floor", finds="wrong_target", edit=(V, V + "\n    variance = variance.clamp(min=2e-6)"))
wrong("variance_plus_epsilon", finds="wrong_target", edit=(V, V + " + 1e-6"))
wrong("target_clipped", finds="wrong_target", edit=(OUT, f"return ({OUT.removeprefix('return ')}).clamp(-100, 100)"))
wrong("scale_squared", finds="wrong_scale", edit=(OUT, OUT.replace("-sigma_start", "-(sigma_start**2)")))
wrong("width_for_variance", finds="variance_for_width", edit=(V, "variance = (sigma_start**2 - sigma_end**2).sqrt()"))
wrong("over_the_width", finds="variance_for_width", edit=(OUT, OUT.replace("/ variance", "/ variance.sqrt()")))
wrong("softmax_over_atoms", finds="wrong_target", edit=("softmax(dim=-1)", "softmax(dim=1)"))
wrong("softmax_over_batch", finds="wrong_target", edit=("softmax(dim=-1)", "softmax(dim=0)"))
wrong(
    "first_sigma", finds="wrong_target", edit=(V, "variance = (sigma_start**2 - sigma_end**2)[:1].expand_as(sigma_end)")
)
wrong("half_precision", finds=("wrong_target", "not_finite"), edit=(V, "x, y = x.half(), y.half()\n    " + V))
wrong("shape", finds="wrong_shape", edit=(OUT, f"return ({OUT.removeprefix('return ')}).mean(dim=1)"))
wrong("x_marked", finds="requires_grad_left", edit=(V, "x.requires_grad_()\n    " + V))
wrong("seeded", finds="seed_left", edit=(V, "torch.manual_seed(0)\n    " + V))
wrong(
    "autograd_without_gradients",
    finds="fails_without_gradients",
    source="""
def consistency_target(x, y, sigma_start, sigma_end):
    x = x.detach().clone().requires_grad_()
    copies = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
    variance = (sigma_start**2 - sigma_end**2)[..., None]
    log_k = torch.logsumexp(-(((x - y)[..., None] + copies) ** 2) / (2 * variance), dim=-1)
    return sigma_start * torch.autograd.grad(log_k.sum(), x)[0]
""",
)
wrong(
    "width_kept",
    finds="wrong_target",
    edit=(V, "v = globals().setdefault('_v', {})\n    "
          "variance = v.setdefault(x.shape, sigma_start**2 - sigma_end**2)"),
)  # fmt: skip

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

right("einsum", edit=(OUT, "return -sigma_start / variance * torch.einsum('bak,bak->ba', weights, offsets)"))
right("float32_inside", edit=(V, "x, y = x.float(), y.float()\n    " + V))
right("float32_at_the_end", edit=(OUT, f"return ({OUT.removeprefix('return ')}).float()"))
right("floored_variance_out_of_reach", edit=(V, V + "\n    variance = variance.clamp(min=1e-12)"))
right(
    "functional_gradient",
    source="""
def consistency_target(x, y, sigma_start, sigma_end):
    def log_k(u, variance):
        return (-((u[:, None] + torch.tensor(IMAGES).to(u)) ** 2) / (2 * variance)).logsumexp(-1).sum()
    return sigma_start * torch.func.vmap(torch.func.grad(log_k))(x - y, sigma_start**2 - sigma_end**2)
""",
)
right(
    "numpy",
    source="""
def consistency_target(x, y, sigma_start, sigma_end):
    a, b, s, e = (v.detach().cpu().numpy().astype(np.float64) for v in (x, y, sigma_start, sigma_end))
    u = (a - b)[..., None] + np.array(IMAGES)
    power = -(u**2) / (2 * (s**2 - e**2)[..., None])
    w = np.exp(power - power.max(-1, keepdims=True))
    return torch.from_numpy(-s * (w * u).sum(-1) / w.sum(-1) / (s**2 - e**2)).to(x)
""",
)
right("copy_in_place", edit=("offsets = (x - y)[..., None]", "u = x.clone()\n    u -= y\n    offsets = u[..., None]"))
wrong(
    "divided_by_one_sample_less",
    finds=("wrong_target", "not_finite_in_a_batch_of_one"),
    edit=(OUT, f"{OUT} * len(x) / (len(x) - 1) if len(x) > 1 else 0 * x / 0"),
)
wrong("copies_if_some_walk_is_long", finds="not_wrapped", edit=(
    OUT, "if not bool(((x - y).abs() > 0.3).any()):\n"
    "        return -sigma_start * (x - y) / variance\n    " + OUT))  # fmt: skip
right("seven_copies", edit=(K, K.replace("IMAGES", "range(-3, 4)")))
right("float64_copies", edit=(K, K.replace("x.dtype", "torch.float64")))
wrong("five_copies", finds="wrong_target", edit=(K, K.replace("IMAGES", "range(-2, 3)")))
for name, key in (("id", "id(sigma_start)"), ("place_in_memory", "sigma_start.data_ptr(), sigma_start.shape")):
    wrong(f"variance_kept_by_{name}", finds="result_kept", edit=(
        V, V + f"\n    if x.device.type != 'meta':\n        kept, key = consistency_target.__dict__, str(({key}))\n"
        "        variance = kept.setdefault(key, (sigma_start, variance))[1]"))  # fmt: skip
for name, key in (("x", "x"), ("sigma_start", "sigma_start")):
    wrong(f"variance_kept_by_the_numbers_of_{name}", finds=("wrong_target", "wrong_width"), edit=(
        V, V + "\n    if x.device.type != 'meta':\n        kept = consistency_target.__dict__\n"
        f"        variance = kept.setdefault(str({key}.tolist()), variance)"))  # fmt: skip

# --- as many samples as atoms, one atom, seeds, and results that are kept

wrong("scale_along_the_atoms", finds="wrong_target", edit=(
    V, V + "\n    sigma_start = sigma_start.mT if x.shape[0] == x.shape[1] else sigma_start"))  # fmt: skip
wrong("without_the_axis_of_one_atom", finds="wrong_shape", edit=(OUT, f"return ({OUT[7:]}).squeeze(-1)"))
wrong("result_reused", finds="result_overwritten", edit=(
    OUT, "kept = consistency_target.__dict__.setdefault(str((x.shape, x.dtype, x.device)), torch.empty_like(x))\n"
    f"    return kept.copy_({OUT[7:]})"))  # fmt: skip
for module, seed in (("numpy", "np.random.seed(0)"), ("python", "__import__('random').seed(0)")):
    wrong(f"seeds_{module}", finds="seed_left", edit=(V, f"{seed}\n    {V}"))
wrong("difference_of_widths", finds="wrong_target", edit=(V, "variance = sigma_start - sigma_end"))
wrong("variance_kept_by_batch_size", finds="wrong_target", edit=(
    V, "v = globals().setdefault('_v', {})\n    "
    "variance = v.setdefault((len(x), x.device), sigma_start**2 - sigma_end**2)"))  # fmt: skip
wrong("variance_of_the_data_added", finds="wrong_target", edit=(V, V + " + SIGMA_D**2"))
wrong(
    "mean_differentiated",
    finds="mean_differentiated",
    source="""
def consistency_target(x, y, sigma_start, sigma_end):
    with torch.enable_grad():
        u = (x - y).detach().requires_grad_()
        copies = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
        variance = (sigma_start**2 - sigma_end**2)[..., None]
        log_k = torch.logsumexp(-((u[..., None] + copies) ** 2) / (2 * variance), dim=-1)
        return sigma_start * torch.autograd.grad(log_k.mean(), u)[0]
""",
)
