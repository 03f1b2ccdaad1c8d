"""Exercise 4.4: the lines of the model answer that mutants replace."""

E = "return x + h * self.ode.drift_coefficient(x, t, **kwargs)"
H = "return x + h / 2 * (here + there)"
T = "there = self.ode.drift_coefficient(x + h * here, t + h, **kwargs)"
A = "here = self.ode.drift_coefficient(x, t, **kwargs)"
SLOPE = "self.ode.drift_coefficient(x, t, **kwargs)"
