"""Habits of code around a formula, as edits of a function of tensors: harmful ones, and harmless ones."""

from __future__ import annotations

Edits = list[tuple[str, str]]


def wrong_habits(
    docstring: str, result: str, tensor: str, prefix: str
) -> list[tuple[str, str | tuple[str, ...], Edits]]:
    """Return names, findings and edits of harmful habits.

    Args:
        docstring: The line of the model answer after which code can be inserted.
        result: What the function returns, as it stands in the model answer after `return`.
        tensor: The name of an argument that is a tensor.
        prefix: Names the function; begins the names.
    """
    end = f"return {result}"

    def start(code: str) -> Edits:
        return [(docstring, f"{docstring}\n    {code}")]

    cached = f"key = tuple({tensor}.shape)\n    t = KEPT.setdefault(key, t)"
    habits: list[tuple[str, str | tuple[str, ...], Edits]] = [
        ("seeds_torch", "seed_left", start("torch.manual_seed(0)")),
        ("seeds_numpy", "seed_left", start("np.random.seed(0)")),
        ("gradients_off", "setting_left", start("torch.set_grad_enabled(False)")),
        ("default_dtype", "setting_left", start("torch.set_default_dtype(torch.float64)")),
        ("marks_input", "requires_grad_left", start(f"{tensor}.requires_grad_()")),
        ("first_t", ("samples_mixed", "wrong_step"), start("t = t[:1].expand_as(t)")),
        ("kept_by_shape", ("samples_mixed", "raised"), start(cached)),
        ("index_on_cpu", "hard_coded_device", start("schedule = type(schedule)(*(v.cpu() for v in schedule))")),
        ("result_on_cpu", "hard_coded_device", [(end, f"return ({result}).cpu()")]),
        ("read_by_numpy", "hard_coded_device",
         start(f"{tensor} = {tensor} + 0 * float({tensor}.detach().numpy().max())")),
        ("numpy_out", ("not_a_tensor", "raised"), [(end, f"return ({result}).detach().cpu().numpy()")]),
        ("half_out", ("wrong_dtype", "not_finite"), [(end, f"return ({result}).half()")]),
        ("as_list", "not_a_tensor", [(end, f"return list({result})")]),
        ("squeezed", "wrong_shape", [(end, f"return ({result}).squeeze()")]),
        ("flattened", "wrong_shape", [(end, f"return ({result}).flatten(1) if {tensor}.dim() > 1 else {result}")]),
        ("centred", ("samples_mixed", "not_a_sum", "wrong_step"),
         [(end, f"value = {result}\n    return value - value.mean(dim=0, keepdim=True)")]),
    ]  # fmt: skip
    return [(f"{prefix}_{name}", finds, edits) for name, finds, edits in habits]


SETUP = "KEPT = {}\n"  # what `kept_by_shape` needs


def right_habits(docstring: str, result: str, tensors: tuple[str, ...], prefix: str) -> list[tuple[str, Edits]]:
    """Return names and edits of harmless habits; arguments as in `wrong_habits`, with all tensors."""
    names = ", ".join(tensors)

    def start(code: str) -> Edits:
        return [(docstring, f"{docstring}\n    {code}")]

    def cast(how: str) -> str:
        return f"{names} = " + ", ".join(f"{name}.{how}" for name in tensors)

    habits = [
        ("in_float32", start(f"{cast('float()')}\n    schedule = schedule.to(torch.float32)")),
        ("in_float64", start(f"{cast('double()')}\n    schedule = schedule.to(torch.float64)")),
        ("schedule_in_float32", start("schedule = type(schedule)(*(values.float() for values in schedule))")),
        ("contiguous", start(cast("contiguous()"))),
        ("prints", start(f"print({tensors[0]}.shape)")),
        ("small_steps", start("t = t.to(torch.int32).long()")),
        ("float32_out", [(f"return {result}", f"return ({result}).to(torch.float32)")]),
        ("cloned", [(f"return {result}", f"return ({result}).clone()")]),
    ]
    return [(f"{prefix}_{name}", edits) for name, edits in habits]
