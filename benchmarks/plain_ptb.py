"""The questionnaire as python-telegram-bot's documentation teaches it: ``ConversationHandler``, ``run_polling``.

All defaults. Answers live in ``user_data`` and are shown at the end, as in the documentation's conversation bots,
which write them nowhere else; with ``PERSISTENCE`` (a file) they also live in a ``PicklePersistence``, as in its
persistent conversation bot, written every ``PERSISTENCE_SECONDS`` (60 unless said otherwise, the library's default).
``/dump`` says what the bot knows. Environment: ``BOT_TOKEN``, ``API_URL``.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    MessageHandler,
    PicklePersistence,
    filters,
)

from benchmarks import questionnaire as words

QUESTIONS = words.questions()
PLACE = {question.indicator: n for n, question in enumerate(QUESTIONS)}
CONSENT, NAME, YEAR, LEVEL, PHOTO = range(5)
Context = ContextTypes.DEFAULT_TYPE


def keyboard(question: words.Question) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(label, callback_data=f"level:{question.indicator}:{choice}") for label, choice in row]
            for row in question.rows
        ]
    )


def answers(context: Context) -> dict[str, Any]:
    assert context.user_data is not None
    return context.user_data


async def start(update: Update, context: Context) -> int:
    assert update.message
    answers(context).clear()
    agree = InlineKeyboardMarkup([[InlineKeyboardButton(words.AGREE, callback_data="agree")]])
    await update.message.reply_text(words.WELCOME, reply_markup=agree)
    return CONSENT


async def cancel(update: Update, context: Context) -> int:
    assert update.message
    answers(context).clear()
    await update.message.reply_text(words.CANCELLED)
    return ConversationHandler.END


async def dump(update: Update, context: Context) -> None:
    assert update.message
    await update.message.reply_text(words.summary(words.KNOWN, answers(context)))


async def agreed(update: Update, _context: Context) -> int:
    assert update.callback_query
    await update.callback_query.answer()
    await update.callback_query.edit_message_text(words.ASK_NAME)
    return NAME


async def named(update: Update, context: Context) -> int:
    assert update.message
    answers(context)["name"] = update.message.text
    await update.message.reply_text(words.ASK_YEAR)
    return YEAR


async def born(update: Update, context: Context) -> int:
    assert update.message
    answers(context)["year"] = update.message.text
    await update.message.reply_text(QUESTIONS[0].text, reply_markup=keyboard(QUESTIONS[0]))
    return LEVEL


async def born_when(update: Update, _context: Context) -> int:
    assert update.message
    await update.message.reply_text(words.ASK_YEAR)
    return YEAR


async def answered(update: Update, context: Context) -> int:
    query = update.callback_query
    assert query
    assert query.data
    await query.answer()
    _level, indicator, choice = query.data.split(":")
    n = PLACE[indicator]
    if choice == words.BACK:
        question = QUESTIONS[max(0, n - 1)]
        await query.edit_message_text(question.text, reply_markup=keyboard(question))
        return LEVEL
    answers(context)[indicator] = choice
    if QUESTIONS[n].photo:
        answers(context)["photo_of"] = indicator
        await query.edit_message_text(words.ASK_PHOTO.format(n=n + 1))
        return PHOTO
    await query.edit_message_text(QUESTIONS[n + 1].text, reply_markup=keyboard(QUESTIONS[n + 1]))
    return LEVEL


async def shown(update: Update, context: Context) -> int:
    assert update.message
    indicator = answers(context)["photo_of"]
    answers(context)[f"{indicator} photo"] = update.message.photo[-1].file_unique_id
    n = PLACE[indicator]
    if n + 1 < len(QUESTIONS):
        await update.message.reply_text(QUESTIONS[n + 1].text, reply_markup=keyboard(QUESTIONS[n + 1]))
        return LEVEL
    await update.message.reply_text(words.summary(words.RECEIPT, answers(context)))
    answers(context).clear()
    return ConversationHandler.END


async def no_photo(update: Update, _context: Context) -> int:
    assert update.message
    await update.message.reply_text("A photo, please.")
    return PHOTO


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    api = os.environ["API_URL"]
    builder = Application.builder().token(os.environ["BOT_TOKEN"])
    builder = builder.base_url(f"{api}/bot").base_file_url(f"{api}/file/bot")
    persistence = os.environ.get("PERSISTENCE")
    if persistence:
        every = float(os.environ.get("PERSISTENCE_SECONDS", "60"))
        builder = builder.persistence(PicklePersistence(filepath=persistence, update_interval=every))
    text = filters.TEXT & ~filters.COMMAND
    conversation: ConversationHandler[Any] = ConversationHandler(
        entry_points=[CommandHandler("start", start)],
        states={
            CONSENT: [CallbackQueryHandler(agreed, pattern="^agree$")],
            NAME: [MessageHandler(text, named)],
            YEAR: [MessageHandler(filters.Regex(r"^\d{4}$"), born), MessageHandler(text, born_when)],
            LEVEL: [CallbackQueryHandler(answered, pattern="^level:")],
            PHOTO: [MessageHandler(filters.PHOTO, shown), MessageHandler(text, no_photo)],
        },
        fallbacks=[CommandHandler("cancel", cancel)],
        name="questionnaire",
        persistent=bool(persistence),
    )
    application = builder.build()
    application.add_handler(conversation)
    application.add_handler(CommandHandler("dump", dump))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
