"""Fix the seed of every challenge."""

import utils.checks.challenge as c

c.Challenge.seed = lambda self, name: 1
