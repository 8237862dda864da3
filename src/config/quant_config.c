#include "config/quant_config.h"

#include <string.h>

#define MOST_ITERATIONS 1000000

static const char *const keys[] = { "retrain_iter_num", "device",  "mixed_precisions", "use_preset_min_max_bit",
                                    "mp_rate",          "PRESET_MIN_MAX_BIT" };
#define NKEYS ((int)(sizeof keys / sizeof *keys))
#define PRESET keys[5]

typedef struct reading {
    sgs_quant_config *q;
    const sgs_tree *preset;
    sgs_diag *d;
} reading;

/* ---- values ----------------------------------------------------------------------------------------------------- */

/* "KEY: expected WHAT, found ..." where t stands. */
static sgs_status expected(const reading *r, const char *key, const char *what, const sgs_tree *t)
{
    if (t->kind == SGS_TREE_WHOLE)
        sgs_fail(r->d, SGS_E_CONFIG, "%s: expected %s, found %lld", key, what, (long long)t->whole);
    else if (t->kind == SGS_TREE_REAL)
        sgs_fail(r->d, SGS_E_CONFIG, "%s: expected %s, found %g", key, what, t->real);
    else if (t->kind == SGS_TREE_TEXT)
        sgs_fail(r->d, SGS_E_CONFIG, "%s: expected %s, found '%.100s'", key, what, t->bytes->p);
    else
        sgs_fail(r->d, SGS_E_CONFIG, "%s: expected %s, found %s", key, what, sgs_tree_word(t));
    return sgs_fail_at(r->d, r->q->file, (int)t->line, NULL);
}

static sgs_status read_iterations(const reading *r, const char *key, const sgs_tree *t)
{
    if (t->kind != SGS_TREE_WHOLE || t->whole < 1 || t->whole > MOST_ITERATIONS)
        return expected(r, key, "a whole number from 1 to 1000000", t);
    r->q->retrain_iter_num = (int)t->whole;
    r->q->retrain_line = (int)t->line;
    return SGS_OK;
}

static bool is_device(const sgs_tree *t)
{
    if (t->kind != SGS_TREE_TEXT || strlen(t->bytes->p) != t->bytes->n)
        return false;
    const char *s = t->bytes->p, *number = s + strlen("cuda:");
    if (!strcmp(s, "cpu") || !strcmp(s, "cuda"))
        return true;
    return !strncmp(s, "cuda:", 5) && *number && strspn(number, "0123456789") == strlen(number) && strlen(number) < 4;
}

static sgs_status read_device(const reading *r, const char *key, const sgs_tree *t)
{
    if (!is_device(t))
        return expected(r, key, "'cpu', or 'cuda:0' for the first GPU", t);
    r->q->device = t->bytes->p;
    r->q->device_line = (int)t->line;
    return SGS_OK;
}

static sgs_status read_mixed(const reading *r, const char *key, const sgs_tree *t)
{
    const bool pair = t->kind == SGS_TREE_LIST && t->list->n == 2 && t->list->item[0].kind == SGS_TREE_WHOLE &&
                      t->list->item[1].kind == SGS_TREE_WHOLE;
    const int64_t low = pair ? t->list->item[0].whole : 0, high = pair ? t->list->item[1].whole : 0;
    if (pair && !(low == 4 && high == 8) && !(low == 8 && high == 16)) {
        sgs_fail(r->d, SGS_E_CONFIG, "%s: expected [4, 8] or [8, 16], found [%lld, %lld]", key, (long long)low,
                 (long long)high);
        return sgs_fail_at(r->d, r->q->file, (int)t->line, NULL);
    }
    if (!pair)
        return expected(r, key, "[4, 8] or [8, 16]", t);
    r->q->mixed[0] = (int)low;
    r->q->mixed[1] = (int)high;
    r->q->mixed_line = (int)t->line;
    return SGS_OK;
}

static sgs_status read_use(const reading *r, const char *key, const sgs_tree *t)
{
    if ((t->kind != SGS_TREE_WHOLE && t->kind != SGS_TREE_TRUTH) || t->whole < 0 || t->whole > 1)
        return expected(r, key, "0 or 1", t);
    r->q->use_preset = t->whole == 1;
    return SGS_OK;
}

