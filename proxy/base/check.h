/* CG_CHECK: an invariant of our own code. Always compiled in; a violation is a bug and ends the process at once. Never
 * use it on anything that a network, a file or an admin can influence. */
#ifndef CG_BASE_CHECK_H
#define CG_BASE_CHECK_H

#include <stddef.h>

_Noreturn void cg_check_failed(const char *condition, const char *file, int line);

/* Who says why, one line with its newline, before the process ends; from any thread. NULL, as at first: by one write(2)
 * to stderr. */
typedef void cg_check_tell_fn(const char *line, size_t len);
void cg_check_tell_by(cg_check_tell_fn *tell);

#define CG_CHECK(condition) ((condition) ? (void)0 : cg_check_failed(#condition, __FILE__, __LINE__))

#endif
