"""Send evidence that is neither JSON nor tensors."""
# uses: forge

send("lab4.cfg_train_loss", b"\xff" * 100, b"\xff" * 100)
