"""Turns: one at a time, first come first served, whoever gives up."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from casecore.turns import Turns


async def test_what_nobody_has_is_taken_at_once_and_others_wait_in_the_order_they_came() -> None:
    turns, went = Turns(), list[int]()

    async def go(number: int) -> None:
        if not turns.take("case"):
            await turns.wait("case")
        went.append(number)
        await asyncio.sleep(0)
        turns.pass_on("case")

    await asyncio.gather(*(go(number) for number in range(5)))
    assert went == [0, 1, 2, 3, 4]
    assert turns.take("case")


async def test_turns_at_one_thing_keep_nobody_from_another() -> None:
    turns = Turns()
    assert turns.take("one")
    assert turns.take("other")
    assert not turns.take("one")


@given(gives_up=st.lists(st.sampled_from(["stays", "waiting", "as it becomes theirs"]), max_size=8))
def test_who_gives_up_holds_up_nobody(gives_up: list[str]) -> None:
    asyncio.run(all_but_those_who_give_up_have_their_turn(gives_up))


async def all_but_those_who_give_up_have_their_turn(gives_up: list[str]) -> None:
    turns, went = Turns(), list[int]()
    assert turns.take("case")

    async def go(number: int) -> None:
        await turns.wait("case")
        went.append(number)
        turns.pass_on("case")

    tasks = [asyncio.create_task(go(number)) for number in range(len(gives_up))]
    await asyncio.sleep(0)
    for task, how in zip(tasks, gives_up, strict=True):
        if how == "waiting":
            task.cancel()
    turns.pass_on("case")
    for task, how in zip(tasks, gives_up, strict=True):
        if how == "as it becomes theirs":
            task.cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 1)
    assert set(went) >= {number for number, how in enumerate(gives_up) if how == "stays"}
    assert went == sorted(went)
    assert turns.take("case")
