"""The GraphQL interface: its guards, its scalars and errors, its permissions, and the schema over them."""
