"""Quick tags write what Django's own write."""

from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.template import Context, Engine, NodeList, TemplateDoesNotExist
from django.template.base import Node
from django.urls import NoReverseMatch
from django.utils import translation

from lk_site import quick_tags

DEAL, NOTE = UUID("0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"), UUID("0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b9")
BACKEND: dict[str, Any] = settings.TEMPLATES[0]
OURS: dict[str, Any] = BACKEND["OPTIONS"]
THEIRS = {name: value for name, value in OURS.items() if name not in ("libraries", "builtins")}
TEXTS = [
    "{% url 'deals:deal_list' %}",
    "{% url 'deals:deal_list' as here %}{{ here }}?a=b",
    "{% url 'deals:deal_detail' deal %}",
    "{% url 'deals:note_edit' deal note %}",
    "{% url view deal %}",
    "{% url 'deals:deal_detail' deal_id=deal %}",
    "{% url 'accounts:consent_document' 'personal_data' '1' as here %}{{ here }}",
    "{% url 'deals:nowhere' as here %}{{ here }}",
    "{% url 'admin:index' %}",
    "{% load i18n %}{% translate 'Deals' %}{% trans 'No name' %}{% translate 'Nobody translated this' %}",
    "{% load i18n %}{% translate 'Deals' as said %}<{{ said }}>",
    "{% load i18n %}{% translate 'A <b> & 100 %' %}{% translate 'A <b> & 100 %' as said %}{{ said }}",
    "{% load i18n %}{% translate word %}{% translate 'deals'|upper %}{% translate 'Deals' noop %}",
    "{% load i18n %}{% translate 'from %s' context 'a day' %}",
    "{% load static %}{% static 'css/app.css' %}{% static 'css/app.css' as file %}{{ file }}{% static file_name %}",
    "{% load static %}{% get_static_prefix %}",
    "{% include 'components/_segments.html' with name=word tabs=tabs %}",
    "{% for one in tabs %}{% include 'components/_back.html' with url=one.url label=one.label only %}{% endfor %}",
    "{% include part with name=word tabs=tabs %}",
]


def written(engine: Engine, text: str) -> str:
    tabs = [{"url": "/a", "label": "<А>"}, {"url": "/b", "label": "Б", "is_current": True}]
    names = {"view": "deals:deal_detail", "part": "components/_segments.html", "file_name": "img/icon.svg"}
    context = Context({"deal": DEAL, "note": NOTE, "word": "Слово & дело", "tabs": tabs, **names})
    template = engine.from_string(text)
    return template.render(context) + template.render(context)


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_tag_writes_what_djangos_writes(text: str, language: str) -> None:
    libraries = {
        "lk": "lk_site.templatetags.lk",
        "i18n": "django.templatetags.i18n",
        "static": "django.templatetags.static",
    }
    options: dict[str, Any] = {"dirs": BACKEND["DIRS"]}
    theirs = Engine(**options, **{**THEIRS, "libraries": libraries})
    ours = Engine(**options, **{**OURS, "libraries": {**libraries, **OURS["libraries"]}})
    with translation.override(language):
        assert written(ours, text) == written(theirs, text)


def nodes_of(text: str) -> NodeList:
    return Engine(**{**OURS, "dirs": BACKEND["DIRS"]}).from_string(text).nodelist


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{% url 'deals:deal_list' %}", quick_tags.LinkNode),
        ("{% load i18n %}{% translate 'Deals' %}", quick_tags.SentenceNode),
        ("{% load static %}{% static 'css/app.css' %}", quick_tags.FileNode),
        ("{% include 'components/_back.html' %}", quick_tags.PartNode),
    ],
)
def test_templates_are_made_of_them(text: str, kind: type[Node]) -> None:
    assert type(nodes_of(text)[-1]) is kind


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{% url 'deals:nowhere' %}", NoReverseMatch),
        ("{% url 'deals:deal_detail' word %}", NoReverseMatch),
        ("{% include 'nowhere.html' %}", TemplateDoesNotExist),
    ],
)
def test_mistakes_are_told_as_ever(text: str, error: type[Exception]) -> None:
    engine = Engine(**{**OURS, "dirs": BACKEND["DIRS"]})
    with pytest.raises(error):
        written(engine, text)
