"""Send empty evidence for an exercise."""
# uses: forge

send("lab4.cfg_train_loss", b"{}", NO_TENSORS)
