"""A random history, lived through: people act at the platform, Parley is told, and the world looks at what they see."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias

from bot.app import App
from bot.ports import Step
from bot.types import Action, Author, ButtonPress, Command, Deletion, Edit, Inbound, InboundMessage
from tests.fakes import FakeClock
from tests.worlds.adapter import LOOKED, PRIVATE, Witness, WorldAdapter
from tests.worlds.platform import PLATFORM, Place, Post, made_platform, words_in

PEOPLE = ("ann", "ben", "mia", "gus", "otto")
PRESSED: tuple[Action, ...] = ("regenerate", "continue", "thumbs_up", "stop", "regenerate", "continue")


class Act(NamedTuple):
    """What somebody does. The numbers choose among what there is: smaller ones are simpler."""

    kind: str
    who: int = 0
    where: int = 0
    which: int = 0


class Stage(NamedTuple):
    """Who and what is in a world: few, so that they meet."""

    people: tuple[int, ...] = (0, 1)
    places: tuple[int, ...] = (0,)
    hears_all: bool = True


class WorldApp(App):
    """A Parley that tells when a turn has ended."""

    ended: dict[str, asyncio.Event]

    async def _run_job(self, turn_id: str, step: Step) -> None:
        await super()._run_job(turn_id, step)
        self.ended.setdefault(turn_id, asyncio.Event()).set()

    async def until_ended(self, turn_id: str) -> None:
        """Wait for it."""
        async with asyncio.timeout(30):
            await self.ended.setdefault(turn_id, asyncio.Event()).wait()


@dataclass
class Held:
    """An event that the platform delivers later, and what becomes true by it."""

    inbound: Inbound
    then: Callable[[], None]


@dataclass
class World:
    """One history under way."""

    app: WorldApp
    adapter: WorldAdapter
    clock: FakeClock
    seen: Witness
    delivered: list[Inbound] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    cast: tuple[str, ...] = PEOPLE
    """Who is in it."""
    holds_next: bool = False
    count: int = 0

    # --- what there is to choose from ---

    @property
    def platform(self) -> Any:
        """What the platform knows."""
        return self.seen.platform

    def person(self, act: Act) -> str:
        """Who acts."""
        return self.cast[act.who % len(self.cast)]

    def place_for(self, person: str, where: int, *, may: Callable[[str, Place], bool] | None = None) -> Place | None:
        """One of the places where this person may do that."""
        allowed = may or self.platform.may_write
        found = [place for place in self.platform.places if allowed(person, place)]
        return found[where % len(found)] if found else None

    def post_of(self, which: int, wanted: Callable[[Post], bool]) -> Post | None:
        """One of the messages that are so, the newest first."""
        found = [post for post in self.platform.posts.values() if wanted(post)]
        return found[-1 - which % len(found)] if found else None

    def may_change(self, post: Post) -> bool:
        """Whether it stands there as a message that can be edited or deleted."""
        return not post.is_deleted and not post.only_for and not post.is_command

    def author(self, person: str, place: Place) -> Author:
        """As the platform names them there and now."""
        return Author(
            person,
            person.title(),
            is_manager=self.platform.may_manage(person, place),
            sees_history=self.platform.sees_past(person, place),
        )

    def new_id(self, kind: str) -> str:
        """One that was not there before."""
        self.count += 1
        return f"{kind}{self.seen.name}-{self.count}"

    # --- deliveries ---

    async def deliver(self, inbound: Inbound, then: Callable[[], None] = lambda: None) -> None:
        """Hand it in and wait for the answer; or later, if this event is a late one. then: what is true from that moment."""
        if self.holds_next:
            self.holds_next = False
            self.held.append(Held(inbound, then))
            return
        self.delivered.append(inbound)
        if isinstance(inbound, InboundMessage) and inbound.about_message_id:
            self.seen.asked_anew(words_in(inbound.text))
        if (post := self.platform.posts.get(getattr(inbound, "message_id", ""))) is not None:
            post.is_known = True
        self.clock.at += timedelta(seconds=30)
        accepted = await self.app.accept(inbound)
        if accepted.turn_id:
            await self.app.until_ended(accepted.turn_id)
        then()

    def is_held(self, post: Post) -> bool:
        """Whether Parley was not yet told of it. Its old wording, delivered after the new one, is more than we ask for."""
        return any(post.id == getattr(one.inbound, "message_id", "") for one in self.held)

    def lose(self, words: set[str], why: str) -> None:
        """From now on Parley is to know these no more."""
        held = {word for post in self.platform.posts.values() if self.is_held(post) for word in post.words()}
        self.seen.gone |= dict.fromkeys(words - held, why)

    def words_with_answers(self, posts: Sequence[Post]) -> set[str]:
        """What these messages say, and what answers to them said first."""
        answers = [post for post in self.platform.posts.values() if post.question in posts]
        fresh = {word for answer in answers for word in answer.words() if self.is_fresh(word)}
        return fresh | {word for post in posts for word in post.words()}

    def is_fresh(self, word: str) -> bool:
        """Whether a model said it first."""
        return word in self.seen.fresh

    # --- what people say ---

    def said(self, person: str, place: Place, more: str = "", **files: bytes) -> Post:
        """A message with a new word stands there."""
        text = f"tell {self.seen.word()} {more}".strip()
        return self.platform.add(Post(self.new_id("M"), place, person, text))

    async def say(self, act: Act, *, loud: bool = False, mention: bool = False, **ref: str) -> None:
        """A message, which may be meant for Parley."""
        person = self.person(act)
        place = self.place_for(person, act.where)
        if place is None or place.kind == "two":
            return
        post = self.said(person, place, "loud" if loud else "")
        if not (place.is_direct or mention or self.seen.hears_all):
            return
        message = self.adapter.delivered(post, is_direct=place.is_direct, mentions_bot=mention, ref=ref)
        await self.deliver(replace(message, author=self.author(person, place)))

    async def look(self, act: Act) -> None:
        """A question to Parley alone, with some channel before one."""
        person = self.person(act)
        direct = self.place_for(
            person, act.where, may=lambda who, at: at.is_direct and self.platform.may_write(who, at)
        )
        if direct is None:
            return
        workspace = direct.address.workspace
        shared = [one for one in self.platform.places if not one.is_direct and one.address.workspace == workspace]
        if not shared:
            return
        looked = shared[act.which % len(shared)]
        post = self.said(person, direct, "loud" if act.which % 2 else "")
        message = self.adapter.delivered(post, is_direct=True, ref={LOOKED: looked.address.key()})
        await self.deliver(replace(message, author=self.author(person, direct)))

    async def whisper(self, act: Act) -> None:
        """A message shortcut: what somebody wrote is translated for one's own eyes, and no message stands for it."""
        person = self.person(act)
        about = self.post_of(act.which, lambda post: self.platform.may_read_post(person, post) and not post.only_for)
        if about is None:
            return
        place, event_id = about.place, self.new_id("S")
        inbound = InboundMessage(event_id, event_id, place.address, self.author(person, place), about.text)
        intent = "translate" if act.where % 2 else "answer"
        await self.deliver(
            replace(
                inbound,
                is_direct=place.is_direct,
                mentions_bot=True,
                intent=intent,  # type: ignore[arg-type]
                ephemeral=True,
                about_message_id=about.id,
                about_author_id=about.author_id,
            )
        )

    async def command(self, act: Act, name: str, text: str = "") -> None:
        """A slash command. Whom the platform shows the answer, it shows what was asked."""
        person = self.person(act)
        place = self.place_for(person, act.where, may=self.platform.may_read)
        if place is None:
            return
        ephemeral = place.kind == "two"
        given = self.platform.add(
            Post(
                self.new_id("O"),
                place,
                person,
                text,
                only_for=person if ephemeral or name in PRIVATE else "",
                is_command=True,
            )
        )
        command = Command(
            self.new_id("C"),
            place.address,
            self.author(person, place),
            name,
            text,
            message_id=given.id,
            is_direct=place.is_direct,
            ephemeral=ephemeral,
        )
        await self.deliver(command, lambda: self.forgotten(person, place) if name == "forget" else None)

    def forgotten(self, person: str, place: Place) -> None:
        """Parley no longer has what this person said in that channel; in a direct conversation, all that stands there."""
        channel = (place.address.workspace, place.address.channel)
        there = [
            post
            for post in self.platform.posts.values()
            if (post.place.address.workspace, post.place.address.channel) == channel
            and (place.is_direct or post.author_id == person)
            and not self.is_held(post)
            and (post.is_known or not post.author_id)
        ]
        self.lose(self.words_with_answers([post for post in there if post.author_id]), "forgotten")
        for post in there:
            post.is_forgotten = True

    async def setting(self, act: Act) -> None:
        """A system prompt of one's own: here, for the channel, or for oneself."""
        person = self.person(act)
        place = self.place_for(person, act.where, may=self.platform.may_read)
        if place is None:
            return
        word, scope = self.seen.word(), ("here", "channel", "me")[act.which % 3]
        whole = place if scope == "here" else place.parent or place
        self.platform.settings[word] = (whole, person if scope == "me" else "")
        await self.command(act, "settings", f"set system_prompt tell {word} for {scope}")

    # --- what people do with messages ---

    async def press(self, act: Act) -> None:
        """A button under an answer, by anybody: a changed client names any id, and says that it stands where the person is."""
        person = self.person(act)
        post = self.post_of(act.which, lambda post: not post.author_id)
        if post is None:
            return
        place: Place | None = post.place
        if not self.platform.may_read_post(person, post):
            place = self.place_for(person, act.where)
        if place is None:
            return
        action = PRESSED[act.where % len(PRESSED)]
        author, asked = self.author(person, place), self.seen.prompts
        await self.deliver(ButtonPress(self.new_id("B"), post.id, place.address, author, action))
        is_theirs = author.is_manager or (post.question is not None and post.question.author_id == person)
        if not is_theirs and post.question is not None and self.seen.prompts > asked:
            self.seen.leaks.append(f"{person} had another's answer given anew: {post.id}")

    async def edit(self, act: Act) -> None:
        """Somebody words a message of theirs anew."""
        post = self.post_of(act.which, lambda post: bool(post.author_id) and self.may_change(post))
        if post is None or not self.platform.may_write(post.author_id, post.place) or self.is_held(post):
            return
        lost = self.platform.edit(post, f"tell {self.seen.word()} {'loud' if act.where % 2 else ''}".strip())
        author = self.author(post.author_id, post.place)
        edited = Edit(self.new_id("X"), post.id, post.place.address, author, post.text)

        def told() -> None:
            self.platform.leave_out(post, lost)
            self.lose(lost, "edited away")

        if post.place.kind != "two":
            await self.deliver(edited, told)

    async def delete(self, act: Act) -> None:
        """A message is deleted, by its author or by somebody who manages the place."""
        post = self.post_of(act.which, self.may_change)
        if post is None or post.place.kind == "two":
            return
        post.is_deleted, post.is_told = True, False
        lost = (
            self.words_with_answers([post]) if post.author_id else {one for one in post.words() if self.is_fresh(one)}
        )

        def told() -> None:
            post.is_told = True
            self.lose(lost, "deleted")

        await self.deliver(Deletion(self.new_id("X"), post.id, post.place.address), told)

    async def again(self, act: Act) -> None:
        """The platform delivers an event once more, with the same id or another."""
        if not self.delivered:
            return
        inbound = self.delivered[-1 - act.which % len(self.delivered)]
        if act.where % 2 and isinstance(inbound, InboundMessage):
            inbound = replace(inbound, event_id=self.new_id("E"))
        await self.deliver(inbound)

    async def late(self, act: Act) -> None:
        """What was held back arrives, or the next event will be."""
        if self.held:
            await self.release()
        else:
            self.holds_next = True

    async def release(self) -> None:
        """Deliver what was held back."""
        self.holds_next = False
        while self.held:
            one = self.held.pop(0)
            await self.deliver(one.inbound, one.then)

    # --- what becomes of people and places ---

    async def member(self, act: Act) -> None:
        """Somebody joins a place, or leaves it."""
        person = self.person(act)
        found = [one for one in self.platform.places if one.kind not in ("direct", "two")]
        if found:
            found[act.where % len(found)].members ^= {person}

    async def role(self, act: Act) -> None:
        """Somebody becomes a guest, a manager, a member, or is no longer there."""
        person, workspace = self.person(act), f"{self.seen.name}-1"
        self.platform.roles[workspace, person] = ("guest", "outsider", "member", "manager")[act.which % 4]

    async def past(self, act: Act) -> None:
        """Shared places show somebody the past no more, or again. What is under way says how it was when it was said."""
        if self.held:
            return
        self.platform.no_past ^= {(f"{self.seen.name}-{1 + act.which % 2}", self.person(act))}

    async def place(self, act: Act) -> None:
        """A place is archived or opened again, or deleted for good."""
        found = [one for one in self.platform.places if one.kind not in ("direct", "two")]
        if found and act.which % 3 == 2:
            found[act.where % len(found)].is_deleted = True
        elif found:
            found[act.where % len(found)].is_archived ^= True

    # --- living through it ---

    async def do(self, act: Act) -> None:
        """One act, with all that follows from it."""
        await ACTS[act.kind](self, act)
        if self.seen.leaks:
            raise AssertionError(self.seen.leaks[:3])


