/* SHA-256 with and without a machine's own instructions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

typedef void (*add_fn)(ipu_sha256 *s, const void *data, size_t n);

static void hash(add_fn add, const uint8_t *data, size_t first, size_t n, uint8_t out[32])
{
    ipu_sha256 s;
    ipu_sha256_init(&s);
    add(&s, data, first);
    add(&s, data + first, n - first);
    ipu_sha256_end(&s, out);
}

/* FIPS 180-4's example of two blocks. */
static void the_standards_example(void **state)
{
    static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const uint8_t want[] = { 0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26,
                                    0x93, 0x0c, 0x3e, 0x60, 0x39, 0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff,
                                    0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1 };
    uint8_t got[32];
    for (size_t first = 0; first < sizeof text; first++) {
        hash(sgs_sha256_add, (const uint8_t *)text, first, sizeof text - 1, got);
        assert_memory_equal(got, want, 32);
    }
}

static void every_length(void **state)
{
    static uint8_t data[1000];
    uint8_t got[32], want[32];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t n = 0; n <= sizeof data; n += 7)
        for (size_t first = 0; first <= n; first += 32) {
            hash(sgs_sha256_add, data, first, n, got);
            hash(ipu_sha256_add, data, 0, n, want);
            assert_memory_equal(got, want, 32);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standards_example),
        cmocka_unit_test(every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
