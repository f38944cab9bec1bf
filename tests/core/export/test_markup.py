"""What people type is shown as it is: by a parser of HTML, and with every mark of Markdown taken its meaning."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.core.export.markup import escaped_html, escaped_markdown, visible

NASTY = '<script>alert("x")</script> **b** [a](javascript:1) | `c` \x07\x1b[31m\u202e &amp; \'"'


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(st.text() | st.just(NASTY))
def test_html_is_text(text: str) -> None:
    """A browser reads back what was typed, control characters by their pictures, and no element."""
    seen = _Seen()
    seen.feed(f"{escaped_html(text)} ")
    seen.close()
    assert seen.tags == []
    assert "".join(seen.texts) == f"{visible(text)} "
    assert '"' not in escaped_html(text)
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in visible(text))


def test_control_characters_have_a_look() -> None:
    """Each is visible, and marks of direction cannot turn the rest of the line."""
    assert visible("a\x07\x1b\x7f\u202eb\n") == "a␇␛␡[U+202E]b␊"
    assert visible("a\nb\tc\r", lines=True) == "a\nb\tc␍"


def test_markdown_is_text() -> None:
    """No sign that Markdown or a table knows stands without its backslash."""
    assert escaped_markdown("<b>*x*</b>|[y](z)\n# h") == r"\<b\>\*x\*\</b\>\|\[y\]\(z\)␊\# h"
