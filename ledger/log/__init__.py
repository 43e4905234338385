"""The log: Merkle tree, tiles, signed notes, checkpoints and proofs. Pure: bytes in, values or errors out."""
