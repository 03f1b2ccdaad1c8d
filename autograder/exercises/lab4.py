"""Lab 4: hidden verdicts."""

from __future__ import annotations

import torch
from scipy import stats
from torch import Tensor

from autograder.exercises.kits.scales import other_scale
from autograder.exercises.registry import verdict
from utils.checks.judging import Judge
from utils.checks.kits.draws import judge_times
from utils.checks.kits.statistics import is_binomial, is_same_law
from utils.checks.lab4 import (
    DRIFT_RUNS,
    FIELD_RUNS,
    STEP_RUNS,
    SWEEP_RUNS,
    TRAIN_CALLS,
    TRAIN_RUNS,
    WALK_POINTS,
    WHERE,
    StubClassifier,
    StubPath,
    drift_setting,
    few,
    field_setting,
    judge_samples,
    require_labels,
    step_setting,
    stub_sample,
    sweep_setting,
    train_setting,
    walk_setting,
)
from utils.checks.stubs import Nonsense, StubData


@verdict("lab4.vector_field")
def vector_field(judge: Judge) -> None:
    with judge.part("field", points=2):
        for name in FIELD_RUNS:
            z, noise, t, alpha, beta = field_setting(judge.challenge, name)
            a, b, da, db = (f(t).double() for f in (alpha, beta, alpha.dt, beta.dt))
            x = (alpha(t) * z + beta(t) * noise).double()
            z, t = z.double(), t.double()
            seen = judge.tensor(f"{name}_field/value", z.shape, "The vector field")
            expected = da * z + db / b * (x - a * z)
            # Only where it matters: at this tolerance a float32 result can pass.
            if not judge.close(seen, expected, FIELD_RTOL[z_dtype(name)]):
                judge.precise(f"{name}_field/value", z_dtype(name), "The vector field")
            judge.compare(
                seen,
                expected,
                [
                    (
                        "only_linear",
                        "Your field is (z - x) / (1 - t), which is right on the linear path only. Write it with alpha, beta and their derivatives.",
                        (z - x) / (1 - t),
                    ),
                    (
                        "displacement",
                        "Your field is z - x. Along the path that is not the speed: from x there is only the time 1 - t left.",
                        z - x,
                    ),
                    (
                        "no_data_term",
                        "The term with the derivative of alpha is missing: where the noise is zero, your point does not move.",
                        db / b * (x - a * z),
                    ),
                    (
                        "no_noise_term",
                        "The term with the derivative of beta is missing: the noise would never shrink.",
                        da * z + 0 * x,
                    ),
                    (
                        "alpha_missing",
                        "You take the whole of z out of x. At time t the image stands in x with a factor.",
                        da * z + db / b * (x - z),
                    ),
                    (
                        "ratio_inverted",
                        "The ratio of beta and its derivative stands upside down.",
                        da * z + b / db * (x - a * z),
                    ),
                    (
                        "derivative_missing",
                        "You use the values of alpha and beta where their time derivatives belong.",
                        a * z + (x - a * z),
                    ),
                    (
                        "derivative_missing",
                        "You divide the noise term by beta but do not multiply it with beta's derivative.",
                        da * z + (x - a * z) / b,
                    ),
                    (
                        "wrong_sign",
                        "The noise term has the wrong sign: the noise would grow with time.",
                        da * z - db / b * (x - a * z),
                    ),
                    (
                        "wrong_sign",
                        "Your field points backwards in time.",
                        -(da * z + db / b * (x - a * z)),
                    ),
                    (
                        "schedules_swapped",
                        "alpha and beta have changed places.",
                        db * z + da / a * (x - b * z),
                    ),
                    (
                        "noise_not_extracted",
                        "You multiply the derivative of beta with x. It belongs to the noise alone: take the image out of x, and mind how strong the noise in it is.",
                        da * z + db * x,
                    ),
                    (
                        "noise_not_extracted",
                        "You multiply the derivative of beta with what is left of x without its image. That is not yet the noise: at time t it is weaker.",
                        da * z + db * (x - a * z),
                    ),
                    ("score_instead", "What you return here is the score.", (a * z - x) / b**2),
                ],
                (
                    "wrong_field",
                    f"A point that rides along x = alpha z + beta eps has another velocity than yours (seen {WHERE[name]}). Differentiate x in time with z and eps held fixed, then replace eps.",
                ),
                FIELD_RTOL[z_dtype(name)],
            )
            kept(judge, f"{name}/inputs_kept")
        judge.device()
    with judge.part("score", points=1):
        for name in FIELD_RUNS:
            z, noise, t, alpha, beta = field_setting(judge.challenge, name)
            a, b = alpha(t).double(), beta(t).double()
            x, z = (alpha(t) * z + beta(t) * noise).double(), z.double()
            seen, expected = judge.tensor(f"{name}_score/value", z.shape, "The score"), (a * z - x) / b**2
            if not judge.close(seen, expected, FIELD_RTOL[z_dtype(name)]):
                judge.precise(f"{name}_score/value", z_dtype(name), "The score")
            judge.compare(
                seen,
                expected,
                [
                    (
                        "beta_not_squared",
                        "You divide by beta. The variance of N(alpha z, beta² I) is beta².",
                        (a * z - x) / b,
                    ),
                    ("wrong_sign", "Your score points away from the mean alpha z.", (x - a * z) / b**2),
                    ("alpha_missing", "The mean of p_t(x | z) is alpha z, not z.", (z - x) / b**2),
                    ("not_divided", "The difference from the mean has to be divided by the variance.", a * z - x),
                    ("half", "The gradient of (x - mean)² / 2 has no factor one half.", (a * z - x) / (2 * b**2)),
                    ("noise_instead", "What you return is the noise eps.", (x - a * z) / b),
                    (
                        "only_linear",
                        "Your score is right on the linear path only. Use self.alpha and self.beta.",
                        (t.double() * z - x) / (1 - t.double()) ** 2,
                    ),
                ],
                (
                    "wrong_score",
                    f"Your score is not the gradient of log N(x; alpha z, beta² I) in x (seen {WHERE[name]}).",
                ),
                FIELD_RTOL[z_dtype(name)],
            )


