"""Exercise 4.6: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab4.accuracy_sweep")

KEEP = "noise, labels = noise[asked], labels[asked]"
MEAN_HIT = "accuracy[w] = (predicted == labels).double().mean().item()"
PREDICT = "predicted = classify(sample(noise, labels, w)).argmax(dim=1)"

wrong("null_rows_counted", finds="null_rows_counted", edit=(KEEP, "pass"))
wrong("fresh_noise", finds="fresh_noise", edit=(PREDICT, PREDICT.replace("noise,", "torch.randn_like(noise),")))
wrong("noise_not_masked", finds="rows_mixed", edit=(KEEP, "labels = labels[asked]\n    noise = noise[: len(labels)]"))
wrong("percent", finds="percent", edit=(MEAN_HIT, MEAN_HIT.replace(".item()", ".item() * 100")))
wrong("hits", finds="counted", edit=(MEAN_HIT, MEAN_HIT.replace("mean()", "sum()")))
wrong("errors", finds="error_rate", edit=(MEAN_HIT, MEAN_HIT.replace("==", "!=")))
wrong("argmax_over_samples", finds=("raised", "wrong_accuracy"), edit=(PREDICT, PREDICT.replace("dim=1", "dim=0")))
wrong("argmin", finds="wrong_accuracy", edit=(PREDICT, PREDICT.replace("argmax", "argmin")))
wrong(
    "labels_not_passed",
    finds="labels_not_passed",
    edit=(PREDICT, PREDICT.replace("labels,", "torch.full_like(labels, null_label),")),
)
wrong(
    "first_scale_only", finds=("one_scale", "wrong_accuracy"), edit=(PREDICT, PREDICT.replace(", w)", ", scales[0])"))
)
wrong("null_is_ten", finds=("null_rows_counted", "wrong_accuracy"), edit=("labels != null_label", "labels != 100"))
wrong("scales_sorted_in_place", finds="input_altered", edit=("for w in scales", "scales.sort()\n    for w in scales"))
wrong("keys_are_strings", finds="not_a_number", edit=("accuracy[w]", "accuracy[str(w)]"))
wrong("keys_are_tensors", finds="wrong_scales", edit=("accuracy[w]", "accuracy[torch.tensor(w, dtype=torch.float64)]"))
wrong("scales_at_least_one", finds="wrong_accuracy", edit=(PREDICT, PREDICT.replace(", w)", ", max(w, 1.0))")))
wrong("returns_list", finds="not_a_dict", edit=("return accuracy", "return list(accuracy.values())"))
wrong("returns_none", finds="returned_none", edit=("return accuracy", "pass"))
wrong("returns_inside_the_loop", finds="wrong_scales", edit=(MEAN_HIT, MEAN_HIT + "\n        return accuracy"))
wrong(
    "labels_in_place",
    finds=("rows_mixed", "input_altered", "null_rows_counted", "wrong_accuracy"),
    edit=(KEEP, "labels[~asked] = 0"),
)
wrong("noise_scaled", finds="fresh_noise", edit=(PREDICT, PREDICT.replace("noise,", "noise * w,")))
wrong(
    "classifies_noise",
    finds=("sampler_not_called", "wrong_accuracy"),
    edit=(PREDICT, "predicted = classify(noise).argmax(dim=1)"),
)
wrong("blank", finds="not_implemented", edit=("asked = labels", "raise NotImplementedError()\n    asked = labels"))
right(
    "mask_afterwards",
    source="""
def conditional_accuracy(sample, classify, labels, scales, noise, null_label):
    asked = labels != null_label
    result = {}
    for w in scales:
        hit = classify(sample(noise, labels, w)).argmax(1) == labels
        result[w] = float(hit[asked].float().mean())
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
