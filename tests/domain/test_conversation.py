"""Turns as the one text that a policy is asked about."""

from __future__ import annotations

import pytest

from domain.conversation import Role, Turn, conversation_problem

ASK, TELL, ANSWER = Turn(Role.USER, "1 + 1?"), Turn(Role.SYSTEM, "Be brief."), Turn(Role.ASSISTANT, "2")


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        ([ASK], "1 + 1?"),
        ([TELL, ASK], "Be brief.\n\n1 + 1?"),
        ([TELL, TELL, ASK], "Be brief.\n\nBe brief.\n\n1 + 1?"),
        ([TELL], "Be brief."),
        ([Turn(Role.SYSTEM, " "), ASK], "1 + 1?"),
        ([ASK, ANSWER, ASK], "User:\n1 + 1?\n\nAssistant:\n2\n\nUser:\n1 + 1?"),
        ([TELL, ASK, ANSWER, ASK], "Instructions:\nBe brief.\n\nUser:\n1 + 1?\n\nAssistant:\n2\n\nUser:\n1 + 1?"),
        ([ASK, TELL], "User:\n1 + 1?\n\nInstructions:\nBe brief."),
        ([ASK, ANSWER], "User:\n1 + 1?\n\nAssistant:\n2"),
        ([ASK, ASK], "User:\n1 + 1?\n\nUser:\n1 + 1?"),
        ([], ""),
    ],
)
def test_one_question_stays_plain_and_a_conversation_gets_headings(turns: list[Turn], text: str) -> None:
    assert conversation_problem(turns).text == text
