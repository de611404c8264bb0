"""As the package's own."""


class KeyringError(Exception):
    pass


class KeyringLocked(KeyringError):
    pass
