"""docs: JSON documents by collection, of one app, and the language they are found by."""
