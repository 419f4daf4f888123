"""Faults that an experiment injects into processes and their frames; no core knows of them."""
