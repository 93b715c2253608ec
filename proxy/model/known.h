/* Members as their genuine answers have shown them: where they are, how soon they answer, how often a group request
 * does not reach them. Kept beside the settings' items (model/member.h), by who somebody is, across reloads and
 * restarts; who has said nothing for long is forgotten.
 *
 * A member is known by its credential where answers are verified, else by its address and port; so one that is in many
 * groups is one member. How soon it answers, and what reaches it, is each mapping's own: their groups differ. Only what
 * is genuine may be noted: a verified answer, one from a configured address, or one to a unicast request. */
#ifndef CG_MODEL_KNOWN_H
#define CG_MODEL_KNOWN_H

#include "base/buf.h"
#include "base/hash.h"
#include "model/config.h"

#define CG_KNOWN_KEEP_US      (UINT64_C(30) * 24 * 3600 * 1000000) /* after its last answer */
#define CG_KNOWN_MOST         65536u                               /* members, each of them once a mapping */
#define CG_KNOWN_ADDRS        4u                                   /* the latest, and former ones */
#define CG_KNOWN_KID_MAX      16u                                  /* bytes; longer ones are not kept */
#define CG_KNOWN_IDENTITY_MAX 32u                                  /* bytes: a credential's hash */
#define CG_KNOWN_TIMES        40u
#define CG_KNOWN_TIME_SUM_MAX 512u /* of an entry's `times` */

struct cg_known; /* a member as one mapping knows it; stays where it is until it is forgotten: find it anew in each turn
                    of the loop */
struct cg_knowns;

/* NULL: out of memory. `keep_us`: so long after its last answer an entry is kept; `most`: entries, beyond which the one
 * that was silent longest goes. */
struct cg_knowns *cg_knowns_new(uint64_t keep_us, size_t most);
void cg_knowns_free(struct cg_knowns *knowns);
size_t cg_knowns_count(const struct cg_knowns *knowns); /* entries */

/* An answer to a request of this mapping. */
struct cg_known_answer {
    const struct cg_mapping *mapping;
    struct cg_slice identity; /* the credential's hash; empty: where nothing is verified */
    struct cg_slice kid;
    struct cg_addr from;
    enum castgate_via via;
    uint64_t request;  /* that it answers, numbered: further answers to the same say nothing new about times */
    uint64_t after_us; /* the request had gone out; only of answers to a group request it counts */
};
/* Without memory or room nothing is noted. */
void cg_known_note(struct cg_knowns *knowns, const struct cg_known_answer *answer, uint64_t now_us);
/* A group request of this mapping was out for as long as the member could take, and it has not answered that. Whether
 * it was lost or the member is not there, its next answer tells. */
void cg_known_note_silence(struct cg_knowns *knowns, const struct cg_mapping *mapping, const struct cg_member *member);

/* NULL: it has never answered, as far as is known. Where it has, but never to a request of this mapping, the entry
 * knows its addresses and its last answer only. */
const struct cg_known *cg_known_find(const struct cg_knowns *knowns, const struct cg_mapping *mapping,
                                     const struct cg_member *member);
/* How long after a group request its silence means that something was lost, by its own answer times; 0: too few of them
 * are known. */
uint64_t cg_known_patience_us(const struct cg_known *known);
/* Group requests have not reached it for several times in a row, while it answered by unicast: it is asked so from the
 * start. */
bool cg_known_is_out_of_reach(const struct cg_known *known);
/* Where its last answer came from. */
const struct cg_addr *cg_known_addr(const struct cg_known *known);

/* Forgets who was silent for too long: looks at so many at the most, and counts them down. True: there are more to look
 * at. */
bool cg_known_purge(struct cg_knowns *knowns, uint64_t now_us, size_t *rows);

/* An entry as plain data: to be shown, or kept over a restart. */
struct cg_known_record {
    uint8_t identity_len; /* 0: it is known by its address */
    uint8_t identity[CG_KNOWN_IDENTITY_MAX];
    struct cg_addr addr;         /* then: the one by which it is known, without zone */
    char name[CG_ADDR_TEXT_MAX]; /* the settings' when it answered last; empty: it was in none */
    char mapping[CG_NAME_MAX + 1];
    uint8_t kid_len;
    uint8_t kid[CG_KNOWN_KID_MAX];
    uint8_t addr_count;
    struct cg_addr addrs[CG_KNOWN_ADDRS]; /* the latest first */
    int64_t last_us;                      /* its last answer to this mapping; monotonic, before 0 where that is older */
    uint16_t times[CG_KNOWN_TIMES];       /* of its answers to group requests: bucket i up to cg_known_time_us(i) */
    float lost;                           /* share of the group requests that did not get to it and back, 0 to 1 */
    uint8_t casts;                        /* that this share is over, 255 at the most */
    uint8_t missed;                       /* group requests in a row, of which it answered what it was asked besides */
};

void cg_known_record(const struct cg_known *known, struct cg_known_record *record);
/* What it is called: its name, else its latest address. */
void cg_known_shown(const struct cg_known_record *record, char text[CG_ADDR_TEXT_MAX]);
/* Who and where it is, as members of a JSON object: "kid" and "addresses". */
void cg_known_put_where(struct cg_buf *to, const struct cg_known_record *record);
uint64_t cg_known_time_us(unsigned bucket);
/* The middle one of its answer times; 0: none is known. */
uint64_t cg_known_median_us(const struct cg_known *known);
/* Within which all but one in a hundred of its answers came, as far as so few are counted; 0: none is known. */
uint64_t cg_known_p99_us(const struct cg_known *known);
/* From before a restart; where something newer is there, that stays. False: no memory or no room. */
bool cg_known_restore(struct cg_knowns *knowns, const struct cg_known_record *record);
/* The next one that has changed since it was taken here; NULL: none. */
const struct cg_known *cg_known_take_changed(struct cg_knowns *knowns);
/* What was taken could not be kept: it is to be taken again. */
void cg_known_untake(struct cg_knowns *knowns, const struct cg_known_record *record);

/* A way through all entries that may take many turns; what comes meanwhile is seen, what goes is left out. Zeroed, it
 * has not begun. */
struct cg_known_walk {
    const struct cg_known *at;
    struct cg_known_walk *previous, *next; /* of those under way */
};
void cg_known_walk_begin(struct cg_knowns *knowns, struct cg_known_walk *walk);
const struct cg_known *cg_known_walk_next(struct cg_known_walk *walk); /* NULL: at the end */
void cg_known_walk_end(struct cg_knowns *knowns, struct cg_known_walk *walk);

void cg_known_forget(struct cg_knowns *knowns, const struct cg_known *known);

#endif