# At t = 1 - 1e-3 the noise in x is a small difference of large numbers: 2e3 units in the last place may be lost.
# In float64 a constant of 1e-8 beside beta, a habit that does no harm, is let through.
FIELD_RTOL = {torch.float64: 3e-5, torch.float32: 3e-3}


def z_dtype(name: str) -> torch.dtype:
    return FIELD_RUNS[name][1]


def kept(judge: Judge, name: str) -> None:
    judge.require(
        judge.value(name, bool),
        "input_altered",
        "Your code changed one of its inputs in place. The caller still needs it: build a new tensor.",
    )


@verdict("lab4.cfg_train_loss")
def cfg_train_loss(judge: Judge) -> None:
    with judge.part("loss", points=4):
        calls = [f"call{i}" for i in range(TRAIN_CALLS)]
        runs = {name: read_run(judge, name) for name in TRAIN_RUNS}
        judge_times(judge, torch.stack([runs[name]["t"].flatten() for name in calls]))
        judge_labels(judge, [runs[name] for name in calls], runs["eta1"], train_setting(judge.challenge)[2])
        for name, share in (("eta0", 0.0), ("eta1", 1.0)):
            seen = float(runs[name]["null"].double().mean())
            judge.require(
                seen == share,
                "eta_edge",
                f"With eta = {share:g} the model saw the null label in {seen:.0%} of the samples. "
                + (
                    "Is the comparison with eta the right way round?"
                    if seen == 1 - share
                    else "Nothing else may decide."
                ),
            )
        for name, run in runs.items():
            judge_loss(judge, name, run)
        judge.device()


