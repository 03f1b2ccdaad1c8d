"""Exercise 4.3: answers that keep something from an earlier call, or leave the network changed."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.lab4.cfg_drift_sources import BOTH, drift

right, wrong = mutants_of("lab4.cfg_drift")

for kept in ("x", "x, y", "x, t", "t, y", "x, t, y"):  # found again as objects
    wrong(
        f"drift_kept_for_the_objects_{kept.replace(', ', '_')}",
        finds="kept_from_earlier_call",
        source=drift(
            f"key = tuple(id(value) for value in ({kept},))\n"
            "if getattr(self, 'key', None) != key:\n"
            f"    self.key, self.kept, self.u = key, ({kept},), {BOTH[7:]}\nreturn self.u.clone()"
        ),
    )
wrong("null_velocity_kept_for_x", finds="kept_from_earlier_call", source=drift(
    "if getattr(self, 'last', (None,))[0] is not x:\n    self.last = (x, self.net(x, t, null))\n"
    "return (1 - w) * self.last[1] + w * self.net(x, t, y)"))  # fmt: skip
wrong("null_velocity_kept_for_the_numbers_of_x", finds="kept_from_earlier_call", source=drift(
    "old = getattr(self, 'old', x[:0])\nif old.shape != x.shape or not torch.equal(old, x):\n"
    "    self.old, self.u = x.detach().clone(), self.net(x, t, null)\n"
    "return (1 - w) * self.u + w * self.net(x, t, y)"))  # fmt: skip
wrong("null_velocity_kept_for_a_time", finds="kept_from_earlier_call", source=drift(
    "memory, key = self.__dict__.setdefault('memory', {}), (tuple(x.shape), float(t.flatten()[0]))\n"
    "if key not in memory:\n    memory[key] = self.net(x, t, null)\n"
    "return (1 - w) * memory[key] + w * self.net(x, t, y)"))  # fmt: skip
wrong("first_scale_kept", finds="scale_kept", source=drift(
    "w = self.first = getattr(self, 'first', w)\n" + BOTH))  # fmt: skip
wrong("scale_of_the_constructor", finds="scale_kept", source=drift(BOTH.replace("w", "self.w")).replace(
    "self.net, self.guidance_scale,", "self.w = guidance_scale\n        self.net, self.guidance_scale,"))  # fmt: skip
wrong("evaluation_mode_left", finds="mode_left", source=drift("self.net.eval()\n" + BOTH))
wrong("null_rows_at_rest", finds="null_rows_wrong", source=drift(
    "out = (1 - w) * self.net(x, t, null) + w * self.net(x, t, y)\n"
    "return torch.where((y == null).reshape(t.shape), 0, out)"))  # fmt: skip
right("evaluation_mode_restored", source=drift(
    "mode = self.net.training\nself.net.eval()\nout = (1 - w) * self.net(x, t, null) + w * self.net(x, t, y)\n"
    "self.net.train(mode)\nreturn out"))  # fmt: skip
