/* The hard thing: the OSCORE library is built of this, too, and has no log. So a log that must say it in its turn comes
 * here, not the other way round. */
#include "base/check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static cg_check_tell_fn *_Atomic tell_by; /* NULL: stderr */

void cg_check_tell_by(cg_check_tell_fn *tell) { atomic_store(&tell_by, tell); }

static void tell(const char *line, size_t len) {
    cg_check_tell_fn *by = atomic_load(&tell_by);
    if (by != NULL) {
        by(line, len);
        return;
    }
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* nobody is left to tell */
}

_Noreturn void cg_check_failed(const char *condition, const char *file, int line) {
    char text[1024];
    int len =
        snprintf(text, sizeof text, "level=fatal event=bug file=%s line=%d condition=\"%s\"\n", file, line, condition);
    if (len > 0) tell(text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
    abort();
}
