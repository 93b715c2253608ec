/* What a sink may look at of its exchange: read-only, and valid during the call. view.c says what a client gets to see
 * of it; where the mapping hides its members (R19) that is the only place that knows. */
#ifndef CG_REPLY_VIEW_H
#define CG_REPLY_VIEW_H

#include "castgate/plugin.h"
#include "base/buf.h"
#include "model/answer.h"
#include "model/cause.h"
#include "model/request.h"
#include "model/shelf.h"
#include "wire/cri.h"

struct cg_view {
    const char *exchange; /* its ID: 16 hexadecimal digits */
    const struct cg_config *config;
    const struct cg_mapping *mapping;
    const struct cg_member *member; /* the one that was asked, as the client named it; NULL: the groups were */
    const struct cg_request *request;
    const struct cg_answer *answers;
    const struct cg_refusal *refusals;
    const uint8_t *answered; /* a set of the mapping's members (model/answer.h); NULL: nobody has answered */
    struct cg_signs signs;   /* what was seen of those that have not; complete when collecting has ended */
    struct cg_shelf
        *shelf; /* what was made of these three; NULL: it was refused before there was anything to collect */
    struct castgate_summary summary; /* so far; ended_by is empty while collecting goes on */
    bool is_shared;                  /* others look at the same answers */
    uint64_t now_us;
    bool expects_answers; /* else the client does not wait for any */
    bool has_group_etag;  /* the answers are all that the cache keeps (GCP §7.3) */
    uint8_t group_etag[CG_GROUP_ETAG_MAX];
    bool is_valid; /* its client has them already, and wants to hear no more than that */
    bool is_busy;  /* members are still being asked: for what they have not said, or not wholly */
};

/* A walk through the lists of a view, with the texts of the item it is at. */
struct cg_reading {
    const struct cg_view *view;
    const struct cg_answer *next_answer; /* item `answer_index` */
    size_t answer_index;
    const struct cg_refusal *next_refusal;
    size_t refusal_index;
    size_t next_member; /* where to look for missing item `missing_index`, among those expected */
    size_t missing_index;
    char from[CG_ADDR_TEXT_MAX];
    uint8_t reply_from[CG_CRI_ADDR_MAX];
    struct cg_buf stand_in; /* the same of a gateway that stands in for its members */
    char media_type[48];
    struct cg_buf options; /* of an answer whose options are not lent as they are */
};

/* Whether what is said of members is said in the client's own terms: another client is told something else. */
static inline bool cg_view_is_personal(const struct cg_view *view) {
    return view->mapping->stand_in == CG_STAND_IN_MEMBERS;
}

void cg_reading_init(struct cg_reading *reading, const struct cg_view *view);
void cg_reading_fini(struct cg_reading *reading);

/* Item `index` into *out; false behind the last one. Ascending order is cheapest. What *out borrows is valid until the
 * next call. */
bool cg_reading_answer(struct cg_reading *reading, size_t index, struct castgate_answer *out);
bool cg_reading_missing(struct cg_reading *reading, size_t index, struct castgate_missing *out);
bool cg_reading_rejected(struct cg_reading *reading, size_t index, struct castgate_rejected *out);
/* One answer, wherever it stands. */
void cg_reading_describe(struct cg_reading *reading, const struct cg_answer *answer, struct castgate_answer *out);
/* Of it only the CRI of GCP's Reply-From; empty: the client gets none. */
struct castgate_slice cg_reading_reply_from(struct cg_reading *reading, const struct cg_answer *answer);

#endif
