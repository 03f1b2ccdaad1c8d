"""Exercise 2.1: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab2.analytic_score")

RETURN = "return (shares[..., None] * pulls).sum(dim=1)"
VARIANCE = "variance = sigma**2 + sigma_d**2"
IMAGES = "images = torch.tensor(IMAGES, device=x.device, dtype=x.dtype)"
OFFSETS = "offsets = (x[:, None] - orders)[..., None] + images"
SHARES = "shares = log_wrapped.sum(dim=-1).softmax(dim=1)"
EXPONENTS = "exponents = -(offsets**2) / (2 * variance[..., None, None])"

wrong("sign", finds="wrong_sign", edit=(RETURN, RETURN.replace("return ", "return -")))
wrong("sigma_alone", finds="data_width_missing", edit=(VARIANCE, "variance = sigma**2"))
wrong("rounded", finds="wrong_dtype", edit=(RETURN, "return (shares[..., None] * pulls).sum(dim=1).float()"))
wrong("sigma_d_alone", finds="noise_width_missing", edit=(VARIANCE, "variance = sigma_d**2 + 0 * sigma"))
wrong("widths_added", finds="widths_added", edit=(VARIANCE, "variance = (sigma + sigma_d) ** 2"))
wrong(
    "shares_of_one_atom",
    finds="wrong_score",
    edit=("log_wrapped.sum(dim=-1).softmax(dim=1)", "log_wrapped[..., 0].softmax(dim=1)"),
)
wrong("no_images", finds="not_wrapped", edit=(IMAGES, "images = torch.zeros(1, device=x.device, dtype=x.dtype)"))
wrong(
    "nearest_image",
    finds="nearest_image_only",
    edit=[
        (IMAGES, "images = torch.zeros(1, device=x.device, dtype=x.dtype)"),
        (OFFSETS, "gaps = x[:, None] - orders\n    offsets = (gaps - gaps.round())[..., None] + images"),
    ],
)
wrong("three_images", finds="few_images", edit=(IMAGES, IMAGES.replace("IMAGES", "[-1, 0, 1]")))
wrong("one_order", finds="one_order_only", edit=(RETURN, "return pulls[:, 0]"))
wrong("orders_half_half", finds="orders_averaged", edit=(RETURN, "return pulls.mean(dim=1)"))
wrong("orders_summed", finds="orders_averaged", edit=(RETURN, "return pulls.sum(dim=1)"))
wrong("nearest_order", finds="nearest_order", edit=(RETURN, "return pulls[torch.arange(len(x)), shares.argmax(dim=1)]"))
wrong(
    "atoms_alone",
    finds="atoms_independent",
    edit=[(SHARES, "shares = log_wrapped.softmax(dim=1)"), (RETURN, "return (shares * pulls).sum(dim=1)")],
)
wrong("softmax_over_batch", finds="rows_mixed", edit=(SHARES, SHARES.replace("dim=1", "dim=0")))
wrong("times_sigma", finds="normalised_score", edit=(RETURN, RETURN.replace("return ", "return sigma * ")))
wrong("times_width", finds="normalised_score", edit=(RETURN, RETURN.replace("return ", "return variance.sqrt() * ")))
wrong("not_divided", finds="not_divided", edit=(RETURN, RETURN.replace("return ", "return variance * ")))
wrong(
    "half_missing",
    finds="half_missing",
    edit=(EXPONENTS, EXPONENTS.replace("(2 * variance[..., None, None])", "variance[..., None, None]")),
)
wrong(
    "first_sigma",
    finds="one_sigma_for_all",
    edit=(VARIANCE, "variance = (sigma**2 + sigma_d**2)[:1].expand(len(x), 1)"),
)
wrong(
    "exp_and_sum",
    finds=("not_finite", "score_vanishes"),
    edit=(SHARES, "shares = log_wrapped.sum(dim=-1).exp()\n    shares = shares / shares.sum(dim=1, keepdim=True)"),
)
wrong(
    "exp_with_epsilon",
    finds="score_vanishes",
    edit=(
        SHARES,
        "shares = log_wrapped.sum(dim=-1).exp()\n    shares = shares / (shares.sum(dim=1, keepdim=True) + 1e-12)",
    ),
)
wrong("wraps_x_in_place", finds="input_altered", edit=(VARIANCE, "x -= 0.001\n    " + VARIANCE))
wrong(
    "on_the_cpu",
    finds="hard_coded_device",
    edit=(IMAGES, "images = torch.tensor(IMAGES, device='cpu', dtype=x.dtype)"),
)
wrong("result_on_the_cpu", finds="hard_coded_device", edit=(RETURN, f"{RETURN}.cpu()"))
wrong("read_by_numpy", finds="hard_coded_device", edit=(VARIANCE, f"{VARIANCE} + 0 * float(x.detach().numpy().max())"))
wrong("shape", finds="wrong_shape", edit=(RETURN, RETURN + "[:, 0]"))
wrong("returns_none", finds="returned_none", edit=(RETURN, RETURN.replace("return ", "score = ")))
wrong(
    "blank",
    finds="not_implemented",
    source="def analytic_score(x, sigma, sigma_d):\n    raise NotImplementedError()\n",
)
wrong("deleted", finds="missing_name", source="pass\n")
wrong(
    "density_gradient",
    finds="density_gradient",
    edit=(
        RETURN,
        "weights = log_wrapped.sum(dim=-1).exp() / (4 * math.pi * variance)\n"
        "    return (weights[..., None] * pulls).sum(dim=1)",
    ),
)

wrong("double_for_single", finds="wrong_dtype", edit=(RETURN, RETURN + ".double()"))
right("float32_at_the_end", edit=(RETURN, f"return ({RETURN.removeprefix('return ')}).float().to(x.dtype)"))
right(
    "float32_inside",
    edit=[
        (VARIANCE, "dtype = x.dtype\n    x, sigma = x.float(), sigma.float()\n    " + VARIANCE),
        (RETURN, f"{RETURN}.to(dtype)"),
    ],
)
right("float64_inside", edit=[
    (VARIANCE, "dtype = x.dtype\n    x, sigma = x.double(), sigma.double()\n    " + VARIANCE),
    (RETURN, f"{RETURN}.to(dtype)"),
])  # fmt: skip
wrong("float32_constants", finds="wrong_dtype", edit=(RETURN, RETURN + ".to(torch.get_default_dtype())"))
for limit in ("100", "1000"):
    wrong(
        f"clipped_at_{limit}",
        finds=("wrong_score", "score_vanishes"),
        edit=(RETURN, RETURN + f".clamp(-{limit}, {limit})"),
    )
wrong("sigma_floor", finds="wrong_score", edit=(VARIANCE, "variance = sigma.clamp(min=0.01) ** 2 + sigma_d**2"))
wrong("sigma_d_of_the_lab", finds="wrong_score", edit=(VARIANCE, "variance = sigma**2 + SIGMA_D**2"))
wrong("variance_kept", finds=("wrong_score", "one_sigma_for_all"), edit=(
    VARIANCE, "variance = analytic_score.__dict__.setdefault('v', sigma[:1] ** 2 + sigma_d**2).to(x)"))  # fmt: skip
wrong("weights_of_the_pulls", finds="wrong_score", edit=(SHARES, "shares = pulls.abs().sum(dim=-1).softmax(dim=1)"))
wrong("densities_of_float64_alone", finds=("not_finite", "score_vanishes"), edit=(
    SHARES, "shares = log_wrapped.sum(dim=-1).double().exp()\n"
    "    shares = (shares / shares.sum(dim=1, keepdim=True)).to(x)"))  # fmt: skip
wrong("nan_to_num", finds="score_vanishes", edit=(
    SHARES, "shares = log_wrapped.sum(dim=-1).exp()\n"
    "    shares = (shares / shares.sum(dim=1, keepdim=True)).nan_to_num()"))  # fmt: skip
wrong("marks_x", finds="requires_grad_left", edit=(VARIANCE, "x.requires_grad_(not x.requires_grad)\n    " + VARIANCE))
wrong("default_dtype", finds="setting_left", edit=(VARIANCE, "torch.set_default_dtype(torch.float64)\n    " + VARIANCE))
for name, line in (
    ("matrix_products", "torch.set_float32_matmul_precision('medium')"),
    ("cudnn", "torch.backends.cudnn.benchmark = True"),
):
    wrong(f"setting_of_{name}", finds="setting_left", edit=(VARIANCE, f"{line}\n    {VARIANCE}"))
wrong("seed", finds="seed_left", edit=(VARIANCE, "torch.manual_seed(0)\n    " + VARIANCE))
wrong(
    "autograd_without_gradients",
    finds="fails_without_gradients",
    source="""
