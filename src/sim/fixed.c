/* The fixed simulator: the runtime's kernels on plainly lowered records.  A record is proved once, like those of an
 * image. */
#include "sim/fixed.h"

#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "runtime/share.h"
#include "sim/values.h"

typedef struct step {
    const ipu_rec *rec;
    ipu_kernel_fn run;
    void *p[IPU_MAX_REF];
} step;

struct sgs_fixed {
    sgs_arena *a;
    sgs_graph *g;
    const ipu_parallel *par;
    sgs_program program;
    bool borrows;  /* program and consts are another's */
    void **memory; /* by buffer number */
    int64_t *bytes;
    uint8_t *consts; /* the program's, aligned */
    step *step;
};

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static int64_t buffer_bytes(const sgs_fixed *f, const sgs_buffer *b)
{
    if (b->space == IPU_INPUT)
        return sgs_value_bytes(f->g->in[b->index]);
    return b->space == IPU_OUTPUT ? sgs_value_bytes(f->g->out[b->index]) : b->bytes;
}

static sgs_status make_memory(sgs_fixed *f, sgs_diag *d)
{
    const sgs_program *p = &f->program;
    f->memory = SGS_NEW_N(f->a, void *, p->nbuffer + 1);
    f->bytes = SGS_NEW_N(f->a, int64_t, p->nbuffer + 1);
    for (int i = 0; i < p->nbuffer; i++) {
        f->bytes[i] = buffer_bytes(f, p->buffer + i);
        f->memory[i] = sgs_try_alloc(f->a, (size_t)f->bytes[i]);
        if (!f->memory[i])
            return sgs_fail(d, SGS_E_LIMIT, "no memory for a tensor of %lld bytes", (long long)f->bytes[i]);
    }
    return SGS_OK;
}

static sgs_status take_consts(sgs_fixed *f, sgs_diag *d)
{
    const sgs_program *p = &f->program;
    f->consts = sgs_try_alloc(f->a, p->consts.n + 1);
    if (!f->consts)
        return sgs_fail(d, SGS_E_LIMIT, "no memory for %zu bytes of constants", p->consts.n);
    if (p->consts.n)
        memcpy(f->consts, p->consts.p, p->consts.n);
    return SGS_OK;
}

/* ---- proof ----------------------------------------------------------------------------------------------------- */

/* Bytes from a window's first to behind its last; no stride is negative. */
static bool inside(const ipu_ref *r, int64_t bytes)
{
    const int64_t extent[4][2] = { { r->n, r->img }, { r->h, r->row }, { r->w, r->pix }, { r->c, r->step } };
    int64_t end = (int64_t)r->off + ipu_type_bytes(r->type), part;
    for (int i = 0; i < 4; i++)
        if (extent[i][0] < 1 || !sgs_mul64(extent[i][0] - 1, extent[i][1], &part) || !sgs_add64(end, part, &end))
            return false;
    return end <= bytes;
}

