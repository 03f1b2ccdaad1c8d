"""Loop without end when the probe calls the answer."""
# expect: hang
# place: answer

CFGTrainer.get_train_loss = lambda self, batch_size: [0 for _ in iter(int, 1)]