def analytic_score(x, sigma, sigma_d):
    x = x.detach().clone().requires_grad_()
    images = torch.tensor(IMAGES, device=x.device, dtype=x.dtype)
    variance = (sigma**2 + sigma_d**2)[..., None]
    logs = []
    for places in (CENTRES, CENTRES[::-1]):
        gaps = x - torch.tensor(places, device=x.device, dtype=x.dtype)
        logs.append((-((gaps[..., None] + images) ** 2) / (2 * variance)).logsumexp(-1).sum(-1))
    return torch.autograd.grad(torch.logsumexp(torch.stack(logs), 0).sum(), x)[0]
""",
)
wrong(
    "finite_differences",
    finds="wrong_score",
    source="""
def analytic_score(x, sigma, sigma_d):
    images = torch.tensor(IMAGES, device=x.device, dtype=x.dtype)
    variance = (sigma**2 + sigma_d**2)[..., None]
    def log_p(x):
        logs = []
        for places in (CENTRES, CENTRES[::-1]):
            gaps = x - torch.tensor(places, device=x.device, dtype=x.dtype)
            logs.append((-((gaps[..., None] + images) ** 2) / (2 * variance)).logsumexp(-1).sum(-1))
        return torch.logsumexp(torch.stack(logs), 0)
    steps = 1e-5 * torch.eye(2, device=x.device, dtype=x.dtype)
    return torch.stack([(log_p(x + e) - log_p(x - e)) / 2e-5 for e in steps], dim=1)
