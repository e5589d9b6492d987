"""Inputs of forms, drawn by functions as Django's templates draw them.

Those include a template for every list of attributes: seven filters were a fifth of a page's instructions.
"""

import html
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.safestring import SafeString, mark_safe

Widget = Mapping[str, Any]  # the context of a widget, as `Widget.get_context` makes it
FOLDER = "django/forms/widgets/"


def draw_input(widget: Widget) -> str:
    value = "" if widget["value"] is None else f' value="{escaped(widget["value"])}"'
    return f'<input type="{widget["type"]}" name="{escaped(widget["name"])}"{value}{attributes(widget)}>'


def draw_textarea(widget: Widget) -> str:
    return (
        f'<textarea name="{escaped(widget["name"])}"{attributes(widget)}>\n{escaped(widget["value"] or "")}</textarea>'
    )


def draw_select(widget: Widget) -> str:
    groups = "".join(draw_group(name, options) for name, options, _index in widget["optgroups"])
    return f'<select name="{escaped(widget["name"])}"{attributes(widget)}>{groups}\n</select>'


def draw_group(name: str | None, options: list[Widget]) -> str:
    drawn = "".join(f"\n  {draw_option(option)}" for option in options)
    return f'\n  <optgroup label="{escaped(name)}">{drawn}\n  </optgroup>' if name else drawn


def draw_option(option: Widget) -> str:
    return f'<option value="{escaped(option["value"])}"{attributes(option)}>{escaped(option["label"])}</option>'


def select(name: str, attrs: Mapping[str, Any], choices: Iterable[tuple[Any, Any]], chosen: str) -> SafeString:
    """Return a choice of one from a list without groups, as its template would draw it."""
    options, is_found = [], False
    for value, label in choices:
        text = "" if value is None else str(value)
        is_chosen = not is_found and text == chosen
        is_found |= is_chosen
        options.append(draw_option({"value": text, "label": label, "attrs": {"selected": is_chosen}}))
    drawn = "\n  ".join(options)
    return mark_safe(f'<select name="{escaped(name)}"{attributes({"attrs": attrs})}>\n  {drawn}\n</select>')  # nosec


def attributes(widget: Widget) -> str:
    """Return the attributes after a space each; True stands without a value, False not at all."""
    given = [(name, value) for name, value in widget["attrs"].items() if value is not False]
    return "".join(f" {name}" if value is True else f' {name}="{escaped(value)}"' for name, value in given)


def escaped(value: Any) -> str:
    """Escape as templates do, whose own function asks first whether a value is lazy: half of its cost."""
    text = value if isinstance(value, str) else str(value)
    return text if isinstance(text, SafeString) else html.escape(text)


INPUTS = ("text", "hidden", "email", "number", "password", "date", "input", "checkbox")
DRAWN: dict[str, Callable[[Widget], str]] = {
    **{f"{FOLDER}{kind}.html": draw_input for kind in INPUTS},
    f"{FOLDER}textarea.html": draw_textarea,
    f"{FOLDER}select.html": draw_select,
}


def drawn(template_name: str, context: Mapping[str, Any]) -> SafeString | None:
    """Return a widget as its template would draw it, or None for a template that is no input of these."""
    draw = DRAWN.get(template_name)
    return mark_safe(draw(context["widget"])) if draw else None  # nosec: every value is escaped above
