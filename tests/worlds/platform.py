"""A platform that knows the truth: people, places, what stands where, and who may read it at this moment.

It has what Slack and Discord have together: workspaces, guests, managers, public and private channels, group messages, threads that
all see and private ones, direct conversations, and a conversation of two people in which Parley is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bot.types import Address

PLATFORM = "world"
WORD = re.compile(r"w\d+q")
"""Each message holds a word that was never said before. Where the word turns up, the message was read."""
Role: TypeAlias = Literal["member", "manager", "guest", "outsider"]
Kind: TypeAlias = Literal["public", "private", "group", "thread", "private thread", "direct", "two"]


def words_in(text: str) -> set[str]:
    """The words that tell messages apart."""
    return set(WORD.findall(text))


@dataclass(eq=False)
class Place:
    """Where people write."""

    address: Address
    kind: Kind
    members: set[str] = field(default_factory=set)
    parent: Place | None = None
    """The channel of a thread."""
    is_archived: bool = False
    is_deleted: bool = False

    @property
    def is_direct(self) -> bool:
        """One person and Parley."""
        return self.kind == "direct"


@dataclass(eq=False)
class Post:
    """A message that stands, or stood, somewhere."""

    id: str
    place: Place
    author_id: str
    """Empty for Parley."""
    text: str
    files: dict[str, bytes] = field(default_factory=dict)
    file_words: str = ""
    """What is said in its files."""
    only_for: str = ""
    """The one person who is shown it."""
    is_command: bool = False
    """What somebody typed after a slash: the platform shows that it was given, and lets nobody edit it."""
    question: Post | None = None
    """What an answer of Parley's answers."""
    is_deleted: bool = False
    is_told: bool = True
    """Whether Parley was told of its deletion: until then it cannot know better."""
    is_forgotten: bool = False
    """By `/forget`: it still stands at the platform, and Parley is to know it no more."""
    sent: int = 0
    seen: frozenset[str] = frozenset()
    """Whom the platform shows no past, and who knows it all the same: they said it, or it answers them."""
    is_known: bool = False
    """Parley was told of it, or fetched it."""

    def words(self) -> set[str]:
        """All that can be read in it."""
        return words_in(f"{self.text} {self.file_words}")

    @property
    def is_living(self) -> bool:
        """Whether Parley may still have it: an answer goes with its question."""
        return not self.is_deleted and not self.is_forgotten and (self.question is None or self.question.is_living)


