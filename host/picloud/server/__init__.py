"""The server: its processes, and the parts each is made of."""
