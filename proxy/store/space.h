/* Room on the disk: edits end before commands do. Whoever changes what is stored leaves some of it to the sequence
 * numbers. */
#ifndef CG_STORE_SPACE_H
#define CG_STORE_SPACE_H

#include "model/request.h"

/* Whether `bytes` may be written into the folder, and what is kept for others is left: 16 MiB, on a small file system a
 * sixteenth of it. CG_E_STORE with *problem. */
int cg_space_check(const char *folder, size_t bytes, struct cg_problem *problem) CG_MUST_CHECK;

enum cg_space_missing { CG_SPACE_IF_THERE, CG_SPACE_MAKE };
/* Has the file system keep room for a file to grow by so many bytes, where it can. */
void cg_space_reserve(const char *path, size_t bytes, enum cg_space_missing missing);

#endif
