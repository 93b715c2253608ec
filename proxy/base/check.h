/* CG_CHECK: an invariant of our own code. Always compiled in; a violation is a bug and ends the process at once. Never
 * use it on anything that a network, a file or an admin can influence. */
#ifndef CG_BASE_CHECK_H
#define CG_BASE_CHECK_H

_Noreturn void cg_check_failed(const char *condition, const char *file, int line);

#define CG_CHECK(condition) ((condition) ? (void)0 : cg_check_failed(#condition, __FILE__, __LINE__))

#endif