static bool numbers_finite(const sgs_fixed *f, const ipu_ref *r)
{
    if (r->space != IPU_CONST || r->type != IPU_F32)
        return true;
    const float *v = (const void *)(f->consts + r->off);
    for (int32_t i = 0; i < r->c; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

static bool operand_ok(const sgs_fixed *f, const ipu_ref *r)
{
    const int64_t bytes = r->space == IPU_CONST ? (int64_t)f->program.consts.n : f->bytes[r->index];
    return inside(r, bytes) && numbers_finite(f, r);
}

static void place_operands(const sgs_fixed *f, const ipu_ref *ref, step *s)
{
    for (int i = 0; i < s->rec->nref; i++)
        if (ref[i].space != IPU_NONE)
            s->p[i] = (ref[i].space == IPU_CONST ? f->consts : (uint8_t *)f->memory[ref[i].index]) + ref[i].off;
}

static sgs_status make_step(sgs_fixed *f, const sgs_record *record, const ipu_kernel_row *kernel, step *s, sgs_diag *d)
{
    const ipu_ref *ref = sgs_refs(record);
    bool ok = kernel->run && kernel->check && kernel->check(record->rec);
    for (int i = 0; ok && i < record->rec->nref; i++)
        ok = ref[i].space == IPU_NONE || operand_ok(f, ref + i);
    if (!ok) {
        sgs_fail(d, SGS_E_MODEL, "no kernel takes this layer: a shape or a scale is out of range");
        sgs_fail_at(d, NULL, 0, record->layer);
        return SGS_E_MODEL;
    }
    *s = (step){ .rec = record->rec, .run = kernel->run };
    place_operands(f, ref, s);
    return SGS_OK;
}

/* Where a graph input lies is what changes; biases may have become a step's own. */
void sgs_fixed_lend(sgs_fixed *f, int i, void *data)
{
    f->memory[i] = data;
    for (int k = 0; k < f->program.nrecord; k++) {
        const ipu_ref *ref = sgs_refs(f->program.record + k);
        for (int n = 0; n < f->program.record[k].rec->nref; n++)
            if (ref[n].space != IPU_NONE && ref[n].space != IPU_CONST && ref[n].index == i)
                f->step[k].p[n] = (uint8_t *)data + ref[n].off;
    }
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static sgs_status prepare(sgs_fixed *f, const ipu_kernels *kernels, sgs_diag *d)
{
    const sgs_program *p = &f->program;
    SGS_TRY(sgs_lower_plain(&f->program, f->g, d));
    SGS_TRY(make_memory(f, d));
    SGS_TRY(take_consts(f, d));
    f->step = SGS_NEW_N(f->a, step, p->nrecord + 1);
    for (int i = 0; i < p->nrecord; i++)
        SGS_TRY(make_step(f, p->record + i, &kernels->row[p->record[i].rec->kind], f->step + i, d));
    return SGS_OK;
}

sgs_status sgs_fixed_new(sgs_fixed **out, sgs_graph *g, const ipu_kernels *kernels, const ipu_parallel *par,
                         sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    *out = NULL;
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_fixed *f = SGS_NEW(a, sgs_fixed);
    *f = (sgs_fixed){ .a = a, .g = g, .par = par };
    const sgs_status s = prepare(f, kernels, d);
    if (s == SGS_OK)
        *out = f;
    else
        sgs_fixed_free(f);
    return s;
}

sgs_status sgs_fixed_again(sgs_fixed **out, const sgs_fixed *first, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    *out = NULL;
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_fixed *f = SGS_NEW(a, sgs_fixed);
    *f = *first;
    f->a = a;
    f->borrows = true;
    const sgs_status s = make_memory(f, d);
    if (s != SGS_OK) {
        sgs_fixed_free(f);
        return s;
    }
    f->step = SGS_NEW_N(a, step, f->program.nrecord + 1);
    for (int i = 0; i < f->program.nrecord; i++) {
        f->step[i] = (step){ .rec = first->step[i].rec, .run = first->step[i].run };
        place_operands(f, sgs_refs(f->program.record + i), f->step + i);
    }
    *out = f;
    return SGS_OK;
}

void sgs_fixed_free(sgs_fixed *f)
{
    if (!f)
        return;
    if (!f->borrows)
        sgs_program_free(&f->program);
    sgs_arena_free(f->a);
}

/* Buffers of inputs come first, then those of outputs. */
void *sgs_fixed_input(const sgs_fixed *f, int i)
{
    return f->memory[i];
}

const void *sgs_fixed_output(const sgs_fixed *f, int i)
{
    return f->memory[f->g->nin + i];
}

void *sgs_fixed_data(const sgs_fixed *f, const sgs_value *v)
{
    const int buffer = f->program.buffer_of[v->id];
    return buffer < 0 ? NULL : f->memory[buffer];
}

int64_t sgs_fixed_mac(const sgs_fixed *f, const sgs_node *n)
{
    int64_t mac = 0;
    for (int i = 0; i < f->program.nrecord; i++)
        mac += f->program.record[i].node == n ? f->program.record[i].mac : 0;
    return mac;
}

int64_t sgs_fixed_const_bytes(const sgs_fixed *f, const sgs_node *n)
{
    int64_t bytes = 0;
    for (int i = 0; i < f->program.nrecord; i++) {
        const sgs_record *r = f->program.record + i;
        const ipu_ref *ref = sgs_refs(r);
        for (int k = 0; r->node == n && k < r->rec->nref; k++)
            if (ref[k].space == IPU_CONST &&
                (ref[k].type == IPU_S8 || ref[k].type == IPU_S16 || ref[k].type == IPU_S32 || ref[k].type == IPU_S64))
                bytes += (int64_t)ref[k].c * ipu_type_bytes(ref[k].type);
    }
    return bytes;
}

/* ---- a run ----------------------------------------------------------------------------------------------------- */

/* What the runtime asks of indices, whose image has no names to say it with. */
static sgs_status check_indices(const sgs_fixed *f, int input, sgs_diag *d)
{
    const sgs_value *v = f->g->in[input];
    const uint16_t *index = f->memory[input];
    for (const sgs_node *n = f->g->first; n; n = n->next) {
        if (n->op != &sgs_op_gather || n->in[1] != v)
            continue;
        const int64_t rows = n->in[0]->dim[((const sgs_axis_attr *)n->attr)->axis];
        for (int64_t k = 0; k < sgs_value_count(v); k++)
            if (index[k] >= rows)
                return sgs_fail(d, SGS_E_DATA, "input '%s': element %lld is index %d, '%s' has %lld rows",
                                sgs_value_label(f->g, v), (long long)k, index[k], sgs_node_label(f->g, n),
                                (long long)rows);
    }
    return SGS_OK;
}

static sgs_status check_numbers(const sgs_fixed *f, int input, sgs_diag *d)
{
    const sgs_value *in = f->g->in[input];
    const int64_t n = in->type == SGS_F32 ? sgs_value_count(in) : 0, bad = sgs_finite(f->memory[input], n);
    return bad == n ? SGS_OK
                    : sgs_fail(d, SGS_E_DATA, "input '%s': element %lld is NaN or infinity", sgs_value_label(f->g, in), (long long)bad);
}

static sgs_status check_inputs(const sgs_fixed *f, sgs_diag *d)
{
    for (int i = 0; i < f->g->nin; i++) {
        if (f->g->in[i]->type == SGS_U16)
            SGS_TRY(check_indices(f, i, d));
        SGS_TRY(check_numbers(f, i, d));
    }
    return SGS_OK;
}

static void run_step(const sgs_fixed *f, const step *s)
{
    ipu_run_record(s->rec, s->run, s->p, f->par);
}

void sgs_fixed_run_node(sgs_fixed *f, const sgs_node *n)
{
    for (int i = 0; i < f->program.nrecord; i++)
        if (f->program.record[i].node == n)
            run_step(f, f->step + i);
}

/* ---- other biases ---------------------------------------------------------------------------------------------- */

enum { WEIGHTS = 2, BIAS, MULTIPLIERS }; /* operands of both convolutions' records */

/* Constants that are equal lie in one place: what changes gets one of its own. */
static void add_bias(sgs_fixed *f, step *s, const ipu_ref *bias, const double *delta)
{
    const int64_t size = ipu_type_bytes(bias->type);
    void *own = sgs_alloc_n(f->a, (size_t)bias->c, (size_t)size);
    memcpy(own, s->p[BIAS], (size_t)(bias->c * size));
    for (int64_t c = 0; c < bias->c; c++) {
        if (bias->type == IPU_S64)
            ((int64_t *)own)[c] += (int64_t)rint(delta[c]);
        else
            ((int32_t *)own)[c] = (int32_t)fmin(fmax(((int32_t *)own)[c] + rint(delta[c]), INT32_MIN), INT32_MAX);
    }
    s->p[BIAS] = own;
}

/* Groups of outputs follow one another, phases of a transposed convolution have all of them each. */
void sgs_fixed_add_bias(sgs_fixed *f, const sgs_node *n, const double *delta)
{
    const int64_t outputs = n->out[0]->dim[n->out[0]->rank - 1];
    int64_t first = 0;
    for (int i = 0; i < f->program.nrecord; i++) {
        const ipu_rec *rec = f->program.record[i].rec;
        if (f->program.record[i].node != n || !(ipu_is_conv(rec->kind) || ipu_is_depthwise(rec->kind)))
            continue;
        const ipu_ref *ref = sgs_refs(f->program.record + i) + BIAS;
        add_bias(f, f->step + i, ref, delta + first % outputs);
        first += ref->c;
    }
}

/* ---- other weights --------------------------------------------------------------------------------------------- */

/* The constants of a record that was lowered anew, for step i of all. */
static void take_constants(sgs_fixed *const *f, int count, int i, const sgs_program *from, const sgs_record *record)
{
    const ipu_ref *ref = sgs_refs(record);
    for (int k = WEIGHTS; k <= MULTIPLIERS; k++) {
        const size_t bytes = (size_t)ref[k].c * (size_t)ipu_type_bytes(ref[k].type);
        void *own = memcpy(sgs_alloc(f[0]->a, bytes), from->consts.p + ref[k].off, bytes);
        for (int s = 0; s < count; s++)
            f[s]->step[i].p[k] = own;
    }
}

/* The node alone is a graph, too; its records come in the order that they had. */
sgs_status sgs_fixed_take_weights(sgs_fixed *const *f, int count, const sgs_node *n, sgs_diag *d)
{
    sgs_graph one = *f[0]->g;
    sgs_node alone = *n;
    sgs_program p;
    int next = 0;
    alone.next = alone.prev = NULL;
    one.first = one.last = &alone;
    one.nin = one.nout = 0;
    const sgs_status s = sgs_lower_plain(&p, &one, d);
    for (int i = 0; i < f[0]->program.nrecord && s == SGS_OK; i++)
        if (f[0]->program.record[i].node == n)
            take_constants(f, count, i, &p, &p.record[next++]);
    sgs_program_free(&p);
    return s;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

sgs_status sgs_fixed_run(sgs_fixed *f, sgs_diag *d)
{
    SGS_TRY(check_inputs(f, d));
    for (int i = 0; i < f->program.nrecord; i++)
        run_step(f, f->step + i);
    return SGS_OK;
}