def read_run(judge: Judge, name: str) -> dict[str, Tensor]:
    """Check the flow of one call (data to path to model and target), and return its rebuilt tensors."""
    shape, dtype, batch = TRAIN_RUNS[name]
    classes, null_label, _ = train_setting(judge.challenge)
    data = StubData(judge.challenge, name, shape, classes, dtype)
    path = StubPath(judge.challenge, name, data)
    judge.attempt(name)
    for stub, code, message in (
        ("path", "path_not_sampled", "Your loss never calls `self.path.sample_conditional_path`."),
        ("model", "model_not_called", "Your loss never calls `self.model`."),
        (
            "target",
            "target_not_used",
            "Your loss never calls `self.path.conditional_vector_field`. The target is the path's business: with another path your formula would be wrong.",
        ),
    ):
        judge.require(judge.value(f"{name}/{stub}/count", int) > 0, code, message)
    rows = (batch, *shape)
    rtol = 1e-9 if dtype == torch.float64 else 1e-4

    z_all = judge.tensor(f"{name}/path/z", what="The image z that goes into the path")
    t_all = judge.tensor(f"{name}/path/t", what="The time t")
    judge.require(
        z_all.dim() == len(rows),
        "wrong_shape",
        f"The z that goes into the path should have the shape {rows}, and came with {tuple(z_all.shape)}.",
    )
    if t_all.numel() == judge.value(f"{name}/path/count", int) != len(z_all):
        judge.fail("time_shared", "All samples of a batch share one time t. Each needs its own.")
    judge.require(
        t_all.shape == (len(z_all), 1, 1, 1),
        "time_shape",
        f"t has shape {tuple(t_all.shape)}, expected ({batch}, 1, 1, 1). Without the ones it is broadcast along the pixels.",
    )
    asked = judge.tensor(f"{name}/model/x", what="The x that the model sees")
    times, rest = divmod(len(asked) if asked.dim() == len(rows) else 0, batch)
    if times > 1 and rest == 0:
        judge.fail(
            "model_asked_twice",
            f"Your loss asks the model {times} times about every sample. Training asks once, with the label that the coin has left; two answers are combined in sampling only.",
        )
    x_model = judge.tensor(f"{name}/model/x", rows, "The x that the model sees")
    judge.require(
        z_all.shape[1:] == shape and batch <= len(z_all) <= len(data.points),
        "wrong_shape",
        f"The z that goes into the path should have the shape {rows}, and came with {tuple(z_all.shape)}.",
    )
    x_all = path.draw(z_all.to(dtype), t_all.to(dtype)).double()
    # A path that was sampled twice has more rows than the batch: the model's x says which of them count.
    starts = range(0, len(z_all) - batch + 1, batch)
    start = next((s for s in starts if judge.close(x_model, x_all[s : s + batch], rtol)), None)
    if start is None:
        if judge.close(x_model, z_all[:batch], rtol):
            judge.fail("model_sees_z", "The model is given the clean image z. It must be asked at the noisy x.")
        judge.fail("model_sees_other_x", "The x that the model sees is not the x that the path returned.")
    x, z, t_seen = (tensor[start : start + batch] for tensor in (x_all, z_all, t_all))
    drawn = data.points.double()
    offset = next((s for s in range(0, len(drawn) - batch + 1, batch) if judge.close(z, drawn[s : s + batch])), None)
    judge.require(
        offset is not None, "not_the_data", "The images that go into the path are not those that the dataset returned."
    )
    y = data.labels[offset : offset + batch]

    t_model = judge.tensor(f"{name}/model/t", what="The time that the model sees")
    judge.require(
        t_model.shape == (batch, 1, 1, 1),
        "time_shape",
        f"The model sees t of shape {tuple(t_model.shape)}, expected ({batch}, 1, 1, 1).",
    )
    judge.compare(
        t_model.reshape(-1),
        t_seen.reshape(-1),
        [
            (
                "time_reversed",
                "The model sees 1 - t where the path saw t. Flow time has noise at 0 and data at 1.",
                1 - t_seen.reshape(-1),
            )
        ],
        ("time_differs", "The model sees another time than the path. Draw t once and pass the same t to both."),
        rtol,
    )

    y_model = judge.tensor(f"{name}/model/y", what="The labels that the model sees")
    judge.require(
        str(judge.evidence.values.get(f"{name}/model/y.dtype")).startswith("int"),
        "label_dtype",
        f"The model sees labels of dtype {judge.evidence.values.get(f'{name}/model/y.dtype')}. Labels index an embedding: keep them int64.",
    )
    judge.require(
        y_model.shape == (batch,),
        "label_shape",
        f"The model sees labels of shape {tuple(y_model.shape)}, expected ({batch},).",
    )
    null = y_model == null_label
    if name not in ("eta0", "eta1"):
        changed = y_model[~null & (y_model != y)]
        if changed.numel():
            if changed.unique().numel() == 1:
                judge.fail(
                    "wrong_null_label",
                    f"Dropped labels became {int(changed[0])}, but self.null_label is {null_label}. With a constant the null label is taken for a class.",
                )
            judge.fail(
                "labels_wrong", "Some labels that the model sees are neither the sample's own label nor the null label."
            )

    for label, expected in (("x", x), ("z", z), ("t", t_seen)):
        seen = judge.tensor(f"{name}/target/{label}", what=f"The {label} in the target")
        if not judge.close(seen.reshape(expected.shape) if seen.numel() == expected.numel() else seen, expected, rtol):
            judge.fail(*target_mistake(judge, label, seen, expected, rtol))

    after = judge.tensor(f"{name}/labels_after", what="The dataset's labels")
    if not torch.equal(after, data.labels):
        judge.note(
            "labels_altered",
            "The labels that the dataset returned were overwritten in place. With a dataset kept in memory, more and more of it turns into the null label. Work on a copy, or use `torch.where`.",
            cost=1.0,
        )
    if judge.value(f"{name}/images_moved", bool):
        judge.note("images_altered", "The images that the dataset returned were overwritten in place.", cost=1.0)
    return {"x": x, "z": z, "t": t_seen, "y": y, "y_model": y_model, "null": null}


