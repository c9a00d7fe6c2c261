"""Lists of accounts and specialists in YAML or CSV files."""

from shared.listings.accounts import read_accounts
from shared.listings.roster import read_roster

__all__ = ["read_accounts", "read_roster"]
