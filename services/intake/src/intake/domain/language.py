"""In which language a customer is answered, and who said so."""

from typing import Final

from shared.events import AccountListed, LanguageDecision, SupportRequest

__all__ = ["language_of"]

_DEFAULT: Final = LanguageDecision(
    language="en", by="default", note="nobody said which; Premium Support speaks English"
)


def language_of(request: SupportRequest, account: AccountListed) -> LanguageDecision:
    """Take the sender's word, else the account's, else English."""
    if request.language is not None:
        return LanguageDecision(language=request.language, by="sender")
    if account.language is not None:
        return LanguageDecision(language=account.language, by="account")
    return _DEFAULT
