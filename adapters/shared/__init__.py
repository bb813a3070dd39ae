"""What several platforms share: no platform itself, and it knows none."""
