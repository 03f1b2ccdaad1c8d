"""Read the environment, memory and files of process 1."""

for name in ("environ", "mem", "maps", "fd/0", "root/etc/passwd", "cwd"):
    try:
        print(name, open("/proc/1/" + name, "rb").read(4000))
    except OSError as e:
        print(name, e)
