"""Who is there and what they may do: users, sessions, the first start, capabilities."""
