"""Early warning and scoring, pure: features as folds, signals with reasons, the life of an alert."""
