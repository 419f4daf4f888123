"""Measurements of this machine; `guanyu bench` shows them."""
