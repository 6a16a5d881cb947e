"""The outbox: events, the triggers that match them, and the listeners that record them."""