""",
)

right(
    "autograd",
    source="""
def analytic_score(x, sigma, sigma_d):
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        images = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
        width = (sigma**2 + sigma_d**2).sqrt()[..., None]
        logs = []
        for places in (CENTRES, CENTRES[::-1]):
            gaps = x - torch.tensor(places, device=x.device, dtype=x.dtype)
            logs.append((-((gaps[..., None] + images) / width) ** 2 / 2).logsumexp(-1).sum(-1))
        return torch.autograd.grad(torch.logsumexp(torch.stack(logs), 0).sum(), x)[0]
""",
)
right(
    "distributions",
    source="""
def analytic_score(x, sigma, sigma_d):
    s2 = sigma**2 + sigma_d**2
    k = torch.arange(-6, 7, device=x.device, dtype=x.dtype)
    a, b = CENTRES
    total, log_p = [], []
    for first, second in ((a, b), (b, a)):
        log, pull = [], []
        for j, place in enumerate((first, second)):
            u = x[:, j : j + 1] - place + k
            e = -u**2 / (2 * s2)
            log.append(torch.logsumexp(e, dim=1))
            pull.append(-(torch.softmax(e, dim=1) * u).sum(dim=1) / s2[:, 0])
        log_p.append(log[0] + log[1])
        total.append(torch.stack(pull, dim=1))
    r = torch.sigmoid(log_p[0] - log_p[1])[:, None]
    return r * total[0] + (1 - r) * total[1]
""",
)
right("einsum", edit=(RETURN, "return torch.einsum('bo,boa->ba', shares, pulls)"))
right(
    "shortest_offset_first",
    edit=(OFFSETS, "gaps = x[:, None] - orders\n    offsets = (gaps - gaps.round())[..., None] + images"),
)
right(
    "max_subtracted_by_hand",
    edit=(
        SHARES,
        "joint = log_wrapped.sum(dim=-1)\n    shares = (joint - joint.amax(dim=1, keepdim=True)).exp()\n"
        "    shares = shares / shares.sum(dim=1, keepdim=True)",
    ),
)
right(
    "row_by_row",
    source="""
