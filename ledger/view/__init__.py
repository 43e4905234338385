"""The credit view: one borrower's loans across lenders as lines, and the bundle that proves them."""
