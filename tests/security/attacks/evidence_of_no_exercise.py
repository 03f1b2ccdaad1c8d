"""Send evidence of an exercise that does not exist."""
# uses: forge

send("lab9.everything", b"{}", NO_TENSORS)
