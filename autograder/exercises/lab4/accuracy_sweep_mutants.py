"""Exercise 4.6: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab4.accuracy_sweep")

KEEP = "noise, labels = noise[labelled], labels[labelled]"
MEAN_HIT = "accuracy[w] = (predicted == labels).double().mean().item()"
PREDICT = "predicted = classify(sample(noise, labels, w)).argmax(dim=1)"

wrong("null_rows_counted", finds="null_rows_counted", edit=(KEEP, "pass"))
wrong("fresh_noise", finds="fresh_noise", edit=(PREDICT, PREDICT.replace("noise,", "torch.randn_like(noise),")))
wrong(
    "noise_not_masked", finds="rows_mixed", edit=(KEEP, "labels = labels[labelled]\n    noise = noise[: len(labels)]")
)
wrong("percent", finds="not_a_fraction", edit=(MEAN_HIT, MEAN_HIT.replace(".item()", ".item() * 100")))
wrong("hits", finds="not_a_fraction", edit=(MEAN_HIT, MEAN_HIT.replace("mean()", "sum()")))
wrong("errors", finds="error_rate", edit=(MEAN_HIT, MEAN_HIT.replace("==", "!=")))
wrong("argmax_over_samples", finds=("raised", "wrong_accuracy"), edit=(PREDICT, PREDICT.replace("dim=1", "dim=0")))
wrong("argmin", finds="wrong_accuracy", edit=(PREDICT, PREDICT.replace("argmax", "argmin")))
wrong(
    "labels_not_passed",
    finds="labels_not_passed",
    edit=(PREDICT, PREDICT.replace("labels,", "torch.full_like(labels, null_label),")),
)
wrong("first_scale_only", finds="one_scale", edit=(PREDICT, PREDICT.replace(", w)", ", scales[0])")))
wrong("null_is_ten", finds="null_rows_counted", edit=("labels != null_label", "labels != 100"))
wrong("scales_sorted_in_place", finds="input_altered", edit=("for w in scales", "scales.sort()\n    for w in scales"))
wrong("keys_are_strings", finds="not_a_number", edit=("accuracy[w]", "accuracy[str(w)]"))
wrong(
    "keys_are_tensors", finds="keys_not_found", edit=("accuracy[w]", "accuracy[torch.tensor(w, dtype=torch.float64)]")
)
wrong("scales_at_least_one", finds="scale_not_used", edit=(PREDICT, PREDICT.replace(", w)", ", max(w, 1.0))")))
wrong("returns_list", finds="not_a_dict", edit=("return accuracy", "return list(accuracy.values())"))
wrong("returns_none", finds="returned_none", edit=("return accuracy", "pass"))
wrong("returns_inside_the_loop", finds="scales_missing", edit=(MEAN_HIT, MEAN_HIT + "\n        return accuracy"))
wrong(
    "labels_in_place",
    finds=("rows_mixed", "input_altered"),
    edit=(KEEP, "labels[~labelled] = 0"),
)
wrong("noise_scaled", finds="noise_altered", edit=(PREDICT, PREDICT.replace("noise,", "noise * w,")))
wrong(
    "classifies_noise",
    finds=("sampler_not_called", "wrong_accuracy"),
    edit=(PREDICT, "predicted = classify(noise).argmax(dim=1)"),
)
wrong(
    "blank", finds="not_implemented", edit=("labelled = labels", "raise NotImplementedError()\n    labelled = labels")
)
right(
    "mask_afterwards",
    source="""
def conditional_accuracy(sample, classify, labels, scales, noise, null_label):
    labelled = labels != null_label
    result = {}
    for w in scales:
        hit = classify(sample(noise, labels, w)).argmax(1) == labels
        result[w] = float(hit[labelled].float().mean())
    return result
""",
)
right("numpy_mean", edit=(MEAN_HIT, "accuracy[w] = np.mean((predicted == labels).numpy(force=True))"))
right("ordered", edit=("accuracy = {}", "from collections import OrderedDict\n    accuracy = OrderedDict()"))
right("tensors_as_values", edit=(MEAN_HIT, MEAN_HIT.replace(".item()", "")))
right(
    "comprehension",
    source="""
