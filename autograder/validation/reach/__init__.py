"""Reach: with which inputs a lab's notebook calls its graded functions, and whether the probes go as far.

`lab_run` runs an instructor notebook with its graded names recorded, and `probe_run` the probe of an exercise.
`record` is what one argument looked like over all calls, `gaps` compares two records, and `tables` keeps those of the
labs in `labN.json`, beside this file.
"""
