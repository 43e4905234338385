"""Servicing: what every movement on a loan does to its instalments, in integers and in value-date order."""
