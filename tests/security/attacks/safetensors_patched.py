"""Make the serialisation of tensors return nothing."""

import safetensors.torch as s

s.save = lambda *a, **k: b""