def target_mistake(judge: Judge, label: str, seen: Tensor, expected: Tensor, rtol: float) -> tuple[str, str]:
    if label == "x":
        return (
            "noise_resampled",
            "The target was computed at another x than the model saw. Draw x once, and use it for both.",
        )
    if (
        label == "t"
        and seen.numel() == expected.numel()
        and judge.close(seen.reshape(expected.shape), 1 - expected, rtol)
    ):
        return "time_reversed", "The target sees 1 - t where the path saw t."
    return "target_inputs", f"The {label} in the target is not the {label} that made x."


def judge_labels(judge: Judge, runs: list[dict[str, Tensor]], always: dict[str, Tensor], eta: float) -> None:
    """The dropped labels of all calls; `always` is the call with eta = 1."""
    null = torch.stack([run["null"] for run in runs])
    count, total, share = int(null.sum()), null.numel(), float(null.double().mean())
    per_call = null.double().mean(dim=1)
    judge.require(
        count > 0 or bool(always["null"].any()),
        "never_dropped",
        f"The model never saw the null label, though eta was {eta:.2f}. It cannot learn the unconditional velocity.",
    )
    judge.require(
        not bool(((per_call == 0) | (per_call == 1)).all()),
        "one_coin_per_batch",
        "In each batch either all labels were dropped or none. Toss a coin for every sample.",
    )
    if not is_binomial(count, total, eta, judge.level(1e-7)):
        at_zero = judge.evidence.tensors.get("eta0/model/y")
        dropped = None if at_zero is None else float((at_zero == train_setting(judge.challenge)[1]).double().mean())
        if dropped and 0.2 < dropped < 0.8 and is_binomial(count, total, float(stats.norm.cdf(eta)), 1e-7):
            judge.fail(
                "normal_coin",
                f"The model saw the null label in {share:.0%} of the samples, and eta was {eta:.0%}; with eta = 0 about half were dropped. Is your coin uniform on [0, 1]? `rand` and `randn` differ by one letter.",
            )
        if is_binomial(count, total, 1 - eta, 1e-7):
            judge.fail(
                "eta_inverted",
                f"The model saw the null label in {share:.0%} of the samples, and eta was {eta:.0%}. You keep labels with probability eta; eta is the probability to drop them.",
            )
        judge.fail(
            "dropped_fraction", f"The model saw the null label in {share:.0%} of the samples, and eta was {eta:.0%}."
        )
    judge.require(
        not torch.equal(null[0], null[1]),
        "seeded",
        "Two calls dropped the labels of the same rows. Do not fix a seed inside the loss.",
    )
    judge.level(1e-7)  # eight equal counts by chance: below 1e-9
    judge.require(
        null.sum(dim=1).unique().numel() > 1,
        "fixed_count",
        "Every batch dropped exactly the same number of labels. Toss an independent coin for every sample.",
    )
    # for independent coins r sqrt(n) is nearly standard normal: beyond 5.5 with a chance below 1e-7
    judge.level(1e-7)
    neighbours = torch.stack([null[:, :-1].flatten(), null[:, 1:].flatten()]).double()
    judge.require(
        abs(float(neighbours.corrcoef()[0, 1])) * neighbours.shape[1] ** 0.5 < 5.5,
        "coins_shared",
        "Neighbouring samples lose their labels together more often, or less often, than chance allows. Toss a coin for each sample.",
    )
    t = torch.stack([run["t"].flatten() for run in runs])
    judge.require(
        is_same_law(t[null], t[~null], judge.level(1e-7)),
        "time_tied_to_mask",
        "The samples that lost their label have other times than the rest. Do not use one random number for both.",
    )
    y = torch.stack([run["y"] for run in runs]).double()
    judge.require(
        is_same_law(y[null], y[~null], judge.level(1e-7)),
        "mask_depends_on_label",
        "Some classes lose their labels more often than others.",
    )


