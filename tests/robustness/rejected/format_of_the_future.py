"""Format of the future."""

data = b'{"cells": [], "metadata": {}, "nbformat": 99, "nbformat_minor": 0}'
