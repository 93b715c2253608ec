/* What every test of the group protector has: a gateway and its three lamps. */
#ifndef FAKE_ROOM_H
#define FAKE_ROOM_H

#include "fake_side.h"

struct room {
    struct side side;
    struct lamp lamps[LAMPS + 1]; /* by number; 0 is not used */
};

void room_init(struct room *room, side_kind_fn kind, enum cg_finish_rule finish);
/* Of cmocka: *state is a room with the usual keys, that finishes when all have answered. */
int room_setup(void **state);
int room_teardown(void **state);
#define room_test(test) cmocka_unit_test_setup_teardown(test, room_setup, room_teardown)

/* Lamp `lamp` and emission `index`. */
struct reception room_receive(struct room *room, int lamp, size_t index);
struct answer_bytes room_seal(struct room *room, int lamp, const struct reception *to, const char *payload,
                              struct style style);
/* Receives, seals, delivers. */
void room_answer(struct room *room, int lamp, size_t index, const char *payload, struct style style);

void assert_has(const char *text, const char *part);
/* So many answers, every one verified, and so many refusals. */
void assert_counts(const char *text, unsigned answered, unsigned rejected);
void assert_refused(const char *text, const char *reason, unsigned times);
/* Settles: lamp 1 has answered, everything else was refused for this reason. */
void room_finish_with(struct room *room, const char *reason, unsigned times);

#endif
