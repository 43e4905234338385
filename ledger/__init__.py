"""What is true: attestations, the log, loans, consent, views. Nothing here imports ``api`` or ``crosschain``."""
