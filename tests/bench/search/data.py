"""A catalog of very many photos, generated inside PostgreSQL.

How often each leaf of the taxonomy is seen follows Zipf's law, as words and labels do: the n-th most common is 1/n as
frequent as the first, and which is how common is drawn by lot. Half of a photo's labels are drawn so; each of the
other half stands near one of these in the taxonomy, as a network that sees a corgi sees a collie, too.
"""

import random
import time
from collections.abc import Sequence

from sqlalchemy import Connection, Engine, text

from photofleet.catalog.taxonomy import Taxonomy, load_taxonomy

LABELS = 8
SLOTS = 200_000
SEED = 7

_LOAD = (
    # What is generated again when it is lost need not reach the disk before the next statement.
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '1GB'",
    "SET work_mem = '512MB'",
    "SET session_replication_role = replica",  # no triggers, no checks of foreign keys
)

_PHOTOS = """
INSERT INTO photos (id, owner, filename, sha256, size, format, width, height, taken_at, uploaded_at, request_id,
                    colour, preview, labels_source)
SELECT uuidv7(at - now()), 'everybody', 'IMG_' || lpad(n::text, 7, '0') || '.jpg', sha256(n::text::bytea), 4000000,
       CASE WHEN n % 1000 = 0 THEN 'gif'
            ELSE (ARRAY['jpeg', 'jpeg', 'jpeg', 'jpeg', 'heic', 'heic', 'webp', 'png'])[1 + n % 8] END,
       CASE n % 4 WHEN 3 THEN 3000 ELSE 4000 END, CASE n % 4 WHEN 3 THEN 4000 ELSE 3000 END,
       CASE WHEN n % 5 > 0 THEN at - random() * interval '30 days' END, at, 'bench', '#808080',
       decode(repeat(md5(n::text), 12), 'hex'), 'net@1'
FROM (SELECT n, timestamptz '2026-06-01' - (:photos - n) * interval '3 years' / :photos AS at
      FROM generate_series(1, :photos) AS n) AS numbered
"""

_LABELS = """
INSERT INTO photo_labels (photo_id, label_id, source, confidence)
SELECT lots.photo_id, leaves.id, 'net@1', max(0.5 + 0.5 * power(random(), 1.5))
FROM (
    SELECT photos.id AS photo_id, floor(random() * :slots)::int AS slot, 1 + floor(random() * 5)::int AS step
    FROM photos, generate_series(1, :drawn)
) AS lots
JOIN slots ON slots.slot = lots.slot
CROSS JOIN LATERAL (VALUES (slots.leaf), ((slots.leaf + lots.step) % CAST(:leaves AS int))) AS seen (leaf)
JOIN leaves ON leaves.n = seen.leaf
GROUP BY lots.photo_id, leaves.id
"""

_SEARCHABLE = """
INSERT INTO searchable (photo_id, at, kinds, sure)
SELECT id, coalesce(taken_at, uploaded_at), shown.* FROM photos, shown_by(photos) AS shown
"""

_EMBEDDINGS = """
INSERT INTO embeddings (photo_id, source, embedding)
SELECT id, 'net@1', (
    SELECT array_agg(sin(k * (1 + abs(hashtext(id::text)) % 997)) + 0.5 * (random() - 0.5))
    FROM generate_series(1, 256) AS k WHERE photos.id IS NOT NULL
)::real[]::halfvec(256)
FROM (SELECT id FROM photos ORDER BY id DESC LIMIT :embeddings) AS photos
"""

_INDEXES = {
    "ix_photos_filename": "photos",
    "ix_photos_announced_at": "photos",
    "uq_photos_owner_sha256": "photos",
    "ix_photo_labels_label_id_photo_id": "photo_labels",
    "ix_searchable_at_photo_id": "searchable",
    "ix_searchable_kinds": "searchable",
    "ix_embeddings_embedding": "embeddings",
}
"""Made after the rows, which is much quicker."""


def generate(engine: Engine, photos: int, embeddings: int) -> None:
    """Fill an empty, migrated catalog."""
    with engine.connect() as connection:
        for statement in _LOAD:
            connection.execute(text(statement))
        connection.execute(text("SELECT setseed(0.7)"))
        definitions = [_definition(connection, name) for name in _INDEXES]
        for name in _INDEXES:
            connection.execute(text(f"DROP INDEX {name}"))
        leaves = _leaves(load_taxonomy())
        slots = _draw_lots(connection, leaves)
        _step(connection, "photos", _PHOTOS, photos=photos)
        _step(connection, "labels", _LABELS, leaves=len(leaves), drawn=LABELS // 2, slots=slots)
        connection.execute(text("ANALYZE photos, photo_labels, labels, label_ancestors"))
        _step(connection, "what the search looks through", _SEARCHABLE)
        _step(connection, "embeddings", _EMBEDDINGS, embeddings=embeddings)
        for name, definition in zip(_INDEXES, definitions, strict=True):
            _step(connection, name, definition)
        connection.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _step(connection, "statistics", "VACUUM (ANALYZE)")
        connection.execute(text("CHECKPOINT"))


def sizes(connection: Connection) -> dict[str, int]:
    """Bytes on disk of each table and index that searching needs."""
    rows = connection.execute(
        text(
            "SELECT relname, pg_relation_size(oid) FROM pg_class"
            " WHERE relname ~ '^(ix_|pk_|uq_)?(photos|photo_labels|searchable|embeddings)' AND relkind IN ('r', 'i')"
            " ORDER BY 2 DESC"
        )
    )
    return {name: size for name, size in rows if size > 2**20}


def _step(connection: Connection, name: str, statement: str, **parameters: object) -> None:
    began = time.monotonic()
    connection.execute(text(statement), parameters)
    print(f"  {name}: {time.monotonic() - began:.0f} s", flush=True)


def _definition(connection: Connection, index: str) -> str:
    return str(connection.scalar(text("SELECT pg_get_indexdef(CAST(:index AS regclass))"), {"index": index}))


def _leaves(taxonomy: Taxonomy) -> Sequence[str]:
    parents = {parent for label in taxonomy for parent in label.parents}
    return sorted(label.id for label in taxonomy if label.id not in parents)


def _draw_lots(connection: Connection, leaves: Sequence[str]) -> int:
    """Give each leaf as many slots as its share, so that drawing a slot at random draws a leaf by Zipf's law."""
    ranks = list(range(1, len(leaves) + 1))
    random.Random(SEED).shuffle(ranks)
    total = sum(1 / rank for rank in ranks)
    owners = [n for n, rank in enumerate(ranks) for _ in range(round(SLOTS / rank / total))]
    connection.execute(text("CREATE TEMPORARY TABLE leaves (n integer PRIMARY KEY, id text NOT NULL)"))
    connection.execute(text("CREATE TEMPORARY TABLE slots (slot integer PRIMARY KEY, leaf integer NOT NULL)"))
    connection.execute(text("INSERT INTO leaves VALUES (:n, :id)"), [{"n": n, "id": i} for n, i in enumerate(leaves)])
    connection.execute(
        text("INSERT INTO slots SELECT ordinality - 1, leaf FROM unnest(:owners) WITH ORDINALITY AS owners (leaf)"),
        {"owners": owners},
    )
    connection.execute(text("ANALYZE leaves"))
    connection.execute(text("ANALYZE slots"))
    return len(owners)
