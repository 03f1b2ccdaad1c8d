"""Run a program from memory that has no file, and that outlives the notebook."""

import os

descriptor = os.memfd_create("program")
with open("/bin/sh", "rb") as shell:
    os.write(descriptor, shell.read())
if os.fork() == 0:
    os.setsid()
    os.execve(descriptor, ["sh", "-c", "while :; do sleep 1; done"], {})
