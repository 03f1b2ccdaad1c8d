"""What one argument of a graded function looked like, over all calls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

DIGITS = 3


@dataclass
class ArgumentRecord:
    """The values of one argument, or of one field of it.

    Args:
        traits: by category, what occurred: `{"dtype": {"float32"}, "axes": {"2"}, "special": {"0", "last"}}`.
        low: the smallest finite number.
        high: the largest finite number.
        below_one: the smallest positive distance to 1, of numbers between 0 and 1.
        tiny: the smallest positive number, of those.
        counts: whether all numbers are counts or indices, whose size says nothing about the exercise.
    """

    traits: dict[str, set[str]] = field(default_factory=dict)
    low: float = math.inf
    high: float = -math.inf
    below_one: float = math.inf
    tiny: float = math.inf
    counts: bool = True
    last: tuple[Tensor, int, bool] | None = field(
        default=None, repr=False, compare=False
    )  # the last tensor, its version

    def is_last(self, value: Tensor) -> bool:
        """Return whether a tensor is the one that was added last, unchanged, such as a schedule; remember it."""
        if value.is_inference():  # has no version
            return False
        same = (
            self.last is not None and self.last[0] is value and self.last[1:] == (value._version, value.requires_grad)
        )
        self.last = (value, value._version, value.requires_grad)
        return same

    def note(self, category: str, what: str) -> None:
        """Add something that occurred."""
        self.traits.setdefault(category, set()).add(what)

    def add_numbers(self, numbers: Tensor, counts: bool) -> None:
        """Add the finite numbers of a tensor.

        Args:
            numbers: any shape, on the CPU.
            counts: whether they are counts or indices.
        """
        self.counts &= counts
        if not numbers.numel():
            return
        low, high = (float(end) for end in numbers.aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            self.note("special", "not finite")
            return self.add_numbers(numbers[numbers.isfinite()], counts)
        self.low, self.high = min(self.low, low), max(self.high, high)
        for number in (0,) if counts else (0, 1):
            if low <= number <= high and bool((numbers == number).any()):
                self.note("special", str(number))
        if counts and low < 0:
            self.note("special", "negative")
        elif not counts and low >= 0 and high <= 1:
            inside = numbers[(numbers > 0) & (numbers < 1)].double()
            if inside.numel():
                self.tiny = min(self.tiny, float(inside.min()))
                self.below_one = min(self.below_one, 1 - float(inside.max()))

    def add_indices(self, numbers: Tensor, length: int | None, null: int | None) -> None:
        """Note whether the last index and the null label occur.

        Args:
            numbers: integers, any shape.
            length: how many there are to choose from, if that is known.
            null: the label that stands for no label, if there is one.
        """
        if length is not None and bool((numbers == length - 1).any()):
            self.note("special", "last")
        if null is not None and bool((numbers == null).any()):
            self.note("special", "null label")

    @property
    def has_numbers(self) -> bool:
        """Whether there was a finite number."""
        return self.low <= self.high

    @property
    def in_unit_interval(self) -> bool:
        """Whether all numbers are from 0 to 1, so that their distance to 1 may matter."""
        return self.has_numbers and not self.counts and self.low >= 0 and self.high <= 1

    def to_json(self) -> dict[str, object]:
        """Return the record as JSON, with numbers rounded to three digits."""
        found: dict[str, object] = {name: sorted(what) for name, what in sorted(self.traits.items())}
        if self.has_numbers:
            found["range"] = [rounded(self.low), rounded(self.high)]
            found["counts"] = self.counts
        for name in ("tiny", "below_one"):
            number = getattr(self, name)
            if self.in_unit_interval and math.isfinite(number):
                found[name] = rounded(number)
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, object]) -> ArgumentRecord:
        """Return the record that `to_json` wrote."""
        record = cls()
        for name, what in found.items():
            if name == "range":
                record.low, record.high = what  # type: ignore[misc]
            elif name in ("tiny", "below_one", "counts"):
                setattr(record, name, what)
            else:
                record.traits[name] = set(what)  # type: ignore[call-overload]
        return record


def rounded(number: float) -> float:
    """Return a number with three digits."""
    return float(f"{number:.{DIGITS}g}")


Records = dict[str, ArgumentRecord]  # by argument; fields as `schedule.betas`, items as `scales[]`


def merged(records: Iterable[Records]) -> Records:
    """Return what all records have in common: the reach of every one of them."""
    tables = list(records)
    common: Records = {}
    for path in tables[0]:
        if all(path in table for table in tables):
            common[path] = in_common([table[path] for table in tables])
    return common


def in_common(records: list[ArgumentRecord]) -> ArgumentRecord:
    """Return the traits that every record has, and the numbers that every record reaches."""
    categories = set.intersection(*(set(record.traits) for record in records))
    traits = {name: set.intersection(*(record.traits[name] for record in records)) for name in categories}
    return ArgumentRecord(
        traits,
        low=max(record.low for record in records),
        high=min(record.high for record in records),
        below_one=max(record.below_one for record in records),
        tiny=max(record.tiny for record in records),
        counts=all(record.counts for record in records),
    )
