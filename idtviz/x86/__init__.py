"""Facts about x86: every structure of interrupt delivery as bytes and as a value, and nothing else.

A structure (a gate, a descriptor, a TSS, an error code, RFLAGS, CR0) is decoded from bytes, keeps every bit it was
given, encodes back to the same bytes, and lists its own `fields`: name, bits, value, meaning. Nothing here knows an
emulator.

`SDM 3A 6.14.2` cites the Intel 64 and IA-32 Architectures Software Developer's Manual by volume and section, with the
numbering in which chapter 4 of volume 3A is "Paging" and chapter 6 "Interrupt and Exception Handling" (newer printings
move both up by one). `APM 2` is volume 2 of the AMD64 Architecture Programmer's Manual.
"""
