/* One HTTP request on its way into the core's terms. */
#ifndef FAKE_CONVERSION_H
#define FAKE_CONVERSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fronts/http/from_http.h"

enum { FIELDS_MAX = 16 };

#define HOST  "Host: 127.0.0.1:8080\n"
#define GROUP "coap://224.0.1.187"

struct conversion {
    struct cg_config config;
    struct cg_listen listen;
    struct cg_arena arena;
    struct cg_request request;
    const struct castgate_encoder *encoder;
    struct cg_problem problem;
    struct cg_http_field fields[FIELDS_MAX];
    size_t field_count;
    bool is_http_1_0;
    const struct cg_mapping *mapping; /* as the front finds it; NULL: none */
    enum cg_proof proof;
};

extern const struct castgate_encoder mixed, json, sse; /* those that there are */

void set_up(struct conversion *f);
void tear_down(struct conversion *f);
/* "Name: value" lines; the value is taken as it stands behind the colon. */
void split_fields(struct conversion *f, const char *text);
/* Every slice is handed over in a buffer of its exact size, so that the sanitizer sees each byte read too far. */
int convert(struct conversion *f, struct cg_slice method, struct cg_slice target, struct cg_slice body);
/* All of these; tear_down follows. */
int from(struct conversion *f, const char *method, const char *target, const char *fields, const char *body);

void assert_slice(struct cg_slice slice, const char *text);

struct refusal {
    const char *method, *target, *fields, *body;
    int err;
    const char *detail; /* must occur in it */
};

void check_refusals(const struct refusal *rows, size_t count);
#define CHECK_REFUSALS(rows) check_refusals(rows, sizeof(rows) / sizeof(rows)[0])

#endif
