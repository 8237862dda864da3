/* Samples in order from several workers: sample i is worker i mod n's, which gets its next request as soon as its
 * answer is read; an answer that is not read yet holds its worker back. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preprocess/workers.h"

#define WORKERS_DEFAULT 10
#define WORKERS_MAX 512 /* half of what sgs_cleanup can end */
#define TIMEOUT_DEFAULT 300

struct sgs_samples {
    sgs_arena *arena;
    sgs_pictures pictures;
    sgs_crew crew;
    sgs_worker *worker;
    int nworker;
    int started, next; /* workers; samples */
    void **data;       /* [ninput], of the last answer */
    bool failed;
};

/* ---- scripts --------------------------------------------------------------------------------------------------- */

static sgs_status check_script(const char *path, sgs_diag *d)
{
    struct stat st;
    if (stat(path, &st) < 0)
        sgs_fail(d, SGS_E_SCRIPT, "cannot read the preprocessing script: %s", strerror(errno));
    else if (!S_ISREG(st.st_mode))
        sgs_fail(d, SGS_E_SCRIPT, "expected a preprocessing script, found %s",
                 S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    else if (access(path, R_OK) < 0)
        sgs_fail(d, SGS_E_SCRIPT, "cannot read the preprocessing script: %s", strerror(errno));
    else
        return SGS_OK;
    sgs_fail_at(d, path, 0, NULL);
    return SGS_E_SCRIPT;
}

/* A bare name that no file bears: that script of the SDK tree, which the tools' launchers name in SGS_IPU_DIR. */
static const char *find_script(sgs_arena *a, const char *name)
{
    const char *sdk = getenv("SGS_IPU_DIR"), *end = strrchr(name, '.');
    if (!sdk || !name[0] || strchr(name, '/') || access(name, F_OK) == 0)
        return name;
    const char *path = sgs_format(a, "%s/Scripts/calibrator/preprocess_method/%s%s", sdk, name,
                                  end && !strcmp(end, ".py") ? "" : ".py");
    return access(path, F_OK) == 0 ? path : name;
}

/* "a.py, b.py" apart. */
static const char **split(sgs_arena *a, const char *list, int *count)
{
    int n = 1;
    for (const char *p = list; *p; p++)
        n += *p == ',';
    const char **part = SGS_NEW_N(a, const char *, n);
    for (int i = 0; i < n; i++) {
        list += strspn(list, " ");
        const size_t all = strcspn(list, ",");
        size_t used = all;
        while (used && list[used - 1] == ' ')
            used--;
        part[i] = sgs_strndup(a, list, used);
        list += all + 1;
    }
    *count = n;
    return part;
}

static sgs_status take_scripts(sgs_samples *s, const char *list, sgs_diag *d)
{
    if (!list || !list[0])
        return sgs_fail(d, SGS_E_USAGE, "expected a preprocessing script behind -n, found nothing");
    int n;
    const char **script = split(s->arena, list, &n);
    s->crew.script = script;
    if (n != s->crew.ninput) {
        sgs_fail(d, SGS_E_USAGE, "-n: expected %d preprocessing script%s, one for each input of the model, found %d",
                 s->crew.ninput, s->crew.ninput == 1 ? "" : "s", n);
        sgs_hint(d, "separate them with commas, in the order of inputs in input_config.ini");
        return SGS_E_USAGE;
    }
    for (int i = 0; i < n; i++) {
        script[i] = find_script(s->arena, script[i]);
        SGS_TRY(check_script(script[i], d));
    }
    return SGS_OK;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static int worker_count(int wanted, int samples)
{
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int n = wanted;
    if (n <= 0)
        n = cpus > 0 && cpus < WORKERS_DEFAULT ? (int)cpus : WORKERS_DEFAULT;
    n = n < WORKERS_MAX ? n : WORKERS_MAX;
    return n < samples ? n : samples;
}

static sgs_status open_samples(sgs_samples *s, const sgs_samples_options *o, int ninput, sgs_diag *d)
{
    SGS_TRY(sgs_pictures_list(&s->pictures, s->arena, o->images, ninput, d));
    SGS_TRY(take_scripts(s, o->preprocess, d));
    s->crew.timeout = o->timeout > 0 ? o->timeout : TIMEOUT_DEFAULT;
    s->crew.python = sgs_python(s->arena);
    s->nworker = worker_count(o->num_process, s->pictures.count);
    s->worker = SGS_NEW_N(s->arena, sgs_worker, s->nworker);
    s->data = SGS_NEW_N(s->arena, void *, 2 * ninput);
    if (pipe2(s->crew.life, O_CLOEXEC) < 0)
        return sgs_fail(d, SGS_E_LIMIT, "cannot make a pipe: %s", strerror(errno));
    return SGS_OK;
}

sgs_status sgs_samples_open(sgs_samples **out, const sgs_samples_options *o, int ninput, bool norm, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_samples *s = SGS_NEW(a, sgs_samples);
    s->arena = a;
    s->crew = (sgs_crew){ .source = sgs_worker_source, .ninput = ninput, .norm = norm, .life = { -1, -1 } };
    sgs_status status = open_samples(s, o, ninput, d);
    if (status != SGS_OK) {
        sgs_samples_close(s);
        s = NULL;
    }
    *out = s;
    return status;
}

int sgs_samples_count(const sgs_samples *s)
{
    return s->pictures.count;
}

static char *const *paths_of(const sgs_samples *s, int sample)
{
    return s->pictures.path + (size_t)sample * (size_t)s->pictures.ninput;
}

const char *sgs_samples_path(const sgs_samples *s, int sample, int input)
{
    return paths_of(s, sample)[input];
}

const char *const *sgs_samples_scripts(const sgs_samples *s)
{
    return s->crew.script;
}

void sgs_samples_keep(sgs_samples *s, const bool *keep)
{
    const int each = s->pictures.ninput, n = s->pictures.count;
    s->pictures.count = 0;
    for (int i = 0; i < n; i++)
        if (keep[i])
            memmove(s->pictures.path + (size_t)s->pictures.count++ * (size_t)each,
                    s->pictures.path + (size_t)i * (size_t)each, (size_t)each * sizeof *s->pictures.path);
    s->nworker = s->nworker < s->pictures.count ? s->nworker : s->pictures.count;
}

void sgs_samples_files(sgs_samples *s)
{
    s->crew.files = true;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static sgs_status start_all(sgs_samples *s, sgs_diag *d)
{
    for (; s->started < s->nworker; s->started++) {
        sgs_worker *w = &s->worker[s->started];
        SGS_TRY(sgs_worker_start(w, &s->crew, d));
        sgs_status status = sgs_worker_ask(w, &s->crew, paths_of(s, s->started), d);
        if (status != SGS_OK) {
            s->started++;
            return status;
        }
    }
    return SGS_OK;
}

static sgs_status next_sample(sgs_samples *s, sgs_array *array, sgs_diag *d)
{
    SGS_TRY(start_all(s, d));
    sgs_worker *w = &s->worker[s->next % s->nworker];
    SGS_TRY(sgs_worker_answer(w, &s->crew, paths_of(s, s->next), array, s->data, d));
    if (s->pictures.count - s->next > s->nworker)
        SGS_TRY(sgs_worker_ask(w, &s->crew, paths_of(s, s->next + s->nworker), d));
    else
        sgs_worker_dismiss(w);
    s->next++;
    return SGS_OK;
}

sgs_status sgs_samples_next(sgs_samples *s, sgs_array *array, bool *end, sgs_diag *d)
{
    *end = s->next == s->pictures.count;
    if (*end)
        return SGS_OK;
    if (s->failed)
        return sgs_fail(d, SGS_E_SCRIPT, "no samples after a failed one");
    sgs_status status = next_sample(s, array, d);
    s->failed = status != SGS_OK;
    return status;
}

void sgs_samples_close(sgs_samples *s)
{
    if (!s)
        return;
    const bool done = s->next == s->pictures.count;
    for (int i = 0; i < s->started; i++)
        sgs_worker_end(&s->worker[i], !done);
    for (int i = 0; i < 2; i++)
        if (s->crew.life[i] >= 0)
            close(s->crew.life[i]);
    for (int i = 0; s->data && i < sgs_crew_arrays(&s->crew); i++)
        free(s->data[i]);
    sgs_arena_free(s->arena);
}

/* The picture of the last answer, for take.c. */
const char *sgs_samples_last(const sgs_samples *s, int input, const char **script, bool *norm)
{
    *script = s->crew.script[input];
    *norm = s->crew.norm;
    return sgs_samples_path(s, s->next ? s->next - 1 : 0, input);
}
