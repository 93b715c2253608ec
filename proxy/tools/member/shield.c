/* The members' keys. The hard thing: a member's sequence numbers must not repeat when the program is started again with
 * the same keys, so they come in blocks from a file (numbers.h), and every message has one. */
#include "tools/member/shield.h"
#include "tools/member/numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "oscore/oscore.h"

enum { ROOM = 2 * 65536 };

/* One Sender ID and who it answers. */
struct identity {
    struct cg_oscore_context *context;
    struct cg_oscore_peer *gateway;
};

struct shielded {
    struct identity own, false_one; /* the second for lies only */
    uint64_t number, end;           /* the next one, and behind the last that it may have */
};

struct cg_shield {
    struct shielded *members; /* owned */
    struct cg_shield_options options;
    struct cg_numbers numbers; /* the latest block */
    uint8_t plain[ROOM];
};

static int make_identity(struct identity *identity, const struct cg_security_group *keys,
                         const struct cg_security_party *party, struct cg_slice id, enum cg_oscore_window_state window,
                         const char **why) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    cg_security_group_params(keys, party, &params, &own);
    own.id = id;
    int err = cg_oscore_context_new(&identity->context, &params, why);
    if (err < 0) return err;
    return cg_oscore_peer_add(identity->context, keys->self.id, keys->self.cred, window, &identity->gateway, why);
}

/* A Sender ID of the group's usual length that nobody has. */
static bool make_strange_id(const struct cg_security_group *keys, struct cg_slice like, uint8_t id[CG_OSCORE_ID_MAX]) {
    memset(id, 0xee, CG_OSCORE_ID_MAX);
    for (size_t i = 0; i <= keys->peer_count; i++) {
        struct cg_slice taken = i == keys->peer_count ? keys->self.id : keys->peers[i].id;
        if (cg_slice_equal(taken, cg_slice_of(id, like.len))) return false;
    }
    return like.len > 0;
}

static int make_false_identity(struct identity *identity, const struct cg_security_group *keys, uint32_t index,
                               enum cg_shield_lie lie, const char **why) {
    const struct cg_security_party *party = &keys->peers[index];
    struct cg_slice id = party->id;
    uint8_t strange[CG_OSCORE_ID_MAX];
    if (lie == CG_SHIELD_HONEST) return CG_OK;
    if (lie == CG_SHIELD_IMPOSTOR) id = keys->peers[(index + 1) % keys->peer_count].id;
    if (lie == CG_SHIELD_STRANGER) {
        *why = "no Sender ID is free for a stranger";
        if (!make_strange_id(keys, party->id, strange)) return CG_E_KEY;
        id = cg_slice_of(strange, party->id.len);
    }
    return make_identity(identity, keys, party, id, CG_OSCORE_WINDOW_NEW, why);
}

static int load_member(struct cg_shield *shield, const struct cg_security_group *keys, uint32_t index,
                       const char **why) {
    struct shielded *member = &shield->members[index];
    const struct cg_security_party *party = &keys->peers[index];
    enum cg_oscore_window_state window = shield->options.lost ? CG_OSCORE_WINDOW_LOST : CG_OSCORE_WINDOW_NEW;
    int err = make_identity(&member->own, keys, party, party->id, window, why);
    return err < 0 ? err : make_false_identity(&member->false_one, keys, index, shield->options.lie, why);
}

static struct cg_security_group *load_keys(const char *file, char *error, size_t error_cap) {
    struct cg_security_group *keys = NULL;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    if (cg_security_group_load(file, CG_GROUP_FILE_MANAGER, false, &keys, &mistakes) < 0) {
        const struct cg_mistake *first = mistakes.first;
        snprintf(error, error_cap, "%s %s: %s", file, first == NULL ? "" : first->pointer,
                 first == NULL ? "no memory" : first->message);
    }
    cg_mistakes_fini(&mistakes);
    return keys;
}

static bool load_members(struct cg_shield *shield, const struct cg_security_group *keys, char *error,
                         size_t error_cap) {
    uint32_t count = shield->options.count;
    if (keys->peer_count < count) {
        snprintf(error, error_cap, "the group file has %zu members, --count asks for %u", keys->peer_count, count);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *why = "no memory";
        if (load_member(shield, keys, i, &why) == CG_OK) continue;
        snprintf(error, error_cap, "member %u: %s", i, why);
        return false;
    }
    return cg_numbers_reserve(&shield->numbers, time(NULL), error, error_cap) == CG_OK;
}

static struct cg_shield *new_shield(const struct cg_shield_options *options) {
    struct cg_shield *shield = calloc(1, sizeof *shield);
    if (shield == NULL) return NULL;
    shield->options = *options;
    shield->numbers.file = options->numbers;
    shield->members = calloc(options->count, sizeof *shield->members);
    if (shield->members != NULL) return shield;
    free(shield);
    return NULL;
}

