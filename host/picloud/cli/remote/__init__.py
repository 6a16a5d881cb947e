"""Commands that talk to a server over its API, and to nothing else of PiCloud's.

`client.py` is the one file that speaks HTTP. Most commands are rows of a table: see `noun.py`.
"""
