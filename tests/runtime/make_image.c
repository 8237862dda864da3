/* make_image IMAGE INPUTS: writes the hand-made network and its seeded inputs for other machines. */
#include <stdio.h>
#include <stdlib.h>

#include "image_maker.h"

static int put(const char *path, const void *p, size_t n, const char *how)
{
    FILE *f = fopen(path, how);
    int bad = !f || fwrite(p, 1, n, f) != n;
    if (f && fclose(f))
        bad = 1;
    if (bad)
        perror(path);
    return bad;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    static const uint8_t zeros[IPU_ALIGN];
    const size_t input_bytes[2] = { 17 * 13 * 3, 9 * 7 * 5 * 4 };
    size_t bytes;
    uint8_t *image = maker_network(&bytes);
    int bad = put(argv[1], image, bytes, "wb") | put(argv[2], "", 0, "wb");
    for (int i = 0; i < 2; i++) {
        void *in = maker_network_input(i, input_bytes[i]);
        bad |= put(argv[2], in, input_bytes[i], "ab");
        bad |= put(argv[2], zeros, (IPU_ALIGN - input_bytes[i] % IPU_ALIGN) % IPU_ALIGN, "ab");
        free(in);
    }
    free(image);
    return bad;
}
