"""Measurements of this machine, one thread at a time; `guanyu bench` shows them."""
