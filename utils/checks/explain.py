"""Turn what a student's code raised into a finding that a good teaching assistant would write."""

from __future__ import annotations

import re

PROBE_FAILED = "The grader's own test of this exercise failed. It is not your fault, and a person will look at it."

TO_NUMPY = "device type tensor to numpy"  # torch, of a tensor on a GPU

# The code and the message of findings about devices.
HARD_CODED_DEVICE = (
    "hard_coded_device",
    "Your code mixes devices: something it creates stays on one fixed device. "
    "Create new tensors where the inputs are, for example with `device=x.device`.",
)
READ_BY_NUMPY = (
    "hard_coded_device",
    "Your code works on the CPU only: NumPy cannot read a tensor of another device. Use torch's functions, "
    "or copy the tensor with `.cpu()`.",
)
RESULT_ELSEWHERE = (
    "hard_coded_device",
    "Your result is not on the device of the inputs. Create new tensors where the inputs are, "
    "for example with `device=x.device`, and move none to the CPU.",
)
DEVICE_NOT_SHOWN = (
    "device_not_shown",
    "The grader's record does not say that your code ran on a second device. "
    "Nothing in your notebook may end or change the grader's own steps.",
)


def is_device_error(error: dict[str, object]) -> bool:
    """Return whether a stored error says that tensors are on different devices, or that a device is missing.

    Args:
        error: what `evidence.describe` returned.

    Returns:
        True for such an error.
    """
    words = str(error.get("message", "")).lower()
    return any(
        hint in words
        for hint in (
            "same device",
            "expected device",
            "not compiled with cuda",
            "found no nvidia",
            "no cuda gpus",
            "invalid device",
            TO_NUMPY,
        )
    )


def device_finding(error: dict[str, object]) -> tuple[str, str]:
    """Explain an error for which `is_device_error` is true, of a test on another device.

    Args:
        error: what `evidence.describe` returned.

    Returns:
        The code and the message of a finding.
    """
    code, words = READ_BY_NUMPY if TO_NUMPY in str(error.get("message", "")).lower() else HARD_CODED_DEVICE
    return code, words + line_of(error)


def line_of(error: dict[str, object]) -> str:
    """Return a sentence with the line of the student's code that raised an error.

    Args:
        error: what `evidence.describe` returned.

    Returns:
        The sentence after a space, or nothing if the line is not known.
    """
    line = error.get("line")
    return f" The line is `{line}`." if line else ""


def explain(error: dict[str, object]) -> tuple[str, str]:
    """Explain an exception of the student's code.

    Args:
        error: what `evidence.describe` returned.

    Returns:
        The code and the message of a finding.
    """
    kind, words = (str(error.get(key) or "") for key in ("type", "message"))
    bases = error.get("bases")
    bases = bases if isinstance(bases, list) else []
    at = line_of(error)
    if kind == "MissingName":
        return "missing_name", f"The notebook does not define `{words}`. Was the cell deleted, renamed, or did it fail?"
    if kind == "WrongSignature":
        return "wrong_signature", f"{words}. Keep the arguments as the exercise gives them."
    if error.get("fault") is True:
        return "needs_a_person", PROBE_FAILED
    if "NotImplementedError" in bases:
        return "not_implemented", "Not answered yet: the cell still raises NotImplementedError."
    if is_device_error(error):
        return "hard_coded_device", f"Your code works on one device only: {gist(words)}.{at}"
    if kind in ("TypeCheckError", "TypeCheckException"):
        return "wrong_shape", f"A tensor is not what the signature promises: {broken_promise(words)}.{at}"
    if kind in ("SystemExit", "KeyboardInterrupt"):
        return "raised", f"Your code ended the program ({kind}).{at}"
    what = f"{kind}: {gist(words)}" if words else kind
    if error.get("where"):
        return "raised", f"The test of your answer could not use your code or what it returned: {what}."
    return "raised", f"Your code raised {what}.{at}"


def gist(words: str) -> str:
    r"""Shorten an error message to one line without its final period. Torch's list of possible signatures is left out.

    Args:
        words: the message.

    Returns:
        The line.

    Example:
        >>> gist("a size\n  differs.")
        'a size differs'
    """
    words = " ".join(words.split(", but expected one of:")[0].split())
    return words.rstrip(".:; ")


def broken_promise(words: str) -> str:
    """Say which annotation of jaxtyping was violated, in one sentence.

    Args:
        words: jaxtyping's message.

    Returns:
        The argument, what was given, and what the annotation promises.
    """
    name, actual, expected = (
        re.search(pattern, words)
        for pattern in (
            r"typechecking parameter '(\w+)'",
            r"Actual value: (.+)",
            r"Expected type: (?:<class ')?(.+?)(?:'>)?\.?(?:\n|$)",
        )
    )
    if actual is None or expected is None:
        return gist(words)
    thing = f"`{name[1]}`" if name else "what comes back"
    return f"{thing} is {actual[1]}, expected `{expected[1]}`"
