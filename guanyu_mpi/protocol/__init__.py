"""GuanYu's state machines: a message in, effects out; no MPI, no clock, no file, no randomness."""
