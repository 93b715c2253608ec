/* The host of an encoder, with answers, missing members and refusals from arrays. */
#ifndef CG_TEST_FAKE_HOST_H
#define CG_TEST_FAKE_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "builtin.h"

struct castgate_call {
    const struct castgate_answer *answers;
    size_t answer_count;
    const struct castgate_missing *missing;
    size_t missing_count;
    const struct castgate_rejected *rejected;
    size_t rejected_count;
    struct castgate_summary summary;
    size_t room;            /* bytes that write takes before it fails */
    const uint8_t *random;  /* what random gives next; NULL: bytes of one kind */
    unsigned randoms;       /* how often it was asked */
    char content_type[256]; /* what the encoder said */
    struct cg_buf written;
};

extern const struct castgate_host fake_host;

void call_init(struct castgate_call *call);
void call_fini(struct castgate_call *call);
/* What was written, NUL-terminated. */
const char *call_text(struct castgate_call *call);

struct castgate_slice bytes(const void *data, size_t len);
struct castgate_slice text(const char *text);
/* A 2.05 of lamp-1 from 127.1.0.1:5683 with that payload. */
struct castgate_answer plain_answer(uint32_t format, struct castgate_slice payload);

/* The member of a JSON object, which must be there, as text. */
const char *text_at(const json_t *object, const char *key);

#endif
