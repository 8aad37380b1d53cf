"""Pages as PDF, by WeasyPrint; it needs Pango on the machine and is loaded when it is asked for."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from triage.errors import PdfUnavailable

WritePdf = Callable[[str, Path], None]


def pdf_writer() -> WritePdf:
    """Return a function that writes an HTML page to a PDF file; nothing outside the page is fetched.

    Raises:
        PdfUnavailable: a library of the system is missing.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:
        missing = str(error).splitlines()[0]
        raise PdfUnavailable(f"--pdf: WeasyPrint does not load ({missing}), needed Pango on this machine") from error

    def write(page: str, path: Path) -> None:
        HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=("data",))).write_pdf(path, pdf_ua=True)

    return write


def as_pdf(page: str) -> bytes:
    """Return an HTML page as PDF; raises PdfUnavailable."""
    write = pdf_writer()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "page.pdf"
        write(page, path)
        return path.read_bytes()
