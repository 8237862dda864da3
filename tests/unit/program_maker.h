/* The hand-made network of tests/runtime as a lowered program. */
#ifndef TEST_PROGRAM_MAKER_H
#define TEST_PROGRAM_MAKER_H

#include "../runtime/image_maker.h"
#include "compile/emit.h"
#include "compile/plan.h"
#include "compile/program.h"

#define NIN 2
#define NOUT 3

/* m: built with `separate`, not finished.  Free p.consts and p.arena. */
sgs_program program_of(image_maker *m);
/* Plans and writes it. */
sgs_status image_of(sgs_program *p, sgs_plan_result *plan, sgs_buf *image);

#endif
