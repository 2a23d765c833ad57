"""Ways to a server, and the names that try every quoting rule there is."""

from hypothesis import strategies as st

from openpptp.daemon.export.access import Access

HOSTILE = [
    "anna",
    "it's a user",
    'say "no"',
    "DOMAIN\\anna",
    "ends with \\",
    " blanks around ",
    "a, b; c",
    "$HOME `id` $(id) & | > # % ? *",
    "-option",
    "/slash",
    "名前 ü",
    "\u2018curly\u2019 \u201aquotes\u201b",
    "=equals",
    "[section]",
]
"Each is one that some client's syntax would take apart."
printable = st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=40
).filter(str.isprintable)
"Any user name or password that a server can have."


def access(user: str = "anna", **fields: object) -> Access:
    return Access("203.0.113.1", user, **fields)
