"""Send tensors whose header claims a size of 2**62 bytes."""
# uses: forge

send("lab4.cfg_train_loss", b"{}", (2**62).to_bytes(8, "little") + b"{}")
