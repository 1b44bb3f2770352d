"""Simulated queries, and the calibration fitted to what they bring."""
