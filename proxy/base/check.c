#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void cg_check_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "level=fatal event=bug file=%s line=%d condition=\"%s\"\n", file, line, condition);
    abort();
}
