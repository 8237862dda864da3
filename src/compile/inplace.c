/* Lifetimes in record order, buffers that take another's place, and the plan of the rest. */
#include "compile/plan.h"
#include "compile/program.h"
#include "openipu/ipu.h"

typedef struct life {
    int first, last; /* records; first -1: never used */
    int home;        /* the buffer whose place this one takes; itself when it has its own */
} life;

static int home_of(const life *l, int b)
{
    while (l[b].home != b)
        b = l[b].home;
    return b;
}

static void find_lives(const sgs_program *p, life *l)
{
    for (int b = 0; b < p->nbuffer; b++)
        l[b] = (life){ -1, -1, b };
    for (int k = 0; k < p->nrecord; k++) {
        const ipu_ref *ref = sgs_refs(p->record + k);
        for (int i = 0; i < p->record[k].rec->nref; i++) {
            if (ref[i].space != IPU_ARENA)
                continue;
            life *mine = l + ref[i].index;
            mine->first = mine->first < 0 ? k : mine->first;
            mine->last = k;
        }
    }
}

/* ---- one buffer in another's place
 * ----------------------------------------------------------------------------------- */

static int bytes_of(int type)
{
    static const uint8_t bytes[IPU_TYPE_COUNT] = { 1, 1, 2, 2, 4, 8, 4 };
    return bytes[type];
}

static bool same_window(const ipu_ref *a, const ipu_ref *b)
{
    return a->off == b->off && a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c && a->img == b->img &&
           a->row == b->row && a->pix == b->pix && a->step == b->step && bytes_of(a->type) == bytes_of(b->type);
}

/* May operand 0 take operand i's place?  The pairs that runtime/kernels.h promises. */
static bool kernel_allows(const sgs_record *r, int i)
{
    switch (r->rec->kind) {
    case IPU_ADD_S16:
    case IPU_MUL_S16:
    case IPU_DIV_S16:
    case IPU_MIN_S16:
    case IPU_MAX_S16:
        return i == 1 || i == 2;
    case IPU_CLAMP:
    case IPU_QUANTIZE:
    case IPU_LUT_S16:
    case IPU_PRELU_S16:
    case IPU_ROUND_S16:
    case IPU_LAYERNORM_S16:
        return i == 1;
    default:
        return sgs_conv_record(r) && i == IPU_CONV_ADD;
    }
}

/* The buffer of operand i ends at record k, that of operand 0 begins there, and they are the same window. */
static bool can_take_place(const sgs_program *p, const life *l, int k, int i)
{
    const sgs_record *r = p->record + k;
    const ipu_ref *ref = sgs_refs(r), *x = ref + i;
    if (x->space != IPU_ARENA || !kernel_allows(r, i) || !same_window(ref, x))
        return false;
    int from = home_of(l, x->index), to = ref->index;
    if (from == to || l[to].home != to || p->buffer[from].space != IPU_ARENA || p->buffer[to].space != IPU_ARENA)
        return false;
    if (l[from].last != k || l[to].first != k)
        return false;
    for (int j = 1; j < r->rec->nref; j++) /* no other operand reads what is overwritten */
        if (j != i && ref[j].space == IPU_ARENA && home_of(l, ref[j].index) == from &&
            !(kernel_allows(r, j) && same_window(ref, ref + j)))
            return false;
    return true;
}

static void share_places(sgs_program *p, life *l)
{
    for (int k = 0; k < p->nrecord; k++) {
        const ipu_ref *ref = sgs_refs(p->record + k);
        for (int i = 1; i < p->record[k].rec->nref; i++) {
            if (!can_take_place(p, l, k, i))
                continue;
            int from = home_of(l, ref[i].index), to = ref->index;
            l[to].home = from;
            l[from].last = l[to].last;
            if (p->buffer[to].bytes > p->buffer[from].bytes)
                p->buffer[from].bytes = p->buffer[to].bytes;
            break;
        }
    }
}

/* ---- offsets
 * ------------------------------------------------------------------------------------------------------------- */

static bool in_arena(const sgs_program *p, const life *l, int b)
{
    return p->buffer[b].space == IPU_ARENA && l[b].first >= 0 && l[b].home == b;
}

sgs_status sgs_program_plan(sgs_program *p, int64_t limit, sgs_plan_result *r, sgs_diag *d)
{
    life *l = SGS_NEW_N(p->arena, life, p->nbuffer + 1);
    sgs_plan_buffer *b = SGS_NEW_N(p->arena, sgs_plan_buffer, p->nbuffer + 1);
    int n = 0;
    find_lives(p, l);
    share_places(p, l);
    for (int i = 0; i < p->nbuffer; i++)
        if (in_arena(p, l, i))
            b[n++] = (sgs_plan_buffer){ p->buffer[i].bytes, l[i].first, l[i].last, 0 };
    SGS_TRY(sgs_plan(b, n, IPU_ALIGN, limit, r, d));
    n = 0;
    for (int i = 0; i < p->nbuffer; i++)
        if (in_arena(p, l, i))
            p->buffer[i].off = b[n++].off;
    for (int i = 0; i < p->nbuffer; i++)
        p->buffer[i].off = p->buffer[home_of(l, i)].off;
    return SGS_OK;
}
