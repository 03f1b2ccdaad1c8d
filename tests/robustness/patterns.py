"""Find every regular expression of a package, how it is used, and texts that make a bad one slow.

A pattern is found where it is a constant of a module, or the first argument of a function of `re`. Texts are derived
from its own structure: what it repeats is repeated, after what may stand before it, and followed by what does not fit.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import re._constants as kinds
import re._parser as parser
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

METHODS = ("search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn")
ANY_USE = ("search", "fullmatch", "sub")  # of a pattern that is passed on, so that its use is not seen
SHORT, GROWTH = 2000, 8  # characters of the text that is tried first, and how many times longer the second is
# Of computing time on the short and on the long text, below which the growth is not measured. What decides is the
# growth, so a fast machine needs these small: there the mildest quadratic pattern takes 0.0003 and 0.02 s.
SUSPECT_S, SLOWEST_S = 0.0001, 0.006
SUPERLINEAR = 3.0  # how much more than `GROWTH` the time may grow by


@dataclass
class Found:
    """One regular expression.

    Attributes:
        pattern: what `re` compiles.
        flags: of it.
        places: the modules and names, or lines, where it stands.
        uses: the methods that are called on it.
    """

    pattern: str
    flags: int
    places: list[str] = field(default_factory=list)
    uses: set[str] = field(default_factory=set)


def modules_with_patterns(folder: Path) -> Iterator[ModuleType]:
    """Yield the modules of a package that import `re`, but those that run as programs."""
    for path in sorted(folder.rglob("*.py")):
        if path.name == "__main__.py" or not re.search(r"^(import|from) re\b", path.read_text(), re.M):
            continue
        parts = path.relative_to(folder.parent).with_suffix("").parts
        yield importlib.import_module(".".join(parts).removesuffix(".__init__"))


def find_patterns(modules: Iterable[ModuleType]) -> tuple[list[Found], list[str]]:
    """Return all patterns of modules, and the places of calls whose pattern is known only when they run."""
    found: dict[tuple[str, int], Found] = {}
    unknown: list[str] = []

    def add(pattern: re.Pattern, place: str, *uses: str) -> None:
        if isinstance(pattern.pattern, str):
            one = found.setdefault((pattern.pattern, pattern.flags), Found(pattern.pattern, pattern.flags))
            one.places.append(place)
            one.uses.update(uses)

    for module in modules:
        for name, value in vars(module).items():
            if name.startswith("__"):
                continue
            for pattern in patterns_in(value):
                add(pattern, f"{module.__name__}.{name}")
        for call in calls_of(module):
            place = f"{module.__name__}, line {call.lineno}"
            pattern = called_pattern(call, module)
            if pattern is None:
                unknown.append(f"{module.__name__}: {ast.unparse(call.args[0])}")
            else:
                add(pattern, place, *(() if call.func.attr == "compile" else [call.func.attr]))
    for one in found.values():
        one.uses = one.uses or set(ANY_USE)
    return list(found.values()), unknown


def patterns_in(value: object, depth: int = 3) -> Iterator[re.Pattern]:
    """Yield the compiled patterns in a constant, also in tuples, lists and dictionaries."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, dict)) and len(value) < 200 and depth:
        for item in value.values() if isinstance(value, dict) else value:
            yield from patterns_in(item, depth - 1)


def calls_of(module: ModuleType) -> Iterator[ast.Call]:
    """Yield the calls in a module of a function of `re`, or of a method of a constant that is a pattern."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except OSError:  # an empty file
        return
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            owner = getattr(module, node.func.value.id, None)
            if (owner is re and node.func.attr in (*METHODS, "compile")) or isinstance(owner, re.Pattern):
                yield node


def called_pattern(call: ast.Call, module: ModuleType) -> re.Pattern | None:
    """Return the pattern of a call; None if it needs a variable of a function."""
    owner = getattr(module, call.func.value.id)
    if isinstance(owner, re.Pattern):
        return owner
    words = [word.arg for word in call.keywords]
    place = 1 if call.func.attr == "compile" else {"sub": 4, "subn": 4, "split": 3}.get(call.func.attr, 2)
    flags = call.keywords[words.index("flags")].value if "flags" in words else None
    flags = call.args[place] if flags is None and len(call.args) > place else flags
    try:
        values = [value_of(node, module) for node in (call.args[0], flags) if node is not None]
    except NameError:
        return None
    return values[0] if isinstance(values[0], re.Pattern) else re.compile(*values)


def value_of(node: ast.expr, module: ModuleType) -> object:
    """Return the value of an expression of a module's constants."""
    return eval(compile(ast.Expression(node), module.__name__, "eval"), dict(vars(module)))


# --- texts


