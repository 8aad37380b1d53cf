"""The page of accounts: made, changed, unlocked and removed by hand, and noted under the name of who did it."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD
from tests.browser.going import go_to
from tests.browser.test_accessibility import axe as axe
from tests.browser.test_accessibility import complaints_of
from tests.browser.test_worklist_page import log_in
from worklist.auth import LOCKS, Passwords
from worklist.roles import Role

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def users(page, worklist):
    for name in ("bob", "cid"):
        worklist.accounts.create_account(name, Passwords().hash(PASSWORD), Role.READER.value, worklist.now())
    log_in(page)
    go_to(page, "Users")
    return page.get_by_role("region", name="Users")


def test_an_account_is_added_and_its_password_shown_once(page, worklist, users, axe):
    users.get_by_label("Name").fill("dr.patel")
    users.locator("select[name=role]").select_option("lead")
    users.get_by_role("button", name="Add the account").click()

    expect(users.get_by_role("status")).to_contain_text("dr.patel was added.")
    password = users.get_by_role("status").locator("code").text_content()
    claimed = worklist.accounts.claim_attempt("dr.patel", worklist.now(), LOCKS)
    assert claimed.role == "lead"
    assert Passwords().matches(claimed.password_hash, password)
    expect(users.get_by_role("row", name="dr.patel")).to_be_visible()
    assert complaints_of(page, axe) == []
    page.reload()
    expect(page.get_by_role("row", name="dr.patel")).to_be_visible()
    expect(page.get_by_text(password)).to_have_count(0)


def test_roles_sites_locks_and_accounts_are_changed_and_noted(page, worklist, users):
    for _ in range(5):
        worklist.accounts.claim_attempt("cid", worklist.now(), LOCKS)
    page.reload()

    users.get_by_label("Role of bob").select_option("auditor")
    expect(users.get_by_role("status")).to_contain_text("bob is now: Auditor")
    users.get_by_role("row", name="bob").locator("summary").click()
    users.get_by_label("Sites of bob").fill("North\nSouth")
    users.get_by_role("button", name="Keep these sites").click()
    expect(users.get_by_role("row", name="bob")).to_contain_text("North, South")
    users.get_by_role("button", name="Unlock: cid").click()
    expect(users.get_by_role("row", name="cid")).to_contain_text("May log in")
    users.get_by_role("button", name="Remove: cid").click()
    users.get_by_role("button", name="Really remove: cid").click()
    expect(users.get_by_role("row", name="cid")).to_have_count(0)

    changed = {one.name: (one.role, one.sites) for one in worklist.accounts.every()}
    assert changed == {"admin": ("admin", None), "bob": ("auditor", ("North", "South"))}
    go_to(page, "Audit")
    for name, change in (("bob", "role"), ("bob", "sites"), ("cid", "unlocked"), ("cid", "removed")):
        row = page.get_by_role("row").filter(has_text=f"account {name}").filter(has_text=f"change {change}")
        expect(row.get_by_role("cell").nth(2)).to_contain_text("admin")


def test_nobody_can_change_or_remove_their_own_account(users):
    expect(users.get_by_label("Role of admin")).to_be_disabled()
    expect(users.get_by_role("button", name="Remove: admin")).to_have_count(0)
