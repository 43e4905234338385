"""The life of a loan, as a fold over what lenders attested: status, days past due, the 24-month history."""
