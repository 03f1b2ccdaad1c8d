"""Send outputs of 15 MB for many cells through the channel, past the runner's limit."""
# expect: own test
# uses: forge

text = {"output_type": "stream", "name": "stdout", "text": "x" * 15_000_000}
data = json.dumps({"outputs": [text]}).encode()
channel = socket.socket(fileno=os.dup(channels()[0]))
for i in (3, 5, 6, 8, 9, 11, 12, 14, 15):  # until the run is ended because of it
    channel.sendall(json.dumps({"kind": "cell", "sizes": [len(data)], "index": i}).encode() + b"\n" + data)
