"""The checksum that TensorBoard's event files have: CRC-32C, masked as TensorFlow does."""

from __future__ import annotations

from functools import cache

_POLYNOMIAL = 0x82F63B78
_WORD = 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """Return the masked checksum of a few bytes."""
    table, crc = _table(), _WORD
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= _WORD
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _WORD


@cache
def _table() -> list[int]:
    table = []
    for number in range(256):
        crc = number
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table