Doing: TypeAlias = Callable[[World, Act], Awaitable[None]]
ACTS: dict[str, Doing] = {
    "say": lambda world, act: world.say(act),
    "ask": lambda world, act: world.say(act, mention=True),
    "ask loudly": lambda world, act: world.say(act, mention=True, loud=True),
    "look": lambda world, act: world.look(act),
    "member": lambda world, act: world.member(act),
    "search": lambda world, act: world.command(act, "search", "tell"),
    "delete": lambda world, act: world.delete(act),
    "edit": lambda world, act: world.edit(act),
    "forget": lambda world, act: world.command(act, "forget"),
    "summarize": lambda world, act: world.command(act, "summarize"),
    "command ask": lambda world, act: world.command(act, "ask", f"tell {world.seen.word()} loud"),
    "whisper": lambda world, act: world.whisper(act),
    "press": lambda world, act: world.press(act),
    "role": lambda world, act: world.role(act),
    "past": lambda world, act: world.past(act),
    "place": lambda world, act: world.place(act),
    "setting": lambda world, act: world.setting(act),
    "settings": lambda world, act: world.command(act, "settings"),
    "reset": lambda world, act: world.command(act, "reset"),
    "usage": lambda world, act: world.command(act, "usage"),
    "again": lambda world, act: world.again(act),
    "late": lambda world, act: world.late(act),
}
"""What can happen, the simplest first."""


def begun(app: WorldApp, adapter: WorldAdapter, clock: FakeClock, number: int, stage: Stage) -> World:
    """A new world in workspaces of its own, at a Parley that runs."""
    name = f"{number:05}"
    platform = made_platform(name)
    cast = tuple(sorted({PEOPLE[one % len(PEOPLE)] for one in stage.people}))
    shared = [place for place in platform.places if not place.is_direct]
    kept = [shared[one % len(shared)] for one in stage.places]
    kept += [place.parent for place in kept if place.parent]
    platform.places = [
        place for place in platform.places if place in kept or (place.members & {*cast} and place.is_direct)
    ]
    adapter.witness = Witness(platform, name, hears_all=stage.hears_all)
    adapter.posts.clear()
    return World(app, adapter, clock, adapter.witness, cast=cast)


__all__ = ["ACTS", "PLATFORM", "Act", "Stage", "World", "WorldApp", "begun"]