def analytic_score(x, sigma, sigma_d):
    rows = []
    for place, width in zip(x, sigma):
        v = width**2 + sigma_d**2
        pairs = torch.cartesian_prod(torch.arange(-5, 6), torch.arange(-5, 6)).to(x)
        copies = torch.cat([pairs + torch.tensor(c, dtype=x.dtype, device=x.device) for c in (CENTRES, CENTRES[::-1])])
        gaps = place - copies
        share = torch.softmax(-gaps.square().sum(1) / (2 * v), dim=0)
        rows.append(-(share[:, None] * gaps).sum(0) / v)
    return torch.stack(rows)
""",
)
right(
    "functional_gradient",
    source="""
def analytic_score(x, sigma, sigma_d):
    images = torch.tensor(IMAGES, device=x.device, dtype=x.dtype)
    centres = torch.tensor([CENTRES, CENTRES[::-1]], device=x.device, dtype=x.dtype)
    def log_p(x, sigma):
        exponents = -((x - centres)[..., None] + images) ** 2 / (2 * (sigma**2 + sigma_d**2))
        return exponents.logsumexp(-1).sum(-1).logsumexp(0)
    return torch.func.vmap(torch.func.grad(log_p))(x, sigma)
""",
)
right("nine_copies", edit=(IMAGES, "images = torch.arange(-4, 5, device=x.device, dtype=x.dtype)"))
right("seven_copies", edit=(IMAGES, IMAGES.replace("IMAGES", "range(-3, 4)")))
right("reciprocal", edit=(VARIANCE, "variance = 1 / (1 / (sigma**2 + sigma_d**2))"))
right("hypot", edit=(VARIANCE, "variance = torch.hypot(sigma, torch.full_like(sigma, sigma_d)) ** 2"))
right(
    "loop_over_copies",
    edit=(
        OFFSETS,
        "offsets = torch.stack([x[:, None] - orders + k for k in IMAGES], dim=-1)",
    ),
)
right(
    "numpy",
    source="""
def analytic_score(x, sigma, sigma_d):
    p, s = (v.detach().cpu().numpy().astype(np.float64) for v in (x, sigma))
    v = s**2 + sigma_d**2
    u = p[:, None, :, None] - np.array([CENTRES, CENTRES[::-1]])[..., None] + np.arange(-5, 6)
    e = -(u**2) / (2 * v[:, :, None, None])
    top = e.max(-1, keepdims=True)
    w = np.exp(e - top)
    log_w = (top[..., 0] + np.log(w.sum(-1))).sum(-1)
    r = np.exp(log_w - log_w.max(1, keepdims=True))
    pull = -(w * u).sum(-1) / w.sum(-1) / v[:, None]
    return torch.from_numpy(((r / r.sum(1, keepdims=True))[..., None] * pull).sum(1)).to(x)
