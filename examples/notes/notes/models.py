"""What goes over the wire, in both directions."""

from typing import Annotated

from msgspec import Meta, Struct


class NewNote(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for in `POST /notes`. `lifetime` is in seconds; without it a note stays."""

    text: Annotated[str, Meta(min_length=1, max_length=10_000)]
    lifetime: Annotated[float, Meta(gt=0)] | None = None


class Note(Struct, frozen=True):
    """A note that is kept. `expires_at` is in seconds since the epoch."""

    id: int
    text: str
    expires_at: float | None = None


class Page(Struct, frozen=True):
    """Some notes, oldest first. `next` is what to ask for the following page with: `?after=<next>`."""

    notes: list[Note]
    next: int | None


class Problem(Struct, frozen=True):
    """Why a request was refused."""

    detail: str


class Added(Struct, frozen=True, tag="added"):
    """Told on the feed when there is a new note."""

    note: Note


class Expired(Struct, frozen=True, tag="expired"):
    """Told on the feed when a note is gone because its time was up."""

    id: int


Event = Added | Expired
