"""Numbers that judge: metrics, episodes, drift, objectives."""
