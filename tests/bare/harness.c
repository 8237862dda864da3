#include "harness.h"
#include "runtime/sha256.h"

static size_t up(size_t n)
{
    return (n + IPU_ALIGN - 1) / IPU_ALIGN * IPU_ALIGN;
}

size_t harness_memory(const ipu_model *m)
{
    size_t need = up(ipu_arena_size(m));
    ipu_tensor t;
    for (int i = 0; ipu_output(m, i, &t) == IPU_OK; i++)
        need += up(t.bytes);
    return need;
}

static void print_hash(const harness *h, const ipu_tensor *t, const void *data)
{
    static const char digit[] = "0123456789abcdef";
    uint8_t hash[32];
    char text[67] = " ";
    ipu_sha256 s;
    ipu_sha256_init(&s);
    ipu_sha256_add(&s, data, t->bytes);
    ipu_sha256_end(&s, hash);
    for (int i = 0; i < 32; i++) {
        text[1 + 2 * i] = digit[hash[i] >> 4];
        text[2 + 2 * i] = digit[hash[i] & 15];
    }
    text[65] = '\n';
    h->print("output ");
    h->print(t->name);
    h->print(text);
}

static void print_clock(const harness *h, uint32_t n)
{
    char text[12] = { 0 };
    int at = 10;
    do
        text[--at] = (char)('0' + n % 10);
    while (n /= 10);
    text[10] = '\n';
    h->print("clock ");
    h->print(text + at);
}

static int failed(const harness *h, const char *what, ipu_status s)
{
    h->print(what);
    h->print(": ");
    h->print(ipu_status_text(s));
    h->print("\n");
    return 1;
}

int harness_run(const harness *h)
{
    ipu_model m;
    ipu_tensor t;
    ipu_status s = ipu_load(&m, h->image, h->image_bytes, h->kernels);
    if (s == IPU_OK)
        s = ipu_verify(&m);
    if (s != IPU_OK)
        return failed(h, "load", s);
    if (harness_memory(&m) > h->memory_bytes)
        return failed(h, "too little memory for this image", IPU_E_ARG);
    const void *in[IPU_MAX_IO];
    void *out[IPU_MAX_IO];
    size_t at = 0;
    for (int i = 0; ipu_input(&m, i, &t) == IPU_OK; at += up(t.bytes), i++)
        in[i] = h->inputs + at;
    at = up(ipu_arena_size(&m));
    for (int i = 0; ipu_output(&m, i, &t) == IPU_OK; at += up(t.bytes), i++)
        out[i] = h->memory + at;
    const uint32_t began = h->clock ? h->clock() : 0;
    s = ipu_run(&m, h->memory, in, out, h->parallel);
    if (s != IPU_OK)
        return failed(h, "run", s);
    if (h->clock)
        print_clock(h, h->clock() - began);
    for (int i = 0; ipu_output(&m, i, &t) == IPU_OK; i++)
        print_hash(h, &t, out[i]);
    return 0;
}