static sgs_status read_rate(const reading *r, const char *key, const sgs_tree *t)
{
    double v;
    if (!sgs_tree_number(t, &v) || !(v >= 0.25 && v <= 1))
        return expected(r, key, "a number in [0.25, 0.5) for [4, 8], in [0.5, 1] for [8, 16]", t);
    r->q->mp_rate = v;
    r->q->rate_line = (int)t->line;
    return SGS_OK;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static sgs_status unknown_key(const reading *r, const sgs_tree *key)
{
    const char *near = sgs_nearest(key->bytes->p, keys, NKEYS);
    sgs_fail(r->d, SGS_E_CONFIG, "unknown key '%.100s'", key->bytes->p);
    sgs_hint(r->d,
             "%s%s%sthe keys are retrain_iter_num, device, mixed_precisions, use_preset_min_max_bit, mp_rate and "
             "PRESET_MIN_MAX_BIT",
             near ? "did you mean '" : "", near ? near : "", near ? "'? " : "");
    return sgs_fail_at(r->d, r->q->file, (int)key->line, NULL);
}

static sgs_status read_preset(reading *r, const sgs_tree *key, const sgs_tree *t)
{
    if (r->preset) {
        sgs_fail(r->d, SGS_E_CONFIG, "PRESET_MIN_MAX_BIT stands under QUANT_CONFIG and beside it");
        return sgs_fail_at(r->d, r->q->file, (int)key->line, NULL);
    }
    r->preset = t;
    r->q->preset_line = (int)key->line;
    return SGS_OK;
}

static sgs_status read_key(reading *r, const sgs_tree *key, const sgs_tree *t)
{
    static sgs_status (*const read[])(const reading *r, const char *key, const sgs_tree *t) = {
        read_iterations, read_device, read_mixed, read_use, read_rate
    };
    int k = 0;
    while (k < NKEYS && strcmp(key->bytes->p, keys[k]))
        k++;
    if (k == NKEYS)
        return unknown_key(r, key);
    if (t->kind == SGS_TREE_NONE)
        return SGS_OK; /* as if it were not there */
    return keys[k] == PRESET ? read_preset(r, key, t) : read[k](r, keys[k], t);
}

static bool is_known(const char *key)
{
    for (int k = 0; k < NKEYS; k++)
        if (!strcmp(key, keys[k]))
            return true;
    return false;
}

static sgs_status wrong_top(const reading *r, const sgs_tree *key)
{
    if (is_known(key->bytes->p)) {
        sgs_fail(r->d, SGS_E_CONFIG, "'%s' stands beside QUANT_CONFIG, expected it under it", key->bytes->p);
        sgs_hint(r->d, "begin the line with two blanks, as those of the other settings");
    } else {
        sgs_fail(r->d, SGS_E_CONFIG, "unknown key '%.100s'; expected QUANT_CONFIG, and PRESET_MIN_MAX_BIT under or beside it",
                 key->bytes->p);
    }
    return sgs_fail_at(r->d, r->q->file, (int)key->line, NULL);
}

/* A QUANT_CONFIG without settings is one of defaults. */
static sgs_status read_settings(reading *r, const sgs_tree *t)
{
    if (t->kind == SGS_TREE_NONE)
        return SGS_OK;
    if (t->kind != SGS_TREE_DICT)
        return expected(r, "QUANT_CONFIG", "settings, KEY: VALUE, a line each", t);
    for (size_t i = 0; i < t->list->n; i += 2)
        SGS_TRY(read_key(r, &t->list->item[i], &t->list->item[i + 1]));
    return SGS_OK;
}

static sgs_status read_top(reading *r, const sgs_tree *t)
{
    bool found = false;
    for (size_t i = 0; t->kind == SGS_TREE_DICT && i < t->list->n; i += 2) {
        const sgs_tree *key = &t->list->item[i], *value = key + 1;
        const bool settings = !strcmp(key->bytes->p, "QUANT_CONFIG");
        found |= settings;
        if (settings)
            SGS_TRY(read_settings(r, value));
        else if (strcmp(key->bytes->p, PRESET))
            return wrong_top(r, key);
        else
            SGS_TRY(read_key(r, key, value));
    }
    if (found)
        return SGS_OK;
    sgs_fail(r->d, SGS_E_CONFIG, "expected QUANT_CONFIG: and settings under it, found %s",
             t->kind == SGS_TREE_DICT ? "none" : sgs_tree_word(t));
    return sgs_fail_at(r->d, r->q->file, (int)t->line, NULL);
}

/* Names are those of some model only where they are used. */
static sgs_status read(sgs_quant_config *q, sgs_span text, sgs_diag *d)
{
    reading r = { .q = q, .d = d };
    sgs_tree t;
    SGS_TRY(sgs_yaml_parse(&t, q->arena, q->file, text, d));
    SGS_TRY(read_top(&r, &t));
    q->preset = (sgs_params){ .file = q->file, .arena = q->arena };
    if (q->use_preset && !r.preset) {
        sgs_fail(d, SGS_E_CONFIG, "use_preset_min_max_bit is 1, but there is no PRESET_MIN_MAX_BIT");
        return sgs_fail_at(d, q->file, 0, NULL);
    }
    return q->use_preset ? sgs_params_preset(&q->preset, r.preset, d) : SGS_OK;
}

sgs_status sgs_quant_config_parse(sgs_quant_config **out, const char *file, sgs_span text, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    *out = NULL;
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_quant_config *q = SGS_NEW(a, sgs_quant_config);
    *q = (sgs_quant_config){ .file = sgs_strdup(a, file), .arena = a };
    const sgs_status s = read(q, text, d);
    if (s == SGS_OK)
        *out = q;
    else
        sgs_arena_free(a);
    return s;
}

sgs_status sgs_quant_config_read(sgs_quant_config **out, const char *path, sgs_diag *d)
{
    sgs_file f;
    *out = NULL;
    SGS_TRY(sgs_file_open(&f, path, d));
    const sgs_status s = sgs_quant_config_parse(out, path, f.data, d);
    sgs_file_close(&f);
    return s;
}

void sgs_quant_config_free(sgs_quant_config *q)
{
    if (q)
        sgs_arena_free(q->arena);
}