def conditional_accuracy(sample, classify, labels, scales, noise, null_label):
    rows = torch.where(labels != null_label)[0]
    y = labels[rows]
    return {float(w): ((classify(sample(noise[rows], y, w)).argmax(-1) == y).sum() / len(y)).item() for w in scales}
""",
)
right("by_softmax", edit=(PREDICT, PREDICT.replace(".argmax(dim=1)", ".softmax(dim=1).max(dim=1).indices")))
right(
    "in_batches",
    source="""
def conditional_accuracy(sample, classify, labels, scales, noise, null_label):
    keep = labels.ne(null_label)
    out = {}
    for w in scales:
        hits, total = 0, 0
        for z, y in zip(noise[keep].split(7), labels[keep].split(7)):
            hits += int((classify(sample(z, y, w)).argmax(dim=1) == y).sum())
            total += len(y)
        out[w] = hits / total
    return out
""",
)
right(
    "keyword_arguments",
    edit=(PREDICT, PREDICT.replace("sample(noise, labels, w)", "sample(w=w, labels=labels, noise=noise)")),
)

# --- more wrong answers

wrong("values_of_max", finds="never_a_hit", edit=(PREDICT, PREDICT.replace("argmax(dim=1)", "max(dim=1).values")))
wrong("argmax_of_everything", finds=("wrong_accuracy", "never_a_hit"), edit=(PREDICT, PREDICT.replace("dim=1", "")))
wrong("classes_from_one", finds="wrong_accuracy", edit=(PREDICT, PREDICT + " + 1"))
wrong("last_scale_only", finds="one_scale", edit=(PREDICT, PREDICT.replace(", w)", ", scales[-1])")))
wrong(
    "zero_is_no_label",
    finds="rows_left_out",
    edit=("labels != null_label", "(labels != null_label) & (labels > 0)"),
)
wrong(
    "null_is_the_largest",
    finds="rows_left_out",
    edit=("labels != null_label", "labels < labels.max()"),
)
wrong("scale_zero_skipped", finds="scales_missing", edit=("for w in scales:", "for w in filter(None, scales):"))
wrong("scales_up_to_ten", finds="scale_not_used", edit=(PREDICT, PREDICT.replace(", w)", ", min(w, 10.0))")))
wrong("scales_without_sign", finds="scale_sign", edit=(PREDICT, PREDICT.replace(", w)", ", abs(w))")))
wrong("scale_rounded", finds="scale_not_used", edit=(PREDICT, PREDICT.replace(", w)", ", round(w))")))
wrong("keys_rounded", finds="wrong_scales", edit=("accuracy[w]", "accuracy[round(w)]"))
wrong(
    "keys_are_positions",
    finds="wrong_scales",
    edit=[("for w in scales", "for i, w in enumerate(scales)"), ("accuracy[w]", "accuracy[i]")],
)
wrong("classifier_in_eval_mode", finds="raised", edit=(PREDICT, "classify.eval()\n        " + PREDICT))
wrong("seeded_for_every_scale", finds="seed_left", edit=(PREDICT, "torch.manual_seed(0)\n        " + PREDICT))
wrong("gradients_off", finds="setting_left", edit=(PREDICT, "torch.set_grad_enabled(False)\n        " + PREDICT))
wrong(
    "balanced",
    finds=("wrong_accuracy", "wrong_rows"),
    edit=(
        MEAN_HIT,
        "hit = (predicted == labels).double()\n"
        "        accuracy[w] = torch.stack([hit[labels == k].mean() for k in labels.unique()]).mean().item()",
    ),
)
wrong(
    "rounded_accuracy",
    finds="rounded",
    edit=(MEAN_HIT, MEAN_HIT.replace(".item()", ".round(decimals=2).item()")),
)
wrong(
    "confidence",
    finds=("wrong_accuracy", "wrong_rows"),
    edit=[
        (PREDICT, "chance = classify(sample(noise, labels, w)).softmax(dim=1)"),
        (MEAN_HIT, "accuracy[w] = chance[torch.arange(len(labels)), labels].double().mean().item()"),
    ],
)
wrong(
    "labels_against_themselves",
    finds=("same_for_all_scales", "wrong_accuracy"),
    edit=(MEAN_HIT, MEAN_HIT.replace("predicted == labels", "labels == labels")),
)
wrong(
    "running_mean",
    finds=("wrong_accuracy", "wrong_rows"),
    edit=(MEAN_HIT, MEAN_HIT + "\n        accuracy[w] = sum(accuracy.values()) / len(accuracy)"),
)
wrong("labels_rolled", finds="rows_in_another_order", edit=(PREDICT, PREDICT.replace("labels,", "labels.roll(1),")))
wrong("noise_permuted", finds="rows_in_another_order", edit=(PREDICT, PREDICT.replace("noise,", "noise.flip(0),")))
wrong(
    "one_noise_for_all",
    finds="one_noise_for_all",
    edit=(PREDICT, PREDICT.replace("noise,", "noise[:1].expand_as(noise),")),
)
wrong(
    "noise_on_top",
    finds=("noise_altered", "fresh_noise"),
    edit=(PREDICT, PREDICT.replace("noise,", "noise + 0.1 * torch.randn_like(noise),")),
)

# --- more right answers

right("noise_as_float", edit=(KEEP, KEEP + "\n    noise = noise.float()"))
right("scale_as_a_tensor", edit=(PREDICT, PREDICT.replace(", w)", ", torch.tensor(w))")))
right("topk", edit=(PREDICT, PREDICT.replace(".argmax(dim=1)", ".topk(1, dim=1).indices[:, 0]")))
right("log_softmax", edit=(PREDICT, PREDICT.replace(".argmax", ".log_softmax(dim=-1).argmax")))
right("by_sorting", edit=(PREDICT, PREDICT.replace(".argmax(dim=1)", ".argsort(dim=1)[:, -1]")))
right(
    "rounded_to_twelve_digits", edit=(MEAN_HIT, MEAN_HIT.replace("= (", "= round((").replace(".item()", ".item(), 12)"))
)
right(
    "numpy_throughout",
    edit=(MEAN_HIT, "accuracy[w] = float(np.equal(predicted.numpy(force=True), labels.numpy(force=True)).mean())"),
)
right("without_gradients", edit=("accuracy = {}", "accuracy = dict()\n    scales = list(scales)"))
right(
    "rows_in_another_order",
    edit=(KEEP, KEEP + "\n    order = torch.randperm(len(labels))\n    noise, labels = noise[order], labels[order]"),
)
right(
    "one_row_at_a_time",
    edit=(
        PREDICT,
        "rows = zip(noise.split(1), labels.split(1))\n"
        "        predicted = torch.cat([classify(sample(z, y, w)).argmax(dim=1) for z, y in rows])",
    ),
)
right("sorted_scales", edit=("for w in scales", "for w in sorted(scales)"))

# --- the noise, the images and the classes as they are

wrong("noise_in_place", finds="noise_altered", edit=(PREDICT, "noise.mul_(1.01)\n        " + PREDICT))
wrong("noise_limited", finds="noise_altered", edit=(PREDICT, "noise = noise.clamp(-4, 4)\n        " + PREDICT))
wrong(
    "images_as_the_next_noise",
    finds="fresh_noise",
    edit=(PREDICT, "noise = sample(noise, labels, w)\n        predicted = classify(noise).argmax(dim=1)"),
)
wrong("images_limited", finds="images_altered", edit=(PREDICT, PREDICT.replace("w))", "w).clamp(-1, 1))")))
wrong("logits_without_sign", finds="wrong_accuracy", edit=(PREDICT, PREDICT.replace(".argmax", ".abs().argmax")))
wrong("last_class_ignored", finds="wrong_accuracy", edit=(PREDICT, PREDICT.replace(".argmax", "[:, :-1].argmax")))
wrong(
    "drawn_from_the_probabilities",
    finds="wrong_accuracy",
    edit=(PREDICT, PREDICT.replace(".argmax(dim=1)", ".softmax(1).multinomial(1)[:, 0]")),
)
wrong(
    "mean_over_classes",
    finds=("wrong_rows", "wrong_accuracy"),
    edit=(
        MEAN_HIT,
        "accuracy[w] = torch.stack([(predicted[labels == k] == k).double().mean() for k in labels.unique()]).mean()",
    ),
)
wrong(
    "last_rows_dropped",
    finds=("rows_left_out", "wrong_rows"),
    edit=(
        KEEP,
        KEEP + "\n    whole = len(labels) // 8 * 8 or len(labels)\n    noise, labels = noise[:whole], labels[:whole]",
    ),
)
right(
    "in_small_batches",
    edit=(
        PREDICT,
        "pairs = zip(noise.split(7), labels.split(7))\n"
        "        predicted = torch.cat([classify(sample(a, b, w)).argmax(1) for a, b in pairs])",
    ),
)
right(
    "in_another_order",
    edit=(KEEP, KEEP + "\n    order = torch.randperm(len(labels))\n    noise, labels = noise[order], labels[order]"),
)
wrong(
    "null_label_is_the_largest",
    finds=("rows_left_out", "wrong_rows"),
    edit=("labels != null_label", "labels < null_label"),
)
wrong(
    "ten_classes",
    finds="wrong_accuracy",
    edit=(PREDICT, PREDICT.replace(".argmax(dim=1)", "[:, :10].argmax(dim=1)")),
)
wrong(
    "classes_before_the_null_label",
    finds="wrong_accuracy",
    edit=(PREDICT, PREDICT.replace(".argmax(dim=1)", "[:, :null_label].argmax(dim=1)")),
)
wrong(
    "rounded_to_one_decimal",
    finds="rounded",
    edit=(MEAN_HIT, MEAN_HIT.replace("= (", "= round((").replace(".item()", ".item(), 1)")),
)
wrong("half_precision", finds="rounded", edit=(MEAN_HIT, MEAN_HIT.replace(".double()", ".half()")))
right("by_counting", edit=(MEAN_HIT, "accuracy[w] = int((predicted == labels).sum()) / len(labels)"))
wrong(
    "starts_from_the_last_images",
    finds="fresh_noise",
    edit=(PREDICT, "noise = sample(noise, labels, w)\n        predicted = classify(noise).argmax(dim=1)"),
)
IMAGES = "classify(sample(noise, labels, w))"
for name, images in (
    ("images_of_256_levels", "(sample(noise, labels, w) * 127.5).round() / 127.5"),
    ("images_within_one", "sample(noise, labels, w).clamp(-1, 1)"),
    ("images_in_half_precision", "sample(noise, labels, w).half().double()"),
):
    wrong(name, finds="images_altered", edit=(IMAGES, f"classify({images})"))
wrong(
    "images_of_a_nearby_scale",
    finds="images_not_classified",
    edit=[
        ("accuracy = {}", "accuracy, images = {}, {}"),
        (IMAGES, "classify(images.setdefault(round(w), sample(noise, labels, w)))"),
    ],
)
wrong(
    "accuracies_kept_for_a_scale",
    finds=("scale_not_used", "sampler_not_called"),
    setup="MEMORY = {}",
    edit=[
        (PREDICT, "if w in MEMORY:\n            accuracy[w] = MEMORY[w]\n            continue\n        " + PREDICT),
        (MEAN_HIT, MEAN_HIT.replace("accuracy[w] =", "accuracy[w] = MEMORY[w] =")),
    ],
)
wrong("labels_at_most_ten", finds="labels_altered", edit=[
    (KEEP, "labels = labels.clamp(max=10)\n    labelled = labels != null_label"),
    (MEAN_HIT, MEAN_HIT.replace("(predicted == labels)", "(predicted == labels)[labelled]")),
])  # fmt: skip
wrong("labels_replaced_in_place", finds="input_altered", edit=(KEEP, f"labels[~labelled] = 0\n    {KEEP}"))
wrong("first_prediction_for_all", finds="wrong_accuracy", edit=(
    MEAN_HIT, MEAN_HIT.replace("predicted ==", "predicted[:1] ==")))  # fmt: skip
wrong(
    "rounded_to_four_decimals",
    finds="rounded",
    edit=(MEAN_HIT, f"{MEAN_HIT}\n        accuracy[w] = round(accuracy[w], 4)"),
)
right("images_in_float32", edit=(IMAGES, "classify(sample(noise, labels, w).float())"))
right("images_with_a_class_alone", edit=[
    (KEEP, "pass"),
    (PREDICT, "predicted = classify(sample(noise, labels, w)[labelled]).argmax(dim=1)"),
    (MEAN_HIT, MEAN_HIT.replace("== labels", "== labels[labelled]")),
])  # fmt: skip

# --- one sample, the null label as prediction, and large logits

LOGITS = f"logits = {IMAGES}"
wrong("rows_squeezed", finds="noise_shape", edit=(
    "labelled = labels != null_label", "labelled = (labels != null_label).nonzero().squeeze()"))  # fmt: skip
wrong("logits_squeezed", finds="raised", edit=(PREDICT, PREDICT.replace(".argmax", ".squeeze().argmax")))
wrong("noise_squeezed", finds="noise_shape", edit=(PREDICT, PREDICT.replace("noise,", "noise.squeeze().unsqueeze(1),")))
for name, predicted in (
    ("null_label_never_predicted", "logits[:, null_label : null_label + 1] = -torch.inf\n{}logits.argmax(1)"),
    ("classes_of_the_labels_alone", "known = labels.unique()\n{}known[logits[:, known].argmax(1)]"),
    ("logits_in_16_bits", "logits = logits.bfloat16()\n{}logits.argmax(1)"),
    ("exponentials", "chances = logits.exp()\n{}(chances / chances.sum(1, keepdim=True)).argmax(1)"),
):
    wrong(name, finds="wrong_accuracy", edit=(PREDICT, f"{LOGITS}\n        {predicted.format('        predicted = ')}"))
wrong("at_least_one_hit", finds="wrong_accuracy", edit=(
    MEAN_HIT, "accuracy[w] = max(1, int((predicted == labels).sum())) / len(labels)"))  # fmt: skip
wrong(
    "noise_of_the_first_call",
    finds="fresh_noise",
    setup="NOISE = {}",
    edit=("labelled = labels", "noise = NOISE.setdefault(noise.shape, noise)\n    labelled = labels"),
)
wrong("all_or_nothing", finds=("never_a_hit", "wrong_accuracy"), edit=(
    MEAN_HIT, "accuracy[w] = float(torch.equal(predicted, labels))"))  # fmt: skip

# --- other devices, and rows that are left out after the classification

wrong("numpy_without_cpu", finds="hard_coded_device", edit=(
    MEAN_HIT, "accuracy[w] = float((predicted.numpy() == labels.numpy()).mean())"))  # fmt: skip
wrong("numpy_mean_without_cpu", finds="hard_coded_device", edit=(
    MEAN_HIT, "accuracy[w] = float(np.asarray(predicted == labels).mean())"))  # fmt: skip
wrong("labels_on_the_cpu", finds="hard_coded_device", edit=(
    MEAN_HIT, MEAN_HIT.replace("== labels", "== torch.tensor(labels.tolist())")))  # fmt: skip
wrong("weights_on_the_cpu", finds="hard_coded_device", edit=(
    MEAN_HIT, "weight = torch.ones(len(labels))\n"
    "        accuracy[w] = float(((predicted == labels) * weight).sum() / weight.sum())"))  # fmt: skip
right("numpy_after_cpu", edit=(
    MEAN_HIT, "accuracy[w] = float((predicted.cpu().numpy() == labels.cpu().numpy()).mean())"))  # fmt: skip
right("labels_from_a_list", edit=(
    MEAN_HIT, MEAN_HIT.replace("== labels", "== torch.tensor(labels.tolist(), device=labels.device)")))  # fmt: skip
wrong("last_batch_not_counted", finds="wrong_rows", edit=(
    MEAN_HIT, MEAN_HIT.replace("labels).", "labels)[: max(len(labels) // 32 * 32, 1)].")))  # fmt: skip
wrong("first_fifty_counted", finds="wrong_rows", edit=(
    MEAN_HIT, MEAN_HIT.replace("labels).", "labels)[:50].")))  # fmt: skip
wrong("bfloat16_mean", finds="rounded", edit=(MEAN_HIT, MEAN_HIT.replace(".double()", ".bfloat16()")))
