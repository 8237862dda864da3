/* A worker that runs draw.py. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preprocess/workers.h"

#define ARRAYS 2
#define TIMEOUT 300

struct sgs_canvas {
    sgs_arena *arena;
    sgs_crew crew;
    sgs_worker worker;
    void *data[ARRAYS];
};

sgs_status sgs_canvas_open(sgs_canvas **out, sgs_diag *d)
{
    static const char *const place[ARRAYS] = { "-c Detection", "-c Detection" }; /* where messages say it happened */
    sgs_arena *a = sgs_arena_new();
    *out = NULL;
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_canvas *c = SGS_NEW(a, sgs_canvas);
    *c = (sgs_canvas){ .arena = a, .worker = { .talk = -1 } };
    c->crew = (sgs_crew){ .source = sgs_draw_source,
                          .script = place,
                          .ninput = ARRAYS,
                          .timeout = TIMEOUT,
                          .python = sgs_python(a),
                          .life = { -1, -1 } };
    sgs_status s = SGS_OK;
    if (pipe2(c->crew.life, O_CLOEXEC) < 0)
        s = sgs_fail(d, SGS_E_LIMIT, "cannot make a pipe: %s", strerror(errno));
    if (s == SGS_OK)
        s = sgs_worker_start(&c->worker, &c->crew, d);
    if (s == SGS_OK)
        *out = c;
    else
        sgs_canvas_close(c);
    return s;
}

sgs_status sgs_canvas_draw(sgs_canvas *c, const char *path, const char *boxes, int32_t size[2], sgs_span *png,
                           sgs_diag *d)
{
    char *const text[ARRAYS] = { (char *)path, (char *)boxes };
    sgs_array array[ARRAYS];
    SGS_TRY(sgs_worker_ask(&c->worker, &c->crew, text, d));
    SGS_TRY(sgs_worker_answer(&c->worker, &c->crew, text, array, c->data, d));
    size[0] = size[1] = 0;
    if (array[0].bytes == 2 * sizeof *size)
        memcpy(size, array[0].data, 2 * sizeof *size);
    *png = (sgs_span){ array[1].data, array[1].bytes };
    return SGS_OK;
}

void sgs_canvas_close(sgs_canvas *c)
{
    if (!c)
        return;
    sgs_worker_end(&c->worker, true);
    for (int i = 0; i < 2; i++)
        if (c->crew.life[i] >= 0)
            close(c->crew.life[i]);
    for (int i = 0; i < ARRAYS; i++)
        free(c->data[i]);
    sgs_arena_free(c->arena);
}
