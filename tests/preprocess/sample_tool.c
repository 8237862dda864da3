/* Runs a preprocessing script over samples as the tools do, for test_preprocess.py.
 *
 *     sample_tool NORM INPUTS TYPE DIMS -i IMAGES -n SCRIPTS [-j WORKERS] [-t SECONDS] [-p INI]
 *
 * With -p: only the preflight against that ini, its warnings on stdout.  Else each sample becomes a line: its pictures,
 * and per input the sum of its converted elements' bytes weighted by position.  A failure becomes the message the tools
 * would show, on stderr, and exit status 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preprocess/preprocess.h"

static sgs_type type_called(const char *name)
{
    for (int t = 0; t < SGS_TYPE_COUNT; t++)
        if (!strcmp(sgs_type_name((sgs_type)t), name))
            return (sgs_type)t;
    exit(2);
}

static uint64_t checksum(const uint8_t *p, size_t n)
{
    uint64_t sum = n;
    for (size_t i = 0; i < n; i++)
        sum = sum * 31 + p[i];
    return sum;
}

static sgs_status print_sample(const sgs_samples *s, int sample, int ninput, const sgs_array *array,
                               const sgs_want *want, sgs_diag *d)
{
    size_t bytes = (size_t)sgs_type_bytes(want->type);
    for (int i = 0; i < want->rank; i++)
        bytes *= (size_t)want->dim[i];
    uint8_t *out = malloc(bytes ? bytes : 1);
    sgs_status status = SGS_OK;
    for (int i = 0; i < ninput && status == SGS_OK; i++) {
        status = sgs_samples_take(s, i, &array[i], want, out, d);
        if (status == SGS_OK)
            printf("%s %s %llx", i ? "" : "sample", sgs_samples_path(s, sample, i),
                   (unsigned long long)checksum(out, bytes));
    }
    printf("\n");
    free(out);
    return status;
}

static sgs_status run(const sgs_samples_options *o, int ninput, bool norm, const sgs_want *want, sgs_diag *d)
{
    sgs_samples *s;
    SGS_TRY(sgs_samples_open(&s, o, ninput, norm, d));
    sgs_array array[8];
    bool end = false;
    sgs_status status = SGS_OK;
    for (int i = 0; status == SGS_OK; i++) {
        status = sgs_samples_next(s, array, &end, d);
        if (end)
            break;
        if (status == SGS_OK)
            status = print_sample(s, i, ninput, array, want, d);
    }
    sgs_samples_close(s);
    return status;
}

static void print_warning(void *user, bool warning, const char *text)
{
    printf("%s: %s\n", warning ? "warning" : "line", text);
}

static sgs_status preflight(const char *ini, const sgs_samples_options *o, const sgs_want *want, sgs_diag *d)
{
    const sgs_log log = { .line = print_warning };
    const sgs_want all[2] = { *want, *want };
    sgs_config *c;
    SGS_TRY(sgs_config_read(&c, ini, d));
    sgs_status s = sgs_preflight(c, o, all, &log, d);
    sgs_config_free(c);
    return s;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    int64_t dim[SGS_MAX_RANK];
    sgs_want want = { .name = "data", .type = type_called(argv[3]), .dim = dim };
    for (char *p = strtok(argv[4], "x"); p; p = strtok(NULL, "x"))
        dim[want.rank++] = atoll(p);
    sgs_samples_options o = { 0 };
    const char *ini = NULL;
    for (int c; (c = getopt(argc - 4, argv + 4, "i:n:j:t:p:")) != -1;) {
        switch (c) {
        case 'i':
            o.images = optarg;
            break;
        case 'n':
            o.preprocess = optarg;
            break;
        case 'j':
            o.num_process = atoi(optarg);
            break;
        case 't':
            o.timeout = atoi(optarg);
            break;
        case 'p':
            ini = optarg;
            break;
        default:
            return 2;
        }
    }
    sgs_diag d = { 0 };
    if ((ini ? preflight(ini, &o, &want, &d) : run(&o, atoi(argv[2]), atoi(argv[1]), &want, &d)) == SGS_OK)
        return 0;
    char text[4096];
    sgs_diag_format(&d, text, sizeof text);
    fputs(text, stderr);
    return 1;
}
