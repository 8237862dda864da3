/* The time of each layer of an image, on made inputs, beside its multiply-accumulates and what the machine can do at most. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "openipu/ipu_host.h"
#include "sim/simulator.h"

#define RUNS 50
#define RUNS_MOST 100000
#define PEAKS_MOST 16
#define CONSOLE_NAME 100

typedef struct profile {
    const sgs_profile_options *o;
    sgs_opened at;
    const sgs_model_info *info;
    int threads, runs, run; /* run: under way */
    int *layer_of;          /* [records]: which of info's layers */
    double *us;             /* [layers][runs] */
    double *whole, *passed; /* [runs]: by `clock`; by everybody's */
    clockid_t clock;        /* the processor time of a thread that works alone, which other programs do not add to */
    double last;            /* when the record before ended */
    double peak[SGS_PEAK_WORDS + 1]; /* by SGS_PEAK_BYTES, SGS_PEAK_WORDS */
} profile;

static double now_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

/* ---- one run after the other ----------------------------------------------------------------------------------- */

static void record_done(void *user, uint32_t record)
{
    profile *p = user;
    const double t = now_us(p->clock);
    p->us[(size_t)p->layer_of[record] * (size_t)p->runs + (size_t)p->run] += t - p->last;
    p->last = t;
}

/* Made numbers: any bytes, floats and indices of ordinary size. */
static void make_input(void *data, const ipu_tensor *t)
{
    uint32_t seed = 1;
    for (size_t i = 0; i < t->bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        if (t->type == IPU_F32 && i % sizeof(float) == 0)
            ((float *)data)[i / sizeof(float)] = (float)(seed >> 8) * 0x1p-23f - 1;
        else if (t->type != IPU_F32 && t->type != IPU_S32)
            ((uint8_t *)data)[i] = (uint8_t)(seed >> 24);
    }
}

static void make_tables(profile *p)
{
    int record = 0, records = 0;
    for (int i = 0; i < p->info->nlayer; i++)
        records += p->info->layer[i].records;
    p->layer_of = SGS_NEW_N(p->at.arena, int, records + 1);
    for (int i = 0; i < p->info->nlayer; i++)
        for (int k = 0; k < p->info->layer[i].records; k++)
            p->layer_of[record++] = i;
    p->us = SGS_NEW_N(p->at.arena, double, (size_t)p->info->nlayer *(size_t)p->runs + 1);
    p->whole = SGS_NEW_N(p->at.arena, double, p->runs + 1);
    p->passed = SGS_NEW_N(p->at.arena, double, p->runs + 1);
}

static sgs_status measure(profile *p, sgs_diag *d)
{
    const ipu_observer watch = { record_done, p };
    for (int k = -1; k < p->runs; k++) { /* the first warms up */
        p->run = k < 0 ? 0 : k;
        const double start = now_us(CLOCK_MONOTONIC), begin = p->last = now_us(p->clock);
        const ipu_status s = ipu_run_observed(p->at.image, p->at.scratch, (const void *const *)p->at.in, p->at.out, p->at.par, &watch);
        if (s != IPU_OK)
            return sgs_fail(d, SGS_E_INTERNAL, "the runtime: %s", ipu_status_text(s));
        p->whole[p->run] = now_us(p->clock) - begin;
        p->passed[p->run] = now_us(CLOCK_MONOTONIC) - start;
        if (k < 0)
            memset(p->us, 0, sizeof *p->us * (size_t)p->info->nlayer * (size_t)p->runs);
    }
    return SGS_OK;
}

/* ---- shown ----------------------------------------------------------------------------------------------------- */

static int smaller_first(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, smaller_first);
    return (x[n / 2] + x[(n - 1) / 2]) / 2;
}

static void take_peaks(profile *p, uint32_t mask)
{
    sgs_peak peak[PEAKS_MOST];
    const int n = sgs_measure_peaks(mask, p->threads, peak, PEAKS_MOST);
    for (unsigned numbers = SGS_PEAK_BYTES; numbers <= SGS_PEAK_WORDS; numbers <<= 1)
        for (int i = 0; i < n && !p->peak[numbers]; i++)
            if (peak[i].numbers & numbers) {
                p->peak[numbers] = peak[i].gops;
                sgs_log_line(&p->o->log, "peak of kernels of %s: %.1f GOP/s (%s)",
                             numbers == SGS_PEAK_BYTES ? "bytes" : "words", peak[i].gops, peak[i].text);
            }
}