def judge_loss(judge: Judge, name: str, run: dict[str, Tensor]) -> None:
    dtype = TRAIN_RUNS[name][1]
    x, t = (run[k].to(dtype) for k in ("x", "t"))
    out = Nonsense(judge.challenge, "model")(x, t, run["y_model"]).double()
    target = Nonsense(judge.challenge, "path target", amplitude=2.0)(x, t, run["z"].to(dtype)).double()
    error = out - target
    square = error**2
    seen = judge.tensor(f"{name}/loss", what="The loss")
    judge.require(
        seen.shape == (),
        "no_reduction",
        f"Your loss has shape {tuple(seen.shape)}. Average it over batch and pixels to one number, a tensor without axes.",
    )
    rtol = 1e-9 if dtype == torch.float64 else 1e-4
    judge.compare(
        seen.reshape(()),
        square.mean(),
        lambda: loss_mistakes(out, target, run),
        (
            "wrong_loss",
            "Given your x, t and labels, the mean squared error between the model's output and the path's velocity is another number. Compare your last lines with the formula.",
        ),
        rtol,
    )
    judge.require(
        judge.evidence.values.get(f"{name}/loss.requires_grad") is True,
        "detached",
        "No gradient flows from your loss to the model. Look for `detach`, `item` or `no_grad`.",
    )
    # d loss / d gain at gain = 1, where the model's output is gain times the nonsense. The terms cancel: they set the tolerance.
    terms, rtol = 2 * error * out, max(rtol, 1e-7)
    gradient = judge.tensor(f"{name}/grad", (), "The gradient of the model's parameter")
    judge.compare(
        gradient,
        terms.mean(),
        otherwise=(
            "wrong_gradient",
            "The loss is right, but its gradient is not: a part of it is cut off from the model.",
        ),
        rtol=rtol,
        atol=rtol * float(terms.abs().mean()),
    )


def loss_mistakes(out: Tensor, target: Tensor, run: dict[str, Tensor]) -> list[tuple[str, str, Tensor]]:
    """(code, message, the loss that this mistake gives), from the model's output and the path's target."""
    error, z, keep = out - target, run["z"], ~run["null"]
    square, batch, pixels, mean = error**2, len(error), error[0].numel(), torch.mean
    kept = mean(square[keep]) if bool(keep.any()) else torch.zeros((), dtype=torch.float64)
    dropped = mean(square[~keep]) if bool((~keep).any()) else kept
    return [
        (
            "summed_pixels",
            f"Your loss is {pixels} times the mean: squared errors are summed over the pixels. The statement asks for the mean over batch and pixels.",
            square.sum() / batch,
        ),
        (
            "summed_batch",
            "Squared errors are summed over the batch. The statement asks for the mean over batch and pixels.",
            square.sum() / pixels,
        ),
        (
            "summed_all",
            "Squared errors are summed over everything. The statement asks for the mean over batch and pixels.",
            square.sum(),
        ),
        (
            "absolute_error",
            "Your loss is the mean absolute error. Flow matching regresses with squared errors: only they have the mean velocity as minimiser.",
            mean(error.abs()),
        ),
        (
            "root_of_error",
            "You take the root of the squared error. The mean of norms has another minimiser than the mean of squares.",
            square.flatten(1).sum(1).sqrt().mean(),
        ),
        (
            "root_of_error",
            "You take the root of the mean squared error. Return the mean itself.",
            mean(square).sqrt(),
        ),
        (
            "sum_before_square",
            "Errors are added up before they are squared, so that they cancel. Square first.",
            mean(error.flatten(1).sum(1) ** 2),
        ),
        (
            "sum_before_square",
            "Errors are averaged before they are squared, so that they cancel. Square first.",
            mean(error) ** 2,
        ),
        (
            "target_sign",
            "The target enters with the wrong sign: you add it to the model's output.",
            mean((out + target) ** 2),
        ),
        (
            "target_is_z",
            "You regress on the image z. That is a denoiser; the statement asks for the velocity.",
            mean((out - z) ** 2),
        ),
        (
            "target_is_displacement",
            "You regress on z - x, which is not the path's velocity.",
            mean((out - (z - run["x"])) ** 2),
        ),
        (
            "null_rows_dropped",
            "The samples with the null label do not count in your loss. They are how the model learns the unconditional velocity.",
            kept,
        ),
        (
            "null_rows_dropped",
            "The samples with the null label are set to zero in your loss. They are how the model learns the unconditional velocity.",
            mean(square * keep.reshape(-1, 1, 1, 1)),
        ),
        ("only_null_rows", "Only the samples with the null label count in your loss.", dropped),
        ("half", "Your loss is half the mean squared error.", mean(square) / 2),
        (
            "weighted",
            "Your loss is weighted by the time t. The statement asks for equal weights.",
            mean(square * run["t"]),
        ),
        (
            "weighted",
            "Your loss is weighted by 1 - t. The statement asks for equal weights.",
            mean(square * (1 - run["t"])),
        ),
    ]


