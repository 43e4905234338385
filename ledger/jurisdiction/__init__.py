"""What a country's rules make of a loan: packs of cited values, and pure functions over them."""
