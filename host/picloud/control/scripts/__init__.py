"""Scripts: what is saved, its versions, and what it imports."""
