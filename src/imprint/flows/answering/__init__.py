"""How a collection answers: encoders in use, live snapshots, the prediction log."""
