# SPDX-License-Identifier: MIT
"""A command of the checks: prints the serial number and the description of its session keyring."""
import ctypes

KEYCTL, GET_KEYRING_ID, DESCRIBE, SESSION = 250, 0, 6, -3
libc = ctypes.CDLL(None, use_errno=True)
text = ctypes.create_string_buffer(256)
serial = libc.syscall(KEYCTL, GET_KEYRING_ID, SESSION, 0)
libc.syscall(KEYCTL, DESCRIBE, serial, text, 256)
print(serial, text.value.decode())
