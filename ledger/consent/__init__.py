"""Who may read what: the artefact, its life, and the decision with its reason."""
