/* The room of the group protector's tests. */
#include "fake_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void room_init(struct room *room, side_kind_fn kind, enum cg_finish_rule finish) {
    side_init(&room->side, kind, finish);
    for (int i = 1; i <= LAMPS; i++) lamp_init(&room->lamps[i], &room->side.keys, i);
}

int room_setup(void **state) {
    struct room *room = calloc(1, sizeof *room);
    assert_non_null(room);
    room_init(room, fake_group_usual, CG_FINISH_ALL);
    *state = room;
    return 0;
}

int room_teardown(void **state) {
    struct room *room = *state;
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&room->lamps[i]);
    side_fini(&room->side);
    free(room);
    return 0;
}

struct reception room_receive(struct room *room, int lamp, size_t index) {
    return lamp_receive(&room->lamps[lamp], &room->side.world.sent[index]);
}

struct answer_bytes room_seal(struct room *room, int lamp, const struct reception *to, const char *payload,
                              struct style style) {
    return lamp_seal(&room->lamps[lamp], to, payload, style);
}

void room_answer(struct room *room, int lamp, size_t index, const char *payload, struct style style) {
    struct reception reception = room_receive(room, lamp, index);
    struct answer_bytes bytes = room_seal(room, lamp, &reception, payload, style);
    side_deliver(&room->side, lamp, &bytes);
}

void assert_has(const char *text, const char *part) {
    if (strstr(text, part) == NULL) fail_msg("no %s in %s", part, text);
}

void assert_counts(const char *text, unsigned answered, unsigned rejected) {
    char part[64];
    snprintf(part, sizeof part, "\"answered\":%u,", answered);
    assert_has(text, part);
    snprintf(part, sizeof part, "\"rejected\":%u,", rejected);
    assert_has(text, part);
    assert_int_equal(count_of(text, "\"verified\":\"source\""), answered);
    assert_int_equal(count_of(text, "\"verified\":\"none\""), 0);
}

void assert_refused(const char *text, const char *reason, unsigned times) {
    char part[64];
    snprintf(part, sizeof part, "\"reason\":\"%s\"", reason);
    if (count_of(text, part) != times) fail_msg("not %u times %s in %s", times, part, text);
}

void room_finish_with(struct room *room, const char *reason, unsigned times) {
    side_settle(&room->side);
    const char *text = side_reply(&room->side);
    assert_counts(text, 1, times);
    assert_refused(text, reason, times);
    assert_has(text, "\"member\":\"lamp-1\"");
}