@verdict("lab4.cfg_drift")
def cfg_drift(judge: Judge) -> None:
    net = Nonsense(judge.challenge, "net")
    with judge.part("drift", points=2):
        x, t, y, w, null_label = drift_setting(judge.challenge, "w2")
        expected = (1 - w) * net(x, t, torch.full_like(y, null_label)) + w * net(x, t, y)
        right_at_two = judge.close(judge.evidence.tensors.get("w2/drift", torch.empty(0)), expected)
        for name in ("whalf", "random", *[n for n in DRIFT_RUNS if n not in ("whalf", "random")]):
            x, t, y, w, null_label = drift_setting(judge.challenge, name)
            drift = judge.tensor(f"{name}/drift", x.shape, what="The drift")
            judge.require(
                judge.value(f"{name}/net/count", int) > 0, "net_not_called", "Your drift never calls `self.net`."
            )
            asked = len(judge.tensor(f"{name}/net/x", what="The x that the network sees"))
            for label, wanted in (("t", (asked, 1, 1, 1)), ("y", (asked,))):
                given = judge.evidence.tensors.get(f"{name}/net/{label}")  # none where two calls do not fit together
                judge.require(
                    given is not None and given.shape == wanted,
                    "label_shape" if label == "y" else "time_shape",
                    f"The network was asked about {asked} images in all, and for these it takes {label} of the shape {wanted}: one for each image.",
                )

            def velocity(label: Tensor, x=x, t=t) -> Tensor:
                return net(x, t, label).double()

            judge.precise(f"{name}/drift", x.dtype, "The drift")
            u_y, u_null = velocity(y), velocity(torch.full_like(y, null_label))
            altered = [other_scale(drift, u_null, u_y - u_null, w)] if right_at_two else []
            zero, ten = velocity(torch.zeros_like(y)), velocity(torch.full_like(y, 10))
            judge.compare(
                drift,
                (1 - w) * u_null + w * u_y,
                [
                    *altered,
                    (
                        "scales_swapped",
                        "The two velocities carry each other's weight. Test it in your head: what must come out at w = 0, and at w = 1?",
                        w * u_null + (1 - w) * u_y,
                    ),
                    (
                        "one_plus_w",
                        "You use the convention in which w = 0 is the conditional model. In this course w = 0 is unconditional and w = 1 conditional.",
                        (1 + w) * u_y - w * u_null,
                    ),
                    (
                        "missing_one_minus_w",
                        "The unconditional velocity enters with weight 1, so the weights do not add up to 1.",
                        u_null + w * u_y,
                    ),
                    (
                        "only_the_difference",
                        "Only the difference of the two velocities is left: at w = 0 your samples would not move.",
                        w * (u_y - u_null),
                    ),
                    (
                        "scale_clipped",
                        "The guidance scale is clipped to [0, 1]. Beyond 1 is where guidance begins.",
                        (1 - min(max(w, 0), 1)) * u_null + min(max(w, 0), 1) * u_y,
                    ),
                    ("only_conditional", "The drift does not depend on the unconditional velocity.", u_y),
                    (
                        "only_conditional",
                        "The drift is w times the conditional velocity. Where is the unconditional one?",
                        w * u_y,
                    ),
                    ("only_unconditional", "The drift is the unconditional velocity, whatever w is.", u_null),
                    (
                        "wrong_sign",
                        "Guidance pushes away from the class: look at the sign of the difference.",
                        u_null - w * (u_y - u_null),
                    ),
                    (
                        "wrong_sign",
                        "The unconditional velocity enters with the wrong sign.",
                        w * u_y - (1 - w) * u_null,
                    ),
                    (
                        "wrong_null_label",
                        "The unconditional velocity was asked for with label 0, which is a class. Use self.null_label.",
                        (1 - w) * zero + w * u_y,
                    ),
                    (
                        "wrong_null_label",
                        "The unconditional velocity was asked for with label 10. Use self.null_label.",
                        (1 - w) * ten + w * u_y,
                    ),
                    ("scale_ignored", "The drift does not depend on w.", 0.5 * (u_y + u_null)),
                ],
                (
                    "wrong_drift",
                    f"At w = {w:.3g} the drift is not the combination of the two velocities that guiding the score gives. Write both scores as velocities and collect the terms.",
                ),
                1e-9 if x.dtype == torch.float64 else 1e-4,
            )
            judge.require(
                str(judge.evidence.values.get(f"{name}/net/y.dtype")).startswith("int"),
                "label_dtype",
                "The network is given labels that are not integers. They index an embedding.",
            )
            for label, before in (("x", x), ("t", t), ("y", y)):
                after = judge.tensor(f"{name}/{label}_after")
                if not torch.equal(after, before.double() if before.is_floating_point() else before):
                    judge.fail(
                        "input_altered", f"Your function changed its input {label} in place. The caller still needs it."
                    )
        judge.device()


