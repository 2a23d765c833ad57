/* sha1.c: FIPS 180's examples, and the two paths against each other. */
#include "sha1.h"

#include "check.h"

static size_t pad(uint8_t *blocks, const char *message, size_t length)
{
    size_t count = (length + 8) / 64 + 1;

    memset(blocks, 0, 64 * count);
    memcpy(blocks, message, length);
    blocks[length] = 0x80;
    write16(blocks + 64 * count - 2, (uint16_t)(8 * length));
    return count;
}

static void check_example(const char *message, const uint8_t expected[20])
{
    uint8_t blocks[256], digest[20];
    size_t count = pad(blocks, message, strlen(message));

    sha1_blocks(digest, blocks, count);
    CHECK(memcmp(digest, expected, 20) == 0);
    sha1_blocks_portable(digest, blocks, count);
    CHECK(memcmp(digest, expected, 20) == 0);
}

static void check_examples(void)
{
    static const uint8_t empty[20] = {0xda, 0x39, 0xa3, 0xee, 0x5e, 0x6b, 0x4b, 0x0d, 0x32, 0x55,
                                      0xbf, 0xef, 0x95, 0x60, 0x18, 0x90, 0xaf, 0xd8, 0x07, 0x09};
    static const uint8_t one_block[20] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
                                          0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    static const uint8_t two_blocks[20] = {0x84, 0x98, 0x3e, 0x44, 0x1c, 0x3b, 0xd2, 0x6e, 0xba, 0xae,
                                           0x4a, 0xa1, 0xf9, 0x51, 0x29, 0xe5, 0xe5, 0x46, 0x70, 0xf1};

    check_example("", empty);
    check_example("abc", one_block);
    check_example("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", two_blocks);
}

static void check_both_paths(void)
{
    uint8_t blocks[64 * 4], one[20], other[20];
    uint32_t number = 1;

    for (unsigned times = 0; times < 2000; times++) {
        for (size_t octet = 0; octet < sizeof blocks; octet++) {
            number = number * 1664525 + 1013904223;
            blocks[octet] = (uint8_t)(number >> 24);
        }
        sha1_blocks(one, blocks, times % 5);
        sha1_blocks_portable(other, blocks, times % 5);
        CHECK(memcmp(one, other, 20) == 0);
    }
}

int main(void)
{
    check_examples();
    check_both_paths();
    DONE();
}
