"""One file an LMS: how its archives are laid out."""
