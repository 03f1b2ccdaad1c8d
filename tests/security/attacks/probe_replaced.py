"""Replace the function that runs probes."""

import utils.checks.exercise as e
import utils.checks as c

c.run_probe = lambda *a: None
