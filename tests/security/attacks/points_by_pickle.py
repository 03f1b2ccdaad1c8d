"""Return an object whose unpickling writes a file: evidence must not be a pickle."""
# place: answer


class Pickled:
    def __reduce__(self):
        import os

        return os.system, ("echo points > /tmp/unpickled",)


CFGTrainer.get_train_loss = lambda self, batch_size: Pickled()
