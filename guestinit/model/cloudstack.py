"""What CloudStack's password server and whoever asks it say to each other (platforms.md 7)."""

from __future__ import annotations

PASSWORD_PORT = 8080
REQUEST = "DomU_Request"  # the header that says what is wanted
SEND = "send_my_password"
# To the server: the password was applied. From the server, and in the file on a drive: there is none to apply.
SAVED = "saved_password"
