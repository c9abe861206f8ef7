"""A PostgreSQL database that is put back as it was made after each use.

A copy of a database takes PostgreSQL four hundred files, emptied tables take it one statement: what hundreds of tests
need is lent to one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.support.postgres import Server, name_of

# Tables that are empty when the database is made are emptied again; of those that hold rows a trigger says whether
# anybody wrote to them, and only then they are filled anew.
_KEEP = """
CREATE SCHEMA pristine;
CREATE TABLE pristine.touched (name text NOT NULL);
CREATE FUNCTION pristine.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pristine.touched VALUES (TG_TABLE_NAME);
    RETURN NULL;
END $$;
CREATE TABLE pristine.filled (name text PRIMARY KEY);
DO $$
DECLARE
    name text;
    any_row boolean;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO any_row;
        IF any_row THEN
            INSERT INTO pristine.filled VALUES (name);
            EXECUTE format('CREATE TABLE pristine.%I AS TABLE public.%I', name, name);
            EXECUTE format(
                'CREATE TRIGGER pristine AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.%I'
                ' FOR EACH STATEMENT EXECUTE FUNCTION pristine.touch()', name);
        END IF;
    END LOOP;
END $$;
CREATE TABLE pristine.numbers AS SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public';
"""
_PUT_BACK = """
SET session_replication_role = replica; -- neither foreign keys nor the triggers above
DO $$
DECLARE
    name text;
    number record;
BEGIN
    FOR name IN
        SELECT tablename FROM pg_tables WHERE schemaname = 'public'
            AND tablename NOT IN (SELECT filled.name FROM pristine.filled)
    LOOP
        EXECUTE format('DELETE FROM public.%I', name);
    END LOOP;
    FOR name IN SELECT DISTINCT touched.name FROM pristine.touched LOOP
        EXECUTE format('DELETE FROM public.%I', name);
        EXECUTE format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE SELECT * FROM pristine.%I', name, name);
    END LOOP;
    DELETE FROM pristine.touched;
    FOR number IN
        SELECT now.sequencename, made.last_value FROM pg_sequences now JOIN pristine.numbers made USING (sequencename)
        WHERE now.schemaname = 'public' AND now.last_value IS DISTINCT FROM made.last_value
    LOOP
        PERFORM setval(
            format('public.%I', number.sequencename), coalesce(number.last_value, 1), number.last_value IS NOT NULL);
    END LOOP;
END $$;
"""
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Lender:
    """Lends copies of one database, made when they are asked for (a test may hold several at once), and takes them
    back emptied of what was written."""

    def __init__(self, server: Server, template: str) -> None:
        self._server, self._template = server, template
        self._free: list[str] = []

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a database as its template was, whoever had it before. Tables that were added, dropped or
        changed are not put back: such a test takes a database of its own."""
        url = self._free.pop() if self._free else self._made()
        yield url  # after an error in the borrower's block it is not lent again: nobody knows what is still open
        with self._open(url) as connection:
            connection.execute(_END_OTHERS)
            connection.execute(_PUT_BACK)
        self._free.append(url)

    def _made(self) -> str:
        url = self._server.create(self._template)
        with self._open(url) as connection:
            connection.execute(_KEEP)
        return url

    def _open(self, url: str) -> psycopg.Connection[object]:
        return psycopg.connect(host=str(self._server.folder), user="postgres", dbname=name_of(url), autocommit=True)
