"""How one goes from page to page in the browser."""

from playwright.sync_api import Page


def go_to(page: Page, name: str, menu: str = "Administration") -> None:
    """Open a page that stands in the menu of administration."""
    page.get_by_role("button", name=menu).click()
    page.get_by_role("menuitem", name=name).click()


def log_out(page: Page, account: str = "admin") -> None:
    """Log out by the menu of the account."""
    page.get_by_role("button", name=f"Account {account}").click()
    page.get_by_role("button", name="Log out").click()


def colour(page: Page, theme: str) -> None:
    """Let the browser have chosen "dark" or "light" before the page opens; without a choice the page is dark."""
    page.add_init_script(f"localStorage.setItem('acuity-theme', '{theme}')")
