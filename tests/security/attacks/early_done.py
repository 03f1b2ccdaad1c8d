"""Tell the runner that the notebook is finished."""
# uses: forge

for fd in channels():
    os.write(fd, b'{"kind": "done", "sizes": []}\n')