@verdict("lab4.euler_heun")
def euler_heun(judge: Judge) -> None:
    with judge.part("euler", points=1):
        judge_steps(judge, "euler")
    with judge.part("heun", points=2):
        judge_steps(judge, "heun")


def judge_steps(judge: Judge, short: str) -> None:
    judge.attempt(f"{short}_found")
    drift = Nonsense(judge.challenge, "drift")
    for name in STEP_RUNS:
        x, t, h, y = step_setting(judge.challenge, name)
        f = drift(x, t, y)
        predicted = x + h * f
        g = drift(predicted, t + h, y)
        require_labels(judge, f"{short}_{name}")
        asked = judge.evidence.tensors.get(f"{short}_{name}/drift/t")
        judge.require(
            asked is None or asked.shape[1:] == t.shape[1:],
            "time_shape",
            f"The drift is asked at times of another shape than {tuple(t.shape)}. Pass t on as it came.",
        )
        seen = judge.tensor(f"{short}_{name}/state", x.shape, "The new state")
        judge.precise(f"{short}_{name}/state", x.dtype, "The new state")
        right = predicted if short == "euler" else x + h / 2 * (f + g)
        judge.compare(
            seen,
            right,
            step_mistakes(short, drift, x, t, h, y, f, predicted, g),
            (
                "wrong_step",
                "Given this drift, one step leads to another state. Draw the step on paper: where do you start, which slopes do you ask for, and how far do you go?",
            ),
            1e-9 if x.dtype == torch.float64 else 1e-4,
        )
        kept(judge, f"{short}_{name}/inputs_kept")
    x, grid, y = walk_setting(judge.challenge)
    for i in range(WALK_POINTS - 1):
        t = grid[i].expand(len(x), 1, 1, 1)
        h = grid[i + 1] - grid[i]
        f = drift(x, t, y)
        x = x + h * f if short == "euler" else x + h / 2 * (f + drift(x + h * f, t + h, y))
    judge.compare(
        judge.tensor(f"{short}_walk/state", x.shape, "The state at the end of a simulation"),
        x,
        otherwise=("wrong_walk", "Single steps are right, but a simulation on an uneven grid of times is not."),
        rtol=1e-8,
    )
    judge.device(f"{short}_device")


def step_mistakes(short, drift, x, t, h, y, f, predicted, g) -> list[tuple[str, str, Tensor]]:
    middle = drift(x + h / 2 * f, t + h / 2, y)
    mistakes = [
        ("only_the_increment", "You return the change of the state. Add the state you came from.", h * f),
        ("no_step_size", "The drift is a velocity: multiply it with the step size h.", x + f),
        ("wrong_sign", "You walk against the drift.", x - h * f),
        ("step_is_time", "You multiply with the time t. The step size is h.", x + t * f),
        ("midpoint", "This is the midpoint method, which is another one.", x + h * middle),
        ("drift_only", "You return the drift, not the new state.", f),
        ("slope_at_the_end", "You use the drift at t + h. Euler's step uses the one at t.", x + h * drift(x, t + h, y)),
        ("slope_at_the_end", "You use the slope at the end of the step alone.", x + h * g),
        ("step_twice", "You went two steps of size h.", predicted + h * g),
    ]
    if short == "euler":
        return [*mistakes, ("heun_instead", "This is Heun's step. The Euler step has one slope.", x + h / 2 * (f + g))]
    return [
        ("euler_instead", "This is Euler's step: the second slope is missing.", predicted),
        ("not_averaged", "You add the two slopes. Heun's method takes their mean.", x + h * (f + g)),
        (
            "second_slope_at_t",
            "The second slope is taken at the predicted state but still at time t. It belongs to t + h.",
            x + h / 2 * (f + drift(predicted, t, y)),
        ),
        (
            "second_slope_at_x",
            "The second slope is taken at time t + h but still at the old state x. It belongs to the predicted state.",
            x + h / 2 * (f + drift(x, t + h, y)),
        ),
        (
            "mean_added_to_the_prediction",
            "You add the averaged slopes to the predicted state. They lead from the old state x.",
            predicted + h / 2 * (f + g),
        ),
        (
            "half_prediction",
            "Your predicted state is only half a step away, but you use it at t + h.",
            x + h / 2 * (f + drift(x + h / 2 * f, t + h, y)),
        ),
        (
            "half_step",
            "Your step is half as long as h.",
            x + h / 4 * (f + g),
        ),
        *mistakes,
    ]


