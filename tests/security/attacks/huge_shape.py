"""Send a tensor whose shape claims 2**40 numbers."""
# uses: forge

head = json.dumps({"x": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 8]}}).encode()
send("lab4.cfg_train_loss", b"{}", len(head).to_bytes(8, "little") + head + b"\0" * 8)
