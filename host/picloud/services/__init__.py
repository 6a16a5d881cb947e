"""The services: what scripts and the admin API can do, each a file of its own."""
