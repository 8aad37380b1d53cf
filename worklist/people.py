"""Who may log in, and as what: the same rules for the page and the command line, each change in the audit with it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from triage.audit import Actor, AuditAction, AuditEvent
from triage.errors import ActNotPossible, InvalidSetting
from triage.ports import Clock
from worklist.administration_ports import Account, ManagedAccounts
from worklist.auth import MAX_PASSWORD_LENGTH, Passwords, is_account_name
from worklist.roles import Role

MIN_PASSWORD_LENGTH = 12


@dataclass(frozen=True, slots=True)
class People:
    """Makes, changes and removes accounts for `Actor`s, who are named in the audit.

    Every method raises InvalidSetting for a name or a password that cannot be, and for an account that is not there.
    """

    accounts: ManagedAccounts
    clock: Clock
    passwords: Passwords = field(default_factory=Passwords)

    def every(self) -> Sequence[Account]:
        """Return the accounts in the order of their names."""
        return self.accounts.every()

    def add(self, by: Actor, name: str, role: Role, password: str | None = None) -> str:
        """Make an account and return its password, a generated one where none was given."""
        if not is_account_name(name):
            raise InvalidSetting(f"account {name!r}: needed 1 to 64 printable characters without blanks at the ends")
        chosen = _chosen(password)
        event = self._event(by, name, "added", {"role": role.value})
        if not self.accounts.create_account(name, self.passwords.hash(chosen), role.value, self.clock.now(), event):
            raise InvalidSetting(f"account {name!r}: is there already, needed a new name")
        return chosen

    def give_role(self, by: Actor, name: str, role: Role) -> None:
        """Give an account another role and end its logins; raises ActNotPossible for the last administrator."""
        self._account(name)
        event = self._event(by, name, "role", {"role": role.value})
        if not self.accounts.set_role(name, role.value, Role.ADMIN.value, event):
            raise ActNotPossible(f"account {name!r}: the last administrator cannot get another role")

    def give_sites(self, by: Actor, name: str, sites: Sequence[str] | None) -> None:
        """Say of which sites an account may see studies, None: of every site; it holds from the next request on."""
        self._account(name)
        wanted = None if sites is None else sorted(set(sites))
        told = "every site" if wanted is None else ", ".join(wanted)
        self.accounts.set_sites(name, wanted, self._event(by, name, "sites", {"sites": told}))

    def give_password(self, by: Actor, name: str, password: str | None = None) -> str:
        """Give an account a new password, end its logins, and return the password.

        Raises:
            ActNotPossible: the person logs in at the identity provider.
        """
        if self._account(name).issuer is not None:
            raise ActNotPossible(f"account {name!r}: logs in at the identity provider and has no password here")
        chosen = _chosen(password)
        self.accounts.give_password(name, self.passwords.hash(chosen), self._event(by, name, "password"))
        return chosen

    def unlock(self, by: Actor, name: str) -> None:
        """Let an account log in again that failed too often."""
        self._account(name)
        self.accounts.clear_failures(name, self._event(by, name, "unlocked"))

    def remove(self, by: Actor, name: str) -> None:
        """Remove an account and end its logins; raises ActNotPossible for the last administrator."""
        self._account(name)
        if not self.accounts.remove_account(name, Role.ADMIN.value, self._event(by, name, "removed")):
            raise ActNotPossible(f"account {name!r}: the last administrator cannot be removed")

    def _account(self, name: str) -> Account:
        found = [one for one in self.accounts.every() if one.name == name]
        if not found:
            raise InvalidSetting(f"account {name!r}: there is none; see acuity users list")
        return found[0]

    def _event(self, by: Actor, name: str, change: str, more: Mapping[str, str] | None = None) -> AuditEvent:
        details = {"account": name, "change": change, **(more or {})}
        return AuditEvent(self.clock.now(), by, AuditAction.ACCOUNT_CHANGED, details=details)


def _chosen(password: str | None) -> str:
    if password is None:
        return secrets.token_urlsafe(12)
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        needed = f"{MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH}"
        raise InvalidSetting(f"password: {len(password)} characters, needed {needed}")
    return password
