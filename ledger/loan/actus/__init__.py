"""Schedules by the ACTUS rules: contract terms in, exact cash-flow events and integer due rows out."""
