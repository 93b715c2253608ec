/* The flight recorder: the exchanges that run and those that have ended lately, with what each member did, and what
 * went over the wire for them. Bounded in bytes (recorder.memory): the oldest go. Nothing of it is durable, and a
 * gateway that has none behaves the same. */
#ifndef CG_RECORDER_RECORDER_H
#define CG_RECORDER_RECORDER_H

#include "recorder/pcap.h"
#include "recorder/record.h"
#include "recorder/transcript_json.h"

struct cg_recorder;

/* Who looks at each record as it is made, in the turn in which the exchange ends. */
struct cg_recorder_reader {
    void (*recorded)(struct cg_recorder_reader *reader, const struct cg_record *record);
    struct cg_recorder_reader *previous, *next; /* the recorder's */
};

struct cg_recorder_options {
    struct cg_gateway *gateway; /* outlives it */
    int64_t (*clock_ms)(void);  /* Unix time */
    cg_local_fn *local;         /* for pcap files */
    void *local_ctx;
};

/* Hears of the gateway's exchanges from now on. NULL: no memory. */
struct cg_recorder *cg_recorder_new(const struct cg_recorder_options *options);
/* After the gateway, which tells it until its end. NULL is fine. */
void cg_recorder_free(struct cg_recorder *recorder);

void cg_recorder_follow(struct cg_recorder *recorder, struct cg_recorder_reader *reader);
void cg_recorder_leave(struct cg_recorder *recorder, struct cg_recorder_reader *reader);

/* What is asked for; what is "" or CG_OUTCOME_COUNT matters not. */
struct cg_record_filter {
    char mapping[CG_NAME_MAX + 1];
    char client[CG_ACCOUNT_MAX];
    char member[CG_ADDR_TEXT_MAX]; /* by its name, or its address without one; not where it is hidden */
    enum cg_outcome outcome;
};
bool cg_record_fits(const struct cg_record *record, const struct cg_record_filter *filter);

/* Those that have ended, latest first, below that number (0: the latest); NULL: none. Valid until the gateway runs. */
const struct cg_record *cg_recorder_before(const struct cg_recorder *recorder, uint64_t number);
/* The one that ended before it; NULL: none. */
const struct cg_record *cg_recorder_older(const struct cg_recorder *recorder, const struct cg_record *record);
/* NULL: it is not there, or not any more. */
const struct cg_record *cg_recorder_find(const struct cg_recorder *recorder, const char *id);
/* A record of the running exchange at the first place from *place on, and the place behind it; the caller's to free,
 * without its tape. NULL: there is none, or no memory (*place is not 0 then). */
struct cg_record *cg_recorder_next_running(struct cg_recorder *recorder, uint32_t *place);
/* The same of the one with that id. */
struct cg_record *cg_recorder_find_running(struct cg_recorder *recorder, const char *id);

/* Of one that has a tape. */
void cg_recorder_put_pcap(const struct cg_recorder *recorder, const struct cg_record *record,
                          enum cg_tape_payloads payloads, struct cg_buf *to);

/* As cg_transcript_put_json; CG_E_CONFLICT too where another exchange has it. */
int cg_recorder_put_transcript(const struct cg_recorder *recorder, const struct cg_record *record,
                               enum cg_tape_payloads payloads, struct cg_buf *to,
                               struct cg_problem *problem) CG_MUST_CHECK;

/* Of an exchange that has begun: what was said before that it would send, copied; its record will have it. Without
 * effect where it was refused. */
void cg_recorder_predict(struct cg_recorder *recorder, struct cg_ticket ticket, const struct cg_preview *prediction);
/* What has been sent and received for it so far, all zero where it has joined another's requests. */
struct cg_traffic cg_recorder_traffic(const struct cg_recorder *recorder, struct cg_ticket ticket);

#endif
