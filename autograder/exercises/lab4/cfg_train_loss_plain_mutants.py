"""Exercise 4.2: a plain answer, and its lines that the wrong and right answers replace."""

from __future__ import annotations

from autograder.exercises.kits.mutants import mutants_of
from autograder.exercises.kits.sources import editable

right, wrong = mutants_of("lab4.cfg_train_loss")

HEAD = """
class CFGTrainer(Trainer):
    def __init__(self, path, model, eta, null_label):
        super().__init__(model)
        self.path, self.eta, self.null_label = path, eta, null_label

    def get_train_loss(self, batch_size):
"""

PLAIN = """
z, y = self.path.p_data.sample(batch_size)
drop = torch.rand(batch_size, device=z.device) < self.eta
y = torch.where(drop, self.null_label, y)
t = torch.rand(batch_size, 1, 1, 1, device=z.device)
x = self.path.sample_conditional_path(z, t)
error = self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)
return (error**2).mean()
"""

plain = editable(HEAD, PLAIN)

MEAN = "return (error**2).mean()"
DROP = "torch.rand(batch_size, device=z.device) < self.eta"
TIME = "t = torch.rand(batch_size, 1, 1, 1, device=z.device)"
MASK = "y = torch.where(drop, self.null_label, y)"
MODEL = "self.model(x, t, y)"
TARGET = "conditional_vector_field(x, z, t)"
