/* What became of one request of a check: filled in where it was sent, which may be the gateway in service, and read by
 * whoever draws conclusions. So it names nothing of a running gateway, and has a form as a line of JSON. */
#ifndef CG_APP_CHECK_RESULT_H
#define CG_APP_CHECK_RESULT_H

#include "base/buf.h"
#include "model/request.h"
#include "model/stats.h"

#define CG_SILENT_MAX        32
#define CG_CHECK_KINDS_MAX   8
#define CG_CHECK_SENT_MAX    8
#define CG_CHECK_LINES_MAX   200    /* of answers, and of rejections: the others are counted */
#define CG_CHECK_RESULT_MAX  262144 /* bytes of a result as JSON: more than all of these need */
#define CG_CHECK_SENDING_MAX 2048   /* bytes of a datagram that are shown */

/* How often something was said, by whoever said it first. */
struct cg_check_kind {
    char reason[32]; /* of a rejection; empty: these are answers */
    char from[CG_ADDR_TEXT_MAX];
    uint8_t code; /* 0: it was protected, and could not be read */
    uint32_t count;
};

/* A known member that did not answer, with an address. */
struct cg_check_silent {
    char name[CG_NAME_MAX + CG_ADDR_TEXT_MAX];
    struct cg_addr addr;
};

struct cg_check_sending {
    uint32_t target; /* of the mapping's, from 0 */
    struct cg_addr to;
    struct cg_buf bytes;
};

/* Counts that go by their names. */
#define CG_CHECK_COUNTS(X)                                                                                             \
    X(answered) /* members */                                                                                          \
    X(failed)   /* of these, with an error */                                                                          \
    X(missing)  /* that are expected */                                                                                \
    X(rejected)                                                                                                        \
    X(duplicates)                                                                                                      \
    X(expected)                                                                                                        \
    X(ms)        /* from the request to the end of collecting */                                                       \
    X(over_time) /* answered later than clients of the mapping wait */                                                 \
    X(latest_ms) /* the last answer */                                                                                 \
    X(strangers) /* answered, and are none of the members that are configured */                                       \
    X(received)  /* datagrams at the gateway meanwhile */                                                              \
    X(kernel_drops)                                                                                                    \
    X(digest) /* cg_check_digest of the mapping */

struct cg_check_result {
    struct cg_problem problem; /* why there was no request or no reply; err 0: there was */
#define COUNT(name) uint32_t name;
    CG_CHECK_COUNTS(COUNT)
#undef COUNT
    char ended_by[16];
    uint32_t fates[CG_FATE_COUNT];
    struct cg_buf answers, rejections; /* lines for people, printable ASCII */
    struct cg_check_kind kinds[CG_CHECK_KINDS_MAX];
    size_t kind_count;
    struct cg_check_silent silent[CG_SILENT_MAX];
    size_t silent_count;
    struct cg_check_sending sendings[CG_CHECK_SENT_MAX];
    size_t sending_count;
};

void cg_check_result_init(struct cg_check_result *result);
void cg_check_result_fini(struct cg_check_result *result);
/* `from` is as initialised afterwards. */
void cg_check_result_take(struct cg_check_result *to, struct cg_check_result *from);

/* One more of its kind. */
void cg_check_result_count(struct cg_check_result *result, const char *reason, uint8_t code, struct cg_slice from);
/* How many were rejected for that reason; *first, where there is one, is the kind that was counted first. */
uint32_t cg_check_result_rejected(const struct cg_check_result *result, const char *reason,
                                  const struct cg_check_kind **first);

/* Members of a JSON object that is open: ,"NAME":VALUE… */
void cg_check_result_emit(struct cg_buf *to, const struct cg_check_result *result);
/* An object with those members. `result` is initialised. False: it is none, or there is no memory. */
bool cg_check_result_parse(struct cg_check_result *result, struct cg_slice object) CG_MUST_CHECK;

#endif
