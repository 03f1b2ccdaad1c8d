"""End the process when the probe calls the answer."""
# expect: hang
# place: answer

import os

CFGTrainer.get_train_loss = lambda self, batch_size: os._exit(0)