@verdict("lab4.accuracy_sweep")
def accuracy_sweep(judge: Judge) -> None:
    with judge.part("sweep", points=2):
        for name in SWEEP_RUNS:
            judge_sweep(judge, name)


def judge_sweep(judge: Judge, name: str) -> None:
    noise, labels, scales, null_label, classes = sweep_setting(judge.challenge, name)
    judge.attempt(name)
    kind = judge.value(f"{name}/type", str)
    judge.require(kind != "NoneType", "returned_none", "Your function returns None. Does it end in a `return`?")
    judge.require(kind == "dict", "not_a_dict", f"Return a dictionary from scale to accuracy; yours is a {kind}.")
    judge.require(
        judge.value(f"{name}/sample/count", int) > 0, "sampler_not_called", "Your function never calls `sample`."
    )
    length = judge.value(f"{name}/scales.length", int)
    keys = [judge.number(f"{name}/scales.{i}", "A key of your dictionary") for i in range(length)]
    judge.require(
        sorted(keys) == sorted(scales),
        "wrong_scales",
        f"The keys of your dictionary are {few(sorted(keys))}, and the scales were {few(sorted(scales))}.",
    )
    judge.require(
        judge.value(f"{name}/found", int) == len(scales),
        "wrong_scales",
        "The keys of your dictionary look like the scales, but looking up a scale finds nothing. A string or a tensor is another key than the number.",
    )
    judge_samples(judge, name, noise, labels, null_label)
    has_class = labels != null_label
    classifier = StubClassifier(judge.challenge, classes)

    def hits(scale: float) -> Tensor:
        """Which rows are classified as their label."""
        images = stub_sample(judge.challenge, noise, labels, scale)
        return (classifier(images).argmax(dim=1) == labels).double()

    accuracies = [judge.number(f"{name}/accuracy.{i}", f"The accuracy at w = {w:g}") for i, w in enumerate(keys)]
    seen = torch.tensor(accuracies, dtype=torch.float64)
    hit = torch.stack([hits(w) for w in keys])  # (scales, samples)
    expected = hit[:, has_class].mean(1)
    # A mistake is named where it explains the accuracies of all scales: a single one may agree by chance.
    mistakes = [
        (
            "null_rows_counted",
            "Rows with the null label count as errors in your accuracy. They ask for no class, so leave them out.",
            hit.mean(1),
        ),
        ("percent", "Your accuracy is a percentage. Return a fraction between 0 and 1.", 100 * expected),
        ("counted", "You return the number of hits. Divide by the number of samples that have a class.", hit[:, has_class].sum(1)),
        ("error_rate", "You return the share of errors. Accuracy is the share of hits.", 1 - expected),
    ]  # fmt: skip
    if len(keys) > 1:
        message = "All your accuracies belong to one scale of the list. Does every scale have its own samples?"
        mistakes[:0] = [("one_scale", message, hits(scales[k])[has_class].mean().expand(len(keys))) for k in (0, -1)]
    worst = int((seen - expected).abs().argmax())
    judge.compare(
        seen,
        expected,
        mistakes,
        (
            "wrong_accuracy",
            f"At w = {keys[worst]:g} your accuracy is {accuracies[worst]:.4f}, which is not the share of samples with a class that are classified as their own label. Check which rows you compare with which labels.",
        ),
        rtol=1e-5,
    )
    kept(judge, f"{name}/inputs_kept")
