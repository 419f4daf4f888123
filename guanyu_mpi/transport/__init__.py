"""How messages travel: over MPI, or through a simulated network in virtual time."""
