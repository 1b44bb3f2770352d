"""What evaluating needs besides the protocols: labelled material to judge on."""
