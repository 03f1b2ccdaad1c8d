"""What the public halves of several exercises share."""