@dataclass
class Platform:
    """What the platform knows."""

    roles: dict[tuple[str, str], Role] = field(default_factory=dict)
    """By workspace and person."""
    places: list[Place] = field(default_factory=list)
    posts: dict[str, Post] = field(default_factory=dict)
    by_word: dict[str, list[Post]] = field(default_factory=dict)
    no_past: set[tuple[str, str]] = field(default_factory=set)
    """By workspace and person: whom no shared place there shows what was said before."""
    settings: dict[str, tuple[Place, str]] = field(default_factory=dict)
    """Words that somebody chose as a setting: where, and for whom alone (empty: for the place)."""

    # --- who may what ---

    def role(self, workspace: str, person: str) -> Role:
        """What this person is there."""
        return self.roles.get((workspace, person), "outsider")

    def may_read(self, person: str, place: Place) -> bool:
        """Whether the platform shows the place to this person now."""
        role = self.role(place.address.workspace, person)
        if place.is_deleted or role == "outsider":
            return False
        match place.kind:
            case "public":
                return role in ("member", "manager") or person in place.members
            case "thread" | "private thread":
                assert place.parent is not None
                is_in = place.kind == "thread" or person in place.members or role == "manager"
                return is_in and self.may_read(person, place.parent)
        return person in place.members

    def sees_past(self, person: str, place: Place) -> bool:
        """Whether the platform shows this person what was said there before."""
        return place.is_direct or (place.address.workspace, person) not in self.no_past

    def may_write(self, person: str, place: Place) -> bool:
        """Whether this person can write there now."""
        channel = place.parent or place
        return self.may_read(person, place) and not place.is_archived and not channel.is_archived

    def may_manage(self, person: str, place: Place) -> bool:
        """Whether the platform lets this person manage the place."""
        shared = place.kind not in ("direct", "two")
        return shared and self.role(place.address.workspace, person) == "manager" and self.may_read(person, place)

    def readers(self, place: Place) -> set[str]:
        """All who may read there now."""
        return {person for (workspace, person) in self.roles if workspace == place.address.workspace} & {
            person for (_, person) in self.roles if self.may_read(person, place)
        }

    def may_read_post(self, person: str, post: Post) -> bool:
        """Whether this person sees the message now, as far as Parley was told."""
        is_there = not (post.is_deleted and post.is_told) and post.only_for in ("", person)
        is_shown = self.sees_past(person, post.place) or person in post.seen
        return is_there and is_shown and self.may_read(person, post.place)

    def knows(self, person: str, word: str) -> bool:
        """Whether the word can be read anywhere by this person, or was chosen as a setting that holds for them."""
        if word in self.settings:
            place, whose = self.settings[word]
            if whose == person or (not whose and self.may_read(person, place)):
                return True
        return any(self.may_read_post(person, post) for post in self.by_word.get(word, ()))

    # --- what stands ---

    def place_at(self, address: Address) -> Place | None:
        """The place of this address."""
        return next((place for place in self.places if place.address == address), None)

    def add(self, post: Post) -> Post:
        """A message is posted."""
        self.posts[post.id] = post
        post.sent = len(self.posts)
        post.seen = frozenset({post.author_id, post.question.author_id if post.question else ""})
        self.note_words(post)
        return post

    def note_words(self, post: Post) -> None:
        """Find the post by what it says."""
        for word in post.words():
            if post not in self.by_word.setdefault(word, []):
                self.by_word[word].append(post)

    def edit(self, post: Post, text: str) -> set[str]:
        """Another wording; gives the words that stand there no more, which count until Parley was told: see `leave_out`."""
        before = post.words()
        post.text = text
        self.note_words(post)
        return before - post.words()

    def leave_out(self, post: Post, lost: set[str]) -> None:
        """Parley was told that these words stand there no more."""
        for word in lost - post.words():
            if post in self.by_word.get(word, ()):
                self.by_word[word].remove(post)

    def shown_in(self, place: Place, reader: str) -> Iterator[Post]:
        """What this person can read there, oldest first."""
        for post in self.posts.values():
            if post.place is place and self.may_read_post(reader, post):
                yield post

    def living_answers_with(self, word: str) -> Iterable[Post]:
        """Answers of Parley's that say the word and that nobody took back: what they repeat is theirs."""
        return (post for post in self.by_word.get(word, ()) if not post.author_id and post.is_living)


def made_platform(name: str) -> Platform:
    """Two workspaces with the same ids in them, and people who are in one or in both."""
    platform = Platform()
    first, second = f"{name}-1", f"{name}-2"
    for person, role in (
        ("ann", "member"),
        ("ben", "member"),
        ("mia", "manager"),
        ("gus", "guest"),
        ("otto", "outsider"),
    ):
        platform.roles[first, person] = role  # type: ignore[assignment]
    platform.roles |= {(second, "otto"): "manager", (second, "ann"): "member"}
    _add_places(platform, first)
    town = Place(Address(PLATFORM, second, "C1"), "public")
    platform.places += [town, Place(Address(PLATFORM, second, "C1", "T1"), "thread", parent=town)]
    platform.places += [_direct(second, person) for person in ("otto", "ann")]
    return platform


def _add_places(platform: Platform, workspace: str) -> None:
    def at(channel: str, thread: str = "") -> Address:
        return Address(PLATFORM, workspace, channel, thread)

    general = Place(at("C1"), "public", {"gus"})
    private = Place(at("P1"), "private", {"ann", "mia"})
    platform.places += [
        general,
        Place(at("C1", "T1"), "thread", parent=general),
        Place(at("C1", "T2"), "private thread", {"ann"}, parent=general),
        Place(at("C2"), "public"),
        private,
        Place(at("P1", "T3"), "thread", parent=private),
        Place(at("G1"), "group", {"ben", "gus", "mia"}),
        Place(at("D-two"), "two", {"ann", "ben"}),
        Place(at("D-ann", "T9"), "direct", {"ann"}),
    ]
    platform.places += [_direct(workspace, person) for person in ("ann", "ben", "mia", "gus")]


def _direct(workspace: str, person: str) -> Place:
    return Place(Address(PLATFORM, workspace, f"D-{person}"), "direct", {person})
