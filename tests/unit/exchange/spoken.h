/* CoAP messages as people write them, so that a test reads like what goes over the wire:
 *
 *     NON GET /base/status?unit=C 2:1/0/16 echo:abc payload with blanks
 *     ACK 2.05 etag:x on
 *
 * Options without a name here go by their number, in hexadecimal, and Request-Tag is only said to be there. The type
 * where it matters, method or code, path and query, options as name:value (Block options as RFC 7959 writes them:
 * 2:NUM/M/SIZE), and the rest is payload. An empty message is its type alone. */
#ifndef CG_TEST_SPOKEN_H
#define CG_TEST_SPOKEN_H

#include "base/buf.h"
#include "wire/uri.h"

enum { SPOKEN_OPTIONS_MAX = 8 };

#define SPOKEN_TIMEOUT 2     /* Multicast-Timeout, "timeout:5" */
#define SPOKEN_KEYS    65000 /* which keys protect it, "keys:1": of the fake protector's making */

struct spoken {
    bool has_type;
    enum cg_type type;
    uint8_t code;
    struct cg_slice path, query; /* raw, of the text */
    struct cg_opts options;      /* ascending, without path and query */
    struct cg_slice payload;     /* of the text */
    struct cg_opt list[SPOKEN_OPTIONS_MAX];
    uint8_t values[SPOKEN_OPTIONS_MAX][16];
};

/* The text must outlive *spoken; one that says nothing sensible fails the test. */
void spoken_read(struct spoken *spoken, const char *text);
void spoken_write(struct cg_buf *to, const struct cg_msg *msg);

#endif