static void show_layer(const profile *p, const sgs_layer_cost *l, double us, double all)
{
    char speed[64] = "               ";
    const double gops = us > 0 ? 2e-3 * (double)l->mac / us : 0;
    const unsigned numbers = strstr(l->kernel, "_U8") ? SGS_PEAK_BYTES : SGS_PEAK_WORDS;
    if (l->mac)
        snprintf(speed, sizeof speed, "%8.1f %5.1f%%", gops, 100 * gops / p->peak[numbers]);
    sgs_log_line(&p->o->log, "  %10.1f %5.1f%% %14" PRId64 " %-15s  %-16s %5d  %.*s", us, all > 0 ? 100 * us / all : 0, l->mac,
                 speed, l->kernel, l->records, CONSOLE_NAME, l->name);
}

static void show(profile *p)
{
    const int n = p->info->nlayer;
    double all = 0, *us = SGS_NEW_N(p->at.arena, double, n + 1);
    for (int i = 0; i < n; i++)
        all += us[i] = median(p->us + (size_t)i * (size_t)p->runs, p->runs);
    sgs_log_line(&p->o->log, "layers in the order they run, medians of %d runs, %s:", p->runs,
                 p->threads > 1 ? sgs_format(p->at.arena, "%d threads, by the clock", p->threads) : "processor time of one thread");
    sgs_log_line(&p->o->log, "  %10s %6s %14s %8s %6s  %-16s %5s  %s", "us", "share", "MACs", "GOP/s", "peak", "kernel", "calls",
                 "layer");
    for (int i = 0; i < n; i++)
        show_layer(p, p->info->layer + i, us[i], all);
    const double whole = median(p->whole, p->runs);
    const double gops = whole > 0 ? 2e-3 * (double)p->info->mac / whole : 0;
    if (p->threads > 1)
        sgs_log_line(&p->o->log, "a run: %.1f us by the clock, %.1f GOP/s", whole, gops);
    else
        sgs_log_line(&p->o->log, "a run: %.1f us of the processor, %.1f by the clock, %.1f GOP/s", whole, median(p->passed, p->runs), gops);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static sgs_status run_profile(profile *p, sgs_diag *d)
{
    ipu_tensor t;
    for (int i = 0; ipu_input(p->at.image, i, &t) == IPU_OK; i++)
        make_input(p->at.in[i], &t);
    make_tables(p);
    take_peaks(p, p->o->simulator.cpu_mask_set ? p->o->simulator.cpu_mask : UINT32_MAX);
    SGS_TRY(measure(p, d));
    show(p);
    return SGS_OK;
}

sgs_status sgs_profile(const sgs_profile_options *o, sgs_diag *d)
{
    sgs_simulator *s = NULL;
    sgs_model_info *info = NULL;
    sgs_simulator_options machine = o->simulator;
    if (!o->model)
        return sgs_fail(d, SGS_E_USAGE, "expected an image to profile");
    if (o->runs < 0 || o->runs > RUNS_MOST)
        return sgs_fail(d, SGS_E_USAGE, "expected 1 to %d runs, found %d", RUNS_MOST, o->runs);
    machine.kind = SGS_OFFLINE;
    sgs_status status = sgs_simulator_open(&s, o->model, &machine, d);
    if (status == SGS_OK)
        status = sgs_describe(o->model, NULL, &info, d);
    if (status == SGS_OK)
        status = run_profile(&(profile){ .o = o,
                                         .at = sgs_simulator_opened(s),
                                         .info = info,
                                         .threads = machine.threads > 1 ? machine.threads : 1,
                                         .clock = machine.threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID,
                                         .runs = o->runs ? o->runs : RUNS },
                             d);
    sgs_model_info_free(info);
    sgs_simulator_close(s);
    return status;
}
