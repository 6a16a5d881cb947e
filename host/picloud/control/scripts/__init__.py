"""Scripts, their versions and their imports."""
