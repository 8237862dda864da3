/* The file's lines taken apart: sections, keys, lists of entries.  What they mean is config.c's business.
 *
 *     [SECTION]                       # comment
 *     key = entry, "an, entry; #1";   # `;` and `#` outside quotes end the value
 *
 * What follows `;` is a comment unless it reads like a known `key =` or a section: inis flattened into one line work.
 * Where it stands close to the `;` or is a number, it is refused: it was meant as an entry.  Full-width punctuation
 * outside quotes is refused too; no-break and full-width spaces are blanks. Quotes (' or ") protect an entry; a doubled
 * quote inside stands for itself. */
#ifndef SGS_INI_H
#define SGS_INI_H

#include "base/base.h"

typedef struct sgs_ini_key {
    const char *section, *key;
} sgs_ini_key;

typedef struct sgs_ini_item {
    const char *text; /* blanks around it removed */
    bool quoted;
} sgs_ini_item;

typedef struct sgs_ini_entry {
    const sgs_ini_key *key;
    int line;
    sgs_ini_item *item; /* n == 0: an empty value */
    int n;
} sgs_ini_entry;

typedef struct sgs_ini {
    const char *file;
    sgs_arena *arena;
    const sgs_ini_key *known;
    int nknown;
    sgs_ini_entry *entry;
    int n;
    struct sgs_ini_section {
        const char *name;
        int line; /* of its first header */
    } section[8];
    int nsection;
} sgs_ini;

/* ini->file, arena, known and nknown are the caller's.  Unknown and repeated keys are errors. */
sgs_status sgs_ini_parse(sgs_ini *ini, sgs_span text, sgs_diag *d);
/* Where a section begins; 0 when absent. */
int sgs_ini_section_line(const sgs_ini *ini, const char *section);
/* NULL when absent. */
const sgs_ini_entry *sgs_ini_get(const sgs_ini *ini, const char *section, const char *key);
/* A value that is one quoted string, read as a list once more: quotes round a whole list.  Other values come back as
 * they are. */
sgs_status sgs_ini_relist(const sgs_ini *ini, const sgs_ini_entry *e, sgs_ini_entry *list, sgs_diag *d);

#endif
