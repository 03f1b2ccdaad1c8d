"""Send JSON that is nested 500,000 levels deep."""
# uses: forge

send("lab4.cfg_train_loss", b"[" * 500000, NO_TENSORS)
