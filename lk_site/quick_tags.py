"""Django's tags that stand on every page, made quick where all they depend on is known when a template is compiled.

Thousand instructions, Django's and ours: `url` 167 and 17, `static` 132 and 17, `translate` 64 and 40. Anything that is
not so plain is left to Django's own tag, which each of these is.
"""

from functools import cache
from typing import Any
from uuid import UUID

from django.core.signals import setting_changed
from django.template import Context, Library, Node, Template, defaulttags, loader_tags
from django.template.base import FilterExpression, Parser, Token
from django.templatetags import i18n, static
from django.urls import NoReverseMatch
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from lk_site.links import link

register = Library()  # stands for the libraries `i18n` and `static`, and among the built-in ones
for library in (i18n.register, static.register):
    register.tags |= library.tags
    register.filters |= library.filters

OURS = ("accounts:", "deals:")


def constant(expression: FilterExpression) -> str:
    """Return the text that an expression always is, or nothing."""
    var = getattr(expression.var, "literal", expression.var)
    return var if isinstance(var, str) and not expression.filters else ""


class LinkNode(defaulttags.URLNode):
    """The address of a view of ours that takes ids only."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        name = constant(self.view_name)
        self.name = name if name.startswith(OURS) and not self.kwargs else ""

    def render(self, context: Context) -> str:
        ids = [arg.resolve(context) for arg in self.args]
        if not self.name or not all(type(one) is UUID for one in ids):
            return super().render(context)
        try:
            path = mark_safe(link(self.name, *ids))  # nosec: our own path, and ids
        except NoReverseMatch:
            return super().render(context)
        if not self.asvar:
            return path
        context[self.asvar] = path
        return ""


@register.tag
def url(parser: Parser, token: Token) -> Node:
    node = defaulttags.url(parser, token)
    return LinkNode(node.view_name, node.args, node.kwargs, node.asvar)


class SentenceNode(Node):
    """A sentence of ours in the reader's language."""

    def __init__(self, sentence: str, asvar: str | None) -> None:
        self.sentence = mark_safe(sentence.replace("%", "%%"))  # nosec: of a template
        self.asvar = asvar

    def render(self, context: Context) -> SafeString:
        said = mark_safe(gettext(self.sentence).replace("%%", "%"))  # nosec: of our own translation
        if not self.asvar:
            return said
        context[self.asvar] = said
        return SafeString("")


@register.tag("trans")
@register.tag("translate")
def translate(parser: Parser, token: Token) -> Node:
    node = i18n.do_translate(parser, token)
    sentence = constant(node.filter_expression)
    is_plain = sentence and not node.noop and node.message_context is None
    return SentenceNode(sentence, node.asvar) if is_plain else node


class FileNode(static.StaticNode):
    """The address of a static file; the names in the manifest hold for as long as the process."""

    handle_simple = staticmethod(cache(static.StaticNode.handle_simple))


register.tag("static", FileNode.handle_token)


class PartNode(loader_tags.IncludeNode):
    """A template in a template, looked for once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = constant(self.template)
        self.part: Template | None = None

    def render(self, context: Context) -> SafeString:
        if not self.name or context.template is None:
            return super().render(context)
        if self.part is None:  # threads may both look: they find the same
            self.part = context.template.engine.get_template(self.name)
        values = {name: value.resolve(context) for name, value in self.extra_context.items()}
        if self.isolated_context:
            return self.part.render(context.new(values))
        with context.push(**values):
            return self.part.render(context)


@register.tag
def include(parser: Parser, token: Token) -> Node:
    node = loader_tags.do_include(parser, token)
    return PartNode(node.template, extra_context=node.extra_context, isolated_context=node.isolated_context)


def forget(**kwargs: Any) -> None:
    """Look again where a test changes settings."""
    FileNode.handle_simple.cache_clear()  # type: ignore[attr-defined]


setting_changed.connect(forget, dispatch_uid="lk_site.quick_tags")
