"""docs/recipes/telegram-bot.md, run as a stranger runs it, against a Telegram of our own that speaks as theirs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deals.tests.making import OTHER_PHONE, make_deal
from lk_site.tests.recipes import fake_telegram
from lk_site.tests.recipes.fake_telegram import FakeTelegram, Refused
from lk_site.tests.recipes.pages import Program, Stranger

EXAMPLE_AGENT = "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"
ANNAS_CHAT, HEADS_CHAT, SOMEBODYS_CHAT = 5550001, 5550002, 666
TODAY = datetime.now(ZoneInfo("Europe/Moscow")).date()


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with fake_telegram.running() as fake:
        yield fake


@pytest.fixture
def bot(stranger: Callable[..., Stranger], telegram: FakeTelegram) -> Stranger:
    return stranger("recipes/telegram-bot.md", TELEGRAM_URL=telegram.url)


@contextmanager
def answering(bot: Stranger, anna: Any, **environment: str) -> Iterator[Program]:
    with bot.running("run", {EXAMPLE_AGENT: str(anna.pk)}, **environment) as program:
        yield program


def plan(agent: Any, text: str, days: int, phone: str = OTHER_PHONE, **fields: Any) -> Any:
    step = {"next_step_text": text, "next_step_on": TODAY + timedelta(days=days)}
    return make_deal(agent, phone, client_name="Мария Петрова", **step, **fields)


def test_today_tells_what_is_due_and_overdue_and_nothing_else(bot, telegram, vera, anna):
    plan(anna, "Показать квартиру", 0)
    plan(anna, "Позвонить +7 (916) 123-45-67 или 765-43-21 в 10:30", -2, property_address="Казань, улица Баумана, 5")
    plan(anna, "Завтрашнее", 1)
    plan(vera, "Дело Веры", 0)
    make_deal(anna, OTHER_PHONE)
    with answering(bot, anna):
        telegram.write(ANNAS_CHAT, text="/today")
        (anna_told,) = telegram.answered()
        telegram.write(HEADS_CHAT, text="/today@lk_bot")
        head_told = telegram.answered(2)[1]
    overdue = f"#2 Позвонить ••• или ••• в 10:30 (с {TODAY - timedelta(days=2):%d.%m.%Y})\nКазань, улица Баумана, 5"
    assert anna_told["text"] == f"{overdue}\n\n#1 Показать квартиру\nМосква, Тверская ул., 12, кв. 34"
    assert (anna_told["chat_id"], head_told["chat_id"]) == (ANNAS_CHAT, HEADS_CHAT)
    assert "Дело Веры" in head_told["text"]
    assert "Мария" not in anna_told["text"] + head_told["text"]


def test_a_chat_that_is_not_listed_gets_no_answer(bot, telegram, anna):
    plan(anna, "Показать квартиру", 0)
    with answering(bot, anna) as program:
        telegram.write(SOMEBODYS_CHAT, text="/today")
        program.says(f"chat {SOMEBODYS_CHAT} is not listed")
        telegram.write(ANNAS_CHAT, text="/start")
        assert [(one["chat_id"], one["text"]) for one in telegram.answered()] == [
            (ANNAS_CHAT, "Команда /today покажет, что сделать сегодня.")
        ]


def test_pictures_and_empty_days_are_answered_too(bot, telegram, anna):
    with answering(bot, anna):
        telegram.write(ANNAS_CHAT, photo=[{"file_id": "AgAC"}])
        telegram.write(ANNAS_CHAT, text="/today")
        assert [one["text"].split()[0] for one in telegram.answered(2)] == ["Команда", "На"]


def test_more_than_a_message_holds_is_counted(bot, telegram, anna):
    for _ in range(30):
        plan(anna, "Уточнить условия ипотеки и сроки " * 6, 0)
    with answering(bot, anna):
        telegram.write(ANNAS_CHAT, text="/today")
        (told,) = telegram.answered()
    shown = told["text"].count("#")
    assert told["text"].endswith(f"… и ещё {30 - shown}")
    assert shown > 10


def test_what_was_answered_is_not_answered_again_after_a_restart(bot, telegram, anna):
    with answering(bot, anna):
        telegram.write(ANNAS_CHAT, text="/start")
        telegram.answered()
        telegram.write(HEADS_CHAT, text="/start")  # asked for with the offset behind the first
        telegram.answered(2)
    with answering(bot, anna):
        telegram.write(HEADS_CHAT, text="/today")
        while telegram.sent[-1]["text"] != "На сегодня ничего.":  # before it the last one again, where it was killed
            telegram.answered(len(telegram.sent) + 1)
    assert [one["chat_id"] for one in telegram.sent].count(ANNAS_CHAT) == 1


def test_it_goes_on_when_telegram_refuses_for_a_while(bot, telegram, anna):
    telegram.refusals += [
        Refused(429, "Too Many Requests: retry after 1", retry_after=1),
        Refused(502, "Bad Gateway"),
    ]
    telegram.write(ANNAS_CHAT, text="/start")
    with answering(bot, anna) as program:
        program.says("Telegram: Too Many Requests")
        program.says("Telegram: Bad Gateway")
        assert telegram.answered()


def test_it_says_that_lk_is_away_and_lives(bot, telegram, anna):
    with answering(bot, anna, LK_URL="http://127.0.0.1:9") as program:
        telegram.write(ANNAS_CHAT, text="/today")
        assert telegram.answered()[0]["text"] == "LK сейчас не отвечает. Повторите позже."
        program.says("LK: No answer")


def test_a_wrong_token_ends_it_and_is_not_shown(bot, telegram, anna):
    wrong = fake_telegram.TOKEN[:-1] + "x"
    with bot.running("run", {EXAMPLE_AGENT: str(anna.pk), fake_telegram.TOKEN: wrong}) as program:
        program.says("Telegram does not know this TELEGRAM_TOKEN")
        assert program.process.wait(60) == 1
        assert wrong not in "".join(program.said)
