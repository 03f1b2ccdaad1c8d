"""Exercise 4.1: wrong answers that must be caught, and right ones written differently."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of

right, wrong = mutants_of("lab4.vector_field")

U = "return self.alpha.dt(t) * z + self.beta.dt(t) * noise"
S = "return (self.alpha(t) * z - x) / self.beta(t) ** 2"
N = "noise = (x - self.alpha(t) * z) / self.beta(t)"

wrong("only_linear", finds="only_linear", edit=(U, "return (z - x) / (1 - t)"))
wrong("displacement", finds="displacement", edit=(U, "return z - x"))
wrong("no_data_term", finds="no_data_term", edit=(U, "return self.beta.dt(t) * noise"))
wrong("no_noise_term", finds="no_noise_term", edit=(U, "return self.alpha.dt(t) * z"))
wrong("alpha_missing", finds="alpha_missing", edit=(N, "noise = (x - z) / self.beta(t)"))
wrong(
    "ratio_inverted",
    finds="ratio_inverted",
    edit=(U, "return self.alpha.dt(t) * z + self.beta(t) ** 2 / self.beta.dt(t) * noise"),
)
wrong("values_for_derivatives", finds="derivative_missing", edit=(U, "return self.alpha(t) * z + self.beta(t) * noise"))
wrong("noise_not_multiplied", finds="derivative_missing", edit=(U, "return self.alpha.dt(t) * z + noise"))
wrong("minus_noise", finds="wrong_sign", edit=(U, "return self.alpha.dt(t) * z - self.beta.dt(t) * noise"))
wrong("backwards", finds="wrong_sign", edit=(U, "return -self.alpha.dt(t) * z - self.beta.dt(t) * noise"))
wrong("x_for_noise", finds="noise_not_extracted", edit=(U, "return self.alpha.dt(t) * z + self.beta.dt(t) * x"))
wrong("beta_not_divided", finds="noise_not_extracted", edit=(N, "noise = x - self.alpha(t) * z"))
wrong("score_as_field", finds="score_instead", edit=(U, S))
wrong(
    "by_alpha",
    finds=("not_finite", "wrong_field"),
    edit=(
        U,
        "a, b = self.alpha(t), self.beta(t)\n"
        "        return self.alpha.dt(t) / a * x + (self.beta.dt(t) - b * self.alpha.dt(t) / a) * noise",
    ),
)
wrong("in_place", finds="input_altered", edit=(N, "x -= self.alpha(t) * z\n        noise = x / self.beta(t)"))
wrong("score_not_squared", finds="beta_not_squared", edit=(S, S.replace(" ** 2", "")))
wrong("score_sign", finds="wrong_sign", edit=(S, "return (x - self.alpha(t) * z) / self.beta(t) ** 2"))
wrong("score_without_alpha", finds="alpha_missing", edit=(S, "return (z - x) / self.beta(t) ** 2"))
wrong("score_not_divided", finds="not_divided", edit=(S, "return self.alpha(t) * z - x"))
wrong("score_half", finds="half", edit=(S, S + " / 2"))
wrong("score_is_noise", finds="noise_instead", edit=(S, "return (x - self.alpha(t) * z) / self.beta(t)"))
wrong("score_linear", finds="only_linear", edit=(S, "return (t * z - x) / (1 - t) ** 2"))
wrong("blank", finds="not_implemented", edit=[(U, "raise NotImplementedError()"), (S, "raise NotImplementedError()")])
wrong(
    "score_of_rounded_inputs",
    finds="wrong_dtype",
    edit=(S, "x, z, t = x.half().float(), z.half().float(), t.half().float()\n        " + S),
)
wrong("field_returns_none", finds="returned_none", edit=(U, U.replace("return ", "field = ")))
wrong("on_the_cpu", finds="hard_coded_device", edit=(U, U + " + torch.zeros(len(x)).reshape(t.shape)"))
right("small_constant", edit=(N, "noise = (x - self.alpha(t) * z) / (self.beta(t) + 1e-8)"))
right(
    "collected_terms",
    edit=(
        U,
        "rate = self.beta.dt(t) / self.beta(t)\n"
        "        return (self.alpha.dt(t) - rate * self.alpha(t)) * z + rate * x",
    ),
)
right("score_by_noise", edit=(S, N + "\n        return -noise / self.beta(t)"))
right(
    "field_by_score",
    edit=(
        U,
        "a, b, da, db = self.alpha(t), self.beta(t), self.alpha.dt(t), self.beta.dt(t)\n"
        "        return da * z - b * db * self.conditional_score(x, z, t)",
    ),
)
right(
    "score_by_autograd",
    edit=(
        S,
        "with torch.enable_grad():\n            y = x.detach().clone().requires_grad_()\n"
        "            density = -((y - self.alpha(t) * z) ** 2 / (2 * self.beta(t) ** 2)).sum()\n"
        "            return torch.autograd.grad(density, y)[0]",
    ),
)
right(
    "helper_method",
    source="""
class GaussianConditionalPath(GaussianPath):
    def noise(self, x, z, t):
        return (x - self.alpha(t) * z) / self.beta(t)

    def conditional_vector_field(self, x, z, t):
        return self.beta.dt(t) * self.noise(x, z, t) + self.alpha.dt(t) * z

    def conditional_score(self, x, z, t):
        return -self.noise(x, z, t) / self.beta(t)
""",
)
right(
    "velocity_by_jvp",
    edit=(
        U,
        "da = torch.autograd.functional.jvp(self.alpha, t, torch.ones_like(t))[1]\n"
        "        db = torch.autograd.functional.jvp(self.beta, t, torch.ones_like(t))[1]\n"
        "        return da * z + db * noise",
    ),
)
