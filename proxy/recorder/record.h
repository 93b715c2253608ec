/* What is kept of an exchange for people: who asked for what, and what each member did, with times that the answer
 * timeline is drawn from. One piece a list, nothing borrowed from settings or rounds. What a mapping hides of its
 * members is not in it, whoever looks. */
#ifndef CG_RECORDER_RECORD_H
#define CG_RECORDER_RECORD_H

#include "base/buf.h"
#include "exchange/progress.h"
#include "recorder/preview.h"
#include "recorder/tape.h"

#define CG_RECORD_PATH_MAX 200 /* bytes, as the log has it */
/* Items of a list that are kept; the summary counts all. */
#define CG_RECORD_ITEMS_MAX 4096

enum cg_outcome {
    CG_OUTCOME_RUNNING,
    CG_OUTCOME_ANSWERED, /* by all that are known */
    CG_OUTCOME_FAILED,   /* by all, some with an error */
    CG_OUTCOME_MISSING,  /* by some, and not by others that were expected */
    CG_OUTCOME_SILENT,   /* by nobody */
    CG_OUTCOME_REFUSED,  /* nothing of use came of it: the problem says why */
    CG_OUTCOME_LEFT,     /* its client left */
    CG_OUTCOME_COUNT
};
extern const char *const cg_outcome_names[CG_OUTCOME_COUNT];
enum cg_outcome cg_outcome_of(const struct cg_progress *progress);

struct cg_record_answer {
    struct cg_addr from; /* family NONE: hidden */
    uint32_t name;       /* in `texts`; 0: nobody has given it one */
    uint32_t number;     /* from 1, in the order of first answers */
    uint32_t ms;         /* since the group request */
    uint32_t kid, payload_len;
    uint16_t kid_len;
    uint8_t code, verified, via;
    bool has_kid;
};

struct cg_record_missing {
    struct cg_addr from;
    uint32_t name;
    enum cg_cause cause;
};

struct cg_record_refusal {
    struct cg_addr from;
    uint32_t kid, gid;
    uint16_t kid_len, gid_len;
    const char *reason; /* static */
    uint8_t code;
};

struct cg_record {
    struct cg_record *previous, *next; /* of the recorder's, oldest first */
    uint64_t number;                   /* 1 and upwards, in the order in which they ended */
    char id[CG_EXCHANGE_ID_MAX];
    char mapping[CG_NAME_MAX + 1]; /* "": none was found */
    char client[CG_ACCOUNT_MAX];   /* "": nobody known */
    char method[8];
    char path[CG_RECORD_PATH_MAX + 8]; /* with the query */
    char member[CG_NAME_MAX + 1];      /* that alone was asked; "": the groups were, or it is hidden */
    struct cg_addr peer;               /* who connected; family NONE: unknown */
    enum cg_outcome outcome;
    unsigned status;
    struct cg_problem problem; /* err 0: none */
    struct castgate_summary summary;
    int64_t begun_ms;                          /* Unix time */
    uint32_t ms;                               /* so far, or until its end */
    uint32_t sent_ms, leisure_ms, deadline_ms; /* the request since the beginning; the others since the request; 0: none
                                                */
    bool was_sent, hides_members, is_cut;
    bool has_joined; /* the tape is another exchange's, whose requests it has waited for */
    struct cg_record_answer *answers;
    struct cg_record_missing *missing;
    struct cg_record_refusal *refusals;
    size_t answer_count, missing_count, refusal_count;
    size_t left_out;               /* of these, since they are more than are kept */
    char *texts;                   /* NUL-terminated names, and kids; from offset 1 */
    size_t size;                   /* bytes that it takes, the tape apart */
    struct cg_tape *tape;          /* a reference; NULL: none */
    struct cg_preview *prediction; /* owned; NULL: nobody asked for one */
};

/* NULL: no memory. */
struct cg_record *cg_record_new(const struct cg_progress *progress, int64_t now_ms);
void cg_record_free(struct cg_record *record); /* the tape's reference is the recorder's to give back */

static inline const char *cg_record_text(const struct cg_record *record, uint32_t at) { return record->texts + at; }

/* Whether that member, by its name or by its address, has answered it, was missing in it, or was refused. */
bool cg_record_has_member(const struct cg_record *record, const char *member);

/* Appends it as a JSON object. `BRIEF` is for lists: the times of answers without whose they are. */
enum cg_record_detail { CG_RECORD_BRIEF, CG_RECORD_WHOLE };
void cg_record_put_json(struct cg_buf *to, const struct cg_record *record, enum cg_record_detail detail);

#endif
