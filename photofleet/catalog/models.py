"""The catalog's tables. Every query on them stands in this package, and nowhere else."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

RESIZE = "resize"
LABEL = "label"
STAGES = (RESIZE, LABEL)
"""The stages through which every photo goes: each a queue, a fleet and a folder in workers/."""

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
UNFINISHED = (WAITING, RUNNING)


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


class Photo(Base):
    """One uploaded file, and what was found in its header; sizes in bytes and in pixels as displayed.

    `preview` (a tiny WebP) and `colour` (#rrggbb) stand in for the picture until it is there; `renditions_revision`
    says which setting its renditions were made with.
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

    stages: Mapped[list["Stage"]] = relationship(order_by="Stage.name.desc()", cascade="all, delete-orphan")
    renditions: Mapped[list["Rendition"]] = relationship(
        order_by="Rendition.width, Rendition.format", cascade="all, delete-orphan"
    )
    labels: Mapped[list["PhotoLabel"]] = relationship(
        order_by="PhotoLabel.confidence.desc()", cascade="all, delete-orphan"
    )


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


class Label(Base):
    """A node of the taxonomy: something that a photo can show, with the words for it."""

    __tablename__ = "labels"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    synonyms: Mapped[list[str]]
    parents: Mapped[list[str]]


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
    """A label on a photo: how sure of it its source is (0 to 1), and who or what that source is."""

    __tablename__ = "photo_labels"
    __table_args__ = (
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        Index("ix_photo_labels_label_id_photo_id", "label_id", text("photo_id DESC")),
    )

    photo_id: Mapped[UUID] = mapped_column(ForeignKey(Photo.id, ondelete="CASCADE"), primary_key=True)
    label_id: Mapped[str] = mapped_column(ForeignKey(Label.id), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    confidence: Mapped[float]

    label: Mapped[Label] = relationship(lazy="joined", innerjoin=True)
