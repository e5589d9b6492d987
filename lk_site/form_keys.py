"""One-time keys of forms: however often one is sent, it is done once."""

from uuid import uuid4

from django.http import QueryDict

NOT_TEXT = ("csrfmiddlewaretoken", "form_key")  # what a form carries beside what was typed into it


def with_new_key(typed: QueryDict) -> QueryDict:
    """Return what was typed, with a one-time key that was not used yet."""
    data = typed.copy()
    data["form_key"] = str(uuid4())
    return data
