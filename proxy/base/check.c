#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

_Noreturn void cg_check_failed(const char *condition, const char *file, int line) {
    char text[1024];
    int len =
        snprintf(text, sizeof text, "level=fatal event=bug file=%s line=%d condition=\"%s\"\n", file, line, condition);
    if (len > 0) cg_log_last_words(text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
    abort();
}
