"""What must hold when all is over: nothing lost, nothing contradictory, and only poison among the dead letters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from photofleet.catalog.models import DONE, FAILED, STAGES, Photo
from photofleet.catalog.stages import GAVE_UP
from photofleet.storage import original_key
from tests.chaos.photos import ChaosPhoto, Kind
from tests.chaos.uploads import Uploads
from tests.chaos.world import World


@dataclass
class Verdict:
    """What is wrong, a sentence for each finding."""

    lost: list[str] = field(default_factory=list)
    """Accepted photos that are neither whole nor recorded as failed, as their kind is to be."""

    queued: list[str] = field(default_factory=list)
    """Queues that are not empty, and programs that are not up."""

    dead_letters: list[str] = field(default_factory=list)
    """Dead letters that are not of poison, and poison without one."""

    inconsistent: list[str] = field(default_factory=list)
    """What the catalog says and the buckets do not have, and the reverse."""

    originals_left: int = 0
    """Originals of uploads that were never answered: a web process that is killed between the file and the row leaves
    one behind, of which nobody was told that it is stored."""

    @property
    def problems(self) -> Sequence[str]:
        """Everything that is wrong."""
        return [*self.lost, *self.queued, *self.dead_letters, *self.inconsistent]


def judge(world: World, uploads: Uploads) -> Verdict:
    """Look at everything, once the service is quiet."""
    with world.session() as session:
        every = select(Photo).options(selectinload(Photo.stages), selectinload(Photo.renditions))
        photos = {str(photo.id): photo for photo in session.scalars(every)}
    verdict = Verdict()
    for photo_id, uploaded in uploads.accepted.items():
        verdict.lost += _judge_photo(photos.get(photo_id), uploaded, uploads.sha256[photo_id])
    unknown = photos.keys() - uploads.accepted.keys()
    verdict.inconsistent += [f"{photos[photo_id].filename} is in the catalog twice." for photo_id in unknown]
    for stage in STAGES:
        visible, in_flight = world.depth(stage)
        if visible or in_flight:
            verdict.queued.append(f"The {stage} queue has {visible} visible messages and {in_flight} in flight.")
        verdict.dead_letters += _judge_dead_letters(stage, world.dead_letters(stage), photos, uploads)
    verdict.queued += [f"The program {program['name']} is {program['state']}." for program in world.down()]
    _judge_buckets(verdict, world, photos, uploads)
    return verdict


def _judge_photo(photo: Photo | None, uploaded: ChaosPhoto, sha256: bytes) -> list[str]:
    name = uploaded.filename
    if photo is None:
        return [f"{name} was accepted, and is not in the catalog."]
    if photo.sha256 != sha256:
        return [f"{name} was accepted, and the catalog has other bytes for it."]
    found = []
    for stage in photo.stages:
        state = f"{name} ({photo.id}): {stage.name} is {stage.state} after {stage.attempts} attempts, {stage.error!r}"
        if uploaded.kind is Kind.GOOD and stage.state != DONE:
            found.append(f"{state}; it is a good photo.")
        if uploaded.kind is Kind.BAD and (stage.state != FAILED or stage.error == GAVE_UP):
            found.append(f"{state}; it is a bad image, which is to be recorded at once.")
        if uploaded.kind is Kind.POISON and (stage.state != FAILED or stage.error != GAVE_UP):
            found.append(f"{state}; it is poison, which is to be given up.")
    have = {(rendition.name, rendition.format) for rendition in photo.renditions}
    owed = uploaded.renditions if uploaded.kind is Kind.GOOD else frozenset()
    if have != owed:
        found.append(f"{name} ({photo.id}) has the renditions {sorted(have)}, and is owed {sorted(owed)}.")
    return found


def _judge_dead_letters(
    stage: str, bodies: Sequence[str], photos: Mapping[str, Photo], uploads: Uploads
) -> Sequence[str]:
    dead = {_photo_id(body) for body in bodies}
    poison = {photo_id for photo_id, uploaded in uploads.accepted.items() if uploaded.kind is Kind.POISON}
    found = [f"No dead letter of {stage} is about the poison {photo_id}." for photo_id in poison - dead]
    for photo_id in dead - poison:
        photo = photos.get(photo_id)
        found.append(f"A dead letter of {stage} is about {photo.filename if photo else 'no photo'} ({photo_id}).")
    return found


def _photo_id(body: str) -> str:
    """The photo that a message is about; its beginning where it is about none."""
    try:
        return str(UUID(json.loads(json.loads(body)["body"])[1]["photo_id"]))
    except (ValueError, KeyError, TypeError, IndexError):
        return body[:200]


def _judge_buckets(verdict: Verdict, world: World, photos: Mapping[str, Photo], uploads: Uploads) -> None:
    # The site's scripts and styles are there, too, in a folder of their own.
    stored = world.objects(world.renditions_bucket, "renditions/")
    recorded = {rendition.key: rendition.size for photo in photos.values() for rendition in photo.renditions}
    _compare(verdict, "rendition", stored, recorded)
    originals = world.objects(world.originals_bucket)
    wanted = {original_key(photo.id): photo.size for photo in photos.values()}
    verdict.originals_left = len(originals.keys() - wanted.keys())
    if verdict.originals_left > uploads.unanswered:
        verdict.inconsistent.append(
            f"{verdict.originals_left} originals are of no photo; only {uploads.unanswered} uploads were not answered."
        )
    _compare(verdict, "original", {key: originals[key] for key in originals.keys() & wanted.keys()}, wanted)


def _compare(verdict: Verdict, what: str, stored: Mapping[str, int], recorded: Mapping[str, int]) -> None:
    verdict.inconsistent += [f"The {what} {key} is recorded and not in S3." for key in recorded.keys() - stored.keys()]
    verdict.inconsistent += [f"The {what} {key} is in S3 and not recorded." for key in stored.keys() - recorded.keys()]
    verdict.inconsistent += [
        f"The {what} {key} has {stored[key]} bytes in S3, and {recorded[key]} are recorded."
        for key in recorded.keys() & stored.keys()
        if recorded[key] != stored[key]
    ]
