"""The tests: unit, contracts, engine, acceptance, migrations, emulators; `python -m tests` is the whole check."""
