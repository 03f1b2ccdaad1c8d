# The grader in a container. The course, with its submissions, is mounted from your disk and stays there:
#
#     docker build --tag guidance-labs .
#     docker run --rm -it --user "$(id -u):$(id -g)" --volume "$PWD:/course" --security-opt seccomp=unconfined \
#       --security-opt apparmor=unconfined --security-opt systempaths=unconfined guidance-labs autograder grade lab4
#
# The three security options let bubblewrap make the namespaces in which student code runs (docs/machines.md).
FROM python:3.11-slim

RUN apt-get update \
 && apt-get install --yes --no-install-recommends bubblewrap git make \
 && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/venv/bin:$PATH HOME=/tmp OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /course

# PyTorch first, because it is large and changes rarely.
COPY constraints.txt ./
RUN python -m venv /opt/venv \
 && pip install --no-cache-dir --constraint constraints.txt \
      --index-url https://download.pytorch.org/whl/cpu torch torchvision

# `--editable`: the mounted course is what runs, not this copy of it.
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt --editable ".[postgres]"

USER 1000
CMD ["autograder", "--help"]
