"""The tables of a gallery's database. Any change to them requires a new FORMAT, and an entry in ``formats.py``.

Every row carries a checksum of its own (``rows.py``): SQLite notices a broken page, but not a changed byte in a row.
"""

import sqlite3
from contextlib import closing
from functools import cache

FORMAT = 6
APPLICATION = 0x536B5365  # "SkSe", by which we and the command `file` recognise a gallery

# Photos by hash, not by row of contents: a photo that is removed and indexed again is in its collections as before.
COLLECTIONS = """
CREATE TABLE collections (
  row INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  made TEXT NOT NULL,
  crc INTEGER NOT NULL
);

CREATE TABLE collection_photos (
  row INTEGER PRIMARY KEY,
  collection INTEGER NOT NULL REFERENCES collections (row),
  hash BLOB NOT NULL,
  crc INTEGER NOT NULL,
  UNIQUE (collection, hash)
);

CREATE TABLE saved_searches (
  row INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  query TEXT NOT NULL,
  made TEXT NOT NULL,
  crc INTEGER NOT NULL
);
"""

# Of contents that were opened by a run that looks for this; the next run adds those of the others.
FACTS = """
CREATE TABLE facts (
  content INTEGER PRIMARY KEY REFERENCES contents (row),
  camera TEXT,
  colours BLOB NOT NULL,
  crc INTEGER NOT NULL
);
CREATE INDEX facts_camera ON facts (camera) WHERE camera IS NOT NULL;
"""

SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};

CREATE TABLE commits (
  generation INTEGER PRIMARY KEY,
  stamp BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  crc INTEGER NOT NULL
);

CREATE TABLE folders (
  path BLOB PRIMARY KEY,
  device INTEGER NOT NULL,
  crc INTEGER NOT NULL
);

CREATE TABLE models (
  row INTEGER PRIMARY KEY,
  identity TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  size INTEGER NOT NULL,
  used INTEGER NOT NULL,
  crc INTEGER NOT NULL
);

CREATE TABLE contents (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL UNIQUE,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  taken TEXT,
  crc INTEGER NOT NULL,
  copies INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX contents_orphaned ON contents (row) WHERE copies = 0;
CREATE INDEX contents_taken ON contents (taken) WHERE taken IS NOT NULL;

CREATE TABLE files (
  row INTEGER PRIMARY KEY,
  path BLOB NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  content INTEGER REFERENCES contents (row),
  failure TEXT,
  device INTEGER,
  crc INTEGER NOT NULL,
  CHECK ((content IS NULL) <> (failure IS NULL))
);
CREATE INDEX files_content ON files (content);
CREATE INDEX files_failed ON files (path) WHERE failure IS NOT NULL;

-- Rows are never used twice (AUTOINCREMENT): "greater than the last I saw" is "new" to a derived index.
CREATE TABLE vectors (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  model INTEGER NOT NULL REFERENCES models (row),
  content INTEGER NOT NULL REFERENCES contents (row),
  vector BLOB NOT NULL,
  crc INTEGER NOT NULL,
  lines BLOB,
  UNIQUE (content, model)
);
CREATE INDEX vectors_without_lines ON vectors (model, content) WHERE lines IS NULL;

-- contents.copies counts files, so that contents without one are found without looking at all.
CREATE TRIGGER file_added AFTER INSERT ON files WHEN new.content IS NOT NULL
  BEGIN UPDATE contents SET copies = copies + 1 WHERE row = new.content; END;
CREATE TRIGGER file_removed AFTER DELETE ON files WHEN old.content IS NOT NULL
  BEGIN UPDATE contents SET copies = copies - 1 WHERE row = old.content; END;
CREATE TRIGGER file_changed AFTER UPDATE OF content ON files WHEN old.content IS NOT new.content
  BEGIN
    UPDATE contents SET copies = copies - 1 WHERE row = old.content;
    UPDATE contents SET copies = copies + 1 WHERE row = new.content;
  END;
{COLLECTIONS}{FACTS}"""  # noqa: S608 - texts of ours


@cache
def statements(schema: str = SCHEMA) -> list[tuple[str, str | None]]:
    """(name, definition) of all tables, indexes and triggers of an undamaged database, by name."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(schema)
        return db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
