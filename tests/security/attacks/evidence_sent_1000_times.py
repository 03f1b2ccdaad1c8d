"""Send the same evidence a thousand times."""
# uses: forge

send("lab4.cfg_train_loss", b"{}", NO_TENSORS, copies=1000)
