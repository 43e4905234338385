"""Who is calling, and what they may do: access tokens, permissions, and an issuer for development."""
