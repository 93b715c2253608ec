/* Figures as text. The hard thing: every reply has them, so they are written without printf. */
#include "fronts/http/summary.h"

#include <string.h>

#include "base/text.h"

static char *put_key(char *at, const char *text, const char *comma_and_key) {
    return stpcpy(at, at == text ? comma_and_key + 2 : comma_and_key);
}

static char *put_text(char *at, const char *value) {
    size_t len = strnlen(value, CG_ENDED_BY_MAX);
    memcpy(at, value, len);
    return at + len;
}

#define PUT_KEY(name)   at = put_key(at, text, ", " #name "=")
#define PUT_COUNT(name) PUT_KEY(name), at += cg_decimal_emit(at, summary->name);
#define PUT_TEXT(name)  PUT_KEY(name), at = put_text(at, summary->name);
#define PUT_OPTIONAL(name)                                                                                             \
    if (summary->name > 0) PUT_COUNT(name)

void cg_http_summary(char text[CG_HTTP_SUMMARY_MAX], const struct castgate_summary *summary) {
    char *at = text;
    CASTGATE_SUMMARY_FIGURES(PUT_COUNT, PUT_TEXT, PUT_OPTIONAL)
    *at = '\0';
}
#undef PUT_KEY
#undef PUT_COUNT
#undef PUT_TEXT
#undef PUT_OPTIONAL
