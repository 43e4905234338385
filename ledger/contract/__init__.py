"""Contracts: agreed terms that execute by themselves, purely, with a record of every effect (docs/contracts.md)."""