struct cg_shield *cg_shield_load(const struct cg_shield_options *options, char *error, size_t error_cap) {
    struct cg_security_group *keys = load_keys(options->keys, error, error_cap);
    if (keys == NULL) return NULL;
    struct cg_shield *shield = new_shield(options);
    if (shield == NULL) {
        snprintf(error, error_cap, "no memory for %u members", options->count);
    } else if (!load_members(shield, keys, error, error_cap)) {
        cg_shield_free(shield);
        shield = NULL;
    }
    cg_security_group_free(keys);
    return shield;
}

void cg_shield_free(struct cg_shield *shield) {
    if (shield == NULL) return;
    for (uint32_t i = 0; i < shield->options.count; i++) {
        const struct shielded *member = &shield->members[i];
        if (member->own.context != NULL) cg_oscore_context_unref(member->own.context);
        if (member->false_one.context != NULL) cg_oscore_context_unref(member->false_one.context);
    }
    free(shield->members);
    free(shield);
}

int cg_shield_open(struct cg_shield *shield, uint32_t member, const struct cg_msg *sealed, struct cg_msg *plain,
                   struct cg_shield_request *request) {
    struct cg_oscore_opened opened = {0};
    struct cg_oscore_context *context = shield->members[member].own.context;
    int err = cg_oscore_open_request(context, sealed, shield->plain, sizeof shield->plain, plain, &opened);
    request->binding = opened.binding;
    request->challenge = err == CG_E_REPLAY && opened.challenge;
    return err;
}

/* In the mode that was asked for, as far as the group has it. */
static struct cg_oscore_peer *answer_to(const struct cg_shield *shield, const struct identity *as) {
    bool pairwise = shield->options.mode == CG_SHIELD_PAIRWISE || !cg_oscore_has_group_mode(as->context);
    return pairwise && cg_oscore_has_pairwise_mode(as->context) ? as->gateway : NULL;
}

/* The members use up a block at their own pace; whoever is first at its end gets the next one. */
static int next_block(struct cg_shield *shield, struct shielded *member) {
    char error[512];
    if (member->end == shield->numbers.end &&
        cg_numbers_reserve(&shield->numbers, time(NULL), error, sizeof error) != CG_OK) {
        (void)fprintf(stderr, "castgate-member: no answer: %s\n", error);
        return CG_E_STORE;
    }
    member->number = shield->numbers.first;
    member->end = shield->numbers.end;
    return CG_OK;
}

static int take_number(struct cg_shield *shield, struct shielded *member, uint64_t *number) {
    int err = member->number == member->end ? next_block(shield, member) : CG_OK;
    if (err == CG_OK) *number = member->number++;
    return err;
}

static int seal(struct cg_shield *shield, struct shielded *member, struct cg_shield_request *request,
                const struct cg_msg *plain, uint8_t *to, size_t cap) {
    struct cg_oscore_reply reply = {.to = answer_to(shield, &member->own), .has_number = true};
    int err = take_number(shield, member, &reply.number);
    if (err < 0) return err;
    return cg_oscore_seal_response(member->own.context, &reply, plain, to, cap, &request->binding);
}

int cg_shield_lie(struct cg_shield *shield, uint32_t member, const struct cg_shield_request *request,
                  struct cg_slice plain, uint8_t *to, size_t cap) {
    struct shielded *self = &shield->members[member];
    struct cg_oscore_binding binding = request->binding;
    struct cg_oscore_reply reply = {.to = answer_to(shield, &self->false_one), .has_number = true, .with_kid = true};
    struct cg_msg msg;
    int err = cg_msg_parse(&msg, plain);
    if (err < 0) return err;
    if (shield->options.lie == CG_SHIELD_TWIN) {
        reply.number = self->number - 1;
    } else {
        err = take_number(shield, self, &reply.number);
    }
    if (err < 0) return err;
    return cg_oscore_seal_response(self->false_one.context, &reply, &msg, to, cap, &binding);
}

int cg_shield_seal(struct cg_shield *shield, uint32_t member, struct cg_shield_request *request, struct cg_slice plain,
                   uint8_t *to, size_t cap) {
    struct cg_msg msg;
    int err = cg_msg_parse(&msg, plain);
    return err < 0 ? err : seal(shield, &shield->members[member], request, &msg, to, cap);
}

int cg_shield_challenge(struct cg_shield *shield, uint32_t member, struct cg_shield_request *request, enum cg_type type,
                        uint16_t mid, struct cg_token token, uint8_t *to, size_t cap) {
    uint8_t storage[CG_OSCORE_CHALLENGE_LEN];
    struct cg_msg plain = {.type = (uint8_t)type, .mid = mid, .token = token};
    struct shielded *self = &shield->members[member];
    cg_oscore_challenge(self->own.gateway, storage, &plain);
    return seal(shield, self, request, &plain, to, cap);
}
