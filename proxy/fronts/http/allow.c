/* Names of methods. */
#include "fronts/http/allow.h"

#include "model/config.h"

#include <string.h>

static const struct {
    uint32_t methods;
    const char *names;
} rows[] = {{CG_METHOD_BIT(CG_GET), "GET, HEAD"},
            {CG_METHOD_BIT(CG_POST), "POST"},
            {CG_METHOD_BIT(CG_PUT), "PUT"},
            {CG_METHOD_BIT(CG_DELETE), "DELETE"},
            {CG_METHOD_BIT(CG_PATCH) | CG_METHOD_BIT(CG_IPATCH), "PATCH"}};

static char *add(char *at, const char *text, const char *names) {
    if (at > text) at = stpcpy(at, ", ");
    return stpcpy(at, names);
}

static char *add_all(char *text, uint32_t methods) {
    char *at = text;
    *at = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((methods & rows[i].methods) != 0) at = add(at, text, rows[i].names);
    }
    return at;
}

void cg_http_allow(char text[CG_HTTP_ALLOW_MAX], uint32_t methods) { add_all(text, methods); }

void cg_http_allow_options(char text[CG_HTTP_ALLOW_MAX], uint32_t methods) {
    add(add_all(text, methods), text, "OPTIONS");
}
