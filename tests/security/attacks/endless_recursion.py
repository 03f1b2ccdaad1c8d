"""Recurse without end and without Python's own limit."""


def f(n):
    return f(n + 1)


import sys

sys.setrecursionlimit(10**9)
f(0)
