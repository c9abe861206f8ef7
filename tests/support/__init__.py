"""What the tests bring along: a PostgreSQL server and a Chromium of their own."""
