"""What goes over the wire, in both directions."""

from typing import Annotated

from msgspec import Meta, Struct


class NewNote(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /notes`. `lifetime` is in seconds; without it the note never expires."""

    text: Annotated[str, Meta(min_length=1, max_length=10_000)]
    lifetime: Annotated[float, Meta(gt=0)] | None = None


class Note(Struct, frozen=True):
    """A stored note. `expires_at` is in seconds since the epoch."""

    id: int
    text: str
    expires_at: float | None = None


class Page(Struct, frozen=True):
    """Some notes, oldest first. To get the following page, pass `next` as `?after=<next>`."""

    notes: list[Note]
    next: int | None


class Problem(Struct, frozen=True):
    """The reason why a request was refused."""

    detail: str


class Added(Struct, frozen=True, tag="added"):
    """The event for a new note."""

    note: Note


class Expired(Struct, frozen=True, tag="expired"):
    """The event for a note that expired."""

    id: int


Event = Added | Expired
