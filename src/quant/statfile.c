/* Statistics in a file: a head, what sgs_statistics_pack gives, a hash over all before it. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "quant/statistics.h"
#include "sim/session.h"

#define MAGIC "sgsstats"

enum { VERSION = 2, HASH = 32 };

typedef struct head {
    char magic[8];
    uint32_t version, zero;
    uint8_t model[HASH]; /* SHA-256 of the float model's file */
    char evaluator[128]; /* with zeros behind it */
    uint64_t bytes;      /* of what follows, the hash left out */
} head;

_Static_assert(sizeof(head) == 184, "the same everywhere");

static sgs_status hash_file(uint8_t hash[HASH], const char *path, sgs_diag *d)
{
    sgs_file f;
    ipu_sha256 h;
    SGS_TRY(sgs_file_open(&f, path, d));
    ipu_sha256_init(&h);
    sgs_sha256_add(&h, f.data.p, f.data.n);
    ipu_sha256_end(&h, hash);
    sgs_file_close(&f);
    return SGS_OK;
}

static sgs_status expected_head(head *h, const char *model, sgs_diag *d)
{
    *h = (head){ .magic = { 0 }, .version = VERSION };
    memcpy(h->magic, MAGIC, sizeof h->magic);
    snprintf(h->evaluator, sizeof h->evaluator, "%s", sgs_session_identity());
    return hash_file(h->model, model, d);
}

static void hash_parts(uint8_t hash[HASH], sgs_span a, sgs_span b)
{
    ipu_sha256 h;
    ipu_sha256_init(&h);
    sgs_sha256_add(&h, a.p, a.n);
    sgs_sha256_add(&h, b.p, b.n);
    ipu_sha256_end(&h, hash);
}

sgs_status sgs_statistics_write(const sgs_statistics *s, const char *model, const char *path, sgs_diag *d)
{
    head h;
    sgs_buf body = { 0 };
    uint8_t hash[HASH];
    SGS_TRY(expected_head(&h, model, d));
    sgs_statistics_pack(s, &body);
    h.bytes = body.n;
    const sgs_part part[3] = { { .p = &h, .n = sizeof h }, { .p = body.p, .n = body.n }, { .p = hash, .n = HASH } };
    hash_parts(hash, (sgs_span){ (const uint8_t *)&h, sizeof h }, (sgs_span){ (const uint8_t *)body.p, body.n });
    const sgs_status r = sgs_file_write_parts(path, part, 3, d);
    sgs_buf_free(&body);
    return r;
}

static const char *hex(char *text, const uint8_t *hash)
{
    for (int i = 0; i < 8; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return text;
}

static sgs_status other_model(const head *want, const head *found, const char *model, sgs_diag *d)
{
    char a[17], b[17];
    sgs_fail(d, SGS_E_DATA, "these are statistics of another model: expected SHA-256 %s..., found %s...",
             hex(a, want->model), hex(b, found->model));
    sgs_hint(d, "the same float model, byte for byte, calibrates on every machine: %s", model);
    return SGS_E_DATA;
}

static sgs_status other_evaluator(const head *want, const head *found, sgs_diag *d)
{
    sgs_fail(d, SGS_E_DATA, "these statistics come from another evaluator: expected '%s', found '%.127s'",
             want->evaluator, found->evaluator);
    sgs_hint(d, "float numbers differ between libraries and processors: calibrate on machines of one kind");
    return SGS_E_DATA;
}

/* The head is what this model and machine would write, the end is that of a whole file. */
static sgs_status check(sgs_span data, const char *model, sgs_diag *d)
{
    head h, want;
    uint8_t hash[HASH];
    if (data.n < sizeof h + HASH || memcmp(data.p, MAGIC, sizeof h.magic))
        return sgs_fail(d, SGS_E_FORMAT, "expected statistics as --stats-out writes them, found another kind of file");
    memcpy(&h, data.p, sizeof h);
    if (h.version != VERSION)
        return sgs_fail(d, SGS_E_FORMAT, "expected statistics of version %d, found version %u", VERSION, h.version);
    if (h.bytes != data.n - sizeof h - HASH)
        return sgs_fail(d, SGS_E_FORMAT, "expected %llu bytes, found %llu: the file is not whole",
                        (unsigned long long)h.bytes + sizeof h + HASH, (unsigned long long)data.n);
    hash_parts(hash, (sgs_span){ data.p, data.n - HASH }, (sgs_span){ 0 });
    if (memcmp(hash, data.p + data.n - HASH, HASH))
        return sgs_fail(d, SGS_E_FORMAT, "the file is damaged: its bytes do not have the hash that stands at its end");
    SGS_TRY(expected_head(&want, model, d));
    if (memcmp(h.model, want.model, HASH))
        return other_model(&want, &h, model, d);
    return memcmp(h.evaluator, want.evaluator, sizeof h.evaluator) ? other_evaluator(&want, &h, d) : SGS_OK;
}

sgs_status sgs_statistics_read(sgs_statistics *s, const char *model, const char *path, sgs_diag *d)
{
    sgs_file f;
    SGS_TRY(sgs_file_open(&f, path, d));
    sgs_status r = check(f.data, model, d);
    if (r == SGS_OK)
        r = sgs_statistics_merge(s, (sgs_span){ f.data.p + sizeof(head), f.data.n - sizeof(head) - HASH }, d);
    sgs_file_close(&f);
    return r == SGS_OK ? r : sgs_fail_at(d, path, 0, NULL);
}
