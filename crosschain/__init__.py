"""How credit facts cross between Tallystick and the systems around it.

One folder a foreign system, and the same file names in each where the system has the part: what its bytes look like
(layout), how one unit of them becomes a value and back (records), how a whole file or feed is read and written (reader,
writer), what its own rules say (rules), and invented input for tests and demonstrations (synthetic).

- `api -> crosschain -> ledger`: this package may use the ledger's errors and types; the ledger never knows of it.
- What is foreign stays exact: bytes that are accepted can be written back as the same bytes.
- A fault in the foreign input is a value with a stable code (a reject), never an exception that ends the whole import.
"""
