"""The catalog's tables. Every query on them stands in this package, and nowhere else."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Text,
    TypeDecorator,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.catalog.vector import HalfVector

RESIZE = "resize"
LABEL = "label"
STAGES = (RESIZE, LABEL)
"""The stages through which every photo goes: each a queue, a fleet and a folder in workers/."""

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
UNFINISHED = (WAITING, RUNNING)

ADDED, CONFIRMED, REMOVED = "added", "confirmed", "removed"
"""What a person says of a label."""

PERSON = "person:"
"""How a label's source begins that is a person."""

SURE = 10_000
"""What stands for 1 where confidences are kept as whole numbers, to take less room."""


class Base(DeclarativeBase):
    """What the tables share: text for strings, times with their zone, and names for constraints."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), list[str]: ARRAY(Text)}  # noqa: RUF012 -- SQLAlchemy's form


class Label(Base):
    """A node of the taxonomy: something that a photo can show, with the words for it.

    Models' labels are shown from `threshold` on, which comes with the taxonomy, unless an operator has set another.
    `number` stands for it where an id would take too much room, and differs from database to database. `outdated`: how
    often its meaning has changed without the search following yet (see searchable.py).
    """

    __tablename__ = "labels"
    __table_args__ = (CheckConstraint("adjusted_threshold BETWEEN 0 AND 1", name="adjusted_threshold"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    synonyms: Mapped[list[str]]
    parents: Mapped[list[str]]
    threshold: Mapped[float] = mapped_column(server_default="0")
    adjusted_threshold: Mapped[float | None]
    number: Mapped[int] = mapped_column(Identity(always=True))
    outdated: Mapped[int] = mapped_column(server_default="0")

    @hybrid_property
    def least_confidence(self) -> float:
        """The confidence from which the label is shown."""
        return self.threshold if self.adjusted_threshold is None else self.adjusted_threshold

    @least_confidence.inplace.expression
    @classmethod
    def _least_confidence(cls) -> ColumnElement[float]:
        return func.coalesce(cls.adjusted_threshold, cls.threshold)


class LabelTerm(Base):
    """A word, in lower case, under which a label is found: its name or a synonym."""

    __tablename__ = "label_terms"
    __table_args__ = (Index("ix_label_terms_term", "term", postgresql_ops={"term": "text_pattern_ops"}),)

    label_id: Mapped[str] = mapped_column(ForeignKey(Label.id, ondelete="CASCADE"), primary_key=True)
    term: Mapped[str] = mapped_column(primary_key=True)


class LabelAncestor(Base):
    """That a label is a kind of another, over any number of steps; every label is a kind of itself."""

    __tablename__ = "label_ancestors"

    ancestor_id: Mapped[str] = mapped_column(ForeignKey(Label.id, ondelete="CASCADE"), primary_key=True)
    label_id: Mapped[str] = mapped_column(ForeignKey(Label.id, ondelete="CASCADE"), primary_key=True, index=True)


class PhotoLabel(Base):
    """A label on a photo: how sure of it its source is (0 to 1), and who or what that source is.

    That is a model with its version (net@1), or a person (person:ada), who is always sure. What a person has removed
    is not here, whoever said so.
    """

    __tablename__ = "photo_labels"
    __table_args__ = (
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        Index("ix_photo_labels_label_id_photo_id", "label_id", text("photo_id DESC")),
    )

    photo_id: Mapped[UUID] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True)
    label_id: Mapped[str] = mapped_column(ForeignKey(Label.id), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    confidence: Mapped[float]


class ShownLabel(NamedTuple):
    """A label as people see it on a photo: how sure (0 to 1) of it who or what is, which stands in `source`."""

    id: str
    name: str
    confidence: float
    source: str


_SHOWN_LABEL = aggregate_order_by(
    func.json_build_array(Label.id, Label.name, PhotoLabel.confidence, PhotoLabel.source),
    PhotoLabel.confidence.desc(),
    PhotoLabel.label_id,
)


class _ShownLabels(TypeDecorator[list[ShownLabel]]):
    """Labels as the database puts them together: rows of their own would take several times as long to load."""

    impl = JSON
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> list[ShownLabel]:
        return [ShownLabel(*label) for label in value]


class Photo(Base):
    """One uploaded file, and what was found in its header; sizes in bytes and in pixels as displayed.

    `preview` (a tiny WebP) and `colour` (#rrggbb) stand in for the picture until it is there; `renditions_revision`
    says which setting its renditions were made with, and `labels_source` which model labelled it last.
    """

    __tablename__ = "photos"
    __table_args__ = (
        CheckConstraint("octet_length(sha256) = 32", name="sha256"),
        CheckConstraint("visibility IN ('public', 'private')", name="visibility"),
        CheckConstraint("octet_length(preview) <= 1024", name="preview"),
        CheckConstraint("colour ~ '^#[0-9a-f]{6}$'", name="colour"),
        Index(
            "uq_photos_owner_sha256",
            "owner",
            "sha256",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_photos_announced_at", "announced_at"),
        Index("ix_photos_filename", "filename", postgresql_using="gin", postgresql_ops={"filename": "gin_trgm_ops"}),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    filename: Mapped[str]
    sha256: Mapped[bytes]
    size: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    taken_at: Mapped[datetime | None]
    uploaded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    visibility: Mapped[str] = mapped_column(server_default="public")
    deleted_at: Mapped[datetime | None]
    request_id: Mapped[str]
    announced_at: Mapped[datetime | None]
    announcements: Mapped[int] = mapped_column(server_default="0")
    preview: Mapped[bytes | None]
    colour: Mapped[str | None]
    renditions_revision: Mapped[str | None]
    labels_source: Mapped[str | None]

    stages: Mapped[list["Stage"]] = relationship(order_by="Stage.name.desc()", cascade="all, delete-orphan")
    renditions: Mapped[list["Rendition"]] = relationship(
        order_by="Rendition.width, Rendition.format", cascade="all, delete-orphan"
    )
    sure_labels: Mapped[list[ShownLabel]] = column_property(
        select(func.coalesce(func.json_agg(_SHOWN_LABEL, type_=_ShownLabels()), text("'[]'")))
        .join_from(PhotoLabel, Label, Label.id == PhotoLabel.label_id)
        .where(PhotoLabel.photo_id == id, PhotoLabel.confidence >= Label.least_confidence)  # noqa: A003 -- the column
        .scalar_subquery(),
        deferred=True,
    )
    """What is sure enough to be shown, as each source says it, the surest first."""

    @property
    def shown_labels(self) -> list[ShownLabel]:
        """Each label that is sure enough to be shown once, as its surest source says it, the surest first.

        What goes without saying is left out, unless a person has said it: where a pug is shown, that it is a dog.
        """
        surest: dict[str, ShownLabel] = {}
        for label in self.sure_labels:
            surest.setdefault(label.id, label)
        taxonomy = load_taxonomy()
        implied = {above for label_id in surest if label_id in taxonomy for above in taxonomy.ancestors(label_id)}
        implied -= {label.id for label in self.sure_labels if label.source.startswith(PERSON)}
        return [label for label_id, label in surest.items() if label_id not in implied]


class Stage(Base):
    """How far one stage of the work on a photo has come; `error` is for its uploader, `last_error` for engineers."""

    __tablename__ = "stages"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="state"),
        CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error"),
        Index("ix_stages_unfinished", "photo_id", postgresql_where=text("state IN ('waiting', 'running')")),
        Index("ix_stages_state_updated_at", "state", "updated_at"),
    )

    photo_id: Mapped[UUID] = mapped_column(ForeignKey(Photo.id, ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(server_default=WAITING)
    attempts: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[str | None]
    last_error: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Rendition(Base):
    """One resized picture in the renditions bucket; `mode` is how it got into its box."""

    __tablename__ = "renditions"
    __table_args__ = (CheckConstraint("mode IN ('fit', 'cover', 'animation')", name="mode"),)

    photo_id: Mapped[UUID] = mapped_column(ForeignKey(Photo.id, ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    format: Mapped[str] = mapped_column(primary_key=True)
    width: Mapped[int]
    height: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str]
    mode: Mapped[str] = mapped_column(server_default="fit")


class Searchable(Base):
    """What the search looks through: one small row for a photo, which triggers keep (migration 0005).

    `at` is when it was taken or, if that is not known, uploaded. `kinds` are the numbers of all its labels that are
    sure enough to be shown, of everything that these are kinds of, and of its format and its shape (search/traits.py).
    `sure` says for each of these how sure it is, in SURE-ths.
    """

    __tablename__ = "searchable"
    __table_args__ = (
        Index("ix_searchable_at_photo_id", "at", "photo_id"),
        Index("ix_searchable_kinds", "kinds", postgresql_using="gin"),
    )

    photo_id: Mapped[UUID] = mapped_column(ForeignKey(Photo.id, ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime]
    kinds: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    sure: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))


class Correction(Base):
    """A person's last word on whether a photo shows something, and what a model had said, if it had said so.

    Where something was removed, a kind of it that the photo bore was `removed_with` it, without anybody naming it.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        CheckConstraint("verdict IN ('added', 'confirmed', 'removed')", name="verdict"),
        CheckConstraint("removed_with IS NULL OR verdict = 'removed'", name="removed_with"),
        CheckConstraint("(source IS NULL) = (confidence IS NULL)", name="source"),
        Index("ix_corrections_label_id", "label_id"),
    )

    photo_id: Mapped[UUID] = mapped_column(ForeignKey(Photo.id, ondelete="CASCADE"), primary_key=True)
    label_id: Mapped[str] = mapped_column(ForeignKey(Label.id), primary_key=True)
    verdict: Mapped[str]
    removed_with: Mapped[str | None] = mapped_column(ForeignKey(Label.id))
    person: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    source: Mapped[str | None]
    confidence: Mapped[float | None]

    @hybrid_property
    def said_of(self) -> str:
        """The label that the person named."""
        return self.removed_with or self.label_id

    @said_of.inplace.expression
    @classmethod
    def _said_of(cls) -> ColumnElement[str]:
        return func.coalesce(cls.removed_with, cls.label_id)


class Embedding(Base):
    """What a model saw in a photo, as a vector: photos that look alike have vectors of about the same direction."""

    __tablename__ = "embeddings"
    __table_args__ = (
        Index(
            "ix_embeddings_embedding",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "halfvec_cosine_ops"},
        ),
    )

    photo_id: Mapped[UUID] = mapped_column(ForeignKey(Photo.id, ondelete="CASCADE"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    embedding: Mapped[Sequence[float]] = mapped_column(HalfVector())
