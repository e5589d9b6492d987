"""Asks callgrind, from inside the program that it runs, to count, to start from zero and to write down what it counted.

These are the client requests that C programs make by the macros of `valgrind/callgrind.h`: a few instructions that do
nothing on a processor, and that valgrind recognises. x86-64 only.
"""

import ctypes
import mmap
import platform

NOTHING_BUT_A_MARK = bytes.fromhex(
    "4889f8"  # mov rax, rdi: where the request stands with its five arguments
    "31d2"  # xor edx, edx: the answer of a processor
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61 and 51, in all by nothing
    "4887db"  # xchg rbx, rbx
    "4889d0 c3"  # mov rax, rdx; ret
)
RUNNING_ON_VALGRIND = 0x1001
OF_CALLGRIND = ord("C") << 24 | ord("T") << 16
ZERO, DUMP, START, STOP = (OF_CALLGRIND + number for number in (1, 3, 4, 5))

Request = ctypes.c_uint64 * 6
PAGE = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
PAGE.write(NOTHING_BUT_A_MARK)
ask_valgrind = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.POINTER(Request))(
    ctypes.addressof(ctypes.c_char.from_buffer(PAGE))
)


def ask(request: int, argument: int = 0) -> int:
    return int(ask_valgrind(ctypes.byref(Request(request, argument))))


def is_possible() -> bool:
    return platform.machine() == "x86_64"


def is_counting() -> bool:
    """Return whether valgrind runs this program."""
    return ask(RUNNING_ON_VALGRIND) > 0


def start() -> None:
    ask(START)


def zero() -> None:
    ask(ZERO)


def dump(name: str) -> None:
    """Write what was counted since `zero` into the next file, under this name."""
    text = ctypes.create_string_buffer(name.encode())
    ask(DUMP, ctypes.addressof(text))
