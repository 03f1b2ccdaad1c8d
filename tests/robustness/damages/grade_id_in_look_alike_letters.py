"""Grade_id in look-alike letters."""

from tests.intake.damages import FULL, LOSS, set_nbgrader

damage = set_nbgrader(LOSS + "_answer", grade_id="lаb4_cfg_train_loss_answer")
points = FULL
said = None
