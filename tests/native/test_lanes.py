import hashlib
from random import Random
from typing import Any

import pytest
from Crypto.Cipher import ARC4
from tests.datapath.mppe_vectors import MAGIC2, MAGIC3
from tests.native.parts import NATIVE, part

from openpptp.crypto import get_new_key_from_sha, rc4_encrypt, reduce_key

ROOMS = tuple(path.name for room in ("lanes*", "sha1*") for path in sorted(NATIVE.glob(f"{room}.c")))
DECLARATIONS = """
struct cipher_job { uint8_t key[16]; uint32_t key_length; const uint8_t *in; uint8_t *out; uint32_t length; };
struct mppe_start { uint8_t start_key[16]; uint8_t length; uint8_t bits; };
struct key_chain { struct mppe_start start; uint8_t last[16]; uint64_t derived; uint8_t (*ring)[16];
                   uint32_t capacity; uint32_t want; };
struct cipher_batch { struct cipher_job jobs[64]; size_t jobs_count; struct key_chain *chains[64];
                      size_t chains_count; };
struct rc4 { uint8_t i; uint8_t j; uint8_t s[256]; };
void next_key(const struct mppe_start *start, uint8_t key[16]);
void initial_key(const struct mppe_start *start, uint8_t key[16]);
void lanes_run(struct cipher_batch *batch);
void run_portable(struct cipher_batch *batch);
void rc4_begin(struct rc4 *rc4, const uint8_t *key, size_t length);
void rc4_crypt(struct rc4 *rc4, uint8_t *out, const uint8_t *in, size_t length);
void rc4_drop(struct rc4 *rc4, size_t length);
void sha1_blocks(uint8_t digest[20], const uint8_t *blocks, size_t count);
void sha1_blocks_portable(uint8_t digest[20], const uint8_t *blocks, size_t count);
"""
INCLUDE = """
#include "lanes.h"
#include "lanes_kernel.h"
#include "sha1.h"
static void run_portable(struct cipher_batch *batch)
{
    lanes_run_with(batch, lanes_kernels_portable());
}
"""
ROUTES = ("lanes_run", "run_portable")


@pytest.fixture(scope="module")
def room() -> Any:
    return part(DECLARATIONS, *ROOMS, include=INCLUDE)


def start_of(room: Any, start_key: bytes, bits: int) -> Any:
    return room.ffi.new("struct mppe_start *", (start_key.ljust(16, b"\0"), 16 if bits == 128 else 8, bits))


class RC4Tests:
    """RC4 of batches and of one stream, against pycryptodome's."""

    @pytest.mark.parametrize("route", ROUTES)
    def test_a_batch_of_any_jobs_is_what_rc4_makes_of_them_one_by_one(self, room, route):
        random = Random(3)
        for count in (1, 2, 5, 6, 7, 8, 9, 63, 64):
            batch = room.ffi.new("struct cipher_batch *")
            orders = []
            for job in batch.jobs[0:count]:
                key, clear = random.randbytes(random.choice((8, 16))), random.randbytes(random.randrange(1500))
                octets = room.ffi.new("uint8_t[]", clear or b"\0")
                job.key, job.key_length, job.length = key.ljust(16, b"\xff"), len(key), len(clear)
                job.out = octets
                setattr(job, "in", octets)
                orders.append((key, clear, octets))
            batch.jobs_count = count
            getattr(room.lib, route)(batch)
            assert batch.jobs_count == 0
            for key, clear, octets in orders:
                assert bytes(room.ffi.buffer(octets))[: len(clear)] == rc4_encrypt(key, clear)

    def test_a_stream_goes_on_where_it_stopped(self, room):
        key, clear = bytes(range(16)), bytes(1000)
        rc4, octets = room.ffi.new("struct rc4 *"), room.ffi.new("uint8_t[1000]")
        room.lib.rc4_begin(rc4, key, len(key))
        room.lib.rc4_crypt(rc4, octets, clear, 13)
        room.lib.rc4_drop(rc4, 300)
        room.lib.rc4_crypt(rc4, octets + 313, clear, 687)
        expected = ARC4.new(key).encrypt(clear)
        assert bytes(octets)[:13] == expected[:13]
        assert bytes(octets)[313:] == expected[313:]


class KeyChangeTests:
    """RFC 3079 section 3.4 and RFC 3078 section 7.3: session keys, each from the one before."""

    @pytest.mark.parametrize("vector", MAGIC3 + MAGIC2)
    def test_keys_are_those_of_the_vectors(self, room, vector):
        start, key = start_of(room, bytes.fromhex(vector.start), vector.bits), room.ffi.new("uint8_t[16]")
        room.lib.initial_key(start, key)
        assert bytes(key)[: start.length] == bytes.fromhex(vector.initial)
        for number in range(1, max(vector.after) + 1):
            room.lib.next_key(start, key)
            if number in vector.after:
                assert bytes(key)[: start.length] == bytes.fromhex(vector.after[number])

    @pytest.mark.parametrize("route", ROUTES)
    @pytest.mark.parametrize("count", [1, 3, 4, 11, 64])
    def test_a_batch_makes_the_keys_of_the_reference(self, room, route, count):
        random = Random(count)
        batch, rings, expected = room.ffi.new("struct cipher_batch *"), [], []
        for number in range(count):
            bits = random.choice((40, 56, 128))
            length, wanted = 16 if bits == 128 else 8, random.randrange(6)
            start_key = random.randbytes(length)
            chain, ring = room.ffi.new("struct key_chain *"), room.ffi.new("uint8_t[8][16]")
            key = reduce_key(get_new_key_from_sha(start_key, start_key, length), bits)
            chain.start, chain.last = start_of(room, start_key, bits)[0], key.ljust(16, b"\0")
            chain.derived, chain.ring, chain.capacity, chain.want = 6, ring, 8, wanted
            batch.chains[number] = chain
            keys = {}
            for place in range(6, 6 + wanted):
                key = get_new_key_from_sha(start_key, key, length)
                key = reduce_key(rc4_encrypt(key, key), bits)
                keys[place % 8] = key
            rings.append((chain, ring))
            expected.append((wanted, keys))
        batch.chains_count = count
        getattr(room.lib, route)(batch)
        for (chain, ring), (wanted, keys) in zip(rings, expected, strict=True):
            assert (chain.want, chain.derived) == (0, 6 + wanted)
            assert {place: bytes(ring[place])[: chain.start.length] for place in keys} == keys


class SHA1Tests:
    """FIPS 180-4, whole blocks padded by the caller."""

    @pytest.mark.parametrize("function", ["sha1_blocks", "sha1_blocks_portable"])
    @pytest.mark.parametrize("length", [0, 3, 55, 56, 64, 112, 200])
    def test_digest_is_hashlibs(self, room, function, length):
        message, digest = Random(length).randbytes(length), room.ffi.new("uint8_t[20]")
        padded = message + b"\x80" + bytes(-(length + 9) % 64) + (8 * length).to_bytes(8)
        getattr(room.lib, function)(digest, padded, len(padded) // 64)
        assert bytes(digest) == hashlib.sha1(message, usedforsecurity=False).digest()
