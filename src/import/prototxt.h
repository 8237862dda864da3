/* Protobuf text format over descriptors of ours: what each message may hold, by name.  Every value keeps its line. */
#ifndef SGS_PROTOTXT_H
#define SGS_PROTOTXT_H

#include "base/base.h"

typedef enum sgs_text_kind {
    SGS_TEXT_INT,     /* 64 bits */
    SGS_TEXT_COUNT,   /* 0 .. 2^32 - 1 */
    SGS_TEXT_BOOL,
    SGS_TEXT_FLOAT,
    SGS_TEXT_STRING,
    SGS_TEXT_WORD,    /* one of `words`, as its place there */
    SGS_TEXT_MESSAGE,
    SGS_TEXT_SKIPPED  /* anything, not kept */
} sgs_text_kind;

typedef struct sgs_text_type sgs_text_type;
typedef struct sgs_text_field {
    const char *name; /* NULL ends */
    sgs_text_kind kind;
    bool many;
    const sgs_text_type *type; /* MESSAGE */
    const char *const *words;  /* WORD: ends with NULL; "" where a number has none */
} sgs_text_field;
struct sgs_text_type {
    const char *name; /* "ConvolutionParameter" */
    const sgs_text_field *field;
    const char *open; /* fields that end so and are not listed are skipped and noted, with all they hold; or NULL */
};

typedef struct sgs_text_message sgs_text_message;
typedef struct sgs_text_value {
    const sgs_text_field *field;
    int line;
    int64_t i;   /* INT, COUNT, BOOL, WORD */
    double f;    /* FLOAT */
    const char *s;
    sgs_text_message *m;
    struct sgs_text_value *next;
} sgs_text_value;
struct sgs_text_message {
    const sgs_text_type *type;
    int line;
    sgs_text_value *first, *last; /* in the file's order */
    const char *unknown;          /* the first field that was skipped as `open` allows, and its line; or NULL */
    int unknown_line;
};

/* The message that the text of `file` is.  Errors carry the line. */
sgs_status sgs_text_parse(sgs_arena *a, const char *file, sgs_span text, const sgs_text_type *type, sgs_text_message **m, sgs_diag *d);
/* The first value of a field at or behind `v` (m->first, v->next); NULL: none. */
const sgs_text_value *sgs_text_find(const sgs_text_value *v, const char *name);

#endif