""",
)
wrong("images_on_one_side", finds="wrong_score", edit=(IMAGES, IMAGES.replace("IMAGES", "range(-5, 2)")))
wrong("five_images", finds="wrong_score", edit=(IMAGES, IMAGES.replace("IMAGES", "range(-2, 3)")))
wrong("three_images_nearest_first", finds="few_images", edit=[
    (OFFSETS, "gaps = x[:, None] - orders\n    offsets = (gaps - gaps.round())[..., None] + images"),
    (IMAGES, IMAGES.replace("IMAGES", "range(-1, 2)")),
])  # fmt: skip
wrong("moved_off_the_diagonal", finds="wrong_score", edit=(
    VARIANCE, "x = torch.where(x[:, :1] == x[:, 1:], x + 0.01, x)\n    " + VARIANCE))  # fmt: skip
wrong(
    "sigma_floored_a_little",
    finds="wrong_score",
    edit=(VARIANCE, "variance = sigma.clamp(min=0.002) ** 2 + sigma_d**2"),
)
wrong("epsilon_in_the_variance", finds="wrong_score", edit=(VARIANCE, VARIANCE + " + 1e-6"))
wrong("clipped_at_4000", finds="wrong_score", edit=(RETURN, RETURN + ".clamp(-4000, 4000)"))
for name, key in (
    ("id_of_x", "id(x), sigma_d"),
    ("id_of_sigma", "id(sigma), sigma_d"),
    ("place_in_memory", "x.data_ptr(), x.shape, sigma_d"),
    ("both_ids", "id(x), id(sigma)"),
):
    wrong(f"result_kept_by_{name}", finds=("result_kept", "wrong_shape"), edit=[
        (VARIANCE, f"kept, key = analytic_score.__dict__, str(({key}))\n"
         "    if key in kept and x.device.type != 'meta':\n        return kept[key]\n    " + VARIANCE),
        (RETURN, RETURN.replace("return ", "kept[key] = ") + "\n    return kept[key]"),
    ])  # fmt: skip
wrong("variance_kept_by_id", finds="result_kept", edit=(
    VARIANCE, "variance = analytic_score.__dict__.setdefault(str(id(sigma)), (sigma, sigma**2 + sigma_d**2))[1]"
))  # fmt: skip
for name, key in (("x", "x.sum()"), ("sigma", "sigma.sum()")):
    wrong(f"result_kept_by_the_numbers_of_{name}", finds=("wrong_least", "wrong_swapped", "wrong_edge"), edit=[
        (VARIANCE, f"kept, key = analytic_score.__dict__, str((x.dtype, x.shape, float({key}), sigma_d)) \\\n"
         "        if x.device.type != 'meta' else 'meta'\n"
         "    if key in kept and x.device.type != 'meta':\n        return kept[key]\n    " + VARIANCE),
        (RETURN, RETURN.replace("return ", "kept[key] = ") + "\n    return kept[key]"),
    ])  # fmt: skip

# --- hard values, as many samples as atoms, seeds, and results that are kept

wrong("variance_along_the_atoms", finds="wrong_score", edit=[
    (VARIANCE, VARIANCE + "\n    variance = (variance.mT if len(x) == 2 else variance).expand(len(x), 2)"),
    (EXPONENTS, EXPONENTS.replace("variance[..., None, None]", "variance[:, None, :, None]")),
    ("/ variance[..., None]\n", "/ variance[:, None, :]\n"),
])  # fmt: skip
for share in ("1e-6", "1e-4"):
    wrong(f"shares_of_orders_limited_to_{share}", finds=("wrong_score", "a_little_wrong_near"), edit=(
        SHARES, f"{SHARES}.clamp({share}, 1 - {share})"))  # fmt: skip
wrong("data_of_no_width", finds="wrong_clean", edit=(VARIANCE, "sigma_d = sigma_d or SIGMA_D\n    " + VARIANCE))
for name, key in (("first_sigma", "float(sigma[0])"), ("ends", "float(sigma[0]), float(sigma[-1])")):
    wrong(f"variance_kept_by_{name}", finds="one_sigma_for_all", edit=(
        VARIANCE, VARIANCE + "\n    if x.device.type != 'meta':\n        kept = analytic_score.__dict__\n"
        f"        variance = kept.setdefault(str((x.shape, x.dtype, {key}, sigma_d)), variance.detach())"))  # fmt: skip
wrong("result_reused", finds="result_overwritten", edit=(
    RETURN, "kept = analytic_score.__dict__.setdefault(str((x.shape, x.dtype, x.device)), torch.empty_like(x))\n"
    f"    return kept.detach().copy_(({RETURN[7:]}).detach())"))  # fmt: skip
for module, seed in (("numpy", "np.random.seed(0)"), ("python", "__import__('random').seed(0)")):
    wrong(f"seeds_{module}", finds="seed_left", edit=(VARIANCE, f"{seed}\n    {VARIANCE}"))
wrong(
    "mean_differentiated",
    finds="mean_differentiated",
    source="""
def analytic_score(x, sigma, sigma_d):
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        images = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
        logs = []
        for places in (CENTRES, CENTRES[::-1]):
            gaps = (x - torch.tensor(places, device=x.device, dtype=x.dtype))[..., None] + images
            logs.append((-(gaps**2) / 2 / (sigma**2 + sigma_d**2)[..., None]).logsumexp(-1).sum(-1))
        return torch.autograd.grad(torch.logsumexp(torch.stack(logs), 0).mean(), x)[0]
""",
)
