"""Measured figures, taken as ratios in one run: ``./tallystick bench publish | view | verify``."""
