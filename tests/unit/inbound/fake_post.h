/* A gateway with alert groups, and members who send it requests of their own: real keys and protector; time, threads
 * and disk are the test's. */
#ifndef FAKE_POST_H
#define FAKE_POST_H

#include "inbound/inbound.h"
#include "protectors/fake_side.h"

enum { POST_HEARD = 2048 };

/* What a hearer was told, kept. */
struct heard {
    char member[CG_NAME_MAX + 1], group[CG_NAME_MAX + 1], path[128], query[64], payload[64];
    uint8_t method;
    uint64_t number;
    bool has_format;
    uint16_t format;
};

struct post {
    struct side side; /* group "floor1"; its protector is the mapping's, too */
    struct cg_inbound *inbound;
    struct cg_alert_hearer hearer;
    struct heard heard[POST_HEARD];
    size_t heard_count;
    struct lamp lamps[LAMPS + 1]; /* by number; 0 is not used */
    struct cg_alert_group groups[2];
    struct cg_security_keys keys[2];
};

void post_init(struct post *post, side_kind_fn kind);
void post_fini(struct post *post);
int post_setup_of(void **state, side_kind_fn kind);
int post_setup(void **state); /* of cmocka: *state is a post with the usual keys, which have both modes */
int post_teardown(void **state);
#define post_test(test) cmocka_unit_test_setup_teardown(test, post_setup, post_teardown)

/* Further groups of kinds: no pairwise mode. */
void post_group_mode_only(struct fake_group *keys, uint8_t tag);

/* A request, sealed. */
struct letter {
    uint8_t bytes[2048];
    size_t len;
    struct cg_oscore_binding binding;
};

struct letter_style {
    bool group_mode;
    uint8_t code;     /* 0: POST */
    const char *path; /* one segment; NULL: "alarm" */
    const char *text; /* NULL: "fire" */
    uint64_t number;  /* 0: the lamp's next */
    struct cg_slice echo;
    const struct cg_opts *options; /* further ones, in the place of path and text: ascending */
};

struct letter post_write(struct lamp *lamp, struct letter_style style);

/* One that was given to inbound, and its reply. */
struct parcel {
    struct cg_inbound_call call;
    unsigned replies;
    enum cg_inbound_saying saying;
    bool is_proven;
    uint8_t bytes[1024]; /* of the answer, as a message */
    size_t len;
    struct cg_msg answer;
};

/* From 127.1.0.9 at any port, unless `from` says otherwise; what is waited for is brought about by post_settle. */
void post_send(struct post *post, struct parcel *parcel, const char *from, const void *bytes, size_t len);
void post_settle(struct post *post);
/* Sends it and settles. */
void post_deliver(struct post *post, struct parcel *parcel, const struct letter *letter);
/* What the lamp makes of the answer: CG_OK with *plain, which lasts until the next one. */
int post_open(struct lamp *lamp, const struct letter *letter, const struct parcel *parcel, struct cg_msg *plain);
/* Sends one that is challenged, and answers that; then the window is known. Returns the accepted one. */
struct letter post_introduce(struct post *post, int lamp, struct letter_style style);

uint64_t post_count(const struct post *post, enum cg_alert_fate fate); /* of all groups and of none */

#endif
