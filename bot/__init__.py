"""Parley: a self-hosted AI teammate. The core: values, ports, engine, store, jobs, providers."""
