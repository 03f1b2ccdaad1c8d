"""Send evidence of another exercise under this exercise's name."""
# uses: forge

text = dict(version=1, exercise="lab4.cfg_drift", values={}, kinds={}, errors={})
send("lab4.cfg_train_loss", json.dumps(text).encode(), NO_TENSORS)
