"""The machine and the glibc that an ELF file needs.

64 bits, little-endian. https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html and, for the versions of
symbols, https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
"""

import re
import struct

SHT_GNU_VERNEED = 0x6FFFFFFE


class Elf:
    """An ELF file, read as far as its section headers."""

    def __init__(self, data):
        if not data.startswith(b"\x7fELF\x02\x01"):
            raise ValueError("the file must be a 64-bit little-endian ELF file")
        self.data = data
        (self.machine,) = self.at("<H", 18)
        (table,) = self.at("<Q", 40)
        size, count = self.at("<HH", 58)
        # Type, offset and linked section of each.
        self.sections = [
            (*self.at("<I", start + 4), *self.at("<Q", start + 24), *self.at("<I", start + 40))
            for start in range(table, table + size * count, size)
        ]

    def glibc_versions(self):
        """Returns the versions of glibc that the file needs symbols of, as pairs of numbers."""
        names = (re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", name) for name in self.needed_versions())
        return {(int(name[1]), int(name[2])) for name in names if name}

    def needed_versions(self):
        """Yields the names of all symbol versions that the file needs from shared libraries."""
        for kind, offset, linked in self.sections:
            if kind == SHT_GNU_VERNEED:
                strings = self.sections[linked][1]
                yield from (self.text(strings + name) for name in self.version_names(offset))

    def version_names(self, library):
        """Yields the offsets of the names in the string table, for each version of each library."""
        while True:
            version, following = library + self.at("<I", library + 8)[0], self.at("<I", library + 12)[0]
            for _ in range(self.at("<H", library + 2)[0]):
                name, further = self.at("<II", version + 8)
                yield name
                version += further
            if not following:
                return
            library += following

    def text(self, start):
        return self.data[start : self.data.index(b"\0", start)].decode()

    def at(self, form, offset):
        return struct.unpack_from(form, self.data, offset)
