/* Layers whose weights were learned, in a file beside the model under way: who was killed goes on behind them.
 *
 * The file, little-endian: "sgslearn"; its version, 2, and zero, 4 bytes each; 32 bytes of key, SHA-256 over all that
 * the layers depend on.  Then one record a layer, in the order in which they run: the id of its output and zero, 4
 * bytes each; the length of what follows, 8; that; SHA-256 of the key and the record up to here.  What stands behind
 * the last whole record was being written when the program ended. */
#ifndef SGS_QUANT_LEARNED_H
#define SGS_QUANT_LEARNED_H

#include "base/log.h"

typedef struct sgs_learned_file sgs_learned_file;
/* Whether nothing lies at that path, or such a file.  Before any work is done. */
sgs_status sgs_learned_check(const char *path, sgs_diag *d);
/* In a, to be closed.  Path NULL: layers are kept nowhere.  What lies there with another key is begun anew, with a
 * warning. */
sgs_status sgs_learned_open(sgs_learned_file **f, const char *path, const uint8_t key[32], const sgs_log *log,
                            sgs_arena *a, sgs_diag *d);
void sgs_learned_close(sgs_learned_file *f);
/* The bytes of the next layer, where an earlier run left them: n of them in `to`.  Once there are none, there are no
 * more. */
bool sgs_learned_next(sgs_learned_file *f, int id, void *to, size_t n);
/* How many layers sgs_learned_next gave. */
int sgs_learned_found(const sgs_learned_file *f);
/* Where it cannot be written, a warning says so, once. */
void sgs_learned_add(sgs_learned_file *f, int id, const void *from, size_t n);

#endif
