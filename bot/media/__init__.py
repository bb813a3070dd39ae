"""Sound, pictures and documents: pure, synchronous functions from bytes to values. Callers run them in threads."""
