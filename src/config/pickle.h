/* A pickle being read: what pickle.c, its opcodes, and pickle_numpy.c, what it calls by name, share.  Others include
 * config/tree.h. */
#ifndef SGS_PICKLE_H
#define SGS_PICKLE_H

#include "config/tree.h"

/* What stands in `other` of a SGS_TREE_OTHER. */
typedef struct sgs_pickle_object {
    enum { SGS_PICKLE_MARK, SGS_PICKLE_CALLABLE, SGS_PICKLE_DTYPE } kind;
    int call;    /* of a callable: which, as pickle_numpy.c numbers them */
    char letter; /* of a dtype */
    int each;
    bool big_endian;
} sgs_pickle_object;

typedef struct sgs_pickle {
    sgs_arena *a;
    const char *file;
    const uint8_t *start, *p, *end, *opcode;
    struct sgs_tree_list stack, memo;
    sgs_diag *d;
} sgs_pickle;

static inline bool sgs_pickle_is(const sgs_tree *t, int kind)
{
    return t->kind == SGS_TREE_OTHER && (int)((const sgs_pickle_object *)t->other)->kind == kind;
}

static inline bool sgs_pickle_is_text(const sgs_tree *t)
{
    return t && t->kind == SGS_TREE_TEXT;
}

/* ---- pickle.c ---- */

sgs_status sgs_pickle_at_file(const sgs_pickle *r);
sgs_status sgs_pickle_damaged(const sgs_pickle *r, const char *what);
sgs_status sgs_pickle_no_memory(const sgs_pickle *r);
sgs_status sgs_pickle_push(sgs_pickle *r, sgs_tree t);
sgs_status sgs_pickle_push_object(sgs_pickle *r, sgs_pickle_object o);
sgs_status sgs_pickle_push_view(sgs_pickle *r, const void *p, size_t n);
sgs_tree *sgs_pickle_top(sgs_pickle *r, size_t n);
sgs_status sgs_pickle_gather(sgs_pickle *r, sgs_tree_kind kind, size_t n, bool marked);

/* ---- pickle_numpy.c ---- */

/* Pushes what Python knows by that name, refuses what is not known here. */
sgs_status sgs_pickle_global(sgs_pickle *r, const char *module, const char *name);
/* A callable and its arguments become what it would make. */
sgs_status sgs_pickle_reduce(sgs_pickle *r);
/* The last on the stack is the state of the one below it. */
sgs_status sgs_pickle_build(sgs_pickle *r);

#endif
