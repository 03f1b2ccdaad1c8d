"""Lower the limits of the process that later submissions are forked from."""

import resource

for limit in (resource.RLIMIT_STACK, resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_CPU):
    try:
        resource.prlimit(1, limit, (4096, 4096))
        print("CHANGED", limit)
    except OSError as e:
        print(e)
