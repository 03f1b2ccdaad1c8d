"""The figures of the labs, one module a lab. They draw what they are given and compute no answer."""
