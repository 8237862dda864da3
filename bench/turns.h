/* What the programs of `make bench` share: time, and the conversation with bench.py. */
#ifndef BENCH_TURNS_H
#define BENCH_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

double bench_milliseconds(clockid_t clock);
/* The file's first `bytes` bytes from `from` on go to `to`; false where it holds fewer. */
bool bench_read(const char *path, size_t from, void *to, size_t bytes);
/* Says "ready"; then a line `run N` on stdin is answered by what N calls took, of each the milliseconds and those of processors.  Returns a
 * program's exit status: 2 where a call failed. */
int bench_answer(bool (*run)(void *user), void *user);

#endif
