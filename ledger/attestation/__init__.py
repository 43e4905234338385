"""Attestations: their canonical form, their salted commitment, the batch statement, and the keys that sign it."""
