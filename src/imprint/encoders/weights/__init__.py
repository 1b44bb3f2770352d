"""Where model files come from and where they are kept: content-addressed, checked, safe to race."""
