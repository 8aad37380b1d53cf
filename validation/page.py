"""One HTML page for the screen and for paper: no scripts, no outside resources, tables with headers and captions."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 58rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: #444; padding: .2rem 0; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ccc; vertical-align: top; }
td { font-variant-numeric: tabular-nums; } code { overflow-wrap: anywhere; font-size: .85em; }
.notice { border: 2px solid #1a1a1a; padding: .5rem .8rem; margin: 1rem 0; } p { margin: .4rem 0; }
.whole { white-space: nowrap; } th small { font-weight: normal; }
figure { margin: .8rem 0; } figcaption { color: #444; }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
.examples { display: flex; flex-wrap: wrap; gap: 1rem; } .examples figure { width: 13rem; margin: 0; }
.examples img { display: block; width: 100%; background: #000; }
.examples figcaption { overflow-wrap: anywhere; font-size: .85em; }
@page { size: A4; margin: 18mm 15mm; @bottom-right { content: counter(page) " of " counter(pages); font-size: 9pt; } }
@media print { body { margin: 0; max-width: none; padding: 0; font-size: 9.5pt; }
  th, td { padding-right: .5rem; }
  h2, caption { break-after: avoid; } table, tr, svg, figure { break-inside: avoid; }
  table.long { break-inside: auto; } .examples figure { width: 9.6rem; } }
"""


def html_page(title: str, lead: str, sections: Iterable[str]) -> str:
    """Return the page; the sections are HTML already, empty ones are left out."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{escape(title)}</h1><p>{escape(lead)}</p>\n"
        + "\n".join(section for section in sections if section)
        + "\n</main></body></html>\n"
    )


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are HTML already."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns) if any(columns) else ""
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{cell}</th>' if index == 0 else f"<td>{cell}</td>" for index, cell in enumerate(row)
        )
        + "</tr>\n"
        for row in rows
    )
    header = f"<thead><tr>{head}</tr></thead>" if head else ""
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{said}{header}<tbody>{body}</tbody></table>\n"
