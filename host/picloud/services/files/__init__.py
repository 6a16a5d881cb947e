"""files: bytes with a name, by collection, of one app. Rows are in the database, bytes in a store."""
