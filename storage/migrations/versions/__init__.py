"""``0001_….py`` and on, each with an upgrade and a downgrade."""
