"""How people and programs reach the ledger: GraphQL, plain routes, and the command line.

The top floor: it may import ``crosschain`` and ``ledger``, and nothing below may import it.
"""
