"""The only files of the grader that exist inside the sandbox, where they are the package `inside`.

They import nothing of `autograder`, so that no verdict has to exist inside.
"""
