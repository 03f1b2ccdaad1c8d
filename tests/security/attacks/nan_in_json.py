"""Send evidence with NaN as a value."""
# uses: forge

text = b'{"version": 1, "exercise": "lab4.cfg_train_loss", "values": {"x": NaN}, "kinds": {}, "errors": {}}'
send("lab4.cfg_train_loss", text, NO_TENSORS)
