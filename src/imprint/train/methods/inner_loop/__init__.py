"""Methods that learn where to start: a few gradient steps on the supports make the classifier."""
