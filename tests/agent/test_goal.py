"""A ticket is proposed only where the goal asks for one."""

from __future__ import annotations

import pytest

from agent.goal import asks_for_ticket


@pytest.mark.parametrize(
    "goal",
    [
        "Investigate database timeouts in the last 5 hours and create a ticket if required",
        "Why? Create a ticket.",
        "Payments fail, find the cause and open a ticket",
        "Find out what is wrong; file an incident ticket in OPS",
        "Raise a GitHub issue for what you find",
        "checkout pages: why? Ticket if needed",
        "Do not stop at the first cause, and create a ticket",
    ],
)
def test_an_order_is_one(goal: str) -> None:
    assert asks_for_ticket(goal)


@pytest.mark.parametrize(
    "goal",
    [
        "Why is ts-ticket-office-service slow?",
        "Ticket sales fail since noon",
        "Users cannot open the page of a support request",
        "Why did checkout page? Do not create a ticket.",
        "Look into OPS-398, but don't open a ticket",
        "Find the cause without a ticket",
        "",
    ],
)
def test_a_word_is_none(goal: str) -> None:
    assert not asks_for_ticket(goal)
