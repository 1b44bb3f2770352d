"""The verbs: the only place that touches several rooms."""
