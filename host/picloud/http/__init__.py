"""The HTTP edge: the data plane (public.py, execute.py) and the admin API (admin/)."""