def texts(found: Found, length: int) -> Iterator[str]:
    """Yield texts of about this length that a bad pattern is slow on."""
    tree = parser.parse(found.pattern, found.flags)
    letters = sorted(alphabet(tree) | {"a", " "})[:8]
    pumps = {*letters, *("".join(pair) for pair in itertools.permutations(letters, 2))}
    before = {""}
    for prefix, body in repeats(list(tree), ""):
        pumps |= {body, prefix + body, body[:1]}
        before.add(prefix)
    pumps.add(sample(tree)[:-1])
    ends = ("", "\x00!")
    for pump in sorted(pumps - {""}):
        for prefix in sorted(before):
            for end in ends:
                yield prefix + pump * (length // len(pump)) + end


def alphabet(tree: Iterable) -> set[str]:
    """Return characters that a pattern tells apart: its letters, and one of each of its classes."""
    letters: set[str] = set()
    for kind, value in tree:
        if kind in (kinds.LITERAL, kinds.NOT_LITERAL):
            letters.add(chr(value))
        elif kind is kinds.IN:
            letters |= {sample([(kind, value)])} | {chr(n) for k, n in value if k is kinds.LITERAL}
        elif kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
            letters |= alphabet(value[2])
        elif kind is kinds.BRANCH:
            letters |= set().union(*(alphabet(branch) for branch in value[1]))
        elif kind is kinds.SUBPATTERN:
            letters |= alphabet(value[-1])
        elif kind in (kinds.ASSERT, kinds.ASSERT_NOT):
            letters |= alphabet(value[1])
    return letters


def repeats(tree: list, before: str) -> Iterator[tuple[str, str]]:
    """Yield a text before each repeated part of a pattern, and a text of the part."""
    for number, (kind, value) in enumerate(tree):
        prefix = before + sample(tree[:number])
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
            if value[1] > 16:
                yield prefix, sample(value[2])
            yield from repeats(list(value[2]), prefix)
        elif kind is kinds.BRANCH:
            for branch in value[1]:
                yield from repeats(list(branch), prefix)
        elif kind is kinds.SUBPATTERN:
            yield from repeats(list(value[-1]), prefix)


CATEGORIES = {
    kinds.CATEGORY_DIGIT: "0",
    kinds.CATEGORY_WORD: "a",
    kinds.CATEGORY_SPACE: " ",
    kinds.CATEGORY_NOT_DIGIT: "a",
    kinds.CATEGORY_NOT_WORD: "-",
    kinds.CATEGORY_NOT_SPACE: "a",
}


def sample(tree: Iterable) -> str:
    """Return a short text that a pattern matches, or nearly does: what stands around it is not looked at."""
    text = ""
    for kind, value in tree:
        if kind is kinds.LITERAL:
            text += chr(value)
        elif kind is kinds.ANY:
            text += "x"
        elif kind is kinds.NOT_LITERAL:
            text += "y" if chr(value) == "x" else "x"
        elif kind is kinds.IN:
            text += member(value)
        elif kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
            text += sample(value[2]) * max(1, value[0])
        elif kind is kinds.BRANCH:
            text += sample(value[1][0])
        elif kind is kinds.SUBPATTERN:
            text += sample(value[-1])
    return text


def member(choices: list) -> str:
    """Return a character of a class."""
    inside = re.compile("[" + "".join(map(words_of, choices)) + "]")
    common = "a0 -x.A_\n/=\\\"'<>:;"
    return next((c for c in itertools.chain(common, map(chr, range(0x10000))) if inside.match(c)), "a")


def words_of(choice: tuple) -> str:
    """Return one choice of a class as a pattern has it."""
    kind, value = choice
    if kind is kinds.NEGATE:
        return "^"
    if kind is kinds.RANGE:
        return f"\\U{value[0]:08x}-\\U{value[1]:08x}"
    if kind is kinds.CATEGORY:
        return {"0": "\\d", "a": "\\w", " ": "\\s", "-": "\\W"}[CATEGORIES[value]]
    return f"\\U{value:08x}"


# --- measuring


def slow_text(pattern: str, flags: int, uses: list[str]) -> str:
    """Return a text, shortened, on which a pattern takes more than linear time; "" if none was found.

    A hopeless pattern does not return: this runs in a child with a limit on its time.
    """
    found, compiled = Found(pattern, flags), re.compile(pattern, flags)
    calls = [use_of(compiled, use) for use in uses]
    for number, text in enumerate(texts(found, SHORT)):
        for call in calls:
            if seconds(call, text) > SUSPECT_S and is_superlinear(call, found, number):
                return f"{text[:40]!r}…{text[-10:]!r}"
    return ""


def is_superlinear(call, found: Found, number: int) -> bool:
    """Return whether the time on one of the texts grows faster than the text does."""
    short, long = (next(itertools.islice(texts(found, n), number, None)) for n in (SHORT, SHORT * GROWTH))
    first = min(seconds(call, short) for _ in range(3))
    last = min(seconds(call, long) for _ in range(2))
    return last > SLOWEST_S and last > SUPERLINEAR * GROWTH * first


def seconds(call, text: str) -> float:
    """Return the computing time of a call."""
    before = time.process_time()
    call(text)
    return time.process_time() - before


def use_of(compiled: re.Pattern, use: str):
    """Return a function of a text that uses a pattern to the end."""
    if use in ("sub", "subn"):
        return lambda text: compiled.sub("", text)
    if use == "finditer":
        return compiled.findall
    return getattr(compiled, use)
