"""Names that look like those of secrets, for the default of `PICLOUD_REDACT_NAMES`."""

from __future__ import annotations

SECRET_NAMES = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pass",
    "pwd",
    "secret",
    "token",
    "authorization",
    "auth",
    "api_key",
    "access_key",
    "private_key",
    "credential",
    "cookie",
    "session_id",
    "sid",
    "jwt",
    "otp",
    "pin",
    "card",
    "card_number",
    "credit_card",
    "cvv",
    "cvc",
    "iban",
    "ssn",
)
