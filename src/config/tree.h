/* What JSON, pickle and YAML files hold: texts, numbers, lists, dictionaries, arrays of numbers.
 *
 *   json.c     JSON; lists of numbers, however nested, become arrays where they are rectangular
 *   pickle.c   Python's pickles of protocol 0 to 5, read without running anything: objects other than numpy's arrays
 * and numbers, which pickle_numpy.c makes, are refused by name
 *   yaml.c     YAML 1.1 as configurations use it, through libyaml; keys are texts
 *
 * Files are untrusted.  Lists of a pickle may hold themselves: whoever walks a tree goes as deep as what it looks for.
 */
#ifndef SGS_TREE_H
#define SGS_TREE_H

#include "base/base.h"

typedef enum sgs_tree_kind {
    SGS_TREE_NONE,
    SGS_TREE_TRUTH,
    SGS_TREE_WHOLE,
    SGS_TREE_REAL,
    SGS_TREE_TEXT, /* UTF-8; nobody checked it */
    SGS_TREE_BYTES,
    SGS_TREE_LIST, /* or a tuple */
    SGS_TREE_DICT,
    SGS_TREE_ARRAY,
    SGS_TREE_OTHER /* while a pickle is read */
} sgs_tree_kind;

typedef struct sgs_tree {
    sgs_tree_kind kind;
    uint32_t line; /* in a text file where it begins; 0: unknown */
    union {
        int64_t whole; /* of a truth 0 or 1 */
        double real;
        struct sgs_tree_bytes *bytes; /* of texts too */
        struct sgs_tree_list *list;   /* of a dictionary: key, value, key, value, ... */
        struct sgs_tree_array *array;
        void *other;
    };
} sgs_tree;

struct sgs_tree_bytes {
    size_t n;
    const char *p; /* a NUL behind it; a text may hold others */
};

struct sgs_tree_list {
    size_t n, room;
    sgs_tree *item;
};

/* Row-major, or with the first index running fastest. */
struct sgs_tree_array {
    int rank;
    int64_t dim[8], count;
    char letter; /* numpy's: f, i, u, b */
    int each;    /* bytes an element */
    bool big_endian, fortran;
    const uint8_t *data; /* count * each bytes, unaligned */
};

/* From bytes that outlive the tree; it lies in the arena, and its errors name `file`. */
sgs_status sgs_json_parse(sgs_tree *t, sgs_arena *a, const char *file, sgs_span text, sgs_diag *d);
sgs_status sgs_pickle_parse(sgs_tree *t, sgs_arena *a, const char *file, sgs_span bytes, sgs_diag *d);
sgs_status sgs_yaml_parse(sgs_tree *t, sgs_arena *a, const char *file, sgs_span text, sgs_diag *d);
/* JSON or a pickle, whichever the first byte says it is. */
sgs_status sgs_tree_parse(sgs_tree *t, sgs_arena *a, const char *file, sgs_span bytes, sgs_diag *d);

/* False: memory, or the arena's limit, is gone. */
bool sgs_tree_push(sgs_arena *a, struct sgs_tree_list *l, sgs_tree t);
/* "a list", ...: for messages. */
const char *sgs_tree_word(const sgs_tree *t);
/* Element i in row-major order. */
double sgs_tree_element(const struct sgs_tree_array *x, int64_t i);
/* Whether t is a number, and which. */
bool sgs_tree_number(const sgs_tree *t, double *v);

#endif
