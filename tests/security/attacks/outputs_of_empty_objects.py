"""Send 16 MB of empty objects as the outputs of a cell: where they are parsed, they take half a gigabyte."""
# expect: own test
# place: after
# uses: forge

data = b'{"outputs": [' + b"{}," * 5_000_000 + b"{}]}"
channel = socket.socket(fileno=os.dup(channels()[0]))
for i in (3, 5, 6, 8):
    channel.sendall(json.dumps({"kind": "cell", "sizes": [len(data)], "index": i}).encode() + b"\n" + data)
