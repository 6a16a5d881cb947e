"""The outbox writer: events, the triggers that match them, and who records them."""
